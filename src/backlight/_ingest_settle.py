"""What of a chunk is new, and the tables that store it: the part of ingest that sees every chunk in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa

from backlight._ingest_known import IdMap, Known, fact_id, settle, tails_of
from backlight._ingest_rows import NO_TIME, Builder, Built, Fact, Sighting, earliest
from backlight._vault import REJECTS
from backlight.errors import CheckFailed, RecordError
from backlight.hashing import number
from backlight.normalise import identifier_values
from backlight.sources import Identifier, Reject
from backlight.tables import ACCOUNTS, IDENTIFIERS, PLATFORM_ACCOUNTS, VAULT
from backlight.tables import REJECTS as REJECTS_TABLE
from backlight.workspace import Workspace

KEEP = 1 << 20
"""Bytes of a reject that are sealed; its true length is in its row."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_USERS = ("end_user", "user", "key", "organisation", "address")
Spans = list[tuple[int, str, int, int, int]]


@dataclass
class Counts:
    """Rows by what became of them. `repeated` counts exchanges that a later request repeats and that are stored already."""

    read: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    excluded: int = 0
    repeated: int = 0

    def add(self, other: Counts) -> None:
        """Add another count."""
        for name, count in asdict(other).items():
            setattr(self, name, getattr(self, name) + count)

    def check(self, what: str) -> None:
        """Raises CheckFailed unless read = stored + duplicate + rejected + excluded."""
        if self.read != self.stored + self.duplicate + self.rejected + self.excluded:
            raise CheckFailed(f"{what} does not add up: {asdict(self)}", "read = stored + duplicate + rejected + excluded")


@dataclass
class Batch:
    """What one chunk adds to the lake: rows by table, and what was counted."""

    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    vault: list[tuple[int, str, int, int, bytes]] = field(default_factory=list)

    def put(self, name: str, rows: pa.Table) -> None:
        """Add rows to a table."""
        if rows.num_rows:
            self.tables.setdefault(name, []).append(rows)

    def absorb(self, other: Batch) -> None:
        """Add what another chunk adds."""
        for name, parts in other.tables.items():
            self.tables.setdefault(name, []).extend(parts)
        self.vault += other.vault
        self.counts.add(other.counts)

    def joined(self) -> dict[str, pa.Table]:
        """The rows by table."""
        if self.vault:
            names = VAULT.arrow.names
            self.put("vault", pa.table(dict(zip(names, zip(*self.vault, strict=True), strict=True)), schema=VAULT.arrow))
            self.vault = []
        return {name: pa.concat_tables(parts) for name, parts in self.tables.items()}


class Settler:
    """Decides, chunk by chunk and in order, what is new.

    Args:
        ws: the workspace, which the run may write.
        builder: of the parent's own, for what no worker does: history that is seen for the first time.
    """

    def __init__(self, ws: Workspace, builder: Builder) -> None:
        self._ws, self._builder, self._known = ws, builder, Known(ws)
        self._superseded: list[int] = []
        self._owners = IdMap()
        self._raw_accounts: dict[str, set[int]] | None = None

    def load(self, kind: str) -> None:
        """Load what is known of a kind of source; nothing else may use the workspace meanwhile."""
        self._known.load(_NEEDED[kind])

    def chunk(
        self,
        built: Built,
        again: Callable[[frozenset[int]], Built],
        source: str,
        place: str,
        *,
        first_line: int = 1,
        owner: int = 0,
    ) -> Batch:
        """Settle one chunk.

        Args:
            built: its rows.
            again: builds the rows of exchanges that stand in its requests' history, by chain; called where some are new.
            source: name of the format.
            place: of the file, keyed.
            first_line: number of the first line of the chunk, to which places of rejects are relative.
            owner: number of the file in this run.
        """
        batch = Batch()
        self._interactions(built, batch)
        self._history(again, built, batch, owner)
        self._posts(built, batch)
        self._facts(built, source, batch)
        self._accounts(built.accounts, source, batch)
        self._spans(built.identifiers, source, batch)
        self.rejects([_moved(reject, first_line) for reject in built.rejects], place, source, batch)
        batch.counts.read += built.excluded
        batch.counts.excluded += built.excluded
        batch.counts.check("a chunk")
        return batch

    # --- exchanges

    def _interactions(self, built: Built, batch: Batch) -> int:
        """Store the new rows among built interactions; returns how many."""
        rows = built.interactions
        if rows.num_rows == 0:
            return 0
        history = rows.column("from_history")[0].as_py()
        ids, digests = rows.column("id").to_numpy(), rows.column("digest")
        settled = settle(self._known.rows, ids, tails_of(digests), digests, self._ws.hasher)
        blobs = built.blobs
        if settled.renamed:
            blobs = self._resealed(rows, built, settled.renamed)
            rows = _renumbered(rows, settled.renamed)
        months = pa.array(built.months, pa.int32())
        read: int = rows.num_rows
        if not settled.fresh.all():
            kept = pa.array(np.flatnonzero(settled.fresh))
            rows, months, blobs = rows.take(kept), months.take(kept), blobs.take(kept)
        stored: int = rows.num_rows
        batch.put("interactions", rows)
        sealed = pa.table(
            {
                "row": rows.column("id"),
                "kind": pa.repeat("exchange", stored),
                "account": rows.column("account").fill_null(0),
                "month": months,
                "blob": blobs,
            },
            schema=VAULT.arrow,
        )
        batch.put("vault", sealed.filter(sealed.column("blob").is_valid()))
        self._take_chains(rows, history)
        batch.counts.read += stored if history else read
        batch.counts.stored += stored
        batch.counts.duplicate += 0 if history else read - stored
        return stored

    def _take_chains(self, fresh: pa.Table, history: bool) -> None:
        """Remember the chains of stored rows; a row of its own takes the place of one known from history only."""
        chains = fresh.column("chain").to_numpy()
        if history:
            self._known.borrowed.add(chains, fresh.column("id").to_numpy())
            return
        chains = np.unique(chains)
        borrowed, rows = self._known.borrowed.find(chains)
        self._superseded += rows[borrowed & ~self._known.chains.has(chains)].tolist()
        self._known.chains.add(chains[~self._known.chains.has(chains)])

    def _history(self, again: Callable[[frozenset[int]], Built], built: Built, batch: Batch, owner: int) -> None:
        if len(built.chains) == 0:
            return
        chains = np.unique(built.chains)
        unknown = chains[~self._known.chains.has(chains) & ~self._known.borrowed.has(chains)]
        stored = 0
        if len(unknown):
            borrowed = again(frozenset(unknown.tolist()))
            stored = self._interactions(borrowed, batch)
            self._owners.add(borrowed.interactions.column("id").to_numpy(), np.full(borrowed.interactions.num_rows, owner))
        batch.counts.repeated += len(built.chains) - stored

    def _resealed(self, rows: pa.Table, built: Built, renamed: dict[int, bytes]) -> pa.Array:
        """The sealed texts, those of renamed rows sealed for their new id."""
        sealed, vault = built.blobs.to_pylist(), self._ws.vault
        for n, digest in renamed.items():
            blob, account, month = sealed[n], rows.column("account")[n].as_py() or 0, int(built.months[n])
            if blob is not None:
                payload = vault.open(rows.column("id")[n].as_py(), account, month, blob)
                sealed[n] = vault.seal(number(digest), account, month, payload)
        return pa.array(sealed, pa.binary())

    def superseded(self) -> tuple[list[int], dict[int, int]]:
        """Rows known from history whose own record came later, and how many of them each file of this run had stored."""
        rows = self._superseded + self._known.left_superseded
        known, owners = self._owners.find(np.array(rows, np.int64))
        files, counts = np.unique(owners[known], return_counts=True)
        return rows, dict(zip(files.tolist(), counts.tolist(), strict=True))

    # --- posts and platform accounts

    def _posts(self, built: Built, batch: Batch) -> None:
        rows = built.posts
        batch.counts.read += rows.num_rows
        if rows.num_rows:
            ids, digests = rows.column("id").to_numpy(), rows.column("digest")
            settled = settle(self._known.posts, ids, tails_of(digests), digests, self._ws.hasher)
            if settled.renamed:
                rows = _renumbered(rows, settled.renamed)
            fresh = int(settled.fresh.sum())
            batch.put("posts", rows.filter(pa.array(settled.fresh)))
            batch.counts.stored += fresh
            batch.counts.duplicate += rows.num_rows - fresh
        self._authors(built.authors, batch)

    def _authors(self, authors: dict[int, tuple[str, str]], batch: Batch) -> None:
        """Seal the raw ids of authors that are new."""
        ids = np.fromiter(authors, np.int64, len(authors))
        new = ids[~self._known.authors.has(ids)] if len(ids) else ids
        if len(new) == 0:
            return
        self._known.authors.add(new)
        payloads = [msgspec.msgpack.encode({"platform": authors[n][0], "raw": authors[n][1]}) for n in new.tolist()]
        batch.vault += self._sealed("author", new.tolist(), payloads)

    def _facts(self, built: Built, source: str, batch: Batch) -> None:
        if not built.facts:
            return
        fresh: list[Fact] = []
        for fact in built.facts:
            key = fact_id(fact)
            if key not in self._known.facts:
                self._known.facts.add(key)
                fresh.append(fact)
        batch.counts.read += len(built.facts)
        batch.counts.stored += len(fresh)
        batch.counts.duplicate += len(built.facts) - len(fresh)
        names = PLATFORM_ACCOUNTS.arrow.names
        batch.put(
            "platform_accounts", PLATFORM_ACCOUNTS.rows([dict(zip(names, (*fact, source), strict=True)) for fact in fresh])
        )

    # --- accounts and identifiers

    def _accounts(self, sightings: Sequence[Sighting], source: str, batch: Batch) -> None:
        ids = np.fromiter((s.account for s in sightings), np.int64, len(sightings))
        known = self._known.accounts.has(ids) if sightings else np.empty(0, bool)
        new = np.flatnonzero(~known).tolist()
        back = [sightings[n] for n in np.flatnonzero(known).tolist() if sightings[n].account in self._known.nameless]
        self._known.nameless.difference_update(s.account for s in back)
        if not new and not back:
            return
        fresh = [sightings[n] for n in new]
        self._known.accounts.add(ids[new])
        rows: list[dict[str, object]] = [
            {
                "account": s.account, "digest": s.digest, "level": s.level, "key": None if s.level in _ABOVE_KEY else s.key,
                "tenant": s.tenant, "source": source, "first_seen": _time(s.first),
            }
            for s in fresh
        ]  # fmt: skip
        if rows:
            batch.put("accounts", ACCOUNTS.rows(rows))
        payloads = [msgspec.msgpack.encode({"raw": s.raw, "level": s.level, "key": s.raw_key}) for s in (*fresh, *back)]
        batch.vault += self._sealed("identity", [s.account for s in (*fresh, *back)], payloads)

    def _sealed(self, kind: str, ids: list[int], payloads: list[bytes]) -> list[tuple[int, str, int, int, bytes]]:
        """Identities: sealed under the key of the account or author they name, month 0."""
        blobs = self._ws.vault.seal_many(ids, ids, [0] * len(ids), payloads)
        return [(n, kind, n, 0, blob) for n, blob in zip(ids, blobs, strict=True)]

    def _spans(self, spans: Spans, source: str, batch: Batch) -> list[int]:
        told = self._known.spans.moved(spans)
        if told:
            account, kind, value, first, last = zip(*(spans[n] for n in told), strict=True)
            columns = [account, kind, value, _times(first), _times(last), [source] * len(told)]
            batch.put("identifiers", pa.table(columns, schema=IDENTIFIERS.arrow))
        return told

    def claims(self, claims: Iterable[tuple[Reject, Identifier]], place: str, source: str, batch: Batch) -> None:
        """Settle identifiers of an identifiers file, each with the reject it would be.

        A raw id means the account that the logs show under it; where they show none, or several, the row is a reject.
        """
        spans: dict[tuple[int, str, int], tuple[int, int]] = {}
        owners: dict[tuple[int, str, int], int] = {}
        wrong: list[Reject] = []
        good = 0
        for n, (reject, claim) in enumerate(claims):
            try:
                account = self._account_of(claim)
                if self._builder.left_out.covers(account, claim.first_seen or claim.last_seen):
                    batch.counts.add(Counts(read=1, excluded=1))
                    continue
                for account_, kind, value, first, last in self._claimed(account, claim):
                    key = (account_, kind, value)
                    held = spans.get(key, (NO_TIME, NO_TIME))
                    spans[key] = earliest(held[0], first), max(held[1], last)
                    owners.setdefault(key, n)
                good += 1
            except RecordError as error:
                wrong.append(msgspec.structs.replace(reject, reason=str(error)))
        names = list(spans)
        told = {owners[names[n]] for n in self._spans([(*name, *span) for name, span in spans.items()], source, batch)}
        batch.counts.add(Counts(read=good, stored=len(told), duplicate=good - len(told)))
        self.rejects(wrong, place, source, batch)

    def _claimed(self, account: int, claim: Identifier) -> Spans:
        values = identifier_values(claim.kind, claim.value)
        if not values:
            raise RecordError("the value cannot be one of its kind", "such as 198.51.100.7 for ip")
        first, last = _micros(claim.first_seen), _micros(claim.last_seen)
        span = (first if first != NO_TIME else last, last if last != NO_TIME else first)
        return [(account, kind, self._ws.hasher.id(kind, value), *span) for kind, value in values]

    def _account_of(self, claim: Identifier) -> int:
        names = self._ws.pseudonyms
        if claim.key is not None:
            meant = {names.account("end_user", claim.account, key=claim.key)[0]}
        else:
            meant = {names.account(level, claim.account)[0] for level in _END_USERS} | self._by_raw_id(claim.account)
        known = [account for account in meant if self._known.accounts.has(np.array([account]))[0]]
        if len(known) == 1:
            return known[0]
        if known:
            raise RecordError(f"the id stands under {len(known)} keys or levels", "key/id")
        raise RecordError("no account of this id is known", "an id of the logs", "ingest the logs first, then this file again")

    def _by_raw_id(self, raw: str) -> set[int]:
        """Accounts by raw id, whatever key they live under; opened once a run, in memory only."""
        if self._raw_accounts is None:
            self._raw_accounts = {}
            vault = self._ws.table("vault")
            for batch in self._ws.stream(
                "known identities", vault.filter(vault.kind == "identity").select("row", "account", "month", "blob")
            ):
                for account, payload in zip(
                    batch.column(1).to_pylist(), self._ws.vault.open_many(*(c.to_pylist() for c in batch.columns)), strict=True
                ):
                    if payload is not None:
                        self._raw_accounts.setdefault(msgspec.msgpack.decode(payload)["raw"], set()).add(account)
        return self._raw_accounts.get(raw, set())

    # --- rejects

    def rejects(self, rejects: Sequence[Reject], place: str, source: str, batch: Batch) -> None:
        """Store rejects: place, length and reason in plain, their bytes sealed while nobody was erased.

        One that is stored already is only counted.
        """
        batch.counts.read += len(rejects)
        batch.counts.rejected += len(rejects)
        if not rejects:
            return
        hasher, now = self._ws.hasher, datetime.now(UTC)
        month = now.year * 12 + now.month - 1
        places = [f"{place}:{reject.place}" for reject in rejects]
        ids = np.array(
            [hasher.id("reject", where.encode() + b"\0" + r.data) for where, r in zip(places, rejects, strict=True)], np.int64
        )
        _, first = np.unique(ids, return_index=True)
        new = [n for n in first.tolist() if not self._known.rejects.has(ids[n : n + 1])[0]]
        self._known.rejects.add(ids[new])
        rows: list[dict[str, object]] = [
            {
                "id": int(ids[n]), "place": places[n], "length": rejects[n].length, "reason": rejects[n].reason,
                "digest": hasher.digest("bytes", rejects[n].data), "source": source,
            }
            for n in new
        ]  # fmt: skip
        batch.put("rejects", REJECTS_TABLE.rows(rows))
        if self._builder.left_out.erased:  # they may be an erased account's, and no erasure of it would reach them
            return
        held = [int(ids[n]) for n in new]
        count = len(new)
        blobs = self._ws.vault.seal_many(held, [REJECTS] * count, [month] * count, [rejects[n].data[:KEEP] for n in new])
        batch.vault += [(n, "reject", REJECTS, month, blob) for n, blob in zip(held, blobs, strict=True)]


_NEEDED = {
    "interactions": ("rows", "accounts", "nameless", "spans", "rejects"),
    "posts": ("posts", "authors", "facts", "rejects"),
    "platform_accounts": ("posts", "authors", "facts", "rejects"),
    "identifiers": ("accounts", "spans", "rejects"),
}
_ABOVE_KEY = ("key", "organisation", "address")


def _renumbered(rows: pa.Table, renamed: dict[int, bytes]) -> pa.Table:
    """Rows with new digests and ids where another record has their id."""
    ids, digests = rows.column("id").to_pylist(), rows.column("digest").to_pylist()
    for n, digest in renamed.items():
        ids[n], digests[n] = number(digest), digest
    at = rows.column_names.index
    rows = rows.set_column(at("id"), "id", pa.array(ids, pa.int64()))
    return rows.set_column(at("digest"), "digest", pa.array(digests, pa.binary()))


def _moved(reject: Reject, first_line: int) -> Reject:
    """A reject whose place counts lines from the start of its file."""
    line, comma, part = reject.place.removeprefix("line ").partition(",")
    if first_line == 1 or line == reject.place or not line.isdigit():
        return reject
    return msgspec.structs.replace(reject, place=f"line {int(line) + first_line - 1}{comma}{part}")


def _times(micros: Sequence[int]) -> pa.Array:
    held = np.array(micros, np.int64)
    return pa.array(held, mask=held == NO_TIME).cast(pa.timestamp("us", "UTC"))


def _time(micros: int) -> datetime | None:
    return None if micros == NO_TIME else _EPOCH + timedelta(microseconds=micros)


def _micros(time: datetime | None) -> int:
    return NO_TIME if time is None else (time - _EPOCH) // timedelta(microseconds=1)


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of counts."""
    result = Counts()
    for part in parts:
        result.add(part)
    return result
