"""The candidate rule: two keys.

A *group* is a candidate when both keys turn. Key 1: what ties it exceeds the prior odds, by two strong families, one of them
*what* or *wild*. Key 2: what its members write is of concern, beyond chance (q <= 0.05), and enough members have concern of
their own. That is measured twice. Alone, an account has own concern by all that it wrote; capped, shared texts counted once,
the group must beat random groups of the same size and strata. Together, what ties a group shows what the group is for: what it
said in turns that touch such an object (the *work*) must say more of an operator than of the best innocent role, and more of
it must tell than of ordinary texts; a member that said something that tells has own concern. Most turns of a crew are harmless,
and its work is where it is not. A group whose work says more of one innocent role is no candidate, whatever its members wrote
alone. Ties alone find offices and newsrooms as surely as crews; concern alone finds novelists.

A *single account* needs own concern and two hard items of different kinds, from two sessions on two days. Alone, a single
request drowns in the daily work of who made it, as a crew's work does; so its concern too is measured twice: by all that it
wrote, or by the *matter*, what it said in turns that name the things of its hard items, which must say as much more of an
operator as own concern takes, and more than of any one innocent role. Everything short of that is a flag, a cohort, or nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy.stats import binom

from backlight import _explain, _ledger, tables
from backlight.hashing import Hasher
from backlight.links import chance, groups, watches
from backlight.links.turns import PAPERS, Concern, Mass, Said, Turn, two_sessions
from backlight.links.weigh import RARE, Evidence, HourBits, Pair, Weighed, Weights, two_strong
from backlight.signals.concern import FLOOR, REFUSED

if TYPE_CHECKING:
    from backlight.workspace import Workspace

CAP = 6.0
"""Bits that one member can add to a group's concern."""

Q = 0.05
SHARE, LEAST = 0.2, 2
"""Own concern that a group needs: this share of members, and at least so many."""

WORK, LEAST_TELLING = 0.15, 3
"""What a group said together must say so many bits a thing more of an operator than of any one innocent role, and at least so
many distinct things must tell.
"""

DRAWS = 2000
PAPER = 2.0
"""Bits from which a pasted document is an operation's paper."""

POOL_USERS, POOL_SHARE = 5, 0.5
"""A pool is flagged when one group covers this share of at least so many end users."""

_WILD_KINDS = frozenset({"hashtag", "domain", "url", "slogan", "wallet", "handle"})


@dataclass(frozen=True)
class Facts:
    """Everything the rule looks at.

    Attributes:
        weighed: pairs of accounts that share something.
        evidence: holders and rows of shared objects.
        hours: compares hours.
        weights: the stated numbers.
        prior: prior odds against a pair, in bits.
        turns: by account, in order of time.
        concern: by account, from behaviours that count.
        telling: text -> what it says by itself.
        added: by account, what each of its texts adds to its concern: (skeleton, document or text that repeats count by, bits).
        strata: by account.
        entities: prompt -> object -> kind, all that it names, documents included.
        holders: entity or document -> accounts that sent it.
        posted: entity -> platform accounts that posted it, with the time of their first.
        matches: rows of `wild.MATCHES`.
        posts: how many posts there are.
        keys: level key or organisation -> accounts that are a pool themselves, never scored as one person.
        behaviours: id -> what a person reads about it.
        hasher: gives ids.
        seed: of every random choice.
    """

    weighed: Mapping[Pair, Weighed]
    evidence: Evidence
    hours: HourBits
    weights: Weights
    prior: float
    turns: Mapping[int, Sequence[Turn]]
    concern: Mapping[int, Concern]
    telling: Mapping[int, Said]
    added: Mapping[int, Sequence[tuple[int, float]]]
    strata: Mapping[int, tuple[object, ...]]
    entities: Mapping[int, Mapping[int, str]]
    holders: Mapping[int, frozenset[int]]
    posted: Mapping[int, Mapping[int, datetime]]
    matches: pa.Table
    posts: int
    keys: frozenset[int]
    behaviours: Mapping[str, Any]
    hasher: Hasher
    seed: int = 0

    def own(self, account: int) -> bool:
        """Whether an account has own concern; a pool never has."""
        return account not in self.keys and self.concern.get(account, _NONE).own

    def bits(self, account: int) -> float:
        """Its concern in bits, not below 0: harmless turns do not count against anyone."""
        return max(0.0, self.concern.get(account, _NONE).bits)

    def named(self, turn: Turn) -> Mapping[int, str]:
        """Entities and documents of a turn, thing -> kind."""
        return self.entities.get(turn.text, {}) if turn.text is not None else {}

    def told(self, cause: Turn, later: Iterable[Turn]) -> bool:
        """Whether a turn tells of an operator, and no one innocent role explains all that is said of the matter."""
        first = self.telling.get(cause.text) if cause.text is not None else None
        return first is not None and first.bits > 0 and _of_matter((cause, *later), self)[1] > 0

    @cached_property
    def counting(self) -> Mapping[int, list[dict[str, Any]]]:
        """Matches of outputs and posts that count, by account."""
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for row in self.matches.to_pylist():
            if row["verdict"] == "counts":
                found[row["account"]].append(row)
        return dict(found)

    @cached_property
    def ordinary(self) -> float:
        """Share of all scored texts that tell: the chance of one, operators' own included."""
        tell = sum(said.bits > 0 for said in self.telling.values())
        return (tell + 1) / (len(self.telling) + 1)

    @cached_property
    def shared(self) -> Mapping[int, list[tuple[str, int]]]:
        """By account, the objects of *what* and *wild* that it shares with anybody."""
        found: dict[int, list[tuple[str, int]]] = defaultdict(list)
        for account, layer, thing in sorted(self.evidence.rows):
            if tables.LAYERS[layer].family in ("what", "wild"):
                found[account].append((layer, thing))
        return dict(found)

    @cached_property
    def partners(self) -> Mapping[int, set[int]]:
        """Accounts with which each shares anything."""
        found: dict[int, set[int]] = defaultdict(set)
        for a, b in self.weighed:
            found[a].add(b)
            found[b].add(a)
        return dict(found)

    @cached_property
    def turn(self) -> Mapping[int, Turn]:
        """Turns by id."""
        return {turn.id: turn for own in self.turns.values() for turn in own}


_NONE = Concern()


@dataclass(frozen=True)
class Work:
    """What a group does together: the turns of its members that touch an object which ties it and is rare outside it.

    Attributes:
        said: how many distinct things they said there; repeats of a skeleton are one.
        bits: those that tell -> bits; at least half of the texts of one skeleton must.
        by: member -> of these, what it said.
        turns: their turns, strongest first.
        acts: bits that all of it says for an operator, each thing once.
        works: bits that it says for the innocent role that explains most of it.
        p: chance of so many among ordinary texts (binomial).
        refused: whether one that tells was refused; looked at for the matter of a single account only.
    """

    said: int = 0
    bits: Mapping[int, float] = field(default_factory=dict)
    by: Mapping[int, frozenset[int]] = field(default_factory=dict)
    turns: tuple[Turn, ...] = ()
    acts: float = 0.0
    works: float = 0.0
    p: float = 1.0
    refused: bool = False

    @property
    def net(self) -> float:
        """Bits a thing that it says more for an operator than for any one innocent role."""
        return (self.acts - self.works) / max(self.said, 1)

    @property
    def figures(self) -> dict[str, float]:
        """As documents print it."""
        return {"said": self.said, "tell": len(self.bits), "bits_a_thing": round(self.net, 2)}

    @property
    def tells(self) -> bool:
        """Whether it tells of an operator."""
        return len(self.bits) >= LEAST_TELLING and self.net >= WORK

    @property
    def explained(self) -> bool:
        """Whether one innocent role explains more of it than an operator does: then nobody is accused for being part of it."""
        return self.said > 0 and self.net < 0


@dataclass(frozen=True)
class Find:
    """A group or account and how it stands before the keys.

    Attributes:
        members: everybody in the ring.
        core: own concern and tied to another with own concern (a single account is its own core).
        associated: no own concern, tied to two core members in two strong families.
        ties: what ties it.
        contributions: bits of concern that each member adds by all that it wrote, shared texts counted once.
        work: what they do together.
        own: members with own concern, alone or by the work.
        p: chance of so much concern in a random group of the same size and strata, or of such work among ordinary texts, the
            smaller of the two times two.
        q: Benjamini-Hochberg over all groups that were tested.
        rank: place of its concern among linked groups, from 1; and how many they are.
        items: hard items of a single account.
        watches: watches of its members.
        key1, key2: whether they turned.
    """

    members: tuple[int, ...]
    core: tuple[int, ...]
    associated: tuple[int, ...]
    ties: groups.GroupBits
    contributions: Mapping[int, float]
    work: Work = field(default_factory=Work)
    own: tuple[int, ...] = ()
    p: float = 1.0
    q: float = 1.0
    rank: tuple[int, int] = (1, 1)
    items: tuple[Item, ...] = ()
    watches: tuple[watches.Watch, ...] = ()
    key1: bool = False
    key2: bool = False

    @property
    def concern(self) -> float:
        """The group's concern in bits: what its members wrote alone, or the work where that says more."""
        alone = sum(self.contributions.values())
        return max(alone, sum(self.work.bits.values())) if self.work.tells else alone


@dataclass(frozen=True)
class Item:
    """One hard item of an account: watch, paper or wild; the turn that shows it, and the things that make it one."""

    kind: str
    turn: Turn
    statement: str
    reason: str
    things: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Flag:
    """Something for a person to look at."""

    account: int
    reason: str
    turns: tuple[Turn, ...]
    behaviours: tuple[str, ...] = ()
    level: str = "account"


@dataclass(frozen=True)
class Proposal:
    """What the machine proposes, before the ledger gives it ids.

    Attributes:
        candidates: finds with both keys, strongest first, as ledger entries without id.
        cohorts: linked groups without concern.
        flags: for people to look at.
        watches: all watches.
        finds: every linked group that was tested, for display.
    """

    candidates: tuple[_ledger.Entry, ...]
    cohorts: tuple[_ledger.Entry, ...]
    flags: tuple[Flag, ...]
    watches: tuple[watches.Watch, ...]
    finds: tuple[Find, ...] = field(default=(), repr=False)


def propose(facts: Facts) -> Proposal:
    """Apply the rule.

    Args:
        facts: see `Facts`.
    """
    rings = groups.rings(facts.weighed, facts.hours, facts.weights, facts.prior, facts.seed)
    rare = _Rare(facts, rings)
    set_ = watches.watches(
        facts.turns, rare.of_turn, facts.named, rare.linked, facts.hasher, weak_from=CAP / 2, told=facts.told
    )
    finds = _tested([_find(ring, facts) for ring in rings], facts)
    cleared = {member: find for find in finds if find.key1 and find.work.explained for member in find.members}
    inside = {member for find in finds if find.key1 and find.key2 for member in (*find.core, *find.associated)}
    listening: dict[int, list[watches.Watch]] = defaultdict(list)
    for watch in set_:
        for account in (watch.account, *rare.linked(watch.account)):
            listening[account].append(watch)
    items = {account: found for account in sorted(facts.turns) if (found := _items(account, facts, rare, listening[account]))}
    singles = [
        find
        for account, found in items.items()
        if account not in inside and (find := _single(account, found, cleared.get(account), facts)) is not None
    ]
    accused = [_watched(find, set_) for find in [*(find for find in finds if find.key1 and find.key2), *singles]]
    named = {member for find in accused for member in find.core}
    entries = tuple(_entry(find, facts) for find in sorted(accused, key=lambda find: (-_strength(find), find.members)))
    looser = groups.cohorts(facts.weighed, rings, facts.weights, facts.seed)
    quiet = [find for find in finds if not (find.key1 and find.key2)]
    together = (*(_linked(find, facts) for find in quiet), *(_cohort(ring, facts) for ring in looser))
    flags = [*_flags(items, named, facts), *_of_groups(quiet, named, facts), *_pools(finds, facts)]
    return Proposal(entries, together, tuple(_once(flags)), tuple(set_), tuple(finds))


def _strength(find: Find) -> float:
    return find.ties.bits + find.concern


# --- groups ------------------------------------------------------------------------------------------------------


def _find(ring: tuple[int, ...], facts: Facts) -> Find:
    """A ring with its core, its associated members (some from outside the ring) and what ties it."""
    least = facts.weights.strong_bits
    work = _work(ring, facts)
    own = {member for member in ring if facts.own(member) or (work.tells and member in work.by)}
    core = {member for member in own if _tied(member, own, facts)}
    near = set(ring).union(*(facts.partners.get(member, ()) for member in core))
    associated = [
        member
        for member in sorted(near - core)
        if member not in own and not facts.own(member) and len(groups.strong_ties(member, core, facts.weighed, least)) >= 2
    ]
    ties = groups.group_bits(ring, facts.weighed)
    return Find(
        ring, tuple(sorted(core)), tuple(associated), ties, _contributions(ring, facts), work, tuple(sorted(own)),
        key1=_key1(ties, facts),
    )  # fmt: skip


def _work(ring: Sequence[int], facts: Facts) -> Work:
    """What the members of a ring say in turns that touch what they share."""
    inside = frozenset(ring) - facts.keys
    turns: dict[int, Turn] = {}
    for member in sorted(inside):
        for layer, thing in facts.shared.get(member, ()):
            holders = facts.evidence.holders[layer, thing]
            if len(holders & inside) >= 2 and len(holders - inside) < RARE:
                rows = facts.evidence.rows[member, layer, thing]
                turns |= {row: facts.turn[row] for row in rows if row in facts.turn}
    return _heard(turns, facts)


def _heard(turns: Mapping[int, Turn], facts: Facts) -> Work:
    """What these turns say, each distinct thing once."""
    heard: dict[int, list[Said]] = defaultdict(list)
    for text in sorted({turn.text for turn in turns.values() if turn.text is not None}):
        if text in facts.telling:
            heard[facts.telling[text].key].append(facts.telling[text])
    if not heard:
        return Work()
    tell = {key: max(one.bits for one in said) for key, said in sorted(heard.items()) if _tells(said)}
    spoken: dict[int, set[int]] = defaultdict(set)
    strongest: dict[int, tuple[float, Turn]] = {}
    for _, turn in sorted(turns.items()):
        one = facts.telling.get(turn.text) if turn.text is not None else None
        if one is not None and one.bits > 0 and one.key in tell:
            spoken[turn.account].add(one.key)
            if one.bits > strongest.get(one.key, (0.0, turn))[0]:
                strongest[one.key] = one.bits, turn
    by = {member: frozenset(keys) for member, keys in spoken.items()}
    read = tuple(turn for _, turn in sorted(strongest.values(), key=lambda one: (-one[0], one[1].id)))
    p = float(binom.sf(len(tell) - 1, len(heard), facts.ordinary))
    return Work(len(heard), tell, by, read, *_for_and_against(list(heard.values())), p)


def _tells(said: Sequence[Said]) -> bool:
    """Whether at least half of the texts of one skeleton tell."""
    return 2 * sum(one.bits > 0 for one in said) >= len(said)


def _for_and_against(things: Sequence[Sequence[Said]]) -> tuple[float, float]:
    """Bits of things (each the mean of its texts) for an operator, and for the one role that explains most of them."""
    acts = sum(sum(one.acts for one in said) / len(said) for said in things)
    works = [sum(role) for role in zip(*(_mean([one.works for one in said]) for said in things), strict=True)]
    return acts, max(works, default=0.0)


def _mean(rows: Sequence[Sequence[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _tied(member: int, others: Iterable[int], facts: Facts) -> bool:
    """Whether one family ties a member strongly to one of the others."""
    for other in others:
        pair = facts.weighed.get((min(member, other), max(member, other)))
        if other != member and pair is not None and max(pair.families.values(), default=0.0) >= facts.weights.strong_bits:
            return True
    return False


def _key1(ties: groups.GroupBits, facts: Facts) -> bool:
    """Tie bits over the prior odds, two strong families, one of them what or wild, hours neither."""
    return ties.bits > facts.prior and two_strong(ties.families, facts.weights.strong_bits)


def _contributions(members: Sequence[int], facts: Facts) -> dict[int, float]:
    """Each member's capped concern, less what rests on texts that another member already brought.

    A member's concern is split over its texts in proportion to how strongly they tell. A text or skeleton that several
    members sent counts for the one in whom it is strongest.
    """
    claimed: dict[int, tuple[float, int]] = {}
    for member in sorted(members):
        for key, bits in facts.added.get(member, ()):
            if bits > claimed.get(key, (0.0, 0))[0]:
                claimed[key] = (bits, member)
    found = {}
    for member in sorted(members):
        own = facts.added.get(member, ())
        total = sum(bits for _, bits in own)
        kept = sum(bits for key, bits in own if claimed[key][1] == member)
        found[member] = min(CAP, facts.bits(member)) * (kept / total if total else 1.0)
    return found


def _tested(finds: Sequence[Find], facts: Facts) -> list[Find]:
    """Set p, q, rank and key 2 of each group.

    The tests are the groups whose ties turned key 1: that does not look at concern, so it biases no p (independent filtering,
    Bourgon, Gentleman and Huber 2010). Others keep q = 1.
    """
    if not finds:
        return []
    draw = _Draws(facts)
    p = np.array([min(1.0, 2 * min(draw.p(find), find.work.p if find.work.tells else 1.0)) for find in finds])
    tried = np.array([find.key1 for find in finds])
    q = np.ones(len(finds))
    q[tried] = chance.benjamini_hochberg(p[tried], int(tried.sum()))
    order = sorted(range(len(finds)), key=lambda n: (-finds[n].concern / len(finds[n].members), n))
    place = {n: rank for rank, n in enumerate(order, 1)}
    tested = []
    for n, find in enumerate(finds):
        needed = max(LEAST, math.ceil(SHARE * len(find.members)))
        enough = len(find.own) >= needed and len(find.core) >= LEAST
        rank = (place[n], len(finds))
        tested.append(
            replace(find, p=float(p[n]), q=float(q[n]), rank=rank, key2=enough and bool(q[n] <= Q) and not find.work.explained)
        )
    return tested


class _Draws:
    """Random groups of the same size and strata."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._all = np.array([account for account in sorted(facts.turns) if account not in facts.keys], np.int64)
        self._bits = np.array([min(CAP, facts.bits(int(account))) for account in self._all])
        self._strata: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for n, account in enumerate(self._all):
            self._strata[facts.strata.get(int(account), ())].append(n)

    def p(self, find: Find) -> float:
        """Share of random groups with at least this concern, the group's own members left out; one added."""
        inside = set(find.members)
        rng = np.random.default_rng([self._facts.seed, *(member & 0xFFFFFFFF for member in find.members)])
        alone, total = sum(find.contributions.values()), np.zeros(DRAWS)
        for member in find.members:
            others = self._like(member, inside)
            if not len(others):
                return 1.0
            total += self._bits[rng.choice(others, DRAWS)]
        return float((1 + (total >= alone - 1e-9).sum()) / (1 + DRAWS))

    def _like(self, member: int, inside: set[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Accounts of the member's stratum, or all where fewer than five others are of it."""
        stratum = self._facts.strata.get(member, ())
        near = [n for n in self._strata[stratum] if int(self._all[n]) not in inside]
        if len(near) < 5:
            near = [n for n in range(len(self._all)) if int(self._all[n]) not in inside]
        return np.array(near, np.int64)


# --- single accounts ---------------------------------------------------------------------------------------------


class _Rare:
    """Rare entities and documents, counted outside an account's own group."""

    def __init__(self, facts: Facts, rings: Sequence[tuple[int, ...]]) -> None:
        self._facts = facts
        self._ring = {member: ring for ring in rings for member in ring}

    def linked(self, account: int) -> tuple[int, ...]:
        """The other members of its ring."""
        return tuple(other for other in self._ring.get(account, ()) if other != account)

    def outside(self, thing: int, account: int) -> int:
        """Accounts that hold a thing outside the account's group."""
        return len(self._facts.holders.get(thing, frozenset()) - {account, *self._ring.get(account, ())})

    def of_turn(self, turn: Turn) -> dict[int, str]:
        """What a turn names that is rare among accounts, and was not public already when it was named."""
        return {thing: kind for thing, kind in self._facts.named(turn).items() if self._is_rare(thing, turn)}

    def _is_rare(self, thing: int, turn: Turn) -> bool:
        if self.outside(thing, turn.account) >= RARE:
            return False
        before = self._facts.posted.get(thing, {}).values()
        return turn.time is None or sum(when < turn.time for when in before) < RARE

    def public(self, turn: Turn) -> dict[int, str]:
        """Rare things of a turn that two or more platform accounts posted, and no crowd did."""
        return {
            thing: kind
            for thing, kind in self._facts.named(turn).items()
            if kind in _WILD_KINDS
            and 2 <= len(self._facts.posted.get(thing, {})) <= 50
            and self.outside(thing, turn.account) < RARE
        }


def _items(account: int, facts: Facts, rare: _Rare, listening: Sequence[watches.Watch]) -> list[Item]:
    """Hard items of an account, by time; `listening` are its own watches and those of accounts linked to it."""
    if account in facts.keys:
        return []
    found: list[Item] = []
    for watch in listening:
        found += _fired(watch, account, facts)
    told = {thing for turn in facts.turns[account] if turn.tells or turn.refused for thing in rare.public(turn)}
    for turn in facts.turns[account]:
        if turn.paper >= PAPER and turn.runs_it:
            words = "pasted an operation's internal paper, in the operator's voice"
            pasted = frozenset() if turn.document is None else frozenset({turn.document})
            found.append(Item("paper", turn, words, "operation_paper", pasted))
        # A name counts where a turn that tells, or was refused, named it; harmless turns name much that is in posts.
        if things := {thing: kind for thing, kind in rare.public(turn).items() if thing in told}:
            reached = {author for thing in things for author in facts.posted[thing]}
            kinds = ", ".join(sorted(set(things.values())))
            words = f"named a rare {kinds} that stands in posts of {len(reached)} platform accounts"
            found.append(Item("wild", turn, words, "rare_entity", frozenset(things)))
    by_turn: dict[int, set[int]] = defaultdict(set)
    for match in facts.counting.get(account, ()):
        by_turn[match["interaction"]].add(match["author"])
    everyone = {author for authors in by_turn.values() for author in authors}
    for row in sorted(by_turn):
        if row in facts.turn and len(everyone) >= 2:
            words = f"got an output that stands in posts; {len(everyone)} platform accounts posted its outputs"
            found.append(Item("wild", facts.turn[row], words, "wild_output"))
    return sorted(found, key=lambda item: (item.turn.time or _LONG_AGO, item.turn.id, item.kind))


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _fired(watch: watches.Watch, account: int, facts: Facts) -> Iterator[Item]:
    """Items from a watch that a refusal set: a weak watch, or a variant of a name alone, makes no hard item."""
    for turn in watch.fired:
        if turn.account == account and not watch.weak:
            variant = turn.id in watch.variant
            kind, reason = ("variant", "name_variant") if variant else ("watch", "watch")
            voice = "in the operator's voice" if turn.runs_it else "plainly; the refused request told of an operator"
            named = watch.objects.keys() & facts.named(turn).keys()
            yield Item(kind, turn, f"came back after a refusal with what it named, {voice}", reason, frozenset(named))


def _single(account: int, items: Sequence[Item], cleared: Find | None, facts: Facts) -> Find | None:
    """A single account with own concern, by all that it wrote or by the matter, and two hard items of different kinds from two
    sessions on two days.

    Things that it shares with a group whose work an innocent role explains make no item.
    """
    hard = [item for item in items if item.kind != "variant" and not _explained(item, cleared, facts)]
    matter, bits = _matter(account, hard, facts)
    if not facts.own(account) and bits < FLOOR:
        return None
    chosen = next(
        (
            (one, other)
            for n, one in enumerate(hard)
            for other in hard[n + 1 :]
            if one.kind != other.kind and two_sessions(one.turn, other.turn)
        ),
        None,
    )
    if chosen is None:
        return None
    kinds = {item.kind: item for item in reversed(hard)} | {item.kind: item for item in chosen}
    ties = groups.GroupBits({}, {}, {account: {}}, "")
    shown = tuple(sorted(kinds.values(), key=lambda item: (item.turn.time or _LONG_AGO, item.turn.id)))
    adds = {account: min(CAP, max(facts.bits(account), bits))}
    return Find((account,), (account,), (), ties, adds, matter, own=(account,), items=shown, key1=True, key2=True)


def _matter(account: int, hard: Sequence[Item], facts: Facts) -> tuple[Work, float]:
    """What an account says in turns that name the things of its hard items, and its bits for an operator."""
    things = frozenset[int]().union(*(item.things for item in hard))
    return _of_matter([turn for turn in facts.turns.get(account, ()) if things & facts.named(turn).keys()], facts)


def _of_matter(turns: Iterable[Turn], facts: Facts) -> tuple[Work, float]:
    """What turns about one matter say, and their bits for an operator, `REFUSED` more where one that tells was refused; 0 where
    none tells or one innocent role explains as much.
    """
    about = list(turns)
    matter = _heard({turn.id: turn for turn in about}, facts)
    said = {turn.text: facts.telling.get(turn.text) for turn in about if turn.refused and turn.text is not None}
    refused = any(one is not None and one.bits > 0 and one.key in matter.bits for one in said.values())
    matter = replace(matter, refused=refused)
    bits = matter.acts + (REFUSED if refused else 0.0)
    return matter, bits if matter.bits and bits > matter.works else 0.0


def _explained(item: Item, cleared: Find | None, facts: Facts) -> bool:
    """Whether all that makes it an item is shared with a group whose work an innocent role explains."""
    if cleared is None or not item.things:
        return False
    others = set(cleared.members) - {item.turn.account}
    return all(facts.holders.get(thing, frozenset()) & others for thing in item.things)


def _watched(find: Find, set_: Sequence[watches.Watch]) -> Find:
    own = tuple(watch for watch in set_ if watch.account in find.core and (watch.fired or watch.innocent) and not watch.weak)
    return replace(find, watches=own)


# --- flags -------------------------------------------------------------------------------------------------------


def _flags(items: Mapping[int, Sequence[Item]], named: set[int], facts: Facts) -> Iterator[Flag]:
    """One item alone: a fired watch always, other items where the account has any concern."""
    for account, own in items.items():
        if account in named:
            continue
        for reason in sorted({item.reason for item in own}):
            turns = tuple(item.turn for item in own if item.reason == reason)
            if reason in ("watch", "name_variant", "operation_paper") or facts.bits(account) > 0:
                yield Flag(account, reason, turns, _behaviours(turns, facts, account, paper=reason == "operation_paper"))


def _of_groups(quiet: Iterable[Find], named: set[int], facts: Facts) -> Iterator[Flag]:
    """Members with own concern of a linked group that falls short of a key."""
    for find in quiet:
        for member in find.members:
            if facts.own(member) and member not in named:
                rows = facts.concern[member].rows
                turns = tuple(facts.turn[row] for row in rows if row in facts.turn) or tuple(facts.turns.get(member, ()))[:1]
                yield Flag(member, "own_concern", turns, _behaviours(turns, facts, member))


def _pools(finds: Iterable[Find], facts: Facts) -> Iterator[Flag]:
    """Keys whose end users mostly do one work, of concern: the first action is a message to the owner."""
    sizes = facts.evidence.pool_sizes()
    for find in finds:
        of: dict[int, int] = defaultdict(int)
        for member in find.members:
            if (key := facts.evidence.pool.get(member)) is not None:
                of[key] += 1
        for key, users in sorted(of.items()):
            if sizes[key] >= POOL_USERS and users > POOL_SHARE * sizes[key] and find.key2:
                turns = _strongest(find.members, facts, 6)
                yield Flag(key, "pool", turns, _behaviours(turns, facts), "key")


def _behaviours(turns: Iterable[Turn], facts: Facts, account: int | None = None, *, paper: bool = False) -> tuple[str, ...]:
    found = {name for turn in turns for name in turn.scores}
    if account is not None:
        found |= {name for name, bits in facts.concern.get(account, _NONE).behaviours.items() if bits > 0}
    return tuple(sorted(found | ({"BL-13"} if paper else set())))


def _once(flags: Iterable[Flag]) -> list[Flag]:
    kept: dict[tuple[str, int, str], Flag] = {}
    for flag in flags:
        kept.setdefault((flag.level, flag.account, flag.reason), flag)
    return [kept[key] for key in sorted(kept)]


# --- documents ---------------------------------------------------------------------------------------------------


def _strongest(members: Iterable[int], facts: Facts, most: int) -> tuple[Turn, ...]:
    """The few turns to read: each member's strongest first, then its second, a shared text once."""
    ranked: dict[int, list[Turn]] = {}
    for member in members:
        own = [turn for turn in facts.turns.get(member, ()) if turn.mass > 0]
        ranked[member] = sorted(own, key=lambda turn: (-turn.mass, turn.id))
    chosen: list[Turn] = []
    seen: set[Mass] = set()
    for depth in range(3):
        level = []
        for member in sorted(ranked):
            fresh = [turn for turn in ranked[member] if not seen & set(turn.keys) and turn not in chosen]
            if fresh and depth < 3:
                level.append(fresh[0])
        for turn in sorted(level, key=lambda turn: (-turn.mass, turn.id)):
            if len(chosen) < most and not seen & set(turn.keys):
                chosen.append(turn)
                seen |= set(turn.keys)
    return tuple(chosen)


def _entry(find: Find, facts: Facts) -> _ledger.Entry:
    """The candidate as a ledger entry; its document is that of `candidates --json` but for id and status."""
    together = [turn for turn in find.work.turns if turn.account in find.core] if find.work.tells else []
    first = [*(item.turn for item in find.items), *together[:6]]
    read = tuple(dict.fromkeys([*first, *_strongest(find.core, facts, 8)]))[:10]
    body = _explain.document(find, facts, read)
    kinds = {*body["families"], *(name for member in body["members"] for name in member["behaviours"])}
    kinds |= {f"item:{item.kind}" for item in find.items}
    return _ledger.Entry("", "candidate", "new", find.core, find.associated, evidence=tuple(sorted(kinds)), body=body)


def _linked(find: Find, facts: Facts) -> _ledger.Entry:
    """A linked group that falls short of a key, with what it lacks: a cohort."""
    families = {name: round(bits, 2) for name, bits in sorted(find.ties.families.items())}
    short = [name for name, turned in (("ties", find.key1), ("concern", find.key2)) if not turned]
    body = {
        "size": len(find.members), "families": [name for name, bits in families.items() if bits >= 1.0],
        "family_bits": families, "tie_bits": round(find.ties.bits, 2), "concern": round(find.concern, 2), "q": find.q,
        "own_concern": len(find.own), "work": find.work.figures, "short_of": short,
    }  # fmt: skip
    return _ledger.Entry("", "cohort", "new", find.members, body=body)


def _cohort(ring: tuple[int, ...], facts: Facts) -> _ledger.Entry:
    """Accounts that one family ties: never a candidate, counted."""
    ties = groups.group_bits(ring, facts.weighed)
    families = {name: round(bits, 2) for name, bits in sorted(ties.families.items())}
    body = {
        "size": len(ring), "families": [name for name, bits in families.items() if bits >= 1.0], "family_bits": families,
        "tie_bits": round(ties.bits, 2), "own_concern": sum(facts.own(member) for member in ring), "short_of": ["ties"],
    }  # fmt: skip
    return _ledger.Entry("", "cohort", "new", ring, body=body)


def table(entries: Iterable[_ledger.Entry]) -> pa.Table:
    """Rows of `tables.CANDIDATES`."""
    return tables.CANDIDATES.rows([entry.row() for entry in entries])


def flag_table(flags: Iterable[Flag], hasher: Hasher) -> pa.Table:
    """Rows of `tables.FLAGS`; a flag on a pool carries its key."""
    rows: list[dict[str, object]] = []
    for flag in flags:
        times = [turn.time for turn in flag.turns if turn.time is not None]
        made = hasher.id("flag", f"{flag.level}:{flag.account}:{flag.reason}")
        rows.append(
            {
                "id": f"flag-{made:016x}"[:13], "account": flag.account, "reason": flag.reason,
                "behaviours": list(flag.behaviours), "first": min(times, default=None), "last": max(times, default=None),
                "rows": [turn.id for turn in flag.turns][:10],
            }
        )  # fmt: skip
    return tables.FLAGS.rows(rows)


def dismiss(ws: Workspace, which: str, reason: str, *, when: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Dismiss a candidate: its reason and evidence fingerprint are kept, it returns only on evidence of a new kind.

    Args:
        ws: the workspace, inside `writing`.
        which: id of the candidate.
        reason: why.
        when: gives the time; for tests.

    Raises:
        RequestError: there is no such candidate, or no reason was given; nothing was written.
    """
    entries = _ledger.read(ws.run("ledger", ws.table("candidates")).to_pylist())
    changed = _ledger.dismissed(entries, which, reason, when().isoformat(timespec="seconds"))
    with ws.writing():
        ws.commit({"candidates": table(changed)}, replace=["candidates"], source="dismiss")


__all__ = ["CAP", "PAPERS", "Facts", "Find", "Flag", "Item", "Proposal", "dismiss", "flag_table", "propose", "table"]
