"""Who is in a world: accounts with their language, habits and identifiers, drawn from the declared groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from backlight.errors import RequestError
from backlight.worlds import _names
from backlight.worlds._clock import DAY, ZONES, Clock
from backlight.worlds._declare import EVERYDAY, Group, Wiring, World
from backlight.worlds._dice import Dice
from backlight.worlds._grammar import Context, Hand, hand, load
from backlight.worlds._names import Name

MODELS = ("harbor-2-mini", "harbor-2-mini", "harbor-2", "tern-7b-instruct", "tern-70b-instruct")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Lanternfish/131.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Lanternfish/130.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Lanternfish/131.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Heronwood/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Heronwood/140.0",
    "Mozilla/5.0 (Linux; Android 14) Lanternfish/131.0 Mobile",
    "Mozilla/5.0 (Linux; Android 13) Lanternfish/129.0 Mobile",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148",
    "chat-app/4.12 (android)",
    "chat-app/4.12 (ios)",
    "python-client/1.58",
    "node-client/4.77",
)
MAILS = ("postbus.example", "mailnest.example", "letterbox.example", "inbox.example", "correo.example", "pochta.example")
VPN = tuple(f"203.0.113.{n}" for n in (9, 77, 140))


@dataclass(slots=True)
class Place:
    """The identifiers that one group has in common.

    Attributes:
        addresses: by period of rotation.
        rotate: seconds of a period; 0: there is one.
        devices, payments: tokens.
        mail: the group's own mail domain.
    """

    addresses: list[list[str]]
    rotate: float
    devices: list[str]
    payments: list[str]
    mail: str


@dataclass(slots=True)
class Account:
    """One account of the service.

    Attributes:
        raw: id as it stands in the log.
        key: hash of its API key.
        owner: user id of the key's owner; the account itself unless the key is a pool's.
        group: what it belongs to.
        team: the instance of the group, shared by its members.
        seat: its number in the team; says which of the addresses in common it mostly uses.
        role, tongue, second: its role, its language and another that it now and then writes.
        budget: interactions it will make.
        agents, models: what it uses, favourite first.
        own: its own addresses (home, phone, a café), most used first; `away`: chance of one of them though the group has
            addresses in common.
        roams: chance that an act comes from a VPN exit.
        device, payment, mail, phone: what the host knows beside the log; empty where it knows nothing.
        sign_up: seconds from the world's start, before it.
        likes: everyday uses.
        system: section of the system prompt that its client sends; empty: none.
        facts: values of slots that stay with the account.
        first, last: its first and last act in seconds; negative before there is one.
    """

    raw: str
    key: str
    owner: str
    group: Group
    team: Team
    seat: int
    role: str
    tongue: str
    second: str
    clock: Clock
    hand: Hand
    budget: int
    agents: tuple[str, ...]
    models: tuple[str, ...]
    own: tuple[str, ...]
    away: float
    roams: float
    device: str
    payment: str
    mail: str
    phone: str
    sign_up: float
    likes: tuple[str, ...]
    system: str = ""
    facts: Context = field(default_factory=dict)
    first: float = -1.0
    last: float = -1.0

    def address(self, moment: float, dice: Dice) -> str:
        """Where one act comes from."""
        if dice.chance(self.roams):
            return dice.pick(VPN)
        place = self.team.place
        if not place.addresses or dice.chance(self.away):
            return dice.weighted(self.own, (5, 4, 3, 3, 2, 2, 2)[: len(self.own)])
        period = int(moment / place.rotate) if place.rotate else 0
        common = place.addresses[min(period, len(place.addresses) - 1)]
        return dice.pick(common) if dice.chance(0.1) else common[(self.seat + period) % len(common)]


@dataclass(slots=True)
class Team:
    """One instance of a group: its languages, facts, identifiers in common and members."""

    group: Group
    number: int
    tongues: Mapping[str, str]
    facts: dict[str, str | Name]
    place: Place
    sheets: dict[tuple[str, str], int]
    accounts: list[Account] = field(default_factory=list)

    def tongue(self, name: str, account: Account | None = None) -> str:
        """The language that a task or stage names: a role or `target` of the group, a tag, or the account's own."""
        if name == "second" and account is not None:
            return account.second
        if not name:
            return account.tongue if account is not None else next(iter(self.tongues.values()))
        return self.tongues.get(name, name)


class Cast:
    """Everybody in a world.

    Args:
        world: the declaration.
        seed: seed.
        size: scales the number of background groups.
    """

    def __init__(self, world: World, seed: int, size: float) -> None:
        self._seed = seed
        self._addresses = _Addresses(Dice(seed, world.name, "addresses"))
        self.teams: list[Team] = []
        for group in world.groups:
            count = max(1, round(group.many * size)) if group.kind == "background" else group.many
            self.teams.extend(self._team(world, group, number) for number in range(count))
        self.accounts = [account for team in self.teams for account in team.accounts]

    def _team(self, world: World, group: Group, number: int) -> Team:
        dice = Dice(self._seed, world.name, group.name, number)
        tongues = dice.pick(group.tongues)
        facts = _facts(group, tongues, dice)
        place = self._place(group.wiring, facts, dice)
        team = Team(group, number, tongues, facts, place, {})
        hours, offset = dice.pick(group.hours), dice.pick(group.zones or ZONES[next(iter(tongues.values()))])
        common = Clock(offset, hours, dice.span(*group.weekend))
        key = dice.hex(64)
        owner = f"user_{dice.code(12)}"
        for role, count in group.roles.items():
            for member in range(self._count(group, count, dice)):
                one = Dice(self._seed, world.name, group.name, number, role, member)
                team.accounts.append(self._account(team, role, common, key, owner, one))
        return team

    @staticmethod
    def _count(group: Group, count: int, dice: Dice) -> int:
        return dice.between(2, 2 * count - 2) if group.kind == "background" and 1 < count < 10 else count

    def _account(self, team: Team, role: str, common: Clock, key: str, owner: str, dice: Dice) -> Account:
        group, place = team.group, team.place
        tongue = dice.pick(group.tongues)[role] if group.mixed else team.tongues[role]
        raw = f"user_{dice.code(12)}"
        clock = common
        if group.mixed:
            clock = Clock(dice.pick(ZONES[tongue]), dice.pick(group.hours), dice.span(*group.weekend))
        return Account(
            raw=raw,
            key=key if group.pool else dice.hex(64),
            owner=owner if group.pool else raw,
            group=group,
            team=team,
            seat=len(team.accounts),
            role=role,
            tongue=tongue,
            second="en" if tongue != "en" else dice.pick(("es", "fr", "ja")),
            clock=Clock(clock.offset, clock.hours, clock.weekend, dice.span(-1, 1)),
            hand=hand(dice),
            budget=max(2, round(dice.around(group.turns, group.spread))),
            agents=tuple(dice.sample(AGENTS, 1 + int(dice.chance(0.35)))),
            models=tuple(dice.sample(MODELS, 2)),
            own=tuple(self._addresses.own() for _ in range(dice.between(*group.wiring.own))),
            away=group.wiring.away,
            roams=dice.span(0.1, 0.6) if dice.chance(0.08) else 0.0,
            device=_shared(place.devices, group.wiring.device_share, f"dev_{dice.hex(16)}", dice),
            payment=_shared(place.payments, group.wiring.payment_share, f"pm_{dice.hex(14)}" * dice.chance(0.45), dice),
            mail=place.mail if dice.chance(group.wiring.mail) else dice.pick(MAILS),
            phone=_names.phone(dice) if dice.chance(0.5) else "",
            sign_up=-DAY * dice.around(90, 1.2),
            likes=tuple(dice.sample(EVERYDAY[:-2], dice.between(4, 9))),
            system=group.system or "system" * dice.chance(0.3),
            facts={"town": _names.place(dice), **(_facts(group, team.tongues, dice) if group.mixed else team.facts)},
        )

    def _place(self, wiring: Wiring, facts: Mapping[str, str | Name], dice: Dice) -> Place:
        periods = 1 + (30 // wiring.rotate if wiring.rotate else 0)
        firm = facts.get("firm") or _names.brand(dice)
        return Place(
            addresses=[[self._addresses.common() for _ in range(wiring.addresses)] for _ in range(periods)]
            if wiring.addresses
            else [],
            rotate=wiring.rotate * DAY,
            devices=[f"dev_{dice.hex(16)}" for _ in range(wiring.devices)],
            payments=[f"pm_{dice.hex(14)}" for _ in range(wiring.payments)],
            mail=_names.domain(firm) if isinstance(firm, Name) else MAILS[0],
        )


def _shared(common: list[str], share: float, own: str, dice: Dice) -> str:
    return dice.pick(common) if common and dice.chance(share) else own


def _facts(group: Group, tongues: Mapping[str, str], dice: Dice) -> dict[str, str | Name]:
    facts: dict[str, str | Name] = {}
    for slot, kind in group.facts:
        facts[slot] = _fact(kind, facts, tongues, dice)
    return facts


def _fact(kind: str, facts: dict[str, str | Name], tongues: Mapping[str, str], dice: Dice) -> str | Name:
    what, _, of = kind.partition(":")
    if what in ("person", "place", "brand"):
        return {"person": _names.person, "place": _names.place, "brand": _names.brand}[what](dice)
    if what == "phrase":
        tongue = tongues.get("target", next(iter(tongues.values())))
        return load(tongue).draw(of, dict(facts), dice)
    value = facts[of.split("+")[0]]
    if what == "hashtag" and isinstance(value, str):
        return _names.hashtag(value)
    if what == "domain" and isinstance(value, Name):
        return _names.domain(value, of.partition("+")[2])
    raise RequestError(f"a fact of kind {kind!r}", "person, place, brand, phrase:SECTION, hashtag:SLOT or domain:SLOT")


class _Addresses:
    """Addresses from the ranges reserved for documentation; IPv6 where each household needs its own."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        hosts = [f"{net}.{n}" for net in ("192.0.2", "198.51.100", "203.0.113") for n in range(1, 255)]
        self._free = [host for host in hosts if host not in VPN]
        dice.shuffle(self._free)
        self._carriers = [self._free.pop() for _ in range(60)]

    def own(self) -> str:
        """A home: an IPv6 network of its own, or a carrier's IPv4 address that several strangers share."""
        return self._dice.pick(self._carriers) if self._dice.chance(0.45) else self._network()

    def common(self) -> str:
        """An address that a group has in common."""
        return self._free.pop() if self._free and self._dice.chance(0.6) else self._network()

    def _network(self) -> str:
        return f"2001:db8:{self._dice.between(256, 65535):x}:{self._dice.between(256, 65535):x}::{self._dice.between(1, 99):x}"


def everyone(cast: Cast) -> Iterator[tuple[str, str, str]]:
    """The rows of truth.csv: account, operation, group."""
    for account in cast.accounts:
        kind, name = account.group.kind, account.group.name
        yield account.raw, name if kind == "operation" else "", name if kind == "decoy" else ""
