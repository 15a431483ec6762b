"""The two keys on hand-made groups, single accounts, watches, pools, and the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from backlight import _ledger, candidates, tables
from backlight._ledger import Entry
from backlight.candidates import Facts, propose
from backlight.errors import RequestError
from backlight.hashing import Hasher
from backlight.links import weigh, wild
from backlight.links.actions import Profiles
from backlight.links.turns import Concern, Said, Turn

HASHER = Hasher(b"0123456789abcdef")
WEIGHTS = weigh.load_weights()
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
EVERYBODY = range(1, 301)
OFFICE = {"what": 11.0, "where": 9.0, "when": 3.0}
CREW = OFFICE


def tied(members: Iterable[int], **families: float) -> dict[tuple[int, int], weigh.Weighed]:
    """All pairs of a group, tied alike."""
    layer = {"what": "skeleton", "where": "address", "when": "hours", "pays": "payment", "wild": "wild_output"}
    layers = {layer[family]: bits for family, bits in families.items()}
    ties = tuple(weigh.Tie(name, 7, 2, bits) for name, bits in layers.items() if name != "hours")
    pair = weigh.Weighed(
        families, layers, tuple((tie, tie.bits) for tie in ties), ties, dict.fromkeys(families, 1.0), "one workplace"
    )
    return dict.fromkeys(combinations(sorted(members), 2), pair)


def turn(n: int, account: int, day: float, **more: Any) -> Turn:
    return Turn(n, account, NOW + timedelta(days=day), text=n, language="en", **more)


def facts(
    weighed: Mapping[tuple[int, int], weigh.Weighed] | None = None,
    own: Mapping[int, float] | None = None,
    turns: Iterable[Turn] = (),
    **more: Any,
) -> Facts:
    """Three hundred accounts with one harmless turn each; `own` have own concern of so many bits."""
    by: dict[int, list[Turn]] = {account: [turn(10_000 + account, account, 0)] for account in EVERYBODY}
    for one in sorted(turns, key=lambda one: one.time or NOW):
        by[one.account].append(one)
    concern = {account: Concern(bits, True, {"BL-04": bits}, (10_000 + account,)) for account, bits in (own or {}).items()}
    given: dict[str, Any] = {
        "weighed": weighed or {}, "evidence": weigh.Evidence(), "weights": WEIGHTS, "prior": 20.0, "turns": by,
        "hours": weigh.HourBits(Profiles(np.empty(0, np.int64), np.empty((0, 168))), WEIGHTS), "concern": concern,
        "telling": {one.text: Said(one.text) for own in by.values() for one in own},
        "added": {account: [(account, bits)] for account, bits in (own or {}).items()}, "strata": {}, "entities": {},
        "holders": {}, "posted": {}, "matches": wild.MATCHES.empty_table(), "posts": 0, "keys": frozenset(), "behaviours": {},
        "hasher": HASHER,
    }  # fmt: skip
    return Facts(**(given | more))


def cores(found: candidates.Proposal) -> list[tuple[int, ...]]:
    return [entry.core for entry in found.candidates]


def reasons(found: candidates.Proposal) -> set[tuple[int, str]]:
    return {(flag.account, flag.reason) for flag in found.flags}


# --- groups


def test_a_crew_is_found() -> None:
    """Ties beyond the prior in two families, and every member writes what is of concern."""
    found = propose(facts(tied((1, 2, 3, 4), **CREW), own=dict.fromkeys((1, 2, 3, 4), 5.0)))
    assert cores(found) == [(1, 2, 3, 4)]
    (body,) = [entry.body for entry in found.candidates]
    assert (body["tie_bits"], body["concern"], body["families"]) == (23.0, 20.0, ["what", "when", "where"])


def test_an_office_is_a_cohort() -> None:
    """The same ties without concern: counted, not accused, and nobody is flagged."""
    found = propose(facts(tied((1, 2, 3, 4, 5, 6), **OFFICE)))
    assert cores(found) == [] and found.flags == ()
    assert [entry.body["size"] for entry in found.cohorts] == [6]


def test_a_class_falls_short_of_the_first_key() -> None:
    """One assignment and one network, 13 bits against a prior of 20, whatever its members write."""
    found = propose(facts(tied(range(1, 31), what=6.5, where=6.4), own=dict.fromkeys(range(1, 31), 5.0)))
    assert cores(found) == []
    assert "ties" in found.cohorts[0].body["short_of"]


def test_hours_are_never_one_of_the_two_families() -> None:
    """One workflow at one time, however many bits, is one strong family."""
    assert cores(propose(facts(tied((1, 2, 3), what=18.0, when=6.0), own=dict.fromkeys((1, 2, 3), 5.0)))) == []


def test_a_newsroom_with_one_doubtful_member_is_flagged_at_most() -> None:
    """Two members with own concern are the least; with one the group is a cohort and the one a flag."""
    found = propose(facts(tied(range(1, 10), **OFFICE), own={3: 5.0}))
    assert cores(found) == [] and reasons(found) == {(3, "own_concern")}


def test_a_fifth_of_the_members_is_needed() -> None:
    """Two of eleven are too few, three are enough: a fifth, rounded up."""
    ring = tied(range(1, 12), **CREW)
    assert cores(propose(facts(ring, own=dict.fromkeys((1, 2), 6.0)))) == []
    assert cores(propose(facts(ring, own=dict.fromkeys((1, 2, 3), 6.0)))) == [(1, 2, 3)]


def working(
    members: Iterable[int], said: Mapping[int, Iterable[tuple[int, float]]], *, outside: Iterable[int] = (), **more: Any
) -> Facts:
    """A tied group without own concern; its members say (thing, bits) in turns that name the object 7, as those outside do."""
    members = tuple(members)
    turns = [turn(1000 * member + n, member, 1) for member, things in said.items() for n, _ in enumerate(things)]
    things = [(key, bits) for things in said.values() for key, bits in things]
    rows = {(member, "entity", 7): frozenset(one.id for one in turns if one.account == member) for member in said}
    evidence = weigh.Evidence(holders={("entity", 7): frozenset(members) | frozenset(outside)}, rows=rows)
    given = facts(tied(members, **CREW), turns=turns, evidence=evidence, **more)
    told = {one.text: Said(key, bits, bits) for one, (key, bits) in zip(turns, things, strict=True)}
    return replace(given, telling={**given.telling, **told})


QUIET = [(n, 0.0) for n in range(101, 108)]


def test_a_crew_is_found_by_its_work() -> None:
    """Three of ten things said around what ties them tell: those who said them are core, one who did not is associated. Their
    chance: three of 310 texts tell, 4/311 with one added, so C(10,3) (4/311)^3 (307/311)^7 = 2.3e-4, and a little for more than
    three, twice.
    """
    given = working((1, 2, 3, 4), {1: [(91, 2.0)], 2: [(92, 3.0)], 3: [(93, 1.0)], 4: QUIET})
    (entry,) = propose(given).candidates
    assert (entry.core, entry.associated) == ((1, 2, 3), (4,))
    (find,) = propose(given).finds
    assert (find.work.said, dict(find.work.bits), find.concern) == (10, {91: 2.0, 92: 3.0, 93: 1.0}, 6.0)
    assert find.p == pytest.approx(4.7e-4, rel=0.1)
    assert [row.account for row in find.work.turns] == [2, 1, 3]
    assert entry.body["work"] == {"said": 10, "tell": 3, "bits_a_thing": 0.6}
    assert "Of what they say around what ties them, 0.0 bits fit one innocent role, 6.0 an operator." in entry.body["against"]
    words = [one["statement"] for one in entry.body["evidence"] if "distinct things" in one["statement"]]
    assert words and words[0].startswith("Of 10 distinct things that members said around what ties them, 3 tell")


def test_little_among_much_is_no_work_of_an_operator() -> None:
    """Three things of one bit among twenty are 0.15 bits a thing, enough; among twenty-one 0.14, too little. And two things
    tell nothing, whatever they are of.
    """
    for harmless, found in ((17, [(1, 2, 3)]), (18, [])):
        said = {1: [(91, 1.0)], 2: [(92, 1.0)], 3: [(93, 1.0)], 4: [(100 + n, 0.0) for n in range(harmless)]}
        assert cores(propose(working((1, 2, 3, 4), said))) == found
    assert cores(propose(working((1, 2, 3, 4), {1: [(91, 5.0)], 2: [(92, 5.0)]}))) == []


def test_one_misjudged_template_of_the_work_counts_once() -> None:
    """Four members say one thing that tells, three times each: one thing of one."""
    found = propose(working((1, 2, 3, 4), {member: [(91, 5.0)] * 3 for member in (1, 2, 3, 4)}))
    assert cores(found) == [] and (found.finds[0].work.said, len(found.finds[0].work.bits)) == (1, 1)


def test_work_that_one_innocent_role_explains_is_no_work_of_an_operator() -> None:
    """Six bits of an operator against 6.3 of one role, in other things: the group does that role's work. Where the seven things
    are of two roles, the better explains 3.6, and 0.24 bits a thing are left.
    """
    given = working((1, 2, 3, 4), {1: [(91, 2.0)], 2: [(92, 2.0)], 3: [(93, 2.0)], 4: QUIET})

    def explained(role: Callable[[int], int]) -> Facts:
        works = {n: tuple(0.9 * (one.key in range(101, 108) and role(one.key) == r) for r in (0, 1)) for n, one in told.items()}
        return replace(given, telling={n: Said(one.key, one.bits, one.acts, works[n]) for n, one in told.items()})

    told = given.telling
    assert cores(propose(explained(lambda key: 0))) == []
    found = propose(explained(lambda key: int(key > 104)))
    assert cores(found) == [(1, 2, 3)] and found.finds[0].work.net == pytest.approx(0.24)


def test_what_members_wrote_alone_does_not_condemn_the_work_of_an_innocent_role() -> None:
    """Three members with own concern whose common work says nothing of an operator are found; where it says 0.9 bits a thing of
    one innocent role, they are a cohort.
    """
    given = working((1, 2, 3), {1: QUIET}, own=dict.fromkeys((1, 2, 3), 5.0))
    assert cores(propose(given)) == [(1, 2, 3)]
    explained = {n: Said(one.key, works=(0.9 * (one.key < 200),)) for n, one in given.telling.items()}
    assert cores(propose(replace(given, telling=explained))) == []


def test_what_everybody_names_is_nobodys_work() -> None:
    """Five accounts outside name it too: it ties nobody in particular, and what was said there is not looked at."""
    said = {1: [(91, 2.0)], 2: [(92, 3.0)], 3: [(93, 1.0)]}
    assert cores(propose(working((1, 2, 3), said, outside=range(50, 54)))) == [(1, 2, 3)]
    assert cores(propose(working((1, 2, 3), said, outside=range(50, 55)))) == []


def test_work_must_be_more_than_ordinary_texts() -> None:
    """Where four in ten texts of the workspace tell, three of ten are nothing."""
    given = working((1, 2, 3, 4), {1: [(91, 2.0)], 2: [(92, 3.0)], 3: [(93, 1.0)], 4: QUIET})
    usual = {text: Said(one.key, float(text % 10 < 4)) for text, one in given.telling.items() if text >= 10_000}
    assert cores(propose(replace(given, telling={**given.telling, **usual}))) == []


def test_fans_who_write_alike_are_no_group() -> None:
    """One family ties them: a cohort by one family, whatever it writes."""
    found = propose(facts(tied(range(1, 21), what=9.0), own=dict.fromkeys(range(1, 21), 5.0)))
    assert cores(found) == [] and [entry.body["families"] for entry in found.cohorts] == [["what"]]


def test_a_shared_template_counts_once() -> None:
    """Six members whose whole concern is one template bring it once: no more than one random account in 300 brings."""
    members = range(1, 7)
    own = dict.fromkeys(members, 5.0)
    others = {account: Concern(5.0, False) for account in range(100, 150)}
    once = facts(tied(members, **CREW), own=own, added={account: [(77, 5.0)] for account in members})
    found = propose(replace(once, concern={**once.concern, **others}))
    assert cores(found) == []
    assert found.finds[0].concern == 5.0


def test_concern_is_capped_per_member() -> None:
    """One member of 40 bits does not carry a group."""
    found = propose(facts(tied((1, 2, 3), **CREW), own={1: 40.0, 2: 2.0}))
    assert found.finds[0].contributions == {1: candidates.CAP, 2: 2.0, 3: 0.0}


def test_a_group_must_beat_random_groups() -> None:
    """Where everybody has such concern, theirs is nothing: q is near one."""
    everyone = {account: Concern(5.0, account <= 3, {}, ()) for account in EVERYBODY}
    given = facts(tied((1, 2, 3), **CREW), own=dict.fromkeys((1, 2, 3), 5.0))
    found = propose(replace(given, concern=everyone))
    assert cores(found) == [] and found.finds[0].q > 0.5


def test_associated_members_stand_apart() -> None:
    """No own concern, tied to two core members in two families: listed apart, never core; a lesser tie is not listed."""
    weighed = tied((1, 2, 3, 4), **CREW) | {(1, 9): tied((1, 9), what=9.0)[1, 9]}
    (entry,) = propose(facts(weighed, own=dict.fromkeys((1, 2, 3), 5.0))).candidates
    assert (entry.core, entry.associated) == ((1, 2, 3), (4,))
    assert [member["member"] for member in entry.body["members"]] == ["core"] * 3 + ["associated"]


def test_a_candidate_says_what_speaks_against_it() -> None:
    """Evidence in words, against, the innocent explanation with its number, and what would change the judgement."""
    (entry,) = propose(facts(tied((1, 2, 3, 4), **CREW), own=dict.fromkeys((1, 2, 3), 5.0))).candidates
    body = entry.body
    assert {one["family"] for one in body["evidence"]} == {"what", "where", "when"}
    assert body["against"][0] == "1 of 4 linked accounts have no concern of their own."
    assert body["innocent_explanation"] == "One workplace. Against it 3.0 of 23.0 bits are left."
    assert "not fitted" in body["against"][-1] and body["would_change"]


def test_the_same_facts_give_the_same_bytes() -> None:
    """Seed and data decide everything."""
    given = facts(tied((1, 2, 3, 4), **CREW), own=dict.fromkeys((1, 2, 3), 5.0))
    assert [entry.row() for entry in propose(given).candidates] == [entry.row() for entry in propose(given).candidates]


# --- single accounts


def single(*turns: Turn, own: bool = True, posted: Mapping[int, Any] | None = None, **more: Any) -> candidates.Proposal:
    """Account 1 with these turns; all name the tag 50, which two platform accounts posted later unless told otherwise."""
    later = {50: {900: NOW + timedelta(days=3), 901: NOW + timedelta(days=3)}}
    return propose(
        facts(
            own={1: 5.0} if own else {},
            turns=turns,
            entities={one.id: {50: "hashtag"} for one in turns},
            holders={50: frozenset({1})},
            posted=later if posted is None else posted,
            **more,
        )
    )


REFUSED = turn(1, 1, 0, outcome="refused", scores={"BL-01": 4.0}, voice=2.0)
BACK = turn(2, 1, 14, scores={"BL-23": 2.0}, paper=3.0, voice=2.0)


def test_a_planner_who_returns_with_the_results_is_a_candidate() -> None:
    """Refused with a rare tag, back two weeks later in the operator's voice; the tag stands in posts of two accounts."""
    found = single(REFUSED, BACK)
    assert cores(found) == [(1,)]
    assert {
        one["statement"].split(" (")[0] for one in found.candidates[0].body["evidence"] if "Hard item" in one["statement"]
    } >= {"Hard item: the account came back after a refusal with what it named, in the operator's voice"}


def test_without_own_concern_the_items_are_flags() -> None:
    """However hard the items, an account without own concern is looked at by a person, not accused."""
    found = single(REFUSED, BACK, own=False)
    assert cores(found) == [] and (1, "watch") in reasons(found)


POLISH = turn(2, 1, 14, voice=-1.5)
"""Who asks to correct what he pasted speaks in nobody's voice."""


def planner(*turns: Turn, own: bool = True, bits: float = 2.0, **more: Any) -> Facts:
    """Account 1, whose first turn tells so many bits; all name tag 50, which two accounts posted later."""
    later = {50: {900: NOW + timedelta(days=3), 901: NOW + timedelta(days=3)}}
    given = facts(
        more.pop("weighed", None), own={1: 5.0} if own else {}, turns=turns, posted=later,
        entities={one.id: {50: "hashtag"} for one in turns}, **({"holders": {50: frozenset({1})}} | more),
    )  # fmt: skip
    return replace(given, telling={**given.telling, 1: Said(1, bits, bits)})


def test_a_plain_return_is_a_hard_item_where_the_refused_plan_told() -> None:
    """With own concern and the tag in posts a candidate, which says how it came back; without own concern a flag."""
    found = propose(planner(REFUSED, POLISH))
    assert cores(found) == [(1,)]
    said = [one["statement"] for one in found.candidates[0].body["evidence"]]
    assert any("what it named, plainly; the refused request told of an operator" in one for one in said)
    less = propose(planner(REFUSED, POLISH, own=False, bits=1.9))
    assert cores(less) == [] and (1, "watch") in reasons(less)


def test_a_matter_that_tells_is_own_concern_of_a_single_account() -> None:
    """Its daily work drowns the plan; what it said of the slogan, 2 bits and 2 for the refusal, reaches the floor of 4."""
    (one,) = propose(planner(REFUSED, POLISH, own=False, bits=2.0)).candidates
    said = [entry["statement"] for entry in one.body["evidence"]]
    assert (
        "Of 2 distinct things that the account said of what its hard items name, 1 tell of an operator: 2.0 bits; the model "
        "refused such a request too, which counts 2 bits more"
    ) in said
    assert any("gives it no own concern; only what it says of this matter does" in line for line in one.body["against"])


@pytest.mark.parametrize("again", [0, 9])
def test_a_refusal_of_the_matter_counts_whatever_else_was_answered(again: int) -> None:
    """The same request was answered once too; which of both has the smaller id says nothing."""
    answered = replace(turn(again, 1, 0), text=1, scores=REFUSED.scores, voice=REFUSED.voice)
    (one,) = propose(planner(REFUSED, POLISH, answered, own=False, bits=2.0)).candidates
    assert any("the model refused such a request too" in entry["statement"] for entry in one.body["evidence"])


def test_a_matter_that_one_role_explains_is_no_own_concern() -> None:
    """A reporter was misread once (3 bits, 2 for the refusal) and asks on like a newsroom (5.1 bits): an innocent hit. As much
    of an operator and less of a newsroom is none.
    """
    given = planner(REFUSED, POLISH, turn(3, 1, 15), turn(4, 1, 16), own=False, bits=3.0)
    news = {2: Said(2, works=(2.0,)), 3: Said(3, works=(2.0,)), 4: Said(4, works=(1.1,)), 1: Said(1, 3.0, 3.0, (0.0,))}
    found = propose(replace(given, telling=news))
    assert cores(found) == [] and [len(watch.fired) for watch in found.watches] == [0]
    assert cores(propose(replace(given, telling={**news, 4: Said(4, works=(0.9,))}))) == [(1,)]


def test_a_plain_return_is_an_innocent_hit_where_the_refused_request_did_not_tell() -> None:
    """A role explains what was refused: nothing is remembered of its voice."""
    found = propose(planner(REFUSED, POLISH, bits=0.0))
    assert cores(found) == [] and [len(watch.innocent) for watch in found.watches] == [1]


def test_a_leak_of_the_whole_newsroom_is_no_item_of_one_reporter() -> None:
    """The same two turns in a tied group that shares the tag and whose work a role explains: no candidate, though the reporter
    has own concern and also names a source that no colleague does.
    """
    ring = tied(range(1, 10), **OFFICE)
    rows = {(account, "entity", 50): frozenset({10_000 + account}) for account in range(2, 10)}
    rows[1, "entity", 50] = frozenset({1, 2})
    everyone = frozenset(range(1, 10))
    evidence = weigh.Evidence(holders={("entity", 50): everyone}, rows=rows)
    given = planner(REFUSED, POLISH, weighed=ring, evidence=evidence, holders={50: everyone})
    news = {10_000 + account: Said(10_000 + account, works=(2.0,)) for account in range(2, 10)}
    own = {1: Said(1, 2.0, 2.0, (0.0,)), 2: Said(2, works=(0.0,))}
    sourced = {n: {**kinds, 51: "name"} for n, kinds in given.entities.items()}
    holders = {50: everyone, 51: frozenset({1})}
    found = propose(replace(given, entities=sourced, holders=holders, telling={**given.telling, **news, **own}))
    assert cores(found) == []


def test_one_item_alone_is_a_flag() -> None:
    """A fired watch, nothing in posts, no paper."""
    found = single(REFUSED, turn(2, 1, 14, scores={"BL-23": 2.0}, voice=2.0), posted={})
    assert cores(found) == [] and reasons(found) == {(1, "watch")}


def test_a_refused_reporter_is_neither_accused_nor_flagged() -> None:
    """Comes back with the tag and a leaked paper in an observer's voice: an innocent hit, and no hard item but the posts."""
    found = single(REFUSED, turn(2, 1, 14, paper=3.0, voice=-2.0), own=False)
    assert cores(found) == [] and found.flags == ()
    assert [len(watch.innocent) for watch in found.watches] == [1]


def test_two_items_of_one_session_are_one() -> None:
    """Paper and tag in turns of one day: what stands twice in one sitting is one event."""
    near = turn(2, 1, 0.01, paper=3.0, scores={"BL-23": 2.0}, voice=2.0)
    found = single(turn(1, 1, 0, scores={"BL-01": 2.0}), near)
    assert cores(found) == [] and {reason for _, reason in reasons(found)} == {"operation_paper", "rare_entity"}


def test_a_variant_of_a_name_is_no_hard_item() -> None:
    """The watch matches by another spelling only: a flag."""
    found = propose(
        facts(
            own={1: 5.0},
            turns=(REFUSED, turn(2, 1, 14, scores={"BL-23": 2.0}, voice=2.0)),
            entities={1: {50: "name_variant"}, 2: {50: "name_variant"}},
            holders={50: frozenset({1})},
        )
    )
    assert cores(found) == [] and reasons(found) == {(1, "name_variant")}


def test_a_common_tag_sets_no_watch() -> None:
    """Six other accounts name it: neither rare, nor a watch, nor a hard item."""
    found = propose(
        facts(
            own={1: 5.0},
            turns=(REFUSED, BACK),
            entities={1: {50: "hashtag"}, 2: {50: "hashtag"}},
            holders={50: frozenset(range(1, 8))},
        )
    )
    assert found.watches == () and cores(found) == []


def test_outputs_under_two_accounts_and_a_paper_on_another_day() -> None:
    """Wild output on one day, the operation's own paper on another: two hard items of different kinds."""
    row = {"account": 1, "asked": NOW, "time": NOW + timedelta(hours=2), "edit": "marks", "score": 1.0, "words": 20, "p": 1e-6}
    both = [row | {"interaction": 1, "post": n, "author": 900 + n, "verdict": "counts"} for n in (1, 2)]
    matches = pa.Table.from_pylist(both, schema=wild.MATCHES)
    found = propose(facts(own={1: 5.0}, turns=(turn(1, 1, 0), BACK), matches=matches, posts=2))
    assert cores(found) == [(1,)]
    assert len(found.candidates[0].body["platform_accounts"]) == 2


def test_a_pool_is_never_one_person() -> None:
    """A key with many end users has no own concern and no hard items."""
    assert cores(single(REFUSED, BACK, keys=frozenset({1}))) == []


def test_a_pool_of_one_workflow_is_flagged_to_its_owner() -> None:
    """Four of six end users of one key are a group of concern: the key is flagged beside the candidate."""
    pool = weigh.Evidence(pool=dict.fromkeys(range(1, 7), 4242))
    found = propose(facts(tied((1, 2, 3, 4), **CREW), own=dict.fromkeys((1, 2, 3, 4), 5.0), evidence=pool))
    assert (4242, "pool") in reasons(found)


# --- the ledger


def entry(core: Iterable[int], *evidence: str, **more: Any) -> Entry:
    return Entry("", "candidate", "new", tuple(core), evidence=evidence, **more)


def step(known: list[Entry], found: list[Entry], run: str, last: str) -> dict[str, Entry]:
    return {one.id: one for one in _ledger.update(known, found, run, last, HASHER) if one.run == run}


def test_an_id_stays_while_the_core_does() -> None:
    """Two of four members change: 2 of 6 in common, above 0.3, so the id is kept from run to run."""
    (first,) = step([], [entry((1, 2, 3, 4))], "r1", "").values()
    (second,) = step([first], [entry((3, 4, 5, 6))], "r2", "r1").values()
    assert first.id == second.id and first.status == second.status == "new"


def test_one_that_had_gone_needs_more_to_return() -> None:
    """The same overlap does not revive an id that the last run did not see; a larger one does."""
    (first,) = step([], [entry((1, 2, 3, 4))], "r1", "").values()
    assert first.id not in step([first], [entry((3, 4, 5, 6))], "r3", "r2")
    assert first.id in step([first], [entry((2, 3, 4))], "r3", "r2")


def test_splits_and_merges_are_lineage() -> None:
    """The larger part keeps the id and the smaller says where it comes from; a merge keeps the larger parent's."""
    (first,) = step([], [entry((1, 2, 3, 4, 5))], "r1", "").values()
    parts = step([first], [entry((1, 2, 3)), entry((4, 5))], "r2", "r1")
    (small,) = [one for one in parts.values() if one.id != first.id]
    assert small.core == (4, 5) and small.lineage == {"split_from": first.id}
    (whole,) = step(list(parts.values()), [entry((1, 2, 3, 4, 5))], "r3", "r2").values()
    assert whole.id == first.id and whole.lineage == {"merged": [small.id]}


def test_a_dismissed_candidate_returns_only_on_evidence_of_a_new_kind() -> None:
    """More of the same keeps it dismissed; wild evidence brings it back, its reason kept."""
    (first,) = step([], [entry((1, 2), "what", "where", "BL-04")], "r1", "").values()
    away = _ledger.dismissed([first], first.id, "one firm, declared", "2026-03-01")
    (same,) = step(away, [entry((1, 2), "what", "where", "BL-04")], "r2", "r1").values()
    (more,) = step(away, [entry((1, 2), "what", "where", "wild", "BL-04")], "r2", "r1").values()
    assert (same.status, more.status) == ("dismissed", "new")
    assert more.dismissed[0]["reason"] == "one firm, declared"


def test_a_dismissal_needs_a_reason_and_a_candidate() -> None:
    """Neither an empty reason nor an unknown id is accepted."""
    (first,) = step([], [entry((1, 2))], "r1", "").values()
    with pytest.raises(RequestError, match="without a reason"):
        _ledger.dismissed([first], first.id, " ", "now")
    with pytest.raises(RequestError, match="is no candidate"):
        _ledger.dismissed([first], "cand-none", "because", "now")


def test_entries_survive_the_table() -> None:
    """What is written into the candidates table is read back whole."""
    note = {"reason": "x", "when": "y", "evidence": ["what"]}
    one = Entry(
        "cand-1",
        "candidate",
        "dismissed",
        (1, 2),
        (3,),
        "r1",
        ("what",),
        (note,),
        {"split_from": "cand-0"},
        {"kind": ["fraud"]},
    )
    assert _ledger.read(candidates.table([one]).to_pylist()) == [one]
    assert candidates.table([one]).schema == tables.CANDIDATES.arrow
