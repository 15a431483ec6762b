"""What the guard remembers, by (key, id): refusals, watches, counters. SQLite; pseudonyms and keyed hashes only.

Every write is one transaction that is on disk before the call returns (WAL, synchronous FULL), so what was remembered
survives `kill -9` and power loss. Reads come from a connection of their own and never wait for a writer.

Nothing grows without bound, and nobody pays for another: each key has a quota per kind of row, and over it loses its own
oldest rows. Keys that the upstream has never accepted are strangers: they share one allowance, so that invented keys push
out invented keys only.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Self

from msgspec import Struct

from backlight._files import private_folder
from backlight.errors import StoreError
from backlight.guard.decide import DAY, AccountState, Event, Object, Watch

SCHEMA_VERSION: Final = 1
RARE: Final = 5
"""An object seen with this many other accounts is not rare, and nothing listens for it."""
KEEP_DAYS: Final = 31
"""Days after which counters and refusals without a watch are forgotten."""

SCHEMA: Final = """
CREATE TABLE keys (key INTEGER PRIMARY KEY, first_seen REAL NOT NULL, last_seen REAL NOT NULL, accepted INTEGER NOT NULL);
CREATE INDEX keys_strangers ON keys (last_seen) WHERE accepted = 0;
CREATE TABLE accounts (account INTEGER PRIMARY KEY, key INTEGER NOT NULL, level TEXT NOT NULL, first_seen REAL NOT NULL,
  last_seen REAL NOT NULL);
CREATE INDEX accounts_key ON accounts (key, last_seen);
CREATE TABLE requests (account INTEGER NOT NULL, hour INTEGER NOT NULL, key INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (account, hour)) WITHOUT ROWID;
CREATE INDEX requests_key ON requests (key, hour);
CREATE TABLE refusals (id TEXT PRIMARY KEY, key INTEGER NOT NULL, account INTEGER NOT NULL, conversation INTEGER,
  time REAL NOT NULL, refused_by TEXT NOT NULL, rule TEXT);
CREATE INDEX refusals_account ON refusals (account, time);
CREATE INDEX refusals_key ON refusals (key, time);
CREATE TABLE watches (id TEXT PRIMARY KEY, key INTEGER NOT NULL, account INTEGER NOT NULL, cause TEXT NOT NULL,
  set_at REAL NOT NULL, expires REAL NOT NULL, strength TEXT NOT NULL);
CREATE INDEX watches_account ON watches (account, expires);
CREATE INDEX watches_key ON watches (key, set_at);
CREATE TABLE watch_objects (watch TEXT NOT NULL, object INTEGER NOT NULL, kind TEXT NOT NULL, PRIMARY KEY (watch, object))
  WITHOUT ROWID;
CREATE TABLE hits (watch TEXT NOT NULL, event TEXT NOT NULL, time REAL NOT NULL, voice INTEGER NOT NULL,
  PRIMARY KEY (watch, event)) WITHOUT ROWID;
CREATE TABLE sightings (object INTEGER NOT NULL, account INTEGER NOT NULL, key INTEGER NOT NULL, time REAL NOT NULL,
  PRIMARY KEY (object, account)) WITHOUT ROWID;
CREATE INDEX sightings_key ON sightings (key, time);
CREATE INDEX sightings_account ON sightings (account);
CREATE TABLE flags (key INTEGER NOT NULL, reason TEXT NOT NULL, subject INTEGER NOT NULL, event TEXT NOT NULL,
  first REAL NOT NULL, last REAL NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (key, reason, subject)) WITHOUT ROWID;
CREATE INDEX flags_key ON flags (key, last);
CREATE TABLE links (account INTEGER PRIMARY KEY, operation TEXT NOT NULL, until REAL NOT NULL);
"""

_OF_KEY: Final[dict[str, tuple[str, str]]] = {
    "accounts": ("last_seen", "account"),
    "requests": ("hour", "account, hour"),
    "refusals": ("time", "id"),
    "watches": ("set_at", "id"),
    "sightings": ("time", "object, account"),
    "flags": ("last", "key, reason, subject"),
}
"""Tables with a quota per key: what says which rows are oldest, and their primary key."""

RefusedBy = Literal["", "guard", "model"]


@dataclass(frozen=True)
class Quota:
    """Rows that one key may fill, by table; and how many strangers are remembered at all."""

    accounts: int = 200_000
    requests: int = 500_000
    refusals: int = 20_000
    watches: int = 5_000
    sightings: int = 100_000
    flags: int = 1_000
    strangers: int = 10_000


class Entry(Struct, frozen=True, kw_only=True):
    """What one request leaves in memory.

    Attributes:
        event: the decision's event.
        refused_by: guard, model, or empty where it was answered.
        objects: entities and document of its turn.
        watch_days: how long to listen for the rare ones among them; 0 sets no watch. The watch of a request that was
            answered is the weaker one, of strength concern.
        accepted: whether the upstream accepted the key.
    """

    event: Event
    refused_by: RefusedBy = ""
    objects: tuple[Object, ...] = ()
    watch_days: int = 0
    accepted: bool = False


class Flag(Struct, frozen=True, kw_only=True):
    """Something about a key for a person to look at."""

    key: int
    reason: str
    subject: int
    event: str
    first: float
    last: float
    n: int


class WatchCount(Struct, frozen=True, kw_only=True):
    """How often watches were set and came back: with the operator's voice, and without (innocent until read)."""

    watches: int
    hits: int
    innocent: int


class Memory:
    """The guard's memory in one SQLite file.

    Args:
        path: the file; it and its folder are made for their owner only.
        quota: bounds per key.
        clock: epoch seconds; read only to forget what is old.

    Raises:
        StoreError: the file is damaged, or of a newer form.
    """

    def __init__(self, path: str | Path, *, quota: Quota | None = None, clock: Callable[[], float] = time.time) -> None:
        self.path = Path(path)
        self.quota = quota or Quota()
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, int], int] = {}
        private_folder(self.path.parent)
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        try:
            self._write, self._read = self._connect(), self._connect()
            self._make()
            self._read.execute("PRAGMA query_only=ON")
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"the guard's memory {self.path} is damaged ({error})", "a sound file", "restore it or move it away"
            ) from None
        self._tidied = self._clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close both connections."""
        with self._lock:
            self._read.close()
            self._write.close()

    def _connect(self) -> sqlite3.Connection:
        sql = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "temp_store=MEMORY"):
            sql.execute(f"PRAGMA {pragma}")
        return sql

    def _make(self) -> None:
        self._write.execute("BEGIN IMMEDIATE")
        version = self._write.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            for statement in SCHEMA.split(";"):
                self._write.execute(statement)
            self._write.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        self._write.execute("COMMIT")
        if version > SCHEMA_VERSION:
            raise StoreError(f"the guard's memory has form {version}", f"form {SCHEMA_VERSION}", "use a newer Backlight")

    def state(self, account: int, key: int, now: float, conversation: int | None = None) -> AccountState:
        """What is remembered of an account of this key at a time; read on each request."""
        row = self._read.execute(_STATE, {
            "account": account, "key": key, "conversation": conversation, "hour_24": int((now - DAY) // 3600) + 1,
            "hour_30": int((now - 30 * DAY) // 3600) + 1, "day": now - DAY, "month": now - 30 * DAY, "now": now,
        }).fetchone()  # fmt: skip
        return AccountState(
            first_seen=row[0], requests_24h=row[1], requests_30d=row[2], refusals_24h=row[3], refusals_30d=row[4],
            key_refusals_24h=row[5], key_refusals_30d=row[6], conversation_refusals=row[7], linked=bool(row[8]),
            watches=self.watches(account, now) if row[9] else (),
        )  # fmt: skip

    def watches(self, account: int, now: float) -> tuple[Watch, ...]:
        """The watches of an account that have not expired, oldest first, without objects that have become common."""
        rows = self._read.execute(
            "SELECT w.id, account, cause, set_at, expires, strength, object FROM watches w "
            "JOIN watch_objects o ON o.watch = w.id WHERE account = ? AND expires > ? AND (SELECT count(*) FROM (SELECT 1 "
            "FROM sightings s WHERE s.object = o.object AND s.account <> w.account LIMIT ?)) < ? ORDER BY set_at, w.id",
            (account, now, RARE, RARE),
        )
        found: dict[str, tuple[tuple[int, str, float, float, str], set[int]]] = {}
        for name, owner, cause, set_at, expires, strength, thing in rows:
            found.setdefault(name, ((owner, cause, set_at, expires, strength), set()))[1].add(thing)
        return tuple(
            Watch(id=name, account=a, cause=c, set_at=s, expires=e, strength=g, objects=frozenset(things))
            for name, ((a, c, s, e, g), things) in found.items()
        )

    def record(self, entries: Sequence[Entry]) -> None:
        """Remember requests, in one transaction that is on disk before this returns.

        A request that is recorded twice changes only how often its account has asked.
        """
        with self._lock:
            self._write.execute("BEGIN IMMEDIATE")
            try:
                for entry in entries:
                    self._one(entry)
                self._tidy()
            except BaseException:
                self._write.execute("ROLLBACK")
                self._counts.clear()
                raise
            self._write.execute("COMMIT")

    def _one(self, entry: Entry) -> None:
        event = entry.event
        self._key(event, entry.accepted)
        self._insert("accounts", event.key, "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?, ?, ?)",
                     (event.account, event.key, event.level, event.time, event.time))  # fmt: skip
        self._write.execute("UPDATE accounts SET last_seen = max(last_seen, ?) WHERE account = ?", (event.time, event.account))
        hour = (event.account, int(event.time // 3600), event.key)
        self._insert("requests", event.key, "INSERT OR IGNORE INTO requests VALUES (?, ?, ?, 0)", hour)
        self._write.execute("UPDATE requests SET n = n + 1 WHERE account = ? AND hour = ?", hour[:2])
        self._write.executemany(
            "INSERT OR IGNORE INTO hits VALUES (?, ?, ?, ?)",
            [(watch, event.id, event.time, event.voice) for watch in event.hits],
        )
        if entry.refused_by:
            row = (event.id, event.key, event.account, event.conversation, event.time, entry.refused_by, event.rule)
            self._insert("refusals", event.key, "INSERT OR IGNORE INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        if entry.watch_days:
            self._watch(entry)
        for thing in entry.objects:
            self._insert("sightings", event.key, "INSERT OR IGNORE INTO sightings VALUES (?, ?, ?, ?)",
                         (thing.id, event.account, event.key, event.time))  # fmt: skip
        if event.claimed is not None and (entry.refused_by or event.mode != "allow"):
            self._flag(event, "claimed_id", event.claimed)
        elif event.action in ("review", "propose_ban", "flag"):
            self._flag(event, event.action, event.account)

    def _key(self, event: Event, accepted: bool) -> None:
        self._write.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "last_seen = max(last_seen, excluded.last_seen), accepted = max(accepted, excluded.accepted)",
            (event.key, event.time, event.time, int(accepted)),
        )

    def _watch(self, entry: Entry) -> None:
        event = entry.event
        rare = [thing for thing in entry.objects if self._rare(thing.id, event.account)]
        if not rare:
            return
        watch, strength = f"w-{event.id}", "refusal" if entry.refused_by else "concern"
        until = event.time + entry.watch_days * DAY
        self._insert("watches", event.key, "INSERT OR IGNORE INTO watches VALUES (?, ?, ?, ?, ?, ?, ?)",
                     (watch, event.key, event.account, event.id, event.time, until, strength))  # fmt: skip
        self._write.executemany(
            "INSERT OR IGNORE INTO watch_objects VALUES (?, ?, ?)", [(watch, thing.id, thing.kind) for thing in rare]
        )

    def _rare(self, thing: int, account: int) -> bool:
        """Seen with fewer than `RARE` other accounts. Posts do not count: later use in public is evidence."""
        query = "SELECT count(*) FROM (SELECT 1 FROM sightings WHERE object = ? AND account <> ? LIMIT ?)"
        return bool(self._write.execute(query, (thing, account, RARE)).fetchone()[0] < RARE)

    def _flag(self, event: Event, reason: str, subject: int) -> None:
        row = (event.key, reason, subject, event.id, event.time, event.time)
        self._insert("flags", event.key, "INSERT OR IGNORE INTO flags VALUES (?, ?, ?, ?, ?, ?, 0)", row)
        self._write.execute(
            "UPDATE flags SET n = n + 1, last = max(last, ?), event = ? WHERE key = ? AND reason = ? AND subject = ?",
            (event.time, event.id, event.key, reason, subject),
        )

    def _insert(self, table: str, key: int, statement: str, row: tuple[object, ...]) -> None:
        """Insert a row of a key, and if that takes the key over its quota, drop its own oldest rows."""
        if not self._write.execute(statement, row).rowcount:
            return
        counted = self._counts.get((table, key))
        if counted is None:
            if len(self._counts) > 100_000:
                self._counts.clear()
            counted = self._write.execute(f"SELECT count(*) FROM {table} WHERE key = ?", (key,)).fetchone()[0] - 1
        limit = int(getattr(self.quota, table))
        if counted + 1 > limit:
            spare = max(1, limit // 20)  # some room, so that not every insert sorts
            order, primary = _OF_KEY[table]
            oldest = f"SELECT {primary} FROM {table} WHERE key = ? ORDER BY {order} LIMIT ?"
            excess = counted + 1 - limit + spare - 1
            counted -= self._write.execute(f"DELETE FROM {table} WHERE ({primary}) IN ({oldest})", (key, excess)).rowcount
            if table == "watches":
                self._orphans()
        self._counts[table, key] = counted + 1

    def _orphans(self) -> None:
        for table in ("watch_objects", "hits"):
            self._write.execute(f"DELETE FROM {table} WHERE watch NOT IN (SELECT id FROM watches)")

    def _tidy(self) -> None:
        """Once an hour: forget what is old, and strangers above their allowance."""
        now = self._clock()
        strangers = self._write.execute("SELECT count(*) FROM keys WHERE accepted = 0").fetchone()[0] - self.quota.strangers
        if strangers > 0:
            oldest = "SELECT key FROM keys WHERE accepted = 0 ORDER BY last_seen LIMIT ?"
            self._forget_keys([key for (key,) in self._write.execute(oldest, (strangers + self.quota.strangers // 20,))])
        if 0 <= now - self._tidied < 3600:
            return
        self._tidied = now
        before = now - KEEP_DAYS * DAY
        self._write.execute("DELETE FROM watches WHERE expires < ?", (now - DAY,))
        self._orphans()
        self._write.execute("DELETE FROM links WHERE until < ?", (now - DAY,))
        self._write.execute("DELETE FROM requests WHERE hour < ?", (int(before // 3600),))
        self._write.execute("DELETE FROM refusals WHERE time < ?", (before,))
        self._write.execute("DELETE FROM sightings WHERE time < ?", (before,))
        self._counts.clear()

    def _forget_keys(self, keys: Iterable[int]) -> None:
        for key in keys:
            for table in (*_OF_KEY, "keys"):
                self._write.execute(f"DELETE FROM {table} WHERE key = ?", (key,))
        self._orphans()
        self._counts.clear()

    def link(self, account: int, operation: str, until: float) -> None:
        """Remember that an account is tied to a confirmed operation; rules may observe or ask for review on it."""
        with self._lock:
            self._write.execute("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", (account, operation, until))

    def flags(self, key: int | None = None) -> list[Flag]:
        """Flags of a key, or all, newest first."""
        where, values = ("WHERE key = ?", (key,)) if key is not None else ("", ())
        rows = self._read.execute(
            f"SELECT key, reason, subject, event, first, last, n FROM flags {where} ORDER BY last DESC", values
        )
        return [Flag(key=k, reason=r, subject=s, event=e, first=f, last=t, n=n) for k, r, s, e, f, t, n in rows]

    def watch_counts(self) -> WatchCount:
        """How many watches there are, how often they came back in the operator's voice, and how often without."""
        watches = self._read.execute("SELECT count(*) FROM watches").fetchone()[0]
        hits, voiced = self._read.execute("SELECT count(*), coalesce(sum(voice), 0) FROM hits").fetchone()
        return WatchCount(watches=watches, hits=voiced, innocent=hits - voiced)

    def refusals(self) -> dict[str, RefusedBy]:
        """All remembered refusals: event id and who refused."""
        return dict(self._read.execute("SELECT id, refused_by FROM refusals ORDER BY time"))

    def erase(self, account: int) -> int:
        """Forget an account, and if it is a key everything under it; returns how many rows went.

        Freed pages are zeroed and the write-ahead log is emptied, so that nothing of it stays in the file.
        """
        with self._lock:
            self._write.execute("BEGIN IMMEDIATE")
            before = self._write.total_changes
            row = self._write.execute("SELECT key, level FROM accounts WHERE account = ?", (account,)).fetchone()
            for table in ("accounts", "requests", "refusals", "watches", "sightings", "links"):
                self._write.execute(f"DELETE FROM {table} WHERE account = ?", (account,))
            self._write.execute("DELETE FROM flags WHERE subject = ?", (account,))
            if row is not None and row[1] != "end_user":
                self._forget_keys([row[0]])
            self._orphans()
            gone = self._write.total_changes - before
            self._write.execute("COMMIT")
            self._counts.clear()
            self._write.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return gone


_STATE: Final = """
SELECT (SELECT first_seen FROM accounts WHERE account = :account),
  (SELECT coalesce(sum(n), 0) FROM requests WHERE account = :account AND hour >= :hour_24),
  (SELECT coalesce(sum(n), 0) FROM requests WHERE account = :account AND hour >= :hour_30),
  (SELECT count(*) FROM refusals WHERE account = :account AND time > :day),
  (SELECT count(*) FROM refusals WHERE account = :account AND time > :month),
  (SELECT count(*) FROM refusals WHERE key = :key AND time > :day),
  (SELECT count(*) FROM refusals WHERE key = :key AND time > :month),
  (SELECT count(*) FROM refusals WHERE account = :account AND time > :month AND conversation = :conversation),
  EXISTS (SELECT 1 FROM links WHERE account = :account AND until > :now),
  EXISTS (SELECT 1 FROM watches WHERE account = :account AND expires > :now)
"""
