"""Actions in, tested and weighed ties out: the relational steps of linking, one window after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backlight import tables
from backlight.engine import Engine
from backlight.links import chance, coaction

Run = Callable[[str, ir.Table], pa.Table]

UNPAIRED = frozenset({"hours", "lead", "operation"})
"""Layers that make no pairs by equality: hours are compared as profiles, leads are looked up."""


@dataclass(frozen=True)
class Joined:
    """What co-action found.

    Attributes:
        shared: kind, layer, object, a, b, acts: one row for each object that a pair shares.
        tested: kind, layer, a, b, objects, acts, p, q.
        held: actions on objects that some pair of accounts shares.
        crowds: rows of `coaction.crowds`, with `window`.
        tests: M, the number of tests that q counts.
        aside: acts that were set aside as crowds.
    """

    shared: pa.Table
    tested: pa.Table
    held: pa.Table
    crowds: pa.Table
    tests: int
    aside: int


def join(actions: pa.Table, accounts: int, run: Run, engine: Engine, crowd: int = coaction.CROWD) -> Joined:
    """Pair, count and test all layers.

    Args:
        actions: rows of `tables.ACTIONS`.
        accounts: accounts of the service, active in a layer or not: all their pairs are tests.
        run: executes a named step.
        engine: binds tables in memory.
        crowd: see `coaction`.
    """
    acts = engine.bind("acts", actions)
    parts: dict[str, list[pa.Table]] = defaultdict(list)
    for window, layers in _windows(actions).items():
        some = acts.filter(acts.layer.isin(layers))
        # An engine may give narrower integers for one window than for another.
        parts["shared"].append(_as(_SHARED, run("shared objects", coaction.shared(some, window, crowd))))
        parts["activity"].append(_as(_ACTIVITY, run("activity", coaction.activity(some, window, crowd))))
        parts["crowds"].append(_as(_CROWDS, run("crowds", coaction.crowds(some, window, crowd))))
    if not parts["shared"]:
        return _nothing(actions, accounts)
    shared = pa.concat_tables(parts["shared"])
    crowds = pa.concat_tables(parts["crowds"])
    sizes = run("objects", coaction.sizes(acts))
    kinds = {
        kind: len(pc.unique(actions.filter(pc.equal(actions["actor_kind"], kind))["actor"])) for kind in ("account", "platform")
    }
    kinds["account"] = max(kinds["account"], accounts)
    m = chance.tests(kinds, _layers(actions))
    tested = _tested(shared, sizes, pa.concat_tables(parts["activity"]), kinds, m)
    wanted = engine.bind("pairs", shared.filter(pc.equal(shared["kind"], "account")).select(["layer", "object"]))
    own = acts.filter(acts.actor_kind == "account")
    held = run("held", own.semi_join(wanted.distinct(), ["layer", "object"]).select("actor", "layer", "object", "row"))
    return Joined(shared, tested, held, crowds, m, int(pc.sum(crowds["acts"]).as_py() or 0))


def _nothing(actions: pa.Table, accounts: int) -> Joined:
    held = actions.select(["actor", "layer", "object", "row"]).slice(0, 0)
    return Joined(_SHARED.empty_table(), _TESTED.empty_table(), held, _CROWDS.empty_table(), accounts * (accounts - 1) // 2, 0)


_SHARED = pa.schema(
    [("kind", pa.string()), ("layer", pa.string()), *((name, pa.int64()) for name in ("object", "a", "b", "acts"))]
)
_ACTIVITY = pa.schema([("kind", pa.string()), ("layer", pa.string()), ("actor", pa.int64()), ("acts", pa.int64())])
_TESTED = pa.schema(
    [
        ("kind", pa.string()),
        ("layer", pa.string()),
        *((name, pa.int64()) for name in ("a", "b", "objects", "acts")),
        ("p", pa.float64()),
        ("q", pa.float64()),
    ]
)
_CROWDS = pa.schema(
    [
        ("kind", pa.string()),
        ("layer", pa.string()),
        ("object", pa.int64()),
        ("burst", pa.int64()),
        ("actors", pa.list_(pa.int64())),
        *((name, pa.int64()) for name in ("size", "acts", "first", "last")),
    ]
)


def _as(schema: pa.Schema, rows: pa.Table) -> pa.Table:
    return rows.select(schema.names).cast(schema)


def _present(actions: pa.Table) -> list[str]:
    return sorted(set(pc.unique(actions["layer"]).to_pylist()) - UNPAIRED)


def _windows(actions: pa.Table) -> dict[int | None, list[str]]:
    """Layers that have acts, by their window."""
    found: dict[int | None, list[str]] = defaultdict(list)
    for layer in _present(actions):
        found[tables.LAYERS[layer].window].append(layer)
    return dict(sorted(found.items(), key=lambda one: one[0] or 0))


def _layers(actions: pa.Table) -> dict[str, int]:
    """Layers tried for each kind of actor, each with its one window."""
    seen = actions.select(["actor_kind", "layer"]).group_by(["actor_kind", "layer"]).aggregate([])
    count: dict[str, int] = defaultdict(int)
    for row in seen.to_pylist():
        count[row["actor_kind"]] += row["layer"] not in UNPAIRED
    return dict(count)


def _tested(shared: pa.Table, sizes: pa.Table, activity: pa.Table, kinds: Mapping[str, int], m: int) -> pa.Table:
    """P and q of every pair and layer that shares anything."""
    keys = ["kind", "layer", "object"]
    joined = shared.join(sizes, keys=keys, join_type="inner") if shared.num_rows else _with(shared, "actors")
    parts = []
    seen = joined.select(["kind", "layer"]).group_by(["kind", "layer"]).aggregate([]).to_pylist()
    for kind, layer in sorted((row["kind"], row["layer"]) for row in seen):
        some = joined.filter(pc.and_(pc.equal(joined["kind"], kind), pc.equal(joined["layer"], layer)))
        own = activity.filter(pc.and_(pc.equal(activity["kind"], kind), pc.equal(activity["layer"], layer)))
        parts.append(_layer(some, own, kinds[kind]))
    if not parts:
        return _TESTED.empty_table()
    found = pa.concat_tables(parts).sort_by([(name, "ascending") for name in ("kind", "layer", "a", "b")])
    q = chance.benjamini_hochberg(found["p"].to_numpy(), max(m, found.num_rows))
    return found.append_column("q", pa.array(q)).select(_TESTED.names).cast(_TESTED)


def _with(table: pa.Table, name: str) -> pa.Table:
    return table.append_column(name, pa.array([], pa.int64()))


def _layer(some: pa.Table, activity: pa.Table, actors: int) -> pa.Table:
    holders = some["actors"].to_numpy().astype(np.int64)
    null = chance.ActivityNull.fit(activity["acts"].to_numpy().astype(np.int64), holders, actors)
    scored = some.append_column("score", pa.array(chance.rarity(holders, actors)))
    pairs = scored.group_by(["kind", "layer", "a", "b"]).aggregate([("object", "count"), ("acts", "sum"), ("score", "sum")])
    pairs = pairs.rename_columns({"object_count": "objects", "acts_sum": "acts", "score_sum": "score"})
    order = np.argsort(activity["actor"].to_numpy())
    actor, acts = activity["actor"].to_numpy()[order], activity["acts"].to_numpy()[order].astype(np.float64)

    def active(name: str) -> npt.NDArray[np.float64]:
        return np.asarray(acts[np.searchsorted(actor, pairs[name].to_numpy())], np.float64)

    p = null.tail(active("a") * active("b"), pairs["score"].to_numpy().astype(np.int64))
    return pairs.append_column("p", pa.array(p)).select(["kind", "layer", "a", "b", "objects", "acts", "p"])
