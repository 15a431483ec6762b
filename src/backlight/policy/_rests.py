"""What a refusal rests on: a sound, simple check that no refusal or ban can come from circumstances alone.

The rule's expression is cut at its logical operators into *atoms*. Every atom that reads evidence (and nothing but
evidence) is replaced by its value for harmless requests: all scores neutral, bland words in many languages, no watch in
the operator's voice. Every atom that reads anything else (language, country, links, counters, identity, or a mixture)
may be true or false as an adversary of the account likes: *unknown*. The formula is then evaluated in Kleene's strong
three-valued logic (S. C. Kleene, Introduction to Metamathematics, section 64). Only if it is *false* for every harmless
request does the rule rest on evidence.

Kleene's logic over-approximates what can be true, so the check is sound: what it lets pass cannot be satisfied by
circumstances alone, on these probes. It is not complete: it refuses some rules that would be right, such as one that
compares a score with a counter; comparing the score with a constant passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backlight.policy._cel import Expression, Node
from backlight.policy._variables import SIGNALS, VARIABLES

_LOW: Final = -8.0  # bits: as harmless as a score says
_BLAND: Final = (
    ("", ""),
    ("Hello! Could you help me with a text?", ""),
    ("Please translate this note.", "The library opens at nine. Bring a card, and ask at desk 4 for the reading room."),
    ("请把这段话翻译成英文。", "图书馆九点开门。请带上借书卡。"),
    ("明日の会議の予定をまとめてください。", ""),
    ("Помоги, пожалуйста, составить список покупок на неделю.", ""),
    ("¿Puedes resumir este texto en tres frases?", "La biblioteca abre a las nueve."),
    ("Tolong buatkan jadwal belajar untuk minggu ini.", ""),
    ("من فضلك اشرح لي معنى هذه الكلمة.", ""),
    ("Corrige les fautes de cette lettre, merci.", "Bonjour, je vous écris au sujet de ma commande."),
    ("수업 계획을 짧게 정리해 주세요.", ""),
    ("Schreibe ein kurzes Gedicht über den Herbst und 3 Bäume.", ""),
)


def harmless() -> list[dict[str, object]]:
    """The evidence of harmless requests: every bland text, with neutral and with low scores."""
    return [
        {
            "scores": dict.fromkeys(SIGNALS, score),
            "instruction.scores": dict.fromkeys(SIGNALS, score),
            "document.scores": dict.fromkeys(SIGNALS, score),
            "request.text": text,
            "request.document": document,
            "watch.voice": False,
        }
        for score in (0.0, _LOW)
        for text, document in _BLAND
    ]


def rests_on_evidence(expression: Expression) -> bool:
    """Whether the expression is false for every harmless request, whatever language, links and identity say."""
    return all(possible(expression, probe) is False for probe in harmless())


def possible(expression: Expression, known: Mapping[str, object]) -> bool | None:
    """True, False, or None where the variables outside `known` decide."""
    return _kleene(expression, expression.tree, known)


def constant(expression: Expression) -> bool | None:
    """The value of an expression that is the same whatever is asked; None if it depends on something."""
    return possible(expression, {})


def _kleene(expression: Expression, node: Node, known: Mapping[str, object]) -> bool | None:
    if not node.logic:
        return _atom(expression, node, known)
    parts = [_kleene(expression, child, known) for child in node.children]
    if node.name == "!_":
        return None if parts[0] is None else not parts[0]
    if node.name == "_?_:_":
        condition, yes, no = parts
        if condition is None:
            return yes if yes == no else None
        return yes if condition else no
    decisive = node.name == "_||_"
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


def _atom(expression: Expression, node: Node, known: Mapping[str, object]) -> bool | None:
    if not node.variables() <= known.keys():
        return None
    value = expression.part(node, known)
    return value if isinstance(value, bool) else None  # a failure is not known to be false


def evidence(node: Node) -> frozenset[str]:
    """The evidence an expression reads."""
    return frozenset(name for name in node.variables() if VARIABLES[name].evidence)
