"""The workflow fingerprint: one instruction with its fill-ins masked, so that one template gives one skeleton.

Masked are links, addresses, handles, hashtags, quotations, numbers, dates and names. Names are told by form alone: capitals in
mid-sentence (Latin, Cyrillic, Greek ...), and before an honorific in Chinese, Japanese and Korean; other scripts have no such
sign, and nothing is guessed there.
"""

from __future__ import annotations

from backlight.normalise import canonical_text
from backlight.signals._chars import MOST, UNSPACED, clean, pattern
from backlight.signals._names import Tokens, tokens
from backlight.signals._words import DATES, EMPTY
from backlight.signals.masking import EAST_NAME, LATIN_IN_EAST, MARKED, SINGLE_QUOTED, mostly_unspaced

MASK = "\N{CYRILLIC LETTER MULTIOCULAR O}"
"""Stands for anything masked: a letter that stands in one manuscript of the fifteenth century and in no prompt."""

LEAST_CONTENT_WORDS = 4

# Stand for the mask while patterns run (google-re2 garbles a replacement that is not ASCII) and while the text is folded (which
# keeps letters, and is quick where all are ASCII).
_HOLE, _HOLE_WORD = "\x01", "zqhqz"

_LEAST_LETTERS = 3

_EAST_NUMBER = pattern(
    r"[一二三四五六七八九十百千万两兩〇]+(条|條|篇|个|個|份|段|句|字|次|天|名|位|月|日|年|点|點|件|つ|人|回|本|枚|通|種|种|分|小时|時間|週|周)"
)
_DIGITS = pattern(r"[\p{Nd}]+(?:[.,:/\-年月][\p{Nd}]+)*%?")


def skeleton(instruction: str) -> str | None:
    """The masked and folded form of an instruction; None where fewer than four content words remain.

    Looks at the first 20,000 characters. Hashed by the caller under the kind "skeleton".
    """
    text = clean(instruction[:MOST])
    text = _mask_marks(text.replace(_HOLE, " ") if _HOLE in text else text)
    dense = not text.isascii() and UNSPACED.search(text) is not None
    if dense:
        text = _EAST_NUMBER.sub(rf"{_HOLE}\1", EAST_NAME.sub(_HOLE, text))
        text = LATIN_IN_EAST.sub(_HOLE, text) if text.lower() != text and mostly_unspaced(text) else text
        text = _DIGITS.sub(_HOLE, text)
    elif not text.isascii():
        text = EAST_NAME.sub(_HOLE, text)
    if _HOLE in text:
        text = text.replace(_HOLE, f" {_HOLE_WORD} ")
    folded = canonical_text(_mask_words(tokens(text)))
    parts = [part.strip() for part in folded.split(_HOLE_WORD)]
    kept = [part for n, part in enumerate(parts) if part or n in (0, len(parts) - 1)]
    return f" {MASK} ".join(kept).strip() if _content_words(kept) >= LEAST_CONTENT_WORDS else None


def _mask_marks(text: str) -> str:
    if MARKED.search(text):
        text = MARKED.sub(f" {_HOLE} ", text)
    if "'" in text or "‘" in text:
        text = SINGLE_QUOTED.sub(rf"\1{_HOLE}\2", text)
    return text


def _mask_words(cut: Tokens) -> str:
    """The tokens in a row, names, numbers and dates masked."""
    out = list(cut.raw)
    for n, word in enumerate(cut.bare):
        if word in DATES or (not word.isalpha() and any(map(str.isdigit, word)) and UNSPACED.search(word) is None):
            out[n] = _HOLE_WORD
    for run in cut.runs:
        several = run.end - run.start > 1
        if run.opens:
            # The first word of a text is most often what is to be done; a later sentence may begin with a name.
            first = run.start if run.start and several else run.start + 1
        else:
            first = run.start if several or cut.single else run.end
        for n in range(first, run.end):
            out[n] = _HOLE_WORD
    return " ".join(out)


def _content_words(parts: list[str]) -> int:
    """How many words say something about the task; stops counting at `LEAST_CONTENT_WORDS`."""
    count = 0
    for word in " ".join(parts).split():
        if word.isascii() or not UNSPACED.search(word):
            count += (
                (len(word) >= _LEAST_LETTERS or "\uac00" <= word[0] <= "\ud7af") and word not in EMPTY and word not in DATES
            )
        else:
            count += sum(1 for sign in word[: 8 * LEAST_CONTENT_WORDS] if not "\u3040" <= sign <= "\u309f") // 2
        if count >= LEAST_CONTENT_WORDS:
            break
    return count
