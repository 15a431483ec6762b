"""What accounts say: sessions over the days, and the turns of each conversation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from backlight.worlds._cast import Account
from backlight.worlds._clock import DAYS
from backlight.worlds._declare import Task
from backlight.worlds._dice import Dice
from backlight.worlds._grammar import TONGUES, UNSPACED, Context, Grammar, load

_SHAPES = {"translate": (1, 3), "chat": (1, 3), "code": (1, 3), "pack": (1, 1), "grammar": (1, 1)}


def _everyday(name: str) -> Task:
    return Task(
        name,
        turns=_SHAPES.get(name, (1, 2)),
        refused=0.55 if name == "edgy" else 0.004,
        lines="small" if name == "translate" else "",
        other="second" if name == "translate" else "",
    )


@dataclass(frozen=True, slots=True)
class Session:
    """A conversation that will happen.

    Attributes:
        start: seconds from the world's start.
        account, task: whose it is and what for.
        number: its number among the account's.
        turns: user turns at most.
        row: which template of the request, where it must differ from the last one's; None: any.
    """

    start: float
    account: Account
    task: Task
    number: int
    turns: int
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer; `gap` seconds pass before it; `items` of the answer may be published."""

    gap: float
    prompt: str
    answer: str
    refused: bool
    items: tuple[str, ...] = ()


def sessions(account: Account, dice: Dice) -> Iterator[Session]:
    """The conversations of one account, in no order; their turns sum to about its budget."""
    tasks = [task for task in account.group.tasks if not task.roles or account.role in task.roles]
    number = 0
    for task in tasks:
        row = dice.between(0, 99)
        for day in task.days:
            yield Session(account.clock.moment(dice, day), account, task, number, dice.between(*task.turns), row + number)
            number += 1
    free = [task for task in tasks if not task.days]
    telling = account.budget * account.group.telling if free else 0.0
    left = float(account.budget)
    while left > 0.5:
        tells = telling > 0.5 or (telling > 0 and dice.chance(telling))
        task = dice.weighted(free, [t.share for t in free]) if tells else _harmless(account, dice)
        turns = min(dice.between(*task.turns), max(1, int(left)))
        yield Session(account.clock.moment(dice), account, task, number, turns)
        number, left = number + 1, left - turns
        if tells:
            telling -= turns


def _harmless(account: Account, dice: Dice) -> Task:
    draw = dice.real()
    if draw < 0.025:
        return _everyday("edgy")
    if draw < 0.045:
        return _everyday("pack")
    return _everyday(dice.pick(account.likes))


def converse(session: Session, dice: Dice) -> Iterator[Exchange]:
    """The exchanges of one conversation, in order."""
    account, task = session.account, session.task
    talk = _Talk(account, task, dice)
    refused = dice.chance(task.refused)
    yield talk.first(refused, session.row)
    for turn in range(1, session.turns + int(refused and dice.chance(0.5))):
        if refused:
            refused = dice.chance(task.refused * 0.4)
            yield talk.after_refusal(refused)
        else:
            yield talk.further(turn)


class _Talk:
    """One conversation in the making: its languages and the slots drawn so far."""

    def __init__(self, account: Account, task: Task, dice: Dice) -> None:
        self._account, self._task, self._dice = account, task, dice
        asks = account.team.tongue(task.tongue, account)
        everyday = not task.tongue and task not in account.group.tasks
        if everyday and dice.chance(0.12):
            asks = account.second
        self._asks = load(asks)
        other = account.team.tongue(task.other, account) if task.other else asks
        if other == asks and task.lines:
            other = dice.pick([t for t in TONGUES if t != asks and task.lines in load(t)])
        self._answers = load(other)
        self._facts: Context = dict(account.facts)

    def first(self, refused: bool, row: int | None = None) -> Exchange:
        task, dice, team = self._task, self._dice, self._account.team
        line, translated = self._line(self._asks, self._answers)
        self._facts["tongue"] = self._asks.draw(f"tongue.{self._answers.tongue}", {}, dice)
        if line:
            self._facts["text"] = line
        size = self._asks.size(task.name)
        if dice.chance(task.sheet):
            row = team.sheets.setdefault((task.name, self._asks.tongue), dice.between(0, size - 1))
            prompt = self._asks.draw(task.name, self._facts, dice, row=row)
        else:
            row = None if row is None else row % size
            prompt = self._write(self._asks.draw(task.name, self._facts, dice, row=row))
        return self._exchange(prompt, translated, refused, first=True)

    def after_refusal(self, refused: bool) -> Exchange:
        section = self._section("again", self._asks)
        return self._exchange(self._write(self._asks.draw(section, self._facts, self._dice), opens=False), "", refused)

    def further(self, turn: int) -> Exchange:
        """The next request: the next line there or back, more of the same task, or a word on the last answer."""
        incoming = turn % 2 == 1
        source, target = (self._answers, self._asks) if incoming else (self._asks, self._answers)
        line, translated = self._line(source, target)
        section = self._section("more", self._asks)
        if line:
            self._facts["text"] = line
            following = f"{self._task.name}.next"
            section = section if incoming or following not in self._asks else following
        elif section != "more":
            for slot in [slot for slot in self._facts if slot not in self._account.facts and slot != "tongue"]:
                del self._facts[slot]
        prompt = self._asks.draw(section, self._facts, self._dice)
        prompt = prompt if line else self._write(prompt, opens=False)
        return self._exchange(prompt, translated, False, generic=section == "more")

    def _answer(self, section: str) -> str:
        """An answer: a list where the section holds lists, else one to three of its texts."""
        dice, facts = self._dice, self._answering()
        rows = list(range(self._answers.size(section)))
        dice.shuffle(rows)
        text = self._answers.draw(section, facts, dice, row=rows[0])
        if "\n" in text:
            return text
        count = dice.between(*self._task.texts)
        more = [self._answers.draw(section, dict(self._account.facts), dice, row=rows[n % len(rows)]) for n in range(1, count)]
        return ("" if self._answers.tongue in UNSPACED else " ").join([text, *more])

    def _write(self, text: str, *, opens: bool = True) -> str:
        return self._account.hand.write(text, self._asks, self._dice, opens=opens)

    def _line(self, source: Grammar, target: Grammar) -> tuple[str, str]:
        """A line and its translation: the same row of an aligned section in two languages, the same numbers in it."""
        section = self._task.lines
        if not section:
            return "", ""
        row, same = self._dice.between(0, source.size(section) - 1), self._dice.real()
        first, second = (
            grammar.draw(section, dict(self._account.facts), Dice("line", same), row=row) for grammar in (source, target)
        )
        return first, second

    def _section(self, kind: str, grammar: Grammar) -> str:
        own = f"{self._task.name}.{kind}"
        return own if own in grammar else kind

    def _answering(self) -> Context:
        """The slots as the answer's language says them; what it cannot say is drawn anew."""
        if self._answers is self._asks:
            return self._facts
        facts: Context = dict(self._account.facts)
        for slot, value in self._facts.items():
            if slot not in facts and isinstance(value, str):
                carried = self._asks.carry(slot, value, self._answers)
                if carried is not None:
                    facts[slot] = carried
        return facts

    def _exchange(self, prompt: str, answer: str, refused: bool, *, first: bool = False, generic: bool = False) -> Exchange:
        dice = self._dice
        gap = 0.0 if first else min(1500.0, 15 + dice.around(70, 0.8))
        if refused:
            return Exchange(gap, prompt, self._asks.draw("refusal", {}, dice), True)
        if not answer:
            section = "answer.more" if generic else self._task.answers or self._section("answer", self._answers)
            answer = self._answer(section)
        return Exchange(gap, prompt, answer, False, tuple(_items(answer)) if self._task.stage else ())


def _items(answer: str) -> Iterator[str]:
    """The items of a numbered list, or the whole answer where it is none."""
    lines = [line for line in answer.split("\n") if line]
    numbered = [line.partition(". ")[2] for line in lines if line.partition(". ")[0].isdigit()]
    yield from numbered or [answer]


def in_days(sessions: Iterator[Session]) -> list[Session]:
    """Sessions by start; ties by account and number."""
    return sorted(sessions, key=lambda s: (min(s.start, DAYS * 86400.0), s.account.raw, s.number))
