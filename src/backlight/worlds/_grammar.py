"""Texts from grammars: templates with slots, one file per language, and the hand that types them.

A grammar file has sections; a line is a template, and ` | ` parts short alternatives of one line:

    [recipe]
    How do I keep {dish} from drying out?
    [dish]
    barley bread | plum cake

`{slot}` takes the value of this conversation or draws one from the section of that name and keeps it; `{slot*}` draws
afresh; `{3-9}` is a number; `\\n` is a line break.
"""

from __future__ import annotations

import unicodedata
from collections.abc import MutableMapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from backlight.errors import RequestError
from backlight.worlds._dice import Dice
from backlight.worlds._names import Name

Context = MutableMapping[str, "str | Name"]
Part = str | tuple[str, bool] | tuple[int, int]

TONGUES = ("en", "zh", "ru", "es", "ja", "id", "ar", "fr")
UNSPACED = ("zh", "ja")


class Grammar:
    """The templates of one language.

    Args:
        tongue: BCP 47 primary tag.
        sources: texts of grammar files, later ones add sections or lines.
    """

    def __init__(self, tongue: str, *sources: str) -> None:
        self.tongue = tongue
        self._rules: dict[str, list[tuple[Part, ...]]] = {}
        for source in sources:
            self._read(source)

    def _read(self, source: str) -> None:
        rules: list[tuple[Part, ...]] = []
        for line in source.split("\n"):
            line = line.strip()
            if not line or line.startswith("# "):
                continue
            if line.startswith("[") and line.endswith("]"):
                rules = self._rules.setdefault(line[1:-1], [])
            else:
                rules.extend(_parts(item.strip()) for item in line.split(" | "))

    def __contains__(self, section: str) -> bool:
        return section in self._rules

    @property
    def sections(self) -> dict[str, list[tuple[Part, ...]]]:
        """The parsed templates by section."""
        return self._rules

    def size(self, section: str) -> int:
        """How many templates a section has."""
        return len(self._rules[section])

    def carry(self, section: str, value: str, other: Grammar) -> str | None:
        """A plain value of a section as `other` says it: the same row, where both have as many; None where not."""
        rows = self._rules.get(section, [])
        if (value,) not in rows or section not in other or other.size(section) != len(rows):
            return None
        rule = other.sections[section][rows.index((value,))]
        return rule[0] if len(rule) == 1 and isinstance(rule[0], str) else None

    def draw(self, section: str, context: Context, dice: Dice, *, row: int | None = None) -> str:
        """A text from a section; slots that were drawn are kept in `context`.

        Args:
            section: its name.
            context: values of slots so far.
            dice: where chance comes from.
            row: take this template instead of a random one; sections whose lines are translations of each other
                across languages are read so.

        Raises:
            RequestError: this language has no such section.
        """
        rules = self._rules.get(section)
        if rules is None:
            raise RequestError(f"the {self.tongue} grammar has no section {section!r}", "one that the world's tasks name")
        rule = dice.pick(rules) if row is None else rules[row]
        return "".join(self._fill(part, context, dice) for part in rule)

    def _fill(self, part: Part, context: Context, dice: Dice) -> str:
        if isinstance(part, str):
            return part
        slot, fresh = part
        if isinstance(slot, int):
            return str(dice.between(slot, fresh))
        if fresh:
            return self.draw(slot, context, dice)
        value = context.get(slot)
        if value is None:
            value = context[slot] = self.draw(slot, context, dice)
        return value.show(self.tongue) if isinstance(value, Name) else value


def _parts(template: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    for i, piece in enumerate(template.replace("\\n", "\n").replace("}", "{").split("{")):
        if i % 2 == 0:
            if piece:
                parts.append(piece)
        elif piece.replace("-", "").isdigit():
            low, _, high = piece.partition("-")
            parts.append((int(low), int(high)))
        else:
            parts.append((piece.rstrip("*"), piece.endswith("*")))
    return tuple(parts)


@cache
def load(tongue: str) -> Grammar:
    """The shipped grammar of a language: everyday texts, public posts and the texts of the declared groups."""
    folder = files("backlight.worlds") / "text"
    names = (f"{tongue}.txt", f"{tongue}.story.txt")
    return Grammar(tongue, *((folder / name).read_text("utf-8") for name in names if (folder / name).is_file()))


@dataclass(frozen=True)
class Hand:
    """How one account types; drawn alike for every group.

    Attributes:
        lower: writes without capitals.
        bare: leaves out the last mark.
        slips: chance of a slip per word of five letters or more.
        polite: chance of an opening or closing courtesy.
        learner: writes as a learner of the language does: articles and accents go missing.
    """

    lower: bool
    bare: bool
    slips: float
    polite: float
    learner: bool

    def write(self, text: str, grammar: Grammar, dice: Dice, *, opens: bool = True) -> str:
        """The instruction as this account would type it; a text after the first line break is pasted and stays.

        Args:
            text: as the grammar gave it.
            grammar: of its language.
            dice: where chance comes from.
            opens: it opens a conversation, so a courtesy may stand before or after it.
        """
        head, newline, rest = text.partition("\n")
        if opens and dice.chance(self.polite):
            head = self._courtesy(head, grammar, dice)
        if self.learner:
            head = _unlearn(head, grammar.tongue)
        if self.slips and grammar.tongue not in UNSPACED:
            head = " ".join(_slip(word, dice) if dice.chance(self.slips) else word for word in head.split(" "))
        if self.lower:
            head = " ".join(word if word[:1] in "#@" or "." in word[:-1] else word.lower() for word in head.split(" "))
        if self.bare and not newline:
            head = head.rstrip(".。!！؟?？")
        return head + newline + rest

    def _courtesy(self, head: str, grammar: Grammar, dice: Dice) -> str:
        gap = "" if grammar.tongue in UNSPACED else " "
        if dice.chance(0.6):
            return f"{grammar.draw('polite.before', {}, dice)}{gap}{head}"
        return head if head.endswith((":", "：")) else f"{head}{gap}{grammar.draw('polite.after', {}, dice)}"


def hand(dice: Dice) -> Hand:
    """A way of typing, drawn for one account."""
    return Hand(
        lower=dice.chance(0.22),
        bare=dice.chance(0.3),
        slips=dice.pick((0.0, 0.0, 0.0, 0.02, 0.05)),
        polite=dice.pick((0.0, 0.15, 0.3, 0.6)),
        learner=dice.chance(0.18),
    )


def _unlearn(text: str, tongue: str) -> str:
    if tongue == "en":
        return " ".join(word for word in text.split(" ") if word not in ("the", "a", "an"))
    if tongue in ("es", "fr"):
        return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return text.replace("，", " ").replace("、", " ")


def _slip(word: str, dice: Dice) -> str:
    if len(word) < 5 or not word.isalpha() or word[0].isupper():
        return word
    at = dice.between(1, len(word) - 3)
    if dice.chance(0.5):
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return word[:at] + word[at + 1 :] if dice.chance(0.6) else word[:at] + word[at] + word[at:]
