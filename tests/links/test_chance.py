"""The activity null and the correction for many tests."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backlight.links import chance


def test_benjamini_hochberg_on_a_literal() -> None:
    """Four p-values of ten tests, by hand: 0.001*10/1, then min(0.02*10/2, 0.03*10/3) twice, then 0.5*10/4 cut at 1."""
    q = chance.benjamini_hochberg(np.array([0.03, 0.001, 0.5, 0.02]), 10)
    assert q == pytest.approx([0.1, 0.01, 1.0, 0.1])


def test_more_p_values_than_tests_is_an_error() -> None:
    """M counts every test, so it cannot be smaller than what was found."""
    with pytest.raises(ValueError, match="3 p-values"):
        chance.benjamini_hochberg(np.ones(3), 2)


def test_tests_counts_all_pairs_layers_and_kinds() -> None:
    """Ten accounts in three layers and four platform accounts in two: 45 * 3 + 6 * 2."""
    assert chance.tests({"account": 10, "platform": 4}, {"account": 3, "platform": 2}) == 147


def test_one_class_of_objects_is_a_poisson_tail() -> None:
    """With one rarity the sum counts objects: P(two or more | 0.3 expected) = 1 - e^-0.3 * 1.3."""
    null = chance.ActivityNull(np.array([4]), np.array([0.003]))
    assert null.tail(np.array([100.0]), np.array([8]))[0] == pytest.approx(1 - math.exp(-0.3) * 1.3)


def test_rare_objects_are_less_likely_than_common_ones() -> None:
    """Two classes: the score of one rare object is reached by it, or by three common ones."""
    null = chance.ActivityNull(np.array([2, 6]), np.array([0.1, 0.01]))
    common = 1 - sum(math.exp(-0.1) * 0.1**n / math.factorial(n) for n in range(3))
    expected = 1 - math.exp(-0.01) * (1 - common)
    assert null.tail(np.array([1.0]), np.array([6]))[0] == pytest.approx(expected, rel=1e-9)


def test_the_bound_is_above_the_exact_tail() -> None:
    """Where many objects are expected, p is a bound from above: never too small."""
    null = chance.ActivityNull(np.array([2, 5]), np.array([0.02, 0.005]))
    product, score = np.array([480.0]), np.array([90])
    assert null._exact(product * 0.025, score)[0] <= null._bound(product, score)[0] < 1e-3


def test_nothing_shared_has_p_one() -> None:
    """A pair that shares nothing is never beyond chance."""
    null = chance.ActivityNull(np.array([2]), np.array([0.02]))
    assert null.tail(np.array([5.0]), np.array([0]))[0] == 1.0


def test_rarity_is_in_half_bits() -> None:
    """Two of 64 actors hold it: 5 bits, 10 steps; what all hold still counts one step."""
    assert chance.rarity(np.array([2, 64]), 64).tolist() == [10, 1]


@pytest.mark.slow
def test_p_is_honest_under_shuffles() -> None:
    """QQ: with acts dealt to actors at random, p <= alpha is never more frequent than the null says, nor many times rarer."""
    rng = np.random.default_rng(7)
    objects = np.repeat(np.arange(400), rng.zipf(1.7, 400).clip(1, 10))
    weight = rng.lognormal(0, 0.5, ACTORS)
    actors = rng.choice(ACTORS, len(objects), p=weight / weight.sum())
    seen, expected = np.zeros(3), np.zeros(3)
    for _ in range(40):
        rng.shuffle(actors)
        some, all_of_them = _one_shuffle(objects, actors)
        seen, expected = seen + some, expected + all_of_them
    assert (seen <= 1.1 * expected).all() and (seen >= expected / [1.5, 2, 5]).all(), (seen, expected)


ACTORS, ALPHAS = 150, (0.1, 0.01, 0.001)


def _one_shuffle(objects: np.ndarray, actors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs with p <= alpha, counted by brute force; and how many the null expects, its steps accounted for."""
    holder = np.unique(np.stack([objects, actors]), axis=1)
    activity, size = np.bincount(holder[1], minlength=ACTORS), np.bincount(holder[0])
    shared: dict[tuple[int, int], list[int]] = {}
    for thing in np.unique(holder[0]):
        own = holder[1][holder[0] == thing]
        for n, a in enumerate(own):
            for b in own[n + 1 :]:
                shared.setdefault((a, b), []).append(size[thing])
    null = chance.ActivityNull.fit(activity, np.array([n for sizes in shared.values() for n in sizes]), ACTORS)
    score = np.array([chance.rarity(np.array(sizes), ACTORS).sum() for sizes in shared.values()])
    p = null.tail(np.array([float(activity[a] * activity[b]) for a, b in shared]), score)
    one, other = np.triu_indices(ACTORS, 1)
    product, count = np.unique(activity[one] * activity[other], return_counts=True)
    steps = np.arange(1, 80)
    tails = null.tail(np.repeat(product, len(steps)).astype(float), np.tile(steps, len(product))).reshape(len(product), -1)
    expected = [(np.where(tails <= alpha, tails, 0.0).max(axis=1) * count).sum() for alpha in ALPHAS]
    return np.array([(p <= alpha).sum() for alpha in ALPHAS]), np.array(expected)
