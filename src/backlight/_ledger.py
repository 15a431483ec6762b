"""The ledger: ids are minted once, and stay with an operation while its core members do.

A candidate is matched to those of earlier runs by the overlap of core members, with hysteresis: one that the last run saw
keeps its id from a Jaccard overlap of 0.3, one that had gone needs 0.5 to return. The larger part of a split and the larger
parent of a merge keep the id; the others are named as lineage. A dismissal keeps its reason and the kinds of evidence it
looked at (families and behaviours); the candidate returns only on evidence of a new kind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import msgspec

from backlight.errors import RequestError
from backlight.hashing import Hasher

KEEP = 0.3
"""Overlap from which a candidate of the last run keeps its id."""

RETURN = 0.5
"""Overlap from which one that had gone returns under its id."""

Status = Literal["new", "in_review", "confirmed", "dismissed"]
STATUSES: tuple[str, ...] = get_args(Status)


@dataclass(frozen=True)
class Entry:
    """One id of the ledger.

    Attributes:
        id: minted once.
        kind: candidate or cohort.
        status: where people are with it.
        core: core members when it was last seen.
        associated: associated members then.
        run: the run that last saw it.
        evidence: families and behaviours that it rests on.
        dismissed: reason and evidence fingerprint of each dismissal.
        lineage: `split_from`, `merged` ids.
        body: the document, without id and status.
    """

    id: str
    kind: str
    status: str
    core: tuple[int, ...]
    associated: tuple[int, ...] = ()
    run: str = ""
    evidence: tuple[str, ...] = ()
    dismissed: tuple[Mapping[str, Any], ...] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, object]:
        """As a row of `tables.CANDIDATES`."""
        body = {"document": self.body, "evidence": self.evidence, "dismissed": self.dismissed, "lineage": self.lineage}
        return {
            "id": self.id, "run": self.run, "kind": self.kind, "status": self.status, "core": list(self.core),
            "associated": list(self.associated), "body": msgspec.json.encode(body, order="sorted").decode(),
        }  # fmt: skip


def read(rows: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """Entries from rows of `tables.CANDIDATES`, by id."""
    found = []
    for row in rows:
        body = msgspec.json.decode(row["body"])
        found.append(
            Entry(
                row["id"], row["kind"], row["status"], tuple(row["core"]), tuple(row["associated"] or ()), row["run"],
                tuple(body["evidence"]), tuple(body["dismissed"]), body["lineage"], body["document"],
            )
        )  # fmt: skip
    return sorted(found, key=lambda entry: entry.id)


def overlap(one: Collection[int], other: Collection[int]) -> float:
    """Jaccard overlap."""
    both = len(set(one) & set(other))
    return both / (len(one) + len(other) - both) if both else 0.0


def update(known: Sequence[Entry], found: Sequence[Entry], run: str, last: str, hasher: Hasher) -> list[Entry]:
    """Give every find its id and status, and keep the entries that this run did not see.

    Args:
        known: the ledger so far.
        found: this run's finds, their ids empty.
        run: this run.
        last: the run before it; "" if there was none.
        hasher: mints ids.

    Returns:
        The ledger after this run, by id; entries of this run have `run` set to it.
    """
    keeper, parents = _matched(known, found, last)
    taken = {entry.id for entry in known}
    seen: list[Entry] = []
    for n, find in enumerate(found):
        lineage: dict[str, Any] = {"merged": parents[n][1:]} if len(parents[n]) > 1 and keeper.get(n) == parents[n][0] else {}
        if n in keeper:
            before = next(entry for entry in known if entry.id == keeper[n])
            seen.append(_again(before, replace(find, run=run), lineage))
        else:
            made = _mint(find, taken, hasher)
            taken.add(made)
            if parents[n]:
                lineage = {"split_from": parents[n][0]}
            seen.append(replace(find, id=made, status="new", run=run, lineage=lineage))
    ids = {entry.id for entry in seen}
    return sorted([*seen, *(entry for entry in known if entry.id not in ids)], key=lambda entry: entry.id)


def _matched(known: Sequence[Entry], found: Sequence[Entry], last: str) -> tuple[dict[int, str], list[list[str]]]:
    """Which find keeps which id; and, for each find, the ids it shares core members with, strongest first."""
    scored: list[tuple[float, str, int]] = []
    for n, find in enumerate(found):
        for entry in known:
            if entry.kind == find.kind and (score := overlap(entry.core, find.core)):
                scored.append((score, entry.id, n))
    scored.sort(key=lambda one: (-one[0], one[1], one[2]))
    runs = {entry.id: entry.run for entry in known}
    keeper: dict[int, str] = {}
    used: set[str] = set()
    for score, entry_id, n in scored:
        enough = KEEP if runs[entry_id] == last else RETURN
        if score >= enough and n not in keeper and entry_id not in used:
            keeper[n] = entry_id
            used.add(entry_id)
    parents: list[list[str]] = [[] for _ in found]
    for score, entry_id, n in scored:
        if score >= KEEP / 2:
            parents[n].append(entry_id)
    return keeper, parents


def _again(before: Entry, now: Entry, lineage: Mapping[str, Any]) -> Entry:
    """A known id, seen again: a dismissed one returns only on evidence of a new kind."""
    status = before.status
    if status == "dismissed":
        looked_at = {kind for one in before.dismissed for kind in one["evidence"]}
        if set(now.evidence) - looked_at:
            status = "new"
    return replace(now, id=before.id, status=status, dismissed=before.dismissed, lineage={**before.lineage, **lineage})


def _mint(find: Entry, taken: Collection[str], hasher: Hasher) -> str:
    prefix = {"candidate": "cand", "cohort": "coh"}[find.kind]
    for attempt in range(1000):
        number = hasher.id("ledger", f"{find.kind}:{attempt}:{','.join(map(str, sorted(find.core)))}")
        made = f"{prefix}-{number:016x}"[: len(prefix) + 9]
        if made not in taken:
            return made
    raise RequestError("no free id for a candidate", "fewer than millions of them")


def dismissed(entries: Sequence[Entry], which: str, reason: str, when: str) -> list[Entry]:
    """The ledger with one candidate dismissed, its reason and evidence fingerprint kept.

    Raises:
        RequestError: there is no such candidate, or no reason was given.
    """
    if not reason.strip():
        raise RequestError("a dismissal without a reason", "a sentence that says why", "Pass --reason")
    if not any(entry.id == which and entry.kind == "candidate" for entry in entries):
        raise RequestError(f"{which!r} is no candidate", "an id of `backlight candidates`")
    note = {"reason": reason.strip(), "when": when}
    return [
        replace(entry, status="dismissed", dismissed=(*entry.dismissed, {**note, "evidence": list(entry.evidence)}))
        if entry.id == which
        else entry
        for entry in entries
    ]
