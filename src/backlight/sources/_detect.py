"""Tells the format of a file from its first records, with a stated confidence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from backlight.errors import RecordError, RequestError, UnknownFormat
from backlight.sources import _csv, _json, _scan, _tables
from backlight.sources._containers import Opened, open_source
from backlight.sources._format import FORMATS, Format, Raw, tables_read
from backlight.sources._streams import HEAD

SURE = 0.8
"""Below this confidence a file has no format."""

SAMPLE = 20
"""Records that vote."""

_BEGINNING = 1 << 18  # of a record longer than the head
_PARTLY = 0.6  # most that a format gets for a record of which only some fields are there


class Detection(msgspec.Struct, frozen=True):
    """What a file seems to be.

    Attributes:
        format: the format, if one is sure.
        confidence: of the best guess, 0 to 1.
        guesses: the two best, name and confidence, best first.
        container: jsonl, json, csv, parquet, sqlite or empty.
        columns: fields of the first record, for the message to a person; names only, at most twenty.
    """

    format: Format | None
    confidence: float
    guesses: list[tuple[str, float]]
    container: str
    columns: list[str]

    def error(self, name: str) -> UnknownFormat:
        """What to tell about a file that was named by hand and is not recognised."""
        if self.container == "empty":
            return UnknownFormat(f"{name} is empty", "a file with records")
        guesses = " or ".join(f"{guess} ({round(share * 100)}%)" for guess, share in self.guesses)
        seen = f"fields {', '.join(self.columns[:8])}" if self.columns else "no record that could be read"
        return UnknownFormat(
            f"{name} is in no known format: {seen}",
            f"perhaps {guesses}",
            "name its format with --format, or its columns with --mapping",
        )


def detect(source: Path | str | BinaryIO | Opened) -> Detection:
    """The format of a file.

    At most 4 MB are read, and up to 20 records vote. Of a record, the first format in order (specific before generic)
    that is sure of it gets the vote; where none is sure, each gets what it saw.

    Raises:
        RequestError: the file cannot be opened; see `open_source`.
    """
    if not isinstance(source, Opened):
        with open_source(source) as opened:
            return detect(opened)
    samples = [_decoded(raw) for raw in _sample(source)]
    scores, sure = dict.fromkeys(FORMATS, 0.0), dict.fromkeys(FORMATS, 0.0)
    for record in samples:
        for name, share in _votes(record, source.kind).items():
            scores[name] += share / len(samples)
            sure[name] += share / len(samples) if share >= SURE else 0.0
    for format in FORMATS.values():  # one log may hold two of an API's shapes
        if sure[format.name]:
            scores[format.name] += sum(sure[other] for other in format.also)
    guesses = [(name, round(score, 3)) for name, score in sorted(scores.items(), key=lambda pair: -pair[1])[:2]]
    name, confidence = guesses[0]
    columns = [shown for column in islice(next(filter(None, samples), ()), SAMPLE) if (shown := _shown(column))]
    return Detection(FORMATS[name] if confidence >= SURE else None, confidence, guesses, source.kind, columns)


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        RequestError: there is none.
    """
    if name not in FORMATS:
        raise RequestError(f"there is no format {name}", f"one of {', '.join(FORMATS)}", "`backlight sources` lists them")
    return FORMATS[name]


def _sample(opened: Opened) -> list[Raw]:
    """The first records, as far as the head holds them."""
    if opened.layout == "parquet":
        assert opened.path is not None
        return list(_tables.parquet_rows(opened.path, limit=HEAD, head=SAMPLE))
    if opened.layout == "sqlite":
        assert opened.path is not None
        return list(_tables.sqlite_rows(opened.path, tables_read(), limit=HEAD, head=SAMPLE))
    data = opened.stream.peek(HEAD)
    found: Iterator[Raw]
    if opened.layout == "jsonl":
        found = (Raw("", line) for line in data.split(b"\n", 2 * SAMPLE)[: 2 * SAMPLE] if line.strip())
    elif opened.layout == "csv":
        found = _csv.rows(_Head(data), limit=HEAD)
    else:
        found = _scan.elements(_Head(data), array=opened.layout == "array", limit=HEAD)
    sample = list(islice(found, SAMPLE))
    if len(data) == HEAD and len(sample) > 1 and len(sample) < SAMPLE:
        sample.pop()  # the head ends inside it
    return sample


class _Head:
    """The head as a source of its own."""

    fault: RecordError | None = None

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def read(self, size: int) -> bytes:
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


_decode = _json.decoder(Any)


def _decoded(raw: Raw) -> dict[str, Any]:
    """The record as a dictionary; empty where it is none, so that it votes for nothing."""
    value: Any = None
    with suppress(RecordError):
        try:
            value = _decode(raw.data) if raw.wrong is None else None
        except RecordError:
            value = _decode(closed(raw.data[:_BEGINNING])) if len(raw.data) > _BEGINNING else None
    return value if isinstance(value, dict) else {}


def closed(data: bytes) -> bytes:
    """The beginning of a long JSON value, cut after its last whole member and with its brackets closed."""
    stack: list[int] = []
    inside = escaped = False
    cut, brackets = 0, b""
    for index, byte in enumerate(data):
        if inside:
            inside, escaped = escaped or byte != 0x22, not escaped and byte == 0x5C
        elif byte == 0x22:
            inside = True
        elif byte in b"[{":
            stack.append(byte + 2)  # the closing bracket's code
        elif byte in b"]}" and stack:
            stack.pop()
        elif byte == 0x2C:
            cut, brackets = index, bytes(reversed(stack))
    return data[:cut] + brackets


def _votes(record: dict[str, Any], kind: str) -> dict[str, float]:
    """What one record says for each format: one vote if a format is sure, else how much of each signature is there."""
    partly: dict[str, float] = {}
    for format in FORMATS.values():
        if kind not in format.containers or format.needs_mapping:
            continue
        shares = [(rule.share(record), rule.confidence) for rule in format.signature]
        sure = max((confidence for share, confidence in shares if share == 1), default=0.0)
        if sure >= SURE:
            return {format.name: sure}
        partly[format.name] = max([sure, *(share * confidence * _PARTLY for share, confidence in shares)])
    return partly


def _shown(column: Any) -> str:
    """A field's name as it may stand in a message: short, printable; empty for what is no name."""
    return column if isinstance(column, str) and 0 < len(column) <= 40 and column.isprintable() else ""
