"""Turns a declared world into files, in order of time and in little memory: the same bytes for the same seed."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from typing import Protocol

from backlight.errors import RequestError
from backlight.worlds._cast import Account, Cast, everyone
from backlight.worlds._clock import DAY, DAYS, when
from backlight.worlds._declare import Summary, World
from backlight.worlds._dice import Dice
from backlight.worlds._grammar import load
from backlight.worlds._payload import Conversation
from backlight.worlds._public import Post, Square
from backlight.worlds._talk import Session, converse, in_days, sessions

POSTS = ("platform", "post_id", "author", "created_at", "text", "url", "hashtags", "kind", "parent", "language")
IDENTIFIERS = ("account", "kind", "value", "first_seen", "last_seen")
PLATFORM_ACCOUNTS = ("platform", "author", "created_at", "followers", "as_of")
TRUTH = ("account", "operation", "group")


class _Rows(Protocol):
    def writerow(self, row: Iterable[object], /) -> object: ...


@dataclass
class _Tally:
    interactions: int = 0
    posts: int = 0
    refused: int = 0
    tongues: Counter[str] = field(default_factory=Counter)
    first: float = -1.0
    last: float = 0.0


def write(world: World, out: Path, *, seed: int = 0, size: float = 1.0) -> Summary:
    """Writes the files of a world into a folder.

    logs.jsonl (LiteLLM StandardLoggingPayload, one request a line, in order of time), posts.csv, identifiers.csv,
    platform_accounts.csv and truth.csv (the plain forms of the command-line reference).

    Args:
        world: the declaration.
        out: folder; made if missing, its files of these names are replaced.
        seed: equal seeds give equal bytes; another seed also gives other names, languages and hours.
        size: scales the background, not the operations and decoys; 0.02 to 100.

    Returns:
        What was written.

    Raises:
        RequestError: `size` is out of range.
    """
    if not 0.02 <= size <= 100:
        raise RequestError(f"a world of size {size:g}", "a size from 0.02 to 100")
    out.mkdir(parents=True, exist_ok=True)
    cast = Cast(world, seed, size)
    square = Square(world, cast, seed, size)
    tally = _Tally()
    with ExitStack() as stack:
        log = stack.enter_context((out / "logs.jsonl").open("wb"))
        posts = _table(stack, out / "posts.csv", POSTS)
        for moment, line in _lines(cast, square, seed, tally):
            log.write(line)
            _flush(square, posts, moment, tally)
        _flush(square, posts, DAYS * DAY, tally)
        identifiers = _identifiers(cast, _table(stack, out / "identifiers.csv", IDENTIFIERS))
        _platform_accounts(square, _table(stack, out / "platform_accounts.csv", PLATFORM_ACCOUNTS))
        truth = _table(stack, out / "truth.csv", TRUTH)
        for row in sorted(everyone(cast)):
            truth.writerow(row)
    return _summary(world, seed, cast, square, tally, identifiers)


def _table(stack: ExitStack, path: Path, header: tuple[str, ...]) -> _Rows:
    rows = csv.writer(stack.enter_context(path.open("w", encoding="utf-8", newline="")), lineterminator="\n")
    rows.writerow(header)
    return rows


def _lines(cast: Cast, square: Square, seed: int, tally: _Tally) -> Iterator[tuple[float, bytes]]:
    """Log lines in order of time. Conversations overlap, so a line waits until no conversation can start before it."""
    planned = in_days(s for a in cast.accounts for s in sessions(a, Dice(seed, a.raw, "sessions")))
    waiting: list[tuple[float, int, bytes]] = []
    count = 0
    for session in planned:
        while waiting and waiting[0][0] <= session.start:
            moment, _, line = heappop(waiting)
            yield moment, line
        for moment, line in _conversation(session, square, seed, tally):
            count += 1
            heappush(waiting, (moment, count, line))
    while waiting:
        moment, _, line = heappop(waiting)
        yield moment, line


def _conversation(session: Session, square: Square, seed: int, tally: _Tally) -> Iterator[tuple[float, bytes]]:
    account, task = session.account, session.task
    dice = Dice(seed, account.raw, session.number)
    system = load(account.tongue).draw(account.system, account.facts, Dice(seed, account.raw)) if account.system else ""
    conversation = Conversation(account, system, dice)
    moment = session.start
    address = account.address(moment, dice)
    for exchange in converse(session, dice):
        moment += exchange.gap
        yield moment, conversation.line(exchange, moment, address)
        if exchange.items:
            square.publish(account.team, task.stage, exchange.items, moment)
        _count(tally, account, moment, exchange.refused)


def _count(tally: _Tally, account: Account, moment: float, refused: bool) -> None:
    tally.interactions += 1
    tally.refused += refused
    tally.tongues[account.tongue] += 1
    tally.first = moment if tally.first < 0 else min(tally.first, moment)
    tally.last = max(tally.last, moment)
    account.first = moment if account.first < 0 else min(account.first, moment)
    account.last = max(account.last, moment)


def _flush(square: Square, rows: _Rows, moment: float, tally: _Tally) -> None:
    for number, post in square.until(moment):
        rows.writerow(_post_row(number, post))
        tally.posts += 1


def _post_row(number: str, post: Post) -> tuple[str, ...]:
    author = post.author
    tags = " ".join(post.hashtags)
    return (
        author.platform,
        number,
        author.name,
        _iso(post.time),
        post.text,
        post.url,
        tags,
        post.kind,
        post.parent,
        author.tongue,
    )


def _identifiers(cast: Cast, rows: _Rows) -> int:
    """What the host knows of its accounts beside the log: device, payment, mail domain and phone."""
    count = 0
    for account in cast.accounts:
        if account.group.pool:
            continue
        first = _iso(min(account.sign_up, account.first))
        values = (
            ("device", account.device),
            ("payment", account.payment),
            ("email_domain", account.mail),
            ("phone", account.phone),
        )
        for kind, value in values:
            if value:
                rows.writerow((account.raw, kind, value, first, _iso(account.last)))
                count += 1
    return count


def _platform_accounts(square: Square, rows: _Rows) -> None:
    for author in square.authors:
        rows.writerow((author.platform, author.name, _iso(author.created), author.followers, _iso(DAYS * DAY)))


def _iso(seconds: float) -> str:
    return when(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def _summary(world: World, seed: int, cast: Cast, square: Square, tally: _Tally, identifiers: int) -> Summary:
    def sizes(kind: str) -> dict[str, int]:
        return dict(sorted(Counter(a.group.name for a in cast.accounts if a.group.kind == kind).items()))

    return Summary(
        world=world.name,
        seed=seed,
        accounts=len(cast.accounts),
        interactions=tally.interactions,
        posts=tally.posts,
        platform_accounts=len(square.authors),
        identifiers=identifiers,
        operations=sizes("operation"),
        decoys=sizes("decoy"),
        tongues=dict(sorted(tally.tongues.items())),
        refused=tally.refused,
        first=_iso(tally.first),
        last=_iso(tally.last),
    )
