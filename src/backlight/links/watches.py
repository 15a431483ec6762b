"""Watches: a refusal leaves behind what it named; the same or a linked account that returns with it fires the watch.

A watch listens for what was rare when it was set, entities and pasted documents, for 30 days. That it stands in posts later is
evidence and no reason to look away. A later turn, at least a session on, with one of them *and* the operator's voice fires
it; without the voice it is an innocent hit, counted and printed (a reporter who was refused asks on, and is no operator).
Where the refused request itself told of an operator, the voice has been heard: who was refused a plan returns with "polish
this", so a plain turn of that account fires it too, unless all that it says of the matter is more like one innocent role's.
A watch never degrades the service and expires. An answered request of concern sets a weak watch, whose firing is a flag at
most.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow as pa

from backlight import tables
from backlight.hashing import Hasher
from backlight.links.turns import SESSION, Turn

LASTS = timedelta(days=30)
VARIANTS = ("name_variant",)
"""Kinds of entities that match only by another spelling of a name; alone they make a flag."""


@dataclass(frozen=True)
class Watch:
    """One watch and what it met.

    Attributes:
        id: stable.
        account: who was refused.
        cause: the refused turn.
        objects: object -> kind.
        set_at: when.
        weak: set by an answered request of concern.
        fired: turns that came back with the operator's voice.
        innocent: turns that came back without it.
        variant: of those fired, the ones that match by a variant of a name only.
    """

    id: str
    account: int
    cause: int
    objects: Mapping[int, str]
    set_at: datetime
    weak: bool
    fired: tuple[Turn, ...] = ()
    innocent: tuple[Turn, ...] = ()
    variant: frozenset[int] = frozenset()

    @property
    def expires(self) -> datetime:
        """When it ends."""
        return self.set_at + LASTS


def watches(
    turns: Mapping[int, Sequence[Turn]],
    rare: Callable[[Turn], Mapping[int, str]],
    named: Callable[[Turn], Mapping[int, str]],
    linked: Callable[[int], Collection[int]],
    hasher: Hasher,
    *,
    weak_from: float,
    told: Callable[[Turn, Sequence[Turn]], bool] = lambda cause, later: False,
) -> list[Watch]:
    """Set watches and let later turns meet them.

    Args:
        turns: by account, in order of time.
        rare: entities and documents of a turn that were rare when it named them, object -> kind.
        named: all that a turn names.
        linked: accounts linked to one.
        hasher: gives ids.
        weak_from: bits of an answered turn from which it sets a weak watch.
        told: whether a refused turn told of an operator, in view of what the same account later said of the matter.

    Returns:
        Watches by account and time.
    """
    held: dict[tuple[int, int], list[Turn]] = defaultdict(list)
    for account, own in turns.items():
        for turn in own:
            for thing in named(turn) if turn.time is not None else ():
                held[account, thing].append(turn)
    set_ = []
    live: dict[tuple[int, bool, frozenset[int]], datetime] = {}
    for account in sorted(turns):
        for turn in turns[account]:
            weak = not turn.refused
            if turn.time is None or (weak and turn.mass < weak_from) or not (listens := rare(turn)):
                continue
            same = (account, weak, frozenset(listens))
            if same in live and turn.time <= live[same]:
                continue  # one that listens for just this is still running
            live[same] = turn.time + LASTS
            later = list(_later(turn, listens, (account, *linked(account)), held))
            heard = not weak and turn.voice > 0 and told(turn, [one for one in later if one.account == account])
            fired = tuple(one for one in later if one.runs_it or (heard and one.account == account))
            variant = frozenset(
                one.id for one in fired if all(listens[thing] in VARIANTS for thing in listens.keys() & named(one).keys())
            )
            innocent = tuple(one for one in later if one not in fired)
            made = f"watch-{hasher.id('watch', str(turn.id)):016x}"
            set_.append(Watch(made, account, turn.id, listens, turn.time, weak, fired, innocent, variant))
    return set_


def _later(
    turn: Turn, listens: Mapping[int, str], accounts: Sequence[int], held: Mapping[tuple[int, int], Sequence[Turn]]
) -> Iterator[Turn]:
    """Turns of these accounts that name what it listens for, a session on and before it ends, by time."""
    assert turn.time is not None
    met: dict[int, Turn] = {}
    for account in accounts:
        for thing in listens:
            for other in held.get((account, thing), ()):
                if other.time is not None and turn.time + SESSION <= other.time <= turn.time + LASTS:
                    met[other.id] = other
    yield from sorted(met.values(), key=lambda one: (one.time, one.id))


def table(found: Sequence[Watch]) -> pa.Table:
    """Rows of `tables.WATCHES`."""
    return tables.WATCHES.rows(
        [
            {
                "id": watch.id,
                "account": watch.account,
                "cause": watch.cause,
                "objects": sorted(watch.objects),
                "kinds": [watch.objects[thing] for thing in sorted(watch.objects)],
                "set_at": watch.set_at,
                "expires": watch.expires,
                "fired_by": [turn.id for turn in watch.fired],
                "innocent": [turn.id for turn in watch.innocent],
            }
            for watch in found
        ]
    )
