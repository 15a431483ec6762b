"""The audit log: who did what, for which case and why, in a chain of hashes; append-only, on disk before the act.

One JSON object a line. `hash` is SHA-256 (FIPS 180-4) of the entry without it, in canonical JSON, and `previous` is the
hash of the entry before, so a changed, missing, added or swapped entry breaks the chain. A log cut off at its end is
whole in itself; that is found by a root (`root()`) kept elsewhere. Whoever can write the file can write another chain:
only a root kept elsewhere proves anything against its owner.

Objects (ids of what was seen or erased) are never in it: only how many, and a keyed digest that confirms a given list.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import Any

from backlight._files import sync
from backlight.errors import StoreError
from backlight.hashing import Hasher

_START = "0" * 64
_LONGEST = 4096


@dataclass(frozen=True)
class Verdict:
    """What `Audit.verify` found.

    Attributes:
        ok: the chain is unbroken and, if a root was given, holds it.
        entries: how many entries stand in the unbroken part.
        bad: sequence number of the first entry that is not as it should be; None if there is none.
        problem: what is wrong with it; empty if nothing.
        root: sequence and hash of the last sound entry, to be kept elsewhere.
    """

    ok: bool
    entries: int
    bad: int | None
    problem: str
    root: str


class Audit:
    """The audit log of one workspace; several processes may append to it.

    Args:
        path: the file; made, with mode 0600, by the first entry.
        hasher: keys the digest of the objects.
    """

    def __init__(self, path: Path, hasher: Hasher) -> None:
        self.path, self._hasher = path, hasher

    def record(self, action: str, *, who: str, case: str = "", reason: str = "", objects: Iterable[object] = ()) -> str:
        """Append one entry and put it on disk; returns its root. What it is about must wait until this returns.

        Args:
            action: reveal, read_text, erase, rotate_key, ...
            who: who does it.
            case: the case it is for.
            reason: why, in the actor's words.
            objects: what it touches; only their number and a keyed digest are kept.

        Raises:
            StoreError: it could not be written; the act must not happen.
        """
        shown = [str(thing) for thing in objects]
        held = {"count": len(shown), "digest": self.digest(shown)}
        told = {"who": _plain(who), "action": _plain(action), "case": _plain(case), "reason": _plain(reason)}
        entry = {**told, "objects": held}
        try:
            with self._locked() as file:
                last = self._heal(file)
                return self._append(file, last, entry)
        except OSError as error:
            raise StoreError(
                f"the audit log cannot be written ({error.strerror})", "a writable log", "nothing was done"
            ) from error

    def digest(self, objects: Iterable[object]) -> str:
        """The keyed digest of a list of objects, whatever their order: confirms which ones an entry is about."""
        return self._hasher.digest("audit", "\n".join(sorted(str(thing) for thing in objects))).hex()

    def entries(self) -> Iterator[dict[str, Any]]:
        """The entries in order, as they stand; a torn last line is left out."""
        for line in self._lines():
            yield json.loads(line)

    def root(self) -> str:
        """Sequence and hash of the last entry, such as `12:9f...`; `0:` and zeros for an empty log."""
        return self.verify().root

    def verify(self, root: str | None = None) -> Verdict:
        """Check the chain and, if given, that it still holds a root kept elsewhere.

        Raises:
            StoreError: the root given is none.
        """
        kept = None if root is None else _parse_root(root)
        previous, count, seen = _START, 0, {0: _START}
        for number, line in enumerate(self._lines(), start=1):
            why = _wrong(line, number, previous)
            if why:
                return Verdict(False, count, number, why, f"{count}:{previous}")
            previous, count = json.loads(line)["hash"], number
            if kept and kept[0] == number:
                seen[number] = previous
        shown = f"{count}:{previous}"
        if kept and kept[0] > count:
            return Verdict(
                False, count, count + 1, f"missing: the root given is entry {kept[0]}, the log ends at {count}", shown
            )
        if kept and seen[kept[0]] != kept[1]:
            return Verdict(False, count, kept[0], "changed: its hash is not that of the root given", shown)
        return Verdict(True, count, None, "", shown)

    def _lines(self) -> Iterator[bytes]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line

    @contextmanager
    def _locked(self) -> Iterator[FileIO]:
        fresh = not self.path.exists()
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if fresh:
                sync(self.path.parent)
            yield file

    def _heal(self, file: FileIO) -> tuple[int, str]:
        """Cut off a last line that a crash tore, and note it; returns sequence and hash of the last entry."""
        line, torn = _tail(file)
        last = (0, _START)
        if line:
            try:
                entry = json.loads(line)
                last = (int(entry["sequence"]), str(entry["hash"]))
            except (ValueError, KeyError, TypeError) as error:
                raise StoreError(
                    "the last entry of the audit log is damaged", "an unbroken chain", "run: backlight verify"
                ) from error
        if torn:
            file.truncate(file.seek(0, os.SEEK_END) - torn)
            note = {
                "who": "backlight",
                "action": "healed",
                "case": "",
                "reason": f"a torn last line of {torn} bytes was cut off",
            }
            root = self._append(file, last, note | {"objects": {"count": 0, "digest": self.digest([])}})
            last = (last[0] + 1, root.partition(":")[2])
        return last

    @staticmethod
    def _append(file: FileIO, last: tuple[int, str], entry: dict[str, Any]) -> str:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        entry = {"sequence": last[0] + 1, "time": now, **entry, "previous": last[1]}
        entry["hash"] = _hash(entry)
        end = file.seek(0, os.SEEK_END)
        try:
            line = json.dumps(entry, ensure_ascii=False, sort_keys=True).encode() + b"\n"
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            # Half a line must not stay: it would read as a crash.
            with suppress(OSError):
                file.truncate(end)
            raise
        return f"{entry['sequence']}:{entry['hash']}"


def _plain(text: str) -> str:
    """At most 4,096 characters, and none that UTF-8 does not know: command lines may carry such."""
    return text[:_LONGEST].encode("utf-8", "replace").decode("utf-8")


def _hash(entry: dict[str, Any]) -> str:
    body = {name: value for name, value in entry.items() if name != "hash"}
    return sha256(json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _wrong(line: bytes, number: int, previous: str) -> str:
    """What is wrong with the entry that should have this number and predecessor; empty if nothing."""
    try:
        entry = json.loads(line)
        sequence, before, shown = entry["sequence"], entry["previous"], entry["hash"]
    except (ValueError, KeyError, TypeError):
        return "changed: not an entry"
    if sequence != number:
        return f"missing, added or swapped: sequence {sequence} stands here"
    if before != previous:
        return "missing, added or swapped: it does not follow the entry before it"
    return "" if shown == _hash(entry) else "changed: its hash is not that of its content"


def _tail(file: FileIO) -> tuple[bytes, int]:
    """The last whole line, and the length of a torn one after it. Reads backwards, so that a long log costs nothing."""
    end = file.seek(0, os.SEEK_END)
    held, at = b"", end
    while at > 0 and held.rstrip(b"\n").count(b"\n") < 2:
        step = min(at, 65_536)
        at -= step
        file.seek(at)
        held = (file.read(step) or b"") + held
    whole, _, torn = held.rpartition(b"\n")
    return whole.rpartition(b"\n")[2], len(torn)


def _parse_root(root: str) -> tuple[int, str]:
    sequence, _, shown = root.strip().partition(":")
    if not sequence.isdigit() or len(shown) != 64:
        raise StoreError(f"{root[:80]!r} is no root", "sequence:hash, as printed by `backlight verify`")
    return int(sequence), shown
