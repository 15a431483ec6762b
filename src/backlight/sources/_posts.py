"""What the post formats share: ids, lists in one cell, languages, parts of a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident
from backlight.sources._format import Flaw
from backlight.sources._items import Item

KINDS = ("post", "repost", "reply", "quote")
_OTHER_KINDS = {"retweet": "repost", "retweeted": "repost", "replied_to": "reply", "quoted": "quote", "boost": "repost"}
_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"}  # old codes that X still writes
_NO_LANGUAGE = frozenset(("und", "zxx", "art", "qam", "qct", "qht", "qme", "qst", "mul"))
_SEPARATORS = str.maketrans(",;|\t\n\r", "      ")


def needed(value: Any, field: str) -> str:
    """An id that must be there.

    Raises:
        RecordError: it is missing or no id.
    """
    found = ident(value, field)
    if found is None:
        raise RecordError(f"{field} is missing", "an id")
    return found


def several(value: Any) -> list[str]:
    """A list, or the parts of a cell that are apart by white space, comma, semicolon or bar."""
    if isinstance(value, list):
        return [part for part in value if isinstance(part, str) and part]
    return value.translate(_SEPARATORS).split() if isinstance(value, str) else []


def links(value: Any) -> list[str]:
    """Links in a cell: apart by white space or bar, or by a comma before the next scheme."""
    if isinstance(value, str):
        value = value.replace(",http", " http").replace(", http", " http").replace("|", " ").split()
    return several(value)


def hashtags(value: Any) -> list[str] | None:
    """Hashtags in a cell or list, without the sign; None for nothing, so that they are looked for in the text."""
    return [tag.lstrip("#＃") for tag in several(value)] or None


def kind_of(value: Any) -> Any:
    """post, repost, reply or quote.

    Raises:
        RecordError: another kind.
    """
    if value in (None, ""):
        return "post"
    kind = value.lower() if isinstance(value, str) else ""
    kind = _OTHER_KINDS.get(kind, kind)
    if kind not in KINDS:
        raise RecordError("a kind of post that is not known", ", ".join(KINDS))
    return kind


def language_of(value: Any) -> str | None:
    """A language tag as given; None where the platform says that it cannot tell."""
    tag = value.strip() if isinstance(value, str) else ""
    return None if not tag or tag in _NO_LANGUAGE or len(tag) > 35 else _LANGUAGES.get(tag, tag)


def text_in(value: Any, field: str = "text") -> str:
    """A text that may be missing.

    Raises:
        RecordError: it is something else.
    """
    if value is None:
        return ""
    if isinstance(value, (str, int, float)):
        return str(value)
    raise RecordError(f"{field} is no text", "a text")


def nested(record: dict[str, Any], expected: str, read: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    """A row with dotted column names as the object it was flattened from, at most eight levels deep.

    Args:
        record: the row; one without dots is given back.
        expected: what its columns should be, for a person.
        read: what becomes of each value.

    Raises:
        RecordError: two columns contradict each other.
    """
    if not any("." in name for name in record):
        return record
    made: dict[str, Any] = {}
    for name, value in record.items():
        if value in (None, ""):
            continue
        *path, last = name.split(".")[:8]
        inner = made
        for step in path:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise RecordError("two columns contradict each other", expected)
        inner.setdefault(last, read(value))
    return made


def guarded(
    where: str, entry: Any, read: Callable[[dict[str, Any]], Iterable[Item | Flaw]], expected: str = "a post"
) -> Iterator[Item | Flaw]:
    """What `read` gives of one part of a record; a flaw if it cannot.

    Args:
        where: the part's place in the record, for a person.
        entry: the part.
        read: what to do with it, if it is an object.
        expected: what it should be, for a person.
    """
    try:
        if not isinstance(entry, dict):
            raise RecordError("no object", expected)
        yield from read(entry)
    except RecordError as error:
        yield Flaw(where, msgspec.json.encode(entry), error)
