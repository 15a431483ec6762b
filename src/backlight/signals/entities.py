"""What a text names: tags, links, addresses, wallets, and candidates for rare names and slogans.

A name is a candidate by form (quotation marks, capitals, inner capitals, hashtags, title marks); whether it is rare is decided
where all accounts are seen. `slogan` is the form under which "Green Harbor Rising", #GreenHarborRising and
`green harbor rising` in a post are one: letters and digits only, of names of two or more words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from backlight.normalise import (
    canonical_hashtag,
    canonical_text,
    canonical_url,
    find_handles,
    find_hashtags,
    find_urls,
    identifier_values,
    registrable_domain,
)
from backlight.signals import _wallets
from backlight.signals._chars import MOST, UNSPACED, UNSPACED_CLASS, clean, pattern
from backlight.signals._names import Tokens, tokens
from backlight.signals._words import PLAIN

CAP = 30
"""Most hard entities (tags, links, addresses) and, apart, most names and slogans of one text."""

KINDS = ("hashtag", "domain", "url", "handle", "email", "phone", "wallet", "name", "slogan")

_LEAST_SLOGAN, _LEAST_DENSE_SLOGAN = 8, 4
_MOST_WORDS, _MOST_SIGNS = 6, 80

_QUOTED = pattern(
    r"\"([^\"\n]+)\"|“([^”\n]+)”|„([^“”\n]+)[“”]|«([^»\n]+)»|‹([^›\n]+)›|「([^」\n]+)」|『([^』\n]+)』|《([^》\n]+)》|〈([^〉\n]+)〉|【([^】\n]+)】"
)
_QUOTES = frozenset('"“„«‹「『《〈【')
_SINGLE = pattern(rf"(?:^|[\s(:，：{UNSPACED_CLASS}])['‘]([^'’\n]+)['’](?:[\s).,!?;:，。；：！？{UNSPACED_CLASS}]|$)")
_EMAIL = pattern(
    r"[^\s@<>()\[\]{}\"'“”«»,;:!?，。；：]+@[^\s@<>()\[\]{}\"'“”«»,;:!?，。；：/]+\.[^\s@<>()\[\]{}\"'“”«»,;:!?，。；：/.]+"
)
_PHONE = pattern(r"(?:^|[^\p{L}\p{N}+])(\+[\s(]?[0-9][0-9\s().\-]{6,20}[0-9])")
_GLUED = pattern(rf"^([\p{{N}}_]*\p{{L}}[\p{{L}}\p{{M}}\p{{N}}_]*?)[{UNSPACED_CLASS}\p{{Hangul}}]")
_LEAST_TAG = 4
_RAW_HASHTAG = pattern(
    rf"(?:^|[^\p{{L}}\p{{N}}_&/#]|[{UNSPACED_CLASS}])[#＃]([\p{{N}}_]*[\p{{L}}][\p{{L}}\p{{M}}\p{{N}}_]*)[#＃]?"
)
_HUMPS = pattern(r"[\p{Lu}\p{Lt}]+[\p{Ll}\p{M}]*|[\p{Ll}\p{Lo}\p{Lm}\p{M}]+|\p{N}+")


class Entity(NamedTuple):
    """One thing named in one text.

    Attributes:
        kind: one of `KINDS`.
        value: canonical value, to be hashed under its kind.
        quoted: stands in quotation marks or in a pasted document.
    """

    kind: str
    value: str
    quoted: bool


def entities(text: str, *, quoted: bool = False) -> list[Entity]:
    """What a prompt, document or answer names, at most `CAP` hard entities and `CAP` names, longest first.

    Args:
        text: the first 20,000 characters are looked at.
        quoted: the text is itself a pasted document.
    """
    text = clean(text[:MOST])
    found = _hard(text, [form for tag in find_hashtags(text) for form in _readings(tag)], _urls(text), quoted)
    return found + _soft(_names(text, tokens(text), quoted, at_start=False))


def entities_of_post(text: str, hashtags: Sequence[str] | None = None, urls: Sequence[str] = ()) -> list[Entity]:
    """The same kinds of a post, so that its keyed hashes meet those of prompts and answers.

    A post counts names at the beginning of a sentence too: here a surplus does no harm, since what is sought is what a
    prompt named.

    Args:
        text: the post.
        hashtags: as the platform gives them, without sign; None looks for them in the text.
        urls: as the platform gives them; those in the text are added.
    """
    text = clean(text[:MOST])
    given = find_hashtags(text) if hashtags is None else [canonical_hashtag(tag) for tag in hashtags]
    tags = [form for tag in given for form in _readings(tag)]
    found = _hard(text, tags, [*urls, *_urls(text)], False)
    names = _names(text, tokens(text), False, at_start=True)
    names += [("", tag, False) for tag in tags]
    return found + _soft(names)


def _readings(tag: str) -> tuple[str, ...]:
    """A tag as it stands and, where text in a script without spaces (or Hangul) is glued to a tag in another script, the tag
    without it: platforms read `#Harbor話題` as one tag, its writer mostly did not.
    """
    head = _GLUED.match(tag)
    alone = head.group(1).rstrip("_") if head else ""
    return (tag, alone) if len(alone) >= _LEAST_TAG and not UNSPACED.search(alone) else (tag,)


def slogan(name: str) -> str | None:
    """The joined form of a name or hashtag: letters and digits only; None where too short to tell anything (under 8, or 4
    characters of a script without spaces).
    """
    joined = canonical_text(name).replace(" ", "").replace("_", "")
    least = _LEAST_SLOGAN if joined.isascii() or not UNSPACED.search(joined) else _LEAST_DENSE_SLOGAN
    return joined if least <= len(joined) <= _MOST_SIGNS else None


def slogan_candidates(text: str) -> list[str]:
    """Every joined form that a post could carry in running text: 2 to 6 words in a row (4 to 12 characters without spaces).

    Hash them under the kind "slogan" and look them up among slogans that prompts named. Looks at 4,000 characters.
    """
    words = canonical_text(text[:4_000]).split()
    found: dict[str, None] = {}
    for n, word in enumerate(words):
        joined = word
        for following in words[n + 1 : n + _MOST_WORDS]:
            joined += following
            if _LEAST_SLOGAN <= len(joined) <= _MOST_SIGNS:
                found[joined] = None
        if not word.isascii() and UNSPACED.search(word):
            found |= {word[m : m + k]: None for k in range(_LEAST_DENSE_SLOGAN, 13) for m in range(len(word) - k + 1)}
    return list(found)


# ---------------------------------------------------------------- hard entities


def _urls(text: str) -> list[str]:
    """Links of a text; the host of an e-mail address is none."""
    return find_urls(_EMAIL.sub(" ", text) if "@" in text else text)


def _hard(text: str, hashtags: Iterable[str], urls: Iterable[str], quoted: bool) -> list[Entity]:
    found: dict[tuple[str, str], None] = {}
    for tag in hashtags:
        if tag:
            found["hashtag", tag] = None
    for url in urls:
        whole, domain = canonical_url(url), registrable_domain(url)
        if whole and domain:
            found["url", whole] = found["domain", domain] = None
    if "@" in text or "＠" in text:
        found |= {("handle", handle): None for handle in find_handles(text)}
        for match in _EMAIL.finditer(text):
            found |= {(kind, value): None for kind, value in identifier_values("email", match.group(0)) if kind == "email"}
    if "+" in text:
        for match in _PHONE.finditer(text):
            found |= dict.fromkeys(identifier_values("phone", match.group(1)))
    for wallet in _wallets.find(text):
        found["wallet", wallet] = None
    inside = "\n".join(_quoted_spans(text)).casefold() if found and not quoted else ""
    return [Entity(kind, value, quoted or (bool(inside) and value in inside)) for kind, value in list(found)[:CAP]]


# ---------------------------------------------------------------- names

_Name = tuple[str, str, bool]  # name as written (empty: no name of its own), source of the slogan (or empty), quoted


def _names(text: str, cut: Tokens, quoted: bool, *, at_start: bool) -> list[_Name]:
    found: list[_Name] = []
    for span in _quoted_spans(text):
        found += _quoted_name(span)
    for tag in _RAW_HASHTAG.finditer(text) if "#" in text or "＃" in text else ():
        found += [(" ".join(_humps(form)), form, quoted) for form in _readings(tag.group(1))]
    if len(cut.raw) == 1 and UNSPACED.search(text):
        return found
    for run in cut.runs:
        first = run.start + 1 if run.opens and not at_start else run.start
        words = [_bare(word) for word in cut.bare[first : run.end]]
        while words and words[0].casefold() in PLAIN:
            words.pop(0)
        if len(words) > 1 and len(words) <= 2 * _MOST_WORDS:
            found.append((" ".join(words), " ".join(words), quoted))
        elif len(words) == 1 and cut.single and not (run.opens and first == run.start) and _name_like(words[0]):
            found.append((words[0], words[0] if _humped(words[0]) else "", quoted))
    if cut.runs:
        small = (word for word in cut.bare if not word.islower() and word[:1].islower())
        found += [(word, word, quoted) for word in small if _humped(word) and word.isalpha()]
    return found


@lru_cache(maxsize=65_536)
def _forms(name: str, source: str) -> tuple[str, str | None]:
    """Canonical value of a name, and its slogan; empty and None where there is none worth keeping."""
    value = canonical_text(name) if name else ""
    joined = slogan(source) if source else None
    kept = value and not value.replace(" ", "").isdigit() and value not in PLAIN
    return value if kept else "", joined if joined and not joined.isdigit() and joined not in PLAIN else None


def _soft(names: Iterable[_Name]) -> list[Entity]:
    found: dict[tuple[str, str], bool] = {}
    for name, source, quoted in names:
        value, joined = _forms(name, source)
        if value:
            found["name", value] = found.get(("name", value), False) or quoted
        if joined:
            found["slogan", joined] = found.get(("slogan", joined), False) or quoted
    ordered = sorted(found.items(), key=lambda item: (-len(item[0][1]), item[0]))[:CAP]
    return [Entity(kind, value, quoted) for (kind, value), quoted in ordered]


def _quoted_spans(text: str) -> list[str]:
    spans: list[str] = []
    if any(mark in text for mark in _QUOTES):
        spans += [next(group for group in match.groups() if group) for match in _QUOTED.finditer(text)]
    if "'" in text or "‘" in text:
        spans += [match.group(1) for match in _SINGLE.finditer(text)]
    return spans


def _quoted_name(span: str) -> list[_Name]:
    """A quoted span as a name, where it has one to six words (2 to 24 characters without spaces) and some letter."""
    if len(span) > 2 * _MOST_SIGNS or not any(map(str.isalpha, span)):
        return []
    words = canonical_text(span).split()
    dense = not span.isascii() and UNSPACED.search(span) is not None
    if not words or len(words) > _MOST_WORDS or (dense and not 2 <= len(span) <= 24) or (not dense and len(span.strip()) < 3):
        return []
    several = len(words) > 1 or dense or _humped(words[0])
    return [(span, span if several else "", True)]


def _humps(tag: str) -> list[str]:
    """The words of a hashtag: cut at changes of case, at digits and underscores."""
    if tag.isupper() or tag.islower():
        return [part for part in tag.split("_") if part]
    return [part for piece in tag.split("_") for part in _HUMPS.findall(piece)]


def _humped(word: str) -> bool:
    """Capitals inside the word after a small letter: GreenHarbor, eHarbor; not HTML, not a plural of initials."""
    return any(a.islower() and b.isupper() for a, b in pairwise(word)) and len(word) >= 5


def _bare(word: str) -> str:
    for ending in ("'s", "’s"):
        word = word.removesuffix(ending)
    return word


def _name_like(word: str) -> bool:
    return len(word) >= 4 and word.isalpha() and word.casefold() not in PLAIN
