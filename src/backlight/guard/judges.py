"""Threads that judge, with a bounded queue: what does not fit is told so at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Full(Exception):
    """As many requests wait for a judge as may."""


class Judges:
    """A pool of threads.

    Args:
        threads: how many judge at the same time.
        queue: how many may wait beside.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._room = threads + queue
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="backlight-judge")

    async def run(self, judge: Callable[[], T]) -> T:
        """Judge in a thread; must be called from one event loop.

        Raises:
            Full: there is no room.
        """
        if self._room <= 0:
            raise Full
        self._room -= 1
        loop = asyncio.get_running_loop()
        try:
            job = self._pool.submit(judge)
        except BaseException:
            self._room += 1
            raise
        # The thread works on when the caller goes away; its place is free only when it is done.
        job.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._leave))
        return await asyncio.wrap_future(job)

    def _leave(self) -> None:
        self._room += 1

    def close(self) -> None:
        """End the threads after their present work."""
        self._pool.shutdown(wait=False, cancel_futures=True)
