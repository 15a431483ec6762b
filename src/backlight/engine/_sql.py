"""From Ibis expressions and Arrow types to the SQL of an engine."""

from __future__ import annotations

from typing import Literal

import ibis
import ibis.expr.types as ir
import pyarrow as pa
from ibis.config import Config

Dialect = Literal["duckdb", "pyspark"]

SQL_TYPES: dict[pa.DataType, str] = {
    pa.int64(): "BIGINT", pa.int32(): "INTEGER", pa.float64(): "DOUBLE", pa.bool_(): "BOOLEAN", pa.string(): "VARCHAR",
    pa.binary(): "BLOB", pa.timestamp("us", "UTC"): "TIMESTAMPTZ", pa.date32(): "DATE",
}  # fmt: skip
"""DuckDB's name of every Arrow type of the lake."""

_IBIS = {
    pa.int64(): "int64", pa.int32(): "int32", pa.float64(): "float64", pa.bool_(): "bool", pa.string(): "string",
    pa.binary(): "binary", pa.timestamp("us", "UTC"): "timestamp('UTC', 6)", pa.date32(): "date", pa.int8(): "int8",
    pa.int16(): "int16", pa.uint8(): "uint8", pa.uint32(): "uint32", pa.uint64(): "uint64", pa.float32(): "float32",
}  # fmt: skip


class _SparkOptions(Config):  # type: ignore[misc]
    """What Ibis's own PySpark backend would register; without it no expression with a float compiles for Spark."""

    treat_nan_as_null: bool = False


def to_sql(expression: ir.Table, dialect: Dialect) -> str:
    """An expression as the SQL of an engine, by Ibis's compiler alone: none of its backends is loaded."""
    if dialect == "pyspark" and getattr(ibis.options, "pyspark", None) is None:
        ibis.options.pyspark = _SparkOptions()
    return str(ibis.to_sql(expression, dialect=dialect))


def ibis_type(kind: pa.DataType) -> str:
    """The Ibis name of an Arrow type."""
    return f"array<{_IBIS[kind.value_type]}>" if pa.types.is_list(kind) else _IBIS[kind]


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type of the lake."""
    return f"{SQL_TYPES[kind.value_type]}[]" if pa.types.is_list(kind) else SQL_TYPES[kind]


def in_utc(schema: pa.Schema) -> pa.Schema:
    """The schema with every time zone named UTC, as in the lake; engines call it Etc/UTC or otherwise."""
    utc = pa.timestamp("us", "UTC")
    zoned = [pa.types.is_timestamp(field.type) and field.type.tz is not None for field in schema]
    return pa.schema([field.with_type(utc) if change else field for field, change in zip(schema, zoned, strict=True)])
