"""Grammars: templates, slots and the hands that type them."""

from __future__ import annotations

import pytest

from backlight.errors import RequestError
from backlight.worlds import WORLDS, Group
from backlight.worlds._declare import EVERYDAY
from backlight.worlds._dice import Dice
from backlight.worlds._grammar import TONGUES, Grammar, Hand, load
from backlight.worlds._names import Name

SMALL = """
[ask]
How do I cook {dish} for {2-2} with {dish}?
[dish]
soup
[pair]
{dish*} and {place}
[note]
one\\ntwo
"""


def tongues_of(group: Group, name: str) -> set[str]:
    return {mapping.get(name, name) for mapping in group.tongues}


def test_slots_are_filled_and_kept() -> None:
    """A slot keeps its value within a conversation; a range becomes a number."""
    facts: dict[str, str | Name] = {}
    assert Grammar("en", SMALL).draw("ask", facts, Dice(1)) == "How do I cook soup for 2 with soup?"
    assert facts == {"dish": "soup"}


def test_a_name_is_shown_in_the_language() -> None:
    """A name from the facts has the script of the grammar's language."""
    facts: dict[str, str | Name] = {"place": Name((("ka", "ro"),))}
    shown = {tongue: Grammar(tongue, SMALL).draw("pair", dict(facts), Dice(1)) for tongue in ("en", "ru", "ja", "zh", "ar")}
    assert shown == {
        "en": "soup and Karo", "ru": "soup and Каро", "ja": "soup and カロ", "zh": "soup and 卡罗", "ar": "soup and كارو",
    }  # fmt: skip


def test_line_breaks_are_written_as_two_signs() -> None:
    r"""`\n` in a template is a line break."""
    assert Grammar("en", SMALL).draw("note", {}, Dice(1)) == "one\ntwo"


def test_a_missing_section_is_told() -> None:
    """A section that nobody wrote is an error that names it."""
    with pytest.raises(RequestError, match="nowhere"):
        Grammar("en", SMALL).draw("nowhere", {}, Dice(1))


@pytest.mark.parametrize("tongue", TONGUES)
def test_every_slot_of_a_language_can_be_filled(tongue: str) -> None:
    """Each slot is a section of the language or a fact of some group."""
    grammar = load(tongue)
    facts = {slot for world in WORLDS.values() for group in world.groups for slot, _ in group.facts}
    slots = {part[0] for rules in grammar.sections.values() for rule in rules for part in rule if isinstance(part, tuple)}
    missing = {slot for slot in slots if isinstance(slot, str)} - set(grammar.sections) - facts - {"town", "text", "tongue"}
    assert missing == set() and all(rules for rules in grammar.sections.values())


@pytest.mark.parametrize("tongue", TONGUES)
def test_every_language_has_the_everyday(tongue: str) -> None:
    """Each everyday use, courtesy, refusal and answer is written in each language."""
    common = ("polite.before", "polite.after", "more", "again", "answer", "answer.more", "refusal", "small", "post", "reply")
    assert [section for section in (*EVERYDAY, *common, "trend", "system") if section not in load(tongue)] == []


@pytest.mark.parametrize("section", ["small", "love", "trade", "shift", "hour", "topic_local"])
def test_aligned_sections_have_as_many_lines(section: str) -> None:
    """Sections whose lines are translations of each other have one line each in every language that has them."""
    assert len({load(tongue).size(section) for tongue in TONGUES if section in load(tongue)}) == 1


def test_every_task_can_be_asked_in_its_languages() -> None:
    """Each task of each group has its request in every language that the group may draw."""
    missing = []
    for world in WORLDS.values():
        for group in world.groups:
            for task in group.tasks:
                for role in task.roles or tuple(group.roles):
                    missing += [(task.name, t) for t in tongues_of(group, task.tongue or role) if task.name not in load(t)]
    assert missing == []


def test_activities_have_fifteen_templates_and_more() -> None:
    """Each everyday use has fifteen templates or more over the languages."""
    assert {name: n for name in EVERYDAY if (n := sum(load(t).size(name) for t in TONGUES)) < 15} == {}


def test_a_hand_keeps_what_was_pasted() -> None:
    """Casing and slips change the instruction, not the text after the first line break, links or hashtags."""
    hand = Hand(lower=True, bare=True, slips=1.0, polite=0.0, learner=True)
    written = hand.write("Shorten the text about #BigTag on karo.example:\n\nThe Text Stays.", load("en"), Dice(3))
    assert written.endswith("\n\nThe Text Stays.") and "#BigTag" in written and "karo.example:" in written
    assert "Shorten" not in written and " the " not in written.split("\n")[0]


def test_carry_finds_the_same_row() -> None:
    """A value is carried over by its row where both languages have as many."""
    assert load("en").carry("topic_local", "bus line", load("es")) == "el autobús del puerto"
    assert load("en").carry("dish", "barley soup", load("es")) is None
