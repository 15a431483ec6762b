"""Who is who in the log: how many accounts each layer was collected for, who lives under one key, where they come in."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def population(interactions: pa.Table, acts: pa.Table) -> dict[str, int]:
    """For how many accounts each layer was collected: those with text, with an output, with such an identifier."""
    accounts = {
        name: len(pc.unique(interactions.filter(pc.is_valid(interactions[name]))["account"].drop_null()))
        for name in ("prompt", "output")
    }
    found = dict.fromkeys(("prompt", "skeleton", "document", "entity"), accounts["prompt"])
    found |= dict.fromkeys(("output", "wild_output"), accounts["output"])
    own = acts.filter(pc.equal(acts["actor_kind"], "account"))
    held = own.select(["layer", "actor"]).group_by(["layer", "actor"]).aggregate([])
    for row in held.group_by("layer").aggregate([("actor", "count")]).to_pylist():
        found.setdefault(row["layer"], row["actor_count"])
    return found


def pools(interactions: pa.Table) -> dict[int, int]:
    """End users of keys that have several: account -> key."""
    ends = interactions.filter(pc.and_(pc.equal(interactions["level"], "end_user"), pc.is_valid(interactions["key"])))
    pairs = ends.select(["account", "key"]).group_by(["account", "key"]).aggregate([]).to_pylist()
    users: dict[int, set[int]] = defaultdict(set)
    for pair in pairs:
        users[pair["key"]].add(pair["account"])
    return {account: key for key in sorted(users) if len(users[key]) >= 2 for account in sorted(users[key])}


def pool_accounts(interactions: pa.Table, pools: set[int]) -> frozenset[int]:
    """Accounts that are themselves the key or organisation of several end users."""
    wide = interactions.filter(pc.is_in(interactions["level"], pa.array(["key", "organisation"])))
    inside = wide.filter(pc.is_in(wide["key"], pa.array(sorted(pools), pa.int64())))
    return frozenset(pc.unique(inside["account"]).to_pylist())


def channels(interactions: pa.Table) -> dict[int, dict[str, Any]]:
    """Channel and tenant of each account (the least of several, so that it does not change by order)."""
    grouped = interactions.group_by("account").aggregate([("channel", "min"), ("tenant", "min")]).to_pylist()
    return {
        row["account"]: {"channel": row["channel_min"], "tenant": row["tenant_min"]}
        for row in grouped
        if row["account"] is not None
    }
