"""Small tables of actions for the tests of links."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from backlight import tables
from backlight.engine import DuckDBEngine

START = datetime(2026, 3, 1, tzinfo=UTC)
Act = tuple[int, int, int | None]


@pytest.fixture(scope="session")
def engine() -> DuckDBEngine:
    """One engine in memory for all tests of links."""
    return DuckDBEngine(threads=1)


@pytest.fixture(scope="session")
def acts() -> Callable[..., pa.Table]:
    """Makes `tables.ACTIONS` from (actor, object, second or None)."""

    def make(given: Iterable[Act], layer: str = "url", kind: str = "platform") -> pa.Table:
        return tables.ACTIONS.rows(
            [
                {
                    "actor": actor,
                    "actor_kind": kind,
                    "layer": layer,
                    "object": thing,
                    "time": None if second is None else START + timedelta(seconds=second),
                    "row": n,
                }
                for n, (actor, thing, second) in enumerate(given)
            ]
        )

    return make
