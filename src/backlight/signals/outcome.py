"""Whether a model did what it was asked, from the answer's words alone: complied, refused, partly or unknown.

A refusal is the model speaking for itself at the opening of its answer. So the opening counts, quotations and letters are
left out, and a phrase must stand in a sentence that it begins or nearly begins. What provider fields say comes before this.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
import re2

from backlight.signals._chars import clean, pattern, plain
from backlight.signals._refusals import PATTERNS
from backlight.signals.language import language

Outcome = Literal["complied", "refused", "partly", "unknown"]

REFUSALS = ("refused", "blocked")
"""Outcomes of a request that was not answered for what it asks: by the model, or by a filter before or behind it."""


def settled_outcome(logged: str | None, said: str | None) -> str:
    """The outcome of a turn: what the provider's fields say of a refusal first, what the answer says second.

    Args:
        logged: as the log has it.
        said: `Outcome` of the answer's text, where there is one.
    """
    return logged if logged in (*REFUSALS, "partly") else said or logged or "unknown"


_LOOKED_AT = 6_000
_OPENING = 420
_OPENING_SENTENCES = 4
_LEAD_IN = 150
_DELIVERED = 300
_LONG_ENOUGH_TO_SPLIT = 400


class _Script(NamedTuple):
    """The phrases of all languages of one script, each list as one pattern."""

    refusals: re2._Regexp
    omissions: re2._Regexp
    deliveries: re2._Regexp
    reported: re2._Regexp


# Languages of one script, with the high bytes of its code points.
_GROUPS = (
    ("en es fr de pt it id tr vi", frozenset((0x01, 0x02, 0x1E))),
    ("ru", frozenset((0x04, 0x05))),
    ("ar", frozenset((0x06, 0x07))),
    ("hi", frozenset((0x09,))),
    ("zh ja", frozenset(range(0x30, 0xA0))),
    ("ko", frozenset(range(0xAC, 0xD8))),
)
_LATIN = _GROUPS[0][0]


@cache
def _script(tags: str) -> _Script:
    lists = zip(*(PATTERNS[tag] for tag in tags.split()), strict=True)
    return _Script(
        *(pattern(_plain_pattern("|".join(f"(?:{phrase})" for group in phrases for phrase in group))) for phrases in lists)
    )


def _plain_pattern(text: str) -> str:
    """The pattern for texts that went through `plain`; classes such as \\p{L} keep their capitals."""
    return "".join(sign if sign.isascii() else plain(sign) for sign in text)


def _scripts(text: str) -> list[_Script]:
    """The phrase lists of the scripts that the opening is written in."""
    signs = set(text[:_OPENING])
    pages = {ord(sign) >> 8 for sign in signs}
    found = [tags for tags, own in _GROUPS if not own.isdisjoint(pages)]
    if _LATIN not in found and any(sign.isalpha() for sign in signs if sign < "\u0100"):
        found.insert(0, _LATIN)
    return [_script(tags) for tags in found]


_LETTER = pattern(
    r"(?i)^[\s*_#>]*(?:dear|to whom|subject\s?:|re\s?:|hi\s[\p{L} ]+,"
    r"|hello\s[\p{L} ]+,|здравствуйте,\s?\p{Lu}|уважаем|дорог(?:ой|ая|ие)|тема\s?:"
    r"|estimad[oa]s?|querid[oa]s?|asunto\s?:|chère?s?\s|madame|monsieur|objet\s?:"
    r"|bonjour\s\p{Lu}|sehr geehrte|liebe[rs]?\s|betreff\s?:"
    r"|prezad[oa]s?|car[oa]s?\s|assunto\s?:|kepada|yth|perihal\s?:|尊敬的|亲爱的|敬启者|主题[:：]|拝啓|件名[:：]|前略|친애하는|존경하는"
    r"|عزيزي|عزيزتي|السيد|السادة|حضرة|الموضوع|kính gửi|thân gửi|प्रिय|महोदय|सेवा में)"
)
_QUOTED = pattern(
    r"\"[^\"\n]*\"|“[^”\n]*”|„[^“”\n]*[“”]|«[^»\n]*»|「[^」\n]*」|『[^』\n]*』|‘[^’\n]*’|```(?:[^`]|`[^`]|``[^`])*(?:```|$)|`[^`\n]*`|(?:^|\n)\s*>[^\n]*"
)
_DIALOGUE = pattern(r"^\s*(?:[—–―]|-\s|\d{1,2}[.)]\s|[•·*]\s|(\p{Lu}\p{L}*(?: \p{Lu}\p{L}*)?)[:：]\s)")
_ITSELF = frozenset(
    ("assistant", "ai", "answer", "response", "note", "ответ", "respuesta", "réponse", "antwort", "resposta", "jawaban")
)
_SENTENCE = pattern(r"[.!?。！？।؟]+[\s\"”»)]*|\n+")
_LETTERS = 2
_UNREAD_SCORE = 0.5
_READ = frozenset((*PATTERNS, "und"))


def outcome_of(output: str, *, prompt: str | None = None, tag: str | None = None) -> Outcome:
    """What an answer's text says.

    Args:
        output: the answer; its first 6,000 characters are looked at.
        prompt: what was asked, where it is at hand: a refusal that the prompt itself holds (to be translated, polished or
            discussed) is then content and no outcome.
        tag: the answer's language where it is known already.

    Returns:
        `refused` where the model declines at the opening; `partly` where it declines a part and delivers another;
        `unknown` for an empty answer, and for one without a refusal in a language whose refusals we do not know;
        else `complied`.
    """
    text = _readable(output)
    if not any(map(str.isalnum, text[:200])):
        return "unknown"
    scripts = _scripts(text)
    declined = None if _LETTER.search(text[:80]) else _declines(text, scripts)
    if declined is None:
        if _omits(text, scripts):
            return "partly"
        return "complied" if (tag or _tag(text)) in _READ else "unknown"
    if prompt is not None and _holds_refusal(prompt):
        return "complied"
    return "partly" if _delivers(text, declined, scripts) else "refused"


def _readable(output: str) -> str:
    text = clean(output[:_LOOKED_AT])
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return text.replace("’", "'").replace("ʼ", "'").strip()


def _declines(text: str, scripts: list[_Script]) -> int | None:
    """Where the sentence of the opening ends in which the model refuses, or None."""
    opening = text[: _OPENING + _LEAD_IN]
    lowered = plain(opening)
    scripts = [script for script in scripts if script.refusals.search(lowered)]
    at = 0
    for sentence in _opening_sentences(opening) if scripts else ():
        start, at = at, at + len(sentence)
        if _is_spoken_by_others(text, start):
            continue
        spoken = plain(_QUOTED.sub(" _ ", sentence)).strip()
        if any(_speaks(script.refusals, script.reported, spoken) for script in scripts):
            return at
    return None


def _speaks(phrases: re2._Regexp, reported: re2._Regexp, spoken: str) -> bool:
    """Whether a phrase stands near the beginning of a sentence, and nobody else is said to say it."""
    match = phrases.search(spoken)
    return match is not None and match.start() <= _LEAD_IN and not reported.search(spoken[: match.start()])


def _opening_sentences(opening: str) -> list[str]:
    """The first sentences with what ends them, together the beginning of `opening`."""
    found, at = [], 0
    for match in _SENTENCE.finditer(opening):
        if match.end() > at:
            found.append(opening[at : match.end()])
            at = match.end()
        if len(found) >= _OPENING_SENTENCES or at > _OPENING:
            return found
    return [*found, opening[at:]]


def _is_spoken_by_others(text: str, at: int) -> bool:
    """Whether the line is one of a list or of a dialogue, or the place lies inside a quotation."""
    line = text[text.rfind("\n", 0, at) + 1 :][:60]
    match = _DIALOGUE.search(line)
    speaker = match.group(1) if match else None
    return (match is not None and (speaker or "").lower() not in _ITSELF) or _within_quotes(text, at)


def _within_quotes(text: str, at: int) -> bool:
    """Whether the place lies inside a quotation that began before it."""
    before = text[:at]
    return (
        before.count('"') % 2 == 1
        or before.count("“") > before.count("”")
        or before.count("«") > before.count("»")
        or before.count("「") > before.count("」")
        or before.count("```") % 2 == 1
    )


def _delivers(text: str, end: int, scripts: list[_Script]) -> bool:
    """Whether a good part of what was asked follows the refusal: it says so, and something of length follows."""
    rest = text[end:]
    near = plain(text[max(0, end - 2 * _LEAD_IN) : end] + rest[:_OPENING])
    return len(rest) >= _DELIVERED * _density(rest) and any(script.deliveries.search(near) for script in scripts)


def _density(text: str) -> float:
    """How few characters say as much as one of an alphabet."""
    codes = np.frombuffer(text[:300].encode("utf-32-le"), np.uint32)
    dense = ((codes >= 0x2E80) & (codes <= 0x9FFF)) | ((codes >= 0xAC00) & (codes <= 0xD7AF))
    return 0.4 if 3 * int(dense.sum()) > len(codes) else 1.0


def _omits(text: str, scripts: list[_Script]) -> bool:
    """Whether an answer that delivers says that it left a part out on purpose."""
    if len(text) < _LONG_ENOUGH_TO_SPLIT and len(text) < _LONG_ENOUGH_TO_SPLIT * _density(text):
        return False
    lowered = plain(text)
    scripts = [script for script in scripts if script.omissions.search(lowered)]
    if not scripts or _LETTER.search(text[:80]):
        return False
    sentences = _SENTENCE.split(plain(_QUOTED.sub(" _ ", text)))
    return any(_speaks(script.omissions, script.reported, one.strip()) for one in sentences for script in scripts)


def _holds_refusal(prompt: str) -> bool:
    text = plain(_readable(prompt))
    return any(script.refusals.search(text) for script in _scripts(text[-_OPENING:]))


def _tag(text: str) -> str:
    tag, score = language(text)
    return tag if score >= _UNREAD_SCORE else "und"
