"""Parquet is read by a child with limits, and the child's death is a reject."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backlight.errors import RequestError
from backlight.sources import _tables, records
from backlight.sources._tables import parquet_rows as rows

TABLE = pa.table(
    {
        "id": [1, 2, 3],
        "text": pa.array([b"one", b"two", None], pa.binary()),
        "made": pa.array([1_700_000_000_123_456_789, None, 0], pa.timestamp("ns", "UTC")),
        "said": [[{"role": "user", "content": "é\u2028"}], [], None],
        "word": pa.array(["x", "y", "x"]).dictionary_encode(),
    }
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of two row groups."""
    pq.write_table(TABLE, tmp_path / "file", row_group_size=2)
    return tmp_path / "file"


def test_rows_are_objects_with_their_place(file: Path) -> None:
    """Nested values, bytes, dictionary columns and nanoseconds come as JSON."""
    found = list(records(file))
    assert [raw.place for raw in found] == ["row 0 of group 0", "row 1 of group 0", "row 0 of group 1"]
    first = json.loads(found[0].data)
    assert first.pop("made") == "2023-11-14T22:13:20.123456Z"
    assert first == {"id": 1, "text": "one", "said": [{"role": "user", "content": "é\u2028"}], "word": "x"}


def test_the_head_is_enough_for_detection(file: Path) -> None:
    """Only as many rows as asked for are read."""
    assert len(list(rows(file, limit=1 << 20, head=1))) == 1


@pytest.mark.parametrize(
    "damage", [lambda d: d[:200], lambda d: d[:4] + b"\xff" * 100 + d[104:], lambda d: d[:-8] + b"\xff\xff\xff\x7fPAR1"]
)
def test_damage_is_one_reject_at_the_end(file: Path, damage) -> None:  # type: ignore[no-untyped-def]
    """A torn or garbled file gives what could be read, and one reason."""
    file.write_bytes(damage(file.read_bytes()))
    *_, last = records(file)
    assert "the Parquet file cannot be read further" in str(last.wrong)


def test_a_file_that_needs_more_memory_than_it_gets_is_one_reject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child's allocation fails, not ours."""
    monkeypatch.setattr(_tables, "MEMORY", 500 << 20)
    table = pa.table({"text": pa.array([b"y" * (96 << 20)], pa.large_binary())})
    pq.write_table(table, tmp_path / "bomb", compression="zstd", write_statistics=False, use_dictionary=False)
    (only,) = rows(tmp_path / "bomb", limit=1 << 26)
    assert "takes more memory than a reader gets" in str(only.wrong)


def test_a_file_that_expands_without_measure_is_read_no_further(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One repeated text is small on disk only."""
    monkeypatch.setattr(_tables, "FREE", 4 << 20)
    pq.write_table(pa.table({"text": ["x" * (1 << 20)] * 40}), tmp_path / "bomb", compression="zstd")
    found = list(rows(tmp_path / "bomb", limit=1 << 26))
    assert "expands more than 400-fold" in str(found[-1].wrong)
    assert len(found) < 40


def test_rows_over_the_limit_are_rejects(file: Path) -> None:
    """Those are rejects of their own."""
    found = list(rows(file, limit=110))
    assert [str(raw.wrong) for raw in found] == ["a row of 112 bytes; expected at most 110", "None", "None"]


def test_a_child_that_falls_silent_is_ended(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no waiting without end."""
    monkeypatch.setattr(_tables, "SILENCE", 0.0)
    assert "fell silent" in str(list(rows(file, limit=1 << 20))[-1].wrong)


def test_a_pipe_is_refused(file: Path) -> None:
    """Parquet is read from its end, so it needs a file; conversations are never put into a temporary one."""
    with file.open("rb") as pipe, pytest.raises(RequestError, match="by its path"):
        list(records(pipe))


def test_times_keep_their_zone() -> None:
    """The literal above is that moment."""
    assert datetime.fromtimestamp(1_700_000_000.123456, UTC).isoformat() == "2023-11-14T22:13:20.123456+00:00"
