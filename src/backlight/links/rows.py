"""What linking found as rows of the lake's tables `links` and `groups`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from backlight import tables
from backlight.hashing import Hasher
from backlight.links import groups, weigh
from backlight.links.join import Joined

BEYOND_Q, BEYOND_OBJECTS = 0.05, 2
"""A pair of platform accounts is beyond the activity null at this q, with so many distinct objects at least."""


def account_links(weighed: Mapping[weigh.Pair, weigh.Weighed], joined: Joined) -> pa.Table:
    """Rows of `tables.LINKS` for the service's accounts: every layer of a pair that gives a bit or more, with p and q."""
    own = joined.tested.filter(pc.equal(joined.tested["kind"], "account")).to_pylist()
    tested = {(row["layer"], row["a"], row["b"]): (row["objects"], row["acts"], row["p"], row["q"]) for row in own}
    return weigh.links(weighed, tested)


def _beyond(joined: Joined) -> list[dict[str, Any]]:
    """Pairs of platform accounts beyond the activity null, with two objects at least."""
    tested = joined.tested
    kept = tested.filter(
        pc.and_(
            pc.equal(tested["kind"], "platform"),
            pc.and_(pc.less_equal(tested["q"], BEYOND_Q), pc.greater_equal(tested["objects"], BEYOND_OBJECTS)),
        )
    )
    rows: list[dict[str, Any]] = kept.to_pylist()
    return rows


def post_links(joined: Joined) -> pa.Table:
    """Rows of `tables.LINKS` for platform accounts that are beyond chance."""
    beyond = {(row["layer"], row["a"], row["b"]): row for row in _beyond(joined)}
    if not beyond:
        return tables.LINKS.empty()
    shared: dict[tuple[str, int, int], list[int]] = defaultdict(list)
    own = joined.shared.filter(pc.equal(joined.shared["kind"], "platform"))
    for layer, a, b, thing in zip(*(own[name].to_pylist() for name in ("layer", "a", "b", "object")), strict=True):
        if (layer, a, b) in beyond:
            shared[layer, a, b].append(thing)
    rows = [
        {
            "a": a, "b": b, "kind": "platform", "layer": layer, "family": tables.LAYERS[layer].family,
            "objects": row["objects"], "acts": row["acts"], "p": row["p"], "q": row["q"], "null_model": "activity",
            "tie_bits": 0.0, "contrast_bits": 0.0, "explanation": "one interest: people who follow the same things share more",
            "evidence": sorted(shared[layer, a, b])[:50],
        }
        for (layer, a, b), row in sorted(beyond.items())
    ]  # fmt: skip
    return tables.LINKS.rows(rows)


def coordinated(joined: Joined, hasher: Hasher) -> list[dict[str, Any]]:
    """Groups of platform accounts joined by pairs beyond the activity null: one row for each layer of each group."""
    beyond = _beyond(joined)
    rows = []
    for members in groups.connected((row["a"], row["b"]) for row in beyond):
        inside = set(members)
        layers = sorted({row["layer"] for row in beyond if row["a"] in inside})
        made = f"grp-{hasher.id('group', ','.join(map(str, members))):016x}"[:12]
        for layer in layers:
            rows.append(
                {
                    "id": made, "kind": "coordinated", "layer": layer, "object": None, "actors": list(members),
                    "first": None, "last": None, "beyond": ["activity"],
                }
            )  # fmt: skip
    return rows


def crowds(joined: Joined, hasher: Hasher) -> list[dict[str, Any]]:
    """Crowds as group objects."""
    rows = []
    for row in joined.crowds.to_pylist():
        dated = row["first"] > 0
        key = f"{row['kind']}:{row['layer']}:{row['object']}:{row['burst']}"
        rows.append(
            {
                "id": f"crowd-{hasher.id('crowd', key):016x}"[:14], "kind": "crowd", "layer": row["layer"],
                "object": row["object"], "actors": sorted(row["actors"]),
                "first": _moment(row["first"]) if dated else None, "last": _moment(row["last"]) if dated else None,
                "beyond": [],
            }
        )  # fmt: skip
    return sorted(rows, key=lambda row: str(row["id"]))


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
