"""The keys of one workspace: where they lie, how they are wrapped, rotated, backed up and destroyed.

The key folder is outside the workspace (`$XDG_CONFIG_HOME/backlight/keys/<workspace id>`), so that no copy of the
workspace holds it:

    keys.json               keys for pseudonyms, hashes and the spool: random, never changed
    wrapping-000001.key     the wrapping key; its number is the generation
    keystore.sqlite         one data key per account and month, wrapped (RFC 3394) by the wrapping key; and the generation

Deleting a data key, then rotating and destroying the wrapping key, makes every sealed text of it unreadable wherever
copies of the workspace or of the key store lie. Only a copy of the *whole* key folder made before undoes that.

With `BACKLIGHT_KEY_COMMAND` an outside command prints a secret, and the files above hold their keys wrapped by it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import os
import shlex
import sqlite3
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Self, TypeVar

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from backlight._files import private_folder, remove, write_private
from backlight.errors import KeyMissing, RequestError, StoreError

_KEY_BYTES = 32
_CACHE = 65_536
_PAGE = 50_000
_NAMES = ("pseudonym", "hash", "spool")
_RESTORE = "restore the key folder from its backup (see `backlight key backup`)"

DataKey = tuple[int, int]
"""(account, month): what one data key seals. Month 0 is the account's identity; account 0 is rejects."""

_T = TypeVar("_T")


def key_folder(workspace_id: str) -> Path:
    """Where the keys of a workspace lie: below `$XDG_CONFIG_HOME`, or `~/.config`."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "backlight" / "keys" / workspace_id


def outside_secret(workspace_id: str) -> bytes | None:
    """The 32-byte secret that `BACKLIGHT_KEY_COMMAND` prints (64 hex digits or base64), or None without a command.

    The command sees the workspace's id in `BACKLIGHT_WORKSPACE_ID`. It is split like a shell would, but runs without one.

    Raises:
        KeyMissing: the command fails or prints something else.
    """
    command = os.environ.get("BACKLIGHT_KEY_COMMAND")
    if not command:
        return None
    environment = os.environ | {"BACKLIGHT_WORKSPACE_ID": workspace_id}
    try:
        done = subprocess.run(shlex.split(command), env=environment, capture_output=True, timeout=60, check=False)
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise KeyMissing(
            f"BACKLIGHT_KEY_COMMAND does not run: {type(error).__name__}", "a command that prints a secret"
        ) from error
    if done.returncode != 0:
        raise KeyMissing(f"BACKLIGHT_KEY_COMMAND ended with {done.returncode}", "exit 0 and a secret on standard output")
    secret = _decode_secret(done.stdout.strip())
    if secret is None:
        raise KeyMissing("BACKLIGHT_KEY_COMMAND printed no secret", "32 bytes as 64 hex digits or as base64")
    return secret


def _decode_secret(printed: bytes) -> bytes | None:
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            secret = decode(printed.decode("ascii"))
        except (ValueError, binascii.Error):
            continue
        if len(secret) == _KEY_BYTES:
            return bytes(secret)
    return None


@dataclass(frozen=True)
class Keys:
    """The keys that never change.

    Attributes:
        pseudonym: for pseudonyms of accounts, keys, tenants and authors.
        hash: for keyed hashes of texts and identifiers.
        spool: for the guard's spool.
    """

    pseudonym: bytes = field(repr=False)
    hash: bytes = field(repr=False)
    spool: bytes = field(repr=False)

    def check(self) -> str:
        """The key check value that the workspace stores: tells these keys from others, and nothing more."""
        return hmac.digest(self.pseudonym + self.hash + self.spool, b"backlight key check", sha256).hex()


class KeyFolder:
    """Reads and writes the files of a key folder.

    Args:
        path: the folder.
        secret: what wraps the keys in the files (see `outside_secret`); None keeps them plain, protected by mode 0600.
    """

    def __init__(self, path: Path, secret: bytes | None = None) -> None:
        self.path, self._secret = path, secret

    @property
    def database(self) -> Path:
        """The key store's file."""
        return self.path / "keystore.sqlite"

    def create(self, workspace_id: str) -> Keys:
        """Make new keys, a first wrapping key and an empty key store."""
        private_folder(self.path)
        keys = Keys(*(os.urandom(_KEY_BYTES) for _ in _NAMES))
        self.write_wrapping(1, os.urandom(_KEY_BYTES))
        with KeyStore(self, create=True):
            pass
        held = {name: self._shown(getattr(keys, name)) for name in _NAMES}
        body = {"workspace": workspace_id, "sealed": self._secret is not None, **held}
        write_private(self.path / "keys.json", json.dumps(body, indent=1).encode())
        return keys

    def load(self, workspace_id: str) -> Keys:
        """The keys of this workspace.

        Raises:
            KeyMissing: there are none, they are another workspace's, or the secret does not open them.
        """
        file = self.path / "keys.json"
        _refuse_open_modes(self.path, file)
        try:
            body = json.loads(file.read_bytes())
            if body["workspace"] != workspace_id:
                raise KeyMissing(f"the keys in {self.path} are those of workspace {body['workspace']}", workspace_id, _RESTORE)
            if bool(body["sealed"]) != (self._secret is not None):
                raise KeyMissing(_sealed_wrong(bool(body["sealed"]), self.path))
            return Keys(*(self._plain(body[name]) for name in _NAMES))
        except FileNotFoundError as error:
            raise KeyMissing(f"no keys in {self.path}", "the keys of this workspace", _RESTORE) from error
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise KeyMissing(
                f"{file} cannot be read ({type(error).__name__})", "the keys of this workspace", _RESTORE
            ) from error

    def wrapping(self, generation: int) -> bytes:
        """The wrapping key of a generation.

        Raises:
            KeyMissing: it is not there.
        """
        file = self._wrapping_file(generation)
        try:
            return self._plain(file.read_bytes().decode("ascii"))
        except (OSError, ValueError) as error:
            raise KeyMissing(f"{file} is missing or damaged", "the wrapping key of this workspace", _RESTORE) from error

    def write_wrapping(self, generation: int, key: bytes) -> None:
        """Store a wrapping key, durably."""
        write_private(self._wrapping_file(generation), self._shown(key).encode("ascii"))

    def destroy_wrapping(self, *, but: int) -> None:
        """Overwrite and remove every wrapping key but one generation's.

        Overwriting is best effort: a copy-on-write or flash file system may keep old blocks until it reuses them.
        """
        for file in self._left_over(but):
            remove(file, overwrite=True)

    def _left_over(self, but: int) -> list[Path]:
        """Wrapping keys of other generations, and files that a crash left half written."""
        held = (*self.path.glob("wrapping-*.key"), *self.path.glob(".*.new"))
        return [file for file in held if file != self._wrapping_file(but)]

    def _wrapping_file(self, generation: int) -> Path:
        return self.path / f"wrapping-{generation:06d}.key"

    def _shown(self, key: bytes) -> str:
        return base64.b64encode(key if self._secret is None else aes_key_wrap(self._secret, key)).decode("ascii")

    def _plain(self, shown: str) -> bytes:
        held = base64.b64decode(shown, validate=True)
        if self._secret is not None:
            try:
                held = aes_key_unwrap(self._secret, held)
            except InvalidUnwrap as error:
                raise KeyMissing(
                    "BACKLIGHT_KEY_COMMAND printed the wrong secret", "the one these keys were made with"
                ) from error
        if len(held) != _KEY_BYTES:
            raise ValueError("a key has 32 bytes")
        return held


def _sealed_wrong(sealed: bool, path: Path) -> str:
    if sealed:
        return f"the keys in {path} are wrapped by an outside secret; set BACKLIGHT_KEY_COMMAND"
    return f"the keys in {path} are plain; unset BACKLIGHT_KEY_COMMAND"


def _refuse_open_modes(*paths: Path) -> None:
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o077:
            mode = "0700" if path.is_dir() else "0600"
            raise KeyMissing(f"{path} can be read by others", f"mode {mode}", f"run: chmod {mode} {path}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class KeyStore:
    """Data keys, wrapped, in SQLite; several processes may use it at once.

    Every change is one transaction that is on disk before the call returns. Data keys are held in memory, the latest
    used 65,536 of them, until another process changes the store.

    Args:
        folder: the key folder that holds it.
        create: make it; else its absence is KeyMissing.
    """

    def __init__(self, folder: KeyFolder, *, create: bool = False) -> None:
        if not create and not folder.database.exists():
            raise KeyMissing(f"no key store at {folder.database}", "the key store of this workspace", _RESTORE)
        self._folder = folder
        self._lock = threading.RLock()
        self._cache: OrderedDict[DataKey, bytes] = OrderedDict()
        self._seen = -1
        if create:
            os.close(os.open(folder.database, os.O_CREAT | os.O_RDWR, 0o600))
        self._sql = sqlite3.connect(folder.database, timeout=60, isolation_level=None, check_same_thread=False)
        try:
            for pragma in ("journal_mode=WAL", "secure_delete=ON", "synchronous=FULL", "temp_store=MEMORY"):
                self._sql.execute(f"PRAGMA {pragma}")
            if create:
                self._make()
            self._sql.execute("CREATE TABLE IF NOT EXISTS erased (account INTEGER PRIMARY KEY, at INTEGER NOT NULL)")
            self._generation, self._wrapping = self._consistent(self._load_wrapping)
        except sqlite3.Error as error:
            self._sql.close()
            wrong = f"{folder.database} cannot be used ({error})"
            raise KeyMissing(wrong, "the key store of this workspace", _RESTORE) from error
        except StoreError:
            self._sql.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; the keys in memory are forgotten."""
        with self._lock:
            self._cache.clear()
            self._sql.close()

    @property
    def generation(self) -> int:
        """The number of the wrapping key in use."""
        return int(self._sql.execute("SELECT generation FROM meta").fetchone()[0])

    def count(self) -> int:
        """How many data keys there are."""
        return int(self._sql.execute("SELECT count(*) FROM data_keys").fetchone()[0])

    def get(self, wanted: Iterable[DataKey], *, create: bool) -> dict[DataKey, bytes]:
        """The data keys of these accounts and months. Without `create`, absent ones are left out: they were erased.

        With `create`, absent ones are made, all in one transaction that is on disk before this returns, so that no
        ciphertext is ever stored whose key is not.
        """
        with self._lock:
            self._forget_if_changed()
            found: dict[DataKey, bytes] = {}
            missing: list[DataKey] = []
            for key in dict.fromkeys(wanted):
                held = self._cache.get(key)
                if held is None:
                    missing.append(key)
                else:
                    self._cache.move_to_end(key)
                    found[key] = held
            if missing:
                fresh = self._consistent(lambda: self._fetch(missing))
                if create and len(fresh) < len(missing):
                    fresh |= self._make_keys([key for key in missing if key not in fresh])
                self._remember(fresh)
                found |= fresh
            return found

    def delete_account(self, account: int, *, besides: int | None = None) -> int:
        """Delete all data keys of an account, its identity's too, and note the erasure as begun; returns how many.

        Args:
            account: its number.
            besides: another number whose keys go with it, uncounted.
        """
        since = datetime.now(UTC) - _EPOCH
        with self._transaction():
            self._cache.clear()
            self._sql.execute("INSERT OR IGNORE INTO erasing VALUES (?)", (account,))
            self._sql.execute("INSERT OR REPLACE INTO erased VALUES (?, ?)", (account, since // timedelta(microseconds=1)))
            self._sql.execute("DELETE FROM data_keys WHERE account = ?", (besides,))
            return self._sql.execute("DELETE FROM data_keys WHERE account = ?", (account,)).rowcount

    def delete_months(self, before: int) -> int:
        """Delete the data keys of all months before this one; identities (month 0) keep theirs. Returns how many."""
        with self._transaction():
            self._cache.clear()
            return self._sql.execute("DELETE FROM data_keys WHERE month > 0 AND month < ?", (before,)).rowcount

    def erasing(self) -> list[int]:
        """Accounts whose erasure was begun and not yet ended."""
        return [int(account) for (account,) in self._sql.execute("SELECT account FROM erasing ORDER BY account")]

    def erased(self) -> dict[int, datetime]:
        """When each account was erased."""
        rows = self._sql.execute("SELECT account, at FROM erased")
        return {account: _EPOCH + timedelta(microseconds=micros) for account, micros in rows}

    def end_erasure(self, account: int) -> None:
        """Note that an erasure has ended."""
        with self._transaction():
            self._sql.execute("DELETE FROM erasing WHERE account = ?", (account,))

    def rotate(self, step: Callable[[str], None] = lambda _: None) -> int:
        """Wrap all data keys under a new wrapping key and destroy the old one; returns how many keys were wrapped anew.

        The generation stands in the same transaction as the rewrapped keys, and the old wrapping key goes last, so a
        crash leaves either all under the old key or all under the new one; `tidy` clears away what it left.

        Args:
            step: called with the name of each step when it is done; tests stop there.
        """
        with self._lock:
            old = self.generation
            new, key = old + 1, os.urandom(_KEY_BYTES)
            self._folder.write_wrapping(new, key)
            step("written")
            with self._transaction():
                if self.generation != old:
                    raise StoreError("another process rotated the key at the same time", "one rotation at a time", "try again")
                count = self._rewrap(self._folder.wrapping(old), key)
                self._sql.execute("UPDATE meta SET generation = ?, wrapping_check = ?", (new, _wrapping_check(key)))
            step("rewrapped")
            self._generation, self._wrapping = new, key
            self.truncate()
            step("truncated")
            self._folder.destroy_wrapping(but=new)
            step("destroyed")
            return count

    def tidy(self) -> None:
        """Destroy wrapping keys that a rotation, cut short, left behind. The caller holds the writer lock."""
        with self._lock:
            generation = self.generation
            if self._folder._left_over(generation):
                self.truncate()
                self._folder.destroy_wrapping(but=generation)

    def truncate(self) -> None:
        """Empty the write-ahead log, so that no deleted key stands in it.

        Raises:
            StoreError: another process would not let go of it.
        """
        for _ in range(3):
            busy, _log, _done = self._sql.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
        raise StoreError(
            "the key store's log cannot be emptied", "no long reader of it", "stop other processes, then rotate the key"
        )

    def copy_to(self, database: Path) -> None:
        """Write a consistent copy of the key store."""
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with self._lock, closing(sqlite3.connect(database)) as other:
            self._sql.backup(other)

    def _make(self) -> None:
        key = self._folder.wrapping(1)
        with self._transaction():
            self._sql.execute(
                "CREATE TABLE IF NOT EXISTS data_keys (account INTEGER NOT NULL, month INTEGER NOT NULL, "
                "wrapped BLOB NOT NULL, PRIMARY KEY (account, month)) WITHOUT ROWID"
            )
            self._sql.execute("CREATE TABLE IF NOT EXISTS erasing (account INTEGER PRIMARY KEY)")
            self._sql.execute("CREATE TABLE IF NOT EXISTS meta (generation INTEGER NOT NULL, wrapping_check BLOB NOT NULL)")
            self._sql.execute("DELETE FROM meta")
            self._sql.execute("INSERT INTO meta VALUES (1, ?)", (_wrapping_check(key),))

    def _load_wrapping(self) -> tuple[int, bytes]:
        row = self._sql.execute("SELECT generation, wrapping_check FROM meta").fetchone()
        if row is None:
            raise KeyMissing(f"{self._folder.database} is empty", "the key store of this workspace", _RESTORE)
        key = self._folder.wrapping(int(row[0]))
        if not hmac.compare_digest(_wrapping_check(key), bytes(row[1])):
            raise KeyMissing("the wrapping key is not this key store's", f"that of generation {row[0]}", _RESTORE)
        return int(row[0]), key

    def _consistent(self, read: Callable[[], _T]) -> _T:
        """Read key store and wrapping key as of one generation; another process may rotate between the two."""
        for _ in range(5):
            try:
                return read()
            except sqlite3.Error as error:
                raise StoreError(f"the key store cannot be read ({error})", "a sound key store", _RESTORE) from error
            except (KeyMissing, InvalidUnwrap) as error:
                seen = self.generation
                if seen == getattr(self, "_generation", None):
                    raise StoreError("a data key cannot be unwrapped", "a sound key store", _RESTORE) from error
                if not self._folder._wrapping_file(seen).exists():
                    raise
                self._generation, self._wrapping = self._load_wrapping()
        raise StoreError("the key store keeps changing", "no more than one rotation at a time", "try again")

    def _forget_if_changed(self) -> None:
        seen = self._sql.execute("PRAGMA data_version").fetchone()[0]
        if seen != self._seen:
            self._cache.clear()
            self._generation, self._wrapping = self._consistent(self._load_wrapping)
            self._seen = seen

    def _fetch(self, wanted: list[DataKey]) -> dict[DataKey, bytes]:
        select = "SELECT wrapped FROM data_keys WHERE account = ? AND month = ?"
        found = {}
        for key in wanted:
            row = self._sql.execute(select, key).fetchone()
            if row is not None:
                found[key] = aes_key_unwrap(self._wrapping, row[0])
        return found

    def _make_keys(self, wanted: list[DataKey]) -> dict[DataKey, bytes]:
        with self._transaction():
            # Inside the transaction nobody can rotate; before it someone may have.
            self._generation, self._wrapping = self._load_wrapping()
            plain = [os.urandom(_KEY_BYTES) for _ in wanted]
            made = [(*key, aes_key_wrap(self._wrapping, held)) for key, held in zip(wanted, plain, strict=True)]
            stored = self._sql.executemany("INSERT OR IGNORE INTO data_keys VALUES (?, ?, ?)", made).rowcount
            if stored < len(made):  # another process made some of them since we looked
                return self._fetch(wanted)
            return dict(zip(wanted, plain, strict=True))

    def _remember(self, fresh: dict[DataKey, bytes]) -> None:
        self._cache.update(fresh)
        while len(self._cache) > _CACHE:
            self._cache.popitem(last=False)

    def _rewrap(self, old: bytes, new: bytes) -> int:
        """In pages, in key order, so that memory does not grow with the number of keys."""
        page = "SELECT account, month, wrapped FROM data_keys WHERE (account, month) > (?, ?) ORDER BY account, month LIMIT ?"
        count, last = 0, (-1, -1)
        while rows := self._sql.execute(page, (*last, _PAGE)).fetchall():
            wrapped = [(aes_key_wrap(new, aes_key_unwrap(old, held)), account, month) for account, month, held in rows]
            self._sql.executemany("UPDATE data_keys SET wrapped = ? WHERE account = ? AND month = ?", wrapped)
            count, last = count + len(rows), (rows[-1][0], rows[-1][1])
        return count

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._sql.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    self._sql.execute("COMMIT")
                except BaseException:
                    if self._sql.in_transaction:  # a full disk makes SQLite roll back by itself
                        self._sql.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StoreError(
                    f"the key store cannot be written ({error})", "a writable key folder", "nothing was changed"
                ) from error


def _wrapping_check(key: bytes) -> bytes:
    return hmac.digest(key, b"backlight wrapping key check", sha256)


def backup(folder: KeyFolder, store: KeyStore, target: Path, *, workspace: Path) -> None:
    """Copy the key folder to a new folder.

    A copy made before an erasure opens older copies of the workspace; so after an erasure, replace it.

    Raises:
        RequestError: the target exists, or lies in the workspace or in the key folder.
        StoreError: the key was rotated meanwhile, so that the copy does not open.
    """
    target = target.resolve()
    for inside in (workspace.resolve(), folder.path.resolve()):
        if target == inside or inside in target.parents:
            raise RequestError(f"{target} lies inside {inside}", "a place that no copy of the workspace includes")
    if target.exists():
        raise RequestError(f"{target} exists", "a folder that does not exist yet")
    private_folder(target)
    copied = KeyFolder(target, folder._secret)
    generation = store.generation
    copied.write_wrapping(generation, folder.wrapping(generation))
    store.copy_to(copied.database)
    write_private(target / "keys.json", (folder.path / "keys.json").read_bytes())
    try:
        KeyStore(copied).close()
    except KeyMissing as error:
        raise StoreError(f"{target} is no sound backup", "no rotation at the same time", "remove it and try again") from error
