"""Watches: who comes back, and in whose voice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from backlight.hashing import Hasher
from backlight.links.turns import Turn
from backlight.links.watches import Watch, table, watches

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HASHER = Hasher(b"0123456789abcdef")


def turn(n: int, days: float, *, account: int = 1, outcome: str = "complied", voice: float = 0.0, bits: float = 0.0) -> Turn:
    return Turn(
        n, account, NOW + timedelta(days=days), text=n, outcome=outcome, voice=voice, scores={"BL-01": bits} if bits else {}
    )


def meet(
    *turns: Turn,
    linked: Collection[int] = (),
    names: dict[int, dict[int, str]] | None = None,
    rare: dict[int, dict[int, str]] | None = None,
    told: Collection[int] = (),
) -> list[Watch]:
    by: dict[int, list[Turn]] = {}
    for one in turns:
        by.setdefault(one.account, []).append(one)
    named = names or {one.id: {77: "hashtag"} for one in turns}
    seldom = named if rare is None else rare
    return watches(
        by,
        lambda one: seldom.get(one.id, {}),
        lambda one: named.get(one.id, {}),
        lambda account: linked,
        HASHER,
        weak_from=3.0,
        told=lambda cause, later: cause.id in told,
    )


def test_a_return_in_the_operators_voice_fires() -> None:
    """Refused, and back twelve days later with the same rare tag, running it."""
    (watch,) = meet(turn(1, 0, outcome="refused"), turn(2, 12, voice=2.0, bits=2.0))
    assert [one.id for one in watch.fired] == [2]
    assert not watch.weak


def test_a_reporter_who_asks_on_is_an_innocent_hit() -> None:
    """The same return in an observer's voice, or without any behaviour, is counted and fires nothing."""
    (watch,) = meet(turn(1, 0, outcome="refused"), turn(2, 3, voice=-2.0, bits=2.0), turn(3, 4, voice=2.0))
    assert watch.fired == ()
    assert [one.id for one in watch.innocent] == [2, 3]


def test_a_plain_return_fires_where_the_refused_request_told() -> None:
    """The plan was refused in the operator's voice; "polish this" has no voice of its own."""
    turns = turn(1, 0, outcome="refused", voice=2.0), turn(2, 12, voice=-1.5)
    assert [one.id for one in meet(*turns, told=(1,))[0].fired] == [2]
    assert [one.id for one in meet(*turns)[0].innocent] == [2]


def test_what_was_rare_when_it_was_refused_may_be_public_at_the_return() -> None:
    """The slogan of the plan stands in posts by now: that is evidence. What was public before sets no watch."""
    turns, slogan = (turn(1, 0, outcome="refused"), turn(2, 12, voice=2.0, bits=2.0)), {77: "slogan"}
    (watch,) = meet(*turns, names={1: slogan, 2: slogan}, rare={1: slogan})
    assert [one.id for one in watch.fired] == [2]
    assert meet(*turns, names={1: slogan, 2: slogan}, rare={}) == []


def test_whether_it_told_is_asked_with_what_the_account_said_later() -> None:
    """Its own later turns of the matter, and no partner's."""
    asked: list[list[int]] = []

    def told(cause: Turn, later: Sequence[Turn]) -> bool:
        asked.append([one.id for one in (cause, *later)])
        return False

    turns = {1: [turn(1, 0, outcome="refused", voice=2.0), turn(2, 12)], 2: [turn(3, 12, account=2)]}
    watches(turns, lambda one: {77: "tag"}, lambda one: {77: "tag"}, lambda account: (2,), HASHER, weak_from=3.0, told=told)
    assert asked == [[1, 2]]


def test_what_one_account_told_is_no_other_accounts_voice() -> None:
    """A colleague's plain request with the same leak is an innocent hit."""
    turns = turn(1, 0, outcome="refused", voice=2.0), turn(2, 12, account=2, voice=-1.5)
    (watch,) = meet(*turns, linked=(2,), told=(1,))
    assert watch.fired == () and [one.id for one in watch.innocent] == [2]


def test_a_refused_observer_has_no_voice_to_remember() -> None:
    """What was refused told of an operator, but its writer reports it."""
    assert meet(turn(1, 0, outcome="refused", voice=-2.0), turn(2, 12, voice=-1.5), told=(1,))[0].fired == ()


def test_a_rephrase_in_the_same_session_is_no_return() -> None:
    """Ten minutes later somebody words it differently: curiosity, not a return."""
    watch = meet(turn(1, 0, outcome="blocked"), turn(2, 10 / 1440, voice=2.0, bits=2.0))[0]
    assert watch.fired == watch.innocent == ()


def test_a_watch_expires() -> None:
    """After thirty days nobody is watched."""
    assert meet(turn(1, 0, outcome="refused"), turn(2, 30.1, voice=2.0, bits=2.0))[0].fired == ()


def test_a_linked_account_fires_it() -> None:
    """The partner comes back instead."""
    (watch,) = meet(turn(1, 0, outcome="refused"), turn(2, 5, account=2, voice=2.0, bits=2.0), linked=(2,))
    assert [one.account for one in watch.fired] == [2]


def test_other_names_do_not_fire_it() -> None:
    """Nothing that was refused is named again."""
    names = {1: {77: "hashtag"}, 2: {78: "hashtag"}}
    assert meet(turn(1, 0, outcome="refused"), turn(2, 5, voice=2.0, bits=2.0), names=names)[0].fired == ()


def test_a_variant_of_a_name_is_told_apart() -> None:
    """It matches, but only by another spelling."""
    names = {n: {77: "name_variant"} for n in (1, 2)}
    (watch,) = meet(turn(1, 0, outcome="refused"), turn(2, 5, voice=2.0, bits=2.0), names=names)
    assert watch.variant == {2}


def test_an_answered_request_of_concern_sets_a_weak_watch() -> None:
    """Below the limit it sets none; as rows, a watch lists what it listens for and when it ends."""
    strong, weak = turn(1, 0, bits=4.0), turn(2, 1, account=2, bits=1.0)
    found = meet(strong, weak)
    assert [(one.account, one.weak) for one in found] == [(1, True)]
    assert table(found).to_pylist()[0]["expires"] == NOW + timedelta(days=30)
