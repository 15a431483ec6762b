"""The lake: a folder of Delta tables, made atomic over several tables by commit records.

Delta is atomic for one table only. So a batch writes its tables, puts their files on disk, and then writes one commit
record, `commits/000000000042.json`, that names every table's Delta version. A *data version* is a commit record: readers
see the Delta versions it names and nothing else. A crash between the tables and the record leaves tables that ran
ahead; `heal`, which every writer runs first, restores them to the record, so a batch happens whole or not at all.

Delta's log and Parquet's footers hold minima and maxima; both are limited to `Table.stats` (keys and times), so that no
text or identity stands in them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, PostCommitHookProperties, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from backlight._files import sync, write_private
from backlight.errors import BacklightError, RequestError, StoreError
from backlight.tables import TABLES, Table

LIVE_FILES = 100
"""A table with more small files than this is compacted."""

_TARGET_BYTES = 128 << 20
_HOUSEKEEPING = 50
_RETENTION_HOURS = 24
_CRASH_LEAVES_AT_MOST = 8
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)


@dataclass(frozen=True)
class Commit:
    """One commit record: a data version.

    Attributes:
        version: its number, from 1.
        time: when it was written, ISO 8601 in UTC.
        tables: the Delta version of every table.
        source: what the batch was read from.
        offset: how far that source is read, in the source's own terms.
        counts: what the batch counted, such as stored and rejected records.
    """

    version: int
    time: str
    tables: Mapping[str, int]
    source: str = ""
    offset: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)


EMPTY = Commit(0, "", {})
"""The data version of a lake that nobody has written to."""


class Lake:
    """The tables and commit records of one workspace. Only the holder of the writer lock may call what writes.

    Args:
        folder: where the tables lie, one folder each.
        commits: where the commit records lie.
    """

    def __init__(self, folder: Path, commits: Path) -> None:
        self._folder, self._commits = folder, commits
        self._open: dict[str, DeltaTable] = {}
        self._lists: dict[tuple[str, int], list[str]] = {}
        self._progress: dict[str, Mapping[str, Any]] = {}
        self._read_up_to = 0
        self._trusted = False

    # --- reading -------------------------------------------------------------------------------------------------

    def newest(self) -> Commit:
        """The newest commit record.

        Raises:
            StoreError: it is damaged.
        """
        versions = [int(file.stem) for file in self._commits.iterdir() if _is_record(file.name)]
        return self.at(max(versions)) if versions else EMPTY

    def at(self, version: int) -> Commit:
        """The commit record of a data version; 0 is the empty lake.

        Raises:
            StoreError: it is missing or damaged.
        """
        if version == 0:
            return EMPTY
        file = self._record_file(version)
        try:
            commit = Commit(**json.loads(file.read_bytes()))
        except FileNotFoundError as error:
            raise StoreError(f"there is no data version {version}", f"a commit record {file}") from error
        except (ValueError, TypeError) as error:
            raise StoreError(
                f"the commit record {file} is damaged", "whole JSON: records are written beside and renamed",
                "put it back from a copy; or remove it and ingest again, which returns to the version before it",
            ) from error  # fmt: skip
        if commit.version != version:
            raise StoreError(f"the commit record {file} is that of version {commit.version}", f"version {version}")
        return commit

    def commits(self, up_to: int) -> Iterator[Commit]:
        """All commit records, oldest first, up to a data version."""
        return (self.at(version) for version in range(1, up_to + 1))

    def progress(self, source: str, up_to: int) -> Mapping[str, Any]:
        """The last offset committed for a source; empty if there is none."""
        for version in range(self._read_up_to + 1, up_to + 1):
            commit = self.at(version)
            if commit.source and commit.offset:
                self._progress[commit.source] = commit.offset
            self._read_up_to = version
        return self._progress.get(source, {})

    def files(self, name: str, commit: Commit) -> list[str]:
        """The Parquet files of a table in a data version; none if nothing was ever written to it.

        Raises:
            StoreError: the version is gone, or the table needs a reader feature that would be read wrongly here.
        """
        version = commit.tables.get(name)
        if version is None:
            return []
        key = (name, version)
        if key not in self._lists:
            with _delta(f"table {name} cannot be read in data version {commit.version}"):
                table = DeltaTable(str(self._folder / name), version=version)
            _refuse_features(name, table)
            self._lists = {held: files for held, files in self._lists.items() if held[0] != name}
            self._lists[key] = [_path(uri) for uri in table.file_uris()]
        return self._lists[key]

    # --- writing -------------------------------------------------------------------------------------------------

    def commit(
        self, rows: Mapping[str, pa.Table], *, overwrite: Collection[str] = (), delete: Mapping[str, str] | None = None,
        source: str = "", offset: Mapping[str, Any] | None = None, counts: Mapping[str, int] | None = None,
    ) -> Commit:  # fmt: skip
        """Write a batch: rows to append (or, for tables in `overwrite`, to put in place of all others), and deletions.

        Args:
            rows: the rows by table.
            overwrite: tables whose rows are replaced wholly.
            delete: by table, an SQL condition on keys; Delta keeps it in its log, so no text and no raw identity.
            source: what the batch was read from.
            offset: how far the source is read.
            counts: what was counted.

        Raises:
            RequestError: rows do not have their table's columns; nothing was written.
            StoreError: a table could not be written; what was written of the batch is taken back.
        """
        unknown = set(overwrite) - set(rows)
        if unknown:
            raise RequestError(f"no rows are given for {', '.join(sorted(unknown))}", "rows for every replaced table")
        conformed = {name: _conform(name, table) for name, table in rows.items()}
        if not self._trusted:
            self.heal()
        last = self.newest()
        versions = dict(last.tables)
        try:
            for name, table in conformed.items():
                self._write(name, table, versions, overwrite=name in overwrite)
            for name, condition in (delete or {}).items():
                self._delete(name, condition, versions)
            commit = self._record(last, versions, source, offset or {}, counts or {})
        except BaseException:
            self._trusted = False
            self._take_back()
            raise
        self._keep_log_small(last, commit)
        return commit

    def heal(self) -> Commit | None:
        """Restore tables that ran ahead of the newest commit record and remove files that belong to none.

        Returns the commit record it wrote if a table had to be restored; it holds the same rows as the one before.

        Raises:
            StoreError: the commit records are not those of these tables.
        """
        self._open.clear()
        commit = self.newest()
        versions = dict(commit.tables)
        for half in self._commits.glob(".*.new"):
            half.unlink()
        for folder in sorted(path for path in self._folder.iterdir() if path.is_dir()):
            committed = versions.get(folder.name)
            ahead = _last_version(folder) - (-1 if committed is None else committed)
            if ahead > _CRASH_LEAVES_AT_MOST:
                raise StoreError(
                    f"table {folder.name} is {ahead} steps ahead of commit record {commit.version}",
                    "at most one batch, as a crash leaves it", "commit records are missing: put them back from a copy",
                )  # fmt: skip
            if committed is None:
                shutil.rmtree(folder)
            elif ahead > 0:
                versions[folder.name] = self._restore(folder, committed)
        healed = self._record(commit, versions, "heal", {}, {}) if versions != dict(commit.tables) else None
        self._remove_orphans(healed or commit, since=self._written(commit))
        self._trusted = True
        return healed

    def sweep(self, names: Collection[str]) -> int:
        """Remove every file of these tables that the newest data version does not name; returns how many.

        Readers of older data versions are told to open again.
        """
        return self._remove_orphans(self.newest(), since=0.0, only=names)

    def _write(self, name: str, rows: pa.Table, versions: dict[str, int], *, overwrite: bool) -> None:
        if rows.num_rows == 0 and not (overwrite and name in versions):
            return
        table, before = self._table(name, versions)
        grown = {field.name for field in TABLES[name].arrow} - {field.name for field in pa.schema(table.schema().to_arrow())}
        with _delta(f"table {name} cannot be written"):
            write_deltalake(
                table, rows, mode="overwrite" if overwrite else "append", schema_mode="merge" if grown else None,
                target_file_size=_TARGET_BYTES, writer_properties=_properties(TABLES[name]),
                post_commithook_properties=_NO_HOOKS,
            )  # fmt: skip
            self._compact(name, table, before)
        self._finish(name, table, before, versions)

    def _delete(self, name: str, condition: str, versions: dict[str, int]) -> None:
        if name not in versions:
            return
        table, before = self._table(name, versions)
        with _delta(f"rows of table {name} cannot be deleted"):
            table.delete(condition, writer_properties=_properties(TABLES[name]), post_commithook_properties=_NO_HOOKS)
        self._finish(name, table, before, versions)

    def _finish(self, name: str, table: DeltaTable, before: int, versions: dict[str, int]) -> None:
        """Put on disk what Delta wrote; it does not do so itself."""
        log = self._folder / name / "_delta_log"
        for version in range(before + 1, table.version() + 1):
            entry = log / f"{version:020d}.json"
            for line in entry.read_bytes().splitlines():
                added = json.loads(line).get("add", {}).get("path")
                if added and (file := self._folder / name / unquote(added)).exists():  # else replaced and gone since
                    _settle(file)
            _settle(entry)
        for folder in (log, self._folder / name, self._folder):
            sync(folder)
        versions[name] = table.version()

    def _table(self, name: str, versions: Mapping[str, int]) -> tuple[DeltaTable, int]:
        """The table at the version that is committed, and the number before its first new log entry; made if absent."""
        committed = versions.get(name)
        if committed is None:
            made = TABLES[name]
            configuration = {
                "delta.dataSkippingStatsColumns": ",".join(made.stats) or "_none_",
                "delta.enableDeletionVectors": "false",
                "delta.logRetentionDuration": f"interval {_RETENTION_HOURS} hours",
                "delta.deletedFileRetentionDuration": f"interval {_RETENTION_HOURS} hours",
            }
            with _delta(f"table {name} cannot be made"):
                self._open[name] = DeltaTable.create(
                    str(self._folder / name), made.arrow, configuration=configuration, post_commithook_properties=_NO_HOOKS
                )
            return self._open[name], -1
        if name not in self._open:
            with _delta(f"table {name} cannot be read"):
                self._open[name] = DeltaTable(str(self._folder / name))
            _refuse_features(name, self._open[name])
        if self._open[name].version() != committed:
            raise StoreError(
                f"table {name} is at version {self._open[name].version()}", f"version {committed}", "open the workspace again"
            )
        return self._open[name], committed

    def _compact(self, name: str, table: DeltaTable, before: int) -> None:
        """Merge small files; every so many versions also remove what was replaced more than a day ago."""
        if len(table.file_uris()) > LIVE_FILES:
            sizes = pa.table(table.get_add_actions(flatten=True)).column("size_bytes").to_pylist()
            if sum(size < _TARGET_BYTES // 2 for size in sizes) > LIVE_FILES:
                table.optimize.compact(
                    target_size=_TARGET_BYTES, writer_properties=_properties(TABLES[name]), post_commithook_properties=_NO_HOOKS
                )
        if _crossed(before, table.version()):
            table.vacuum(
                retention_hours=_RETENTION_HOURS,
                enforce_retention_duration=False,
                dry_run=False,
                post_commithook_properties=_NO_HOOKS,
            )

    def _record(
        self, last: Commit, versions: Mapping[str, int], source: str, offset: Mapping[str, Any], counts: Mapping[str, int]
    ) -> Commit:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        commit = Commit(last.version + 1, now, dict(versions), source, dict(offset), dict(counts))
        write_private(self._record_file(commit.version), json.dumps(asdict(commit), sort_keys=True).encode())
        return commit

    def _keep_log_small(self, last: Commit, commit: Commit) -> None:
        """After the record is written, so that no version it names can lose its log; a failure here harms nothing."""
        for name, version in commit.tables.items():
            if _crossed(last.tables.get(name, 0), version) and name in self._open:
                with suppress(StoreError), _delta(f"the log of table {name} cannot be checkpointed"):
                    self._open[name].create_checkpoint()
                    log = self._folder / name / "_delta_log"
                    for file in (*log.glob(f"{version:020d}.checkpoint*"), log / "_last_checkpoint"):
                        _settle(file)
                    sync(log)
                    self._open[name].cleanup_metadata()

    def _take_back(self) -> None:
        """At once if possible, so that readers of Delta's newest version never see half a batch; else by the next writer."""
        try:
            self.heal()
        except (BacklightError, OSError):
            self._open.clear()

    def _restore(self, folder: Path, committed: int) -> int:
        _remove_torn_entries(folder, committed)
        with _delta(f"table {folder.name} cannot be restored to version {committed}"):
            table = DeltaTable(str(folder))
            if table.version() == committed:
                return committed
            _refuse_features(folder.name, table)
            # A crash right after a restore left the same files; restoring again would only add steps, for ever.
            if set(table.file_uris()) != set(DeltaTable(str(folder), version=committed).file_uris()):
                table.restore(committed, post_commithook_properties=_NO_HOOKS)
        versions = {folder.name: committed}
        self._finish(folder.name, table, committed, versions)
        return versions[folder.name]

    def _remove_orphans(self, commit: Commit, *, since: float, only: Collection[str] | None = None) -> int:
        """Remove files that the commit does not name and that were written no earlier than `since` (epoch seconds).

        After a crash that is the time of the record before it: whatever an older data version names is older.
        """
        removed = 0
        for name in commit.tables:
            if only is not None and name not in only:
                continue
            named = set(self.files(name, commit))
            for file in (self._folder / name).iterdir():
                if file.is_file() and str(file) not in named and file.stat().st_mtime >= since:
                    file.unlink()
                    removed += 1
            sync(self._folder / name)
        return removed

    def _written(self, commit: Commit) -> float:
        return 0.0 if commit.version == 0 else self._record_file(commit.version).stat().st_mtime

    def _record_file(self, version: int) -> Path:
        return self._commits / f"{version:012d}.json"


def _settle(file: Path) -> None:
    """Put a file that Delta wrote on disk, for its owner only."""
    file.chmod(0o600)
    sync(file)


def _is_record(name: str) -> bool:
    return len(name) == 17 and name[:12].isdigit() and name.endswith(".json")


def _conform(name: str, rows: pa.Table) -> pa.Table:
    """The rows with their table's columns, in its order and types; absent columns are null."""
    if name not in TABLES:
        raise RequestError(f"there is no table {name!r}", f"one of {', '.join(TABLES)}")
    schema = TABLES[name].arrow
    unknown = set(rows.column_names) - set(schema.names)
    if unknown or len(set(rows.column_names)) < len(rows.column_names):
        raise RequestError(f"rows for {name} have columns {rows.column_names}", f"columns among {schema.names}, each once")
    columns = []
    for wanted in schema:
        held = rows.column(wanted.name) if wanted.name in rows.column_names else pa.nulls(rows.num_rows, wanted.type)
        try:
            columns.append(held.cast(wanted.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            # Arrow's message would show the value, which may be text.
            raise RequestError(f"column {wanted.name} of {name} is {held.type}", str(wanted.type)) from None
    return pa.table(columns, schema=schema)


def _properties(table: Table) -> WriterProperties:
    return WriterProperties(
        compression="ZSTD",
        compression_level=1,
        max_row_group_size=122_880,
        default_column_properties=ColumnProperties(statistics_enabled="NONE"),
        column_properties={name: ColumnProperties(statistics_enabled="CHUNK") for name in table.stats},
    )


def _crossed(before: int, after: int) -> bool:
    return before // _HOUSEKEEPING < after // _HOUSEKEEPING and after >= _HOUSEKEEPING


def _last_version(folder: Path) -> int:
    """The number of a table's last log entry; -1 if its log has none."""
    log = folder / "_delta_log"
    if not log.is_dir():
        return -1
    numbers = [int(file.stem) for file in log.glob("*.json") if len(file.stem) == 20 and file.stem.isdigit()]
    return max(numbers, default=-1)


def _remove_torn_entries(folder: Path, committed: int) -> None:
    """Remove uncommitted log entries from the first that is not whole on: a power cut may tear them, Delta does not sync."""
    torn = False
    for version in range(committed + 1, _last_version(folder) + 1):
        entry = folder / "_delta_log" / f"{version:020d}.json"
        torn = torn or not _is_whole(entry)
        if torn:
            entry.unlink(missing_ok=True)


def _is_whole(entry: Path) -> bool:
    try:
        lines = entry.read_bytes().splitlines()
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except (OSError, ValueError):
        return False


def _refuse_features(name: str, table: DeltaTable) -> None:
    """Deletion vectors, column mapping and whatever comes later would be read wrongly from a list of files."""
    protocol = table.protocol()
    if protocol.min_reader_version > 1 or protocol.reader_features:
        features = ", ".join(protocol.reader_features or ()) or f"reader version {protocol.min_reader_version}"
        raise StoreError(
            f"table {name} uses Delta features that are not read here: {features}",
            "a table without deletion vectors or column mapping", "rewrite it without them in the tool that added them",
        )  # fmt: skip


def _path(uri: str) -> str:
    return unquote(uri.removeprefix("file://"))


@contextmanager
def _delta(wrong: str) -> Iterator[None]:
    """Turn Delta's errors into ours. A panic of its Rust code is no Exception, so it is told by its name."""
    try:
        yield
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise StoreError(f"{wrong} ({_first_line(error)})") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise StoreError(f"{wrong} (the Delta library gave up: {_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
