"""What the lake holds already, in memory for one run of ingest: how a record that comes again is told from a new one.

Loaded once per run, then kept up to date by the run itself, which is the only writer. Sorted int64 arrays: 16 bytes a
row stored, 16 a chain, 32 an identifier. Ids are looked up in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pyarrow as pa

from backlight._ingest_rows import NO_TIME, Fact, IntArray, extremes
from backlight.hashing import Hasher, number
from backlight.workspace import Workspace

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]

STALE = 86_400_000_000
"""Microseconds by which an identifier's first or last time must move before another row says so."""

_EMPTY = np.empty(0, np.int64)


class IdMap:
    """int64 keys, each with an int64 value: sorted runs that merge as they grow."""

    def __init__(self, keys: IntArray = _EMPTY, values: IntArray | None = None) -> None:
        self._runs: list[tuple[IntArray, IntArray]] = []
        self.add(keys, values)

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._runs)

    def add(self, keys: IntArray, values: IntArray | None = None) -> None:
        """Add keys that are not in it yet."""
        if len(keys) == 0:
            return
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], (np.zeros(len(keys), np.int64) if values is None else values)[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) < 2 * len(self._runs[-1][0]):
            (a, x), (b, y) = self._runs[-2:]
            keys, values = np.concatenate([a, b]), np.concatenate([x, y])
            order = np.argsort(keys, kind="stable")
            self._runs[-2:] = [(keys[order], values[order])]

    def find(self, keys: IntArray) -> tuple[BoolArray, IntArray]:
        """For each key whether it is known, and its value (0 where not)."""
        known, values = np.zeros(len(keys), bool), np.zeros(len(keys), np.int64)
        for held, beside in self._runs:
            at = np.minimum(np.searchsorted(held, keys), len(held) - 1)
            hit = held[at] == keys
            known |= hit
            values[hit] = beside[at[hit]]
        return known, values

    def has(self, keys: IntArray) -> BoolArray:
        """For each key whether it is known."""
        return self.find(keys)[0]


class Spans:
    """First and last time by (account, kind, value)."""

    def __init__(self) -> None:
        self._slots = IdMap()
        self._first: IntArray = _EMPTY
        self._last: IntArray = _EMPTY

    def moved(self, rows: list[tuple[int, str, int, int, int]], *, stored: bool = False) -> list[int]:
        """Take in rows (account, kind, value, first, last) and say which are new or move a time by more than `STALE`.

        A time that moves less is not written: an account that is seen in every batch would else leave a row in each.

        Args:
            rows: times in microseconds.
            stored: they are in the lake already: every move is taken in.
        """
        if not rows:
            return []
        accounts, kinds, values, firsts, lasts = zip(*rows, strict=True)
        numbers = {kind: crc32(kind.encode()) for kind in set(kinds)}
        named = _mixed_columns(accounts, [numbers[kind] for kind in kinds], values)
        keys, at, codes = np.unique(named, return_index=True, return_inverse=True)
        last = extremes(codes, np.array(lasts, np.int64), len(keys))[1]
        first = extremes(codes, np.array(firsts, np.int64), len(keys))[0]
        known, slots = self._slots.find(keys)
        least = 0 if stored else STALE
        told = ~known
        held_first, held_last = self._first[slots[known]], self._last[slots[known]]
        later = (last[known] > held_last) & (last[known] - np.maximum(held_last, NO_TIME + STALE) > least)
        before = (first[known] != NO_TIME) & ((held_first == NO_TIME) | (held_first - first[known] > least))
        told[known] = later | before
        self._extend(slots[told & known], first[told & known], last[told & known])
        self._insert(keys[~known], first[~known], last[~known])
        return sorted(at[told].tolist())

    def _extend(self, slots: IntArray, first: IntArray, last: IntArray) -> None:
        held = self._first[slots]
        self._first[slots] = np.where((held == NO_TIME) | (first == NO_TIME), np.maximum(held, first), np.minimum(held, first))
        self._last[slots] = np.maximum(self._last[slots], last)

    def _insert(self, keys: IntArray, first: IntArray, last: IntArray) -> None:
        start = len(self._first)
        self._slots.add(keys, np.arange(start, start + len(keys)))
        self._first = np.concatenate([self._first, first])
        self._last = np.concatenate([self._last, last])


def _mixed_columns(*columns: Sequence[int]) -> IntArray:
    """One int64 for each row of columns of keyed hashes; a collision would only drop a repeated statement."""
    mixed = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        mixed = (mixed ^ np.array(column, np.int64).view(np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed.view(np.int64)


def _mixed(*parts: object) -> int:
    """One int64 for a tuple; 64 bits of a good hash are enough where a collision only drops a repeated statement."""
    digest = blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class Known:
    """What is stored, by kind. Each part is loaded when it is first asked for.

    Args:
        ws: the workspace; its lock is held by the run that asks.

    Attributes:
        left_superseded: rows from history whose own record is stored too, found when interactions were loaded.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self.left_superseded: list[int] = []

    def load(self, names: Iterable[str]) -> None:
        """Load these parts now."""
        for name in names:
            getattr(self, name)

    def _stored(self, name: str, *columns: str) -> Iterator[pa.RecordBatch]:
        """Columns of a table; nothing, and at no cost, while nothing was ever stored."""
        if self._ws.version:
            yield from self._ws.stream(f"known {name}", self._ws.table(name).select(*columns))

    @cached_property
    def _interactions(self) -> tuple[IdMap, IdMap, IdMap]:
        parts: list[tuple[IntArray, IntArray, IntArray, BoolArray]] = []
        for batch in self._stored("interactions", "id", "digest", "chain", "from_history"):
            ids, digests, chains, borrowed = batch.columns
            history = borrowed.to_numpy(zero_copy_only=False).astype(bool)
            parts.append((ids.to_numpy(), tails_of(digests), chains.to_numpy(zero_copy_only=False), history))
        rows, tails, chain = (_joined([columns[n] for *columns, _ in parts]) for n in range(3))
        history = np.concatenate([*(part[3] for part in parts), np.empty(0, bool)])
        own = np.unique(chain[~history])
        # Rows from history whose own record is there too: a run that was killed could not remove them.
        self.left_superseded = rows[history & np.isin(chain, own)].tolist()
        return IdMap(rows, tails), IdMap(own), IdMap(chain[history], rows[history])

    @property
    def rows(self) -> IdMap:
        """Interactions: id -> second half of the digest."""
        return self._interactions[0]

    @property
    def chains(self) -> IdMap:
        """Chains of rows that have a record of their own."""
        return self._interactions[1]

    @property
    def borrowed(self) -> IdMap:
        """Chains of rows seen only inside a later request -> id of the row."""
        return self._interactions[2]

    @cached_property
    def posts(self) -> IdMap:
        """Posts: id -> second half of the digest."""
        parts = [(b.column(0).to_numpy(), tails_of(b.column(1))) for b in self._stored("posts", "id", "digest")]
        return IdMap(_joined([ids for ids, _ in parts]), _joined([tails for _, tails in parts]))

    @cached_property
    def accounts(self) -> IdMap:
        """Accounts that have a row."""
        return IdMap(np.unique(_joined([b.column(0).to_numpy() for b in self._stored("accounts", "account")])))

    @cached_property
    def nameless(self) -> set[int]:
        """Accounts whose sealed identity was erased: one that comes back is sealed anew."""
        erased = set(self._ws.left_out().erased)
        if not erased or not self._ws.version:
            return set()
        vault = self._ws.table("vault")
        sealed = vault.filter((vault.kind == "identity") & vault.account.isin(sorted(erased))).select("account")
        return erased - set(self._ws.run("known identities", sealed).column(0).to_pylist())

    @cached_property
    def authors(self) -> IdMap:
        """Authors whose raw id is sealed."""
        if not self._ws.version:
            return IdMap()
        vault = self._ws.table("vault")
        rows = self._ws.run("known authors", vault.filter(vault.kind == "author").select("row"))
        return IdMap(np.unique(rows.column(0).to_numpy()))

    @cached_property
    def rejects(self) -> IdMap:
        """Rejects."""
        return IdMap(np.unique(_joined([b.column(0).to_numpy() for b in self._stored("rejects", "id")])))

    @cached_property
    def facts(self) -> set[int]:
        """Statements about platform accounts."""
        columns = ("author", "platform", "created", "followers", "as_of")
        rows = (row for batch in self._stored("platform_accounts", *columns) for row in batch.to_pylist())
        return {fact_id(tuple(row.values())) for row in rows}

    @cached_property
    def spans(self) -> Spans:
        """Identifiers with the times that are written."""
        spans = Spans()
        for batch in self._stored("identifiers", "account", "kind", "value", "first_seen", "last_seen"):
            named = [column.to_pylist() for column in batch.columns[:3]]
            times = [column.cast(pa.int64()).fill_null(NO_TIME).to_pylist() for column in batch.columns[3:]]
            spans.moved(list(zip(*named, *times, strict=True)), stored=True)
        return spans


def fact_id(fact: Fact) -> int:
    """One int64 for a statement about a platform account."""
    author, platform, created, followers, as_of = fact
    return _mixed(author, platform, _micros(created), followers, _micros(as_of))


def _micros(time: datetime | None) -> int | None:
    return None if time is None else round(time.timestamp() * 1e6)


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate([*parts, _EMPTY])


def tails_of(digests: pa.Array | pa.ChunkedArray) -> IntArray:
    """The second halves of 16-byte digests, as int64."""
    return np.frombuffer(b"".join(digests.to_pylist()), ">i8")[1::2].astype(np.int64)


def settle(known: IdMap, ids: IntArray, tails: IntArray, digests: pa.ChunkedArray, hasher: Hasher) -> Settled:
    """Tell new rows from known ones and from repeats within the batch, and take the new ones in.

    Two records whose ids are equal and whose digests are not are no duplicates: the later one gets the digest of its
    digest, again and again until its id is free, which a second run repeats in the same way.
    """
    held, beside = known.find(ids)
    fresh = ~held
    clashes = np.flatnonzero(held & (beside != tails)).tolist()
    _, at = np.unique(ids, return_index=True)
    repeats = np.ones(len(ids), bool)
    repeats[at] = False
    first = {int(ids[n]): int(tails[n]) for n in at if fresh[n]} if repeats.any() else {}
    clashes += [n for n in np.flatnonzero(repeats & fresh).tolist() if first[int(ids[n])] != tails[n]]
    fresh &= ~repeats
    known.add(ids[fresh], tails[fresh])
    renamed: dict[int, bytes] = {}
    for n in clashes:
        digest = hasher.digest("again", digests[n].as_py())
        while True:
            key, tail = np.array([number(digest)]), int.from_bytes(digest[8:], "big", signed=True)
            there, value = known.find(key)
            if not there[0]:
                known.add(key, np.array([tail]))
                renamed[n], fresh[n] = digest, True
            if not there[0] or value[0] == tail:
                break
            digest = hasher.digest("again", digest)
    return Settled(fresh, renamed)


class Settled(NamedTuple):
    """Which rows are new, and new digests of those whose id another record has."""

    fresh: BoolArray
    renamed: dict[int, bytes]
