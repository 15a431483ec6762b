"""What every text feature needs to know about characters: bounds, cleaning, scripts, quotation marks."""

from __future__ import annotations

import unicodedata

import re2

MOST = 20_000
"""Characters of one part of a text (instruction, document, answer, post) that a feature looks at."""

_HEAD, _TAIL = 90_000, 10_000


def pattern(text: str) -> re2._Regexp:
    """A pattern with room for its automaton: RE2's default, 8 MB, is too little for long lists in many scripts."""
    options = re2.Options()
    options.max_mem = 64 << 20
    options.log_errors = False
    return re2.compile(text, options)


UNSPACED_CLASS = (
    r"\x{0E00}-\x{0EFF}\x{1000}-\x{109F}\x{1780}-\x{17FF}\x{3005}-\x{3007}\x{3040}-\x{30FF}\x{31F0}-\x{31FF}"
    r"\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{F900}-\x{FAFF}\x{FF66}-\x{FF9F}\x{20000}-\x{323AF}"
)
"""RE2 class of scripts that write without spaces: Thai, Lao, Myanmar, Khmer, kana, Han."""

UNSPACED = re2.compile(f"[{UNSPACED_CLASS}]")

QUOTES = {
    '"': '"', "“": "”", "„": "“”", "«": "»", "»": "«", "‹": "›", "「": "」", "『": "』", "《": "》", "〈": "〉",
    "＂": "＂", "〝": "〞〟",
}  # fmt: skip
"""Opening quotation marks with the marks that may close them."""

_INVISIBLE = dict.fromkeys(
    [0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
)

_ANY_INVISIBLE = pattern("[" + "".join(rf"\x{{{code:X}}}" for code in _INVISIBLE) + "]")


def clean(text: str) -> str:
    """The text without what has no UTF-8 form (lone surrogates) and without invisible signs: zero width, soft hyphens, bidi."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "replace").decode()
    return text.translate(_INVISIBLE) if _ANY_INVISIBLE.search(text) else text


def _without_accents() -> dict[int, str]:
    """Latin letters with marks, in small letters, and the letters that they are made from."""
    table = {0xDF: "ss", 0x131: "i", 0x111: "d", 0xF8: "o", 0xE6: "ae", 0x153: "oe", 0x142: "l"}
    for code in [*range(0xC0, 0x250), *range(0x1E00, 0x1F00)]:
        base = unicodedata.normalize("NFKD", chr(code))[0]
        if base.isascii() and base.isalpha():
            table[code] = base.lower()
    return table


_PLAIN_LATIN = _without_accents()


def plain(text: str) -> str:
    """Small letters, Latin ones without their marks, so that RE2's word boundary, which knows ASCII only, finds words."""
    text = text.lower()
    return text if text.isascii() else text.translate(_PLAIN_LATIN)


def bounded(text: str) -> str:
    """At most 100,000 characters: the beginning and the end of what is longer, since either may hold the instruction."""
    return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n\n{text[-_TAIL:]}"
