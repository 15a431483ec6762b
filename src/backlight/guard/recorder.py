"""The one writer of a guard: a thread that puts records on disk, in spool and memory, and says when they are there.

A refusal waits for its record to be on disk; records of answered requests are written together after a short wait. When
the disk is full the guard knows it before it answers (`healthy`), and the policy's `fail` decides.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Self

from msgspec import Struct

from backlight.errors import BacklightError
from backlight.guard.memory import Entry, Memory
from backlight.guard.spool import Record, Spool

_BATCH = 512
_RETRY = 1.0


class Unrecorded(Exception):
    """A record could not be put on disk."""


class _Item(Struct):
    entry: Entry
    record: Record
    size: int
    durable: Future[None] | None


class Recorder:
    """Writes spool and memory from one thread.

    Args:
        spool: of this process; used by this thread alone.
        memory: of the workspace.
        group_seconds: how long records that nobody waits for may be held back.
        pending_bytes: bound on what waits to be written.

    Attributes:
        counts: recorded, lost and failed batches since the start.
    """

    def __init__(self, spool: Spool, memory: Memory, *, group_seconds: float = 0.05, pending_bytes: int = 256 << 20) -> None:
        self.spool, self.memory = spool, memory
        self.counts: Counter[str] = Counter()
        self._group, self._limit = group_seconds, pending_bytes
        self._wake = threading.Condition()
        self._pending: list[_Item] = []
        self._bytes = 0
        self._urgent = self._closing = False
        self._failed_at: float | None = None
        self._thread = threading.Thread(target=self._run, name="backlight-recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def healthy(self) -> bool:
        """Whether there is room, and the last write did not fail; a second after a failure one may try again."""
        failed = self._failed_at
        return self._bytes < self._limit and (failed is None or time.monotonic() - failed > _RETRY)

    def put(self, entry: Entry, record: Record, size: int) -> bool:
        """Record a request that was answered; returns False, and counts it as lost, where there is no room."""
        return self._add(_Item(entry, record, size, None))

    async def durable(self, entry: Entry, record: Record, size: int, timeout: float) -> None:
        """Record a refusal, and return when it is on disk.

        Raises:
            Unrecorded: it is not: no room, a full disk, or not within the time.
        """
        waiting: Future[None] = Future()
        if not self._add(_Item(entry, record, size, waiting)):
            raise Unrecorded("no room")
        try:
            await asyncio.wait_for(asyncio.wrap_future(waiting), timeout)
        except TimeoutError:
            raise Unrecorded("the disk took too long") from None

    def flush(self, timeout: float = 10.0) -> None:
        """Wait until all that was put before is written, or was lost."""
        waiting: Future[None] = Future()
        with self._wake:
            if not self._pending:
                return
            last = self._pending[-1]
            if last.durable is None:
                last.durable = waiting
            waiting = last.durable
            self._urgent = True
            self._wake.notify()
        try:
            waiting.result(timeout)
        except Unrecorded:
            return

    def close(self) -> None:
        """Write what waits, hand the segment over and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout=30)

    def _add(self, item: _Item) -> bool:
        with self._wake:
            if self._closing or self._bytes + item.size > self._limit:
                self.counts["lost"] += 1
                return False
            self._pending.append(item)
            self._bytes += item.size
            if item.durable is not None or len(self._pending) == 1 or len(self._pending) >= _BATCH:
                self._urgent = self._urgent or item.durable is not None or len(self._pending) >= _BATCH
                self._wake.notify()
        return True

    def _run(self) -> None:
        while True:
            batch = self._next()
            if batch is None:
                break
            if batch:
                self._write(batch)
            self._guarded(self.spool.rotate)
        self._guarded(self.spool.close)

    def _next(self) -> list[_Item] | None:
        """The next batch: at once if somebody waits for it, else after the group's time; empty when only time has passed."""
        with self._wake:
            if not self._pending and not self._closing:
                self._wake.wait(timeout=1.0)
            if self._pending and not self._urgent and not self._closing:
                self._wake.wait_for(lambda: self._urgent or self._closing, timeout=self._group)
            batch, self._pending = self._pending[:_BATCH], self._pending[_BATCH:]
            self._urgent = any(item.durable is not None for item in self._pending)
            return None if self._closing and not batch else batch

    def _write(self, batch: Sequence[_Item]) -> None:
        def both() -> None:
            self.spool.append([item.record for item in batch])
            self.spool.sync()
            self.memory.record([item.entry for item in batch])

        error = self._guarded(both)
        with self._wake:
            self._bytes -= sum(item.size for item in batch)
        self.counts["failed" if error else "written"] += 1
        self.counts["lost" if error else "recorded"] += len(batch)
        self._failed_at = time.monotonic() if error else None
        for item in batch:
            if item.durable is not None and not item.durable.cancelled():
                item.durable.set_exception(Unrecorded(error)) if error else item.durable.set_result(None)

    def _guarded(self, do: Callable[[], object]) -> str | None:
        """Run a step; a disk that does not take it is a stated outcome, not the end of the thread."""
        try:
            do()
        except (OSError, sqlite3.Error, BacklightError, ValueError) as error:
            self.counts[f"error {type(error).__name__}"] += 1
            return f"{type(error).__name__}: {error}"
        return None
