"""From a YAML file to a policy: the schema, the checks that stop a policy from loading, and the report of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, cast

import re2
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from backlight.errors import PolicyError
from backlight.policy import _rests, _yaml
from backlight.policy._cel import CelError, Expression, Node
from backlight.policy._model import (
    ACTIONS,
    FAILS,
    MODES,
    TYPOLOGIES,
    Action,
    Example,
    Fail,
    Mode,
    Policy,
    Rule,
    Typology,
    score_keys,
)
from backlight.policy._variables import SIGNALS, VARIABLES
from backlight.policy._yaml import Place, problem

POLICY_KEYS: Final = ("name", "version", "about", "fail", "watch_days", "rules")
RULE_KEYS: Final = (
    "rule", "mode", "when", "typology", "action", "reason_public", "reason_internal", "on_error", "examples",
)  # fmt: skip
FIELDS: Final = (*POLICY_KEYS, *RULE_KEYS, "given", "fires")
"""Every field of a policy file."""
_ALLOWED: Final[dict[Mode, tuple[Action, ...]]] = {
    "observe": ACTIONS,
    "warn": ("warn", "review", "propose_ban"),
    "refuse": ("refuse", "review", "propose_ban"),
}
_DEFAULT: Final[dict[Mode, Action]] = {"observe": "record", "warn": "warn", "refuse": "refuse"}
_RULES, _TEXT = 500, 2_000
_NAME = re2.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TELLS = re2.compile(r"(?i)\bBL-\d\d\b|\bscores?\b|\bthreshold\b|\bwatch(ed|list)?\b")
_TOTAL: Final = frozenset((
    "_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_",
    "@in", "contains", "startsWith", "endsWith", "size",
))  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What a check of a policy found.

    Attributes:
        path: the file.
        policy: the policy, if it loads.
        errors: why it does not load, in the order of the file.
        warnings: what is worth a look, and stops nothing.
    """

    path: Path
    policy: Policy | None
    errors: tuple[PolicyError, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the policy loads."""
        return self.policy is not None

    def as_dict(self) -> dict[str, Any]:
        """What `backlight policy check` prints."""
        rules = [] if self.policy is None else [{"rule": rule.name, "mode": rule.mode} for rule in self.policy.rules]
        return {
            "path": str(self.path),
            "ok": self.ok,
            "policy": self.policy.id if self.policy else None,
            "rules": rules,
            "errors": [str(error) for error in self.errors],
            "warnings": list(self.warnings),
        }


def load(path: str | Path) -> Policy:
    """Load a policy.

    Raises:
        PolicyError: it does not load; the message names the first place, and says how many more there are.
    """
    report = check(path)
    if report.policy is not None:
        return report.policy
    first, more = report.errors[0], len(report.errors) - 1
    if not more:
        raise first
    raise PolicyError(first.wrong, first.expected, f"{first.todo} ({more} more: see `backlight policy check`)".strip())


def check(path: str | Path) -> Report:
    """Check a policy and say everything that is wrong with it, without raising."""
    path = Path(path)
    errors: list[PolicyError] = []
    try:
        tree = _yaml.read(path)
    except PolicyError as error:
        return Report(path, None, (error,), ())
    head = _collect(errors, lambda: _head(tree, path))
    rules: list[tuple[Rule, Place]] = []
    for item in _rule_trees(tree, path.name, errors):
        rule = _collect(errors, lambda item=item: _rule(item, path.name, errors))
        if rule is not None:
            rules.append((rule, _yaml.at(item, "rule", path.name)))
    errors.extend(_unreachable(rules, tree, path.name))
    if errors or head is None:
        return Report(path, None, tuple(errors), ())
    policy = Policy(rules=tuple(rule for rule, _ in rules), **head)
    return Report(path, policy, (), tuple(_warnings(policy)))


def builtin(name: str) -> Path:
    """The file of a policy that ships with Backlight: `observe` (the default) or `demo`."""
    return Path(str(files("backlight.policy"))) / f"{name}.yaml"


def _collect(errors: list[PolicyError], make: Any) -> Any:
    try:
        return make()
    except PolicyError as error:
        errors.append(error)
        return None


def _head(tree: CommentedMap, path: Path) -> dict[str, Any]:
    file = path.name
    _yaml.keys(tree, POLICY_KEYS, file)
    for key in ("name", "version", "fail", "rules"):
        if key not in tree:
            raise problem(Place(file), f"no {key!r}", ", ".join(POLICY_KEYS))
    name, version = tree["name"], str(tree["version"])
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise problem(_yaml.at(tree, "name", file), f"name {name!r}", "letters a-z, digits, dots and dashes")
    if not re2.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,31}", version):
        raise problem(_yaml.at(tree, "version", file), f"version {version!r}", "such as 1 or 2026-11-25")
    days = tree.get("watch_days", 90)
    if isinstance(days, bool) or not isinstance(days, int) or not 0 <= days <= 400:
        raise problem(_yaml.at(tree, "watch_days", file), f"watch_days {days!r}", "whole days from 0 (no watch) to 400")
    return {
        "name": str(name),
        "version": version,
        "digest": blake2b(path.read_bytes(), digest_size=16).hexdigest(),
        "fail": cast(Fail, _one_of(tree, "fail", FAILS, file)),
        "watch_days": int(days),
        "about": str(tree.get("about", "")),
    }


def _rule_trees(tree: CommentedMap, file: str, errors: list[PolicyError]) -> list[CommentedMap]:
    rules = tree.get("rules")
    if not isinstance(rules, CommentedSeq) or not all(isinstance(rule, CommentedMap) for rule in rules):
        errors.append(problem(_yaml.at(tree, "rules", file), "rules is not a list of mappings", "a list; it may be empty"))
        return []
    if len(rules) > _RULES:
        errors.append(problem(_yaml.at(tree, "rules", file), f"{len(rules)} rules", f"at most {_RULES}"))
        return []
    return list(rules)


def _rule(tree: CommentedMap, file: str, errors: list[PolicyError]) -> Rule:
    _yaml.keys(tree, RULE_KEYS, file)
    for key in ("rule", "mode", "when"):
        if key not in tree:
            raise problem(_yaml.at(tree, "rule", file), f"no {key!r} in this rule", ", ".join(RULE_KEYS))
    name = tree["rule"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise problem(_yaml.at(tree, "rule", file), f"rule name {name!r}", "letters a-z, digits, dots and dashes")
    mode = cast(Mode, _one_of(tree, "mode", MODES, file))
    action = cast(Action, _one_of(tree, "action", ACTIONS, file, _DEFAULT[mode]))
    if action not in _ALLOWED[mode]:
        raise problem(_yaml.at(tree, "action", file), f"action {action} in mode {mode}", f"one of {', '.join(_ALLOWED[mode])}")
    on_error = cast(Mode, _one_of(tree, "on_error", MODES, file, "observe"))
    if MODES.index(on_error) > MODES.index(mode):
        raise problem(
            _yaml.at(tree, "on_error", file), f"on_error {on_error} in mode {mode}", "a mode no stronger than the rule's"
        )
    when = _expression(tree, file)
    rule = Rule(
        str(name), mode, when, action, _typology(tree, file), _texts(tree, str(name), mode, file),
        str(tree.get("reason_internal", "")), on_error, _examples(tree, file),
    )  # fmt: skip
    errors.extend(_failing(rule, tree, file))
    errors.extend(_rests_wrongly(rule, tree, file))
    return rule


def _one_of(tree: CommentedMap, key: str, known: tuple[str, ...], file: str, default: str | None = None) -> str:
    value = tree.get(key, default)
    if value not in known:
        raise problem(
            _yaml.at(tree, key, file), f"{key} {value!r}", f"one of {', '.join(known)}", _yaml.guess(str(value), known)
        )
    return str(value)


def _expression(tree: CommentedMap, file: str) -> Expression:
    source, place = tree["when"], _yaml.at(tree, "when", file)
    if not isinstance(source, str) or not 0 < len(source) <= 10_000:
        raise problem(place, "when is not a text of at most 10,000 characters", "a CEL expression")
    block = type(source).__name__ in ("LiteralScalarString", "FoldedScalarString")
    try:
        expression = Expression(str(source))
        for key in sorted(score_keys(expression) - set(SIGNALS)):
            raise CelError(f"unknown score {key!r}; {_yaml.guess(key, SIGNALS) or 'BL-01 to BL-30, concern, voice'}")
    except CelError as error:
        line = place.line + error.line - (0 if block else 1)
        column = error.column if block or error.line > 1 else place.column + error.column - 1
        raise problem(Place(file, line, column), str(error), "a CEL expression over known names", _hint(str(error))) from None
    if expression.kind != "BOOL":
        raise problem(place, f"when has type {expression.kind}", "BOOL")
    return expression


def _hint(message: str) -> str:
    name = re2.search(r"undeclared reference to '([^']+)'", message)
    if name:
        return _yaml.guess(name.group(1), VARIABLES)
    return "write 1.0 where the other side is a double" if "(double, int)" in message or "(int, double)" in message else ""


def _typology(tree: CommentedMap, file: str) -> tuple[Typology, ...]:
    value = tree.get("typology", [])
    names = [value] if isinstance(value, str) else value
    for name in names if isinstance(names, list) else [names]:
        if name not in TYPOLOGIES:
            wanted = f"among {', '.join(TYPOLOGIES)}"
            raise problem(_yaml.at(tree, "typology", file), f"typology {name!r}", wanted, _yaml.guess(str(name), TYPOLOGIES))
    return tuple(cast(Typology, str(name)) for name in names)


def _texts(tree: CommentedMap, name: str, mode: Mode, file: str) -> dict[str, str]:
    """The public texts: short, and silent about rule, score and evidence."""
    value, place = tree.get("reason_public", {}), _yaml.at(tree, "reason_public", file)
    texts = {"en": value} if isinstance(value, str) else value
    if not isinstance(texts, Mapping) or not all(isinstance(text, str) and 0 < len(text) <= _TEXT for text in texts.values()):
        raise problem(place, "reason_public is not a text, nor texts by language", f"texts of at most {_TEXT} characters")
    if not texts and mode != "observe":
        raise problem(_yaml.at(tree, "mode", file), f"mode {mode} without reason_public", "a text for the client")
    for language, text in texts.items():
        if not re2.fullmatch(r"[a-z]{2,3}", str(language)):
            raise problem(place, f"language {language!r}", "a primary tag such as en")
        named = not name.isalpha() and name in text.lower()  # a plain word as a rule's name gives nothing away
        if named or _TELLS.search(text):
            raise problem(
                place, f"the public text in {language!r} tells of rule, score or watch", "a text that gives no evidence away"
            )
    return {str(language): str(text) for language, text in texts.items()}


def _examples(tree: CommentedMap, file: str) -> tuple[Example, ...]:
    items, place = tree.get("examples", []), _yaml.at(tree, "examples", file)
    if not isinstance(items, list) or not all(isinstance(item, CommentedMap) for item in items):
        raise problem(place, "examples is not a list of mappings", "items with given and fires")
    found = []
    for item in items:
        _yaml.keys(item, ("given", "fires"), file)
        given, fires = item.get("given", CommentedMap()), item.get("fires")
        if not isinstance(fires, bool) or not isinstance(given, CommentedMap):
            raise problem(
                _yaml.at(item, "fires", file), "an example without given and fires", "given: a mapping, fires: true or false"
            )
        found.append(Example(_given(given, file), fires))
    return tuple(found)


def _given(tree: CommentedMap, file: str) -> dict[str, object]:
    """A whole context: the neutral values, and over them what the example gives."""
    context: dict[str, object] = {name: variable.neutral for name, variable in VARIABLES.items()}
    for name, value, place in _flat(tree, "", file):
        variable = VARIABLES.get(name)
        if variable is None:
            raise problem(place, f"unknown name {name!r}", "a variable of the policy page", _yaml.guess(name, VARIABLES))
        if variable.kind == "scores":
            context[name] = _given_scores(name, value, place)
        elif not _fits(value, variable.kind):
            raise problem(place, f"{name} is {value!r}", f"a value of type {variable.kind}")
        else:
            context[name] = float(cast(float, value)) if variable.kind == "double" else value
    return context


def _flat(tree: CommentedMap, prefix: str, file: str) -> Iterator[tuple[str, object, Place]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, CommentedMap) and name not in VARIABLES:
            yield from _flat(value, f"{name}.", file)
        else:
            yield name, _yaml.plain(value), _yaml.at(tree, key, file)


def _given_scores(name: str, value: object, place: Place) -> dict[str, float]:
    if not isinstance(value, Mapping):
        raise problem(place, f"{name} is {value!r}", "a mapping of signal to bits")
    for key, bits in value.items():
        if key not in SIGNALS:
            raise problem(place, f"unknown score {key!r}", "BL-01 to BL-30, concern, voice", _yaml.guess(str(key), SIGNALS))
        if not _fits(bits, "double"):
            raise problem(place, f"score {key} is {bits!r}", "a number of bits")
    return dict.fromkeys(SIGNALS, 0.0) | {str(key): float(cast(float, bits)) for key, bits in value.items()}


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool) or kind == "bool":
        return isinstance(value, bool) and kind == "bool"
    return isinstance(value, {"string": str, "int": int, "double": (int, float)}[kind])  # type: ignore[arg-type]


def _failing(rule: Rule, tree: CommentedMap, file: str) -> Iterator[PolicyError]:
    items = tree.get("examples", [])
    for example, item in zip(rule.examples, items, strict=True):
        value = rule.when.evaluate(example.given)
        if value is not example.fires:
            said = (
                f"says {str(value).lower()}" if isinstance(value, bool) else f"has no value ({getattr(value, 'reason', value)})"
            )
            place = _yaml.at(item, "fires", file)
            yield problem(place, f"this example of rule {rule.name} fails: the condition {said}", str(example.fires).lower())


def _rests_wrongly(rule: Rule, tree: CommentedMap, file: str) -> Iterator[PolicyError]:
    if rule.mode != "refuse" and rule.action not in ("refuse", "propose_ban"):
        return
    place = _yaml.at(tree, "when", file)
    if not _rests.evidence(rule.when.tree):
        reads = ", ".join(sorted(rule.when.tree.variables())) or "nothing"
        wanted = "a condition on scores, on what is asked, or on watch.voice"
        yield problem(
            place,
            f"rule {rule.name} refuses or bans on {reads} alone",
            wanted,
            "links, language, country and identity are no ground",
        )
    elif not _rests.rests_on_evidence(rule.when):
        wanted = "a condition that no harmless request meets"
        todo = "join the evidence with && and compare scores with constants above 0"
        yield problem(place, f"rule {rule.name} can be met without evidence", wanted, todo)
    elif rule.on_error == "refuse" and not _total(rule.when.tree):
        wanted = "operators that cannot fail on links, language, counters or identity"
        yield problem(
            _yaml.at(tree, "on_error", file), f"rule {rule.name} refuses on errors that circumstances alone can cause", wanted
        )


def _total(tree: Node) -> bool:
    """Whether no sub-expression that reads circumstances, or nothing at all, can fail."""
    for node in tree.walk():
        fails = node.kind not in ("const", "ident", "list") and not (node.kind == "call" and node.name in _TOTAL)
        reads = node.variables()
        if fails and not (reads and reads == _rests.evidence(node)):
            return False
    return True


def _unreachable(rules: list[tuple[Rule, Place]], tree: CommentedMap, file: str) -> Iterator[PolicyError]:
    for rule, place in rules:
        if _rests.constant(rule.when) is False:
            yield problem(
                place, f"rule {rule.name} can never fire: its condition is always false", "a condition that can be true"
            )
    for (earlier, _), (later, place) in itertools.combinations(rules, 2):
        if earlier.name == later.name:
            yield problem(place, f"two rules are called {later.name}", "one rule of a name")
        same = earlier.when.tree.canonical() == later.when.tree.canonical() and earlier.action == later.action
        if same and MODES.index(earlier.mode) >= MODES.index(later.mode):
            yield problem(
                place,
                f"rule {later.name} is never reached: rule {earlier.name} has the same condition",
                "a condition of its own",
            )


def _warnings(policy: Policy) -> Iterator[str]:
    for rule in policy.rules:
        fires = {example.fires for example in rule.examples}
        if rule.mode == "refuse" and fires != {True, False}:
            yield f"rule {rule.name} refuses, but its examples do not show both a request that fires and one that does not"
        if _rests.constant(rule.when) is True:
            yield f"rule {rule.name} fires on every request"
    if policy.fail == "closed" and not any(rule.mode == "refuse" for rule in policy.rules):
        yield "fail is closed, but no rule refuses: only a fault would refuse a request"
