"""Zip files: each member that may hold records is a file of its own, `export.zip/conversations.json`.

Members are listed and unpacked by a child process with limits of its own (`_zip_child`) and read as they come; nothing is
written to disk. What they expand to together is bounded; a member never gives more than its head says.
"""

from __future__ import annotations

import io
import json
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from backlight.errors import RequestError
from backlight.sources import _zip_child
from backlight.sources._bounds import FREE, RATIO

MAGIC = b"PK\x03\x04"
MEMORY = 512 << 20
"""Bytes of address space that the child gets."""

SILENCE = 120.0
"""Seconds without a byte after which the child is ended."""

HOLD_RECORDS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".txt", ".gz", ".zst")
"""Endings of the members that are looked at: exports carry pictures and pages beside them."""

_WHY = {
    2: "is damaged or no zip file",
    3: "takes more memory than its reader gets",
    4: "needs a password; unpack it first",
}


def is_zip(path: Path) -> bool:
    """Whether a file begins as a zip file does."""
    try:
        with path.open("rb") as file:
            return file.read(4) == MAGIC
    except OSError:
        return False


def on_disk(path: Path) -> Path:
    """The file that holds it: the zip file of a member, else the path itself."""
    zipped = _zipped(path)
    return path if zipped is None else zipped[0]


def members(path: Path) -> list[Path]:
    """The members that may hold records, in order of name. A name that leads out of the file is none.

    Raises:
        RequestError: the file is damaged or a bomb, has more members than are looked at, or has none that may hold records.
    """
    child = _child(path, "list", *HOLD_RECORDS)
    try:
        listed, _ = child.communicate(timeout=SILENCE)
    except subprocess.TimeoutExpired:
        raise RequestError(f"{path.name} takes too long to list", "a zip file that can be listed at once") from None
    finally:
        _end(child)
    if child.returncode:
        raise RequestError(f"{path.name} {_why(child.returncode)}", "a whole zip file")
    held = dict(json.loads(line) for line in listed.splitlines())
    if len(held) > _zip_child.MEMBERS:
        raise RequestError(f"{path.name} has more than {_zip_child.MEMBERS} members", "fewer", "unpack what you need")
    if sum(held.values()) > max(FREE, RATIO * path.stat().st_size):
        raise RequestError(f"{path.name} expands more than {RATIO}-fold", "no decompression bomb")
    kept = [name for name in sorted(held) if _is_plain(name)]
    if not kept:
        raise RequestError(f"{path.name} has no member that may hold records", f"one that ends in {', '.join(HOLD_RECORDS)}")
    return [path / name for name in kept]


def open_member(path: Path) -> BinaryIO | None:
    """The bytes of a member, as they are unpacked; None where the path leads into no zip file.

    Where the member cannot be read further, `read` raises OSError.
    """
    zipped = _zipped(path)
    return None if zipped is None else cast(BinaryIO, _Member(*zipped))


def _zipped(path: Path) -> tuple[Path, str] | None:
    """The zip file among the parents of a path that is no file itself, and the member's name."""
    with suppress(OSError):  # a name that no file can have
        for parent in path.parents:
            if parent.is_dir():
                return None
            if parent.is_file() and is_zip(parent):
                return parent, path.relative_to(parent).as_posix()
    return None


def _is_plain(name: str) -> bool:
    """A relative path without steps up, and not hidden: joined to the zip file's path it leads nowhere else."""
    parts = name.split("/")
    return "\0" not in name and all(part and not part.startswith((".", "__MACOSX")) for part in parts)


def _why(code: int | None) -> str:
    return _WHY.get(code or 0, "cannot be read: its reader died")


def _child(path: Path, *words: str) -> subprocess.Popen[bytes]:
    with path.open("rb") as file:
        command = [sys.executable, "-I", _zip_child.__file__, str(MEMORY), *words]
        return subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


class _Member(io.RawIOBase):
    """What the child writes."""

    def __init__(self, path: Path, name: str) -> None:
        self._child = _child(path, "member", name)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], SILENCE)[0]:
            raise OSError("its reader fell silent")
        part: bytes = self._child.stdout.read1(size)  # type: ignore[attr-defined]
        if not part and self._child.wait(SILENCE):
            raise OSError(f"the zip file {_why(self._child.returncode)}")
        return part

    def close(self) -> None:
        if not self.closed:
            _end(self._child)
        super().close()
