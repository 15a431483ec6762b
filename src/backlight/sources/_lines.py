"""Lines, cut at `\\n` and nothing else: U+2028 inside a JSON string is no line end, whatever `str.splitlines` holds."""

from __future__ import annotations

from collections.abc import Iterator

from backlight.errors import RecordError
from backlight.sources._format import KEEP, Chunk
from backlight.sources._streams import Source, Stream

MAX_RECORD = 64 << 20
"""Bytes of the longest record that is held in memory."""

CHUNK = 16 << 20


def chunks(stream: Source, size: int = CHUNK, *, limit: int = MAX_RECORD, start: int = 0, line: int = 1) -> Iterator[Chunk]:
    """Whole lines of a JSONL stream, about `size` bytes at a time.

    A line longer than `limit` comes alone, as its first bytes, `wrong` set; it is read through, not held. A file that is
    damaged ends with a chunk that is `wrong`.

    Args:
        stream: what to cut.
        size: bytes to read at once.
        limit: bytes of the longest line.
        start: bytes to leave out: `offset + length` of the last chunk that was dealt with.
        line: number of the first line after them, `next_line` of that chunk.
    """
    if start:
        _skip(stream, start)
    offset, rest, size = start, b"", min(size, limit)
    while part := stream.read(size):
        data = rest + part
        first = len(rest) + part.find(b"\n") + 1 if b"\n" in part else len(data)
        if first > limit:
            chunk, rest = _too_long(stream, Chunk(offset, data, line, len(data)), first, size, limit)
        elif first == len(data) and not data.endswith(b"\n"):
            rest = data
            continue
        else:
            cut = data.rfind(b"\n") + 1
            chunk, rest = Chunk(offset, data[:cut], line, cut), data[cut:]
        yield chunk
        offset, line = offset + chunk.length, chunk.next_line
    if rest:
        yield Chunk(offset, rest, line, len(rest))
        offset, line = offset + len(rest), line + 1
    if stream.fault is not None:
        yield Chunk(offset, b"", line, 0, stream.fault)


def _skip(stream: Source, size: int) -> None:
    if isinstance(stream, Stream):
        stream.skip(size)
        return
    while size > 0 and (part := stream.read(min(size, CHUNK))):
        size -= len(part)


def _too_long(stream: Source, begun: Chunk, first: int, size: int, limit: int) -> tuple[Chunk, bytes]:
    """Reads on to the end of the line; gives the line's beginning and what was read after it."""
    length, rest = first, begun.data[first:]
    ended = begun.data[first - 1 : first] == b"\n"
    while not ended and (part := stream.read(size)):
        cut = part.find(b"\n") + 1
        length, rest, ended = length + (cut or len(part)), part[cut:] if cut else b"", bool(cut)
    wrong = RecordError(f"a line of {length} bytes", f"at most {limit}")
    return Chunk(begun.offset, begun.data[:KEEP], begun.line, length, wrong), rest


def lines(stream: Source, *, limit: int = MAX_RECORD, size: int = 1 << 20) -> Iterator[Chunk]:
    """Single lines, each with its end; the empty ones too."""
    for chunk in chunks(stream, size, limit=limit):
        if chunk.wrong is not None:
            yield chunk
            continue
        begin, number, data = 0, chunk.line, chunk.data
        while begin < len(data):
            end = data.find(b"\n", begin) + 1 or len(data)
            yield Chunk(chunk.offset + begin, data[begin:end], number, end - begin)
            begin, number = end, number + 1
