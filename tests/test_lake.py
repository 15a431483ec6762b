from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight import _lake
from backlight._lake import Commit, Lake
from backlight.errors import RequestError, StoreError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return made(tmp_path)


def made(base: Path) -> Lake:
    (base / "lake").mkdir(exist_ok=True)
    (base / "commits").mkdir(exist_ok=True)
    return Lake(base / "lake", base / "commits")


def signals(*subjects: int) -> pa.Table:
    return pa.table({"subject": pa.array(subjects, pa.int64())})


def texts(*ids: int) -> pa.Table:
    return pa.table({"text": pa.array(ids, pa.int64()), "language": ["canary-language"] * len(ids)})


def rows(lake: Lake, name: str, column: str, commit: Commit | None = None) -> list[int]:
    files = lake.files(name, commit or lake.newest())
    return sorted(value for file in files for value in pq.read_table(file)[column].to_pylist())


def crash_between_tables_and_record(lake: Lake, monkeypatch: pytest.MonkeyPatch, batch: dict[str, pa.Table]) -> None:
    """Leave the tables written and the commit record not, as kill -9 would."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lake, "_record", killed)
        patch.setattr(lake, "_take_back", lambda: None)
        lake.commit(batch)


def test_a_batch_is_one_data_version(lake: Lake) -> None:
    """Its commit record names every table's Delta version."""
    commit = lake.commit(
        {"signals": signals(1, 2), "texts": texts(5)}, source="a log", offset={"line": 2}, counts={"stored": 2}
    )
    assert (commit.version, dict(commit.tables), commit.source, commit.offset) == (
        1,
        {"signals": 1, "texts": 1},
        "a log",
        {"line": 2},
    )
    assert rows(lake, "signals", "subject") == [1, 2] and rows(lake, "texts", "text") == [5]
    assert lake.at(1) == commit


def test_the_empty_lake_is_version_0(lake: Lake) -> None:
    """It has no files."""
    assert lake.newest().version == 0 and lake.files("signals", lake.newest()) == []


def test_an_older_data_version_still_reads(lake: Lake) -> None:
    """After appends and replacements."""
    first = lake.commit({"signals": signals(1)})
    lake.commit({"signals": signals(2)})
    lake.commit({"signals": signals(3)}, overwrite=["signals"])
    assert [rows(lake, "signals", "subject", c) for c in (first, lake.at(2), lake.at(3))] == [[1], [1, 2], [3]]


def test_replacing_by_nothing_empties_the_table(lake: Lake) -> None:
    """Appending nothing leaves it as it was."""
    lake.commit({"signals": signals(1)})
    assert dict(lake.commit({"signals": signals()}).tables) == {"signals": 1}
    lake.commit({"signals": signals()}, overwrite=["signals"])
    assert rows(lake, "signals", "subject") == []


def test_progress_is_kept_per_source(lake: Lake) -> None:
    """The last offset of each; a batch without one does not change it."""
    lake.commit({}, source="a", offset={"line": 1})
    lake.commit({}, source="b", offset={"line": 7})
    lake.commit({"signals": signals(1)}, source="a")
    lake.commit({}, source="a", offset={"line": 3})
    assert [dict(lake.progress(source, 4)) for source in ("a", "b", "c")] == [{"line": 3}, {"line": 7}, {}]


def test_left_out_columns_are_null(lake: Lake) -> None:
    """And columns stand in their table's order."""
    lake.commit({"signals": pa.table({"value": [0.5], "subject": pa.array([1], pa.int32())})})
    [row] = pq.read_table(lake.files("signals", lake.newest())[0]).to_pylist()
    assert list(row)[:2] == ["subject_kind", "subject"] and row["subject_kind"] is None and row["value"] == 0.5


@pytest.mark.parametrize(
    ("batch", "match"),
    [
        ({"signals": pa.table({"subjct": [1]})}, "columns"),
        ({"no_table": pa.table({"a": [1]})}, "no table"),
        ({"signals": pa.table({"subject": ["a canary"]})}, "column subject of signals is string"),
    ],
)
def test_rows_of_another_shape_are_refused(lake: Lake, batch: dict[str, pa.Table], match: str) -> None:
    """Before anything is written, and without showing the value."""
    with pytest.raises(RequestError, match=match) as error:
        lake.commit({"texts": texts(1), **batch})
    assert lake.newest().version == 0 and rows(lake, "texts", "text") == [] and "canary" not in str(error.value)


def test_statistics_stand_on_keys_and_times_only(lake: Lake, tmp_path: Path) -> None:
    """In Delta's log and in the Parquet footer; strings never, through compaction and deletion too."""
    lake.commit({"texts": texts(1, 2), "runs": pa.table({"id": ["canary-run"]})})
    lake.commit({}, delete={"texts": "text = 1"})
    log = b"".join(file.read_bytes() for file in (tmp_path / "lake").rglob("_delta_log/*"))
    assert b"canary" not in log and b'\\"minValues\\":{\\"text\\":2}' in log
    [file] = lake.files("texts", lake.newest())
    group = pq.read_metadata(file).row_group(0)
    with_statistics = [group.column(n).path_in_schema for n in range(group.num_columns) if group.column(n).statistics]
    assert with_statistics == ["text"] and group.column(0).compression == "ZSTD"


def test_files_are_for_their_owner_only(lake: Lake, tmp_path: Path) -> None:
    """Data, log and commit records: mode 0600."""
    lake.commit({"signals": signals(1)})
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "00000000000000000000.crc"]
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_tables_that_ran_ahead_are_restored(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Crash between tables and record: the next writer loses nothing, doubles nothing and leaves no orphan file."""
    lake.commit({"signals": signals(1), "texts": texts(5)})
    crash_between_tables_and_record(
        lake, monkeypatch, {"signals": signals(2), "texts": texts(6), "posts": pa.table({"id": [9]})}
    )
    fresh = made(tmp_path)
    assert rows(fresh, "signals", "subject") == [1]
    healed = fresh.heal()
    assert healed is not None and healed.source == "heal" and fresh.heal() is None
    assert rows(fresh, "signals", "subject") == [1] and not (tmp_path / "lake" / "posts").exists()
    assert len(list((tmp_path / "lake" / "signals").glob("*.parquet"))) == 1
    fresh.commit({"signals": signals(2), "texts": texts(6)})
    assert rows(fresh, "signals", "subject") == [1, 2] and rows(fresh, "texts", "text") == [5, 6]


def test_healing_that_is_cut_short_again_and_again_ends_well(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in healing is healed as any other, however often."""
    lake.commit({"signals": signals(1)})
    crash_between_tables_and_record(lake, monkeypatch, {"signals": signals(2)})
    for _ in range(12):
        fresh = made(tmp_path)
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(fresh, "_record", _interrupt)
            fresh.heal()
    assert made(tmp_path).heal() is not None and rows(lake, "signals", "subject") == [1]


def test_deltas_own_newest_version_is_healed_too(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other readers of the folder, which know no commit records, see the same rows."""
    lake.commit({"signals": signals(1)})
    crash_between_tables_and_record(lake, monkeypatch, {"signals": signals(2)})
    made(tmp_path).heal()
    assert DeltaTable(tmp_path / "lake" / "signals").to_pyarrow_table()["subject"].to_pylist() == [1]


def test_a_crashed_replacement_keeps_the_old_rows(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come back, not the new ones."""
    lake.commit({"signals": signals(1, 2)})
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(lake, "_record", _interrupt)
        lake.commit({"signals": signals(3)}, overwrite=["signals"])
    assert rows(made(tmp_path), "signals", "subject") == [1, 2]
    assert DeltaTable(tmp_path / "lake" / "signals").to_pyarrow_table().num_rows == 2


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_failed_batch_is_taken_back_at_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same writer goes on, and the batch is not doubled when it is tried again."""
    lake.commit({"signals": signals(1)})
    write = lake._write
    with monkeypatch.context() as patch, pytest.raises(StoreError):
        patch.setattr(
            lake, "_write", lambda name, *rest, **more: _fail(name) if name == "texts" else write(name, *rest, **more)
        )
        lake.commit({"signals": signals(2), "texts": texts(6)})
    assert rows(lake, "signals", "subject") == [1]
    lake.commit({"signals": signals(2), "texts": texts(6)})
    assert rows(lake, "signals", "subject") == [1, 2]


def _fail(name: str) -> None:
    raise StoreError(f"table {name} cannot be written")


def test_a_torn_log_entry_is_removed(lake: Lake, tmp_path: Path) -> None:
    """A power cut may leave half an uncommitted entry; the table is as committed after it."""
    lake.commit({"signals": signals(1)})
    (tmp_path / "lake" / "signals" / "_delta_log" / f"{2:020d}.json").write_text('{"add":{"pa')
    fresh = made(tmp_path)
    assert rows(fresh, "signals", "subject") == [1]
    assert fresh.heal() is None
    fresh.commit({"signals": signals(2)})
    assert rows(fresh, "signals", "subject") == [1, 2]


def test_orphan_files_are_removed_and_pinned_ones_kept(lake: Lake, tmp_path: Path) -> None:
    """What a killed writer left goes; what an older data version names stays."""
    first = lake.commit({"signals": signals(1)})
    lake.commit({"signals": signals(2)}, overwrite=["signals"])
    orphan = tmp_path / "lake" / "signals" / "part-00000-orphan.zstd.parquet#1"
    orphan.write_bytes(b"half a file")
    made(tmp_path).heal()
    assert not orphan.exists() and rows(lake, "signals", "subject", first) == [1]


def test_sweeping_removes_what_the_newest_version_does_not_name(lake: Lake, tmp_path: Path) -> None:
    """After an erasure nothing of the rows stays on disk; readers of older versions are told."""
    first = lake.commit({"texts": texts(1, 2)})
    lake.commit({}, delete={"texts": "text = 1"})
    assert lake.sweep(["texts"]) == 1 and rows(lake, "texts", "text") == [2]
    with pytest.raises(FileNotFoundError):
        rows(lake, "texts", "text", first)


def test_lost_commit_records_never_lose_tables(lake: Lake, tmp_path: Path) -> None:
    """More steps ahead than a crash can leave: refuse, and touch nothing."""
    for number in range(20):
        lake.commit({"signals": signals(number)})
    for file in (tmp_path / "commits").iterdir():
        file.unlink()
    with pytest.raises(StoreError, match="commit records are missing"):
        made(tmp_path).heal()
    assert DeltaTable(tmp_path / "lake" / "signals").to_pyarrow_table().num_rows == 20


@pytest.mark.parametrize("body", [b"", b'{"version": 2, "ti', b"[]", b"{}", b'{"version": 7, "time": "", "tables": {}}'])
def test_a_damaged_commit_record_is_told(lake: Lake, tmp_path: Path, body: bytes) -> None:
    """It is named, and nothing is written on top of it."""
    lake.commit({"signals": signals(1)})
    (tmp_path / "commits" / f"{2:012d}.json").write_bytes(body)
    with pytest.raises(StoreError, match=r"000000000002\.json is"):
        made(tmp_path).newest()
    with pytest.raises(StoreError):
        made(tmp_path).commit({"signals": signals(2)})


def test_a_record_that_was_never_finished_is_no_version(lake: Lake, tmp_path: Path) -> None:
    """A temporary file beside the records is not read."""
    lake.commit({"signals": signals(1)})
    (tmp_path / "commits" / f".{2:012d}.json.99.new").write_bytes(b"{")
    assert lake.newest().version == 1


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Housekeeping as after a hundred batches, after ten."""
    monkeypatch.setattr(_lake, "LIVE_FILES", 10)
    monkeypatch.setattr(_lake, "_HOUSEKEEPING", 5)


@pytest.mark.usefixtures("busy")
def test_small_files_are_merged(lake: Lake, tmp_path: Path) -> None:
    """Past so many of them; the rows, and those of older data versions, stay."""
    for number in range(13):
        lake.commit({"signals": signals(number)})
    assert len(lake.files("signals", lake.newest())) == 3
    assert rows(lake, "signals", "subject") == list(range(13))
    assert rows(lake, "signals", "subject", lake.at(9)) == list(range(9))
    assert list((tmp_path / "lake" / "signals" / "_delta_log").glob("*.checkpoint*"))


@pytest.mark.usefixtures("busy")
def test_checkpoints_and_merged_files_hold_no_text_in_their_statistics(lake: Lake, tmp_path: Path) -> None:
    """As the log entries and files they are made from."""
    for number in range(13):
        lake.commit({"texts": texts(number)})
    [checkpoint, *_] = (tmp_path / "lake" / "texts" / "_delta_log").glob("*.checkpoint.parquet")
    shown = str(pq.read_table(checkpoint).to_pylist())
    assert "canary" not in shown and '"minValues":{"text":0}' in shown
    for file in lake.files("texts", lake.newest()):
        group = pq.read_metadata(file).row_group(0)
        assert [group.column(n).path_in_schema for n in range(group.num_columns) if group.column(n).statistics] == ["text"]


@pytest.mark.usefixtures("busy")
def test_the_log_and_replaced_files_do_not_grow_for_ever(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older than the retention (here: none) goes; the newest version reads from a checkpoint."""
    monkeypatch.setattr(_lake, "_RETENTION_HOURS", 0)
    for number in range(30):
        lake.commit({"signals": signals(number)}, overwrite=["signals"])
    assert len(list((tmp_path / "lake" / "signals" / "_delta_log").iterdir())) < 15
    assert len(list((tmp_path / "lake" / "signals").glob("*.parquet"))) < 10
    assert rows(made(tmp_path), "signals", "subject") == [29]


def test_a_table_with_deletion_vectors_is_refused(lake: Lake, tmp_path: Path) -> None:
    """The list of files would show deleted rows again."""
    lake.commit({"signals": signals(1)})
    log = tmp_path / "lake" / "signals" / "_delta_log"
    features = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    (log / f"{2:020d}.json").write_text(json.dumps({"protocol": features}) + "\n")
    with pytest.raises(StoreError, match="deletionVectors"):
        lake.files("signals", Commit(1, "", {"signals": 2}))


def test_a_panic_of_the_delta_library_is_told() -> None:
    """Its exception is no Exception; it becomes a StoreError, and an interrupt stays one."""
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(StoreError, match="gave up"), _lake._delta("table x cannot be read"):
        raise panic("index out of bounds")
    with pytest.raises(KeyboardInterrupt), _lake._delta("table x cannot be read"):
        raise KeyboardInterrupt


def test_a_new_column_joins_old_files(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that a newer Backlight gave a column keeps its old rows."""
    whole = _lake.TABLES["signals"]
    older = _lake.Table("signals", whole.row, whole.columns[:-1], whole.stats)
    with monkeypatch.context() as patch:
        patch.setitem(_lake.TABLES, "signals", older)
        lake.commit({"signals": signals(1)})
    lake.commit({"signals": signals(2)})
    assert rows(lake, "signals", "subject") == [1, 2]


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_any_sequence_of_batches_and_crashes_keeps_a_model(data: st.DataObject) -> None:
    """Appends, replacements, deletions and crashes in any order: the lake holds what a dictionary of lists holds."""
    with tempfile.TemporaryDirectory() as base, pytest.MonkeyPatch.context() as monkeypatch:
        lake, model = made(Path(base)), {"signals": list[int](), "texts": list[int]()}
        steps = data.draw(st.lists(st.sampled_from(["append", "replace", "delete", "crash", "reopen"]), max_size=8))
        for number, step in enumerate(steps, start=1):
            batch = {"signals": signals(number), "texts": texts(number)}
            if step == "append":
                lake.commit(batch)
                model = {name: [*held, number] for name, held in model.items()}
            elif step == "replace":
                lake.commit(batch, overwrite=["signals"])
                model = {"signals": [number], "texts": [*model["texts"], number]}
            elif step == "delete":
                lake.commit({}, delete={"texts": f"text = {number - 1}"})
                model["texts"] = [held for held in model["texts"] if held != number - 1]
            elif step == "crash":
                crash_between_tables_and_record(lake, monkeypatch, batch)
            else:
                lake = made(Path(base))
                lake.heal()
            assert rows(lake, "signals", "subject") == model["signals"] and rows(lake, "texts", "text") == model["texts"]


def run_killed(base: Path, chance: random.Random) -> None:
    """Let the writer commit one batch, then kill it at a random moment of the next one or two."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(base)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        started = time.monotonic()
        running.stdout.readline()
        one_batch = time.monotonic() - started
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(chance.uniform(0, 2 * one_batch))
        running.kill()


WRITER = """
import sys
from pathlib import Path
import pyarrow as pa
from backlight import _lake
from backlight._lake import Lake
_lake.LIVE_FILES, _lake._HOUSEKEEPING = 4, 5  # so that kills fall into compaction and checkpoints too
base = Path(sys.argv[1])
lake = Lake(base / "lake", base / "commits")
lake.heal()
print(flush=True)
while True:
    at = lake.progress("count", lake.newest().version).get("next", 0)
    batch = list(range(at, at + 10))
    lake.commit(
        {"texts": pa.table({"text": batch}), "signals": pa.table({"subject": batch}), "entities": pa.table({"object": [at]})},
        overwrite=["entities"], source="count", offset={"next": at + 10},
    )
    print(flush=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_random_moments_lose_and_double_nothing(tmp_path: Path) -> None:
    """After each of 40: tables agree with each other and with the progress; after healing, no orphan file is left."""
    made(tmp_path)
    healed, chance = 0, random.Random(0)
    for _ in range(40):
        run_killed(tmp_path, chance)
        lake = made(tmp_path)
        check_whole(lake)
        healed += lake.heal() is not None
        check_whole(lake)
        assert orphans(tmp_path, lake) == []
    print(f"of 40 kills {healed} fell between a batch's first write and its commit record")
    assert lake.newest().version >= 40 and healed >= 5


@pytest.mark.slow
def test_readers_beside_a_writer_never_see_half_a_batch(tmp_path: Path) -> None:
    """They take no lock; compaction and checkpoints go on meanwhile."""
    lake = made(tmp_path)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        while lake.newest().version < 30:
            check_whole(made(tmp_path))
        running.kill()


def orphans(base: Path, lake: Lake) -> list[Path]:
    """Files that the newest commit record does not name, and that are too young for an older one to name them."""
    newest = lake.newest()
    named = {file for name in newest.tables for file in lake.files(name, newest)}
    written = max((base / "commits").iterdir()).stat().st_mtime
    return [file for file in (base / "lake").glob("*/*.parquet*") if str(file) not in named and file.stat().st_mtime >= written]


def check_whole(lake: Lake) -> None:
    commit = lake.newest()
    after = lake.progress("count", commit.version).get("next", 0)
    assert rows(lake, "texts", "text", commit) == rows(lake, "signals", "subject", commit) == list(range(after))
    assert rows(lake, "entities", "object", commit) == ([after - 10] if after else [])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB. Delta closes the file of a failed write from its own thread, so taking it off may have to wait."""
    base = tmp_path / "small"
    base.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(base)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a full disk can be tried only by root, who may mount a small file system")
    yield base
    for _ in range(300):
        taken = subprocess.run(["umount", str(base)], capture_output=True, text=True, check=False)
        if not taken.returncode:
            return
        time.sleep(0.1)
    pytest.fail(f"something still holds a file open 30 s after the test: {taken.stderr}")


def test_a_full_disk_takes_the_batch_back(small_disk: Path) -> None:
    """A clear error, the rows as before, and the same writer goes on when there is room."""
    lake = made(small_disk)
    lake.commit({"signals": signals(1), "texts": texts(5)})
    filler = small_disk / "filler"
    fill(filler, leave=100_000)
    big = pa.table({"text": list(range(300_000)), "version": [os.urandom(8).hex() for _ in range(300_000)]})
    with pytest.raises(StoreError, match="texts cannot be written"):
        lake.commit({"signals": signals(2), "texts": big})
    filler.unlink()
    lake.commit({"signals": signals(3)})
    assert rows(lake, "signals", "subject") == [1, 3] and rows(lake, "texts", "text") == [5]


def fill(file: Path, *, leave: int) -> None:
    free = os.statvfs(file.parent)
    file.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave)))


def test_every_odd_path_that_is_allowed_works(tmp_path: Path) -> None:
    """Spaces, umlauts, CJK, quotes, hash, question mark, plus and ampersand."""
    base = tmp_path / "a b ü 光 'q' \"d\" #?+&()*"
    base.mkdir()
    lake = made(base)
    lake.commit({"signals": signals(1)})
    made(base).heal()
    lake.commit({"signals": signals(2)})
    assert rows(lake, "signals", "subject") == [1, 2]


def test_a_second_writer_of_delta_is_noticed(lake: Lake, tmp_path: Path) -> None:
    """A table that somebody else wrote to since is not written on."""
    lake.commit({"signals": signals(1)})
    held: Callable[[], object] = lake._open["signals"].update_incremental
    write_deltalake(tmp_path / "lake" / "signals", DeltaTable(tmp_path / "lake" / "signals").to_pyarrow_table(), mode="append")
    held()
    with pytest.raises(StoreError, match="open the workspace again"):
        lake.commit({"signals": signals(2)})
