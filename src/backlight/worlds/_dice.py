"""Seeded chance for worlds: equal seeds give equal worlds on every platform and Python.

Only `random.Random.random()` is used underneath, the one method whose sequence Python promises to keep; `choice`,
`shuffle` and the like may change between versions.
"""

from __future__ import annotations

import math
import random
from collections.abc import MutableSequence, Sequence
from typing import TypeVar

T = TypeVar("T")
_CODE = "0123456789abcdefghjkmnpqrstvwxyz"


class Dice:
    """A stream of chance named by a path, so that one part of a world can change without moving the others.

    Args:
        path: names and numbers, such as the seed, a group's name and a member's number.
    """

    def __init__(self, *path: object) -> None:
        self.real = random.Random("/".join(map(str, path))).random

    def chance(self, p: float) -> bool:
        """True with probability `p`."""
        return self.real() < p

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.real() * (high - low + 1))

    def span(self, low: float, high: float) -> float:
        """A number from `low` to below `high`."""
        return low + self.real() * (high - low)

    def pick(self, items: Sequence[T]) -> T:
        """One of the items, each as likely."""
        return items[int(self.real() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of the items, as likely as its weight."""
        left = self.real() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Puts the items into a random order, in place."""
        for i in range(len(items) - 1, 0, -1):
            j = int(self.real() * (i + 1))
            items[i], items[j] = items[j], items[i]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Distinct items, at most as many as there are."""
        left = list(items)
        self.shuffle(left)
        return left[:count]

    def normal(self) -> float:
        """A standard normal number (Box and Muller)."""
        return math.sqrt(-2.0 * math.log(1.0 - self.real())) * math.cos(2.0 * math.pi * self.real())

    def around(self, median: float, spread: float) -> float:
        """A log-normal number with this median; `spread` is the standard deviation of its logarithm."""
        return median * math.exp(spread * self.normal())

    def hex(self, digits: int) -> str:
        """Random hexadecimal digits."""
        return "".join("0123456789abcdef"[int(self.real() * 16)] for _ in range(digits))

    def code(self, length: int) -> str:
        """A random id in base 32."""
        return "".join(_CODE[int(self.real() * 32)] for _ in range(length))
