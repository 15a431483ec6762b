"""What a world is made of, as data: groups with their tasks, clocks, identifiers and public accounts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["operation", "decoy", "background"]
EVERYDAY = (
    "recipe", "code", "translate", "grammar", "email", "travel", "study", "body", "hobby", "sheet", "career", "tale",
    "summary", "caption", "party", "chat", "edgy", "pack",
)  # fmt: skip


@dataclass(frozen=True)
class Wiring:
    """Which identifiers the members share, and how much of the time.

    Attributes:
        addresses: addresses that the group has in common; 0: each member has their own.
        away: chance that an act comes from a member's own address all the same.
        own: fewest and most addresses of a member's own (home, phone, a café).
        devices: devices in common; 0: each their own.
        device_share: chance that a member also uses one of them.
        payments: means of payment in common; 0: each their own, or none.
        payment_share: chance that a member pays with one of them.
        rotate: days after which the common addresses are replaced; 0: never.
        mail: share of members with an address under the group's own mail domain.
    """

    addresses: int = 0
    away: float = 0.0
    own: tuple[int, int] = (2, 6)
    devices: int = 0
    device_share: float = 1.0
    payments: int = 0
    payment_share: float = 1.0
    rotate: int = 0
    mail: float = 0.0


@dataclass(frozen=True)
class Task:
    """One kind of conversation. Its texts are the grammar's sections `name`, `name.more`, `name.again`, `name.answer`.

    Attributes:
        name: section of the request.
        share: weight among the tasks of the group.
        roles: who does it; empty: everyone.
        turns: fewest and most user turns of a conversation.
        sheet: chance that the request is the group's own, copied word for word.
        refused: chance that the model refuses the first request.
        lines: aligned section whose lines go back and forth between the account's language and `other`.
        tongue: language of the request; empty: the account's; `target`, `lead`: as drawn for the group.
        other: language of the answers, or of a translation; empty: the request's.
        answers: section of the answers; empty: `name.answer`, or `answer` where there is none.
        texts: fewest and most texts of that section that make one answer.
        days: it happens once on each of these days, at the hours of the account, and never otherwise.
        stage: name of the public stage on which its answers are published; empty: nowhere.
    """

    name: str
    share: float = 1.0
    roles: tuple[str, ...] = ()
    turns: tuple[int, int] = (1, 2)
    sheet: float = 0.0
    refused: float = 0.0
    lines: str = ""
    tongue: str = ""
    other: str = ""
    answers: str = ""
    texts: tuple[int, int] = (1, 3)
    days: tuple[float, ...] = ()
    stage: str = ""


@dataclass(frozen=True)
class Stage:
    """Platform accounts of a group and what they post.

    Attributes:
        name: as tasks name it.
        accounts: how many platform accounts.
        created: days from the world's start within which they were made; negative: before it.
        tongue: their language; `target`, `lead` or empty as in `Task`.
        own: posts of their own per account from the section `name.post`, of the stage.
        days: within which these fall.
        cover: ordinary posts per account.
        published: chance that an item of an answer is published.
        spread: chance that the item goes to a second account too.
        delay: hours between answer and post, least and most.
        edits: what may happen to an item on its way.
        followers: median.
    """

    name: str
    accounts: int
    created: tuple[float, float]
    tongue: str = ""
    own: tuple[int, int] = (0, 0)
    days: tuple[float, float] = (0, 30)
    cover: tuple[int, int] = (0, 4)
    published: float = 0.0
    spread: float = 0.0
    delay: tuple[float, float] = (0.2, 8.0)
    edits: tuple[str, ...] = ("none",)
    followers: float = 120.0


@dataclass(frozen=True)
class Group:
    """Some accounts that belong together, or a population of strangers.

    Attributes:
        name: its name in truth.csv.
        kind: operation, decoy or background.
        roles: how many accounts of each role; with `many`, the size of one instance.
        tongues: per role a language, one mapping drawn by seed; more names (`target`) are kept for tasks and stages.
        mixed: every member draws one of the languages of `tongues` (as if each were an option) instead.
        hours: names of `clock.HOURS`, one drawn per group (per member where `mixed`).
        zones: hours ahead of UTC, one drawn per group; empty: where the first role's language is spoken. People who
            work abroad need not live where their language is at home.
        weekend: activity of a weekend day as a share of a weekday's, least and most.
        turns: median number of interactions of a member.
        telling: share of a member's turns that are tasks of the group; the rest is everyday use.
        tasks: what they come for.
        wiring: identifiers in common.
        stages: their public side.
        facts: invented names that texts may use: slot and kind (person, place, brand, domain:SLOT, phrase:SECTION,
            hashtag:SLOT); each member's own where `mixed`.
        many: how many such groups there are; scaled by a world's size for the background.
        spread: spread of the number of interactions, as the logarithm's standard deviation.
        pool: all members are end users of one key.
        system: section of the system prompt; empty: none.
        about: one sentence for readers.
    """

    name: str
    kind: Kind
    roles: Mapping[str, int]
    tongues: tuple[Mapping[str, str], ...]
    mixed: bool = False
    hours: tuple[str, ...] = ("office", "leisure", "late")
    zones: tuple[float, ...] = ()
    weekend: tuple[float, float] = (0.1, 0.9)
    turns: float = 18.0
    spread: float = 0.4
    telling: float = 0.25
    tasks: tuple[Task, ...] = ()
    wiring: Wiring = field(default_factory=Wiring)
    stages: tuple[Stage, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    many: int = 1
    pool: bool = False
    system: str = ""
    about: str = ""


@dataclass(frozen=True)
class World:
    """A declared world.

    Attributes:
        name: as `simulate` takes it.
        about: one sentence.
        groups: everybody on the service.
        crowd: ordinary platform accounts at size 1.
        chatter: ordinary posts at size 1.
        trends: hashtags that many ordinary accounts share.
    """

    name: str
    about: str
    groups: tuple[Group, ...]
    crowd: int
    chatter: int
    trends: int


@dataclass(frozen=True)
class Summary:
    """What was written.

    Attributes:
        world: name of the world.
        seed: seed.
        accounts, interactions, posts, platform_accounts, identifiers: rows of each file.
        operations, decoys: accounts by name.
        tongues: interactions by the account's language.
        refused: interactions that the model refused.
        first, last: times of the first and last interaction, ISO 8601.
    """

    world: str
    seed: int
    accounts: int
    interactions: int
    posts: int
    platform_accounts: int
    identifiers: int
    operations: Mapping[str, int]
    decoys: Mapping[str, int]
    tongues: Mapping[str, int]
    refused: int
    first: str
    last: str
