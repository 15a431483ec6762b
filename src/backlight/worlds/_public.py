"""The public side of a world: platform accounts, ordinary posts and trends, and what becomes of published answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import NamedTuple

from backlight.worlds import _names
from backlight.worlds._cast import Cast, Team
from backlight.worlds._clock import DAY, DAYS, ZONES, Clock
from backlight.worlds._declare import Stage, World
from backlight.worlds._dice import Dice
from backlight.worlds._grammar import Context, Hand, hand, load

PLATFORMS = ("chirp", "plaza", "murmur")
_SHARES = (0.6, 0.25, 0.15)
_MIX = (("en", 0.24), ("zh", 0.13), ("ru", 0.12), ("es", 0.13), ("ja", 0.12), ("id", 0.09), ("ar", 0.08), ("fr", 0.09))


@dataclass(slots=True)
class Author:
    """A platform account; times in seconds from the world's start."""

    platform: str
    name: str
    created: float
    followers: int
    tongue: str
    clock: Clock
    hand: Hand


class Post(NamedTuple):
    """A public item."""

    time: float
    author: Author
    text: str
    url: str = ""
    hashtags: tuple[str, ...] = ()
    kind: str = "post"
    parent: str = ""


class _Plan(NamedTuple):
    """A post that will be written: ordinary where `section` is empty, from a stage's own texts otherwise."""

    author: Author
    section: str
    facts: Context


class Square:
    """Where posts appear, in order of time; answers come in while the log is being written.

    Args:
        world: the declaration.
        cast: everybody on the service.
        seed: seed.
        size: scales the crowd of ordinary platform accounts and their posts.
    """

    def __init__(self, world: World, cast: Cast, seed: int, size: float) -> None:
        self._dice = Dice(seed, world.name, "square")
        self._due: list[tuple[float, int, Post | _Plan]] = []
        self._count = 0
        self._recent: dict[str, deque[tuple[str, Post]]] = {tongue: deque(maxlen=40) for tongue, _ in _MIX}
        self._trends = self._make_trends(world.trends)
        self._outlets = [_names.domain(_names.brand(self._dice), dice_end) for dice_end in ("news", "post", "daily", "") * 6]
        self.authors: list[Author] = []
        self._stages: dict[tuple[int, str], list[Author]] = {}
        self._crowd(max(20, round(world.crowd * size)), round(world.chatter * size))
        for team in cast.teams:
            for stage in team.group.stages:
                self._raise_stage(team, stage)

    def publish(self, team: Team, stage_name: str, items: Sequence[str], moment: float) -> None:
        """Some items of an answer given at `moment` appear under accounts of the team's stage, edited, hours later."""
        stage = next(stage for stage in team.group.stages if stage.name == stage_name)
        authors = self._stages[id(team), stage_name]
        dice = self._dice
        for item in items:
            if not dice.chance(stage.published):
                continue
            chosen = dice.sample(authors, 1 + int(dice.chance(stage.spread)))
            for author in chosen:
                time = moment + 3600 * dice.span(*stage.delay)
                if time < DAYS * DAY:
                    self._push(time, self._edited(item, author, team, stage, time))

    def until(self, moment: float) -> Iterator[tuple[str, Post]]:
        """The posts up to a moment with their ids; no later answer can come before them."""
        while self._due and self._due[0][0] <= moment:
            time, _, due = heappop(self._due)
            post = self._write(due, time) if isinstance(due, _Plan) else due
            number = f"{1_700_000_000 + int(time * 1000) * 8 + self._dice.between(0, 7)}"
            if post.kind == "post" and post.author.tongue in self._recent:
                self._recent[post.author.tongue].append((number, post))
            yield number, post

    def _push(self, time: float, due: Post | _Plan) -> None:
        self._count += 1
        heappush(self._due, (time, self._count, due))

    def _author(self, tongue: str, created: float, followers: float, clock: Clock) -> Author:
        dice = self._dice
        platform = dice.weighted(PLATFORMS, _SHARES)
        name = _names.handle(dice)
        return Author(platform, name, created, int(dice.around(followers, 1.3)), tongue, clock, hand(dice))

    def _crowd(self, count: int, posts: int) -> None:
        dice = self._dice
        tongues, weights = zip(*_MIX, strict=True)
        for _ in range(count):
            tongue = dice.weighted(tongues, weights)
            clock = Clock(dice.pick(ZONES[tongue]), "leisure", dice.span(0.6, 1.3), dice.span(-2, 2))
            created = -DAY * dice.around(700, 0.9) if dice.chance(0.93) else DAY * dice.span(-20, 20)
            self.authors.append(self._author(tongue, created, 140, clock))
        crowd = list(self.authors)
        chatty = [dice.around(1.0, 0.9) for _ in crowd]
        for author, share in zip(crowd, chatty, strict=True):
            number = share * posts / sum(chatty)
            for _ in range(int(number) + int(dice.chance(number % 1))):
                self._plan(author, "", {})

    def _plan(self, author: Author, section: str, facts: Context, days: tuple[float, float] = (0, DAYS)) -> None:
        dice = self._dice
        for _ in range(12):
            time = author.clock.moment(dice)
            if time > author.created and days[0] * DAY <= time < days[1] * DAY:
                break
        else:
            time = DAY * dice.span(max(days[0], author.created / DAY), days[1])
        self._push(time, _Plan(author, section, facts))

    def _raise_stage(self, team: Team, stage: Stage) -> None:
        dice = self._dice
        tongue = team.tongue(stage.tongue)
        for _ in range(stage.accounts):
            created = DAY * dice.span(*stage.created)
            clock = Clock(dice.pick(ZONES[tongue]), "leisure", dice.span(0.6, 1.3), dice.span(-2, 2))
            author = self._author(tongue, created, stage.followers, clock)
            self.authors.append(author)
            self._stages.setdefault((id(team), stage.name), []).append(author)
            facts: Context = dict(team.facts)
            for _ in range(dice.between(*stage.own)):
                self._plan(author, f"{stage.name}.post", facts, (max(stage.days[0], created / DAY), stage.days[1]))
            for _ in range(dice.between(*stage.cover)):
                self._plan(author, "", {})

    def _make_trends(self, count: int) -> list[tuple[str, float, str]]:
        trends = []
        for number in range(count):
            tongue = _MIX[number % len(_MIX)][0]
            facts: Context = {"town": _names.place(self._dice)}
            phrase = load(tongue).draw("trend", facts, self._dice)
            trends.append((tongue, self._dice.span(1, DAYS - 1), _names.hashtag(phrase)))
        return trends

    def _write(self, plan: _Plan, time: float) -> Post:
        dice, author = self._dice, plan.author
        grammar = load(author.tongue)
        if plan.section:
            text = grammar.draw(plan.section, dict(plan.facts), dice)
            return _post(time, author, text)
        recent = self._recent[author.tongue]
        if recent and dice.chance(0.16):
            number, parent = dice.pick(recent)
            if parent.author.platform == author.platform:
                return self._answer(time, author, number, parent)
        text = grammar.draw("post", {"town": _names.place(dice)}, dice)
        text = author.hand.write(text, grammar, dice, opens=False)
        near = [tag for tongue, day, tag in self._trends if tongue == author.tongue and abs(time / DAY - day) < 2.5]
        if near and dice.chance(0.45):
            text = f"{text} {dice.pick(near)}"
        url = f"https://{self._outlets[int(24 * dice.real() ** 2)]}/{dice.code(6)}" if dice.chance(0.12) else ""
        return _post(time, author, f"{text} {url}".strip(), url)

    def _answer(self, time: float, author: Author, number: str, parent: Post) -> Post:
        if self._dice.chance(0.4):
            return Post(time, author, parent.text, parent.url, parent.hashtags, "repost", number)
        text = load(author.tongue).draw("reply", {}, self._dice)
        return _post(time, author, f"@{parent.author.name} {text}", kind="reply", parent=number)

    def _edited(self, item: str, author: Author, team: Team, stage: Stage, time: float) -> Post:
        dice = self._dice
        text = item
        for edit in dice.sample(stage.edits, 1 + int(dice.chance(0.3))):
            text = self._edit(text, edit, team, author)
        return _post(time, author, text)

    def _edit(self, text: str, edit: str, team: Team, author: Author) -> str:
        dice = self._dice
        if edit == "lower":
            return text.lower()
        if edit == "dashes":
            return text.replace(" — ", " ").replace("—", "").replace(" - ", " ")
        if edit == "hashtag":
            tag = team.facts.get("tag") or dice.pick([tag for tongue, _, tag in self._trends if tongue == author.tongue])
            return text if str(tag) in text else f"{text} {tag}"
        if edit == "mention":
            return f"@{dice.pick(self.authors).name} {text}"
        if edit == "truncate" and len(text) > 60:
            kept = text[: int(len(text) * dice.span(0.7, 0.9))]
            return kept.rpartition(" ")[0] or kept
        return text


def _post(time: float, author: Author, text: str, url: str = "", kind: str = "post", parent: str = "") -> Post:
    """A post whose hashtags and link are those of its text."""
    words = text.replace("\n", " ").split()
    tags = tuple(w.rstrip(".,!?;:。！？、)") for w in words if w.startswith("#") and len(w) > 1)
    link = url or next((w for w in words if w.startswith("https://")), "")
    return Post(time, author, text, link, tags, kind, parent)
