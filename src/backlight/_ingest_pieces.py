"""Cuts a source into pieces, each one task and one batch, always at the same places, so that a restart goes on where a run
was killed and ends in the same rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from backlight._ingest_worker import CHUNK, Task
from backlight.hashing import Hasher
from backlight.sources import Opened, Raw, chunks, on_disk, records

RECORDS = 20_000
"""Most records of a piece of a container that is not JSONL."""

_SAMPLE = 4096


class Piece(msgspec.Struct, frozen=True):
    """One piece.

    Attributes:
        task: what to read.
        at: how far the source is read after it: bytes of JSONL (decompressed), records of other containers.
        bytes_done: how far in the file, for progress.
        kept: whether the place after it may be kept; not so after a last line without its end, which may still grow.
    """

    task: Task
    at: int
    bytes_done: int
    kept: bool = True


def pieces(opened: Opened, task: Task, start: int) -> Iterator[Piece]:
    """The pieces of a source from `start` on (as `Piece.at` counts).

    Args:
        opened: the source.
        task: what is common to its tasks: format, context and vouched levels.
        start: where the last run got to; 0 is the beginning.
    """
    if opened.layout == "jsonl" and opened.path is not None and is_plain(opened):
        return _spans(opened.path, task, start)
    if opened.layout == "jsonl":
        return _chunks(opened, task, start)
    return _groups(opened, task, start)


def is_plain(opened: Opened) -> bool:
    """Whether the file's bytes are the lines themselves: not compressed, no byte order mark."""
    return not opened.stream.compression and not opened.stream.magic.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))


def _spans(path: Path, task: Task, start: int) -> Iterator[Piece]:
    """Byte ranges, cut at the first line end after each multiple of `CHUNK`, wherever the run started."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while start < size:
            goal = (start // CHUNK + 1) * CHUNK
            end = _line_end(file, goal, size) if goal < size else size
            whole = end if end < size else _last_line_end(file, start, end)
            if whole > start:
                yield Piece(_span(task, path, start, whole), whole, whole)
            if whole < end:  # a last line without its end
                yield Piece(_span(task, path, whole, end), end, end, kept=False)
            start = end


def _span(task: Task, path: Path, start: int, end: int) -> Task:
    return msgspec.structs.replace(task, path=str(path), start=start, end=end)


def _line_end(file: Any, at: int, size: int) -> int:
    """The byte after the first line end at or after a place; the file's size if there is none."""
    file.seek(at)
    while part := file.read(1 << 20):
        found = part.find(b"\n")
        if found >= 0:
            return int(at + found + 1)
        at += len(part)
    return size


def _last_line_end(file: Any, start: int, end: int) -> int:
    """The byte after the last line end between two places; `start` if there is none."""
    while end > start:
        begin = max(start, end - (1 << 20))
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return int(begin + found + 1)
        end = begin
    return start


def _chunks(opened: Opened, task: Task, start: int) -> Iterator[Piece]:
    """Lines that have to be read through: cut from the beginning, those before `start` left out."""
    for chunk in chunks(opened.stream, CHUNK):
        end = chunk.offset + chunk.length
        if end > start:
            yield Piece(
                msgspec.structs.replace(task, data=chunk.data, start=chunk.offset, wrong=chunk.wrong),
                end,
                _position(opened),
                kept=chunk.wrong is None and chunk.data.endswith(b"\n"),
            )


def _groups(opened: Opened, task: Task, start: int) -> Iterator[Piece]:
    """Records of other containers, about `CHUNK` bytes and at most `RECORDS` at a time."""
    group: list[Raw] = []
    held = 0
    count = 0
    for raw in records(opened):
        count += 1
        if count <= start:
            continue
        group.append(raw)
        held += len(raw.data)
        if held >= CHUNK or len(group) >= RECORDS:
            yield Piece(msgspec.structs.replace(task, records=group), count, _position(opened))
            group, held = [], 0
    if group:
        yield Piece(msgspec.structs.replace(task, records=group), count, _position(opened))


def _position(opened: Opened) -> int:
    try:
        return opened.stream.raw.tell()
    except (OSError, ValueError):
        return 0


class Mark(msgspec.Struct, kw_only=True):
    """How far a file was read, as the commit record keeps it.

    Attributes:
        at: see `Piece.at`.
        line: number of the line there, from 1.
        size: of the file then.
        mtime: of the file then, nanoseconds.
        head: keyed hash of its first bytes, at most 4,096 and none after `at`.
        tail: keyed hash of the bytes before `at`, at most 4,096.
        config: keyed hash of what decides how it is read: format, mapping, vouched levels, exclusions.
        done: whether all of it was read.
        counts: rows up to `at`.
        last: rows of a last line without its end, after `at`.
        coverage: what the rows hold.
    """

    at: int = 0
    line: int = 1
    size: int = 0
    mtime: int = 0
    head: str = ""
    tail: str = ""
    config: str = ""
    done: bool = False
    counts: dict[str, int] = {}
    last: dict[str, int] = {}
    coverage: dict[str, int] = {}


def begun(path: Path, config: str) -> Mark:
    """The mark at the beginning of a file; taken before it is read, so that what is added meanwhile is seen next time."""
    status = on_disk(path).stat()
    return Mark(size=status.st_size, mtime=status.st_mtime_ns, config=config)


def marked(mark: Mark, path: Path, hasher: Hasher, *, plain: bool) -> Mark:
    """The mark with samples of the file's bytes, by which it is known again."""
    with on_disk(path).open("rb") as file:
        head, tail = _samples(file, mark.at if plain else mark.size, hasher)
    return msgspec.structs.replace(mark, head=head, tail=tail)


def _samples(file: Any, at: int, hasher: Hasher) -> tuple[str, str]:
    file.seek(0)
    head = file.read(min(at, _SAMPLE))
    file.seek(max(at - _SAMPLE, 0))
    return hasher.digest("head", head).hex(), hasher.digest("tail", file.read(min(at, _SAMPLE))).hex()


def resumed(mark: Mark, path: Path, hasher: Hasher, *, config: str, plain: bool) -> Mark | None:
    """The mark, if the file is still the one that it was, read in the same way; else None: read it all again.

    A plain JSONL file that only grew is the same file. The result's `done` says that there is nothing new in it.
    """
    if mark.config != config:
        return None
    with on_disk(path).open("rb") as file:
        status = os.fstat(file.fileno())
        same = (status.st_size, status.st_mtime_ns) == (mark.size, mark.mtime)
        if status.st_size < mark.at and plain:
            return None
        sampled = _samples(file, mark.at if plain else mark.size, hasher)
    if sampled != (mark.head, mark.tail) or not (same or plain):
        return None
    return msgspec.structs.replace(mark, done=mark.done and same, size=status.st_size, mtime=status.st_mtime_ns)
