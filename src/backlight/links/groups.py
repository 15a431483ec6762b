"""Groups of tied accounts: rings of pairs that two strong families tie, found by Leiden with the constant Potts model.

CPM keeps a set together while its bits per pair exceed the resolution (a quarter of the pair prior), so small rings survive
and are not glued to benign neighbours as modularity does. Layers are never flattened: a pair enters only by two strong
families. Rings that pay or sit apart but do one work are then joined on *what* and hours. Everything is seeded and sorted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import graspologic_native

from backlight.links.weigh import HourBits, Pair, Weighed, Weights, two_strong

Ring = tuple[int, ...]

_TRIALS = 8
_ITERATIONS = 4


@dataclass(frozen=True)
class GroupBits:
    """What ties a group.

    Attributes:
        families: mean over members of each one's best tie, by family.
        contrast: the same in contrast bits.
        best: by member and family, the partner and bits of the best tie.
        explanation: the innocent explanation that most pairs have.
    """

    families: dict[str, float]
    contrast: dict[str, float]
    best: dict[int, dict[str, tuple[int, float]]]
    explanation: str

    @property
    def bits(self) -> float:
        """Tie bits: families summed."""
        return sum(self.families.values())

    def of(self, member: int) -> float:
        """Tie bits of one member: its best tie in each family, summed."""
        return sum(bits for _, bits in self.best.get(member, {}).values())


def group_bits(members: Collection[int], weighed: Mapping[Pair, Weighed]) -> GroupBits:
    """Per family, the mean over members of each one's best tie to another member."""
    inside = sorted(members)
    best: dict[int, dict[str, tuple[int, float]]] = {member: {} for member in inside}
    contrast: dict[int, dict[str, float]] = {member: {} for member in inside}
    said: dict[str, float] = defaultdict(float)
    for n, a in enumerate(inside):
        for b in inside[n + 1 :]:
            pair = weighed.get((a, b))
            if pair is None:
                continue
            said[pair.explanation] += pair.bits
            for one, other in ((a, b), (b, a)):
                for family, bits in pair.families.items():
                    if bits > best[one].get(family, (0, 0.0))[1]:
                        best[one][family] = (other, bits)
                for family, bits in pair.contrast.items():
                    contrast[one][family] = max(contrast[one].get(family, 0.0), bits)
    names = sorted({family for ties in best.values() for family in ties})
    count = max(len(inside), 1)
    return GroupBits(
        {name: sum(best[one].get(name, (0, 0.0))[1] for one in inside) / count for name in names},
        {name: sum(contrast[one].get(name, 0.0) for one in inside) / count for name in names},
        best,
        min(said, key=lambda words: (-said[words], words)) if said else "",
    )


def rings(weighed: Mapping[Pair, Weighed], hours: HourBits, weights: Weights, prior: float, seed: int) -> list[Ring]:
    """Rings of at least two accounts, in order of their smallest member.

    Args:
        weighed: all pairs that share something.
        hours: compares the hours of rings that are to be joined.
        weights: strong bits.
        prior: prior odds against a pair, in bits.
        seed: of Leiden.
    """
    strong = {pair: one.bits for pair, one in weighed.items() if one.strong(weights.strong_bits)}
    found = _communities(strong, prior / 4, seed)
    return _joined(found, weighed, hours, weights, prior / 4)


def cohorts(weighed: Mapping[Pair, Weighed], taken: Iterable[Ring], weights: Weights, seed: int) -> list[Ring]:
    """Looser groups of three or more, outside the rings: whoever one family ties strongly. They are counted, not accused."""
    inside = {member for ring in taken for member in ring}
    edges: dict[Pair, float] = {}
    for pair, one in weighed.items():
        best = max((bits for family, bits in one.families.items() if family != "when"), default=0.0)
        if best >= weights.strong_bits and not inside & set(pair):
            edges[pair] = best
    return [ring for ring in _communities(edges, weights.strong_bits / 2, seed) if len(ring) >= 3]


def _communities(edges: Mapping[Pair, float], resolution: float, seed: int) -> list[Ring]:
    """Leiden with CPM inside each connected component, so that what happens elsewhere moves nobody."""
    found: list[Ring] = []
    for component in _components(edges):
        inside = [(str(a), str(b), edges[a, b]) for a, b in component]
        _, placed = graspologic_native.leiden(
            inside, resolution=resolution, use_modularity=False, seed=seed, trials=_TRIALS, iterations=_ITERATIONS
        )
        members: dict[int, list[int]] = defaultdict(list)
        for node, community in placed.items():
            members[community].append(int(node))
        found += [tuple(sorted(ring)) for ring in members.values() if len(ring) >= 2]
    return sorted(found)


def _components(edges: Iterable[Pair]) -> list[list[Pair]]:
    """Edges of each connected component, sorted."""
    roots = _Union()
    ordered = sorted(edges)
    for a, b in ordered:
        roots.join(a, b)
    parts: dict[int, list[Pair]] = defaultdict(list)
    for a, b in ordered:
        parts[roots.root(a)].append((a, b))
    return [parts[root] for root in sorted(parts)]


def connected(edges: Iterable[Pair]) -> list[Ring]:
    """Connected sets, each sorted, in order of their smallest member."""
    return sorted(tuple(sorted({node for edge in part for node in edge})) for part in _components(edges))


def _joined(
    found: Sequence[Ring], weighed: Mapping[Pair, Weighed], hours: HourBits, weights: Weights, resolution: float
) -> list[Ring]:
    """Join rings that do one work in the same hours.

    Two are one where the mean pair across them has strong bits of *what*, not much less than the pairs inside them, and both
    rings' hours are alike, together above the resolution. The best pair is joined first and counts anew as one ring, so that
    a chain of half-alike rings stays apart.
    """
    rings = {n: list(ring) for n, ring in enumerate(found)}
    home = {member: n for n, ring in rings.items() for member in ring}
    what: dict[tuple[int, int], float] = defaultdict(float)
    for (a, b), pair in weighed.items():
        one, other = home.get(a), home.get(b)
        if one is not None and other is not None:
            what[min(one, other), max(one, other)] += pair.families.get("what", 0.0)
    apart: set[tuple[int, int]] = set()
    while best := _best_join(rings, what, apart, weights.strong_bits):
        one, other = best
        when = hours.between(rings[one], rings[other])
        across = what[one, other] / (len(rings[one]) * len(rings[other]))
        if when < weights.strong_bits or across + when < resolution:
            apart.add(best)
            continue
        _merge(rings, what, apart, one, other)
    return sorted(tuple(sorted(ring)) for ring in rings.values())


_LIKE_INSIDE = 0.6


def _best_join(
    rings: Mapping[int, Sequence[int]], what: Mapping[tuple[int, int], float], apart: Collection[tuple[int, int]], strong: float
) -> tuple[int, int] | None:
    """The two rings whose mean pair across shares most, of those that share nearly as much as the pairs inside them."""
    best: tuple[float, tuple[int, int]] | None = None
    for one, other in what:
        if one == other or (one, other) in apart:
            continue
        across = what[one, other] / (len(rings[one]) * len(rings[other]))
        inside = min(what.get((n, n), 0.0) / (len(rings[n]) * (len(rings[n]) - 1) / 2) for n in (one, other))
        if across >= max(strong, _LIKE_INSIDE * inside) and (best is None or (-across, (one, other)) < best):
            best = (-across, (one, other))
    return best[1] if best else None


def _merge(
    rings: dict[int, list[int]], what: dict[tuple[int, int], float], apart: set[tuple[int, int]], one: int, other: int
) -> None:
    """Put the second ring into the first: members, shared bits inside and across; pairs with it are looked at anew."""
    rings[one] += rings.pop(other)
    for pair in [pair for pair in what if other in pair]:
        bits = what.pop(pair)
        third = pair[0] if pair[1] == other else pair[1]
        third = one if third == other else third
        what[min(one, third), max(one, third)] = what.get((min(one, third), max(one, third)), 0.0) + bits
    apart -= {pair for pair in apart if one in pair or other in pair}


class _Union:
    """Disjoint sets; the smallest member is the root."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, one: int) -> int:
        while (above := self._parent.get(one, one)) != one:
            self._parent[one] = self._parent.get(above, above)
            one = above
        return one

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low


def strong_ties(member: int, others: Iterable[int], weighed: Mapping[Pair, Weighed], least: float) -> list[int]:
    """Those of the others to whom a member is tied in two strong families."""
    found = []
    for other in sorted(others):
        pair = weighed.get((min(member, other), max(member, other)))
        if pair is not None and other != member and two_strong(pair.families, least):
            found.append(other)
    return found
