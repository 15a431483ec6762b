"""The one writer: refusals wait for the disk, answers are grouped, nothing grows without bound."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from backlight.guard import Entry, Memory, Record, Spool
from backlight.guard.decide import Event
from backlight.guard.recorder import Recorder, Unrecorded
from backlight.sources._items import Exchange, Message

NOW = 1_795_564_800.0


class Plain:
    """A sealer that seals nothing, and can be held up."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.batches: list[int] = []

    def seal_many(
        self, rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], payloads: Sequence[bytes]
    ) -> list[bytes]:
        """The payloads, once it is not held up."""
        self.open.wait(10)
        self.batches.append(len(rows))
        return list(payloads)


def item(number: int, *, refused: bool = False) -> tuple[Entry, Record, int]:
    event = Event(
        id=f"{number:032x}", time=NOW, key=1, account=2, level="key", vouched=True, mode="refuse", policy="p@1", digest="d",
        scored=True,
    )  # fmt: skip
    exchange = Exchange(record_id=event.id, messages=[Message("user", "x")])
    entry = Entry(event=event, refused_by="guard" if refused else "")
    return entry, Record(row=number, account=2, time=NOW, exchange=exchange, guard={}), 100


@pytest.fixture
def sealer() -> Plain:
    """The stand-in for the vault."""
    return Plain()


@pytest.fixture
def recorder(tmp_path: Path, sealer: Plain) -> Iterator[Recorder]:
    """A recorder with room for five records and a long group time."""
    with Memory(tmp_path / "memory.sqlite") as memory:
        made = Recorder(Spool(tmp_path / "spool", sealer), memory, group_seconds=5.0, pending_bytes=500)
        yield made
        sealer.open.set()
        made.close()


def test_a_refusal_is_on_disk_when_the_call_returns(recorder: Recorder) -> None:
    """It does not wait for its group, and takes along what waited."""
    assert recorder.put(*item(1))
    asyncio.run(recorder.durable(*item(2, refused=True), 5.0))
    assert (recorder.memory.refusals(), recorder.counts["recorded"]) == ({f"{2:032x}": "guard"}, 2)


def test_answers_are_written_together(recorder: Recorder, sealer: Plain) -> None:
    """Records that nobody waits for share one write."""
    for number in range(4):
        recorder.put(*item(number))
    recorder.flush()
    assert sealer.batches == [4]


def test_what_has_no_room_is_lost_and_counted(recorder: Recorder, sealer: Plain) -> None:
    """The bound holds while the disk is slow, and the guard can know it before it answers."""
    sealer.open.clear()
    took = [recorder.put(*item(number)) for number in range(7)]
    assert (took, recorder.counts["lost"], recorder.healthy) == ([True] * 5 + [False] * 2, 2, False)


def test_a_slow_disk_is_not_waited_for_for_ever(recorder: Recorder, sealer: Plain) -> None:
    """A refusal that is not on disk in time is unrecorded."""
    sealer.open.clear()
    with pytest.raises(Unrecorded):
        asyncio.run(recorder.durable(*item(1, refused=True), 0.05))


def test_the_thread_outlives_a_failure(recorder: Recorder, sealer: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a write that failed the next one is tried."""

    def full(*_: object) -> list[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backlight.guard.recorder._RETRY", 60.0)
    with monkeypatch.context() as patch:
        patch.setattr(sealer, "seal_many", full)
        with pytest.raises(Unrecorded):
            asyncio.run(recorder.durable(*item(1, refused=True), 5.0))
        assert recorder.healthy is False
    asyncio.run(recorder.durable(*item(2, refused=True), 5.0))
    assert (recorder.healthy, list(recorder.memory.refusals())) == (True, [f"{2:032x}"])


def test_nothing_is_taken_after_the_end(recorder: Recorder) -> None:
    """A closed recorder says so instead of forgetting."""
    recorder.close()
    assert recorder.put(*item(1)) is False
