"""Concern: how much more an account's turns over a period speak for an operator than a benign account's of its stratum.

A turn's evidence is by how much its instruction's bits for *any operator* stand above the *base*: the bits that 93 of a
hundred texts of the workspace in that language stay below, drawn towards the whole workspace, and never less than what seven
in eight look-alikes of our own stay below. So harmless turns add nothing and take nothing away. Behaviours name and explain
it; a turn whose best behaviour does not count says nothing. The served model reads every request too, and its refusal is a
second opinion: a turn that tells more of an operator than of any innocent role, and was refused or blocked, says `REFUSED`
bits more. A refusal alone says nothing, since victims, novelists and dialects are refused as well. Repeats of one skeleton
(or pasted document) count 1, 1/2, 1/4.
The evidence of an account is pooled as

    pooled = e1 + 0.9 e2 + 0.81 e3 + ...        e sorted from the strongest, each at most `TURN_CAP` bits

so that about ten turns speak, as in the mean of the top tenth, but adding harmless turns cannot lower it. It counts as
*unexplained* where it is more than what the same turns say for the best *innocent role* (a newsroom, a translation agency, a
brand's own team), pooled in the same way, and as 0 otherwise. Concern is the unexplained evidence less the median of benign
accounts of the same stratum (language, channel, number of distinct turns, tenant), never below 0. The baseline is the
workspace's own accounts by median and ninth decile, shrunk from narrow strata to wider ones and at last to accounts drawn from
benign prompts of our own (`baseline/accounts.json`). *Own concern* needs unexplained evidence above the cut that about 1% of
benign accounts of the stratum pass, and above `FLOOR` bits. It is a score, not a probability.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backlight import tables
from backlight.signals.outcome import REFUSALS
from backlight.signals.scorer import BASE, NEEDS_JUDGE, OPERATOR, ROLE, passes_lookalikes, shipped_heads

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TURN_CAP = 5.0
"""Bits that one turn can add at most."""

REFUSED = 2.0
"""Bits that a refusal adds to a turn that tells by itself: as if operators' requests were refused four times as often as those
of innocents that read like them. A stated default, not fitted: no public log has refusals and truth.
"""

DECAY = 0.9
"""Weight of each further turn, from the strongest; the weights sum to 10."""

FLOOR = 4.0
"""Bits that own concern needs whatever the stratum: one in sixteen."""

LEAST_TURNS = 3
"""Distinct scored turns below which the verdict is 'too little data'."""

VOLUMES = (0, 6, 12, 25, 50, 100, 250, 1000)
"""Lower edges of the volume buckets, in distinct scored turns."""

SHRINK_WIDEST = 30.0
"""Accounts that the shipped ones weigh in an estimate of the widest stratum."""

SHRINK = 300.0
"""Accounts that the wider stratum weighs in an estimate of a narrower one, and texts likewise: a few dozen accounts of one
language are often one office, and would set their own standard.
"""

LEAST_STRATUM = 20
TELLING = 10
_NOT_BEHAVIOURS = ("scored", "voice", OPERATOR)

CONTRIBUTIONS = pa.schema(
    [
        ("account", pa.int64()),
        ("text", pa.int64()),
        ("skeleton", pa.int64()),
        ("behaviour", pa.string()),
        ("bits", pa.float64()),
        ("weight", pa.float64()),
        ("interaction", pa.int64()),
    ]
)


TELLS = pa.schema(
    [
        ("text", pa.int64()),
        ("key", pa.int64()),
        ("bits", pa.float64()),
        ("acts", pa.float64()),
        ("works", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What concern is computed with.

    Attributes:
        period: first (included) and last (excluded) moment; all turns, undated ones too, if None.
        counts: whether a behaviour counts in a language; by default the shipped scorer's look-alike figures decide, and
            everything counts where signals come from the fake scorer.
        judged: texts whose document a judge or person read and confirmed; only there behaviours count on documents.
        hard: accounts with hard items (a fired watch, wild outputs): few turns are enough for them.
    """

    period: tuple[datetime, datetime] | None = None
    counts: Callable[[str, str], bool] | None = None
    judged: frozenset[int] = field(default_factory=frozenset)
    hard: frozenset[int] = field(default_factory=frozenset)


def concern(interactions: pa.Table, texts: pa.Table, signals: pa.Table, *, settings: Settings | None = None) -> pa.Table:
    """Concern per account, in the shape of `tables.SIGNALS`.

    Args:
        interactions: rows of `tables.INTERACTIONS` (id, account, tenant, time, channel, prompt are read).
        texts: rows of `tables.TEXTS` (text, language, skeleton, document).
        signals: rows about texts, as `score_texts` makes them.
        settings: see `Settings`.

    Returns:
        Rows with subject_kind account and part period; signals `concern` (bits above the stratum's median, from 0),
        `concern_pooled` (bits), `innocent` (bits of the best innocent role), `concern_cut` (bits), `own_concern` and
        `too_little` (0 or 1), and each behaviour's pooled bits where above 0; `rows` holds up to ten telling interactions,
        strongest first.
    """
    chosen = settings or Settings()
    turns = _turns(interactions, texts, signals, chosen)
    if not len(turns.account):
        return tables.SIGNALS.empty()
    accounts, of = np.unique(turns.account, return_inverse=True)
    pooled, order, _ = _pool(of, turns.key, turns.bits, turns.interaction, len(accounts))
    distinct = _distinct(of, turns.key, len(accounts))
    little = (distinct < LEAST_TURNS) & ~np.isin(accounts, np.array(sorted(chosen.hard), np.int64))
    version, spans = _version(signals), _spans(turns, of, len(accounts))
    innocent = _innocent(turns, signals, of, len(accounts))
    unexplained = np.where(pooled > innocent, pooled, 0.0)
    median, cut = _baseline(_strata(turns, of, distinct, len(accounts)), unexplained, distinct)
    own = (unexplained > cut) & (unexplained >= FLOOR) & ~little
    telling = _telling(of, order, turns, len(accounts))
    values = {
        "concern": np.maximum(0.0, unexplained - median),
        "concern_pooled": pooled,
        "concern_cut": np.maximum(cut, FLOOR),
        "innocent": innocent,
        "own_concern": own.astype(np.float64),
        "too_little": little.astype(np.float64),
    }
    parts = [_rows(accounts, name, value, spans, telling, version) for name, value in values.items()]
    return pa.concat_tables([*parts, *_by_behaviour(turns, accounts, of, spans, version)])


def contributions(interactions: pa.Table, texts: pa.Table, signals: pa.Table, *, settings: Settings | None = None) -> pa.Table:
    """What each text of each account adds: bits x weight, summed over an account, is its pooled evidence.

    Returns:
        `CONTRIBUTIONS`: one row per account and text with bits above 0, strongest first within an account; `skeleton` is
        what repeats are counted by (skeleton, pasted document or the text itself), `weight` holds repeats and rank,
        `interaction` is the strongest. A text or skeleton that stands under several accounts is the same evidence.
    """
    turns = _turns(interactions, texts, signals, settings or Settings())
    if not len(turns.account):
        return CONTRIBUTIONS.empty_table()
    accounts, of = np.unique(turns.account, return_inverse=True)
    _, order, weight = _pool(of, turns.key, turns.bits, turns.interaction, len(accounts))
    order, weight = order[turns.bits[order] > 0], weight[turns.bits[order] > 0]
    pair = np.stack([of[order], turns.text[order]])
    _, first, group = np.unique(pair, axis=1, return_index=True, return_inverse=True)
    total = np.bincount(group.ravel(), weights=weight, minlength=len(first))
    back = np.argsort(first)
    rows = order[first[back]]
    columns = [
        turns.account[rows], turns.text[rows], turns.key[rows], pa.array(turns.behaviour[rows].tolist(), pa.string()),
        turns.bits[rows], total[back], turns.interaction[rows],
    ]  # fmt: skip
    return pa.table([pa.array(c) if not isinstance(c, pa.Array) else c for c in columns], schema=CONTRIBUTIONS)


def telling(texts: pa.Table, signals: pa.Table, *, settings: Settings | None = None) -> pa.Table:
    """What each scored text says by itself: its evidence where that is more than the best innocent role's bits, else 0.

    Args:
        texts: rows of `tables.TEXTS` (text, language, skeleton, document).
        signals: rows about texts, as `score_texts` makes them.
        settings: see `Settings`; the period is not looked at.

    Returns:
        `TELLS`: one row per scored text; `key` is what repeats are counted by (its skeleton, or the text itself), `acts` its
        evidence whatever explains it, `works` the bits of each innocent role, from 0; both at most `TURN_CAP`.
    """
    about = signals.filter(pc.equal(signals["subject_kind"], "text"))
    scored = np.unique(_ints(about.filter(pc.equal(about["signal"], "scored"))["subject"]))
    chosen, described = settings or Settings(), _Described(texts)
    evidence, silent = _evidence(about, described, chosen)
    bits = np.clip(_strength(about, scored, described, evidence, silent, chosen), 0.0, TURN_CAP)
    works = _works(about, scored)
    told = np.where(bits > works.max(1, initial=0.0), bits, 0.0)
    columns = scored, described.key(scored, np.zeros(len(scored), bool)), told, bits, np.minimum(works, TURN_CAP).tolist()
    return pa.table([pa.array(c, field.type) for c, field in zip(columns, TELLS, strict=True)], schema=TELLS)


def _works(about: pa.Table, scored: Ints) -> Floats:
    """Bits of each scored text for each innocent role, from 0 (texts, roles)."""
    rows = about.filter(pc.starts_with(about["signal"], ROLE))
    names, role = np.unique(_strings(rows["signal"]).astype(str), return_inverse=True)
    works: Floats = np.zeros((len(scored), len(names)))
    np.maximum.at(works, (np.searchsorted(scored, _ints(rows["subject"])), role), rows["value"].to_numpy())
    return works


def _refused(used: pa.Table, texts: pa.Table) -> npt.NDArray[np.bool_]:
    """Which interactions were refused or blocked, by the provider's fields or, where these say nothing, by the answer."""
    refusals = texts.filter(pc.is_in(texts["outcome"], value_set=pa.array(REFUSALS)))["text"]
    logged = pc.fill_null(pc.is_in(used["outcome"], value_set=pa.array(REFUSALS)), False)
    partly = pc.fill_null(pc.equal(used["outcome"], "partly"), False)
    said = pc.fill_null(pc.is_in(used["output"], value_set=refusals.combine_chunks()), False)
    out: npt.NDArray[np.bool_] = pc.or_(logged, pc.and_not(said, partly)).to_numpy(zero_copy_only=False)
    return out


@dataclass(frozen=True)
class _Turns:
    """Every scored turn of an account, one row each; arrays of one length.

    `key` is what repeats are counted by; `bits` the evidence of the text (0 if none), capped; `evidence` all counted
    behaviours of the texts, by text.
    """

    account: Ints
    interaction: Ints
    text: Ints
    key: Ints
    bits: Floats
    behaviour: npt.NDArray[np.object_]
    language: npt.NDArray[np.object_]
    channel: npt.NDArray[np.object_]
    tenant: Ints
    time: Ints
    evidence: _Evidence


@dataclass(frozen=True)
class _Evidence:
    """Behaviours with bits above 0 that count, sorted by text and then from the strongest."""

    text: Ints
    behaviour: npt.NDArray[np.object_]
    bits: Floats
    document: npt.NDArray[np.bool_]


def _turns(interactions: pa.Table, texts: pa.Table, signals: pa.Table, settings: Settings) -> _Turns:
    about = signals.filter(pc.equal(signals["subject_kind"], "text"))
    scored = np.unique(_ints(about.filter(pc.equal(about["signal"], "scored"))["subject"]))
    used = interactions.filter(pc.and_(pc.is_valid(interactions["account"]), pc.is_valid(interactions["prompt"])))
    if settings.period is not None:
        first, last = (pa.scalar(moment, pa.timestamp("us", "UTC")) for moment in settings.period)
        used = used.filter(pc.and_(pc.greater_equal(used["time"], first), pc.less(used["time"], last)))
    used = used.filter(pc.is_in(used["prompt"], value_set=pa.array(scored, pa.int64())))
    described = _Described(texts)
    evidence, silent = _evidence(about, described, settings)
    strength = _strength(about, scored, described, evidence, silent, settings)
    text = _ints(used["prompt"])
    place = np.searchsorted(scored, text)
    bits = np.clip(strength[place], 0.0, TURN_CAP)
    tells = (bits > 0.0) & (bits > _works(about, scored).max(1, initial=0.0)[place])
    bits = np.where(tells & _refused(used, texts), np.minimum(bits + REFUSED, TURN_CAP), bits)
    place = _find(evidence.text, text)
    found = (place >= 0) & (bits > 0.0)
    behaviour, in_document = np.where(bits > 0.0, OPERATOR, "").astype(object), np.zeros(len(text), bool)
    behaviour[found] = evidence.behaviour[place[found]]
    in_document[found] = evidence.document[place[found]]
    return _Turns(
        account=_ints(used["account"]),
        interaction=_ints(used["id"]),
        text=text,
        key=described.key(text, in_document),
        bits=bits,
        behaviour=behaviour,
        language=described.language(text),
        channel=_strings(used["channel"]),
        tenant=_ints(used["tenant"], 0),
        time=_ints(used["time"].cast(pa.int64()), np.iinfo(np.int64).min),
        evidence=evidence,
    )


class _Described:
    """The columns of `texts` that are looked up by text id."""

    def __init__(self, texts: pa.Table) -> None:
        ids = _ints(texts["text"])
        order = np.argsort(ids, kind="stable")
        self._ids = ids[order]
        self._language = _strings(texts["language"])[order]
        self._skeleton = _ints(texts["skeleton"], -1)[order]
        self._document = _ints(texts["document"], -1)[order]

    def language(self, text: Ints) -> npt.NDArray[np.object_]:
        """Language of each text; `und` where it is not described."""
        place = _find(self._ids, text)
        out = np.full(len(text), "und", object)
        out[place >= 0] = self._language[place[place >= 0]]
        return out

    def key(self, text: Ints, in_document: npt.NDArray[np.bool_]) -> Ints:
        """The document where it holds the evidence, else the skeleton, else the text itself."""
        place = _find(self._ids, text)
        known = place >= 0
        out = text.copy()
        for values, wanted in ((self._skeleton, ~in_document), (self._document, in_document)):
            use = known & wanted
            use[use] = values[place[use]] >= 0
            out[use] = values[place[use]]
        return out


def _evidence(about: pa.Table, described: _Described, settings: Settings) -> tuple[_Evidence, Ints]:
    """The behaviours that count: above 0, told from look-alikes in that language, judged where they need a judge; and the
    texts whose instruction shows none of these but another.

    What was pasted does not say who acts: a newsroom pastes the same paper as its author. So only the instruction speaks,
    until a judge or person has read the document.
    """
    voice = about.filter(pc.and_(pc.equal(about["signal"], "voice"), pc.equal(about["part"], "instruction")))
    performers = _ints(voice.filter(pc.greater(voice["value"], 0.0))["subject"])
    names = about["signal"]
    read = pc.or_(pc.is_in(names, value_set=pa.array(_NOT_BEHAVIOURS)), pc.starts_with(names, ROLE))
    rows = about.filter(pc.and_(pc.invert(read), pc.greater(about["value"], 0.0)))
    text, behaviour, bits = _ints(rows["subject"]), _strings(rows["signal"]), rows["value"].to_numpy()
    document = np.array(_strings(rows["part"]) == "document", bool)
    pairs = list(zip(behaviour.tolist(), described.language(text).tolist(), strict=True))
    counts = _counts(about, settings)
    answer = {pair: counts(*pair) for pair in set(pairs)}
    keep = np.array([answer[pair] for pair in pairs], bool)
    judged = np.isin(text, np.array(sorted(settings.judged), np.int64))
    careful = np.isin(behaviour.astype(str), sorted(NEEDS_JUDGE))
    keep &= judged | np.where(document, False, ~careful | np.isin(text, performers))
    order = np.lexsort((behaviour[keep].astype(str), -bits[keep], text[keep]))
    found = _Evidence(text[keep][order], behaviour[keep][order], bits[keep][order], document[keep][order])
    return found, np.setdiff1d(text[~keep & ~document], found.text)


def _counts(about: pa.Table, settings: Settings) -> Callable[[str, str], bool]:
    return settings.counts or (_always if _version(about).startswith("fake") else passes_lookalikes)


def _strength(
    about: pa.Table, scored: Ints, described: _Described, evidence: _Evidence, silent: Ints, settings: Settings
) -> Floats:
    """Bits of evidence of each scored text: its instruction's bits for any operator above the base of its language, or those
    of a behaviour on a document that was read. Where nothing was read for operators, the best behaviour's.
    """
    strength: Floats = np.zeros(len(scored))
    rows = about.filter(pc.equal(about["signal"], OPERATOR))
    told = evidence.document if rows.num_rows else np.ones(len(evidence.text), bool)
    np.maximum.at(strength, np.searchsorted(scored, evidence.text[told]), evidence.bits[told])
    if not rows.num_rows:
        return strength
    place = np.searchsorted(scored, _ints(rows["subject"]))
    bits = np.full(len(scored), -np.inf)
    bits[place] = rows["value"].to_numpy()
    language = described.language(scored).astype(str)
    counts = _counts(about, settings)
    base = np.zeros(len(scored))
    if not _version(about).startswith("fake"):
        least = float(shipped_heads().figures["operator"]["base"])
        whole = _drawn_to(bits[place], least)
        for tag in np.unique(language):
            mine = (language == tag) & np.isfinite(bits)
            base[language == tag] = max(least, _drawn_to(bits[mine], whole))
    heard = np.array([counts(OPERATOR, tag) for tag in language.tolist()], bool) & ~np.isin(scored, silent)
    out: Floats = np.maximum(strength, np.where(heard, bits - base, 0.0))
    return out


def _drawn_to(bits: Floats, wider: float) -> float:
    """The quantile of these texts, drawn to a wider one with the weight of `SHRINK` texts."""
    if not len(bits):
        return wider
    return (len(bits) * float(np.quantile(bits, BASE)) + SHRINK * wider) / (len(bits) + SHRINK)


def _always(behaviour: str, language: str) -> bool:
    return True


def _pool(of: Ints, key: Ints, bits: Floats, tie: Ints, groups: int) -> tuple[Floats, Ints, Floats]:
    """Pooled bits of each group; and the turns from the strongest within each group with the weight of each.

    Args:
        of: group of each turn.
        key: what repeats are counted by.
        bits: evidence of each turn, capped.
        tie: breaks ties, so that the result does not depend on the order of rows.
        groups: how many groups there are.
    """
    order: Ints = np.lexsort((tie, -bits, key, of)).astype(np.int64)
    repeat = _rank(of[order], key[order])
    strength: Floats = bits[order] * 0.5 ** np.minimum(repeat, 60)
    again: Ints = np.lexsort((tie[order], -strength, of[order])).astype(np.int64)
    order = order[again]
    rank = _rank(of[order], np.zeros(len(order), np.int64))
    weight = 0.5 ** np.minimum(repeat[again], 60) * DECAY ** np.minimum(rank, 10_000)
    pooled = np.bincount(of[order], weights=bits[order] * weight, minlength=groups).astype(np.float64)
    return pooled, order, weight


def _rank(a: Ints, b: Ints) -> Ints:
    """Place of each row within its run of equal (a, b), from 0; rows are sorted."""
    if not len(a):
        return np.empty(0, np.int64)
    new = np.append(True, (a[1:] != a[:-1]) | (b[1:] != b[:-1]))
    starts = np.flatnonzero(new)
    return np.arange(len(a)) - np.repeat(starts, np.diff(np.append(starts, len(a))))


def _distinct(of: Ints, key: Ints, groups: int) -> Ints:
    """Number of distinct keys in each group."""
    pairs = np.unique(np.stack([of, key]), axis=1)
    return np.bincount(pairs[0], minlength=groups).astype(np.int64)


def _strata(turns: _Turns, of: Ints, distinct: Ints, groups: int) -> list[Ints]:
    """The stratum of each account, from the widest to the narrowest: volume, and language, and channel, and tenant."""
    volume = np.searchsorted(np.array(VOLUMES), distinct, side="right")
    levels, columns = [], [volume.astype(str)]
    for values in (turns.language, turns.channel, turns.tenant.astype(str).astype(object)):
        levels.append(_codes(columns))
        columns.append(_most(of, values, groups))
    return [*levels, _codes(columns)]


def _codes(columns: Sequence[npt.NDArray[Any]]) -> Ints:
    _, codes = np.unique(np.stack([c.astype(str) for c in columns]), axis=1, return_inverse=True)
    return np.asarray(codes, np.int64).ravel()


def _most(of: Ints, values: npt.NDArray[np.object_], groups: int) -> npt.NDArray[np.str_]:
    """The most frequent value of each group, the first in order of value among equals."""
    names, codes = np.unique(values.astype(str), return_inverse=True)
    pairs, count = np.unique(np.stack([of, codes]), axis=1, return_counts=True)
    order = np.lexsort((pairs[1], -count, pairs[0]))
    first = order[np.append(True, pairs[0][order][1:] != pairs[0][order][:-1])]
    out = np.full(groups, names[0] if len(names) else "", names.dtype)
    out[pairs[0][first]] = names[pairs[1][first]]
    return out


def _baseline(levels: Sequence[Ints], pooled: Floats, distinct: Ints) -> tuple[Floats, Floats]:
    """Median and cut for each account, from its strata and the shipped benign accounts.

    A stratum's cut is where a tail of the shipped accounts' shape through its median and its ninth decile leaves 1%: its own
    last hundredth is never looked at, since a few operators would be it. The widest stratum (volume) is drawn to the shipped
    accounts with the weight of `SHRINK_WIDEST` accounts, a narrower one to the next wider with that of `SHRINK`.
    """
    shipped = shipped_accounts()
    volume = np.searchsorted(np.array(VOLUMES), distinct, side="right") - 1
    median, far, tail = (np.array(shipped[name], float)[volume] for name in ("median", "distance", "tail"))
    for n, level in enumerate(levels):
        for stratum in range(int(level.max()) + 1):
            rows = level == stratum
            count = int(rows.sum())
            if count < LEAST_STRATUM:
                continue
            share = count / (count + (SHRINK if n else SHRINK_WIDEST))
            middle, beyond = _tail(pooled[rows], float(tail[rows][0]))
            median[rows] = share * middle + (1 - share) * median[rows]
            if beyond > 0:  # where most have nothing unexplained, that says nothing of the tail
                far[rows] = share * beyond + (1 - share) * far[rows]
    return median, median + far


def _tail(pooled: Floats, shape: float) -> tuple[float, float]:
    """Median of a stratum, and how far beyond it the cut lies; those beyond a first cut are left out of the second."""
    for _ in range(2):
        middle, decile = (float(np.quantile(pooled, q)) for q in (0.5, 0.9))
        beyond = shape * (decile - middle)
        if beyond > 0:
            pooled = pooled[pooled <= middle + beyond]
    return middle, beyond


@cache
def shipped_accounts() -> dict[str, list[float]]:
    """Benign accounts drawn from our own prompts: median, distance of the 1% cut from it, and shape of the tail, by volume."""
    found: dict[str, list[float]] = json.loads(
        files("backlight.signals").joinpath("baseline", "accounts.json").read_text(encoding="utf-8")
    )
    return found


def benign_accounts(
    turns: Floats, roles: Floats, subjects: Sequence[str], alike: npt.NDArray[np.bool_], *, seed: int = 0, each: int = 1_000
) -> dict[str, list[float]]:
    """Draw benign accounts and pool them as concern does.

    Args:
        turns: held-out evidence of each prompt, from 0.
        roles: its bits for each innocent role, from 0, (n, roles).
        subjects: its subject, empty for a look-alike; an account draws three in five of its turns from two subjects of its own.
        alike: whether it is a look-alike; one turn in fifty is.
        seed: of the draws.
        each: accounts per volume bucket.

    Returns:
        Per bucket of `VOLUMES`, of the unexplained evidence: `median`, `distance` of the 99th percentile from it, and `tail`:
        how many times that of the 90th.
    """
    rng = np.random.default_rng(seed)
    names = sorted(set(subjects) - {""})
    by_subject = [np.flatnonzero(np.array(subjects) == name) for name in names]
    pools = np.flatnonzero(~alike), np.flatnonzero(alike)
    out: dict[str, list[float]] = {"from": [], "median": [], "distance": [], "tail": []}
    furthest = 0.0
    for low, high in zip(VOLUMES, (*VOLUMES[1:], 3_000), strict=True):
        size = np.exp(rng.uniform(np.log(max(low, LEAST_TURNS)), np.log(high), each)).astype(int)
        pooled = np.array([_drawn(rng, turns, roles, by_subject, pools, n) for n in size])
        middle, decile, last = (float(np.quantile(pooled, q)) for q in (0.5, 0.9, 0.99))
        tail = (last - middle) / (decile - middle) if decile > middle else 2.0
        furthest = max(furthest, last - middle)  # nobody is held to less for having written more
        for name, value in zip(out, (low, middle, furthest, tail), strict=True):
            out[name].append(round(value, 4))
    return out


def _drawn(
    rng: np.random.Generator, turns: Floats, roles: Floats, by_subject: Sequence[Ints], pools: tuple[Ints, Ints], size: int
) -> float:
    """Unexplained evidence of one drawn account."""
    kind = rng.random(size)
    own = np.concatenate([by_subject[i] for i in rng.choice(len(by_subject), 2, replace=False)])
    rows = np.where(kind < 0.6, rng.choice(own, size), rng.choice(pools[0], size))
    rows = np.where(kind > 0.98, rng.choice(pools[1], size), rows)
    weight = DECAY ** np.arange(size)
    acts = float(np.sort(np.minimum(turns[rows], TURN_CAP))[::-1] @ weight)
    works = (np.sort(np.minimum(roles[rows], TURN_CAP), axis=0)[::-1] * weight[:, None]).sum(0)
    return acts if acts > works.max(initial=0.0) else 0.0


def _telling(of: Ints, order: Ints, turns: _Turns, groups: int) -> list[list[int]]:
    """Up to `TELLING` interactions of each account, strongest first, one for each key."""
    strong = order[turns.bits[order] > 0]
    pair = np.stack([of[strong], turns.key[strong]])
    strong = strong[np.sort(np.unique(pair, axis=1, return_index=True)[1])] if len(strong) else strong
    strong = strong[_rank(of[strong], np.zeros(len(strong), np.int64)) < TELLING]
    out: list[list[int]] = [[] for _ in range(groups)]
    for group, interaction in zip(of[strong].tolist(), turns.interaction[strong].tolist(), strict=True):
        out[group].append(interaction)
    return out


def _by_behaviour(turns: _Turns, accounts: Ints, of: Ints, spans: tuple[pa.Array, pa.Array], version: str) -> list[pa.Table]:
    """Rows of each behaviour's pooled bits, for the accounts where they are above 0."""
    out = []
    evidence = turns.evidence
    for name in sorted(set(evidence.behaviour.tolist())):
        mine = evidence.behaviour == name
        text, bits = evidence.text[mine], evidence.bits[mine]
        place = _find(text, turns.text)
        rows = np.flatnonzero(place >= 0)
        if not len(rows):
            continue
        part = _Turns(**{f: getattr(turns, f)[rows] for f in _ROW_FIELDS}, evidence=evidence)
        part.bits[:] = np.minimum(bits[place[rows]], TURN_CAP)
        pooled, order, _ = _pool(of[rows], part.key, part.bits, part.interaction, len(accounts))
        telling = _telling(of[rows], order, part, len(accounts))
        keep = np.flatnonzero(pooled > 0)
        some = tuple(span.take(pa.array(keep)) for span in spans)
        out.append(_rows(accounts[keep], name, pooled[keep], (some[0], some[1]), [telling[i] for i in keep], version))
    return out


def _innocent(turns: _Turns, signals: pa.Table, of: Ints, groups: int) -> Floats:
    """The best innocent role's pooled bits of each account. Which role it is stays unsaid: no command may list who writes
    like a newsroom. Whoever joins the scores of texts with the turns still can.
    """
    rows = signals.filter(pc.and_(pc.equal(signals["subject_kind"], "text"), pc.starts_with(signals["signal"], ROLE)))
    name, best = _strings(rows["signal"]), np.zeros(groups)
    subject, value = _ints(rows["subject"]), rows["value"].to_numpy()
    for role in sorted(set(name.tolist())):
        mine = np.flatnonzero(name == role)
        mine = mine[np.argsort(subject[mine], kind="stable")]
        place = _find(subject[mine], turns.text)
        bits = np.where(place >= 0, np.clip(value[mine][place], 0.0, TURN_CAP), 0.0)
        best = np.maximum(best, _pool(of, turns.key, bits, turns.interaction, groups)[0])
    return best


_ROW_FIELDS = ("account", "interaction", "text", "key", "bits", "behaviour", "language", "channel", "tenant", "time")


def _spans(turns: _Turns, of: Ints, groups: int) -> tuple[pa.Array, pa.Array]:
    """First and last dated turn of each account; null where none is dated."""
    none = np.iinfo(np.int64).min
    first, last = np.full(groups, np.iinfo(np.int64).max), np.full(groups, none)
    dated = turns.time != none
    np.minimum.at(first, of[dated], turns.time[dated])
    np.maximum.at(last, of[dated], turns.time[dated])
    empty = last == none
    kind = tables.SIGNALS.arrow.field("first").type
    return pa.array(first, mask=empty).cast(kind), pa.array(last, mask=empty).cast(kind)


def _rows(
    accounts: Ints,
    name: str,
    values: Floats,
    spans: tuple[pa.Array, pa.Array],
    telling: Sequence[Collection[int]],
    version: str,
) -> pa.Table:
    count = len(accounts)
    columns = {
        "subject_kind": pa.repeat(pa.scalar("account"), count),
        "subject": pa.array(accounts, pa.int64()),
        "part": pa.repeat(pa.scalar("period"), count),
        "signal": pa.repeat(pa.scalar(name), count),
        "value": pa.array(values, pa.float64()),
        "first": spans[0],
        "last": spans[1],
        "rows": pa.array([list(rows) for rows in telling], pa.list_(pa.int64())),
        "version": pa.repeat(pa.scalar(version), count),
    }
    return pa.table(columns, schema=tables.SIGNALS.arrow)


def _version(signals: pa.Table) -> str:
    """Versions of the scorers behind the signals, in order."""
    return ",".join(sorted(v for v in pc.unique(signals["version"]).to_pylist() if v))


def _find(where: Ints, what: Ints) -> Ints:
    """First place of each value in a sorted array; -1 where it is not."""
    place = np.searchsorted(where, what)
    place[place == len(where)] = 0
    out: Ints = np.where(where[place] == what, place, -1) if len(where) else np.full(len(what), -1)
    return out


def _ints(column: pa.ChunkedArray, null: int = 0) -> Ints:
    out: Ints = pc.fill_null(column.cast(pa.int64()), null).to_numpy()
    return out


def _strings(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    out: npt.NDArray[np.object_] = pc.fill_null(column.cast(pa.string()), "").to_numpy()
    return out
