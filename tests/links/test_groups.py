"""Rings and cohorts."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from backlight.links import groups, weigh
from backlight.links.actions import Profiles

WEIGHTS = weigh.load_weights()
NONE = weigh.HourBits(Profiles(np.empty(0, np.int64), np.empty((0, 168))), WEIGHTS)
PRIOR = 20.0


def pair(**families: float) -> weigh.Weighed:
    return weigh.Weighed(families, {}, (), (), dict(families), "one place")


def test_a_ring_of_four_is_found_whole() -> None:
    """Two strong families between all of them."""
    weighed = {edge: pair(what=8.0, where=6.0) for edge in combinations((1, 2, 3, 4), 2)}
    assert groups.rings(weighed, NONE, WEIGHTS, PRIOR, seed=1) == [(1, 2, 3, 4)]


def test_two_rings_with_a_bridge_stay_two() -> None:
    """CPM does not glue what one pair ties: 14 bits over nine pairs are below a quarter of the prior."""
    weighed = {edge: pair(what=8.0, where=6.0) for ring in ((1, 2, 3), (7, 8, 9)) for edge in combinations(ring, 2)}
    weighed[3, 7] = pair(what=8.0, where=6.0)
    assert groups.rings(weighed, NONE, WEIGHTS, PRIOR, seed=1) == [(1, 2, 3), (7, 8, 9)]


def test_one_family_makes_no_ring_but_a_cohort() -> None:
    """Users of one prompt pack share prompts and nothing else."""
    weighed = {edge: pair(what=9.0) for edge in combinations(range(1, 7), 2)}
    assert groups.rings(weighed, NONE, WEIGHTS, PRIOR, seed=1) == []
    assert groups.cohorts(weighed, [], WEIGHTS, seed=1) == [(1, 2, 3, 4, 5, 6)]


def test_rings_that_pay_in_threes_are_joined_by_work_and_hours() -> None:
    """Six of one workflow and one shift, three to a card: one ring; without like hours they stay two."""
    rings = ((1, 2, 3), (4, 5, 6))
    weighed = {edge: pair(what=8.0, pays=7.0) for ring in rings for edge in combinations(ring, 2)}
    weighed |= {(a, b): pair(what=8.0) for a in rings[0] for b in rings[1]}
    shape = np.random.default_rng(3).normal(size=(100, 168))
    shape[1:7] = shape[1]
    shift = weigh.HourBits(Profiles(np.arange(100), shape), WEIGHTS)
    assert groups.rings(weighed, shift, WEIGHTS, PRIOR, seed=1) == [(1, 2, 3, 4, 5, 6)]
    assert groups.rings(weighed, NONE, WEIGHTS, PRIOR, seed=1) == [(1, 2, 3), (4, 5, 6)]


def test_group_bits_are_means_of_best_ties() -> None:
    """Three members, by hand: what 8, 8 and 4; where 6, 6 and nothing."""
    weighed = {(1, 2): pair(what=8.0, where=6.0), (1, 3): pair(what=4.0)}
    found = groups.group_bits((1, 2, 3), weighed)
    assert found.families == {"what": (8.0 + 8.0 + 4.0) / 3, "where": 4.0}
    assert found.of(3) == 4.0


def test_the_same_seed_gives_the_same_rings() -> None:
    """Whatever the order in which pairs come."""
    rng = np.random.default_rng(5)
    edges = {tuple(sorted(rng.choice(40, 2, replace=False).tolist())): pair(what=8.0, where=6.0) for _ in range(120)}
    backwards = dict(reversed(list(edges.items())))
    assert groups.rings(edges, NONE, WEIGHTS, PRIOR, 7) == groups.rings(backwards, NONE, WEIGHTS, PRIOR, 7)  # type: ignore[arg-type]
