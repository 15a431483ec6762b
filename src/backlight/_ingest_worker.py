"""One piece of a file, read, parsed and built: alone, or in a worker process that does nothing else."""

from __future__ import annotations

import gc
import io
import itertools
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec
import numpy as np

from backlight._ingest_rows import Builder, Built
from backlight._keys import KeyFolder, KeyStore, key_folder, outside_secret
from backlight._settings import LeftOut
from backlight._vault import Vault
from backlight.errors import RecordError
from backlight.hashing import Hasher
from backlight.normalise import Pseudonyms
from backlight.sources import FORMATS, Chunk, Context, Parsed, Raw, chunks

LONG = 64 << 20
"""A piece of more bytes is one that a very long line made; it is read in smaller steps."""

CHUNK = 16 << 20
"""Bytes of a piece."""

BLOCK = 1 << 20
"""Bytes that are parsed and built at once: what fits the processor's cache."""

_COLLECT = 16
_LINE_FEED = 0x0A


class Task(msgspec.Struct, frozen=True):
    """A piece of a source to be read and built.

    Attributes:
        format: name of its format.
        context: what the reader needs beside the record.
        vouched: levels of identity that the host vouches for.
        path: a plain JSONL file of which bytes `start` to `end` are meant, whole lines; else None.
        data: the lines themselves, where `path` and `records` are None.
        records: records of another container, already cut.
        start: first byte.
        end: byte after the last.
        wrong: why the piece is one reject.
    """

    format: str
    context: Context
    vouched: tuple[str, ...]
    path: str | None = None
    data: bytes = b""
    records: list[Raw] | None = None
    start: int = 0
    end: int = 0
    wrong: RecordError | None = None


class Done(msgspec.Struct, frozen=True):
    """What a task came to: its rows, and its lines; places of rejects count lines from 1 at its start."""

    built: Built
    lines: int


class _Span:
    """Bytes `start` to `end` of a file, as `sources.chunks` reads them."""

    fault: RecordError | None = None

    def __init__(self, path: str, start: int, end: int) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115
        self._file.seek(start)
        self._left = end - start

    def read(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end."""
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        if not part:
            self._file.close()
        return part

    def skip(self, size: int) -> None:
        """Leave out bytes."""
        self._file.seek(size, os.SEEK_CUR)
        self._left -= size


def perform(task: Task, builder: Builder, wanted: frozenset[int] | None = None) -> Done:
    """Read, parse and build one task."""
    form, context, lines = FORMATS[task.format], task.context, _Lines()
    if task.records is not None:
        parts: Iterable[Parsed] = [form.parse_records(task.records, context)]
    else:
        parts = (form.parse_lines(chunk, context) for chunk in lines.counted(_chunks(task)))
    return Done(builder.build(task.format, task.vouched, parts, wanted), lines.count)


class _Lines:
    """Counts lines as chunks of them go by."""

    count = 0

    def counted(self, pieces: Iterable[tuple[bytes, int, RecordError | None]]) -> Iterator[Chunk]:
        """The chunks of bytes, each with the number of its first line and with its length."""
        for data, length, wrong in pieces:
            yield Chunk(0, data, self.count + 1, length, wrong)
            # bytes.count would look at one byte after the other
            self.count += 1 if wrong else int(np.count_nonzero(np.frombuffer(data, np.uint8) == _LINE_FEED))


def _chunks(task: Task) -> Iterator[tuple[bytes, int, RecordError | None]]:
    """The lines of a task in small chunks: bytes, true length, what is wrong with them."""
    if task.wrong is not None:
        yield task.data, len(task.data), task.wrong
    elif task.path is not None and task.end - task.start >= LONG:  # a line so long that it is not held whole
        for chunk in chunks(_Span(task.path, task.start, task.end), CHUNK):
            yield chunk.data, chunk.length, chunk.wrong
    else:
        with io.BytesIO(task.data) if task.path is None else Path(task.path).open("rb") as file:
            left = len(task.data) if task.path is None else task.end - file.seek(task.start)
            while left and (data := file.read(min(BLOCK, left))):
                if not data.endswith(b"\n"):
                    data += file.readline(left - len(data))
                left -= len(data)
                yield data, len(data), None


def main() -> None:
    """The life of a worker process: how to open the workspace's keys, then tasks in, rows out, until None comes."""
    gc.disable()  # items hold no cycles, and looking for some costs a quarter of the time
    gc.freeze()
    with Connection(int(sys.argv[1])) as connection, suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        opening: Opening = connection.recv()
        with opening.builder() as builder:
            for count in itertools.count(1):
                task = connection.recv()
                if task is None:
                    return
                connection.send(perform(task, builder))
                if count % _COLLECT == 0:  # what exceptions of rejects may have left
                    gc.collect()


class Opening(msgspec.Struct, frozen=True):
    """What a worker process needs to make its own `Builder`: no key travels, it reads them from the key folder."""

    workspace: str
    left_out: LeftOut

    @contextmanager
    def builder(self) -> Iterator[Builder]:
        """A builder with keys of its own."""
        folder = KeyFolder(key_folder(self.workspace), outside_secret(self.workspace))
        keys = folder.load(self.workspace)
        with KeyStore(folder) as store:
            yield Builder(Hasher(keys.hash), Pseudonyms(keys.pseudonym), Vault(store, level=1), self.left_out)
