from __future__ import annotations

from typing import get_args

import duckdb
import ibis
import pytest
import sqlglot

from backlight.engine import Dialect, to_sql
from backlight.engine._sql import ibis_type, sql_type
from backlight.tables import TABLES, Table


def example() -> ibis.expr.types.Table:
    """Filter, join, aggregate, floats, times and lists: what the steps are made of."""
    posts, signals = TABLES["posts"].unbound(), TABLES["signals"].unbound()
    joined = posts.join(signals, posts.id == signals.subject).filter(lambda rows: (rows.value > 0.5) & rows.text.notnull())
    return joined.group_by("author", bucket=joined.time.epoch_seconds() // 60).agg(
        n=joined.count(), mean=joined.value.mean(), top=joined.value.max().exp(), tags=joined.hashtags.length().sum()
    )


@pytest.mark.parametrize("dialect", get_args(Dialect))
def test_an_expression_compiles_for_every_engine(dialect: Dialect) -> None:
    """With floats too, which Ibis compiles for Spark only with an option set."""
    statement = sqlglot.parse_one(to_sql(example(), dialect), dialect="spark" if dialect == "pyspark" else dialect)
    assert {table.name for table in statement.find_all(sqlglot.exp.Table)} >= {"posts", "signals"}


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: str(table.name))
def test_every_table_compiles_for_every_engine(table: Table) -> None:
    """Each column is named in the SQL of each engine."""
    for dialect in get_args(Dialect):
        shown = to_sql(table.unbound().filter(ibis.literal(1) == 1).select(*table.arrow.names[:3]), dialect)
        assert all(name in shown for name in table.arrow.names[:3])


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: str(table.name))
def test_every_type_has_a_name_in_ibis_and_duckdb(table: Table) -> None:
    """The types of an empty relation are those of the lake."""
    typed = ", ".join(f'CAST(NULL AS {sql_type(field.type)}) AS "{field.name}"' for field in table.arrow)
    names = [field.name for field in duckdb.sql(f"SELECT {typed}").to_arrow_table().schema]
    assert names == table.arrow.names
    assert (
        ibis.table({field.name: ibis_type(field.type) for field in table.arrow}, name="t").schema() == table.unbound().schema()
    )
