"""Pairs and crowds, against brute force and against DuckDB's range windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import duckdb
import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight import tables
from backlight.engine import DuckDBEngine
from backlight.links import coaction

ACTIONS = tables.ACTIONS.unbound()
Act = tuple[int, int, int | None]
Make = Callable[..., pa.Table]

some_acts = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2), st.none() | st.integers(0, 40)), max_size=40)
fixtures_are_shared = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def brute(acts: Sequence[Act], window: int | None, crowd: int | None) -> dict[tuple[int, int, int], int]:
    """(object, a, b) -> act pairs, at most two, by comparing every act with every other."""
    by: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for actor, thing, second in acts:
        if window is None or second is not None:
            by[thing].append((0 if window is None else second or 0, actor))
    found: dict[tuple[int, int, int], int] = defaultdict(int)
    for thing, own in by.items():
        near = window or 0
        calm = [(t, a) for t, a in own if crowd is None or len({b for s, b in own if abs(s - t) <= near}) <= crowd]
        for i, (t, a) in enumerate(calm):
            for s, b in calm[:i]:
                if a != b and abs(t - s) <= near:
                    found[thing, min(a, b), max(a, b)] += 1
    return {key: min(2, n) for key, n in found.items()}


@fixtures_are_shared
@given(some_acts, st.sampled_from([None, 0, 1, 5, 13]), st.sampled_from([None, 2, 3, 5]))
def test_shared_objects_equal_brute_force(
    engine: DuckDBEngine, acts: Make, given_acts: list[Act], window: int | None, crowd: int | None
) -> None:
    """Whatever the acts, window and crowd: the same objects, pairs and counts as comparing all with all."""
    engine.bind("actions", acts(given_acts))
    rows = engine.run(coaction.shared(ACTIONS, window, crowd)).to_pylist()
    assert {(r["object"], r["a"], r["b"]): r["acts"] for r in rows} == brute(given_acts, window, crowd)


@fixtures_are_shared
@given(some_acts, st.sampled_from([0, 1, 5, 13]))
def test_presence_equals_a_distinct_range_window(engine: DuckDBEngine, acts: Make, given_acts: list[Act], window: int) -> None:
    """The merged intervals count the same actors around each act as DuckDB's count(distinct) over a range of time."""
    table = acts(given_acts)
    engine.bind("actions", table)
    ours = engine.run(coaction.present(ACTIONS, window, None)).to_pylist()
    con = duckdb.connect()
    con.register("actions", table)
    theirs = con.sql(
        f"""SELECT DISTINCT object, actor, epoch_us(time) AS t, count(DISTINCT actor) OVER (PARTITION BY object ORDER BY time
            RANGE BETWEEN INTERVAL {window} SECONDS PRECEDING AND INTERVAL {window} SECONDS FOLLOWING) AS present
            FROM actions WHERE time IS NOT NULL"""
    ).fetchall()
    con.close()
    assert {(r["object"], r["actor"], r["t"], r["present"]) for r in ours} == set(theirs)


def test_evidence_is_distinct_objects(engine: DuckDBEngine, acts: Make) -> None:
    """Ten shares of one link count twice at most; a second link is a second object."""
    engine.bind("actions", acts([(1, 7, t) for t in range(10)] + [(2, 7, 5), (1, 8, 100), (2, 8, 130)]))
    rows = engine.run(coaction.pairs(ACTIONS, 60)).to_pylist()
    assert rows == [{"kind": "platform", "layer": "url", "a": 1, "b": 2, "objects": 2, "acts": 3}]


def test_a_crowd_makes_no_pairs_and_one_group(engine: DuckDBEngine, acts: Make) -> None:
    """Four actors within the window where three are a crowd: no pair, one burst; the two acts a day later still pair."""
    engine.bind("actions", acts([(1, 7, 0), (2, 7, 10), (3, 7, 20), (4, 7, 30), (1, 7, 86_400), (2, 7, 86_410)]))
    assert [(r["a"], r["b"]) for r in engine.run(coaction.pairs(ACTIONS, 60, crowd=3)).to_pylist()] == [(1, 2)]
    bursts = engine.run(coaction.crowds(ACTIONS, 60, crowd=3)).to_pylist()
    assert [(r["object"], sorted(r["actors"]), r["size"], r["acts"]) for r in bursts] == [(7, [1, 2, 3, 4], 4, 4)]


def test_an_actor_counts_once_in_a_crowd(engine: DuckDBEngine, acts: Make) -> None:
    """One account that repeats itself is no crowd."""
    engine.bind("actions", acts([(1, 7, t) for t in range(50)] + [(2, 7, 25)]))
    assert engine.run(coaction.crowds(ACTIONS, 60, crowd=2)).num_rows == 0


def test_activity_counts_what_may_pair(engine: DuckDBEngine, acts: Make) -> None:
    """Acts in crowds and repeats at one moment are no activity; windowless layers count objects."""
    engine.bind("actions", acts([(1, 7, 0), (1, 7, 0), (1, 7, 5), (1, 8, 0), (2, 9, None)]))
    windowed = engine.run(coaction.activity(ACTIONS, 60)).to_pylist()
    anywhen = engine.run(coaction.activity(ACTIONS, None)).to_pylist()
    assert [(r["actor"], r["acts"]) for r in windowed] == [(1, 3)]
    assert sorted((r["actor"], r["acts"]) for r in anywhen) == [(1, 2), (2, 1)]


@pytest.mark.parametrize("window", [None, 60])
@pytest.mark.parametrize("step", [coaction.shared, coaction.pairs, coaction.present, coaction.crowds, coaction.activity])
@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_steps_compile_for_both_engines(step: Callable[..., ibis.Table], window: int | None, dialect: str) -> None:
    """Each step is one expression that both engines' SQL can say."""
    assert "SELECT" in ibis.to_sql(step(ACTIONS, window, 50), dialect=dialect)
