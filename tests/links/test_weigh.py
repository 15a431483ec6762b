"""Bits, against hand computation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backlight import tables
from backlight.errors import RequestError
from backlight.links import weigh
from backlight.links.actions import Profiles

WEIGHTS = weigh.load_weights()
NOBODY = Profiles(np.empty(0, np.int64), np.empty((0, 168)))
HOURS = weigh.HourBits(NOBODY, WEIGHTS)


def evidence(
    holders: Mapping[tuple[str, int], Iterable[int]],
    rows: Mapping[tuple[int, str, int], Iterable[int]] | None = None,
    population: int = 1000,
    **more: object,
) -> weigh.Evidence:
    return weigh.Evidence(
        {key: frozenset(value) for key, value in holders.items()},
        {key: frozenset(value) for key, value in (rows or {}).items()},
        dict.fromkeys(tables.LAYERS, population),
        **more,  # type: ignore[arg-type]
    )


def shared(*rows: tuple[int, int, str, int]) -> pa.Table:
    return pa.table(
        {name: [row[n] for row in rows] for n, name in enumerate(("a", "b", "layer", "object"))} | {"acts": [2] * len(rows)}
    )


def test_prior_of_the_reference_world() -> None:
    """One operator in 10,000 with four partners among 1,919 accounts: 22.2 bits against a pair."""
    assert weigh.pair_prior(WEIGHTS.prior, 1919) == pytest.approx(22.194, abs=1e-3)


def test_bits_of_one_object_by_hand() -> None:
    """Held by 12 of 1001, m 0.5: ten others of 1,000, one added, so log2(0.5 / 0.011)."""
    assert weigh.object_bits(0.5, 12, 1001) == pytest.approx(math.log2(0.5 / 0.011))


def test_bits_are_never_negative() -> None:
    """What half of all hold says nothing, and never speaks against anybody."""
    assert weigh.object_bits(0.4, 500, 1000) == 0.0


def test_further_objects_count_half_and_quarter() -> None:
    """Three objects of 8 bits from turns of their own: 8 + 4 + 2."""
    items = [weigh.Tie("skeleton", thing, 2, 8.0) for thing in (1, 2, 3)]
    rows = {(actor, "skeleton", thing): {100 * actor + thing} for actor in (1, 2) for thing in (1, 2, 3)}
    total, layers, _ = weigh.family_sum(1, 2, items, evidence({}, rows), WEIGHTS.families["what"])
    assert total == layers["skeleton"] == 14.0


def test_one_turn_proves_one_thing() -> None:
    """A prompt, its skeleton and a name in it stand in the same turns: they count once."""
    items = [weigh.Tie("prompt", 1, 2, 8.0), weigh.Tie("skeleton", 2, 2, 7.0), weigh.Tie("entity", 3, 2, 6.0)]
    rows = {(actor, tie.layer, tie.object): {actor} for actor in (1, 2) for tie in items}
    assert weigh.family_sum(1, 2, items, evidence({}, rows), WEIGHTS.families["what"])[0] == 8.0


def test_the_network_of_a_shared_address_adds_nothing() -> None:
    """The /24 is shared because the address is."""
    items = [weigh.Tie("address", 1, 2, 6.0), weigh.Tie("address_net", 2, 2, 5.0)]
    assert weigh.family_sum(1, 2, items, evidence({}), WEIGHTS.families["where"])[0] == 6.0


def test_hours_are_capped() -> None:
    """Two accounts alike in hours nobody else keeps get the cap of the family, and no more."""
    shape = np.random.default_rng(0).normal(size=(200, 168))
    shape[1] = shape[0]
    hours = weigh.HourBits(Profiles(np.arange(200), shape), WEIGHTS)
    assert hours.bits(0, 1) == WEIGHTS.families["when"].most
    assert hours.bits(0, 999) == 0.0


def test_an_entity_is_rare_outside_the_group() -> None:
    """Ten who also share an address make their own brand rare for themselves; for two strangers who name it, it is common."""
    crew, holders = range(10), frozenset((*range(10), 50, 51))
    pairs = [(a, b) for a in crew for b in crew if a < b]
    rows = [(a, b, "address", 1) for a, b in pairs] + [(a, b, "entity", 2) for a, b in [*pairs, (50, 51)]]
    found = weigh.ties(shared(*rows), evidence({("address", 1): crew, ("entity", 2): holders}), WEIGHTS)
    assert {tie.layer for tie in found[0, 1]} == {"address", "entity"}
    assert (50, 51) not in found


def test_many_coincidences_make_each_worth_less() -> None:
    """A hundred rare names, each named by two: sharing some rare name is no wonder, so one of them is worth 2 bits less."""
    many = [(2 * n, 2 * n + 1, "entity", n) for n in range(100)]
    alone = weigh.ties(shared(many[0]), evidence({("entity", 0): (0, 1)}), WEIGHTS)[0, 1][0].bits
    holders = {("entity", thing): (a, b) for a, b, _, thing in many}
    crowded = weigh.ties(shared(*many), evidence(holders, population=100), WEIGHTS)[0, 1][0].bits
    assert alone == pytest.approx(math.log2(0.5 * 999))
    assert crowded == pytest.approx(math.log2(0.5 * (4950 + 1) / 101))


def test_a_rare_language_ties_nobody() -> None:
    """Five of a thousand write the language and every two of them share a skeleton: nothing that such two would not share."""
    five = [(a, b, "skeleton", 10 * a + b) for a in range(5) for b in range(a + 1, 5)]
    holders = {("skeleton", thing): (a, b) for a, b, _, thing in five}
    told = {"languages": {thing: "tl" for *_, thing in five}, "speakers": {"tl": 5}}
    assert weigh.ties(shared(*five), evidence(holders, **told), WEIGHTS) == {}
    assert len(weigh.ties(shared(*five), evidence(holders), WEIGHTS)) == 10


def test_equal_answers_weigh_nothing_where_requests_are_logged() -> None:
    """One answer to one question is counted by the question; to different questions it is the model's."""
    known = evidence({("output", 1): (1, 2)})
    assert weigh.ties(shared((1, 2, "output", 1)), known, WEIGHTS) == {}
    known.population["prompt"] = 0
    assert (1, 2) in weigh.ties(shared((1, 2, "output", 1)), known, WEIGHTS)


def test_end_users_share_what_their_key_shares() -> None:
    """The server's address stands with all users of the key: no tie; a device that two of eight use is one."""
    pool = dict.fromkeys(range(8), 77)
    holders = {("address", 1): range(8), ("device", 2): (0, 1)}
    found = weigh.ties(shared((0, 1, "address", 1), (0, 1, "device", 2)), evidence(holders, pool=pool), WEIGHTS)
    assert [tie.layer for tie in found[0, 1]] == ["device"]


def test_contrast_leaves_little_of_an_office() -> None:
    """One address and one template: under 'one workplace' both are expected, and a bit or two is left; wild evidence stays."""
    holders = {("address", 1): (1, 2), ("skeleton", 2): (1, 2), ("wild_output", 3): (1, 2)}
    rows = [(1, 2, layer, thing) for layer, thing in holders]
    known = evidence(holders, {(a, layer, thing): {10 * a + thing} for a in (1, 2) for layer, thing in holders})
    pair = weigh.weigh(weigh.ties(shared(*rows), known, WEIGHTS), known, HOURS, WEIGHTS)[1, 2]
    assert pair.contrast["where"] == pytest.approx(math.log2(0.9 / 0.7))
    assert pair.contrast["what"] == pytest.approx(math.log2(0.9 / 0.4))
    assert pair.contrast["wild"] == pair.families["wild"] > 8
    assert pair.explanation.startswith("one workplace with one task")


def test_others_of_the_place_set_what_is_usual() -> None:
    """Forty others at the address of whom nobody shares the template: the template is unusual there, so more is left."""
    here = (1, 2, *range(10, 50))
    holders = {("address", 1): here, ("skeleton", 2): (1, 2)}
    rows = [(1, 2, "skeleton", 2), *((a, b, "address", 1) for a in here for b in here if a < b)]
    known = evidence(holders, {(a, "skeleton", 2): {a} for a in (1, 2)}, population=50_000)
    pair = weigh.weigh(weigh.ties(shared(*rows), known, WEIGHTS), known, HOURS, WEIGHTS)[1, 2]
    assert pair.contrast["what"] == pytest.approx(
        min(pair.families["what"], math.log2(0.9 / (0.4 * 10 / (780 + 10)))), abs=1e-6
    )


def test_two_strong_families_need_what_or_wild() -> None:
    """Hours are never one of the two, and a place with a card is no operation."""
    assert weigh.two_strong({"what": 3.0, "where": 3.0}, 3.0)
    assert not weigh.two_strong({"what": 9.0, "when": 6.0}, 3.0)
    assert not weigh.two_strong({"pays": 9.0, "where": 9.0}, 3.0)


def test_weights_that_lack_a_layer_do_not_load(tmp_path: Path) -> None:
    """The message says which."""
    text = (Path(weigh.__file__).parent / "weights.yaml").read_text(encoding="utf-8")
    (tmp_path / "w.yaml").write_text(text.replace("  skeleton: 0.6\n", ""), encoding="utf-8")
    with pytest.raises(RequestError, match="m of skeleton"):
        weigh.load_weights(tmp_path / "w.yaml")
    assert WEIGHTS.words == "weights version 1, not fitted: stated defaults"
