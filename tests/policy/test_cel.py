"""CEL conditions: their values against an independent evaluator, their trees, and what happens where there is no value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight.policy import SIGNALS, VARIABLES, Expression, Failure, load

NEUTRAL: dict[str, object] = {name: variable.neutral for name, variable in VARIABLES.items()}

# An expression is a pair: CEL text, and a Python function that says the same, written here and independent of CEL.
Pair = tuple[str, Callable[[dict[str, Any]], Any]]
COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
SIGNAL = st.sampled_from(SIGNALS)
FLOAT = st.floats(-20, 20, allow_nan=False).map(lambda x: round(x, 3))


def _score(part: str, name: str) -> Pair:
    return f"{part}['{name}']", lambda c: c[part][name]


def _double() -> st.SearchStrategy[Pair]:
    leaves = st.one_of(
        st.tuples(st.sampled_from(["scores", "document.scores"]), SIGNAL).map(lambda p: _score(*p)),
        st.just(("account.age_days", lambda c: c["account.age_days"])),
        FLOAT.map(lambda x: (repr(x), lambda _, x=x: x)),
    )
    sums = st.tuples(leaves, st.sampled_from("+-*"), leaves).map(_arithmetic)
    return leaves | sums


def _arithmetic(parts: tuple[Pair, str, Pair]) -> Pair:
    (left, f), sign, (right, g) = parts
    do = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}[sign]
    return f"({left} {sign} {right})", lambda c: do(f(c), g(c))


def _compared(parts: tuple[Pair, str, Pair]) -> Pair:
    (left, f), sign, (right, g) = parts
    return f"({left} {sign} {right})", lambda c: COMPARE[sign](f(c), g(c))


def _atom() -> st.SearchStrategy[Pair]:
    integer = st.sampled_from(["account.refusals_24h", "request.n_messages", "watch.objects"])
    number = st.integers(-3, 9)
    words = st.sampled_from(["a", "plan", "海", "", "é"])
    return st.one_of(
        st.tuples(_double(), st.sampled_from(sorted(COMPARE)), _double()).map(_compared),
        st.tuples(integer, st.sampled_from(sorted(COMPARE)), number).map(
            lambda p: (f"{p[0]} {p[1]} {p[2]}", lambda c: COMPARE[p[1]](c[p[0]], p[2]))
        ),
        st.sampled_from(["watch.hit", "account.vouched", "request.has_document"]).map(lambda n: (n, lambda c: c[n])),
        words.map(lambda w: (f"request.text.contains('{w}')", lambda c: w in c["request.text"])),
        words.map(lambda w: (f"request.text.startsWith('{w}')", lambda c: c["request.text"].startswith(w))),
        number.map(lambda n: (f"size(request.text) > {n}", lambda c: len(c["request.text"]) > n)),
        st.lists(st.sampled_from(["en", "zh", "ru"]), min_size=1, max_size=2).map(
            lambda names: (f"request.language in {names!r}", lambda c: c["request.language"] in names)
        ),
        SIGNAL.map(lambda s: (f"'{s}' in scores", lambda c: s in c["scores"])),
        FLOAT.map(lambda x: (f"scores.exists(k, scores[k] > {x!r})", lambda c: any(v > x for v in c["scores"].values()))),
    )


def _join(inner: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    two = st.tuples(inner, inner)
    return st.one_of(
        two.map(lambda p: (f"({p[0][0]} && {p[1][0]})", lambda c: p[0][1](c) and p[1][1](c))),
        two.map(lambda p: (f"({p[0][0]} || {p[1][0]})", lambda c: p[0][1](c) or p[1][1](c))),
        inner.map(lambda p: (f"!({p[0]})", lambda c: not p[1](c))),
        st.tuples(inner, inner, inner).map(
            lambda p: (f"({p[0][0]} ? {p[1][0]} : {p[2][0]})", lambda c: p[1][1](c) if p[0][1](c) else p[2][1](c))
        ),
    )


EXPRESSIONS = st.recursive(_atom(), _join, max_leaves=6)
BITS = st.dictionaries(SIGNAL, FLOAT, max_size=4).map(lambda given: dict.fromkeys(SIGNALS, 0.0) | given)
CONTEXTS = st.fixed_dictionaries(
    {
        "scores": BITS,
        "document.scores": BITS,
        "account.age_days": st.floats(0, 400),
        "account.refusals_24h": st.integers(0, 9),
        "request.n_messages": st.integers(1, 9),
        "watch.objects": st.integers(0, 3),
        "watch.hit": st.booleans(),
        "account.vouched": st.booleans(),
        "request.has_document": st.booleans(),
        "request.language": st.sampled_from(["en", "zh", "und"]),
        "request.text": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    }
).map(lambda given: NEUTRAL | given)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pair=EXPRESSIONS, context=CONTEXTS)
def test_cel_says_what_an_independent_evaluator_says(pair: Pair, context: dict[str, Any]) -> None:
    """Over generated expressions and contexts the C++ runtime and plain Python agree."""
    source, expected = pair
    assert Expression(source).evaluate(context) is expected(context)


@settings(max_examples=100, deadline=None)
@given(pair=EXPRESSIONS, context=CONTEXTS)
def test_a_part_taken_out_of_the_tree_has_the_value_it_has_inside(pair: Pair, context: dict[str, Any]) -> None:
    """The root, evaluated as a part, says what the whole says: the tree is read right."""
    expression = Expression(pair[0])
    assert expression.part(expression.tree, context) == expression.evaluate(context)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("1 / (request.n_messages - 1) > 0", "divide by zero"),
        ("scores['none'] > 1.0", "Key not found"),
        ("account.refusals_24h + 9223372036854775807 > 0", "overflow"),
        ("int(request.text) > 0", "cannot convert"),
    ],
)
def test_an_expression_without_a_value_is_a_failure(source: str, reason: str) -> None:
    """A failure is a value of its own kind, so that a broken rule can never read as true."""
    value = Expression(source).evaluate(NEUTRAL | {"account.refusals_24h": 1, "request.text": "x"})
    assert isinstance(value, Failure) and reason in value.reason


def test_a_value_the_runtime_cannot_take_is_a_failure() -> None:
    """A lone surrogate, or a number beyond 64 bits, is no value and no exception."""
    texts = Expression("request.text.contains('a')").evaluate({"request.text": "\ud800"})
    numbers = Expression("request.n_messages > 0").evaluate({"request.n_messages": 1 << 70})
    assert isinstance(texts, Failure) and isinstance(numbers, Failure)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("scores['BL-04'] > 1.0 && !watch.hit", {"scores", "watch.hit"}),
        ("scores.exists(k, scores[k] > account.age_days)", {"scores", "account.age_days"}),
        ("[1].exists(scores, scores == 1)", set()),
        ("has(scores.x) ? request.text == '' : false", {"scores", "request.text"}),
        ("{'a': account.vouched}['a']", {"account.vouched"}),
    ],
)
def test_the_variables_of_an_expression_are_found(source: str, names: set[str]) -> None:
    """Names that a comprehension binds are no variables."""
    assert Expression(source).tree.variables() == names


def test_matches_is_linear() -> None:
    """A pattern that blows up a backtracking engine is answered at once."""
    context = NEUTRAL | {"request.text": "a" * 100_000 + "!"}
    assert Expression("request.text.matches('(a+)+$')").evaluate(context) is False


def test_one_failing_rule_silences_no_other(tmp_path: Path) -> None:
    """Rules are evaluated as one list; where one fails, each is evaluated by itself and only the failing one errs."""
    path = tmp_path / "p.yaml"
    rules = "".join(
        f"- {{rule: {name}, mode: observe, when: '{when}'}}\n"
        for name, when in (("fine", "watch.hit"), ("broken", "1 / (request.n_messages - 1) > 0"), ("quiet", "!watch.hit"))
    )
    path.write_text(f"name: p\nversion: 1\nfail: open\nrules:\n{rules}")
    said = load(path).outcomes(NEUTRAL | {"watch.hit": True})
    assert [(o.rule.name, o.fires, o.error is not None) for o in said] == [
        ("fine", True, False),
        ("broken", False, True),
        ("quiet", False, False),
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(EXPRESSIONS, min_size=1, max_size=5), context=CONTEXTS)
def test_rules_together_say_what_they_say_alone(pairs: list[Pair], context: dict[str, Any]) -> None:
    """The list form, comments and line breaks included, agrees with each rule evaluated alone."""
    expressions = [Expression(source) for source, _ in pairs]
    together = Expression("[" + ",".join(f"({source} // why\n)" for source, _ in pairs) + "]").evaluate(context)
    alone = [expression.evaluate(context) for expression in expressions]
    assert together == alone or any(isinstance(value, Failure) for value in alone)
