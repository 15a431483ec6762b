"""Weight: how much likelier a tie is for two accounts that act as one than for strangers, and than for innocent colleagues.

*Tie bits* of a shared object are log2(m / f): with P(two strangers both hold it) = f^2 and P(two of one operation share it)
= m f, where f is the share of the others who hold it, the two under test left out (Fellegi and Sunter 1969 with term
frequencies, as Winkler 2000). Rare objects weigh more. Inside a family the strongest object counts whole, further ones a
half, a quarter, ...; objects that only the same turns show (a prompt, its skeleton, the document and the names in it) count
once. Bits are never negative: not sharing an object says nothing.

*Contrast bits* are the same against the best innocent explanation: one place, task, interest, household, tool or reseller,
workplace. What the explanation covers is as common as among the other actors whom it holds for, the pair's own group left
out. They rank and explain; no key opens or closes on them.

m and family weights stand in `weights.yaml`: stated defaults, not fitted.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from backlight import tables
from backlight.errors import RequestError
from backlight.links.actions import Profiles

RARE = 5
"""An entity held by fewer than so many accounts outside the group under test is rare."""

Pair = tuple[int, int]


class Prior(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How rare operators are."""

    accounts_per_operator: float
    partners: float


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Weight of a family's bits and the most it can give to one pair."""

    weight: float
    most: float


class Hours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How hours are compared."""

    events: int
    spread: float
    all_days: float
    profiles: int


class Weights(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers of `weights.yaml`."""

    version: int
    fitted: bool
    prior: Prior
    m: dict[str, float]
    families: dict[str, Family]
    strong_bits: float
    hours: Hours
    innocent: dict[str, Any]

    @property
    def words(self) -> str:
        """What must be printed beside figures that rest on them."""
        return f"weights version {self.version}, {'fitted' if self.fitted else 'not fitted: stated defaults'}"


def pair_prior(prior: Prior, accounts: int) -> float:
    """Prior odds against a pair, in bits: one operator in so many accounts, with so many partners among all accounts."""
    return math.log2(prior.accounts_per_operator * max(accounts, 2) / prior.partners)


def load_weights(path: Path | None = None) -> Weights:
    """The shipped weights, or the user's.

    Raises:
        RequestError: the file does not fit the form.
    """
    source = path if path is not None else files("backlight.links") / "weights.yaml"
    reader = YAML(typ="safe", pure=True)
    try:
        weights = msgspec.convert(reader.load(source.read_text(encoding="utf-8")), Weights)
    except (YAMLError, msgspec.ValidationError) as error:
        raise RequestError(f"{source}: {error}", "the form of the shipped weights.yaml", "Correct the file") from error
    lacking = [name for name in tables.LAYERS if not 0 < weights.m.get(name, 0) <= 1]
    if lacking:
        raise RequestError(f"{source}: m of {', '.join(lacking)} is no probability", "0 < m <= 1 for every layer")
    return weights


@dataclass
class Evidence:
    """Who holds which object, and which rows show it; only for objects that some pair shares.

    Attributes:
        holders: (layer, object) -> accounts.
        rows: (account, layer, object) -> interactions or posts.
        population: layer -> accounts for which it was collected.
        pool: account -> its key, for end users whose key has several.
        kinds: entity -> hashtag, domain, name, ...
        languages: skeleton, prompt, document or entity -> the one language it stands in; those of several are left out.
        speakers: language -> accounts that wrote in it.
    """

    holders: dict[tuple[str, int], frozenset[int]] = field(default_factory=dict)
    rows: dict[tuple[int, str, int], frozenset[int]] = field(default_factory=dict)
    population: dict[str, int] = field(default_factory=dict)
    pool: dict[int, int] = field(default_factory=dict)
    kinds: Mapping[int, str] = field(default_factory=dict)
    languages: Mapping[int, str] = field(default_factory=dict)
    speakers: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def gather(cls, acts: pa.Table, **more: Any) -> Evidence:
        """From actions (those of shared objects are enough); `more` are the other attributes."""
        holders: dict[tuple[str, int], set[int]] = defaultdict(set)
        rows: dict[tuple[int, str, int], set[int]] = defaultdict(set)
        columns = (acts[name].to_pylist() for name in ("actor", "layer", "object", "row"))
        for actor, layer, thing, row in zip(*columns, strict=True):
            holders[layer, thing].add(actor)
            if row is not None:
                rows[actor, layer, thing].add(row)
        return cls(
            {key: frozenset(value) for key, value in holders.items()},
            {key: frozenset(value) for key, value in rows.items()},
            **more,
        )

    def sort(self, layer: str, thing: int) -> tuple[str, str, str]:
        """Among what coincidences are counted: the layer, of an entity its kind, of a text its language."""
        kind = self.kinds.get(thing, "") if layer == "entity" else ""
        return layer, kind, self.languages.get(thing, "") if layer in _TEXTS else ""

    def among(self, sort: tuple[str, str, str]) -> int:
        """Accounts that could share such an object."""
        layer, _, language = sort
        everybody = self.population.get(layer, 0)
        return min(everybody, self.speakers.get(language, everybody)) if language else everybody

    def pool_sizes(self) -> dict[int, int]:
        """End users of each pool."""
        sizes: dict[int, int] = defaultdict(int)
        for key in self.pool.values():
            sizes[key] += 1
        return dict(sizes)


@dataclass(frozen=True)
class Tie:
    """One object that a pair shares, with its bits before halving and the acts counted."""

    layer: str
    object: int
    acts: int
    bits: float


def object_bits(m: float, holders: int, population: int) -> float:
    """Tie bits of one object shared by two of its holders: log2(m / f), the two left out of f, one added, never negative.

    Args:
        m: probability that two accounts of one operation share such an object.
        holders: actors that hold it, the two included.
        population: actors for which the layer was collected, the two included.
    """
    outside = max(holders - 2, 0)
    share = (outside + 1) / max(population - 1, 2)
    return max(0.0, math.log2(m / share)) if share < m else 0.0


def ties(shared: pa.Table, evidence: Evidence, weights: Weights) -> dict[Pair, list[Tie]]:
    """What each pair of accounts shares, weighed; common entities, and what a pool's users share by their key, are left out.

    Where requests are logged, equal outputs weigh nothing: one answer to one question is already counted by the question,
    and one answer to different questions is the model's, not theirs.

    Args:
        shared: rows of `coaction.shared` of the service's accounts.
        evidence: holders and rows.
        weights: m by layer.
    """
    found: dict[Pair, list[Tie]] = defaultdict(list)
    common: list[tuple[Pair, Tie, frozenset[int]]] = []
    sizes = evidence.pool_sizes()
    rows = [
        row
        for row in zip(*(shared[name].to_pylist() for name in ("a", "b", "layer", "object", "acts")), strict=True)
        if not _of_the_pool(row[0], row[1], row[2], evidence.holders[row[2], row[3]], evidence, sizes)
        and not (row[2] == "output" and evidence.population.get("prompt"))
    ]
    chance = _Coincidence(rows, evidence)
    for a, b, layer, thing, acts in rows:
        holders = evidence.holders[layer, thing]
        m = weights.m[layer]
        bits = min(object_bits(m, len(holders), evidence.population.get(layer, 0)), chance.bits(m, layer, thing, len(holders)))
        tie = Tie(layer, thing, acts, bits)
        if layer == "entity" and len(holders) - 2 >= RARE:
            common.append(((a, b), tie, holders))
        elif bits > 0:
            found[a, b].append(tie)
    near = neighbours(found, weights.strong_bits)
    for (a, b), tie, holders in common:
        own = {a, b} | (near[a] & near[b])
        if tie.bits > 0 and len(holders - own) < RARE:
            found[a, b].append(tie)
    return dict(found)


class _Coincidence:
    """How often any two accounts share an object of this sort that is at least as rare: where that is common, no single one
    says much, however rare it is (many rare names, each shared by two, are chance). Texts are compared with those who write
    the language: that few write it ties nobody.
    """

    def __init__(self, rows: Iterable[tuple[int, int, str, int, int]], evidence: Evidence) -> None:
        self._evidence = evidence
        rarest: dict[tuple[str, str, str], dict[Pair, int]] = defaultdict(dict)
        for a, b, layer, thing, _ in rows:
            of_sort, n = rarest[evidence.sort(layer, thing)], len(evidence.holders[layer, thing])
            of_sort[a, b] = min(n, of_sort.get((a, b), n))
        self._sizes = {sort: np.sort(np.fromiter(pairs.values(), np.int64)) for sort, pairs in rarest.items()}

    def bits(self, m: float, layer: str, thing: int, holders: int) -> float:
        """log2 of m over the share of pairs that share an object of the sort with at most so many holders; one added."""
        sort = self._evidence.sort(layer, thing)
        n = max(self._evidence.among(sort), 3)
        pairs = int(np.searchsorted(self._sizes[sort], holders, "right"))
        return max(0.0, math.log2(m * (n * (n - 1) / 2 + 1) / (pairs + 1)))


def _of_the_pool(a: int, b: int, layer: str, holders: frozenset[int], evidence: Evidence, sizes: Mapping[int, int]) -> bool:
    """Whether two end users share it because their key does: its address, client or card stands with most of its users."""
    key = evidence.pool.get(a)
    if key is None or evidence.pool.get(b) != key or tables.LAYERS[layer].family not in ("where", "pays"):
        return False
    inside = sum(evidence.pool.get(holder) == key for holder in holders)
    return sizes[key] <= 3 or inside > sizes[key] / 2


def neighbours(found: Mapping[Pair, Sequence[Tie]], strong: float) -> dict[int, set[int]]:
    """Accounts tied by one object of at least so many bits."""
    near: dict[int, set[int]] = defaultdict(set)
    for (a, b), items in found.items():
        if any(item.bits >= strong for item in items):
            near[a].add(b)
            near[b].add(a)
    return near


def family_sum(
    a: int, b: int, items: Iterable[Tie], evidence: Evidence, family: Family
) -> tuple[float, dict[str, float], list[tuple[Tie, float]]]:
    """One family's bits for a pair: the strongest object whole, further ones a half, a quarter; one turn proves one thing.

    Returns:
        The bits; their split by layer; the ties that counted with what each gave.
    """
    order = sorted(items, key=lambda tie: (-tie.bits, tie.layer, tie.object))
    exact_address = any(tie.layer == "address" for tie in order)
    used: tuple[set[int], set[int]] = (set(), set())
    counted: list[tuple[Tie, float]] = []
    part = 1.0
    for tie in order:
        if tie.layer == "address_net" and exact_address:
            continue  # the same address says the same network: one cause
        shows = [evidence.rows.get((actor, tie.layer, tie.object), frozenset()) for actor in (a, b)]
        if any(rows and rows <= seen for rows, seen in zip(shows, used, strict=True)):
            continue  # only turns that already count show it
        for rows, seen in zip(shows, used, strict=True):
            seen |= rows
        counted.append((tie, tie.bits * part * family.weight))
        part /= 2
    total = sum(bits for _, bits in counted)
    scale = min(1.0, family.most / total) if total else 1.0
    layers: dict[str, float] = defaultdict(float)
    for tie, bits in counted:
        layers[tie.layer] += bits * scale
    return total * scale, dict(layers), [(tie, bits * scale) for tie, bits in counted]


@dataclass(frozen=True)
class Weighed:
    """One pair, weighed.

    Attributes:
        families: tie bits by family.
        layers: tie bits by layer; they sum to the families.
        counted: ties that gave bits, with how many each.
        shared: all ties, whether or not they gave bits.
        contrast: bits of each family against the best innocent explanation.
        explanation: that explanation in words.
    """

    families: dict[str, float]
    layers: dict[str, float]
    counted: tuple[tuple[Tie, float], ...]
    shared: tuple[Tie, ...]
    contrast: dict[str, float] = field(default_factory=dict)
    explanation: str = ""

    @property
    def bits(self) -> float:
        """All tie bits."""
        return sum(self.families.values())

    def strong(self, least: float) -> bool:
        """Two families of at least so many bits, hours not counted, one of them what or wild."""
        return two_strong(self.families, least)


def two_strong(families: Mapping[str, float], least: float) -> bool:
    """Whether two families other than hours have at least so many bits, one of them what or wild."""
    strong = {family for family, bits in families.items() if bits >= least and family != "when"}
    return len(strong) >= 2 and bool(strong & {"what", "wild"})


class HourBits:
    """Bits of like hours: how rare such likeness is among random pairs of profiles.

    Args:
        profiles: of accounts with enough events.
        weights: m of hours, the cap and the least number of profiles.
        seed: of the random pairs.
        most: random pairs drawn at most.
    """

    def __init__(self, profiles: Profiles, weights: Weights, seed: int = 0, most: int = 100_000) -> None:
        self._row = profiles.index()
        norm = np.linalg.norm(profiles.shape, axis=1, keepdims=True) if len(profiles.shape) else np.ones((0, 1))
        self._unit = profiles.shape / np.maximum(norm, 1e-12)
        self._m, self._family = weights.m["hours"], weights.families["when"]
        self._random = np.sort(self._pairs(seed, most)) if len(self._unit) >= weights.hours.profiles else None

    def _pairs(self, seed: int, most: int) -> npt.NDArray[np.float64]:
        n = len(self._unit)
        if n * (n - 1) // 2 <= most:
            a, b = np.triu_indices(n, 1)
        else:
            rng = np.random.default_rng(seed)
            a, b = rng.integers(0, n, most), rng.integers(0, n - 1, most)
            b = b + (b >= a)
        return np.asarray(np.einsum("ij,ij->i", self._unit[a], self._unit[b]), np.float64)

    def bits(self, a: int, b: int) -> float:
        """Bits for two accounts; 0 where one has no profile or there are too few to compare with."""
        if self._random is None or a not in self._row or b not in self._row:
            return 0.0
        return self.of(float(self._unit[self._row[a]] @ self._unit[self._row[b]]))

    def between(self, one: Iterable[int], other: Iterable[int]) -> float:
        """Bits for the mean profiles of two sets of accounts."""
        means = []
        for accounts in (one, other):
            rows = [self._row[account] for account in accounts if account in self._row]
            if self._random is None or not rows:
                return 0.0
            mean = self._unit[rows].mean(axis=0)
            means.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
        return self.of(float(means[0] @ means[1]))

    def of(self, likeness: float) -> float:
        """Bits of a cosine: log2(m / share of random pairs at least as alike), capped."""
        if self._random is None:
            return 0.0
        above = len(self._random) - int(np.searchsorted(self._random, likeness - 1e-12))
        share = (above + 1) / (len(self._random) + 1)
        return min(max(0.0, math.log2(self._m / share)), self._family.most)


def weigh(found: Mapping[Pair, Sequence[Tie]], evidence: Evidence, hours: HourBits, weights: Weights) -> dict[Pair, Weighed]:
    """Weigh every pair that shares something, contrast included, in order of the pair.

    Hours are compared for pairs that share something else, so the work never grows with all pairs.
    """
    weighed: dict[Pair, Weighed] = {}
    for (a, b), items in sorted(found.items()):
        families: dict[str, float] = {}
        layers: dict[str, float] = {}
        counted: list[tuple[Tie, float]] = []
        order = sorted(items, key=lambda tie: tables.LAYERS[tie.layer].family)
        for name, group in groupby(order, key=lambda tie: tables.LAYERS[tie.layer].family):
            families[name], split, gave = family_sum(a, b, group, evidence, weights.families[name])
            layers |= split
            counted += gave
        if when := hours.bits(a, b) * weights.families["when"].weight:
            families["when"] = layers["hours"] = when
        counted.sort(key=lambda item: (-item[1], item[0].layer, item[0].object))
        weighed[a, b] = Weighed(families, layers, tuple(counted), tuple(items))
    return _Contrast(weighed, evidence, weights).all()


class _Contrast:
    """The best innocent explanation of each pair."""

    def __init__(self, weighed: Mapping[Pair, Weighed], evidence: Evidence, weights: Weights) -> None:
        self._weighed, self._evidence, self._weights = weighed, evidence, weights
        self._near: dict[int, set[int]] = defaultdict(set)
        self._tied: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
        for (a, b), pair in weighed.items():
            for family, bits in pair.families.items():
                if bits >= weights.strong_bits:
                    self._tied[family][a].add(b)
                    self._tied[family][b].add(a)
            if pair.strong(weights.strong_bits):
                self._near[a].add(b)
                self._near[b].add(a)
        self._shares: dict[tuple[frozenset[int], str, float], tuple[float, int]] = {}

    def all(self) -> dict[Pair, Weighed]:
        return {pair: self._explained(pair, weighed) for pair, weighed in self._weighed.items()}

    def _explained(self, pair: Pair, weighed: Weighed) -> Weighed:
        best = (weighed.bits, dict(weighed.families), "chance alone: no innocent explanation covers what they share")
        if weighed.bits >= self._weights.strong_bits:
            own = {*pair} | (self._near[pair[0]] & self._near[pair[1]])
            for name, layers in _applies(weighed):
                left, words = self._left(name, layers, weighed, own)
                if (total := sum(left.values())) < best[0]:
                    best = (total, left, words)
        return Weighed(weighed.families, weighed.layers, weighed.counted, weighed.shared, best[1], best[2])

    def _left(self, name: str, layers: frozenset[str], weighed: Weighed, own: set[int]) -> tuple[dict[str, float], str]:
        """Bits left in each family when the explanation holds, and the words for it."""
        held = [self._evidence.holders[tie.layer, tie.object] for tie in weighed.shared if tie.layer in layers]
        others = frozenset().union(*held) - own
        left: dict[str, float] = {}
        said: list[str] = []
        for family, bits in weighed.families.items():
            usual = self._weights.innocent[name].get(family)
            if usual is None:
                left[family] = bits
                continue
            share, n = self._share(others, family, usual)
            left[family] = min(bits, max(0.0, math.log2(_ACTS_AS_ONE / share)))
            said.append(f"{family} {share:.0%}" + (f" of {n} pairs of others" if n else " by default"))
        return left, f"one {_NAMES[name]}: {len(others)} others share it; how often they also share: {', '.join(said)}"

    def _share(self, others: frozenset[int], family: str, usual: float) -> tuple[float, int]:
        """How many pairs of these others are tied in the family, shrunk to the usual share; and how many pairs."""
        key = (others, family, usual)
        if key not in self._shares:
            n = len(others) * (len(others) - 1) // 2
            tied = self._tied[family]
            ties = sum(len(tied[one] & others) for one in others if one in tied) / 2
            weight = self._weights.innocent["pairs"]
            self._shares[key] = ((ties + usual * weight) / (n + weight), n)
        return self._shares[key]


_TEXTS = frozenset({"prompt", "skeleton", "document", "entity"})
_ACTS_AS_ONE = 0.9
_NAMES = {
    "place": "place",
    "task": "task",
    "interest": "interest",
    "household": "household",
    "tool": "tool or reseller",
    "workplace": "workplace with one task",
}
_PLACE = frozenset({"address", "address_net", "device"})
_TASK = frozenset({"prompt", "skeleton", "document", "output"})
_PAYS = frozenset({"payment", "phone", "email", "sign_up"})
_TOOL = frozenset({"user_agent", "payment", "sign_up", "skeleton", "prompt"})


def _applies(weighed: Weighed) -> Iterator[tuple[str, frozenset[str]]]:
    """Explanations that this pair's ties allow, with the layers in which the other actors it holds for are found."""
    layers = {tie.layer for tie in weighed.shared}
    if layers & _PLACE:
        yield "place", _PLACE
    if layers & _TASK:
        yield "task", _TASK
    if "entity" in layers:
        yield "interest", frozenset({"entity"})
    if layers & _PLACE and layers & _PAYS:
        yield "household", _PLACE | _PAYS
    if layers & {"user_agent", "payment", "sign_up"}:
        yield "tool", _TOOL
    if layers & (_PLACE | _PAYS | {"user_agent"}) and layers & (_TASK | {"entity"}):
        yield "workplace", _PLACE | _PAYS


def links(
    weighed: Mapping[Pair, Weighed],
    tested: Mapping[tuple[str, int, int], tuple[int, int, float | None, float | None]],
    least: float = 1.0,
) -> pa.Table:
    """Rows of `tables.LINKS` for the service's accounts.

    Args:
        weighed: pairs.
        tested: (layer, a, b) -> objects, acts, p and q.
        least: bits below which a layer of a pair is not kept.
    """
    rows: list[dict[str, object]] = []
    for (a, b), pair in sorted(weighed.items()):
        for layer, bits in sorted(pair.layers.items()):
            if bits < least:
                continue
            family = tables.LAYERS[layer].family
            objects, acts, p, q = tested.get((layer, a, b), (0, 0, None, None))
            share = bits / pair.families[family] if pair.families[family] else 0.0
            rows.append(
                {
                    "a": a, "b": b, "kind": "account", "layer": layer, "family": family, "objects": objects, "acts": acts,
                    "p": p, "q": q, "null_model": "activity", "tie_bits": bits,
                    "contrast_bits": pair.contrast.get(family, 0.0) * share, "explanation": pair.explanation,
                    "evidence": [tie.object for tie, _ in pair.counted if tie.layer == layer],
                }
            )  # fmt: skip
    return tables.LINKS.rows(rows)
