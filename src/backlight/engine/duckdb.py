"""The embedded engine: Ibis expressions, compiled to SQL, on a DuckDB connection that cannot reach beyond the workspace."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pyarrow as pa

from backlight.engine._sql import ibis_type, in_utc, sql_type, to_sql
from backlight.errors import StoreError


class DuckDBEngine:
    """Executes on DuckDB. Several threads may use it, and a stream may be read while other queries run.

    Args:
        folder: the only folder it may read; below its `temp` lies what does not fit into memory, in plain, so no
            conversation text may pass through an operator that can spill. What ended processes left there is wiped at
            start. None: in memory only, no file access at all.
        memory: DuckDB's memory limit, such as "4GB".
        threads: worker threads; 0 for one a core.
    """

    def __init__(self, folder: Path | None = None, *, memory: str = "4GB", threads: int = 0) -> None:
        self._con = duckdb.connect(":memory:")
        self._rows: dict[str, pa.Table] = {}
        self._temp = None if folder is None else _Temp(folder / "temp")
        for name, value in _settings(folder, self._temp.path if self._temp else None, memory, threads):
            self._con.execute(f"SET {name} = {value}")

    def close(self) -> None:
        """Close the connection and remove its temporary folder."""
        self._con.close()
        if self._temp is not None:
            self._temp.close()

    def read(self, name: str, files: Sequence[str], *, empty: pa.Table) -> ir.Table:
        """Bind a name to Parquet files. See `Engine.read`."""
        if not files:
            return self.bind(name, empty)
        listed = ", ".join(_quote(_escape_glob(file)) for file in files)
        columns = ", ".join(_name(field.name) for field in empty.schema)
        # An empty relation of the right types is united with the files, so that a column that none of them has yet is null.
        typed = ", ".join(f"CAST(NULL AS {sql_type(field.type)}) AS {_name(field.name)}" for field in empty.schema)
        cursor = self._con.cursor()
        with _engine_errors():
            cursor.execute(
                f"CREATE OR REPLACE VIEW {_name(name)} AS SELECT {columns} FROM (SELECT {typed} WHERE false UNION ALL BY NAME "
                f"SELECT * FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false))"
            )
        self._rows.pop(name, None)
        return self._remember(name, empty.schema)

    def bind(self, name: str, rows: pa.Table) -> ir.Table:
        """Bind a name to rows in memory. See `Engine.bind`."""
        self._rows[name] = rows
        return self._remember(name, rows.schema)

    def run(self, expression: ir.Table, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Execute an expression and return all of its rows."""
        with _engine_errors():
            rows: pa.Table = self._relation(expression, parameters).to_arrow_table()
        return rows.cast(in_utc(rows.schema))

    def stream(self, expression: ir.Table, rows: int = 65_536) -> pa.RecordBatchReader:
        """Execute an expression and return its rows in batches, on a cursor of its own."""
        with _engine_errors():
            reader = self._relation(expression, None).to_arrow_reader(rows)
        return reader.cast(in_utc(reader.schema))

    def map_sorted(
        self,
        expression: ir.Table,
        *,
        partition_by: Sequence[str],
        order_by: Sequence[str],
        kernel: Callable[[pa.Table], pa.Table],
    ) -> pa.Table:
        """Sort, then hand everything to the kernel at once: the embedded engine has one partition."""
        return kernel(self.run(expression.order_by([*partition_by, *order_by])))

    def _relation(self, expression: ir.Table, parameters: Mapping[str, object] | None) -> duckdb.DuckDBPyRelation:
        """On a new cursor: a connection holds one open result, and rows in memory are known to one connection only."""
        cursor = self._con.cursor()
        for table in expression.op().find(ops.UnboundTable):
            if table.name in self._rows:
                cursor.register(table.name, self._rows[table.name])
        return cursor.sql(to_sql(expression, "duckdb"), params=dict(parameters) if parameters else None)

    def _remember(self, name: str, schema: pa.Schema) -> ir.Table:
        return ibis.table({field.name: ibis_type(field.type) for field in schema}, name=name)


class _Temp:
    """A temporary folder of this process, told from those of ended processes by a lock that dies with its holder."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(parent / ".lock"):  # so that nobody wipes a folder that is just being made
            for left in parent.iterdir():
                if left.name != ".lock" and _is_free(left):
                    shutil.rmtree(left, ignore_errors=True)
            self.path = Path(tempfile.mkdtemp(prefix="duckdb-", dir=parent))
            self._lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[None]:
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_free(left: Path) -> bool:
    """Whether no living process holds the folder."""
    try:
        lock = os.open(left / "lock", os.O_RDWR)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


@contextlib.contextmanager
def _engine_errors() -> Iterator[None]:
    """Errors of the machine become ours; errors of an expression are ours to mend and stay as they are."""
    try:
        yield
    except duckdb.IOException as error:
        first = str(error).splitlines()[0][:300]
        raise StoreError(
            f"files of this data version cannot be read ({first})", "every file it names",
            "if rows were erased meanwhile, open the workspace again",
        ) from error  # fmt: skip
    except duckdb.OutOfMemoryException as error:
        raise StoreError(
            "a query ran out of memory or of temporary space", "enough of both", "raise `memory` in backlight.yaml"
        ) from error


def _settings(folder: Path | None, temp: Path | None, memory: str, threads: int) -> list[tuple[str, str]]:
    """In an order that matters: folders must precede the ban on access, and the lock comes last."""
    settings = [
        ("autoinstall_known_extensions", "false"),
        ("autoload_known_extensions", "false"),
        ("allow_community_extensions", "false"),
        ("allow_unsigned_extensions", "false"),
        ("memory_limit", _quote(memory)),
        ("TimeZone", "'UTC'"),
        ("preserve_insertion_order", "false"),
        ("python_enable_replacements", "false"),
        ("allow_persistent_secrets", "false"),
    ]
    if threads:
        settings.append(("threads", str(int(threads))))
    if temp is not None and folder is not None:
        settings += [
            ("temp_directory", _quote(str(temp))),
            ("max_temp_directory_size", "'50GB'"),
            # A path with a glob character is named by its escaped form, and that is what DuckDB checks.
            ("allowed_directories", f"[{_quote(str(folder))}, {_quote(_escape_glob(str(folder)))}]"),
        ]
    return [*settings, ("enable_external_access", "false"), ("lock_configuration", "true")]


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _escape_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)
