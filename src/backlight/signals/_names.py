"""Runs of capitalised words: the only names that form alone gives away, in scripts that have capitals."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from backlight.signals._words import EMPTY, GERMAN, JOINS

_SENTENCE_END = ".!?…。！？:;：；"
_CLOSING = "\"'”»)"
_TRIM = "\"'“”„«»‹›‘’`()[]{}<>.,;:!?…*_~|—–-。，、！？：；（）【】「」『』《》"
_PRONOUNS = frozenset(("I", "I'm", "I've", "I'd", "I'll", "I’m", "I’ve", "I’d", "I’ll"))
_TITLE_CASE = 0.6
_INITIALS = 5


class Run(NamedTuple):
    """Capitalised words that stand together: tokens[start:end]; `opens` where the first of them begins a sentence."""

    start: int
    end: int
    opens: bool


class Tokens(NamedTuple):
    """A text cut at white space.

    Attributes:
        raw: the tokens as they stand.
        bare: the same without punctuation at both ends; may be empty.
        runs: runs of capitalised words, none where capitals tell nothing (headlines, text in capitals).
        single: whether one capitalised word in mid-sentence tells a name (not in German).
    """

    raw: list[str]
    bare: list[str]
    runs: list[Run]
    single: bool


@lru_cache(maxsize=8)
def tokens(text: str) -> Tokens:
    """Tokens of a text and its capitalised runs. A run goes on over joining words (of, de la, von) and stops at punctuation.

    The last few are remembered, since one text is asked about by several features; nobody may change what comes back.
    """
    raw: list[str] = []
    opening: set[int] = set()
    for line in text.split("\n"):
        opening.add(len(raw))
        raw += line.split()
    bare = [token.strip(_TRIM) for token in raw]
    if text.lower() == text:
        return Tokens(raw, bare, [], False)
    for n, (token, word) in enumerate(zip(raw, bare, strict=True)):
        if token is not word and (_ends_sentence(token, word) or (not word and n in opening)):
            opening.add(n + 1)
    big = [n for n, word in enumerate(bare) if not word.islower() and word[:1].isupper() and not _is_plain(word)]
    inner = len(raw) - len(opening)
    if inner >= 4 and sum(n not in opening for n in big) > _TITLE_CASE * inner:
        return Tokens(raw, bare, [], False)
    german = len(GERMAN.intersection(bare)) >= 2
    return Tokens(raw, bare, _runs(raw, bare, big, opening), not german)


def _is_plain(word: str) -> bool:
    """Pronouns, and words in capitals that stress: long ones, and those that tell nothing."""
    return word in _PRONOUNS or (word.isupper() and (len(word) > _INITIALS or word.lower() in EMPTY))


def _ends_sentence(token: str, word: str) -> bool:
    """Whether a sentence ends with this token: its last sign says so, a closing quotation mark aside; not after an initial."""
    if len(word) < 2:
        return False
    return token[-1] in _SENTENCE_END or (token[-1] in _CLOSING and token[-2] in _SENTENCE_END)


def _runs(raw: list[str], bare: list[str], big: list[int], opening: set[int]) -> list[Run]:
    capital = set(big)
    found: list[Run] = []
    end = 0
    for start in big:
        if start < end:
            continue
        end = start + 1
        while end not in opening and raw[end - 1].endswith(bare[end - 1]):
            step = next((k for k in (0, 1, 2) if end + k in capital), 3)
            if step == 3 or any(bare[n] not in JOINS or raw[n] != bare[n] for n in range(end, end + step)):
                break
            end += step + 1
        found.append(Run(start, end, start in opening))
    return found
