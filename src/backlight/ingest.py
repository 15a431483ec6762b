"""Ingest: files of any known format into the workspace, once, whole, and in a way that can be counted.

    report = ingest(ws, ["logs/", "posts.csv"])

The unit is the row to be written: an exchange, a post, a statement about a platform account, an identifier. A record
that cannot be cut into rows is one read and one rejected. For every file, and so in sum,

    read = stored + duplicate + rejected + excluded

or CheckFailed is raised. `repeated` counts, apart, the exchanges that a chat request repeats from its own history and
that are stored already; an exchange seen nowhere but in a later request is stored as a row of its own (`from_history`),
and gives way to its own record should that come later.

Files are read in pieces of about 16 MB. Two are one batch: its tables and its commit record, which also says how far the
file is read; so a run that was killed goes on after the last whole batch, and a file that grew is read from where it
ended. Large files are parsed, hashed and sealed in worker processes (new interpreters, never forks); this process tells
new rows from known ones and commits. Memory does not grow with the input, but for some 40 bytes a row stored.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pyarrow as pa

from backlight._ingest_pieces import Mark, Piece, begun, is_plain, marked, pieces, resumed
from backlight._ingest_rows import Builder, Built
from backlight._ingest_settle import Batch, Counts, Settler, total
from backlight._ingest_worker import Done, Opening, Task, perform
from backlight.coverage import Coverage
from backlight.errors import RecordError, RequestError, StoreError
from backlight.sources import (
    STDIN,
    Context,
    Detection,
    Format,
    Identifier,
    Opened,
    Parsed,
    Reject,
    detect,
    format_named,
    load_mapping,
    on_disk,
    open_source,
    records,
    spool,
    walk,
)
from backlight.sources import Mapping as FieldMapping
from backlight.workspace import Workspace

__all__ = ["FileReport", "IngestReport", "drain", "ingest"]

GUARD = "guard"
"""What rows that the guard saw live are read as."""


WORKERS = 2
SPAWN_FROM = 8 << 20
"""Bytes from which a file is worth worker processes, which take about a second to start."""

_AHEAD = 2 * WORKERS
_PIECES = 2  # pieces in a batch, so about 32 MB
_CLAIMS = 20_000
_ORDER = {"interactions": 0, "posts": 1, "platform_accounts": 2, "identifiers": 3}


class Progress(Protocol):
    """Told how far a run is: bytes done, bytes in all, and the file in hand."""

    def __call__(self, done: float, total: float | None = None, words: str | None = None) -> None: ...


@dataclass
class FileReport:
    """What became of one file.

    Attributes:
        path: as it was found.
        format: name of its format; None where no reader is sure, and it was skipped.
        confidence: of the best guess, 0 to 1; 1 where the format was given.
        counts: rows by what became of them.
        guesses: the two best guesses, name and confidence, where there is no format.
        refused: why it was not read though it may have a format; empty if it was.
    """

    path: str
    format: str | None
    confidence: float
    counts: Counts = field(default_factory=Counts)
    guesses: list[tuple[str, float]] = field(default_factory=list)
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """As `ingest --json` prints it."""
        shown = {"path": self.path, "format": self.format, "confidence": round(self.confidence, 3), **asdict(self.counts)}
        if self.format is None:
            shown |= {"guesses": [list(guess) for guess in self.guesses], "refused": self.refused}
        return shown


@dataclass
class IngestReport:
    """What a run read and stored.

    Attributes:
        files: one report a file.
        coverage: what the records hold, what therefore cannot be found, what would change it; see `coverage.Coverage`.
        data_version: the commit record that the run ended with.
    """

    files: list[FileReport]
    coverage: dict[str, Any]
    data_version: int

    @property
    def counts(self) -> Counts:
        """The sum over all files."""
        return total(report.counts for report in self.files)

    def as_dict(self) -> dict[str, Any]:
        """As `ingest --json` prints it."""
        return {
            "files": [report.as_dict() for report in self.files],
            "coverage": self.coverage,
            "data_version": self.data_version,
        }

    def fell_short(self, max_rejects: float = 0.001) -> str:
        """Why the exit status is 1: files that were skipped, or a larger share of rejects than allowed; else empty."""
        skipped = [report.path for report in self.files if report.format is None]
        if skipped:
            return f"{len(skipped)} of {len(self.files)} files are in no known format and were skipped"
        counts = self.counts
        if counts.read and counts.rejected / counts.read > max_rejects:
            return f"{counts.rejected:,} of {counts.read:,} records were rejected, more than {max_rejects:.2%}"
        return ""


def ingest(
    ws: Workspace,
    paths: Sequence[str | Path],
    *,
    format: str | None = None,
    mapping: str | Path | FieldMapping | None = None,
    vouched: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Read files, folders, globs or standard input (`-`) into a workspace.

    Files that were read before and did not change are not read again; their rows count as duplicates.

    Args:
        ws: the workspace; the run takes its writer lock.
        paths: what to read. Logs are read before identifiers, whatever their order.
        format: name of the format of all of them; else each file's is told from its content (`mapped` with a mapping).
        mapping: for formats that need one: its YAML file, or what `sources.load_mapping` made of that.
        vouched: levels of identity that the host vouches for; else the workspace's setting.
        progress: told how far the run is.

    Raises:
        UnknownFormat: a file named by hand is in no known format; nothing was written.
        RequestError: a path, format or mapping is wrong; nothing was written.
        CheckFailed: the counts of a file do not add up.
    """
    sources = _sources(paths, format, _context(mapping))
    try:
        with ws.writing(), ExitStack() as stack:
            run = _Run(ws, sources, tuple(vouched) if vouched is not None else None, progress, stack)
            for source in sorted(sources, key=lambda s: _ORDER.get(s.kind, 0)):
                run.read(source)
            return run.finish()
    finally:
        for source in sources:
            if source.opened is not None:
                source.opened.stream.close()


def drain(ws: Workspace, folder: str | Path) -> IngestReport:
    """Take in the guard's spool: segments that were handed over, or whose writer is dead, oldest first.

    A segment is deleted once its rows are committed; one that was committed and not deleted gives duplicates. The guard
    writes only ids that it vouches for, so all of them count.

    Args:
        ws: the workspace; the run takes its writer lock.
        folder: the spool's folder.
    """
    folder, reports = Path(folder), list[FileReport]()
    coverage = Coverage(gives={"text", "end_user", "user", "key", "address", "user_agent", "conversation"})
    with ws.writing():
        builder = Builder(ws.hasher, ws.pseudonyms, ws.vault, ws.left_out())
        settler = Settler(ws, builder)
        settler.load("interactions")
        spool.hand_over_left(folder)
        for segment in spool.segments(folder):
            parsed = _segment(segment, ws)
            build = partial(builder.build, GUARD, ws.settings.vouched_for(GUARD), [parsed])
            built = build()
            batch = settler.chunk(built, build, GUARD, f"spool-{segment.stem}")
            ws.commit(batch.joined(), source="spool", offset={"segment": segment.stem}, counts=asdict(batch.counts))
            segment.unlink()
            coverage.add(built.coverage)
            reports.append(FileReport(str(segment), GUARD, 1.0, batch.counts))
        if rows := settler.superseded()[0]:
            _remove_superseded(ws, rows)
        return IngestReport(reports, coverage.as_dict(), ws.version)


def _segment(path: Path, ws: Workspace) -> Parsed:
    """The exchanges of a spool segment; frames that do not open are rejects."""
    parsed = Parsed([], [])
    with path.open("rb") as stream:
        for number, frame in enumerate(spool.frames(stream), 1):
            try:
                parsed.items.append(spool.decode(ws.vault.open(*spool.unpack(frame))).exchange)
            except (RecordError, StoreError) as error:
                parsed.rejects.append(Reject(f"frame {number}", len(frame), frame, str(error)))
    return parsed


# --- finding out what there is


@dataclass(eq=False)
class _Source:
    """A file to read, or one that is not read."""

    path: Path
    report: FileReport
    form: Format | None = None
    context: Context = field(default_factory=Context)
    opened: Opened | None = None

    @property
    def kind(self) -> str:
        """What its records become; of a mapped file, the mapping says."""
        if self.form is None:
            return ""
        return self.context.mapping.kind if self.form.needs_mapping else self.form.kind

    @property
    def gives(self) -> set[str]:
        """Fields that it has a place for."""
        if self.form is None:
            return set()
        if self.form.needs_mapping:
            mapped = {*self.context.mapping.fields, *self.context.mapping.constants}
            return mapped | ({"text"} if mapped & {"prompt", "messages", "output"} else set())
        return {*self.form.gives, *(("text",) if self.form.text else ())}

    @cached_property
    def size(self) -> int:
        """Bytes of the file; of standard input no more than tells a large one from a small one."""
        if self.form is None:
            return 0
        return on_disk(self.path).stat().st_size if self.opened is None else len(self.opened.stream.peek(SPAWN_FROM))


def _context(mapping: str | Path | FieldMapping | None) -> Context:
    return Context(mapping=load_mapping(mapping) if isinstance(mapping, str | Path) else mapping)


def _sources(paths: Sequence[str | Path], name: str | None, context: Context) -> list[_Source]:
    """What there is to read. Everything is looked at before anything is written."""
    if name is None and context.mapping is not None:
        name = "mapped"
    given = format_named(name) if name is not None else None
    if given is not None and given.needs_mapping and context.mapping is None:
        raise RequestError(f"format {given.name} needs a mapping", "--mapping FILE.yaml", "see the page on mappings")
    sources = []
    for found in walk(paths):
        if found.refused:
            sources.append(_Source(found.path, FileReport(str(found.path), None, 0.0, refused=found.refused)))
            continue
        try:
            sources.append(_looked_at(found.path, given, context, named=found.named))
        except RequestError as error:
            if found.named:
                raise
            sources.append(_Source(found.path, FileReport(str(found.path), None, 0.0, refused=str(error))))
    return sources


def _looked_at(path: Path, given: Format | None, context: Context, *, named: bool) -> _Source:
    opened = open_source(sys.stdin.buffer if path == STDIN else path)
    keep = path == STDIN  # a file is opened again when its turn comes
    try:
        if given is not None:
            _check_container(given, opened)
            report = FileReport(str(path), given.name, 1.0)
            return _Source(path, report, given, context, opened if keep else None)
        found = detect(opened)
        if found.format is None and named:
            raise found.error(path.name)
        return _Source(path, _detected(path, found), found.format, context, opened if keep else None)
    finally:
        if not keep:
            opened.stream.close()


def _check_container(form: Format, opened: Opened) -> None:
    if opened.layout != "empty" and opened.kind not in form.containers:
        raise RequestError(f"{form.name} does not come as {opened.kind}", " or ".join(form.containers))


def _built_again(task: Task, builder: Builder, wanted: frozenset[int]) -> Built:
    """Rows of wanted exchanges that stand in the history of a task's requests."""
    return perform(task, builder, wanted).built


def _detected(path: Path, found: Detection) -> FileReport:
    name = found.format.name if found.format else None
    return FileReport(str(path), name, found.confidence, guesses=[] if name else list(found.guesses))


# --- the run


class _Run:
    """One run over all sources.

    Args:
        ws: the workspace, locked for writing.
        sources: all of them, for their sizes.
        vouched: levels, if given; else as the settings say.
        progress: told how far the run is.
        stack: closes the worker processes and the committing thread.
    """

    def __init__(
        self,
        ws: Workspace,
        sources: list[_Source],
        vouched: tuple[str, ...] | None,
        progress: Progress | None,
        stack: ExitStack,
    ) -> None:
        self._ws, self._sources, self._vouched = ws, sources, vouched
        self._opening = Opening(ws.id, ws.left_out())
        self._builder = Builder(ws.hasher, ws.pseudonyms, ws.vault, self._opening.left_out)
        self._settler = Settler(ws, self._builder)
        self._coverage = Coverage()
        large = any(source.size >= SPAWN_FROM for source in sources)
        self._pool = _Pool(self._opening, stack) if large else None
        self._committer = _Committer(ws, stack)
        self._progress = progress
        self._read: dict[int, _Reading] = {}
        self._bytes = float(sum(source.size for source in sources))
        self._before = 0.0

    def read(self, source: _Source) -> None:
        """Read one source; one without a format only counts as read for progress."""
        if source.form is None:
            return
        self._coverage.expect(source.gives)
        self._committer.wait()
        self._settler.load(source.kind)
        with source.opened or open_source(source.path) as opened:
            (self._identifiers if source.kind == "identifiers" else self._items)(source, opened, source.form)
        self._before += source.size
        self._show(0, source)
        source.report.counts.check(source.report.path)

    def finish(self) -> IngestReport:
        """Remove rows that were known from history and came as records of their own, and report."""
        self._committer.wait()
        rows, by_file = self._settler.superseded()
        if rows:
            _remove_superseded(self._ws, rows)
        for number, count in by_file.items():
            self._correct(number, count)
        self._committer.wait()
        report = IngestReport([source.report for source in self._sources], self._coverage.as_dict(), self._ws.version)
        report.counts.check("the run")
        return report

    def _correct(self, number: int, count: int) -> None:
        """Count rows of a file that gave way as repeated after all, in the report and in the file's mark."""
        counts = self._sources[number].report.counts
        counts.add(Counts(read=-count, stored=-count, repeated=count))
        reading = self._read.get(number)
        if reading is not None:
            corrected = total((Counts(**reading.mark.counts), Counts(read=-count, stored=-count, repeated=count)))
            reading.mark = msgspec.structs.replace(reading.mark, counts=asdict(corrected))
            self._committer.commit({}, source=reading.place, offset=self._offset(reading), counts={})

    # --- interactions, posts, platform accounts

    def _items(self, source: _Source, opened: Opened, form: Format) -> None:
        vouched = self._vouched if self._vouched is not None else self._ws.settings.vouched_for(form.name)
        task = Task(form.name, source.context, vouched)
        reading = _Reading(
            source, self._place(source.path), opened.layout == "jsonl" and opened.path is not None and is_plain(opened)
        )
        self._resume(reading, task)
        if reading.mark.done:
            return
        waiting: deque[tuple[Piece, Future[Done]]] = deque()
        for piece in pieces(opened, task, reading.mark.at):
            waiting.append((piece, self._perform(source, piece.task)))
            if len(waiting) > _AHEAD:
                self._settle(reading, *waiting.popleft())
        while waiting:
            self._settle(reading, *waiting.popleft(), last=not waiting)

    def _resume(self, reading: _Reading, task: Task) -> None:
        """Set where to begin, and count what is known already; the mark is done if there is nothing new."""
        if reading.source.path == STDIN:
            return
        path, hasher = reading.source.path, self._ws.hasher
        how = (task.format, repr(task.context.mapping), task.vouched, sorted(self._ws.settings.exclude))
        config = hasher.digest("config", repr(how)).hex()
        held = self._ws.progress(reading.place)
        mark = resumed(msgspec.convert(held, Mark), path, hasher, config=config, plain=reading.plain) if held else None
        reading.mark = mark or begun(path, config)
        earlier = Counts(**reading.mark.counts)
        if reading.mark.done:
            earlier.add(Counts(**reading.mark.last))
        earlier.stored, earlier.duplicate = 0, earlier.stored + earlier.duplicate
        reading.source.report.counts.add(earlier)
        self._coverage.add(reading.mark.coverage)

    def _perform(self, source: _Source, task: Task) -> Future[Done]:
        if self._pool is not None and source.size >= SPAWN_FROM:
            return self._pool.submit(task)
        done: Future[Done] = Future()
        done.set_result(perform(task, self._builder))
        return done

    def _settle(self, reading: _Reading, piece: Piece, future: Future[Done], *, last: bool = False) -> None:
        """Settle one piece and give it to the committing thread."""
        done, mark = future.result(), reading.mark
        again = partial(_built_again, piece.task, self._builder)
        number = self._sources.index(reading.source)
        batch = self._settler.chunk(done.built, again, piece.task.format, reading.place, first_line=mark.line, owner=number)
        held = done.built.coverage | ({"posts": done.built.posts.num_rows} if done.built.posts.num_rows else {})
        self._coverage.add(held)
        reading.source.report.counts.add(batch.counts)
        if piece.kept:
            counts = total((Counts(**mark.counts), batch.counts))
            coverage = mark.coverage | {name: mark.coverage.get(name, 0) + count for name, count in held.items()}
            line = mark.line + done.lines
            mark = msgspec.structs.replace(mark, at=piece.at, line=line, counts=asdict(counts), coverage=coverage, last={})
        else:
            mark = msgspec.structs.replace(mark, last=asdict(batch.counts))
        reading.mark = msgspec.structs.replace(mark, done=last)
        reading.batch.absorb(batch)
        reading.pieces += 1
        if reading.pieces == _PIECES or last:
            self._commit(reading, last=last)
        self._show(piece.bytes_done, reading.source)

    def _commit(self, reading: _Reading, *, last: bool) -> None:
        batch, reading.batch, reading.pieces = reading.batch, Batch(), 0
        if (tables := batch.joined()) or last:
            self._committer.commit(tables, source=reading.place, offset=self._offset(reading), counts=asdict(batch.counts))

    def _offset(self, reading: _Reading) -> Mapping[str, Any] | None:
        if reading.source.path == STDIN:
            return None
        self._read[self._sources.index(reading.source)] = reading
        reading.mark = marked(reading.mark, reading.source.path, self._ws.hasher, plain=reading.plain)
        return dict(msgspec.to_builtins(reading.mark))

    # --- identifiers

    def _identifiers(self, source: _Source, opened: Opened, form: Format) -> None:
        """Small files, read whole each time: an id that no log showed yet may have come since."""
        place, batch = self._place(source.path), Batch()
        claims: list[tuple[Reject, Identifier]] = []
        wrong: list[Reject] = []
        for raw in records(opened, form):
            parsed = form.parse_records([raw], source.context)
            wrong += parsed.rejects
            as_reject = Reject(raw.place, raw.length, raw.data, "")
            claims += [(as_reject, item) for item in parsed.items if isinstance(item, Identifier)]
            if len(claims) >= _CLAIMS:
                batch = self._claimed(claims, wrong, place, source, batch)
                claims, wrong = [], []
        self._claimed(claims, wrong, place, source, batch)

    def _claimed(
        self, claims: list[tuple[Reject, Identifier]], wrong: list[Reject], place: str, source: _Source, batch: Batch
    ) -> Batch:
        name = source.report.format or ""
        self._settler.claims(claims, place, name, batch)
        self._settler.rejects(wrong, place, name, batch)
        source.report.counts.add(batch.counts)
        if tables := batch.joined():
            self._committer.commit(tables, source=place, offset=None, counts=asdict(batch.counts))
        return Batch()

    # --- small things

    def _place(self, path: Path) -> str:
        """A file as commit records and rejects name it: a path may hold a name."""
        return "stdin" if path == STDIN else "file-" + self._ws.hasher.digest("file", str(path.resolve())).hex()[:16]

    def _show(self, bytes_done: float, source: _Source) -> None:
        if self._progress is not None:
            self._progress(self._before + bytes_done, self._bytes or None, f"reading {source.path.name}")


@dataclass
class _Reading:
    """A source while it is read.

    Attributes:
        source: which.
        place: its keyed name.
        plain: whether a place in it is a byte of the file.
        mark: how far it is read.
        batch: what is settled and not committed.
        pieces: how many pieces that are.
    """

    source: _Source
    place: str
    plain: bool
    mark: Mark = field(default_factory=Mark)
    batch: Batch = field(default_factory=Batch)
    pieces: int = 0


_DELETE_AT_ONCE = 20_000


def _remove_superseded(ws: Workspace, rows: list[int]) -> None:
    """Delete rows by id, with their sealed text."""
    for start in range(0, len(rows), _DELETE_AT_ONCE):
        listed = ", ".join(map(str, sorted(rows[start : start + _DELETE_AT_ONCE])))
        ws.commit({}, delete={"interactions": f"id IN ({listed})", "vault": f"row IN ({listed})"}, source="superseded")


# --- processes and threads

_WORKER_SETTINGS = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would only wait, busily
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),  # memory of one piece serves the next: do not give it back in between
    "MALLOC_MMAP_THRESHOLD_": str(64 << 20),
    "MALLOC_TOP_PAD_": str(32 << 20),
}
_WORKER = "from backlight._ingest_worker import main; main()"


class _Pool:
    """Worker processes, each a new interpreter that imports only what it needs; a thread each waits for it.

    Not by `multiprocessing.Process`: that would run the caller's main module again in each of them.
    """

    def __init__(self, opening: Opening, stack: ExitStack) -> None:
        self._free: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        environment = _WORKER_SETTINGS | os.environ
        for _ in range(WORKERS):
            ours, theirs = Pipe()
            command = [sys.executable, "-P", "-c", _WORKER, str(theirs.fileno())]
            process = subprocess.Popen(command, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, env=environment)
            theirs.close()
            stack.callback(_end, process, ours)
            ours.send(opening)
            self._free.put(ours)
        self._threads = stack.enter_context(ThreadPoolExecutor(WORKERS))

    def submit(self, task: Task) -> Future[Done]:
        """The task's result, once a worker has it."""
        return self._threads.submit(self._call, task)

    def _call(self, task: Task) -> Done:
        connection = self._free.get()
        try:
            connection.send(task)
            done = connection.recv()
        except (EOFError, OSError) as error:
            raise StoreError(
                "a worker process of ingest ended", "it to live as long as the run", "run it again: it goes on"
            ) from error
        finally:
            self._free.put(connection)
        assert isinstance(done, Done)
        return done


def _end(process: subprocess.Popen[bytes], connection: Connection) -> None:
    """End a worker process kindly, and if it does not listen, at once."""
    with suppress(OSError):
        connection.send(None)
    connection.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class _Committer:
    """Commits in a thread of its own, one batch at a time and in order, while the next batch is settled."""

    def __init__(self, ws: Workspace, stack: ExitStack) -> None:
        self._ws = ws
        self._thread = stack.enter_context(ThreadPoolExecutor(1))
        self._pending: Future[int] | None = None

    def commit(
        self, tables: Mapping[str, pa.Table], *, source: str, offset: Mapping[str, Any] | None, counts: Mapping[str, int]
    ) -> None:
        """Commit after what was given before; an error of that is raised here."""
        self.wait()
        self._pending = self._thread.submit(self._ws.commit, tables, source=source, offset=offset, counts=counts)

    def wait(self) -> None:
        """Until all is committed."""
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()
