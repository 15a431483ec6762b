"""A loaded policy: its rules compiled, its identity, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, get_args

from backlight.policy._cel import CelError, Expression, Failure
from backlight.policy._variables import VARIABLES

Mode = Literal["observe", "warn", "refuse"]
Action = Literal["record", "warn", "refuse", "review", "propose_ban"]
Fail = Literal["open", "closed"]
Typology = Literal["influence", "fraud", "approach", "repression", "content_farm", "account_trade"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
FAILS: Final[tuple[Fail, ...]] = get_args(Fail)
TYPOLOGIES: Final[tuple[Typology, ...]] = get_args(Typology)
SCORES: Final = frozenset({"scores", "instruction.scores", "document.scores", "watch.voice"})
"""Variables that only a scorer can fill."""


@dataclass(frozen=True)
class Example:
    """A test that stands in the policy: a context, and whether the rule fires there."""

    given: Mapping[str, object]
    fires: bool


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: what the record of an event calls it; never shown to a client.
        mode: what the client may notice: observe nothing, warn a text with the answer, refuse no answer.
        when: the compiled condition.
        action: what is written for people; a ban is proposed, never made.
        typology: kinds of operation it is about.
        reason_public: text for the client by language.
        reason_internal: text for the people who read the event.
        on_error: mode that applies when the condition has no truth value.
        examples: tests that were passed when the policy was loaded.
    """

    name: str
    mode: Mode
    when: Expression
    action: Action
    typology: tuple[Typology, ...] = ()
    reason_public: Mapping[str, str] = field(default_factory=dict)
    reason_internal: str = ""
    on_error: Mode = "observe"
    examples: tuple[Example, ...] = ()

    def text(self, language: str) -> str | None:
        """The public text in this language, or in English, or in the first there is."""
        texts = self.reason_public
        return texts.get(language) or texts.get("en") or next(iter(texts.values()), None)

    @cached_property
    def of_concern(self) -> bool:
        """Whether it asks people to look at what was asked, not only at who or how often."""
        reads = (VARIABLES[name].evidence for name in self.when.tree.variables())
        return self.action in ("refuse", "review", "propose_ban") and any(reads)

    @cached_property
    def scored(self) -> bool:
        """Whether the condition reads what only a scorer can fill."""
        return bool(self.when.tree.variables() & SCORES)


@dataclass(frozen=True)
class Outcome:
    """What one rule said: it fires, it does not, or it could not tell (`error`)."""

    rule: Rule
    fires: bool
    error: str | None = None

    @property
    def mode(self) -> Mode:
        """The mode that applies."""
        return self.rule.mode if self.error is None else self.rule.on_error


@dataclass(frozen=True)
class Policy:
    """A policy that has passed every check.

    Attributes:
        name: its name.
        version: its version, as written.
        digest: hex digest of the file it was read from.
        fail: what a request meets that could not be judged: open answers it, closed refuses it.
        rules: in the order of the file.
        watch_days: how long a refusal listens for its rare entities and documents.
        about: one sentence for people.
    """

    name: str
    version: str
    digest: str
    fail: Fail
    rules: tuple[Rule, ...]
    watch_days: int = 90
    about: str = ""

    @property
    def id(self) -> str:
        """`name@version`, as events and headers carry it."""
        return f"{self.name}@{self.version}"

    @cached_property
    def needs_scorer(self) -> bool:
        """Whether any rule reads scores."""
        return any(rule.scored for rule in self.rules)

    @cached_property
    def _all(self) -> Expression | None:
        """The rules as one list expression; None where they are too many or too deep for one."""
        try:
            return Expression("[" + ",".join(f"({rule.when.source}\n)" for rule in self.rules) + "]")
        except CelError:
            return None

    def outcomes(self, context: Mapping[str, object], *, scored: bool = True) -> list[Outcome]:
        """What each rule says in this context, in order; without `scored`, rules that read scores are left out.

        All rules are evaluated as one list expression. If any of them errs, the list has no value, and each is
        evaluated by itself, so that one broken rule silences no other.

        Args:
            context: a value for every variable of `VARIABLES`.
            scored: whether the scores in it are real.
        """
        if scored and self.rules and self._all is not None:
            values = self._all.evaluate(context)
            if isinstance(values, list) and len(values) == len(self.rules) and all(type(v) is bool for v in values):
                return [Outcome(rule, value) for rule, value in zip(self.rules, values, strict=True)]
        return [_outcome(rule, rule.when.evaluate(context)) for rule in self.rules if scored or not rule.scored]

    def unknown_signals(self, given: Collection[str]) -> tuple[str, ...]:
        """Score keys that rules name and a scorer with these keys does not give."""
        return tuple(sorted({key for rule in self.rules for key in score_keys(rule.when)} - set(given)))


def _outcome(rule: Rule, value: object) -> Outcome:
    """Anything but a truth value is an error: a value of another kind must never read as true."""
    if type(value) is bool:
        return Outcome(rule, value)
    reason = value.reason if isinstance(value, Failure) else f"a value of type {type(value).__name__}"
    return Outcome(rule, False, reason)


def score_keys(expression: Expression) -> set[str]:
    """Literal keys with which an expression reads a scores map."""
    maps: Sequence[str] = ("scores", "instruction.scores", "document.scores")
    found: set[str] = set()
    for node in expression.tree.walk():
        children = node.children
        if node.kind == "select" and children[0].kind == "ident" and children[0].name in maps:
            found.add(node.name)
        if node.kind == "call" and node.name in ("_[_]", "@in") and len(children) == 2:
            held, key = children if node.name == "_[_]" else children[::-1]
            if held.kind == "ident" and held.name in maps and isinstance(key.value, str):
                found.add(key.value)
    return found
