"""The spool: nothing acknowledged is lost, nothing is readable, segments change hands whole."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from backlight.guard import Record, Spool
from backlight.guard.spool import month_of
from backlight.sources._items import Exchange, Message
from backlight.sources.spool import LIMIT, SpoolRecord, records, segments
from backlight.workspace import Workspace

NOW = 1_795_564_800.0  # 2026-11-25T00:00:00Z


def record(number: int = 1, text: str = "Hello", **more: str) -> Record:
    exchange = Exchange(record_id=f"e{number}", time=datetime.fromtimestamp(NOW, UTC), messages=[Message("user", text)], **more)
    return Record(row=number, account=7, time=NOW, exchange=exchange, guard={"id": f"e{number}", "mode": "refuse"})


def held(ws: Workspace, folder: Path) -> list[SpoolRecord]:
    return [item for path in segments(folder) for item in records(path, ws.vault.open)]


def test_what_is_appended_is_read_back(ws: Workspace, tmp_path: Path) -> None:
    """A record comes back as the exchange that every reader yields, with the guard's event beside it."""
    with Spool(tmp_path / "spool", ws.vault) as spool:
        spool.append([record(1), record(2, end_user="u", output="Hi")])
        spool.sync()
    first, second = held(ws, tmp_path / "spool")
    assert (first.exchange, first.guard) == (record(1).exchange, {"id": "e1", "mode": "refuse"})
    assert (second.exchange.end_user, second.exchange.output, second.exchange.record_id) == ("u", "Hi", "e2")


def test_a_segment_is_handed_over_when_it_is_large_or_old(ws: Workspace, tmp_path: Path) -> None:
    """Size and age each end a segment; before that nobody else sees it."""
    clock = [0.0]
    folder = tmp_path / "spool"
    spool = Spool(folder, ws.vault, segment_bytes=1_000, segment_seconds=60, clock=lambda: clock[0])
    spool.append([record()])
    seen = [(spool.rotate() is not None, len(segments(folder)))]
    clock[0] = 61.0
    seen.append((spool.rotate() is not None, len(segments(folder))))
    spool.append([record(n, os.urandom(400).hex()) for n in range(2)])
    seen.append((spool.rotate() is not None, len(segments(folder))))
    assert seen == [(False, 0), (True, 1), (True, 2)]


def test_an_empty_spool_leaves_no_segment(ws: Workspace, tmp_path: Path) -> None:
    """Nothing written, nothing to hand over."""
    Spool(tmp_path / "spool", ws.vault).close()
    assert list((tmp_path / "spool").iterdir()) == []


def test_a_torn_tail_loses_only_what_was_torn(ws: Workspace, tmp_path: Path) -> None:
    """Cut at any byte, a segment gives back every frame that was whole, and no error."""
    with Spool(tmp_path / "spool", ws.vault) as spool:
        spool.append([record(n) for n in range(3)])
    path = segments(tmp_path / "spool")[0]
    data = path.read_bytes()
    counts = []
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])
        counts.append(sum(1 for _ in records(path, ws.vault.open)))
    assert (counts == sorted(counts), counts[0], counts[-2], counts[-1], set(counts)) == (True, 0, 2, 3, {0, 1, 2, 3})


def test_a_dead_writers_segment_is_handed_over_and_a_living_ones_is_not(ws: Workspace, tmp_path: Path) -> None:
    """A living writer holds a lock on its segment; what a dead one left is picked up at the next start."""
    folder = tmp_path / "spool"
    living = Spool(folder, ws.vault)
    living.append([record(1)])
    (folder / "00-1.open").write_bytes(b"")
    Spool(folder, ws.vault)
    assert [path.name for path in segments(folder)] == ["00-1.spool"]
    living.close()
    assert [item.exchange.record_id for item in held(ws, folder)] == ["e1"]


def test_a_full_disk_is_an_error_and_leaves_whole_frames(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a full disk took of a batch is cut off again, and later records follow it."""
    spool = Spool(tmp_path / "spool", ws.vault)
    spool.append([record(1)])
    write, left = os.write, [20]

    def full(handle: int, data: memoryview) -> int:
        if left[0] <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = write(handle, data[: left[0]])
        left[0] -= done
        return done

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            spool.append([record(2)])
    spool.append([record(3)])
    spool.close()
    assert [item.exchange.record_id for item in held(ws, tmp_path / "spool")] == ["e1", "e3"]


def test_no_text_or_raw_id_is_readable(ws: Workspace, tmp_path: Path) -> None:
    """Canaries in prompt, answer and ids stand nowhere in the bytes on disk, before and after the handover."""
    spool = Spool(tmp_path / "spool", ws.vault)
    spool.append([record(1, "CANARY-prompt " * 50, output="CANARY-answer", end_user="CANARY-user", key="CANARY-key")])
    spool.sync()
    before = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    spool.close()
    after = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir())
    assert (b"CANARY" in before + after, before == after, len(before) > 100) == (False, True, True)


def test_an_erased_accounts_records_cannot_be_opened(ws: Workspace, tmp_path: Path) -> None:
    """The spool follows the vault: without the data key nothing opens."""
    with Spool(tmp_path / "spool", ws.vault) as spool:
        spool.append([record(1)])
    ws.vault._keys.delete_account(7)
    with pytest.raises(Exception, match="erased"):
        held(ws, tmp_path / "spool")


def test_a_record_that_no_frame_holds_is_kept_shortened(ws: Workspace, tmp_path: Path) -> None:
    """A refusal of a request beyond all size is still on disk, with its last message cut and a mark that says so."""
    text = "x" * (LIMIT + 1)
    with Spool(tmp_path / "spool", ws.vault) as spool:
        spool.append([record(1, text)])
    item = held(ws, tmp_path / "spool")[0]
    assert (item.guard["shortened"], len(item.exchange.messages[0].text)) == (True, 1 << 20)


@pytest.mark.parametrize(("day", "month"), [((1970, 1), 1970 * 12), ((2026, 11), 2026 * 12 + 10), ((2026, 12), 2026 * 12 + 11)])
def test_the_month_of_a_time(day: tuple[int, int], month: int) -> None:
    """Year * 12 + month - 1, in UTC."""
    assert month_of(datetime(*day, 1, tzinfo=UTC).timestamp()) == month


def test_files_are_for_their_owner_only(ws: Workspace, tmp_path: Path) -> None:
    """Folder 0700, segment 0600."""
    spool = Spool(tmp_path / "spool", ws.vault)
    spool.append([record()])
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "spool", *(tmp_path / "spool").iterdir())]
    spool.close()
    assert modes == [0o700, 0o600]
