"""The embedded engine: Ibis expressions, compiled to SQL, on a DuckDB connection that cannot reach beyond the workspace."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import duckdb
import ibis
import ibis.expr.types as ir
import pyarrow as pa


class DuckDBEngine:
    """Executes on DuckDB.

    Args:
        folder: the only folder it may read; its `temp` is wiped at start, since spill is plain text (so no conversation
            text may pass through an operator that can spill). None: in memory only, no file access at all.
        memory: DuckDB's memory limit, such as "4GB".
        threads: worker threads; 0 for one a core.
    """

    def __init__(self, folder: Path | None = None, *, memory: str = "4GB", threads: int = 0) -> None:
        self._con = duckdb.connect(":memory:")
        self._bound: dict[str, ir.Table] = {}
        temp = None
        if folder is not None:
            temp = folder / "temp"
            shutil.rmtree(temp, ignore_errors=True)
            temp.mkdir(parents=True)
        for name, value in _settings(folder, temp, memory, threads):
            self._con.execute(f"SET {name} = {value}")

    def read(self, name: str, files: Sequence[str], *, empty: pa.Table) -> ir.Table:
        """Bind a name to Parquet files. See `Engine.read`."""
        if not files:
            return self.bind(name, empty)
        listed = ", ".join(_quote(_escape_glob(file)) for file in files)
        wanted = ", ".join(f'CAST("{field.name}" AS {_sql_type(field.type)}) AS "{field.name}"' for field in empty.schema)
        self._con.execute(
            f'CREATE OR REPLACE TEMP VIEW "{name}" AS SELECT {wanted} '
            f"FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        )
        return self._remember(name, empty.schema)

    def bind(self, name: str, rows: pa.Table) -> ir.Table:
        """Bind a name to rows in memory. See `Engine.bind`."""
        self._con.register(f"{name}__rows", rows)
        self._con.execute(f'CREATE OR REPLACE TEMP VIEW "{name}" AS SELECT * FROM "{name}__rows"')
        return self._remember(name, rows.schema)

    def run(self, expression: ir.Table, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Execute an expression and return all of its rows."""
        return self._relation(expression, parameters).to_arrow_table()

    def stream(self, expression: ir.Table, rows: int = 65_536) -> pa.RecordBatchReader:
        """Execute an expression and return its rows in batches, on a cursor of its own."""
        return self._con.cursor().sql(_compile(expression)).to_arrow_reader(rows)

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
        return self._con.sql(_compile(expression), params=dict(parameters) if parameters else None)

    def _remember(self, name: str, schema: pa.Schema) -> ir.Table:
        self._bound[name] = ibis.table({field.name: ibis_type(field.type) for field in schema}, name=name)
        return self._bound[name]


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
            ("allowed_directories", f"[{_quote(str(folder))}]"),
        ]
    return [*settings, ("enable_external_access", "false"), ("lock_configuration", "true")]


def _compile(expression: ir.Table) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _escape_glob(path: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


_SQL = {
    pa.int64(): "BIGINT", pa.int32(): "INTEGER", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN", pa.string(): "VARCHAR",
    pa.binary(): "BLOB", pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.date32(): "DATE",
}  # fmt: skip
_IBIS = {
    pa.int64(): "int64", pa.int32(): "int32", pa.float64(): "float64", pa.bool_(): "bool", pa.string(): "string",
    pa.binary(): "binary", pa.timestamp("us", "UTC"): "timestamp('UTC', 6)", pa.date32(): "date", pa.int8(): "int8",
    pa.int16(): "int16", pa.uint8(): "uint8", pa.uint32(): "uint32", pa.uint64(): "uint64", pa.float32(): "float32",
}  # fmt: skip


def _sql_type(kind: pa.DataType) -> str:
    return f"{_SQL[kind.value_type]}[]" if pa.types.is_list(kind) else _SQL[kind]


def ibis_type(kind: pa.DataType) -> str:
    """The Ibis name of an Arrow type of the lake."""
    return f"array<{_IBIS[kind.value_type]}>" if pa.types.is_list(kind) else _IBIS[kind]
