"""The store: one workspace holds the lake, the vault, the audit log and the engine that computes over them.

    with Workspace.open("backlight-workspace", create=True) as ws:
        with ws.writing():
            ws.commit({"interactions": rows}, source="log.jsonl", offset={"line": 1000})
        posts = ws.table("posts")
        ws.run("posts by day", posts.group_by("day").agg(n=posts.count()))

Keys lie outside the folder (see `_keys`), so the folder alone shows pseudonyms, keyed hashes, times and counts, and no
text or identity. Whoever holds the folder and the keys sees everything.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
import time
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import ibis.expr.operations as ops
import ibis.expr.types as ir
import msgspec
import pyarrow as pa

from backlight._audit import Audit, Verdict
from backlight._files import private_folder, write_private
from backlight._keys import KeyFolder, Keys, KeyStore, backup, key_folder, outside_secret
from backlight._lake import Commit, Lake
from backlight._settings import LeftOut, Settings, load_settings
from backlight._vault import REJECTS, Vault
from backlight.engine import DuckDBEngine
from backlight.errors import KeyMissing, Locked, RequestError, StoreError
from backlight.hashing import Hasher
from backlight.tables import TABLES, parse_id, show_id

if TYPE_CHECKING:
    from backlight.normalise import Pseudonyms

__all__ = ["Commit", "Erasure", "Settings", "Timing", "Turn", "Turns", "Workspace"]

_MARKER = "workspace.json"
_SETTINGS = "backlight.yaml"
_FORMAT = 1
_TURNS_AT_ONCE = 4096
_REOPEN = "if rows were erased meanwhile, open the workspace again"
_NOT_IN_PATHS = "[]%\\^|"

_README = """\
This folder is a workspace of Backlight. It belongs to the program: change nothing in it but backlight.yaml.

  backlight.yaml   settings (may be absent: the defaults)
  lake/            tables, as Delta: pseudonyms, keyed hashes, times, counts, public posts; text and identities only sealed
  commits/         one record a batch: which version of every table belongs together
  audit.jsonl      who saw or erased what, for which case and why (backlight verify)
  temp/            of running queries; wiped at start

Its keys are not in it, but in {keys}.
Without them no text and no identity in it can be read; back them up elsewhere (backlight key backup).
"""


@dataclass(frozen=True)
class Turn:
    """One exchange, opened in memory. Never write it to disk, and never send it through a query.

    Attributes:
        id: the interaction.
        account: who asked; 0 where the record has no account.
        time: when it was asked, UTC; None if not collected.
        prompt: the last user message, whole; None where the log has no text.
        system: the system prompt; None if absent, or sealed with an earlier turn of the account and month.
        output: the answer; None if absent.
        earlier: messages of the same request that were not seen before it, oldest first.
    """

    id: int
    account: int
    time: datetime | None
    prompt: str | None
    system: str | None
    output: str | None
    earlier: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Timing:
    """One executed step: its name, seconds it took, rows it gave."""

    step: str
    seconds: float
    rows: int


@dataclass(frozen=True)
class Erasure:
    """What an erasure did.

    Attributes:
        account: the pseudonym.
        keys: data keys deleted.
        rows: sealed items deleted.
        note: what the owner must still do.
    """

    account: str
    keys: int
    rows: int
    note: str

    def __str__(self) -> str:
        return f"{self.account} is erased: {self.keys} keys and {self.rows} sealed items. {self.note}"


_ERASED_NOTE = (
    "Copies of the key folder made before now still open older copies of this workspace: replace them "
    "(backlight key backup). The pseudonym and keyed hashes stay; with the keys, a guess can be confirmed, not read."
)


class Turns(Iterator[Turn]):
    """Turns, opened one batch at a time; `erased` counts those whose data key is gone, which are skipped."""

    def __init__(self, batches: Iterator[pa.RecordBatch], vault: Vault) -> None:
        self.erased = 0
        self._turns = self._opened(batches, vault)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Turn:
        return next(self._turns)

    def _opened(self, batches: Iterator[pa.RecordBatch], vault: Vault) -> Iterator[Turn]:
        for batch in batches:
            rows = batch.to_pydict()
            opened = vault.open_many(rows["row"], rows["account"], rows["month"], rows["blob"])
            for row, account, at, payload in zip(rows["row"], rows["account"], rows["time"], opened, strict=True):
                if payload is None:
                    self.erased += 1
                else:
                    text = msgspec.msgpack.decode(payload)
                    earlier = tuple(text.get("e") or ())
                    yield Turn(
                        row, account, at and at.replace(tzinfo=UTC), text.get("p"), text.get("s"), text.get("o"), earlier
                    )


class Workspace:
    """The store of one owner. Open it with `Workspace.open`; close it, or use it in a `with` statement.

    It pins the newest data version when it is opened; its own commits and `refresh` move it on.

    Attributes:
        path: the folder.
        id: its id, which names the key folder.
        hasher: keyed hashes of values.
        vault: seals and opens text and raw identities.
        audit: the audit log.
        timings: the steps that `run` and `stream` executed.
        erasers: called with an account's number by `erase`, for what lies outside the lake, such as the guard's memory.
    """

    def __init__(self, path: Path, identity: str, keys: Keys, folder: KeyFolder) -> None:
        self.path, self.id = path, identity
        self._keys, self._key_folder, self._key_store = keys, folder, KeyStore(folder)
        self.hasher = Hasher(keys.hash)
        self.vault = Vault(self._key_store)
        self.audit = Audit(path / "audit.jsonl", self.hasher)
        self.timings: list[Timing] = []
        self.erasers: tuple[Callable[[int], object], ...] = ()
        self._lake = Lake(path / "lake", path / "commits")
        self._pinned = self._lake.newest()
        self._bound: dict[str, int | None] = {}
        self._writing = 0
        self._lock = -1

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False) -> Workspace:
        """Open a workspace.

        Args:
            path: its folder.
            create: make it if the folder does not exist or is empty.

        Raises:
            RequestError: the path cannot hold a workspace, or its settings are wrong.
            StoreError: there is no workspace, or it is damaged.
            KeyMissing: its keys are missing or another's; nothing was written.
        """
        folder = _checked_path(Path(path))
        if not (folder / _MARKER).is_file():
            if not create:
                raise StoreError(
                    f"{folder} is not a workspace", "a folder that Backlight made", "check -w, or ingest something first"
                )
            return cls.create(folder)
        marker = _read_marker(folder / _MARKER)
        keys = KeyFolder(key_folder(marker["id"]), outside_secret(marker["id"]))
        held = keys.load(marker["id"])
        if not secrets.compare_digest(held.check(), marker["check"]):
            raise KeyMissing(f"the keys in {keys.path} are not those of {folder}", "the keys it was made with")
        for name in ("lake", "commits"):
            if not (folder / name).is_dir():
                raise StoreError(f"{folder} has no folder {name}", "a whole workspace", "put it back from a copy")
        load_settings(folder / _SETTINGS)  # a mistake in it is told now, not in the middle of the work
        return cls(folder, marker["id"], held, keys)

    @classmethod
    def create(cls, path: str | os.PathLike[str] = "backlight-workspace") -> Workspace:
        """Make a workspace, for its owner alone (mode 0700), and its keys.

        Raises:
            RequestError: the folder holds something, or its path cannot hold a workspace.
        """
        folder = _checked_path(Path(path))
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"{folder} exists and is no workspace", "a folder that is empty or does not exist")
        identity = secrets.token_hex(16)
        keys = KeyFolder(key_folder(identity), outside_secret(identity))
        try:
            private_folder(folder)
            held = keys.create(identity)
            for name in ("lake", "commits"):
                private_folder(folder / name)
            write_private(folder / "README", _README.format(keys=keys.path).encode())
            made = datetime.now(UTC).isoformat(timespec="seconds")
            marker = {"format": _FORMAT, "id": identity, "check": held.check(), "created": made}
            # Last, since it is what makes the folder a workspace.
            write_private(folder / _MARKER, json.dumps(marker, indent=1).encode())
        except OSError as error:
            raise RequestError(f"{folder} cannot be made ({error.strerror})", "a place that can be written to") from error
        return cls(folder, identity, held, keys)

    def close(self) -> None:
        """Close the engine and the key store and let go of the writer lock."""
        if "engine" in self.__dict__:
            self.engine.close()
            del self.__dict__["engine"]
            self._bound.clear()
        self._key_store.close()
        self._unlock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def settings(self) -> Settings:
        """The settings of `backlight.yaml`; changed by hand, read once."""
        return load_settings(self.path / _SETTINGS)

    @cached_property
    def engine(self) -> DuckDBEngine:
        """What executes; `run` and `stream` use it, and small tables in memory are bound on it."""
        return DuckDBEngine(self.path, memory=self.settings.memory, threads=self.settings.threads)

    @cached_property
    def pseudonyms(self) -> Pseudonyms:
        """The pseudonyms of raw identities."""
        from backlight.normalise import Pseudonyms

        return Pseudonyms(self._keys.pseudonym)

    @property
    def spool_key(self) -> bytes:
        """The key of the guard's spool, 32 bytes."""
        return self._keys.spool

    # --- reading -------------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The pinned data version: the newest one when it was opened, refreshed or written by this workspace; 0 is empty."""
        return self._pinned.version

    def refresh(self) -> int:
        """Pin the newest data version, and return it."""
        self._pinned = self._lake.newest()
        return self.version

    def commits(self) -> Iterator[Commit]:
        """The commit records up to the pinned data version, oldest first."""
        return self._lake.commits(self.version)

    def progress(self, source: str) -> Mapping[str, Any]:
        """The last offset that was committed for a source; empty if there is none."""
        return self._lake.progress(source, self.version)

    def table(self, name: str) -> ir.Table:
        """A table of the pinned data version as an unbound expression, to be run by `run` or `stream`.

        Raises:
            RequestError: there is no such table.
        """
        if name not in TABLES:
            raise RequestError(f"there is no table {name!r}", f"one of {', '.join(TABLES)}")
        if name not in self._bound:
            self._bind(name)
        return TABLES[name].unbound()

    def run(self, step: str, expression: ir.Table, parameters: Mapping[str, object] | None = None) -> pa.Table:
        """Execute an expression and return all of its rows; the step's name, time and rows go to `timings`."""
        self._bind_anew(expression)
        started = time.perf_counter()
        rows = self.engine.run(expression, parameters)
        self.timings.append(Timing(step, time.perf_counter() - started, rows.num_rows))
        return rows

    def stream(self, step: str, expression: ir.Table, rows: int = 65_536) -> pa.RecordBatchReader:
        """Execute an expression and return its rows in batches; its time, the reader's pauses left out, goes to `timings`."""
        self._bind_anew(expression)
        started = time.perf_counter()
        reader = self.engine.stream(expression, rows)
        spent = time.perf_counter() - started
        return pa.RecordBatchReader.from_batches(reader.schema, self._timed(step, reader, spent))

    def _timed(self, step: str, reader: pa.RecordBatchReader, spent: float) -> Iterator[pa.RecordBatch]:
        count = 0
        try:
            while True:
                started = time.perf_counter()
                batch = _next(reader)
                spent += time.perf_counter() - started
                if batch is None:
                    return
                count += batch.num_rows
                yield batch
        finally:
            self.timings.append(Timing(step, spent, count))

    def turns(self, ids: pa.Array | Sequence[int] | None = None) -> Turns:
        """Open the text of these interactions, or of all; in no set order.

        A step may read text in memory. Showing it to a person is a reveal: see `read_text`.
        """
        vault, interactions = self.table("vault"), self.table("interactions")
        sealed = vault.filter(vault.kind == "exchange")
        if ids is not None:
            wanted = self.engine.bind("_turn_ids", pa.table({"wanted": pa.array(ids, pa.int64())}))
            sealed = sealed.semi_join(wanted, sealed.row == wanted.wanted)
        times = interactions.select(interaction=interactions.id, time=interactions.time)
        joined = sealed.left_join(times, sealed.row == times.interaction).select("row", "account", "month", "blob", "time")
        return Turns(iter(self.stream("open turns", joined, _TURNS_AT_ONCE)), self.vault)

    # --- writing -------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Hold the writer lock. On the way in, what a crash left is healed; inside, it may be taken again.

        Raises:
            Locked: another process holds it.
        """
        if not self._writing:
            self._take_lock()
        self._writing += 1
        try:
            if self._writing == 1:
                self._lake.heal()
                self._key_store.tidy()
                self.refresh()
                for account in self._key_store.erasing():
                    self._finish_erasure(account)
            yield self
        finally:
            self._writing -= 1
            if not self._writing:
                self._unlock()

    def commit(
        self, tables: Mapping[str, pa.Table], *, replace: Collection[str] = (), delete: Mapping[str, str] | None = None,
        source: str = "", offset: Mapping[str, Any] | None = None, counts: Mapping[str, int] | None = None,
    ) -> int:  # fmt: skip
        """Write one batch, whole or not at all, and return the data version it made, which is pinned.

        Args:
            tables: rows by table, appended; columns that are left out are null.
            replace: derived tables whose rows are put in place of all others.
            delete: by table, an SQL condition on ids or times; the lake's log keeps it, so no text and no raw identity.
            source: what the batch was read from; no path that names a person.
            offset: how far the source is read; `progress` gives it back.
            counts: what was counted, such as {"stored": 10}.

        Raises:
            RequestError: rows do not have their table's columns; nothing was written.
            StoreError: not inside `writing`, or the batch could not be written and was taken back.
        """
        self._require_lock()
        try:
            self._lake.commit(tables, overwrite=replace, delete=delete, source=source, offset=offset, counts=counts)
        finally:
            # A batch that was taken back leaves a commit record of its own.
            self.refresh()
        return self.version

    # --- people --------------------------------------------------------------------------------------------------

    def reveal(self, ids: Sequence[str], *, case: str, reason: str, who: str) -> list[dict[str, str | None]]:
        """Show the raw identities of accounts, after the audit entry is on disk.

        Args:
            ids: pseudonyms of accounts, acc-...
            case: a case id, or a free reference before there is one.
            reason: why.
            who: who asks.

        Returns:
            One {"account", "raw_account", "level", "key"} an id, in its order; `raw_account` is null where it was erased.

        Raises:
            RequestError: case or reason is empty, or an id is none or unknown; nothing was shown.
            StoreError: the audit entry could not be written; nothing was shown.
        """
        _require_reason(case, reason, who)
        numbers = [_account_number(shown) for shown in ids]
        sealed = self._identities(numbers)
        self.audit.record("reveal", who=who, case=case, reason=reason, objects=numbers)
        return [_identity(number, sealed.get(number)) for number in numbers]

    def read_text(self, row_ids: Sequence[int | str], *, case: str, reason: str, who: str) -> list[dict[str, Any]]:
        """Show the text of interactions, after the audit entry is on disk.

        Args:
            row_ids: interactions, as numbers or int-...
            case: a case id, or a free reference before there is one.
            reason: why.
            who: who asks.

        Returns:
            One {"interaction", "account", "time", "prompt", "system", "output", "earlier"} an interaction, in the order
            of the ids; those that were erased or never had text are left out.

        Raises:
            RequestError: case or reason is empty, or an id is none; nothing was shown.
            StoreError: the audit entry could not be written; nothing was shown.
        """
        _require_reason(case, reason, who)
        numbers = [_number(row, "interaction") if isinstance(row, str) else int(row) for row in row_ids]
        self.audit.record("read_text", who=who, case=case, reason=reason, objects=numbers)
        turns = {turn.id: turn for turn in self.turns(numbers)}
        return [_shown(turns[number]) for number in numbers if number in turns]

    def erase(self, account: str, *, reason: str, who: str = "", case: str = "") -> Erasure:
        """Make an account's text and raw identity unreadable, in this workspace and in every copy of it.

        Its data keys are deleted, the key store's log is emptied, and the wrapping key is rotated and destroyed; then
        its sealed items, identifiers and actions are deleted from the lake. Copies of the key folder made before must be
        replaced: together with an older copy of the workspace they would still open it. Records of before this moment,
        and those without a time, are excluded when a log is read again. The bytes of rejected records go too, since whose
        they are cannot be told, and from now on none are kept. Its pseudonym and the keyed hashes of its texts
        stay in other tables. Cut short by a crash, it is finished by the next writer.

        Args:
            account: a pseudonym (acc-...), or the raw id as in the log (`key/id` where it stands under several keys).
            reason: why.
            who: who asks; the user of this process if left out.
            case: a case id, if there is one.

        Raises:
            RequestError: no account, or more than one, is meant; or the reason is empty.
            StoreError: the audit entry could not be written; nothing was erased.
        """
        if not reason.strip():
            raise RequestError("an erasure has no reason", "why it is done", "give --reason")
        with self.writing():
            kind, number = self._resolve(account)
            self.audit.record("erase", who=who or _user(), case=case, reason=reason, objects=[number])
            keys = self._key_store.delete_account(number, besides=REJECTS)
            rows = self._finish_erasure(number)
            return Erasure(show_id(kind, number), keys, rows, _ERASED_NOTE)

    def left_out(self) -> LeftOut:
        """What ingest counts and does not store: accounts and tenants that the settings exclude, and what erased accounts did
        before their erasure.
        """
        return LeftOut(self.settings.excluded("account"), self.settings.excluded("tenant"), self._key_store.erased())

    def retain(self, *, who: str = "", now: datetime | None = None) -> int:
        """Make text and rejected bytes older than `retain_text_days` unreadable, as `erase` does; returns items deleted.

        By whole months: a month goes when all of it is that old. Text without a time, and identities, stay.

        Args:
            who: who asks; the user of this process if left out.
            now: the time to reckon from; the present if left out.
        """
        days = self.settings.retain_text_days
        if days is None:
            return 0
        newest = (now or datetime.now(UTC)) - timedelta(days=days)
        before = newest.year * 12 + newest.month - 1
        with self.writing():
            vault = self.table("vault")
            old = vault.filter((vault.month > 0) & (vault.month < before))
            rows: int = self.run("count old items", old.select("row")).num_rows
            reason = f"text is kept for {days} days"
            self.audit.record("retain", who=who or _user(), reason=reason, objects=[f"months before {before}"])
            if self._key_store.delete_months(before) + rows:
                self._key_store.rotate()
                self._pinned = self._lake.commit({}, delete={"vault": f"month > 0 AND month < {before}"}, source="retain")
                self._lake.sweep(["vault"])
            return rows

    def rotate_key(self, *, who: str = "", reason: str = "rotation") -> int:
        """Wrap all data keys under a new wrapping key and destroy the old one; returns how many there are."""
        with self.writing():
            self.audit.record("rotate_key", who=who or _user(), reason=reason)
            return self._key_store.rotate()

    def backup_keys(self, path: str | os.PathLike[str]) -> Path:
        """Copy the key folder to a new folder outside the workspace, and return it.

        To use it, put it back as the key folder. A backup made before an erasure opens what was erased in older copies
        of the workspace: replace it after each erasure.

        Raises:
            RequestError: the place exists, or lies in the workspace or in the key folder.
        """
        target = Path(path).resolve()
        backup(self._key_folder, self._key_store, target, workspace=self.path)
        return target

    def verify(self, root: str | None = None) -> Verdict:
        """Check the audit log's chain, and that it still holds a root kept elsewhere."""
        return self.audit.verify(root)

    # --- inside --------------------------------------------------------------------------------------------------

    def _bind_anew(self, expression: ir.Table) -> None:
        """Bind the tables of an expression that were bound in another data version than the pinned one."""
        for table in expression.op().find(ops.UnboundTable):
            if table.name in self._bound and self._bound[table.name] != self._pinned.tables.get(table.name):
                self._bind(table.name)

    def _bind(self, name: str) -> None:
        self.engine.read(name, self._lake.files(name, self._pinned), empty=TABLES[name].empty())
        self._bound[name] = self._pinned.tables.get(name)

    def _take_lock(self) -> None:
        lock = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise Locked(
                f"process {holder} is writing to {self.path}", "one writer at a time", "wait for it, or end it"
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock

    def _unlock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _require_lock(self) -> None:
        if not self._writing:
            raise StoreError("a commit outside of `writing`", "the writer lock", "use `with ws.writing():`")

    def _identities(self, numbers: Sequence[int] | None) -> dict[int, dict[str, Any] | None]:
        """Raw identities by account, of these or of all; None where only the sealed item or its key is gone.

        Raises:
            RequestError: one of these accounts is unknown.
        """
        vault, accounts = self.table("vault"), self.table("accounts")
        sealed = vault.filter(vault.kind == "identity")
        known = accounts.select("account").distinct()
        if numbers is not None:
            wanted = self.engine.bind("_identity_ids", pa.table({"wanted": pa.array(sorted(set(numbers)), pa.int64())}))
            sealed = sealed.semi_join(wanted, sealed.row == wanted.wanted)
            known = known.semi_join(wanted, known.account == wanted.wanted)
        found: dict[int, dict[str, Any] | None] = dict.fromkeys(self.run("known accounts", known)["account"].to_pylist())
        for batch in self.stream("open identities", sealed.select("row", "account", "month", "blob")):
            rows = batch.to_pydict()
            opened = self.vault.open_many(rows["row"], rows["account"], rows["month"], rows["blob"])
            for row, payload in zip(rows["row"], opened, strict=True):
                found[row] = None if payload is None else msgspec.msgpack.decode(payload)
        unknown = [show_id("account", number) for number in numbers or () if number not in found]
        if unknown:
            raise RequestError(f"{len(unknown)} accounts are unknown here, such as {unknown[0]}", "accounts of this workspace")
        return found

    def _resolve(self, given: str) -> tuple[str, int]:
        """Kind and number of the account, or platform account, that a pseudonym or a raw id means."""
        try:
            kind, number = parse_id(given)
        except ValueError:
            kind, number = "", 0
        if kind in ("account", "platform"):
            vault, accounts = self.table("vault"), self.table("accounts")
            known = vault.filter(vault.account == number).select("account").distinct()
            known = known.union(accounts.filter(accounts.account == number).select("account").distinct())
            if self.run("is it known", known).num_rows:
                return kind, number
        meant = [
            number
            for number, raw in self._identities(None).items()
            if raw is not None and given in (raw.get("raw"), f"{raw.get('key')}/{raw.get('raw')}")
        ]
        if len(meant) != 1:
            shown = ", ".join(show_id("account", number) for number in meant[:10])
            raise RequestError(
                f"the id means {len(meant)} accounts{shown and ': ' + shown}", "one", "give a pseudonym, or key/id"
            )
        return "account", meant[0]

    def _finish_erasure(self, account: int) -> int:
        """Everything after the data keys are gone; may be run again."""
        self._key_store.rotate()
        vault = self.table("vault")
        rows: int = self.run("count sealed items", vault.filter(vault.account == account).select("row")).num_rows
        gone = {
            "vault": f"account IN ({account}, {REJECTS})",
            "identifiers": f"account = {account}",
            "actions": f"actor = {account}",
        }
        self._pinned = self._lake.commit({}, delete=gone, source="erase")
        self._lake.sweep(gone)
        for eraser in self.erasers:
            eraser(account)
        self._key_store.end_erasure(account)
        self.audit.record("erased", who="backlight", objects=[account])
        return rows


def _checked_path(path: Path) -> Path:
    """The absolute path, if the libraries below can be trusted with it.

    Delta's library reads a percent sign as an encoding and a backslash as a slash, and then writes elsewhere; on brackets,
    a caret or a bar it gives up.
    """
    folder = path.expanduser().resolve()
    bad = sorted({sign for sign in str(folder) if sign in _NOT_IN_PATHS or unicodedata.category(sign) in ("Cc", "Cs")})
    if bad:
        expected = f"a path without {' '.join(_NOT_IN_PATHS)} and control characters"
        raise RequestError(f"the workspace path {str(folder)!r} contains {' '.join(map(repr, bad))}", expected)
    return folder


def _read_marker(file: Path) -> dict[str, str]:
    try:
        marker = json.loads(file.read_bytes())
        shown = {name: str(marker[name]) for name in ("format", "id", "check")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{file} is damaged", "what Backlight wrote there", "put it back from a copy") from error
    if shown["format"] != str(_FORMAT):
        raise StoreError(f"{file} is of format {shown['format']}", f"format {_FORMAT}", "use a newer Backlight")
    if len(shown["id"]) != 32 or not set(shown["id"]) <= set("0123456789abcdef"):
        raise StoreError(f"{file} names no workspace id", "32 hex digits", "put it back from a copy")
    return shown


def _require_reason(case: str, reason: str, who: str) -> None:
    for name, value in (("case", case), ("reason", reason), ("name of who asks", who)):
        if not value.strip():
            raise RequestError(f"a reveal has no {name}", "a case, a reason and who asks", "give --case and --reason")


def _number(shown: str, kind: str) -> int:
    try:
        found, number = parse_id(shown)
    except ValueError as error:
        raise RequestError(str(error)) from error
    if found != kind:
        raise RequestError(f"{shown} is the id of a {found}", f"the id of a {kind}")
    return number


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return next(reader, None)
    except (OSError, pa.ArrowException) as error:
        first = (str(error).splitlines() or [""])[0][:300]
        raise StoreError(f"a query stopped while it was read ({first})", "every file of the data version", _REOPEN) from error


def _user() -> str:
    """Who runs this process, for the audit log."""
    try:
        return os.environ.get("BACKLIGHT_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def _shown(turn: Turn) -> dict[str, Any]:
    return {
        "interaction": show_id("interaction", turn.id),
        "account": show_id("account", turn.account),
        "time": turn.time and turn.time.isoformat(),
        "prompt": turn.prompt,
        "system": turn.system,
        "output": turn.output,
        "earlier": list(turn.earlier),
    }


def _account_number(shown: str) -> int:
    return _number(shown, "account")


def _identity(number: int, held: Mapping[str, Any] | None) -> dict[str, str | None]:
    raw = held or {}
    return {
        "account": show_id("account", number),
        "raw_account": raw.get("raw"),
        "level": raw.get("level"),
        "key": raw.get("key"),
    }
