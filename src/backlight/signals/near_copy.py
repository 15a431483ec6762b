"""Near-copies: how much of one text stands in another, through changes of case, dashes, links, hashtags, and truncation.

A text becomes the set of its word 5-grams (in scripts without spaces: runs of characters), each a 64-bit hash without a key, to
be held in memory and never stored. Containment of a post in an output is the share of the post's runs that the output has
(Broder 1997, "On the resemblance and containment of documents"); nothing is sampled, so a truncated post still finds its
source.

What `links/wild.py` uses, in its final form:

* `fingerprints(text)`: sorted distinct uint64. Bit 0 tells the sort of each hash: 0 a run, 1 an exact whole. A text under
  12 words has one exact hash and nothing else. A longer one has its runs, and one exact hash for each of its lines (list
  marks and quotation marks dropped) that is shorter than 12 words, so that one item of "write ten comments" is found.
* `is_exact(prints)`: the text was under 12 words: a match is exact or nothing, and counts only as one of a set of three.
* `containment(a, b)`: 0 to 1, the share of a's runs that b has; of a short text, whether b is or lists it.
* `matches(posts, outputs, least)`: all pairs at once, (post, output, containment), by sorting; no pair is compared twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from backlight.normalise import canonical_text, words
from backlight.signals._chars import MOST, UNSPACED, UNSPACED_CLASS, pattern

Prints = npt.NDArray[np.uint64]

LEAST_WORDS = 12
"""Under this length a text has no runs worth comparing, only a whole."""

RUN, DENSE_RUN = 5, 8
"""Length of a run: words, or characters in scripts without spaces."""

COMMON = 2_000
"""A run that stands in more outputs than this is boilerplate and makes no match."""

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(1)
_EMPTY: Prints = np.empty(0, np.uint64)
_SPLIT_DENSE = pattern(f"([{UNSPACED_CLASS}])")
_LIST_MARK = pattern(r"^\s*(?:[-*•·–▪◦>]+|\d{1,3}\s*[.)、．:/]|[①-⑳])\s*")
_DENSE_SHARE = 0.5


def fingerprints(text: str) -> Prints:
    """The sorted distinct hashes of a text's runs, or of the whole where it is short; see the module's page.

    Looks at the first 20,000 characters. Empty for a text without letters or digits.
    """
    text = text[:MOST]
    canonical = canonical_text(text)
    if not canonical:
        return _EMPTY
    if words(canonical) < LEAST_WORDS:
        return np.array([_whole(canonical)], np.uint64)
    return np.unique(np.concatenate([_runs(canonical), _short_lines(text)]))


def is_exact(prints: Prints) -> bool:
    """Whether the text was too short for runs, so that only an exact match counts."""
    return len(prints) > 0 and not bool((prints & _ODD == 0).any())


def containment(a: Prints, b: Prints) -> float:
    """The share of a's runs that b has, 0 to 1; for a short `a`, 1 where b is it or has it as a line, else 0."""
    own = _compared(a)
    return float(np.isin(own, b, assume_unique=True).mean()) if len(own) else 0.0


def matches(
    posts: Sequence[Prints], outputs: Sequence[Prints], least: float = 0.5
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """All (post, output) pairs whose containment of the post in the output is at least `least`.

    Args:
        posts: fingerprints of each post.
        outputs: fingerprints of each output.
        least: smallest containment, above 0.

    Returns:
        Positions of posts and of outputs, and the containment of each pair, ordered by post and output.
    """
    own = [_compared(post) for post in posts]
    keys, owner = _flat(outputs)
    asked, asker = _flat(own)
    first, last = np.searchsorted(keys, asked, "left"), np.searchsorted(keys, asked, "right")
    count = np.where(last - first > COMMON, 0, last - first)
    at = np.repeat(first - np.concatenate([[0], np.cumsum(count)[:-1]]), count) + np.arange(count.sum())
    pair = np.repeat(asker, count) * len(outputs) + owner[at]
    pairs, shared = np.unique(pair, return_counts=True)
    post, output = pairs // max(1, len(outputs)), pairs % max(1, len(outputs))
    share = shared / np.array([max(1, len(prints)) for prints in own], np.float64)[post] if len(pairs) else shared * 1.0
    kept = share >= least
    return post[kept].astype(np.int64), output[kept].astype(np.int64), share[kept].astype(np.float64)


def _flat(sets: Sequence[Prints]) -> tuple[Prints, npt.NDArray[np.int64]]:
    """All hashes in order, with the position of the set that each comes from."""
    if not sets:
        return _EMPTY, np.empty(0, np.int64)
    keys = np.concatenate(sets)
    owner = np.repeat(np.arange(len(sets)), [len(prints) for prints in sets])
    order = np.argsort(keys, kind="stable")
    return keys[order], owner[order]


def _compared(prints: Prints) -> Prints:
    """The runs of a text, or its one exact hash where it has none."""
    runs = prints[prints & _ODD == 0]
    return runs if len(runs) else prints


def _runs(canonical: str) -> Prints:
    length = RUN
    if not canonical.isascii() and UNSPACED.search(canonical):
        dense = len(canonical) - len(UNSPACED.sub("", canonical))
        if dense > _DENSE_SHARE * len(canonical):
            length = DENSE_RUN
        canonical = _SPLIT_DENSE.sub(r" \1 ", canonical)
    hashes = np.array([_word(word) for word in canonical.split()], np.uint64)
    length = min(length, len(hashes))
    mixed = np.zeros(len(hashes) - length + 1, np.uint64)
    with np.errstate(over="ignore"):
        for n in range(length):
            mixed = mixed * _MULTIPLIER + hashes[n : n + len(mixed)]
        mixed ^= mixed >> np.uint64(29)
        mixed *= _MULTIPLIER
        mixed ^= mixed >> np.uint64(32)
    return mixed & ~_ODD


def _short_lines(text: str) -> Prints:
    if "\n" not in text:
        return _EMPTY
    found = []
    for line in text.split("\n"):
        canonical = canonical_text(_LIST_MARK.sub("", line)) if line.strip() else ""
        if canonical and words(canonical) < LEAST_WORDS:
            found.append(_whole(canonical))
    return np.array(found, np.uint64)


def _whole(canonical: str) -> int:
    return _hash(f"\x00{canonical}") | 1


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


@lru_cache(maxsize=200_000)
def _word(word: str) -> int:
    return _hash(word)
