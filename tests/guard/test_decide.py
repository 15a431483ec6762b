"""Decisions: pure, each turn by itself, instruction and document apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backlight.guard import AccountState, Identity, Request, Watch, decide
from backlight.policy import Policy, builtin, load
from backlight.signals.scorer import FakeScorer

Make = Callable[..., Request]
SCORER = FakeScorer({"BL-01": ["covert plan"], "BL-13": ["results"]}, performer=("our campaign",))
OBSERVE = load(builtin("observe"))
DEMO = load(builtin("demo"))
DAY = 86_400.0


def watch(**more: Any) -> Watch:
    told = {"id": "w-1", "account": 2, "cause": "e0", "objects": frozenset({7}), "set_at": 0.0, "expires": 2e6}
    return Watch(**(told | more))


def test_a_harmless_request_is_allowed_and_says_nothing(request_of: Make) -> None:
    """Nothing fires: no rule, no public text, no action."""
    decision = decide(request_of(), AccountState(), DEMO, SCORER)
    assert (decision.mode, decision.rule, decision.public_text, decision.action) == ("allow", None, None, None)


def test_a_planning_request_is_refused_in_its_language(request_of: Make) -> None:
    """The rule's public text answers in the language that was asked."""
    decision = decide(request_of("a covert plan", language="fr"), AccountState(), DEMO, SCORER)
    assert (decision.mode, decision.rule, decision.action) == ("refuse", "planning-request", "review")
    assert decision.public_text == DEMO.rules[0].text("fr")


def test_the_default_policy_observes_the_same_request(request_of: Make) -> None:
    """Out of the box nothing is refused."""
    decision = decide(request_of("a covert plan"), AccountState(), OBSERVE, SCORER)
    assert (decision.mode, decision.rule, decision.public_text) == ("observe", "strong-request", None)


def test_instruction_and_document_are_judged_apart(request_of: Make) -> None:
    """A harmless instruction over a document of concern fires the document's rule, not the instruction's."""
    request = request_of("Polish this.", document="results of our campaign: a covert plan")
    decision = decide(request, AccountState(), DEMO, SCORER)
    assert (decision.mode, decision.event.fired) == ("observe", ("operation-paper",))


def test_a_remembered_event_never_makes_a_harmless_turn_harmful(request_of: Make) -> None:
    """However many refusals are remembered, and whatever watches hit, a harmless turn is answered."""
    state = AccountState(first_seen=0.0, refusals_24h=50, refusals_30d=90, key_refusals_24h=99, linked=True, watches=(watch(),))
    for policy in (OBSERVE, DEMO):
        assert decide(request_of(objects=(7,)), state, policy, SCORER).mode in ("allow", "observe")


@pytest.mark.parametrize(
    ("text", "objects", "hits", "voice"),
    [
        ("polish the results of our campaign", (7,), ("w-1",), True),
        ("a newsroom asks what this tag is", (7,), ("w-1",), False),
        ("polish the results of our campaign", (8,), (), False),
    ],
)
def test_a_watch_fires_on_its_object_and_the_operators_voice(
    request_of: Make, text: str, objects: tuple[int, ...], hits: tuple[str, ...], voice: bool
) -> None:
    """The same rare object without the voice is a hit that is counted as innocent until it is read."""
    event = decide(request_of(text, objects=objects), AccountState(watches=(watch(),)), DEMO, SCORER).event
    assert (event.hits, event.voice) == (hits, voice)


def test_an_answered_request_of_concern_is_told_from_one_that_only_counts(request_of: Make) -> None:
    """What people are to look at for its words sets the weaker watch; a count of refusals, or a refusal itself, does not."""
    paper = request_of("polish", document="results of our campaign: a covert plan")
    made = [decide(paper, AccountState(), OBSERVE, SCORER), decide(request_of(), AccountState(refusals_24h=9), OBSERVE, SCORER)]
    made.append(decide(request_of("a covert plan"), AccountState(), DEMO, SCORER))
    assert [(d.mode, d.action, d.concern) for d in made] == [
        ("observe", "review", True),
        ("observe", "review", False),
        ("refuse", "review", False),
    ]


def test_an_expired_watch_is_silent(request_of: Make) -> None:
    """A watch ends when it said it would."""
    state = AccountState(watches=(watch(expires=1_000_000.0),))
    assert decide(request_of("our campaign", objects=(7,)), state, DEMO, SCORER).hits == ()


def test_the_strongest_mode_wins_and_the_first_of_equals(request_of: Make, policy: Callable[[str], Policy]) -> None:
    """All rules are heard; the client meets the strongest, and the event names every rule that fired."""
    rules = "".join(
        f"- {{rule: {name}, mode: {mode}, when: 'scores[\"BL-01\"] > {cut}', reason_public: text {name}}}\n"
        for name, mode, cut in (("a", "observe", "1.0"), ("b", "warn", "1.1"), ("c", "warn", "1.2"))
    )
    decision = decide(request_of("covert plan"), AccountState(), policy(rules), SCORER)
    assert (decision.mode, decision.rule, decision.public_text, decision.event.fired) == (
        "warn",
        "b",
        "text b",
        ("a", "b", "c"),
    )


def test_a_rule_without_a_truth_value_is_an_error_and_its_on_error_applies(
    request_of: Make, policy: Callable[[str], Policy]
) -> None:
    """An error is recorded with its reason, and is never read as true."""
    when = 'scores["BL-01"] > 1.0 && scores[request.language] > 1.0'
    rules = f"- {{rule: r, mode: warn, reason_public: a, on_error: observe, when: '{when}'}}\n"
    decision = decide(request_of("covert plan"), AccountState(), policy(rules), SCORER)
    assert (decision.mode, decision.event.fired, decision.action) == ("observe", (), "record")
    assert decision.event.errors == (("r", 'NOT_FOUND: Key not found in map : "en"'),)


def test_without_a_scorer_rules_on_scores_are_left_out(request_of: Make) -> None:
    """The guard works without a scorer; the event says that nothing was scored, and nothing fires on absence."""
    decision = decide(request_of("a covert plan"), AccountState(), DEMO, None)
    assert (decision.mode, decision.event.scored, decision.event.scores) == ("allow", False, {})


def test_a_ban_is_never_proposed_for_an_id_that_nobody_vouches_for(request_of: Make, policy: Callable[[str], Policy]) -> None:
    """It becomes a flag on the key."""
    rules = "- {rule: r, mode: observe, action: propose_ban, when: 'scores[\"BL-01\"] > 1.0'}\n"
    unknown = Identity(key=1, account=2, level="none", vouched=False, source="none")
    actions = [
        decide(request_of("covert plan", identity=i), AccountState(), policy(rules), SCORER).action for i in (None, unknown)
    ]
    assert actions == ["propose_ban", "flag"]


@pytest.mark.parametrize("sign", ["\0", "\ud800", "\u2028", "\U0010ffff"])
def test_odd_characters_hide_nothing(request_of: Make, policy: Callable[[str], Policy], sign: str) -> None:
    """A NUL would end the text inside the CEL runtime; what stands behind it is judged all the same."""
    rules = "- {rule: r, mode: observe, when: 'request.text.contains(\"covert plan\")'}\n"
    assert decide(request_of(f"hello{sign} covert plan"), AccountState(), policy(rules), None).mode == "observe"


def test_the_same_arguments_give_the_same_decision(request_of: Make) -> None:
    """The decision reads no clock and no chance."""
    made = [decide(request_of("a covert plan", objects=(7,)), AccountState(watches=(watch(),)), DEMO, SCORER) for _ in range(2)]
    assert made[0] == made[1]


def test_an_event_holds_no_text(request_of: Make) -> None:
    """What is kept of a decision carries neither the words nor a raw id."""
    identity = Identity(key=1, account=2, level="end_user", vouched=True, source="user", raw_key="RAWKEY", raw_user="RAWUSER")
    request = request_of("a covert plan WORDS", document="results WORDS", identity=identity, model="WORDS")
    event = decide(request, AccountState(), DEMO, SCORER).event
    assert not [word for word in ("WORDS", "RAWKEY", "RAWUSER") if word in repr(event)]
