"""Parquet files, read by a child process with limits of its own."""

from __future__ import annotations

import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from backlight.errors import RecordError
from backlight.sources import _parquet_child
from backlight.sources._format import KEEP, Raw
from backlight.sources._streams import FREE, RATIO, open_file

MEMORY = 2 << 30
"""Bytes of address space that the child gets; the libraries alone take a quarter of them."""

SILENCE = 120.0
"""Seconds without a row after which the child is ended."""

_DEATHS = {
    0: "its reader fell silent, or a row is too long",
    3: "it takes more memory than a reader gets",
    2: "it is damaged or no Parquet",
}


def rows(path: Path | str, *, limit: int, head: int = 0) -> Iterator[Raw]:
    """The rows of a Parquet file as JSON objects; if the child dies, the last record says why.

    Args:
        path: the file.
        limit: bytes of the longest row.
        head: rows to read; 0 reads all.
    """
    with open_file(path) as file:
        size = max(Path(path).stat().st_size, 1)
        command = [sys.executable, "-I", _parquet_child.__file__, str(head), str(MEMORY)]
        child = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            yield from _rows(child, limit, max(FREE, size * RATIO))
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def _rows(child: subprocess.Popen[bytes], limit: int, most: int) -> Iterator[Raw]:
    """Cuts the child's output; a line that begins with # is its own word."""
    group, row, total, ended = 0, 0, 0, False
    for line in _lines(child, limit):
        total += len(line)
        if line.startswith(b"#"):
            ended = line == b"#end"
            group, row = (group if ended else int(line[7:])), 0
        else:
            wrong = RecordError(f"a row of {len(line)} bytes", f"at most {limit}") if len(line) > limit else None
            yield Raw(f"row {row} of group {group}", line[:KEEP] if wrong else line, len(line), wrong)
            row += 1
        if total > most:
            break
    if not ended:
        yield Raw(
            f"after row {row} of group {group}",
            b"",
            0,
            RecordError(f"the Parquet file cannot be read further: {_why(child, total > most)}"),
        )


def _why(child: subprocess.Popen[bytes], too_much: bool) -> str:
    if too_much:
        return f"it expands more than {RATIO}-fold"
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
