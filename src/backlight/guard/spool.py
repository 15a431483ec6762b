"""The guard's side of the spool: sealing records, appending frames, putting them on disk, handing segments over.

The frame and record format, and the side that ingest reads, is `backlight.sources.spool`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import msgspec
from msgspec import Struct

from backlight._files import private_folder, sync
from backlight.sources._items import Exchange
from backlight.sources.spool import LIMIT, MAGIC, OPEN_SUFFIX, SUFFIX, Sealed, encode, encode_frame, hand_over_left, pack

_SPARE, _SHORT = 64 << 10, 1 << 20


class Sealer(Protocol):
    """What seals records: the workspace's vault."""

    def seal_many(
        self, rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], payloads: Sequence[bytes]
    ) -> list[bytes]:
        """Seal many items, each of its row, account and month."""
        ...


class Record(Struct, frozen=True, kw_only=True):
    """One exchange to be kept.

    Attributes:
        row: int64 made from the event id.
        account: pseudonym whose data key seals it.
        time: epoch seconds.
        exchange: what was asked and answered, with raw ids that are vouched for.
        guard: the guard's event as plain data.
    """

    row: int
    account: int
    time: float
    exchange: Exchange
    guard: dict[str, Any]


class Spool:
    """Appends to the segment of this process. Not for several threads at once.

    Args:
        folder: where segments lie; made for its owner only. Segments that a dead process left are handed over.
        sealer: the vault.
        segment_bytes: size at which a segment is handed over.
        segment_seconds: age at which it is.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        folder: Path,
        sealer: Sealer,
        *,
        segment_bytes: int = 64 << 20,
        segment_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self._sealer, self._clock = folder, sealer, clock
        self._bytes, self._seconds = segment_bytes, segment_seconds
        self._handle: int | None = None
        self._path = folder / "none"
        self._end = 0
        self._begun = 0.0
        private_folder(folder)
        hand_over_left(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, records: Sequence[Record]) -> None:
        """Seal and write records behind each other; `sync` puts them on disk.

        Raises:
            OSError: the disk is full or gone. What was half written is cut off again, so that later records can follow.
            StoreError: the vault cannot seal.
        """
        months = [month_of(record.time) for record in records]
        rows, accounts = [record.row for record in records], [record.account for record in records]
        blobs = self._sealer.seal_many(rows, accounts, months, [_plain(record) for record in records])
        sealed = zip(rows, accounts, months, blobs, strict=True)
        self._write(b"".join(encode_frame(pack(Sealed(*item))) for item in sealed))

    def _write(self, data: bytes) -> None:
        handle = self._open()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, self._end)
                os.lseek(handle, self._end, os.SEEK_SET)
            raise
        self._end += len(data)

    def _open(self) -> int:
        if self._handle is None:
            self._path = self.folder / f"{time.time_ns():020d}-{os.getpid()}{OPEN_SUFFIX}"
            new = self._path.with_suffix(".new")
            handle = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)  # tells others that this segment has a living writer
                os.write(handle, MAGIC)
                new.rename(self._path)
            except OSError:
                os.close(handle)
                new.unlink(missing_ok=True)
                raise
            self._handle, self._end, self._begun = handle, len(MAGIC), self._clock()
            sync(self.folder)
        return self._handle

    def sync(self) -> None:
        """Put all that was appended on disk.

        Raises:
            OSError: the disk did not take it.
        """
        if self._handle is not None:
            os.fsync(self._handle)

    def rotate(self, *, force: bool = False) -> Path | None:
        """Hand the segment over by renaming it if it is large or old enough, or in any case with `force`."""
        if self._handle is None:
            return None
        if not force and self._end < self._bytes and self._clock() - self._begun < self._seconds:
            return None
        os.fsync(self._handle)
        done = self._path.with_suffix(SUFFIX)
        self._path.rename(done)
        sync(self.folder)
        os.close(self._handle)
        self._handle = None
        return done

    def close(self) -> None:
        """Hand over what there is."""
        self.rotate(force=True)


def _plain(record: Record) -> bytes:
    """The record's plain bytes; of one that no frame could hold, the last message and the answer, shortened."""
    plain = encode(record.exchange, record.guard)
    if len(plain) <= LIMIT - _SPARE:
        return plain
    last = [msgspec.structs.replace(message, text=message.text[:_SHORT]) for message in record.exchange.messages[-1:]]
    output = record.exchange.output and record.exchange.output[:_SHORT]
    exchange = msgspec.structs.replace(record.exchange, messages=last, output=output)
    return encode(exchange, record.guard | {"shortened": True})


def month_of(when: float) -> int:
    """Year * 12 + month - 1 of a time, UTC."""
    day = datetime.fromtimestamp(when, UTC)
    return day.year * 12 + day.month - 1
