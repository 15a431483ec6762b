"""Actions: everything that can link two actors, as (actor, layer, object, time).

What the lake's tables hold becomes actions by Ibis expressions; posts, whose public values are hashed here so that they
equal the entities of prompts, and hours, which need a profile, by small functions over Arrow tables.

A model's refusal is not an output that links: everyone who is refused gets the same sentence. Pairs are never made from
e-mail domains, which mean a provider or an employer; e-mail addresses link only exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from backlight import normalise, tables
from backlight.hashing import Hasher
from backlight.links.coaction import whole_sum

IDENTIFIER_LAYERS = ("address", "address_net", "device", "user_agent", "payment", "phone", "email", "sign_up")
"""Kinds of identifiers that are layers of the same name."""

WEEK = 168
POST_TEXT_WORDS = 3
SEQUENCE = 3
"""Hashtags that make a sequence."""

_COLUMNS = tuple(column.name for column in tables.ACTIONS.columns)


def build(interactions: ir.Table, texts: ir.Table, entities: ir.Table, identifiers: ir.Table) -> ir.Table:
    """Actions of the service's accounts that the tables hold as they are.

    Args:
        interactions: `tables.INTERACTIONS`.
        texts: `tables.TEXTS`.
        entities: `tables.ENTITIES`.
        identifiers: `tables.IDENTIFIERS`.

    Returns:
        An expression in the columns of `tables.ACTIONS`, each act once.
    """
    parts = [
        of_texts(interactions, texts),
        of_entities(interactions, entities),
        of_identifiers(identifiers),
    ]
    return reduce(lambda one, other: one.union(other), parts)


def of_texts(interactions: ir.Table, texts: ir.Table) -> ir.Table:
    """Prompts, skeletons and pasted documents that accounts sent, outputs that they got."""
    described = texts.group_by("text").agg(
        exact=texts.exact.max(), skeleton=texts.skeleton.max(), document=texts.document.max(), outcome=texts.outcome.max()
    )
    known = interactions.filter(interactions.account.notnull())
    sent = known.join(described, known.prompt == described.text)
    answered = known.filter(~known.outcome.isin(["refused", "blocked"]))
    given = described.filter(described.outcome.isnull() | (described.outcome != "refused"))
    got = answered.join(given, answered.output == given.text)
    layers = [
        _acts(sent, "prompt", sent.exact),
        _acts(sent, "skeleton", sent.skeleton),
        _acts(sent, "document", sent.document),
        _acts(got, "output", got.exact),
    ]
    return reduce(lambda one, other: one.union(other), layers)


def of_entities(interactions: ir.Table, entities: ir.Table) -> ir.Table:
    """Entities that stand in prompts of accounts; which of them are rare is decided when they are weighed."""
    named = entities.select("text", "object").distinct()
    known = interactions.filter(interactions.account.notnull())
    joined = known.join(named, known.prompt == named.text)
    return _acts(joined, "entity", joined.object)


def of_identifiers(identifiers: ir.Table) -> ir.Table:
    """Identifiers of accounts, one act for each, at its first sight."""
    wanted = identifiers.filter(identifiers.kind.isin(list(IDENTIFIER_LAYERS)))
    once = wanted.group_by(["account", "kind", "value"]).agg(time=wanted.first_seen.min())
    return once.select(
        actor=once.account,
        actor_kind=ibis.literal("account"),
        layer=once.kind,
        object=once.value,
        time=once.time,
        day=once.time.date(),
        row=ibis.null("int64"),
    )


def _acts(joined: ir.Table, layer: str, value: ir.Value) -> ir.Table:
    held = joined.mutate(_object=value)
    held = held.filter(held["_object"].notnull())
    return held.select(
        actor=held.account,
        actor_kind=ibis.literal("account"),
        layer=ibis.literal(layer),
        object=held["_object"],
        time=held.time,
        day=held.day,
        row=held.id,
    ).distinct()


def of_posts(posts: pa.Table, hasher: Hasher) -> pa.Table:
    """Actions of platform accounts: links, domains, hashtag sequences, reposts, replies and texts.

    Args:
        posts: `tables.POSTS`.
        hasher: the workspace's; values are hashed as prompts' entities are.
    """
    columns = ("author", "id", "time", "day", "platform", "kind", "parent", "text", "urls", "domains", "hashtags")
    rows: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    for post in posts.select(columns).to_pylist():
        for layer, value in _posted(post, hasher):
            act = (post["author"], "platform", layer, value, post["time"], post["day"], post["id"])
            for name, cell in zip(_COLUMNS, act, strict=True):
                rows[name].append(cell)
    return pa.table(rows, schema=tables.ACTIONS.arrow)


def _posted(post: Mapping[str, Any], hasher: Hasher) -> Iterator[tuple[str, int]]:
    """What one post does; a repost repeats another's words, so only the repost itself counts."""
    if post["kind"] in ("repost", "reply") and post["parent"]:
        yield str(post["kind"]), hasher.id("post", f"{post['platform']}:{post['parent']}")
    if post["kind"] == "repost":
        return
    for url in sorted(set(post["urls"] or ())):
        yield "url", hasher.id("url", url)
    for domain in sorted(set(post["domains"] or ())):
        yield "domain", hasher.id("domain", domain)
    tags = sorted(set(post["hashtags"] or ()))
    if len(tags) >= SEQUENCE:
        yield "hashtags", hasher.id("hashtags", " ".join(tags))
    text = normalise.canonical_text(post["text"] or "")
    if normalise.words(text) >= POST_TEXT_WORDS:
        yield "post_text", hasher.id("exact", text)


def of_matches(matches: pa.Table) -> pa.Table:
    """Actions from matches of outputs and posts: the account whose output it was, and the platform account as object.

    Args:
        matches: rows of `wild.MATCHES` that count.
    """
    if not matches.num_rows:
        return tables.ACTIONS.empty()
    time = matches["time"]
    table = pa.table(
        {
            "actor": matches["account"],
            "actor_kind": pa.array(["account"] * matches.num_rows),
            "layer": pa.array(["wild_output"] * matches.num_rows),
            "object": matches["author"],
            "time": time,
            "day": pc.cast(time, pa.date32()),
            "row": matches["interaction"],
        },
        schema=tables.ACTIONS.arrow,
    )
    return table.group_by(table.column_names).aggregate([]).select(list(_COLUMNS)).cast(tables.ACTIONS.arrow)


def active_hours(interactions: ir.Table) -> ir.Table:
    """When accounts act: account, slot (hour of the week, 0 is Monday 0:00 UTC), n acts, hours (distinct days of the slot)."""
    known = interactions.filter(interactions.account.notnull() & interactions.time.notnull())
    hour = known.time.hour().cast("int64")
    week_day = known.time.day_of_week.index().cast("int64")
    placed = known.select(account=known.account, day=known.day, slot=week_day * 24 + hour)
    each = placed.group_by(["account", "slot", "day"]).agg(n=placed.count())
    return each.group_by(["account", "slot"]).agg(n=whole_sum(each.n), hours=each.count())


@dataclass(frozen=True)
class Profiles:
    """Hours of accounts with enough events.

    Attributes:
        accounts: sorted.
        shape: (accounts, 168) smoothed share of active hours by hour of the week, minus the population's.
    """

    accounts: npt.NDArray[np.int64]
    shape: npt.NDArray[np.float64]

    def index(self) -> dict[int, int]:
        """Row of each account."""
        return {int(account): n for n, account in enumerate(self.accounts)}


def profiles(counts: pa.Table, *, events: int, spread: float, all_days: float) -> Profiles:
    """Profiles of accounts with at least so many events.

    Args:
        counts: rows of `active_hours`.
        events: acts below which an account has no profile.
        spread: standard deviation, in hours, by which an act speaks for the hours beside it.
        all_days: share of each day's profile that is taken from all days, since few accounts act on all seven.
    """
    accounts, place = np.unique(counts["account"].to_numpy(), return_inverse=True)
    slot = counts["slot"].to_numpy()
    acts, hours = np.zeros(len(accounts)), np.zeros((len(accounts), WEEK))
    np.add.at(acts, place, counts["n"].to_numpy())
    np.add.at(hours, (place, slot), counts["hours"].to_numpy())
    enough = acts >= events
    hours = hours[enough]
    if not len(hours):
        return Profiles(accounts[enough], hours)
    distance = np.minimum(np.arange(WEEK), WEEK - np.arange(WEEK))
    kernel = np.exp(-0.5 * (distance / spread) ** 2)
    smooth = np.real(np.fft.ifft(np.fft.fft(hours, axis=1) * np.fft.fft(kernel / kernel.sum()), axis=1))
    daily = smooth.reshape(len(smooth), 7, 24).mean(axis=1)
    mixed = (1 - all_days) * smooth + all_days * np.tile(daily, 7)
    share = mixed / mixed.sum(axis=1, keepdims=True)
    return Profiles(accounts[enough], share - share.mean(axis=0))


def of_hours(found: Profiles, counts: pa.Table, hasher: Hasher, *, usual: float = 0.1) -> pa.Table:
    """Unusual hours as objects: the eight hours of the day in which an account is most active, where few accounts share them.

    Args:
        found: profiles.
        counts: rows of `active_hours`.
        hasher: the workspace's.
        usual: share of profiles from which a block of hours is usual and no object.
    """
    wanted = set(found.accounts.tolist())
    days: dict[int, npt.NDArray[np.float64]] = {}
    for row in counts.to_pylist():
        if row["account"] in wanted:
            days.setdefault(row["account"], np.zeros(24))[row["slot"] % 24] += row["hours"]
    blocks = {account: _block(day) for account, day in sorted(days.items())}
    common = np.bincount(list(blocks.values()), minlength=24) if blocks else np.zeros(24)
    rows = [
        {"actor": account, "actor_kind": "account", "layer": "hours", "object": hasher.id("hours", f"{start:02d}+8")}
        for account, start in blocks.items()
        if common[start] < usual * len(blocks)
    ]
    return tables.ACTIONS.rows(rows)


def _block(day: npt.NDArray[np.float64]) -> int:
    """First hour of the eight that hold most."""
    twice = np.concatenate([day, day[:7]])
    return int(np.argmax(np.convolve(twice, np.ones(8), "valid")))
