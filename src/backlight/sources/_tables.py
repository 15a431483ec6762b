"""Parquet and SQLite files: rows of tables, read by a child process with limits of its own."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from backlight.errors import RecordError, RequestError
from backlight.sources import _parquet_child, _sqlite_child
from backlight.sources._bounds import FREE, RATIO
from backlight.sources._format import KEEP, Raw
from backlight.sources._streams import open_file

MEMORY = 2 << 30
"""Bytes of address space that the child gets; the libraries alone take a quarter of them."""

SILENCE = 120.0
"""Seconds without a row after which the child is ended."""

_DEATHS = {
    0: "its reader fell silent, or a row is too long",
    3: "it takes more memory than a reader gets",
    2: "it is damaged, or no such file",
}


def parquet_rows(path: Path | str, *, limit: int, head: int = 0) -> Iterator[Raw]:
    """The rows of a Parquet file as JSON objects; if the child dies, the last record says why.

    Args:
        path: the file.
        limit: bytes of the longest row.
        head: rows to read; 0 reads all.
    """
    yield from _read(Path(path), "Parquet", [_parquet_child.__file__, str(head), str(MEMORY)], limit)


def sqlite_rows(path: Path | str, tables: Sequence[str], *, limit: int, head: int = 0) -> Iterator[Raw]:
    """The rows of some tables of an SQLite file as JSON objects; if the child dies, the last record says why.

    Args:
        path: the file; opened as it lies on disk, without what stands in a log beside it.
        tables: names of the tables to read, where they are there; views and virtual tables are not.
        limit: bytes of the longest row.
        head: rows to read of each table; 0 reads all.

    Raises:
        RequestError: a log that was not merged lies beside it.
    """
    for log, what in (("-wal", "a write-ahead log"), ("-journal", "a rollback journal")):
        beside = Path(f"{path}{log}")
        if not beside.is_file() or not beside.stat().st_size:
            continue
        raise RequestError(
            f"{Path(path).name} has {what} beside it, without which its rows are not what was committed",
            "a copy that holds everything",
            f"make one: sqlite3 {Path(path).name} \"VACUUM INTO 'copy.db'\"",
        )
    yield from _read(Path(path), "SQLite", [_sqlite_child.__file__, str(head), str(MEMORY), *tables], limit)


def _read(path: Path, what: str, words: Sequence[str], limit: int) -> Iterator[Raw]:
    with open_file(path) as file:
        size = max(path.stat().st_size, 1)
        command = [sys.executable, "-I", *words]
        child = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            yield from _rows(child, what, limit, max(FREE, size * RATIO))
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def _rows(child: subprocess.Popen[bytes], what: str, limit: int, most: int) -> Iterator[Raw]:
    """Cuts the child's output; a line that begins with # is its own word: what the next rows belong to, or the end."""
    part, row, total, ended = "the file", 0, 0, False
    for line in _lines(child, limit):
        total += len(line)
        if line.startswith(b"#"):
            ended = line == b"#end"
            part, row = (part if ended else line[1:].decode("utf-8", "replace")), 0
        else:
            wrong = RecordError(f"a row of {len(line)} bytes", f"at most {limit}") if len(line) > limit else None
            yield Raw(f"row {row} of {part}", line[:KEEP] if wrong else line, len(line), wrong)
            row += 1
        if total > most:
            break
    if not ended:
        why = f"it expands more than {RATIO}-fold" if total > most else _why(child)
        yield Raw(f"after row {row} of {part}", b"", 0, RecordError(f"the {what} file cannot be read further: {why}"))


def _why(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(5)
    except subprocess.TimeoutExpired:
        code = 0
    return _DEATHS.get(code, "its reader died")


def _lines(child: subprocess.Popen[bytes], limit: int) -> Iterator[bytes]:
    """Lines of the child's output, until it ends, falls silent, or a line is too long."""
    assert child.stdout is not None
    handle, rest = child.stdout, b""
    while select.select([handle], [], [], SILENCE)[0] and (part := handle.read1(1 << 20)):  # type: ignore[attr-defined]
        *whole, rest = (rest + part).split(b"\n") if b"\n" in part else (rest + part,)
        yield from whole
        if len(rest) > limit:
            return
