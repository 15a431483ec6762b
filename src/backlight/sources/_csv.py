"""CSV, strictly: a row that the standard library's strict reader or the header disagrees with is a reject, never a guess.

After a row that breaks the rules, reading goes on at the next line that was not consumed. Lines inside a broken quoted
cell are never tried as rows of their own, so no text can pose as a row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._format import KEEP, Chunk, Raw
from backlight.sources._lines import lines
from backlight.sources._streams import Source

MAX_CELL = 16 << 20
MAX_COLUMNS = 2000
_DELIMITERS = ",;\t|"


def delimiter_of(header: str) -> str:
    """The likeliest delimiter of a header line."""
    return max(_DELIMITERS, key=header.count)


class _Feed:
    """Lines as the csv module wants them, with a memory of what the present row consumed."""

    def __init__(self, source: Iterator[Chunk]) -> None:
        self._source = source
        self.fault: Chunk | None
        self.begin()

    def begin(self) -> None:
        self.fault = None
        self.first = self.last = self.length = 0
        self.data = b""

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = next(self._source)
        self.first, self.last = self.first or line.line, line.line
        self.length += line.length
        if len(self.data) < KEEP:
            self.data += line.data[: KEEP - len(self.data)]
        if line.wrong is not None:
            self.fault = line
            raise csv.Error(str(line.wrong))
        return line.data.decode("utf-8", "surrogateescape")

    def raw(self, reason: str, expected: str = "") -> Raw:
        place = f"line {self.first}" if self.first >= self.last else f"lines {self.first} to {self.last}"
        return Raw(place, self.data, self.length, RecordError(reason, expected))


def rows(stream: Source, *, limit: int) -> Iterator[Raw]:
    """The rows below the header, as JSON objects by column name; places are line numbers."""
    csv.field_size_limit(MAX_CELL)
    feed = _Feed(lines(stream, limit=limit))
    header: list[str] | None = None
    reader = None
    while True:
        feed.begin()
        try:
            if reader is None:
                reader, header = _begin(feed)
                continue
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken(feed, str(error))
            if header is None or "field larger" in str(error):
                return
            reader = csv.reader(feed, delimiter=reader.dialect.delimiter, strict=True)  # type: ignore[union-attr]
            continue
        if row:
            assert header is not None
            yield _row(header, row, feed)


def _begin(feed: _Feed) -> tuple[Any, list[str]]:
    """The reader and the header; the header may stand on several lines like any row."""
    first = next(feed)
    while not first.strip():
        first = next(feed)
    again = _Again(first, feed)
    reader = csv.reader(again, delimiter=delimiter_of(first), strict=True)
    header = [name.strip() for name in next(reader)]
    if len(header) > MAX_COLUMNS:
        raise csv.Error(f"a header of {len(header)} columns")
    return reader, header


class _Again:
    """A feed with one line put back."""

    def __init__(self, first: str, feed: _Feed) -> None:
        self._first: str | None = first
        self._feed = feed

    def __iter__(self) -> _Again:
        return self

    def __next__(self) -> str:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return next(self._feed)


def _row(header: list[str], row: list[str], feed: _Feed) -> Raw:
    if len(row) != len(header):
        return feed.raw(f"a row of {len(row)} cells", f"{len(header)}, as in the header")
    try:
        data = msgspec.json.encode(dict(zip(header, row, strict=True)))
    except UnicodeEncodeError:
        return feed.raw("a cell is not UTF-8", "UTF-8")
    place = f"line {feed.first}"
    return Raw(place, data, feed.length)


def _broken(feed: _Feed, message: str) -> Raw:
    if feed.fault is not None and feed.fault.wrong is not None:
        return feed.raw(feed.fault.wrong.wrong, feed.fault.wrong.expected)
    if "field larger" in message:
        return feed.raw(f"a cell of more than {MAX_CELL} bytes; the rest of the file is not read", "a closed quotation mark")
    if "unexpected end" in message:
        return feed.raw("the file ends inside a quoted cell", "a closed quotation mark")
    return feed.raw("a row that is no CSV", "quoted cells with doubled quotation marks inside")
