"""What a refusal may rest on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight.policy import VARIABLES, Expression, check
from backlight.policy._rests import constant, harmless, rests_on_evidence

Write = Callable[..., Path]
WEAK = [
    "account.linked",
    "request.language == 'zh'",
    "request.country == 'XX'",
    "!account.vouched",
    "account.vouched || request.country == 'XX'",
    "watch.hit",
    "account.refusals_24h >= 5",
    "account.age_days < 1.0 && key.refusals_24h > 2",
    "true",
]
DRESSED = [
    "request.language == 'zh' && request.text != ''",
    "request.language == 'zh' && scores['BL-04'] > -100.0",
    "request.language == 'zh' || scores['BL-04'] > 3.0",
    "account.linked ? true : scores['BL-04'] > 3.0",
    "!(scores['BL-04'] > 3.0) && request.language == 'zh'",
    "scores['BL-04'] < 3.0 && account.linked",
    "scores['BL-04'] > (request.language == 'zh' ? 3.0 : -3.0)",
    "scores['BL-04'] * 0.0 + double(account.refusals_24h) > 1.0",
    "request.text.matches('[\\\\p{Han}]') || scores['BL-04'] > 3.0",
    "request.text.matches('[\\\\p{Cyrillic}]')",
    "request.document.contains(' ')",
    "size(request.text) > 0",
    "['x'].exists(scores, scores == 'x') && request.language == 'zh'",
    "(account.linked && scores['BL-04'] >= 0.0)",
    "watch.voice || watch.hit",
    "1 / (request.n_messages - request.n_messages) > 0 || account.linked && size(scores) > 0",
]
SOUND = [
    "scores['BL-04'] > 3.0",
    "scores['BL-04'] > 3.0 && request.language == 'zh'",
    "scores['BL-04'] > 3.0 && (account.linked || account.refusals_24h > 2)",
    "!(scores['BL-04'] <= 3.0)",
    "account.linked ? scores['BL-04'] > 2.0 : scores['BL-04'] > 4.0",
    "watch.hit && watch.voice",
    "document.scores['concern'] > 3.0 && document.scores['voice'] > 0.0",
    "scores.exists(name, name.startsWith('BL-') && scores[name] > 5.0)",
    "request.text.contains('a phrase that no bland text holds')",
]


def rules(when: str, mode: str = "refuse", action: str = "refuse") -> str:
    text = "" if mode == "observe" else "  reason_public: No.\n"
    return f"- rule: r\n  mode: {mode}\n  action: {action}\n{text}  when: |\n    {when}\n"


@pytest.mark.parametrize("when", WEAK)
@pytest.mark.parametrize(("mode", "action"), [("refuse", "refuse"), ("observe", "propose_ban"), ("observe", "refuse")])
def test_no_refusal_or_ban_rests_on_circumstances_alone(written: Write, when: str, mode: str, action: str) -> None:
    """Link, language, country, an unvouched identity and counters are no ground, not even for a ban that is only proposed."""
    assert "alone" in check(written(rules(when, mode, action))).errors[0].wrong


@pytest.mark.parametrize("when", WEAK[:-1])
def test_the_same_condition_may_observe(written: Write, when: str) -> None:
    """Circumstances may raise something for a person to look at."""
    assert check(written(rules(when, "observe", "review"))).ok


@pytest.mark.parametrize("when", DRESSED)
def test_evidence_that_decides_nothing_does_not_help(written: Write, when: str) -> None:
    """A condition that only mentions evidence, and that a harmless request can meet, does not load."""
    errors = check(written(rules(when))).errors
    assert errors and ("without evidence" in errors[0].wrong or "alone" in errors[0].wrong)


@pytest.mark.parametrize("when", SOUND)
def test_a_condition_that_needs_evidence_loads(written: Write, when: str) -> None:
    """Evidence joined with circumstances is a ground."""
    assert check(written(rules(when))).errors == ()


def test_errors_that_circumstances_can_cause_never_refuse(written: Write) -> None:
    """With on_error: refuse, an expression that fails on a country would refuse a country."""
    when = "scores['BL-04'] > 3.0 && int(request.country) > 0"
    fails = check(written(rules(when) + "  on_error: refuse\n")).errors
    passes = check(written(rules("scores['BL-04'] > 3.0") + "  on_error: warn\n")).errors
    assert ("circumstances alone can cause" in fails[0].wrong, passes) == (True, ())


_WEAK = st.sampled_from([w for w in WEAK if w != "true"])
_EVIDENCE = st.sampled_from(["scores['BL-04'] > 3.0", "scores['BL-09'] <= 1.0", "watch.voice", "request.text.contains('e')"])
_RULES = st.recursive(
    _WEAK | _EVIDENCE,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} && {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} || {p[1]})"),
        inner.map(lambda p: f"!({p})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} ? {p[1]} : {p[2]})"),
    ),
    max_leaves=6,
)
_CIRCUMSTANCES = st.fixed_dictionaries(
    {
        "account.linked": st.booleans(),
        "account.vouched": st.booleans(),
        "watch.hit": st.booleans(),
        "request.language": st.sampled_from(["zh", "en"]),
        "request.country": st.sampled_from(["XX", ""]),
        "account.refusals_24h": st.integers(0, 9),
        "key.refusals_24h": st.integers(0, 9),
        "account.age_days": st.sampled_from([0.0, 100.0]),
    }
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(when=_RULES, circumstances=_CIRCUMSTANCES, probe=st.sampled_from(harmless()))
def test_what_loads_is_false_for_harmless_requests_whatever_the_circumstances(
    when: str, circumstances: dict[str, object], probe: dict[str, object]
) -> None:
    """The check is sound: CEL itself never says true for a harmless request where the check said that it rests on evidence."""
    expression = Expression(when)
    if rests_on_evidence(expression):
        neutral = {name: variable.neutral for name, variable in VARIABLES.items()}
        assert expression.evaluate(neutral | circumstances | probe) is False


@pytest.mark.parametrize(("when", "value"), [("1 < 2", True), ("1 > 2 && watch.hit", False), ("watch.hit", None)])
def test_constant_conditions_are_told(when: str, value: bool | None) -> None:
    """A condition whose value no request can change is found by the same evaluation."""
    assert constant(Expression(when)) is value
