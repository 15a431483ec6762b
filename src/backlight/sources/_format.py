"""What a format is, and how one is registered.

A format is one file in this folder: how its records look, and how one record becomes items. Containers (JSONL, JSON,
CSV, Parquet, SQLite, gzip, zstd, zip) are common code, so a format sees decoded records only::

    @source(
        name="shape", title="An example", kind="interactions", rank=50, containers=("jsonl", "json"),
        text=True, gives=("end_user",), signature=(Rule(("shape", "meta.user"), 0.95),), record=ShapeRecord,
    )
    def shape(record: ShapeRecord, context: Context) -> Iterable[Item]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from backlight.errors import RecordError
from backlight.sources import _json
from backlight.sources._items import Item

Kind = Literal["interactions", "posts", "platform_accounts", "identifiers"]
Container = Literal["jsonl", "json", "csv", "parquet", "sqlite"]

KEEP = 4096
"""Bytes kept of a record that is too long to hold."""


class Raw(msgspec.Struct, frozen=True):
    """One record as cut out of its container.

    Attributes:
        place: where it stands: `line 17`, `element 3`, `row 12 of group 0`.
        data: its bytes, JSON on one line (rows of CSV and Parquet become JSON objects); of a record that is `wrong` as
            much as is kept.
        length: its bytes in the source.
        wrong: why it could not be cut out whole; `Format.parse` raises it.
    """

    place: str
    data: bytes
    length: int = -1
    wrong: RecordError | None = None

    def __post_init__(self) -> None:
        if self.length < 0:
            msgspec.structs.force_setattr(self, "length", len(self.data))


class Reject(msgspec.Struct, frozen=True):
    """One record that cannot become items: its place, its length in bytes, the bytes kept of it, and the reason."""

    place: str
    length: int
    data: bytes
    reason: str


class Flaw(msgspec.Struct, frozen=True):
    """What a reader yields for one part of a record, such as one post of a page, that cannot become an item."""

    where: str
    data: bytes
    wrong: RecordError


class Chunk(msgspec.Struct, frozen=True):
    """Whole lines of a JSONL file.

    Attributes:
        offset: bytes (after decompression) before it in the file.
        data: the lines; of a line that is too long its first bytes only.
        line: number of its first line, from 1.
        length: its bytes in the file; the next chunk begins at `offset + length`.
        wrong: set where `data` is not whole lines: one line that is too long, or the place where the file broke off.
    """

    offset: int
    data: bytes
    line: int
    length: int
    wrong: RecordError | None = None

    @property
    def next_line(self) -> int:
        """Number of the line after it."""
        return self.line + (1 if self.wrong else self.data.count(b"\n"))


class Parsed(msgspec.Struct):
    """What records came to: how many there were, the items of the good ones, the rejects. Rows read are both together."""

    items: list[Item]
    rejects: list[Reject]
    records: int = 0


@dataclass(frozen=True)
class Rule:
    """One line of a signature.

    Attributes:
        fields: dotted paths that must all be present; `a[].b` looks into the first element of a list, `a|b` takes
            either, `a.b*` any key that starts so.
        confidence: of the format where the rule holds, 0 to 1.
        unless: paths none of which may be present.
        where: a further test on the record.
    """

    fields: tuple[str, ...]
    confidence: float
    unless: tuple[str, ...] = ()
    where: Callable[[dict[str, Any]], bool] | None = None

    def share(self, record: dict[str, Any]) -> float:
        """The share of its fields that the record has; 1 only where the whole rule holds."""
        held = sum(1 for path in self.fields if _present(record, path))
        share = held / len(self.fields)
        if share == 1 and (
            any(_present(record, path) for path in self.unless) or not (self.where is None or self.where(record))
        ):
            return 0.5
        return share

    def __str__(self) -> str:
        text = " + ".join(self.fields)
        return f"{text}, without {' or '.join(self.unless)}" if self.unless else text


@dataclass(frozen=True)
class Context:
    """What a reader may need beside the record.

    Attributes:
        mapping: a checked mapping for the format `mapped`.
        platform: platform of posts, where neither the file nor the mapping says.
    """

    mapping: Any = None
    platform: str | None = None


NO_CONTEXT = Context()
_Read = Callable[[Any, Context], Iterable[Item | Flaw]]
_Quick = Callable[[bytes, Context], Item]


@dataclass(frozen=True)
class Format:
    """A format that Backlight reads.

    Attributes:
        name: as in `--format`.
        title: for people.
        kind: what its records become.
        text: whether what was written is in them.
        gives: identity and link fields they can hold: end_user, user, key, organisation, address, user_agent, ...
        containers: what it may come in.
        signature: its rules; one that holds is enough.
        rank: order of detection; specific formats (10) before shapes (50) before generic ones (90).
        read: record -> items; raises RecordError, or yields a `Flaw` for a part.
        record: type that a record is decoded into.
        quick: bytes of one record -> its item by a shorter way; any ValueError from it sends the record to `read`.
        needs_mapping: whether it reads nothing without a mapping.
        tables: names of the tables that it reads, where it comes as a database.
        also: formats whose records its reader takes too, since both stand in one log.
        about: a sentence on what is special or missing.
    """

    name: str
    title: str
    kind: Kind
    text: bool
    gives: tuple[str, ...]
    containers: tuple[Container, ...]
    signature: tuple[Rule, ...]
    rank: int
    read: _Read = field(repr=False)
    record: Any = field(default=dict, repr=False)
    quick: _Quick | None = field(default=None, repr=False)
    needs_mapping: bool = False
    tables: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    about: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_decode", _json.decoder(self.record))

    @property
    def rules(self) -> list[str]:
        """Its signature in words, each rule with its confidence."""
        return [f"{rule} ({round(rule.confidence * 100)}%)" for rule in self.signature]

    def parse(self, raw: Raw, context: Context = NO_CONTEXT) -> list[Item]:
        """The items of one record.

        Raises:
            RecordError: it, or a part of it, cannot become items; `parse_records` keeps the good parts.
        """
        parsed = self.parse_records([raw], context)
        if parsed.rejects:
            raise RecordError(parsed.rejects[0].reason)
        return parsed.items

    def parse_records(self, raws: Iterable[Raw], context: Context = NO_CONTEXT) -> Parsed:
        """The items and rejects of records: what ingest calls on containers other than JSONL."""
        parsed = Parsed([], [])
        for raw in raws:
            parsed.records += 1
            if raw.wrong is not None:
                parsed.rejects.append(Reject(raw.place, raw.length, raw.data, str(raw.wrong)))
                continue
            quick = self._quickest(raw.data)
            if quick is not None:
                try:
                    parsed.items.append(quick(raw.data, context))
                    continue
                except (ValueError, RecursionError, RecordError):
                    pass  # the long way finds out what it is
            self._parse(raw.place, raw.data, context, parsed)
        return parsed

    def parse_lines(self, chunk: Chunk | bytes, context: Context = NO_CONTEXT) -> Parsed:
        """The items and rejects of whole JSONL lines: what ingest's workers call on each chunk."""
        chunk = chunk if isinstance(chunk, Chunk) else Chunk(0, chunk, 1, len(chunk))
        if chunk.wrong is not None:
            return Parsed([], [Reject(f"line {chunk.line}", chunk.length, chunk.data[:KEEP], str(chunk.wrong))], 1)
        items: list[Item] = []
        parsed = Parsed(items, [])
        data, quick, append = chunk.data, self._quickest(chunk.data), items.append
        start, number, size, blank = 0, chunk.line - 1, len(data), 0
        while start < size:  # cut as it goes: splitting 16 MB at once costs more than half of what decoding them does
            end = data.find(b"\n", start)
            if end < 0:
                end = size
            line = data[start:end]
            start, number = end + 1, number + 1
            if quick is not None:
                try:
                    append(quick(line, context))
                    continue
                except (ValueError, RecursionError, RecordError):
                    pass  # the long way finds out what it is
            if line and not line.isspace():
                self._parse(f"line {number}", line.rstrip(b"\r"), context, parsed)
            else:
                blank += 1
        parsed.records = number + 1 - chunk.line - blank
        return parsed

    def _quickest(self, data: bytes) -> _Quick | None:
        """The short way; unless all of the data is UTF-8, with a check that of each record its unread fields are too."""
        return self.quick if self.quick is None or _json.is_utf8(data) else self._quick_if_utf8

    def _quick_if_utf8(self, data: bytes, context: Context) -> Item:
        assert self.quick is not None
        data.decode()
        return self.quick(data, context)

    def _parse(self, place: str, data: bytes, context: Context, parsed: Parsed) -> None:
        """The long way of one record: its items, or its rejects."""
        before = len(parsed.items)
        try:
            for item in self.read(self._decode(data), context):  # type: ignore[attr-defined]
                if isinstance(item, Flaw):
                    where = f"{place}, {item.where}"
                    parsed.rejects.append(Reject(where, len(item.data), item.data, str(item.wrong)))
                else:
                    parsed.items.append(item)
        except (RecordError, RecursionError) as error:  # the decoder goes deeper than a reader that stands deeper itself
            del parsed.items[before:]  # a record that turns out wrong half way gives nothing
            reason = str(error) if isinstance(error, RecordError) else str(_json.too_deep())
            parsed.rejects.append(Reject(place, len(data), data, reason))


FORMATS: dict[str, Format] = {}


def tables_read() -> tuple[str, ...]:
    """Names of the tables that some format reads: others, which may hold passwords, are never looked at."""
    return tuple(sorted({table for format in FORMATS.values() for table in format.tables}))


def source(
    *,
    name: str,
    title: str,
    kind: Kind,
    text: bool,
    gives: tuple[str, ...],
    containers: tuple[Container, ...],
    signature: tuple[Rule, ...],
    rank: int,
    record: Any = dict,
    quick: _Quick | None = None,
    needs_mapping: bool = False,
    tables: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
    about: str = "",
) -> Callable[[_Read], _Read]:
    """Registers a reader; the arguments are the attributes of `Format`, which see.

    Raises:
        ValueError: the name is taken.
    """

    def register(read: _Read) -> _Read:
        if name in FORMATS:
            raise ValueError(f"two formats are called {name}")
        FORMATS[name] = Format(
            name, title, kind, text, gives, containers, signature, rank, read, record, quick, needs_mapping, tables, also, about
        )
        for key in sorted(FORMATS, key=lambda n: (FORMATS[n].rank, n)):
            FORMATS[key] = FORMATS.pop(key)
        return read

    return register


def _present(value: Any, path: str) -> bool:
    return any(_has(value, option.split(".")) for option in path.split("|"))


def _has(value: Any, steps: list[str]) -> bool:
    for index, step in enumerate(steps):
        if not isinstance(value, Mapping):
            return False
        if step.endswith("*"):
            return any(isinstance(key, str) and key.startswith(step[:-1]) for key in value)
        name = step.removesuffix("[]")
        dotted = ".".join(steps[index:])
        if dotted in value:  # columns of CSV and Parquet carry dots in their names
            return True
        if name not in value:
            return False
        value = value[name]
        if step.endswith("[]"):
            if not isinstance(value, list) or not value:
                return False
            value = value[0]
    return True
