"""Cuts any container into records: JSONL, a JSON array, JSON objects, CSV (plain, or in gzip or zstd), Parquet, SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from backlight.errors import RequestError
from backlight.sources import _csv, _scan, _tables
from backlight.sources._format import Format, Raw, tables_read
from backlight.sources._lines import MAX_RECORD, chunks, lines
from backlight.sources._streams import HEAD, Stream, open_stream

Layout = Literal["jsonl", "array", "objects", "csv", "parquet", "sqlite", "empty"]
_LINES_LOOKED_AT = 20
_BY_PATH = {"parquet": "Parquet", "sqlite": "SQLite"}

__all__ = ["Layout", "Opened", "chunks", "layout_of", "open_source", "records"]


class Opened:
    """A source that was looked at: its stream, its layout, and its path where it has one.

    Use as a context manager. `kind` is the container's name in `Format.containers`.
    """

    def __init__(self, source: Path | str | BinaryIO) -> None:
        self.path = Path(source) if isinstance(source, (str, Path)) else None
        self.stream: Stream = open_stream(source)
        self.layout: Layout = layout_of(self.stream)
        if self.layout in _BY_PATH and (self.path is None or self.stream.compression):
            self.stream.close()
            what = _BY_PATH[self.layout]
            raise RequestError(f"{what} through a pipe or compressed once more", f"a {what} file by its path")
        if self.layout == "empty" and self.stream.fault is not None:
            self.stream.close()
            raise RequestError(self.stream.fault.wrong, self.stream.fault.expected)

    @property
    def kind(self) -> str:
        """jsonl, json, csv, parquet or sqlite."""
        return "json" if self.layout in ("array", "objects") else self.layout

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        if self.path is not None:
            self.stream.close()


def open_source(source: Path | str | BinaryIO) -> Opened:
    """Opens a file or a binary file object and tells its layout.

    Raises:
        RequestError: it cannot be opened, is no regular file, or is a container that Backlight does not open.
    """
    return Opened(source)


def layout_of(stream: Stream) -> Layout:
    """Told from the content; the file's name is not looked at."""
    if stream.magic.startswith(b"PAR1"):
        return "parquet"
    if stream.magic.startswith(b"SQLite format 3"):
        return "sqlite"
    head = stream.peek(HEAD)
    text = head.lstrip()
    if not text:
        return "empty"
    if text.startswith(b"["):
        return "array"
    if text.startswith(b"{"):
        return "jsonl" if _is_lines(text) else "objects"
    return "csv" if not _has_json_line(text) else "jsonl"


def _is_lines(text: bytes) -> bool:
    """Whether each line is an object, rather than one object on many lines.

    The first line decides where it is whole; where it is damaged, most of the first lines do.
    """
    first, _, rest = text.partition(b"\n")
    if not rest.strip() or _is_object(first):
        return True
    some = [line for line in rest.split(b"\n", _LINES_LOOKED_AT)[:_LINES_LOOKED_AT] if line.strip()]
    return sum(map(_is_object, some)) * 2 > len(some)


def _has_json_line(text: bytes) -> bool:
    """Whether a file that begins with something else is JSONL with a damaged first line."""
    some = [line for line in text.split(b"\n", _LINES_LOOKED_AT)[1:_LINES_LOOKED_AT] if line.strip()]
    return bool(some) and sum(map(_is_object, some)) * 2 > len(some)


def _is_object(line: bytes) -> bool:
    try:
        msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (ValueError, RecursionError):
        return False
    return True


def records(source: Path | str | BinaryIO | Opened, format: Format | None = None, *, limit: int = MAX_RECORD) -> Iterator[Raw]:
    """The records of a source, in order, each with its place; empty lines are no records.

    Args:
        source: a path, a binary file object, or what `open_source` gave.
        format: refuses a container that the format does not come in.
        limit: bytes of the longest record; a longer one comes as `wrong`, with its first bytes only.

    Raises:
        RequestError: see `open_source`; or the format does not come in this container.
    """
    if isinstance(source, Opened):
        yield from _records(source, format, limit)
        return
    with open_source(source) as opened:
        yield from _records(opened, format, limit)


def _records(opened: Opened, format: Format | None, limit: int) -> Iterator[Raw]:
    if format is not None and opened.layout != "empty" and opened.kind not in format.containers:
        raise RequestError(f"{format.name} does not come as {opened.kind}", " or ".join(format.containers))
    stream = opened.stream
    if opened.layout == "parquet":
        assert opened.path is not None
        yield from _tables.parquet_rows(opened.path, limit=limit)
    elif opened.layout == "sqlite":
        assert opened.path is not None
        tables = tables_read() if format is None else format.tables
        yield from _tables.sqlite_rows(opened.path, tables, limit=limit)
    elif opened.layout == "csv":
        yield from _csv.rows(stream, limit=limit)
    elif opened.layout == "jsonl":
        yield from _json_lines(stream, limit)
    else:
        yield from _scan.elements(stream, array=opened.layout == "array", limit=limit)
        if stream.fault is not None:
            yield Raw("at the end", b"", 0, stream.fault)


def _json_lines(stream: Stream, limit: int) -> Iterator[Raw]:
    for line in lines(stream, limit=limit):
        if line.wrong is not None:
            yield Raw(f"line {line.line}", line.data, line.length, line.wrong)
        elif not line.data.isspace():
            yield Raw(f"line {line.line}", line.data.rstrip(b"\r\n"))
