"""Who acted on the same object within W of each other: the reference, as Ibis expressions for any engine.

Windowed layers use a bucketed join (an equality join that probes two buckets of W), since a plain range join is quadratic
in the most popular object. Windowless layers join on the object. Acts in a *crowd*, more than K actors on one object within
W, make no pairs; they make one group (`crowds`), so that nobody hides by being many and nobody is linked by a fashion.

Evidence is distinct objects: however often two actors share one object, it counts at most twice.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

CROWD = 50
"""Distinct actors on one object within the window, above which its acts make no pairs."""

MOST_ACTS = 2
"""How often one shared object may count."""

_SECOND = 1_000_000


def shared(actions: ir.Table, window: int | None, crowd: int | None = CROWD) -> ir.Table:
    """Each object that two actors share within the window.

    Args:
        actions: table of `tables.ACTIONS`; only equal `actor_kind` and `layer` are compared.
        window: seconds, boundary included; None compares acts whenever they happened, undated ones too.
        crowd: more distinct actors than this within the window around an act set the act aside; None sets nothing aside.

    Returns:
        Rows of kind, layer, object, a, b (a < b) and acts: act pairs within the window, at most two.
    """
    acts = _calm(_keyed(actions, window), window, crowd)
    pairs = _anywhen(acts) if window is None else _within(acts, window)
    columns = ["actor_kind", "layer", "object", "a", "b"]
    counted = pairs.group_by(columns).agg(acts=whole_sum(pairs.n))
    return counted.mutate(acts=ibis.least(counted.acts, ibis.literal(MOST_ACTS, "int64"))).rename(kind="actor_kind")


def pairs(actions: ir.Table, window: int | None, crowd: int | None = CROWD) -> ir.Table:
    """Pairs of actors with their evidence, as `shared`, summed.

    Returns:
        Rows of kind, layer, a, b (a < b), objects (distinct objects shared) and acts (at most two for each).
    """
    found = shared(actions, window, crowd)
    return found.group_by(["kind", "layer", "a", "b"]).agg(objects=found.object.nunique(), acts=whole_sum(found.acts))


def present(actions: ir.Table, window: int | None, crowd: int | None = CROWD) -> ir.Table:
    """Acts that are in a crowd: kind, layer, object, actor, t (microseconds, 0 when windowless) and present (actors then)."""
    counted = _presence(_keyed(actions, window), window)
    kept = counted if crowd is None else counted.filter(counted.present > crowd)
    return kept.rename(kind="actor_kind")


def crowds(actions: ir.Table, window: int | None, crowd: int = CROWD) -> ir.Table:
    """Crowds as groups: consecutive crowded acts on one object, at most the window apart, are one burst.

    Returns:
        Rows of kind, layer, object, burst, actors (array, in no order), size, acts, first and last (microseconds since 1970;
        0 when windowless).
    """
    acts = present(actions, window, crowd)
    keys = ["kind", "layer", "object"]
    order = ibis.window(group_by=keys, order_by=["t", "actor"])
    gap = acts.t - acts.t.lag().over(order)
    limit = 0 if window is None else window * _SECOND
    marked = acts.mutate(new=(gap.isnull() | (gap > limit)).cast("int64"))
    running = ibis.window(group_by=keys, order_by=["t", "actor"], preceding=None, following=0)
    bursts = marked.mutate(burst=whole_sum(marked.new, running))
    once = bursts.group_by([*keys, "burst", "actor"]).agg(n=bursts.count(), first=bursts.t.min(), last=bursts.t.max())
    return once.group_by([*keys, "burst"]).agg(
        actors=once.actor.collect(),
        size=once.count(),
        acts=whole_sum(once.n),
        first=once["first"].min(),
        last=once["last"].max(),
    )


def activity(actions: ir.Table, window: int | None, crowd: int | None = CROWD) -> ir.Table:
    """Acts of each actor that take part in pairing: kind, layer, actor, acts (distinct objects where windowless)."""
    acts = _calm(_keyed(actions, window), window, crowd)
    return acts.group_by(["actor_kind", "layer", "actor"]).agg(acts=acts.count()).rename(kind="actor_kind")


def sizes(actions: ir.Table) -> ir.Table:
    """How many distinct actors ever acted on each object: kind, layer, object, actors."""
    once = actions.select("actor_kind", "layer", "object", "actor").distinct()
    return once.group_by(["actor_kind", "layer", "object"]).agg(actors=once.count()).rename(kind="actor_kind")


def whole_sum(column: ir.IntegerColumn, over: object = None) -> ir.IntegerValue:
    """A sum as int64. DuckDB sums into 128 bits and Ibis believes that it does not, so it leaves out a plain cast."""
    total = column.sum() if over is None else column.sum().over(over)
    return total.cast("float64").cast("int64")


def _keyed(actions: ir.Table, window: int | None) -> ir.Table:
    """Acts with t in microseconds, repeats at one moment counted in n; undated acts take part in windowless layers only."""
    keys = ["actor_kind", "layer", "object", "actor", "t"]
    if window is None:
        flat = actions.select("actor_kind", "layer", "object", "actor", t=ibis.literal(0, "int64"))
    else:
        epoch = ibis.timestamp("1970-01-01 00:00:00+00:00")
        dated = actions.filter(actions.time.notnull())
        t = dated.time.delta(epoch, unit="microsecond").cast("int64")
        flat = dated.select("actor_kind", "layer", "object", "actor", t=t)
    return flat.group_by(keys).agg(n=flat.count())


def _presence(acts: ir.Table, window: int | None) -> ir.Table:
    """Each act with how many distinct actors are on its object within the window around it."""
    keys = ["actor_kind", "layer", "object"]
    if window is None:
        counted = acts.group_by(keys).agg(present=acts.actor.nunique())
        return acts.inner_join(counted, keys)
    w = window * _SECOND
    own = ibis.window(group_by=[*keys, "actor"], order_by="t")
    gap = acts.t - acts.t.lag().over(own)
    # Two acts of one actor at most 2W apart reach into each other: one stay, so that the actor counts once.
    marked = acts.mutate(new=(gap.isnull() | (gap > 2 * w)).cast("int64"))
    running = ibis.window(group_by=[*keys, "actor"], order_by="t", preceding=None, following=0)
    stayed = marked.mutate(stay=marked.new.sum().over(running))
    stays = stayed.group_by([*keys, "actor", "stay"]).agg(begin=stayed.t.min() - w, end=stayed.t.max() + w)
    # At one moment stays begin first (0), then acts are counted (1), then stays end (2): both boundaries are inclusive.
    begins = stays.select(*keys, t=stays.begin, order=ibis.literal(0, "int8"), step=ibis.literal(1, "int64"))
    ends = stays.select(*keys, t=stays.end, order=ibis.literal(2, "int8"), step=ibis.literal(-1, "int64"))
    moments = acts.select(*keys, "t").distinct()
    asked = moments.select(*keys, "t", order=ibis.literal(1, "int8"), step=ibis.literal(0, "int64"))
    events = ibis.union(begins, ends, asked)
    sweep = ibis.window(group_by=keys, order_by=["t", "order"], preceding=None, following=0)
    swept = events.mutate(present=events.step.sum().over(sweep))
    counts = swept.filter(swept.order == 1).select(*keys, "t", "present")
    return acts.inner_join(counts, [*keys, "t"])


def _calm(acts: ir.Table, window: int | None, crowd: int | None) -> ir.Table:
    if crowd is None:
        return acts
    counted = _presence(acts, window)
    return counted.filter(counted.present <= crowd).drop("present")


def _anywhen(acts: ir.Table) -> ir.Table:
    left, right = acts.view(), acts.view()
    joined = left.join(
        right,
        [left.actor_kind == right.actor_kind, left.layer == right.layer, left.object == right.object, left.actor < right.actor],
    )
    return joined.select(left.actor_kind, left.layer, left.object, a=left.actor, b=right.actor, n=left.n * right.n)


def _within(acts: ir.Table, window: int) -> ir.Table:
    w = max(window, 1) * _SECOND
    placed = acts.mutate(bucket=acts.t // w)
    late = placed.view()
    early = ibis.union(placed, placed.mutate(bucket=placed.bucket + 1)).view()
    joined = early.join(
        late,
        [
            early.actor_kind == late.actor_kind,
            early.layer == late.layer,
            early.object == late.object,
            early.bucket == late.bucket,
            early.actor != late.actor,
            late.t - early.t <= window * _SECOND,
            (early.t < late.t) | ((early.t == late.t) & (early.actor < late.actor)),
        ],
    )
    return joined.select(
        late.actor_kind,
        late.layer,
        late.object,
        a=ibis.least(early.actor, late.actor),
        b=ibis.greatest(early.actor, late.actor),
        n=early.n * late.n,
    )
