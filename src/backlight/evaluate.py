"""How well an investigation did against the truth: of a world, or of a user's own reviewed cases.

`truth.csv` has account, operation and group: raw account ids, the operation an account belongs to or nothing, the decoy group
or nothing. An operation is found when a candidate's core overlaps it with Jaccard >= 0.5. Benign is every account of the log
that belongs to no operation, whether or not the truth lists it; a decoy group is accused when any of its accounts is core.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from scipy.stats import beta

from backlight import _ledger, tables
from backlight.errors import RequestError
from backlight.investigate import candidates_document, newest_run, propose_until

if TYPE_CHECKING:
    from backlight.workspace import Workspace

FOUND = 0.5
"""Jaccard overlap of a candidate's core and an operation from which the operation is found."""

PRIORS = (1e-3, 1e-4, 1e-5)
"""Shares of operators' accounts at which reliability is printed."""

_MOST = 10_000_000
_COLUMNS = ("account", "operation", "group")


@dataclass(frozen=True)
class Truth:
    """What is known of accounts, by pseudonym.

    Attributes:
        operations: name -> accounts.
        groups: decoy group -> accounts.
        unknown: raw ids of the file that the workspace does not hold.
    """

    operations: Mapping[str, frozenset[int]]
    groups: Mapping[str, frozenset[int]]
    unknown: int = 0


@dataclass(frozen=True)
class Proposed:
    """One candidate as evaluated."""

    id: str
    core: frozenset[int]
    associated: frozenset[int] = field(default_factory=frozenset)
    bits: float = 0.0

    @property
    def all(self) -> frozenset[int]:
        """Core and associated members."""
        return self.core | self.associated


def evaluate(ws: Workspace, truth: Path | str, *, replay: bool = False) -> dict[str, Any]:
    """Compare the newest investigation with the truth.

    Args:
        ws: the workspace.
        truth: CSV with account, operation and group; an id under several keys is written `key/id`.
        replay: also count days to detection, by investigating day after day in a copy; slow.

    Raises:
        RequestError: the file is no truth file.
        StoreError: there is no investigation yet.
    """
    known = read_truth(ws, Path(truth))
    document = candidates_document(ws)
    proposed = [_proposed(one) for one in document["candidates"]]
    accounts, days = _population(ws)
    result = score(proposed, known, accounts=accounts, days=days)
    result["flags"] = _flagged(document["flags"], known)
    result["reliability"] = reliability(proposed, known, accounts)
    result["linked"] = _linked(ws, known)
    result["own_concern"] = _own_concern(ws, known, accounts)
    if replay:
        result["days_to_detection"] = days_to_detection(ws, known)
    return result


def read_truth(ws: Workspace, path: Path) -> Truth:
    """Read a truth file and turn its raw ids into pseudonyms of this workspace.

    Raises:
        RequestError: it cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise RequestError(f"{path} has no column {', '.join(missing)}", "the columns account, operation, group")
            rows = [row for row, _ in zip(reader, range(_MOST), strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RequestError(f"{path} cannot be read ({error})", "a CSV with account, operation, group") from error
    resolve = _Resolver(ws)
    operations: dict[str, set[int]] = defaultdict(set)
    groups: dict[str, set[int]] = defaultdict(set)
    unknown = 0
    for row in rows:
        account = resolve(row["account"])
        if account is None:
            unknown += 1
            continue
        if row["operation"]:
            operations[row["operation"]].add(account)
        if row["group"]:
            groups[row["group"]].add(account)
    return Truth(
        {name: frozenset(members) for name, members in sorted(operations.items())},
        {name: frozenset(members) for name, members in sorted(groups.items())},
        unknown,
    )


class _Resolver:
    """Raw ids to pseudonyms: by level first; an end user written alone is looked up among the sealed identities, in memory."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        held = ws.run("accounts", ws.table("accounts").select("account").distinct())
        self._known = set(held["account"].to_pylist())
        self._alone: dict[str, set[int]] | None = None

    def __call__(self, raw: str | None) -> int | None:
        if not raw:
            return None
        names = self._ws.pseudonyms
        meant = {names.account(level, raw)[0] for level in tables.LEVELS if level != "none"}
        if "/" in raw:
            key, _, end_user = raw.partition("/")
            meant.add(names.account("end_user", end_user, key=key)[0])
        found = (meant & self._known) or (self._by_raw().get(raw, set()) & self._known)
        return next(iter(found)) if len(found) == 1 else None

    def _by_raw(self) -> dict[str, set[int]]:
        if self._alone is None:
            self._alone = defaultdict(set)
            vault = self._ws.table("vault")
            sealed = vault.filter(vault.kind == "identity").select("row", "account", "month", "blob")
            for batch in self._ws.stream("identities", sealed):
                columns = [column.to_pylist() for column in batch.columns]
                for account, payload in zip(columns[1], self._ws.vault.open_many(*columns), strict=True):
                    if payload is not None:
                        self._alone[msgspec.msgpack.decode(payload)["raw"]].add(account)
        return self._alone


def _proposed(one: Mapping[str, Any]) -> Proposed:
    parts: dict[str, set[int]] = {"core": set(), "associated": set()}
    for member in one["members"]:
        parts[member["member"]].add(tables.parse_id(member["account"])[1])
    return Proposed(one["id"], frozenset(parts["core"]), frozenset(parts["associated"]), one["tie_bits"] + one["concern"])


def _population(ws: Workspace) -> tuple[frozenset[int], float]:
    """Accounts of the log, and the days that it covers."""
    interactions = ws.table("interactions")
    held = ws.run("accounts", interactions.filter(interactions.account.notnull()).select("account").distinct())
    span = interactions.aggregate(first=interactions.time.min(), last=interactions.time.max())
    row = ws.run("period", span).to_pylist()[0]
    days = (row["last"] - row["first"]).total_seconds() / 86_400 if row["first"] is not None else 0.0
    return frozenset(held["account"].to_pylist()), days


def score(proposed: Sequence[Proposed], truth: Truth, *, accounts: Iterable[int], days: float) -> dict[str, Any]:
    """The figures that need no workspace.

    Args:
        proposed: candidates.
        truth: what is known.
        accounts: all accounts of the log.
        days: that the log covers.

    Returns:
        operations, accounts, pairs, decoys, benign and alerts, as DESIGN of `evaluate` names them.
    """
    planted = frozenset().union(*truth.operations.values()) if truth.operations else frozenset()
    core = frozenset().union(*(one.core for one in proposed)) if proposed else frozenset()
    everyone = frozenset().union(*(one.all for one in proposed)) if proposed else frozenset()
    benign = frozenset(accounts) - planted
    wrong = len(core & benign)
    low, high = clopper_pearson(wrong, len(benign))
    return {
        "operations": _operations(proposed, truth),
        "accounts": {"core": _precision_recall(core, planted), "all": _precision_recall(everyone, planted)},
        "pairs": {
            "core": _precision_recall(_pairs(one.core for one in proposed), _pairs(truth.operations.values())),
            "all": _precision_recall(_pairs(one.all for one in proposed), _pairs(truth.operations.values())),
        },
        "decoys": _decoys(core, truth, planted),
        "benign": {
            "accounts": len(benign),
            "accused": wrong,
            "per_10000": _per_10000(wrong, len(benign)),
            "limit_95_per_10000": [round(low * 1e4, 2), round(high * 1e4, 2)],
            "days": round(days, 1),
        },
        "alerts_a_week": round(len(proposed) / max(days / 7, 1.0), 2),
        "candidates": len(proposed),
        "unknown_ids": truth.unknown,
    }


def _operations(proposed: Sequence[Proposed], truth: Truth) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for name, members in truth.operations.items():
        best = max(((_ledger.overlap(one.core, members), one.id) for one in proposed), default=(0.0, ""))
        overlap = round(best[0], 3)
        rows.append({"operation": name, "size": len(members), "jaccard": overlap, "candidate": best[1] if overlap else None})
    found = [row for row in rows if row["jaccard"] >= FOUND]
    return {"planted": len(rows), "found": len(found), "each": rows}


def _decoys(core: frozenset[int], truth: Truth, planted: frozenset[int]) -> dict[str, Any]:
    each: list[dict[str, Any]] = [
        {"group": name, "size": len(members - planted), "core_members": len(core & (members - planted))}
        for name, members in truth.groups.items()
    ]
    return {"groups": len(each), "accused": sum(row["core_members"] > 0 for row in each), "each": each}


def _pairs(sets: Iterable[Iterable[int]]) -> frozenset[tuple[int, int]]:
    return frozenset(pair for members in sets for pair in combinations(sorted(members), 2))


def _precision_recall(found: frozenset[Any], planted: frozenset[Any]) -> dict[str, Any]:
    both = len(found & planted)
    return {
        "precision": round(both / len(found), 4) if found else None,
        "recall": round(both / len(planted), 4) if planted else None,
        "found": len(found),
        "right": both,
        "planted": len(planted),
    }


def _per_10000(count: int, among: int) -> float | None:
    return round(count / among * 1e4, 3) if among else None


def clopper_pearson(count: int, among: int, level: float = 0.95) -> tuple[float, float]:
    """Exact limits of a share (Clopper and Pearson 1934); where nothing was seen, the one-sided upper limit (rule of three).

    Returns:
        Lower and upper limit, 0 to 1; (0, 1) where nothing was looked at.
    """
    if not among:
        return 0.0, 1.0
    tail = 1 - level
    if count == 0:
        return 0.0, float(1 - tail ** (1 / among))
    low = float(beta.ppf(tail / 2, count, among - count + 1))
    high = 1.0 if count == among else float(beta.ppf(1 - tail / 2, count + 1, among - count))
    return low, high


def reliability(proposed: Sequence[Proposed], truth: Truth, accounts: frozenset[int]) -> list[dict[str, Any]]:
    """How likely an accused account is an operator's at three shares of operators, by Bayes from this run's two rates.

    The rate of false accusation is its upper 95% limit, so the figure is a lower one; None where nothing was planted.
    """
    planted = frozenset().union(*truth.operations.values()) if truth.operations else frozenset()
    core = frozenset().union(*(one.core for one in proposed)) if proposed else frozenset()
    benign = accounts - planted
    if not planted or not benign:
        return [{"prior": prior, "reliability_at_least": None} for prior in PRIORS]
    hit = len(core & planted) / len(planted)
    false = clopper_pearson(len(core & benign), len(benign))[1]
    found = []
    for prior in PRIORS:
        right, wrong = prior * hit, (1 - prior) * false
        share = right / (right + wrong) if right + wrong else None
        found.append({"prior": prior, "reliability_at_least": round(share, 4) if share is not None else None})
    return found


def _linked(ws: Workspace, truth: Truth) -> list[dict[str, Any]]:
    """For each operation and decoy group, the linked group that overlaps it most and what that lacks: which key failed."""
    newest = newest_run(ws)
    entries = [one for one in _ledger.read(ws.run("ledger", ws.table("candidates")).to_pylist()) if one.run == newest]
    rows = []
    for kind, named in (("operation", truth.operations), ("decoy", truth.groups)):
        for name, members in named.items():
            best = max(entries, key=lambda one: (_ledger.overlap((*one.core, *one.associated), members), one.id), default=None)
            share = _ledger.overlap((*best.core, *best.associated), members) if best else 0.0
            row: dict[str, Any] = {"kind": kind, "name": name, "size": len(members), "jaccard": round(share, 3)}
            if best is not None and share:
                named_in = ("family_bits", "tie_bits", "own_concern", "concern", "work", "q", "short_of")
                row |= {"id": best.id, "as": best.kind} | {key: best.body[key] for key in named_in if key in best.body}
            rows.append(row)
    return rows


def _own_concern(ws: Workspace, truth: Truth, accounts: frozenset[int]) -> dict[str, Any]:
    """Own concern in each operation, each decoy group and all other accounts: how many, and the median evidence and cut."""
    signals = ws.table("signals")
    names = ("own_concern", "concern_pooled", "concern_cut")
    kept = signals.filter((signals.subject_kind == "account") & signals.signal.isin(names)).select("subject", "signal", "value")
    values: dict[str, dict[int, float]] = {name: {} for name in names}
    for row in ws.run("own concern", kept).to_pylist():
        values[row["signal"]][row["subject"]] = row["value"]
    named = {**truth.operations, **truth.groups}
    rest = accounts - frozenset().union(*named.values()) if named else accounts
    return {
        name: {
            "accounts": len(members),
            "own_concern": sum(values["own_concern"].get(one, 0.0) > 0 for one in members),
            "median_bits": _median(values["concern_pooled"].get(one, 0.0) for one in members),
            "median_cut": _median(values["concern_cut"].get(one, 0.0) for one in members),
        }
        for name, members in {**named, "others": rest}.items()
    }


def _median(values: Iterable[float]) -> float | None:
    ordered = sorted(values)
    return round(ordered[len(ordered) // 2], 2) if ordered else None


def _flagged(flags: Sequence[Mapping[str, Any]], truth: Truth) -> dict[str, Any]:
    planted = frozenset().union(*truth.operations.values()) if truth.operations else frozenset()
    accounts = {tables.parse_id(flag["account"])[1] for flag in flags if flag["account"].startswith("acc-")}
    return {"flags": len(flags), "accounts": len(accounts), "of_operations": len(accounts & planted)}


def days_to_detection(ws: Workspace, truth: Truth) -> dict[str, Any]:
    """Replay: the day on which each operation is first found, minus the first day with two active members.

    Each day is investigated as it stood then. Only members that were active by then can be found, so the overlap is taken
    with them.
    """
    interactions = ws.table("interactions")
    kept = interactions.filter(interactions.account.notnull() & interactions.time.notnull())
    first = ws.run("first days", kept.group_by("account").agg(day=kept.day.min(), last=kept.day.max())).to_pylist()
    if not first:
        return {"each": [], "median": None}
    began = {row["account"]: row["day"] for row in first}
    start = {
        name: days[min(1, len(days) - 1)]
        for name, members in truth.operations.items()
        if (days := sorted(began[one] for one in members if one in began))
    }
    day, end = min(start.values(), default=date.max), max(row["last"] for row in first)
    found: dict[str, date] = {}
    while day <= end and len(found) < len(start):
        proposal = propose_until(ws, datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC))
        for name, members in truth.operations.items():
            active = {one for one in members if one in began and began[one] <= day}
            if name not in found and any(_ledger.overlap(one.core, active) >= FOUND for one in proposal.candidates):
                found[name] = day
        day += timedelta(days=1)
    each = [
        {
            "operation": name,
            "first": start[name].isoformat(),
            "days": (found[name] - start[name]).days if name in found else None,
        }
        for name in sorted(start)
    ]
    known = sorted(row["days"] for row in each if row["days"] is not None)
    return {"each": each, "median": known[len(known) // 2] if known else None}
