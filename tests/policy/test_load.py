"""What loads, what does not, and where it says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backlight.errors import PolicyError
from backlight.policy import Policy, PolicyHolder, builtin, check, load

Write = Callable[..., Path]
OBSERVE = "- {rule: r, mode: observe, when: 'scores[\"BL-04\"] > 1.0'}\n"


def refusing(when: str, more: str = "") -> str:
    return f"- rule: r\n  mode: refuse\n  reason_public: No.\n  when: |\n    {when}\n{more}"


@pytest.mark.parametrize("name", ["observe", "demo"])
def test_shipped_policies_load_without_a_warning(name: str) -> None:
    """The policies that ship pass every check, their examples included."""
    report = check(builtin(name))
    assert (report.errors, report.warnings, report.ok) == ((), (), True)


def test_the_default_policy_refuses_nothing() -> None:
    """Out of the box the guard observes: no rule warns or refuses, whatever fails."""
    policy = load(builtin("observe"))
    assert {rule.mode for rule in policy.rules} == {"observe"}
    assert (policy.fail, {rule.on_error for rule in policy.rules}) == ("open", {"observe"})


def test_a_policy_knows_its_name_version_and_bytes(written: Write) -> None:
    """An event can name the exact policy: name, version and a digest that changes with the file."""
    one, other = load(written(OBSERVE)), load(written(OBSERVE + "# changed\n"))
    assert (one.id, one.digest == other.digest, len(one.digest)) == ("test@1", False, 32)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("- {rule: r, mode: observe, whem: 'true'}\n", "policy.yaml:5:28: unknown key 'whem'"),
        ("- {rule: r, mode: observ, when: 'true'}\n", "policy.yaml:5:19: mode 'observ'"),
        ("- rule: r\n  mode: observe\n  when: acount.level == 'key'\n", "policy.yaml:7:15: undeclared reference"),
        ("- rule: r\n  mode: observe\n  when: |\n    account.vouched &&\n    scores['a'] == 'x'\n", "policy.yaml:9:"),
        ("- {rule: r, mode: observe, when: 'scores[\"BL-99\"] > 1.0'}\n", "unknown score 'BL-99'"),
        ("- {rule: r, mode: observe, when: 'scores[\"BL-04\"]'}\n", "when has type DOUBLE"),
        ("- {rule: r, mode: observe, when: 'request.text.matches(\"(\")'}\n", "broken pattern"),
        ("- {rule: r, mode: observe, when: '1 > 2'}\n", "can never fire"),
        ("- {rule: r, mode: observe, when: 'false && account.vouched'}\n", "can never fire"),
        ("- {rule: R r, mode: observe, when: 'true'}\n", "rule name 'R r'"),
        ("- {rule: r, mode: warn, when: 'scores[\"BL-04\"] > 1.0'}\n", "mode warn without reason_public"),
        ("- {rule: r, mode: observe, on_error: refuse, when: 'true'}\n", "on_error refuse in mode observe"),
        ("- {rule: r, mode: warn, reason_public: a, action: refuse, when: 'true'}\n", "action refuse in mode warn"),
        ("- {rule: r, mode: observe, typology: [frauds], when: 'true'}\n", "did you mean 'fraud'?"),
        ("- {rule: r, mode: observe, when: 'true', when: 'false'}\n", "not YAML"),
        ("- {rule: r, mode: observe\n", "not YAML"),
        ("  r: 1\n", "rules is not a list"),
        (OBSERVE + OBSERVE.replace("1.0", "2.0"), "two rules are called r"),
        (OBSERVE + OBSERVE.replace("rule: r", "rule: s").replace("> 1.0", ">   1.0"), "rule s is never reached"),
    ],
)
def test_a_wrong_policy_does_not_load_and_says_where(written: Write, rules: str, message: str) -> None:
    """Each fault is a PolicyError with file, line and column where they are known."""
    with pytest.raises(PolicyError) as caught:
        load(written(rules))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("acount.level == 'key'", "account.level"), ("account.refusal_24h > 1", "account.refusals_24h")],
)
def test_a_misspelt_name_gets_the_nearest_right_one(written: Write, wrong: str, right: str) -> None:
    """A wrong variable is answered with the one that was meant."""
    report = check(written(f"- rule: r\n  mode: observe\n  when: {wrong}\n"))
    assert report.errors[0].todo == f"did you mean '{right}'?"


def test_an_integer_beside_a_double_gets_a_hint(written: Write) -> None:
    """CEL does not mix numbers; the message says how to write it."""
    report = check(written("- {rule: r, mode: observe, when: 'scores[\"BL-04\"] > 1'}\n"))
    assert report.errors[0].todo == "write 1.0 where the other side is a double"


def test_a_check_names_every_fault(written: Write) -> None:
    """`check` goes on after the first fault, `load` says how many more there are."""
    path = written("- {rule: a, mode: observ, when: 'true'}\n- {rule: b, mode: observe, when: 'x'}\n")
    assert [error.wrong[:14] for error in check(path).errors] == ["policy.yaml:5:", "policy.yaml:6:"]
    with pytest.raises(PolicyError, match="1 more"):
        load(path)


def test_a_report_prints_as_plain_data(written: Write) -> None:
    """What the command line shows: whether it loads, its rules, errors and warnings."""
    good, bad = check(written(OBSERVE)).as_dict(), check(written("- {rule: r, mode: observe}\n")).as_dict()
    assert (good["ok"], good["policy"], good["rules"], good["errors"]) == (
        True,
        "test@1",
        [{"rule": "r", "mode": "observe"}],
        [],
    )
    assert (bad["ok"], bad["policy"], len(bad["errors"])) == (False, None, 1)


def test_a_failing_example_stops_the_policy(written: Write) -> None:
    """Examples are tests: the place is the example's, the message says what the condition says."""
    example = "  examples:\n  - {given: {scores: {BL-04: 0.5}}, fires: true}\n"
    report = check(written(refusing("scores['BL-04'] > 1.0", example)))
    assert report.errors[0].wrong == "policy.yaml:11:44: this example of rule r fails: the condition says false"


@pytest.mark.parametrize(
    "given",
    ["scores: {BL-4: 1.0}", "account: {levl: key}", "account: {refusals_24h: many}", "watch: {hit: 1}"],
)
def test_an_example_with_a_wrong_name_or_type_stops_the_policy(written: Write, given: str) -> None:
    """What an example gives is held against the same names and types as the rule."""
    report = check(written(refusing("scores['BL-04'] > 1.0", f"  examples:\n  - {{given: {{{given}}}, fires: false}}\n")))
    assert len(report.errors) == 1 and report.errors[0].wrong.startswith("policy.yaml:11:")


@pytest.mark.parametrize("text", ["Refused by rule-7.", "Your score is high.", "BL-01 was seen.", "You are on a watchlist."])
def test_a_public_text_that_tells_evidence_does_not_load(written: Write, text: str) -> None:
    """What a client reads never names rule, score or watch."""
    rules = refusing("scores['BL-04'] > 1.0").replace("reason_public: No.", f"reason_public: {text}")
    assert "tells of rule, score or watch" in check(written(rules.replace("rule: r", "rule: rule-7"))).errors[0].wrong


def test_yaml_is_1_2(written: Write) -> None:
    """`no` is a text, not false: a Norwegian reason does not vanish."""
    policy = load(written(refusing("scores['BL-04'] > 1.0").replace("reason_public: No.", "reason_public: {no: no}")))
    assert dict(policy.rules[0].reason_public) == {"no": "no"}


def test_aliases_cannot_blow_a_policy_up(written: Write) -> None:
    """A file of ten lines that stands for a billion values is refused before it is walked."""
    levels = "".join(f"  - &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    path = written("[]\nabout:\n  - &l0 [a]\n" + levels, head="name: t\nversion: 1\nfail: open\nrules: ")
    assert "aliases counted" in check(path).errors[0].wrong


@pytest.mark.parametrize("content", [b"\xff\xfe", b"", b"- a\n", b"\0", b"a: !!python/object/apply:os.system [x]\n"])
def test_a_hostile_file_is_a_policy_error(tmp_path: Path, content: bytes) -> None:
    """Whatever the bytes, a check ends in a report."""
    path = tmp_path / "policy.yaml"
    path.write_bytes(content)
    assert not check(path).ok


def test_a_running_guard_keeps_the_last_good_policy(written: Write) -> None:
    """A reload that fails changes nothing and says why; the next good one takes over."""
    holder = PolicyHolder(written(OBSERVE))
    good: Policy = holder.policy
    written("- {rule: r}\n")
    assert (holder.reload(), holder.policy is good, holder.failed is not None) == (False, True, True)
    written(OBSERVE.replace("1.0", "2.0"))
    assert (holder.reload(), holder.policy is good, holder.failed) == (True, False, None)


def test_public_texts_are_chosen_by_language(written: Write) -> None:
    """A refusal is in the language of the request, else in English."""
    rules = refusing("scores['BL-04'] > 1.0").replace("reason_public: No.", "reason_public: {en: No., fr: Non.}")
    rule = load(written(rules)).rules[0]
    assert [rule.text(language) for language in ("fr", "en", "ja")] == ["Non.", "No.", "No."]


def test_a_refusing_rule_without_both_kinds_of_example_is_warned_of(written: Write) -> None:
    """A refusal should show what it refuses and what it does not."""
    assert "do not show both" in check(written(refusing("scores['BL-04'] > 1.0"))).warnings[0]
