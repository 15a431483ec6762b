from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backlight.engine import DuckDBEngine
from backlight.errors import StoreError
from backlight.tables import POSTS, SIGNALS


def stored(folder: Path, name: str, rows: pa.Table) -> str:
    pq.write_table(rows, folder / name)
    return str(folder / name)


def signals(*subjects: int) -> pa.Table:
    return SIGNALS.rows([{"subject": subject, "value": subject / 2} for subject in subjects])


def test_runs_an_expression_over_files(tmp_path: Path) -> None:
    """Files in, rows out."""
    engine = DuckDBEngine(tmp_path)
    files = [stored(tmp_path, "a.parquet", signals(1, 2)), stored(tmp_path, "b.parquet", signals(3))]
    table = engine.read("signals", files, empty=SIGNALS.empty())
    assert engine.run(table.aggregate(n=table.count(), total=table.value.sum())).to_pylist() == [{"n": 3, "total": 3.0}]


def test_no_files_are_an_empty_table() -> None:
    """With the right columns."""
    engine = DuckDBEngine()
    assert engine.run(engine.read("posts", [], empty=POSTS.empty())).schema == POSTS.arrow


def test_every_type_of_the_lake_comes_back(tmp_path: Path) -> None:
    """Times in UTC, dates, lists, binaries: schema and values as written."""
    row = {
        "id": 1, "digest": b"\x00\xff", "time": datetime(2026, 1, 2, tzinfo=UTC), "day": datetime(2026, 1, 2).date(),
        "text": "a\u2028b", "urls": ["x", None], "hashtags": [],
    }  # fmt: skip
    rows = POSTS.rows([row])
    engine = DuckDBEngine(tmp_path)
    assert engine.run(engine.read("posts", [stored(tmp_path, "a.parquet", rows)], empty=POSTS.empty())).equals(rows)


def test_a_column_that_old_files_lack_is_null(tmp_path: Path) -> None:
    """In some files or in all of them; columns unknown here are left out."""
    engine = DuckDBEngine(tmp_path)
    old = stored(tmp_path, "old.parquet", pa.table({"subject": [1], "gone": ["x"]}))
    new = stored(tmp_path, "new.parquet", signals(2))
    for files in ([old], [old, new], [new, old]):
        rows = engine.run(engine.read("signals", files, empty=SIGNALS.empty())).sort_by("subject")
        assert rows.schema == SIGNALS.arrow and rows["value"][0].as_py() is None


def test_rows_in_memory_and_files_join(tmp_path: Path) -> None:
    """Bound rows are a table like any other, and may be bound anew or over files."""
    engine = DuckDBEngine(tmp_path)
    table = engine.read("signals", [stored(tmp_path, "a.parquet", signals(1, 2, 3))], empty=SIGNALS.empty())
    wanted = engine.bind("wanted", pa.table({"id": [2]}))
    joined = table.semi_join(wanted, table.subject == wanted.id).select("subject")
    assert engine.run(joined)["subject"].to_pylist() == [2]
    engine.bind("wanted", pa.table({"id": [3]}))
    assert engine.run(joined)["subject"].to_pylist() == [3]
    engine.bind("signals", signals(3, 3))
    assert engine.run(joined)["subject"].to_pylist() == [3, 3]
    engine.read("signals", [stored(tmp_path, "b.parquet", signals(3))], empty=SIGNALS.empty())
    assert engine.run(joined)["subject"].to_pylist() == [3]


def test_a_stream_is_read_while_other_queries_run(tmp_path: Path) -> None:
    """Over files and over rows in memory, two streams at a time."""
    engine = DuckDBEngine(tmp_path)
    table = engine.read("signals", [stored(tmp_path, "a.parquet", signals(*range(50_000)))], empty=SIGNALS.empty())
    bound = engine.bind("bound", pa.table({"id": list(range(50_000))}))
    one, two = engine.stream(table, 2048), engine.stream(bound, 2048)
    seen = 0
    for batch in one:
        seen += batch.num_rows + two.read_next_batch().num_rows
        assert engine.run(bound.filter(bound.id < 3)).num_rows == 3
    assert seen == 100_000


def test_a_stream_has_the_schema_of_a_run(tmp_path: Path) -> None:
    """Times are in UTC in both."""
    engine = DuckDBEngine(tmp_path)
    table = engine.read("posts", [stored(tmp_path, "a.parquet", POSTS.rows([{"id": 1}]))], empty=POSTS.empty())
    assert engine.stream(table).schema == engine.run(table).schema == POSTS.arrow


def test_a_kernel_gets_sorted_rows() -> None:
    """Sorted by partition, then by order."""
    engine = DuckDBEngine()
    table = engine.bind("acts", pa.table({"object": [2, 1, 2, 1], "time": [5, 9, 4, 1]}))
    rows = engine.map_sorted(table, partition_by=["object"], order_by=["time"], kernel=lambda rows: rows)
    assert rows.to_pydict() == {"object": [1, 1, 2, 2], "time": [1, 9, 4, 5]}


@pytest.mark.parametrize("name", ["a*b ü光 'q' #?+&()", "plain"])
def test_reads_from_folders_with_odd_names(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a glob mean themselves."""
    (tmp_path / name).mkdir()
    (tmp_path / "aXb ü光 'q' #X+&()").mkdir()
    stored(tmp_path / "aXb ü光 'q' #X+&()", "a.parquet", signals(7, 8, 9))
    engine = DuckDBEngine(tmp_path / name)
    table = engine.read("signals", [stored(tmp_path / name, "a.parquet", signals(1))], empty=SIGNALS.empty())
    assert engine.run(table)["subject"].to_pylist() == [1]


def test_reads_nothing_outside_of_its_folder(tmp_path: Path) -> None:
    """Nor writes, loads an extension or changes a setting."""
    (tmp_path / "ws").mkdir()
    outside = stored(tmp_path, "outside.parquet", signals(1))
    engine = DuckDBEngine(tmp_path / "ws")
    with pytest.raises(duckdb.PermissionException):
        engine.read("signals", [outside], empty=SIGNALS.empty())
    for statement in (f"COPY (SELECT 1) TO '{tmp_path}/out.csv'", "LOAD httpfs", "SET threads = 1", "INSTALL httpfs"):
        with pytest.raises(duckdb.Error):
            engine._con.execute(statement)


def test_without_a_folder_it_reads_no_file(tmp_path: Path) -> None:
    """In memory only."""
    with pytest.raises(duckdb.PermissionException):
        DuckDBEngine().read("signals", [stored(tmp_path, "a.parquet", signals(1))], empty=SIGNALS.empty())


def test_python_variables_are_no_tables() -> None:
    """A name in an expression never reads what happens to be a variable."""
    engine = DuckDBEngine()
    secret = pa.table({"a": [1]})
    with pytest.raises(duckdb.CatalogException):
        engine._con.sql("SELECT * FROM secret")
    assert secret.num_rows == 1


def test_missing_files_are_told(tmp_path: Path) -> None:
    """A file that was removed since is a StoreError."""
    engine = DuckDBEngine(tmp_path)
    table = engine.read("signals", [stored(tmp_path, "a.parquet", signals(1))], empty=SIGNALS.empty())
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(StoreError, match="cannot be read"):
        engine.run(table)


def test_what_ended_processes_spilled_is_wiped(tmp_path: Path) -> None:
    """And what living ones spill stays."""
    code = (
        "import os; from pathlib import Path; from backlight.engine import DuckDBEngine\n"
        f"DuckDBEngine(Path({str(tmp_path)!r})); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    [left] = (tmp_path / "temp").glob("duckdb-*")
    (left / "spill").write_bytes(b"plain")
    living = DuckDBEngine(tmp_path)
    assert not left.exists()
    other = DuckDBEngine(tmp_path)
    assert len(list((tmp_path / "temp").glob("duckdb-*"))) == 2
    living.close()
    other.close()
    assert list((tmp_path / "temp").glob("duckdb-*")) == []


def test_spill_goes_to_its_own_folder(tmp_path: Path) -> None:
    """A query beyond its memory spills into the workspace and is right."""
    engine = DuckDBEngine(tmp_path, memory="64MB", threads=1)
    rows = pa.table({"a": pa.array(range(3_000_000), pa.int64())})
    table = engine.bind("rows", rows)
    assert engine.run(table.order_by(table.a.desc()).limit(2_900_000)).num_rows == 2_900_000
