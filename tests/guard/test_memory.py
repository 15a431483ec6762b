"""What the guard remembers, for whom, and for how long."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import StoreError
from backlight.guard import AccountState, Entry, Memory, Object, Quota, Request, decide
from backlight.guard.decide import DAY, Event
from backlight.policy import builtin, load

NOW = 1_000_000_000.0
DEMO = load(builtin("demo"))


def event(number: int = 1, *, account: int = 2, key: int = 1, at: float = NOW, **more: Any) -> Event:
    told: dict[str, Any] = {"level": "key", "vouched": True, "mode": "allow", "policy": "p@1", "digest": "d", "scored": False}
    return Event(id=f"{number:032x}", time=at, key=key, account=account, **(told | more))


def entry(number: int = 1, refused_by: Any = "", *, objects: tuple[int, ...] = (), days: int = 90, **more: Any) -> Entry:
    accepted = more.pop("accepted", False)
    things = tuple(Object("hashtag", thing) for thing in objects)
    return Entry(event=event(number, **more), refused_by=refused_by, objects=things, watch_days=days, accepted=accepted)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """An empty memory with a fixed clock."""
    with Memory(tmp_path / "guard" / "memory.sqlite", clock=lambda: NOW) as made:
        yield made


def test_an_account_never_seen_has_an_empty_state(memory: Memory) -> None:
    """Nothing is remembered of a stranger."""
    assert memory.state(2, 1, NOW) == AccountState()


def test_refusals_are_counted_in_their_windows(memory: Memory) -> None:
    """Ours and the model's count alike, in a day and in thirty."""
    times = [NOW - 3600, NOW - 2 * DAY, NOW - 29 * DAY, NOW - 30.5 * DAY]
    memory.record([entry(n, "guard" if n % 2 else "model", at=at) for n, at in enumerate(times)])
    state = memory.state(2, 1, NOW)
    assert (state.refusals_24h, state.refusals_30d, state.key_refusals_24h, state.key_refusals_30d) == (1, 3, 1, 3)
    assert (state.requests_24h, state.requests_30d, state.first_seen) == (1, 3, NOW - 3600)


def test_memory_survives_closing(tmp_path: Path) -> None:
    """What was recorded is there for the next process."""
    for n in (1, 2):
        with Memory(tmp_path / "m" / "memory.sqlite") as memory:
            memory.record([entry(n, "guard")])
    with Memory(tmp_path / "m" / "memory.sqlite") as memory:
        assert memory.state(2, 1, NOW).refusals_24h == 2


def test_recording_twice_counts_a_refusal_once(memory: Memory) -> None:
    """An event id is a refusal's key."""
    memory.record([entry(1, "guard")])
    memory.record([entry(1, "guard")])
    assert memory.refusals() == {f"{1:032x}": "guard"}


def test_a_refusal_leaves_a_watch_on_what_is_rare(memory: Memory) -> None:
    """An object that five other accounts have named is not listened for; the others are."""
    memory.record([entry(n, account=100 + n, key=100 + n, objects=(8,)) for n in range(5)])
    memory.record([entry(9, "model", objects=(7, 8), days=10)])
    watch = memory.state(2, 1, NOW).watches[0]
    assert (watch.objects, watch.account, watch.cause, watch.expires) == (frozenset({7}), 2, f"{9:032x}", NOW + 10 * DAY)


def test_an_object_that_becomes_common_stops_firing(memory: Memory) -> None:
    """A slogan that spreads accuses nobody who was refused with it early."""
    memory.record([entry(1, "guard", objects=(7,))])
    memory.record([entry(10 + n, account=100 + n, key=100 + n, objects=(7,)) for n in range(5)])
    assert memory.state(2, 1, NOW).watches == ()


def test_an_answered_request_of_concern_leaves_the_weaker_watch(memory: Memory) -> None:
    """A refusal sets a watch of strength refusal, an answered request one of concern, where days are given."""
    memory.record([entry(1, objects=(7,)), entry(2, "model", objects=(8,)), entry(3, objects=(9,), days=0)])
    watches = memory.state(2, 1, NOW).watches
    assert [(watch.strength, watch.objects) for watch in watches] == [("concern", frozenset({7})), ("refusal", frozenset({8}))]


def test_a_watch_expires(memory: Memory) -> None:
    """A watch ends when its days are over."""
    memory.record([entry(2, "guard", objects=(8,), days=1)])
    counts = [len(memory.state(2, 1, NOW + days * DAY).watches) for days in (0, 0.9, 1.1)]
    assert counts == [1, 1, 0]


def test_the_refused_plan_comes_back_two_weeks_later(memory: Memory, request_of: Callable[..., Request]) -> None:
    """The story: refused, harmless turns, then the rare slogan again; the same words from another account fire nothing."""
    memory.record([entry(1, "model", objects=(7,))])
    memory.record([entry(n, at=NOW + n * DAY, days=0) for n in range(2, 14)])
    later = NOW + 14 * DAY
    request = request_of("polish our results", objects=(7,), time=later)
    hits = [decide(request, memory.state(account, key, later), DEMO, None).hits for account, key in ((2, 1), (3, 1), (4, 9))]
    assert hits == [(f"w-{1:032x}",), (), ()]


def test_hits_are_counted_with_and_without_the_voice(memory: Memory) -> None:
    """A watch's hit rate and its innocent hits can be printed."""
    memory.record([entry(1, "guard", objects=(7,))])
    memory.record([entry(2, hits=(f"w-{1:032x}",), voice=True), entry(3, hits=(f"w-{1:032x}",))])
    counts = memory.watch_counts()
    assert (counts.watches, counts.hits, counts.innocent) == (1, 1, 1)


def test_an_id_that_nobody_vouches_for_leaves_a_flag_on_the_key_alone(memory: Memory) -> None:
    """The claimed id has no account, refusal or watch of its own."""
    memory.record([entry(1, "guard", objects=(7,), claimed=77)])
    flag = memory.flags(1)[0]
    assert (flag.reason, flag.subject, flag.n, memory.state(77, 1, NOW).refusals_24h) == ("claimed_id", 77, 1, 0)
    assert memory.state(77, 1, NOW).watches == ()


def test_writes_under_one_key_never_push_out_anothers(tmp_path: Path) -> None:
    """A key over its quota loses its own oldest rows; the other key keeps its refusal and its watch."""
    quota = Quota(accounts=50, requests=50, refusals=20, watches=20, sightings=20, flags=20)
    with Memory(tmp_path / "memory.sqlite", quota=quota, clock=lambda: NOW) as memory:
        memory.record([entry(1, "guard", key=1, account=2, objects=(7,), accepted=True)])
        flood = (entry(n, "guard", key=9, account=n, objects=(n,), claimed=n, at=NOW + n) for n in range(1_000, 2_000))
        memory.record(list(flood))
        counts = [memory._read.execute(f"SELECT count(*) FROM {table} WHERE key = 9").fetchone()[0] for table in QUOTAED]
        state = memory.state(2, 1, NOW + 1)
    assert (state.refusals_24h, len(state.watches), state.key_refusals_24h) == (1, 1, 1)
    assert all(0 < count <= limit for count, limit in zip(counts, (50, 50, 20, 20, 20, 20), strict=True))


QUOTAED = ("accounts", "requests", "refusals", "watches", "sightings", "flags")


def test_invented_keys_push_out_invented_keys_only(tmp_path: Path) -> None:
    """Keys that the upstream never accepted share one allowance; an accepted key is not among them."""
    with Memory(tmp_path / "memory.sqlite", quota=Quota(strangers=10), clock=lambda: NOW) as memory:
        memory.record([entry(1, "guard", accepted=True)])
        for n in range(100, 200):
            memory.record([entry(n, "guard", key=n, account=n, at=NOW + n)])
        keys = memory._read.execute("SELECT count(*) FROM keys").fetchone()[0]
        assert (keys <= 11, memory.state(2, 1, NOW).refusals_24h, memory.state(199, 199, NOW).refusals_24h) == (True, 1, 1)


def test_a_clock_that_steps_back_forgets_nothing(memory: Memory) -> None:
    """A refusal of the future, as the clock now has it, still counts."""
    memory.record([entry(1, "guard", objects=(7,))])
    state = memory.state(2, 1, NOW - 3600)
    assert (state.refusals_24h, len(state.watches)) == (1, 1)


def test_what_is_old_is_forgotten(tmp_path: Path) -> None:
    """Once an hour, counters and refusals of over a month and watches that ended are deleted."""
    clock = [NOW]
    with Memory(tmp_path / "memory.sqlite", clock=lambda: clock[0]) as memory:
        memory.record([entry(1, "guard", objects=(7,), days=1)])
        clock[0] += 40 * DAY
        memory.record([entry(2, at=clock[0])])
        left = [
            memory._read.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("refusals", "watches", "hits")
        ]
    assert left == [0, 0, 0]


def test_a_link_is_remembered_until_it_ends(memory: Memory) -> None:
    """The nightly run's links are read with the state."""
    memory.link(2, "operation-1", NOW + DAY)
    assert [memory.state(2, 1, NOW + days * DAY).linked for days in (0, 2)] == [True, False]


def test_an_account_is_erased_and_no_byte_of_it_stays(memory: Memory) -> None:
    """After `erase` neither its rows nor its numbers stand in any file of the memory."""
    account, thing = 0x1122334455667788, 0x5566778899AABBCC
    memory.record([entry(1, "guard", account=account, objects=(thing,), level="end_user"), entry(2, "guard", account=3)])
    assert memory.erase(account) >= 5
    data = b"".join(file.read_bytes() for file in memory.path.parent.iterdir())
    found = [number.to_bytes(8, "big") in data for number in (account, thing)]
    assert (found, memory.state(account, 9, NOW), memory.state(3, 1, NOW).refusals_24h) == ([False, False], AccountState(), 1)


def test_erasing_a_key_takes_everything_under_it(memory: Memory) -> None:
    """Accounts inside a key go with it; other keys stay."""
    memory.record([entry(1, "guard"), entry(2, "guard", account=5, level="end_user"), entry(3, "guard", key=9, account=9)])
    memory.erase(2)
    assert list(memory.refusals()) == [f"{3:032x}"]


def test_a_failed_transaction_changes_nothing(memory: Memory) -> None:
    """Either all of a batch is remembered or none of it."""
    with pytest.raises(OverflowError):
        memory.record([entry(1, "guard"), entry(2, "guard", account=1 << 70)])
    assert memory.refusals() == {}


@pytest.mark.parametrize("content", [b"not a database at all" * 100])
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    """The guard does not start on a memory that it cannot trust."""
    (tmp_path / "memory.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        Memory(tmp_path / "memory.sqlite")


def test_a_newer_form_is_refused(tmp_path: Path) -> None:
    """An older Backlight does not write into a newer memory."""
    with sqlite3.connect(tmp_path / "memory.sqlite") as sql:
        sql.execute("PRAGMA user_version=99")
    sql.close()
    with pytest.raises(StoreError, match="form 99"):
        Memory(tmp_path / "memory.sqlite")
