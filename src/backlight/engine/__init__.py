"""The engine: one place executes. `read`, `run`, `map_sorted`, `write`; two implementations, DuckDB and Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import ibis.expr.types as ir
import pyarrow as pa

from backlight.engine._sql import Dialect, to_sql
from backlight.engine.duckdb import DuckDBEngine

__all__ = ["Dialect", "DuckDBEngine", "Engine", "Kernel", "to_sql"]

Kernel = Callable[[pa.Table], pa.Table]
"""Rows of one or more whole partitions, sorted, in; rows out. It must not look across partitions."""


class Engine(Protocol):
    """What a computation may ask of whoever executes it. Expressions are built over `tables.Table.unbound()`."""

    def read(self, name: str, files: Sequence[str], *, empty: pa.Table) -> ir.Table:
        """Bind a table's name to Parquet files (unquoted paths; none gives `empty`) and return its unbound table."""
        ...

    def bind(self, name: str, rows: pa.Table) -> ir.Table:
        """Bind a name to rows in memory and return its unbound table; for small inputs and tests."""
        ...

    def run(self, expression: ir.Table, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Execute an expression and return all of its rows."""
        ...

    def stream(self, expression: ir.Table, rows: int = 65_536) -> pa.RecordBatchReader:
        """Execute an expression and return its rows in batches."""
        ...

    def map_sorted(
        self, expression: ir.Table, *, partition_by: Sequence[str], order_by: Sequence[str], kernel: Kernel
    ) -> pa.Table:
        """Sort by (partition_by, order_by) and hand whole partitions to a kernel; return all rows it gives."""
        ...
