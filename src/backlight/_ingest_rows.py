"""From items to columns: the part of ingest that runs once per record, in worker processes where that pays.

A `Builder` takes what a reader yielded for one chunk of a file and builds the rows that would be stored if all were new:
identities become pseudonyms, texts become keyed hashes, and the texts themselves become sealed blobs. Which of the rows
are new is for the parent to say (`backlight.ingest`), since only it sees every chunk.

Speed: one dictionary lookup per identity, columns as lists that Arrow converts at once, no dictionary per row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from backlight._settings import LeftOut, before
from backlight._vault import Vault
from backlight.hashing import MASK, Hasher, number
from backlight.normalise import (
    Pseudonyms,
    address_values,
    canonical_hashtag,
    canonical_url,
    find_hashtags,
    find_urls,
    registrable_domain,
)
from backlight.sources import Conversation, Exchange, Item, Parsed, PlatformAccount, Post, Reject
from backlight.tables import INTERACTIONS, LEVELS, POSTS

ABSENT = b"\0" * 16
NO_TIME = np.iinfo(np.int64).min
_CACHED = 30_000
_RAW_LIMIT = 4096
_MARKS = {"user": b"\xffu", "assistant": b"\xffa", "system": b"\xffs", "tool": b"\xfft"}  # 0xff is never in UTF-8
_RAW_FIELDS = ("end_user", "user", "key", "organisation", "address", "user_agent")
_COVERED = ("account", "time", "prompt", "output", "conversation", "model", "tenant", "channel")
_encode = msgspec.msgpack.Encoder().encode

IntArray = np.ndarray[Any, np.dtype[np.int64]]
Fact = tuple[int, str, datetime | None, int | None, datetime | None]
Raw = tuple[str | None, str | None, str | None, str | None, str | None, str | None]
"""end_user, user, key, organisation, address, user_agent as a record gives them."""


class Identity(msgspec.Struct, gc=False, eq=False):
    """What one combination of raw identity fields comes to.

    Attributes:
        account: pseudonym, or None where no vouched identity is present.
        digest: 16-byte digest of the account.
        level: which identity the account is; none without one.
        raw: its raw id.
        raw_key: the raw key that an end user belongs to.
        key: pseudonym of the API key.
        tenant: pseudonym of the organisation.
        values: (kind, keyed hash) of address and user agent.
        mark: 16-byte digest of the raw fields.
        excluded: the settings exclude this account or tenant.
        erased: when the account was erased, if it was.
        collected: which of the raw fields are present, in their order.
    """

    account: int | None
    digest: bytes
    level: str
    raw: str
    raw_key: str | None
    key: int | None
    tenant: int | None
    values: list[tuple[str, int]]
    mark: bytes
    excluded: bool
    erased: datetime | None
    collected: tuple[bool, ...]


class Sighting(msgspec.Struct, gc=False):
    """An account in a chunk: what a row of `accounts` and its sealed identity need."""

    account: int
    digest: bytes
    level: str
    raw: str
    raw_key: str | None
    key: int | None
    tenant: int | None
    first: int


@dataclass
class Built:
    """The rows of one chunk, as if all were new.

    Attributes:
        interactions: rows of the table.
        blobs: sealed text by interaction, null where there is none, aligned with `interactions`.
        months: month of time by interaction.
        chains: keyed hash of each exchange that stands in a request's history, repeats included.
        accounts: every account of the chunk.
        identifiers: account, kind, value, first, last; times in microseconds, NO_TIME where unknown.
        posts: rows of the table.
        authors: pseudonym -> (platform, raw id).
        facts: rows about platform accounts: author, platform, created, followers, as_of.
        rejects: records that could not become rows.
        excluded: rows that the settings exclude.
        coverage: what the fields hold, by name.
    """

    interactions: pa.Table = field(default_factory=INTERACTIONS.empty)
    blobs: pa.Array = field(default_factory=lambda: pa.array([], pa.binary()))
    months: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    chains: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    accounts: list[Sighting] = field(default_factory=list)
    identifiers: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    posts: pa.Table = field(default_factory=POSTS.empty)
    authors: dict[int, tuple[str, str]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    excluded: int = 0
    coverage: dict[str, int] = field(default_factory=dict)


class _Rows:
    """Interactions while they grow: a tuple a row, in the order of `_COLUMNS`, and the chains of their histories."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.chains: list[bytes] = []


_COLUMNS = (
    "digest", "chain", "who", "time", "conversation", "turn", "channel", "model", "prompt", "system", "output", "outcome",
    "tokens_in", "tokens_out", "text",
)  # fmt: skip


class Turn(msgspec.Struct, gc=False):
    """One exchange of a conversation: texts, and the chain through its answer."""

    number: int
    time: datetime | None
    prompt: str | None
    output: str | None
    earlier: list[str]
    chain: bytes


class Builder:
    """Builds rows. Keeps caches from chunk to chunk, so one builder serves one workspace.

    Args:
        hasher: for texts and identifiers.
        pseudonyms: for identities.
        vault: seals text.
        left_out: what is counted and not stored.
    """

    def __init__(
        self,
        hasher: Hasher,
        pseudonyms: Pseudonyms,
        vault: Vault,
        left_out: LeftOut,
    ) -> None:
        self._hasher, self._pseudonyms, self._vault = hasher, pseudonyms, vault
        self.left_out = left_out
        self._identities: dict[Raw, Identity] = {}
        self._key = lru_cache(_CACHED)(pseudonyms.key)
        self._tenant = lru_cache(_CACHED)(pseudonyms.tenant)
        self._conversation_id = lru_cache(_CACHED)(pseudonyms.conversation)
        self._vouched: tuple[str, ...] = ()
        self._source = ""

    def build(
        self, source: str, vouched: tuple[str, ...], parts: Iterable[Parsed], wanted: frozenset[int] | None = None
    ) -> Built:
        """The rows of a chunk.

        Args:
            source: name of the format.
            vouched: levels that the host vouches for.
            parts: what the reader made of the chunk, little by little: items that are done with are freed, and their
                memory, still in the processor's cache, is used for the next ones.
            wanted: None, or chains of history: then only rows of these exchanges are built, and nothing else.
        """
        self._begin(source, vouched)
        built, rows, posts, seen = Built(), _Rows(), list[Post](), set[int]()
        for parsed in parts:
            if wanted is None:
                built.rejects += parsed.rejects
                self._take(parsed.items, rows, posts, built)
            else:
                for item in parsed.items:
                    if isinstance(item, Exchange):
                        self._history(item, rows, wanted, seen)
        self._interactions(rows, built, from_history=wanted is not None)
        self._posts(posts, built)
        return built

    def _take(self, items: Sequence[Item], rows: _Rows, posts: list[Post], built: Built) -> None:
        for item in items:
            if isinstance(item, Exchange):
                self._exchange(item, rows, built)
            elif isinstance(item, Conversation):
                self._conversation(item, rows, built)
            elif isinstance(item, Post):
                posts.append(item)
            elif isinstance(item, PlatformAccount):
                self._fact(item, built)
            else:  # identifiers are settled by the parent, which knows the accounts they belong to
                raise TypeError(f"a {type(item).__name__} among the items of {self._source}")

    def _begin(self, source: str, vouched: tuple[str, ...]) -> None:
        if vouched != self._vouched or len(self._identities) > _CACHED:
            self._identities.clear()
        self._source, self._vouched = source, vouched

    # --- identities

    def _identity(self, item: Exchange | Conversation) -> Identity:
        raw = (item.end_user, item.user, item.key, item.organisation, item.address, item.user_agent)
        known = self._identities.get(raw)
        if known is None:
            known = self._identities[raw] = self._resolve(raw)
        return known

    def _resolve(self, raw: Raw) -> Identity:
        fields = dict(zip(_RAW_FIELDS, raw, strict=True))
        key, tenant = fields["key"], fields["organisation"]
        level = next((level for level in LEVELS if level in self._vouched and fields.get(level)), "none")
        account, digest, name = None, ABSENT, fields.get(level) or ""
        if level != "none":
            account, digest = self._pseudonyms.account(level, name, key=key)
        tenant_id = self._tenant(tenant) if tenant else None
        addresses = address_values(raw[4]) if raw[4] else {}
        values = [(kind, self._hasher.id(kind, value)) for kind, value in addresses.items()]
        if raw[5] and raw[5].strip():
            values.append(("user_agent", self._hasher.id("user_agent", " ".join(raw[5].split())[:_RAW_LIMIT])))
        return Identity(
            account=account,
            digest=digest,
            level=level,
            raw=name,
            raw_key=key if level == "end_user" else None,
            key=self._key(key) if key else None,
            tenant=tenant_id,
            values=values,
            mark=self._hasher.digest("identity", _encode(raw)),
            excluded=account in self.left_out.accounts or tenant_id in self.left_out.tenants,
            erased=self.left_out.erased.get(account) if account is not None else None,
            collected=tuple(bool(value) for value in raw),
        )

    # --- exchanges and conversations

    def _exchange(self, item: Exchange, rows: _Rows, built: Built) -> None:
        who = self._identity(item)
        if who.excluded or before(item.time, who.erased):
            built.excluded += 1
            return
        chained, history = self._hasher.digest, rows.chains
        said = [who.digest]
        system: list[str] = []
        earlier: list[str] = []
        prompt: str | None = None
        turns, last = 0, ""
        for message in item.messages:
            role, text = message.role, message.text
            if role == "user":
                if last == "assistant" and turns:
                    said = [chained("chain", b"".join(said))]
                    history += said
                elif prompt and last != "assistant":
                    earlier.append(prompt)
                prompt = text
                turns += 1
            elif role == "assistant" and turns:
                earlier = []
            elif role == "system" and not turns:
                system.append(text)
            else:
                earlier.append(text)
            said += (text.strip().encode(), _MARKS[role])
            last = role
        said += ((item.output or "").strip().encode(), _MARKS["assistant"])
        chain = chained("chain", b"".join(said))
        turn = Turn(max(turns - 1, 0), item.time, prompt, item.output, earlier, chain)
        self._row(item, who, turn, "\n\n".join(system), rows, tokens=(item.tokens_in, item.tokens_out))

    def _conversation(self, item: Conversation, rows: _Rows, built: Built) -> None:
        who = self._identity(item)
        system, turns = self._turns(item, who)
        for turn in turns:
            if who.excluded or before(turn.time, who.erased):
                built.excluded += 1
            else:
                self._row(item, who, turn, system, rows)

    def _history(self, item: Exchange, rows: _Rows, wanted: frozenset[int], seen: set[int]) -> None:
        """Rows of wanted exchanges that stand in this request's history, at the request's time: not later than."""
        who = self._identity(item)
        if who.excluded or who.erased is not None:  # when what it repeats was said is not known
            return
        system, turns = self._turns(item, who)
        for turn in turns:
            chain = number(turn.chain)
            if chain in wanted and chain not in seen:
                seen.add(chain)
                turn.time = item.time
                self._row(item, who, turn, system, rows, from_history=True)

    def _turns(self, item: Exchange | Conversation, who: Identity) -> tuple[str, list[Turn]]:
        """The system prompt, and each user turn with its answer: the last assistant message before the next user turn."""
        said = [who.digest]
        system: list[str] = []
        before: list[str] = []  # what stands before the first user turn, such as a greeting
        turns: list[Turn] = []
        last = ""
        for message in item.messages:
            role, text = message.role, message.text
            turn = turns[-1] if turns else None
            if role == "user" and (turn is None or last == "assistant"):
                if turn is not None:
                    turn.chain = self._hasher.digest("chain", b"".join(said))
                    said = [turn.chain]
                turns.append(Turn(len(turns), message.time or item.time, text, None, before, b""))
                before = []
            elif turn is None:
                (system if role == "system" else before).append(text)
            elif role == "assistant":
                turn.output = text
            elif role == "user":
                turn.earlier += [turn.prompt] if turn.prompt else []
                turn.prompt, turn.time = text, message.time or turn.time
            else:
                turn.earlier.append(text)
            said += (text.strip().encode(), _MARKS[role])
            last = role
        if not turns:
            turns.append(Turn(0, item.time, None, before.pop() if before else None, before, b""))
        end = b"" if last == "assistant" else _MARKS["assistant"]
        turns[-1].chain = self._hasher.digest("chain", b"".join(said) + end)
        return "\n\n".join(system), turns

    def _row(
        self,
        item: Exchange | Conversation,
        who: Identity,
        turn: Turn,
        system: str,
        rows: _Rows,
        *,
        tokens: tuple[int | None, int | None] = (None, None),
        from_history: bool = False,
    ) -> None:
        """One row. What its digest covers decides what counts as the same record: see the comment inside."""
        digest = self._hasher.digest
        prompt, output, chain = turn.prompt, turn.output, turn.chain
        earlier = turn.earlier if who.erased is None else []  # it may be from before
        conversation = self._conversation_id(item.conversation) if item.conversation else None
        if from_history:  # the same exchange, whichever later request shows it
            key = digest("history", chain)
        else:  # source, its record id, and the record: who, when, what (in the chain), and what the provider said of it
            record = (self._source, item.record_id, item.time, conversation, item.model, item.channel, item.outcome)
            key = digest("interaction", _encode((*record, *tokens, turn.number)) + who.mark + chain)
        rows.rows.append((
            key, chain, who, turn.time, conversation, turn.number, item.channel, item.model,
            digest("text", prompt) if prompt else ABSENT, digest("text", system) if system else ABSENT,
            digest("text", output) if output else ABSENT, "unknown" if from_history else item.outcome, *tokens,
            (prompt, system, output, earlier) if prompt or system or output else None,
        ))  # fmt: skip

    # --- columns

    def _interactions(self, rows: _Rows, built: Built, *, from_history: bool) -> None:
        built.chains = _ids(rows.chains)
        if not rows.rows:
            return
        held: dict[str, Any] = dict(zip(_COLUMNS, zip(*rows.rows, strict=True), strict=True))
        who: Sequence[Identity] = held["who"]
        times = pa.array(held["time"], pa.timestamp("us", "UTC"))
        ids, count = _ids(held["digest"]), len(who)
        named = held | {
            "id": ids,
            "chain": _ids(held["chain"]),
            "from_history": pa.repeat(from_history, count),
            "source": pa.repeat(self._source, count),
            "account": [w.account for w in who],
            "level": [w.level for w in who],
            "key": [w.key for w in who],
            "tenant": [w.tenant for w in who],
            "time": times,
            "day": times.cast(pa.timestamp("us")).cast(pa.date32(), safe=False),
        }
        named |= {name: _nullable(held[name]) for name in ("prompt", "system", "output")}
        columns = [pa.array(named[column.name], column.type) for column in INTERACTIONS.arrow]
        built.interactions = pa.table(columns, schema=INTERACTIONS.arrow)
        micros = np.asarray(times.cast(pa.int64()).fill_null(NO_TIME))
        self._seal(held, ids, micros, built)
        self._sightings(who, micros, built)
        built.coverage = _coverage(built.interactions, who)

    def _seal(self, held: Mapping[str, Any], ids: IntArray, micros: IntArray, built: Built) -> None:
        """Sealed text by row. A system prompt is sealed once an account and month of the chunk, with its first row."""
        built.months = months_of(micros)
        months = built.months.tolist()
        owners = [identity.account or 0 for identity in held["who"]]
        placed: set[tuple[int, int, bytes]] = set()
        payloads: list[bytes] = []
        where: list[int] = []
        for n, text in enumerate(held["text"]):
            if text is None:
                continue
            prompt, system, output, earlier = text
            if system:
                place = (owners[n], months[n], held["system"][n])
                if place in placed:
                    system = None
                placed.add(place)
            where.append(n)
            payloads.append(_encode({"p": prompt, "s": system or None, "o": output, "e": earlier}))
        sealed = self._vault.seal_many(ids[where].tolist(), [owners[n] for n in where], [months[n] for n in where], payloads)
        blobs: list[bytes | None] = [None] * len(owners)
        for n, blob in zip(where, sealed, strict=True):
            blobs[n] = blob
        built.blobs = pa.array(blobs, pa.binary())

    def _sightings(self, who: Sequence[Identity], micros: IntArray, built: Built) -> None:
        """Accounts and identifiers of the chunk, each with its first and last time."""
        slots = {w: n for n, w in enumerate(dict.fromkeys(who))}
        codes = np.fromiter(map(slots.__getitem__, who), np.int64, len(who))
        first, last = extremes(codes, micros, len(slots))
        accounts: dict[int, Sighting] = {}
        spans: dict[tuple[int, str, int], tuple[int, int]] = {}
        for identity, begin, end in zip(slots, first.tolist(), last.tolist(), strict=True):
            if identity.account is None:
                continue
            held = accounts.get(identity.account)
            if held is None:
                accounts[identity.account] = Sighting(
                    identity.account,
                    identity.digest,
                    identity.level,
                    identity.raw,
                    identity.raw_key,
                    identity.key,
                    identity.tenant,
                    begin,
                )
            else:
                held.first = earliest(held.first, begin)
            for kind, value in identity.values:
                known = spans.get((identity.account, kind, value), (NO_TIME, NO_TIME))
                spans[identity.account, kind, value] = earliest(known[0], begin), max(known[1], end)
        built.accounts = list(accounts.values())
        built.identifiers = [(*name, *span) for name, span in spans.items()]

    # --- posts

    def _fact(self, item: PlatformAccount, built: Built) -> None:
        author = self._pseudonyms.author(item.platform, item.author)
        if self.left_out.covers(author, item.as_of):
            built.excluded += 1
            return
        built.authors[author] = (item.platform.lower(), item.author)
        built.facts.append((author, item.platform.lower(), item.created, item.followers, item.as_of))

    def _posts(self, posts: list[Post], built: Built) -> None:
        if not posts:
            return
        rows = [row for post in posts if (row := self._post(post, built)) is not None]
        built.posts = pa.Table.from_pylist(rows, schema=POSTS.arrow)

    def _post(self, post: Post, built: Built) -> dict[str, object] | None:
        platform = post.platform.lower()
        author = self._pseudonyms.author(platform, post.author) if post.author else None
        if self.left_out.covers(author, post.time):
            built.excluded += 1
            return None
        if author is not None:
            built.authors[author] = (platform, post.author or "")
        links = post.urls or find_urls(post.text)
        urls = list(dict.fromkeys(url for link in links if (url := canonical_url(link))))
        tags = find_hashtags(post.text) if post.hashtags is None else [canonical_hashtag(tag) for tag in post.hashtags]
        record = (platform, post.post_id, author, post.time, post.kind, post.parent, post.text, urls, tags)
        digest = self._hasher.digest("post", _encode(record))
        return {
            "id": number(digest),
            "digest": digest,
            "platform": platform,
            "post_id": post.post_id,
            "author": author,
            "time": post.time,
            "day": post.time.date() if post.time else None,
            "kind": post.kind,
            "parent": post.parent,
            "text": post.text,
            "language": _primary(post.language),
            "urls": urls,
            "domains": list(dict.fromkeys(domain for url in urls if (domain := registrable_domain(url)))),
            "hashtags": [tag for tag in tags if tag],
            "source": self._source,
        }


def _primary(tag: str | None) -> str | None:
    """The primary subtag of a language tag; None for what platforms write where they do not know."""
    primary = (tag or "").replace("_", "-").partition("-")[0].lower()
    return (
        primary if primary.isalpha() and 2 <= len(primary) <= 3 and primary not in ("und", "zxx", "qme", "qst", "qht") else None
    )


def _ids(digests: Sequence[bytes]) -> IntArray:
    """The int64 ids that stand for 16-byte digests."""
    words = np.frombuffer(b"".join(digests), ">u8")[::2]
    return (words & np.uint64(MASK)).astype(np.int64)


def _nullable(digests: Sequence[bytes]) -> pa.Array:
    ids = _ids(digests)
    return pa.array(ids, mask=ids == 0)


def months_of(micros: IntArray) -> IntArray:
    """Months of times in microseconds, as year * 12 + month - 1; 0 where unknown."""
    months = micros.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return np.where(micros == NO_TIME, 0, months)


def earliest(a: int, b: int) -> int:
    """The earlier of two times, where NO_TIME says nothing."""
    return max(a, b) if NO_TIME in (a, b) else min(a, b)


def extremes(codes: IntArray, micros: IntArray, groups: int) -> tuple[IntArray, IntArray]:
    """The first and last known time of each group; NO_TIME where it has none."""
    last = np.full(groups, NO_TIME)
    np.maximum.at(last, codes, micros)
    first = np.full(groups, np.iinfo(np.int64).max)
    known = micros != NO_TIME
    np.minimum.at(first, codes[known], micros[known])
    return np.where(last == NO_TIME, NO_TIME, first), last


def _coverage(rows: pa.Table, who: Sequence[Identity]) -> dict[str, int]:
    """How many rows hold each field."""
    held = {name: rows.num_rows - rows.column(name).null_count for name in _COVERED}
    counts = Counter(who)
    for n, name in enumerate(_RAW_FIELDS):
        held[name] = sum(count for identity, count in counts.items() if identity.collected[n])
    for level in LEVELS:
        held[f"level:{level}"] = sum(count for identity, count in counts.items() if identity.level == level)
    return held | {"rows": rows.num_rows}
