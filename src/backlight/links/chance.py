"""Chance: would two actors this active share as much by accident?

*Activity null.* Actors keep their activity and objects their popularity; who met which object is drawn at random (the
configuration model on acts and objects). Then objects of class c (shared by c actors) are shared by A and B at the rate
k_A k_B 2 P_c / (N (N - 1)), where k is an actor's acts, N all acts and P_c the pairs that share an object of the class. The
statistic is the sum of the shared objects' rarity in bits, so its law is compound Poisson: the tail is summed exactly on a
lattice of half bits while few objects are expected, and bounded from above by Chernoff where many are (a bound, so such p
are too large, never too small). No shuffles; a test compares it with them.

*Multiplicity.* Benjamini and Hochberg (1995) over M = all actor pairs x layers x windows tried; a pair that shares nothing
has p = 1 and is counted all the same. "No pair is beyond chance" is a valid answer.

The null knows neither topics nor hours: people of one interest share more than it expects. It is a floor, not a proof.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LATTICE = 2
"""Steps per bit of rarity."""

_MOST = 48  # objects summed exactly
_MOST_EXPECTED = 12.0  # expected objects above which the bound is used


@dataclass(frozen=True)
class ActivityNull:
    """The law of the shared rarity of two actors, up to their activity.

    Attributes:
        jumps: rarity of an object of each class, in steps of the lattice, at least 1.
        rates: expected shared objects of each class for two actors of activity 1.
    """

    jumps: Ints
    rates: Floats

    @classmethod
    def fit(cls, activity: Ints, holders: Ints, actors: int) -> ActivityNull:
        """Measure the null on one layer and window.

        Args:
            activity: acts of each actor that took part in pairing.
            holders: for each (pair, object) that was found, how many actors hold the object.
            actors: all actors of the kind that the layer was collected for.
        """
        total = float(activity.sum())
        classes, found = np.unique(holders, return_counts=True)
        rates = np.asarray(2.0 * found / max(total * (total - 1.0), 1.0), np.float64)
        return cls(rarity(classes, actors), rates)

    def tail(self, product: Floats, score: Ints) -> Floats:
        """P(shared rarity >= score) for pairs whose activities multiply to `product`; 1 where the score is 0."""
        expected = product * self.rates.sum()
        few = expected <= _MOST_EXPECTED
        p = np.ones(len(product))
        p[few] = self._exact(expected[few], score[few])
        p[~few] = self._bound(product[~few], score[~few])
        p[score <= 0] = 1.0
        return np.clip(p, 1e-300, 1.0)

    def _exact(self, expected: Floats, score: Ints) -> Floats:
        """Sum over the number of shared objects: Poisson weight x tail of the sum of that many rarities."""
        if not len(expected):
            return expected
        tails = self._tails(int(score.max()))
        p = np.zeros(len(expected))
        weight = np.exp(-expected)
        inside = weight.copy()
        for n in range(1, _MOST + 1):
            weight = weight * expected / n
            inside += weight
            p += weight * tails[n, np.minimum(score, tails.shape[1] - 1)]
        # More objects than were summed: bounded by the first term left out, times a geometric series.
        rest = weight * expected / (_MOST + 1) / (1.0 - expected / (_MOST + 2))
        return np.asarray(p + rest, np.float64)

    def _tails(self, most: int) -> Floats:
        """tails[n, s] = P(sum of n rarities >= s)."""
        jump = np.zeros(int(self.jumps.max()) + 1)
        np.add.at(jump, self.jumps, self.rates / self.rates.sum())
        tails = np.zeros((_MOST + 1, most + 2))
        law = np.ones(1)
        for n in range(1, _MOST + 1):
            law = np.convolve(law, jump)
            above = np.cumsum(law[::-1])[::-1]
            reach = min(len(above), most + 2)
            tails[n, :reach] = above[:reach]
        return tails

    def _bound(self, product: Floats, score: Ints) -> Floats:
        """Chernoff: exp(K(theta) - theta s) at the theta where K' = s, found by bisection."""
        low, high = np.zeros(len(product)), np.full(len(product), 50.0)
        jumps = self.jumps.astype(np.float64)
        for _ in range(80):
            theta = (low + high) / 2
            growth = np.exp(np.minimum(theta[:, None] * jumps, 600.0))
            slope = product * (growth * jumps * self.rates).sum(axis=1)
            low, high = np.where(slope < score, theta, low), np.where(slope < score, high, theta)
        cumulant = product * ((np.exp(np.minimum(low[:, None] * jumps, 600.0)) - 1.0) * self.rates).sum(axis=1)
        return np.asarray(np.exp(np.minimum(cumulant - low * score, 0.0)), np.float64)


def rarity(holders: Ints, actors: int) -> Ints:
    """Rarity of objects in steps of the lattice: log2(actors / holders), at least one step."""
    bits = np.log2(max(actors, 1) / np.maximum(holders, 1))
    return np.asarray(np.maximum(np.rint(bits * LATTICE), 1), np.int64)


def tests(actors: dict[str, int], layers: dict[str, int]) -> int:
    """M: all pairs of actors of a kind x the layers (each with the windows tried) of that kind, summed over kinds."""
    return sum(n * (n - 1) // 2 * layers.get(kind, 0) for kind, n in actors.items())


def benjamini_hochberg(p: Floats, m: int) -> Floats:
    """The q of each p among m tests, of which those not given have p = 1.

    Raises:
        ValueError: more p than tests.
    """
    if len(p) > m:
        raise ValueError(f"{len(p)} p-values cannot come from {m} tests")
    order = np.argsort(p, kind="stable")
    ranked = p[order] * m / np.arange(1, len(p) + 1)
    lowest = np.minimum.accumulate(ranked[::-1])[::-1]
    q = np.empty(len(p))
    q[order] = np.minimum(lowest, 1.0)
    return q
