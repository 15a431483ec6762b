"""What becomes an action."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import ibis
import numpy as np
import pyarrow as pa
import pytest

from backlight import normalise, tables
from backlight.engine import DuckDBEngine
from backlight.hashing import Hasher
from backlight.links import actions

HASHER = Hasher(b"0123456789abcdef")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def build(engine: DuckDBEngine, **given: list[dict[str, object]]) -> set[tuple[int, str, int]]:
    """(actor, layer, object) of hand-made tables."""
    names = ("interactions", "texts", "entities", "identifiers")
    bound = {name: engine.bind(name, tables.TABLES[name].rows(given.get(name, []))) for name in names}
    rows = engine.run(actions.build(**bound)).to_pylist()
    return {(row["actor"], row["layer"], row["object"]) for row in rows}


def test_a_prompt_gives_text_skeleton_document_and_entities(engine: DuckDBEngine) -> None:
    """Every layer of one turn, each by its own hash; a text without a canonical hash gives none."""
    found = build(
        engine,
        interactions=[{"id": 1, "account": 5, "time": NOON, "prompt": 10, "outcome": "unknown"}],
        texts=[{"text": 10, "role": "prompt", "skeleton": 20, "document": 30}],
        entities=[{"text": 10, "kind": "hashtag", "object": 40}, {"text": 10, "kind": "hashtag", "object": 40}],
    )
    assert found == {(5, "skeleton", 20), (5, "document", 30), (5, "entity", 40)}


def test_a_refusal_is_no_output_that_links(engine: DuckDBEngine) -> None:
    """Neither what the provider marks as refused nor what reads as a refusal; a given answer counts."""
    found = build(
        engine,
        interactions=[
            {"id": 1, "account": 5, "output": 11, "outcome": "refused"},
            {"id": 2, "account": 6, "output": 12, "outcome": "unknown"},
            {"id": 3, "account": 7, "output": 13, "outcome": "unknown"},
        ],
        texts=[
            {"text": 11, "role": "output", "exact": 21, "outcome": "unknown"},
            {"text": 12, "role": "output", "exact": 22, "outcome": "refused"},
            {"text": 13, "role": "output", "exact": 23, "outcome": "complied"},
        ],
    )
    assert found == {(7, "output", 23)}


def test_an_email_domain_links_nobody(engine: DuckDBEngine) -> None:
    """An address of e-mail links exactly; its domain is a provider or an employer."""
    kinds = ("address", "email", "email_domain", "other")
    found = build(engine, identifiers=[{"account": 5, "kind": kind, "value": n} for n, kind in enumerate(kinds)])
    assert found == {(5, "address", 0), (5, "email", 1)}


def test_a_record_without_account_does_nothing(engine: DuckDBEngine) -> None:
    """Nobody did it, so it ties nobody."""
    assert build(engine, interactions=[{"id": 1, "prompt": 10}], texts=[{"text": 10, "role": "prompt", "exact": 20}]) == set()


@pytest.mark.parametrize("dialect", ["duckdb", "pyspark"])
def test_building_compiles_for_both_engines(dialect: str) -> None:
    """The whole build and the hours are one expression each."""
    bound = {name: tables.TABLES[name].unbound() for name in ("interactions", "texts", "entities", "identifiers")}
    for step in (actions.build(**bound), actions.active_hours(bound["interactions"])):
        assert "SELECT" in ibis.to_sql(step, dialect=dialect)


def post(**given: object) -> dict[str, object]:
    return {"id": 1, "platform": "x", "author": 9, "time": NOON, "kind": "post", "text": "one two three"} | given


def layers_of(*rows: dict[str, object]) -> list[tuple[str, int]]:
    table = actions.of_posts(tables.POSTS.rows(list(rows)), HASHER)
    return [(row["layer"], row["object"]) for row in table.to_pylist()]


def test_a_post_gives_link_domain_tags_and_text() -> None:
    """Public values hash as the entities of prompts do; three tags make a sequence whatever their order."""
    told = post(text="Look at this!", urls=["https://a.example/x"], domains=["a.example"], hashtags=["b", "a", "c"])
    assert layers_of(told) == [
        ("url", HASHER.id("url", "https://a.example/x")),
        ("domain", HASHER.id("domain", "a.example")),
        ("hashtags", HASHER.id("hashtags", "a b c")),
        ("post_text", HASHER.id("exact", normalise.canonical_text("look at this"))),
    ]


def test_a_repost_is_only_a_repost() -> None:
    """Its words and links are another's."""
    assert layers_of(post(kind="repost", parent="77", urls=["https://a.example"])) == [("repost", HASHER.id("post", "x:77"))]


def test_a_mention_alone_matches_nothing() -> None:
    """What is left of it is empty, and an empty key never matches."""
    assert layers_of(post(text="@somebody")) == []


def test_active_hours_are_slots_of_the_week(engine: DuckDBEngine) -> None:
    """Two acts in one hour of one Monday and one a week later: three acts, two distinct days, slot 12."""
    times = (NOON, NOON + timedelta(minutes=9), NOON + timedelta(days=7))
    rows = [{"id": n, "account": 5, "time": time, "day": time.date()} for n, time in enumerate(times)]
    found = engine.run(actions.active_hours(engine.bind("interactions", tables.INTERACTIONS.rows(rows)))).to_pylist()
    assert found == [{"account": 5, "slot": 12, "n": 3, "hours": 2}]


def test_few_events_have_no_profile() -> None:
    """Nineteen acts are too few to tell anything of somebody's hours; twenty give a profile around the population's."""
    counts = pa.table({"account": [1, 2], "slot": [5, 9], "n": [19, 20], "hours": [19, 20]})
    found = actions.profiles(counts, events=20, spread=1.5, all_days=0.5)
    assert found.accounts.tolist() == [2]
    assert np.allclose(found.shape.sum(), 0)
