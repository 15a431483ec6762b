"""The command line: a thin face of the library. Names and JSON are stable.

With `--json`, stdout is one JSON document and nothing else; progress goes to stderr. Exit 0: done. 1: done, but a check
fell short. 2: the request was wrong and nothing was written.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from backlight._terminal import candidate_table, plain
from backlight.errors import BacklightError, CheckFailed, RequestError

app = typer.Typer(
    name="backlight",
    help="Finds the operations behind a language-model service's traffic.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
key_app = typer.Typer(help="The workspace's keys: rotate, back up.", no_args_is_help=True)
behaviours_app = typer.Typer(help="What operators are seen to do: list, show, test.", no_args_is_help=True)
policy_app = typer.Typer(help="Rules for what the guard does: check.", no_args_is_help=True)
retain_app = typer.Typer(help="Retention: make old text unreadable.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(retain_app, name="retain")
app.add_typer(behaviours_app, name="behaviours")
app.add_typer(policy_app, name="policy")

Where = Annotated[
    Path | None, typer.Option("-w", "--workspace", help="Workspace; default $BACKLIGHT_WORKSPACE, then ./backlight-workspace.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")]
Case = Annotated[str, typer.Option("--case", help="Case id, or a free reference before there is one.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]

# Not a terminal: wide enough that no table cuts a value.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; every error that Backlight raises on purpose becomes one line and its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        app(args=words, standalone_mode=True)
    except BacklightError as error:
        if "--json" in words and not isinstance(error, CheckFailed):  # a check falls short after its document is printed
            print(json.dumps({"error": {"wrong": error.wrong, "expected": error.expected, "todo": error.todo}}))
        err.print(f"backlight: {plain(str(error))}", markup=False)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        err.print("backlight: stopped; what was committed stands, and the same command goes on from there", markup=False)
        sys.exit(130)


def workspace_path(given: Path | None) -> Path:
    """Which workspace a command means."""
    return given or Path(os.environ.get("BACKLIGHT_WORKSPACE", "backlight-workspace"))


@contextmanager
def _open(given: Path | None, *, create: bool = False) -> Iterator[Any]:
    from backlight.workspace import Workspace

    with Workspace.open(workspace_path(given), create=create) as ws:
        yield ws


def _who() -> str:
    """Who acts, for the audit log: $BACKLIGHT_USER, or the operating system's user."""
    return os.environ.get("BACKLIGHT_USER") or os.environ.get("USER") or f"uid {os.getuid()}"


def _print(document: object) -> None:
    print(json.dumps(document, indent=2, ensure_ascii=True, default=str))


@contextmanager
def _progress(what: str) -> Iterator[Any]:
    """A bar on stderr; what it yields takes (done, total, words)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: float, total: float | None = None, words: str | None = None) -> None:
            bar.update(task, completed=done, total=total, description=escape(words or what))

        yield advance


# Start


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", help="Folder to write; its workspace is DIR/workspace.")] = Path(
        "backlight-demo"
    ),
    seed: Annotated[int, typer.Option(help="Another seed is another world of the same shape.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Invent a month of traffic, find what hides in it, refuse one request live, write a report."""
    from backlight.demo import run

    summary = run(folder, seed=seed, console=err if as_json else out)
    if as_json:
        _print(summary)


@app.command()
def sources(as_json: AsJson = False) -> None:
    """List the formats that can be read, and what each can and cannot give."""
    from backlight.sources import FORMATS

    rows: list[dict[str, Any]] = [
        {
            "format": f.name,
            "kind": f.kind,
            "title": f.title,
            "text": f.text,
            "gives": list(f.gives),
            "containers": list(f.containers),
        }
        for f in FORMATS.values()
    ]
    if as_json:
        return _print({"formats": rows})
    table = Table("format", "kind", "what", "text", "gives", box=None)
    for row in rows:
        table.add_row(row["format"], row["kind"], row["title"], "yes" if row["text"] else "no", ", ".join(row["gives"]))
    out.print(table)
    return None


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(metavar="SRC...", help="Files, folders, globs, or - for standard input.")],
    workspace: Where = None,
    format_: Annotated[str | None, typer.Option("--format", help="Read as this format; see `backlight sources`.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that says which column is which.")] = None,
    max_rejects: Annotated[float, typer.Option(help="Share of rejected records above which the exit status is 1.")] = 0.001,
    as_json: AsJson = False,
) -> None:
    """Read logs, posts or identifiers into the workspace; a second run of the same files stores nothing."""
    from backlight.ingest import ingest as read

    with _open(workspace, create=True) as ws, _progress("reading") as advance:
        report = read(ws, paths, format=format_, mapping=mapping, progress=advance)
    _print(report.as_dict()) if as_json else _show_ingest(report.as_dict())
    if fell_short := report.fell_short(max_rejects):
        raise CheckFailed(fell_short)


@app.command()
def investigate(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[SRC...]", help="Logs to read first.")] = None,
    posts: Annotated[list[str] | None, typer.Option(help="Posts to read first.")] = None,
    identifiers: Annotated[list[str] | None, typer.Option(help="Identifiers to read first.")] = None,
    workspace: Where = None,
    format_: Annotated[str | None, typer.Option("--format", help="Read the logs as this format.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="YAML file that says which column is which.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find candidates for operations: take in what the guard recorded, score, link, weigh, and apply the two keys."""
    from backlight.ingest import drain
    from backlight.ingest import ingest as read
    from backlight.investigate import investigate as find

    with _open(workspace, create=bool(paths or posts or identifiers)) as ws, _progress("investigating") as advance:
        reads = [
            (given, fmt, m)
            for given, fmt, m in ((paths, format_, mapping), (posts, None, None), (identifiers, None, None))
            if given
        ]
        ingested = [read(ws, given, format=fmt, mapping=m, progress=advance) for given, fmt, m in reads]
        ingested.append(drain(ws, ws.path / "spool"))
        findings = find(ws, progress=advance)
        document = findings.as_dict() | {"files": [row for one in ingested for row in one.as_dict()["files"]]}
        if report:
            _write_report(ws, report, members=False)
    if as_json:
        return _print(document)
    _show_counts(document)
    with _open(workspace) as ws:
        _show_candidates(_document(ws))
    return None


@app.command()
def guard(
    upstream: Annotated[str, typer.Option(help="Base URL of the OpenAI-compatible server behind it.")],
    policy: Annotated[Path | None, typer.Option(help="Policy file; default: observe, refuse nothing.")] = None,
    workspace: Where = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8080,
) -> None:
    """Stand in front of an OpenAI-compatible server: refuse, remember, watch, as the policy says."""
    from backlight.guard import serve

    with _open(workspace, create=True) as ws:
        serve(ws, upstream=upstream, policy=policy, host=host, port=port)


# Work


@app.command()
def candidates(
    workspace: Where = None,
    members: Annotated[bool, typer.Option("--members", help="List members; otherwise they are counted.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the candidates of the newest investigation, strongest first."""
    with _open(workspace) as ws:
        document = _document(ws)
    _print(document) if as_json else _show_candidates(document, members=members)


@app.command()
def show(
    which: Annotated[str, typer.Argument(metavar="ID", help="Candidate, flag, cohort or account.")],
    workspace: Where = None,
    as_json: AsJson = False,
) -> None:
    """Show one candidate or account: evidence, what speaks against it, what a person must read."""
    from backlight.investigate import show as look

    with _open(workspace) as ws:
        document = look(ws, which)
    _print(document) if as_json else _show_document(document)


@app.command()
def why(
    a: Annotated[str, typer.Argument(metavar="A", help="Account, such as acc-...")],
    b: Annotated[str, typer.Argument(metavar="B", help="Another account.")],
    workspace: Where = None,
    as_json: AsJson = False,
) -> None:
    """Explain why two accounts are linked: each layer, its evidence, its bits, the best innocent explanation."""
    from backlight.investigate import why as explain

    with _open(workspace) as ws:
        document = explain(ws, a, b)
    _print(document) if as_json else _show_document(document)


@app.command()
def dismiss(
    which: Annotated[str, typer.Argument(metavar="ID", help="Candidate.")],
    reason: Reason,
    workspace: Where = None,
) -> None:
    """Dismiss a candidate; it returns only on evidence of a new kind."""
    from backlight.candidates import dismiss as put_away

    with _open(workspace) as ws, ws.writing():
        put_away(ws, which, reason)
    out.print(f"{plain(which)} is dismissed; it returns only on evidence of a new kind.", markup=False)


@app.command()
def report(
    which: Annotated[str | None, typer.Argument(metavar="[ID]", help="One candidate; default all.")] = None,
    workspace: Where = None,
    to: Annotated[Path, typer.Option("-o", "--out", help="File to write.")] = Path("backlight-report.html"),
    members: Annotated[bool, typer.Option("--members", help="List members by pseudonym.")] = False,
) -> None:
    """Write the newest investigation as one HTML file that needs no network."""
    with _open(workspace) as ws:
        _write_report(ws, to, members=members, only=which)
    out.print(f"Written: {to}", markup=False)


@app.command()
def export(
    which: Annotated[str, typer.Argument(metavar="CANDIDATE", help="Candidate to export.")],
    format_: Annotated[str, typer.Option("--format", help="stix or csv.")],
    workspace: Where = None,
    to: Annotated[Path | None, typer.Option("-o", "--out", help="File to write; default standard output.")] = None,
) -> None:
    """Export one candidate as a STIX 2.1 bundle or as an indicator CSV; associated members never leave."""
    from backlight.reports import bundle, indicators

    with _open(workspace) as ws:
        whole = _collect(ws, only=which)
    view = whole.candidates[0]
    if format_ == "stix":
        text = bundle(view, made=whole.run["started"], techniques=_techniques())
    elif format_ == "csv":
        text = indicators(view)
    else:
        raise RequestError(f"{format_!r} is no export format", "stix or csv")
    if to is None:
        sys.stdout.write(text)
    else:
        to.write_text(text, encoding="utf-8", newline="")


# Research


@app.command()
def score(
    text: Annotated[str | None, typer.Argument(help="One text; or use --file.")] = None,
    file: Annotated[Path | None, typer.Option(help='JSONL of {"id", "text"}.')] = None,
    eval_: Annotated[
        Path | None, typer.Option("--eval", help="Labelled prompt set (JSONL, .gz) to measure the scorer on.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score texts against the behaviours; evidence in bits, not a verdict on anyone."""
    from backlight.scoring import evaluate_set, score_rows

    if eval_ is not None:
        return _print(evaluate_set(eval_))
    rows = score_rows(text, file)
    if as_json:
        return _print({"results": rows})
    for row in rows:
        names = ", ".join(f"{b['id']} {b['score']:.1f}" for b in row["behaviours"]) or "nothing above zero"
        out.print(f"{plain(str(row['id']))}  {row['language']}  {row['concern']:.1f} bits  {names}", markup=False)
    return None


@app.command()
def evaluate(
    truth: Annotated[Path, typer.Option(help="CSV: account,operation,group.")],
    workspace: Where = None,
    as_json: AsJson = False,
) -> None:
    """Compare the newest investigation with the truth of a world, or of your own cases."""
    from backlight.evaluate import evaluate as measure

    with _open(workspace) as ws:
        document = measure(ws, truth)
    _print(document) if as_json else _show_document(document)


@app.command()
def simulate(
    world: Annotated[str, typer.Argument(help="Which world; `story` is the demo's.")],
    folder: Annotated[Path, typer.Option("-o", "--out", help="Folder to write.")],
    seed: Annotated[int, typer.Option(help="Seed of every choice.")] = 0,
    size: Annotated[float, typer.Option(help="1.0 is about 10,000 interactions.")] = 1.0,
) -> None:
    """Write a world: a service's log, posts, identifiers, and the truth beside them."""
    from backlight.worlds import simulate as write

    summary = write(world, folder, seed=seed, size=size)
    out.print(plain(str(summary)), markup=False)


# Keep


@app.command()
def reveal(
    case: Case,
    reason: Reason,
    file: Annotated[Path | None, typer.Option(help="One pseudonym or interaction id a line.")] = None,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Pseudonyms (acc-...) or turns (int-...).")] = None,
    workspace: Where = None,
    as_json: AsJson = False,
) -> None:
    """Show raw identities or texts; recorded in the audit log before anything is shown."""
    wanted = [*(ids or []), *(line.strip() for line in (file.read_text().splitlines() if file else []) if line.strip())]
    if not wanted:
        raise RequestError("nothing to reveal", "ids on the command line or in --file", "give at least one id")
    turns = [one for one in wanted if one.startswith("int-")]
    accounts = [one for one in wanted if not one.startswith("int-")]
    who = _who()
    with _open(workspace) as ws:
        shown: dict[str, Any] = {"revealed": ws.reveal(accounts, case=case, reason=reason, who=who) if accounts else []}
        if turns:
            shown["texts"] = ws.read_text(turns, case=case, reason=reason, who=who)
    if as_json:
        return _print(shown)
    for row in [*shown["revealed"], *shown.get("texts", [])]:
        for name, value in row.items():
            out.print(f"{name}: {plain(str(value))}", markup=False)
        out.print()
    return None


@app.command()
def erase(
    account: Annotated[str, typer.Argument(metavar="ACCOUNT", help="Pseudonym (acc-...).")],
    workspace: Where = None,
    reason: Reason = "request of the person",
) -> None:
    """Erase an account: its texts and raw identity cannot be read again, with or without the keys."""
    from backlight.guard import Memory

    with _open(workspace) as ws, Memory(ws.path / "guard" / "memory.sqlite") as memory, ws.writing():
        ws.erasers = (memory.erase,)
        out.print(plain(str(ws.erase(account, reason=reason, who=_who()))), markup=False, soft_wrap=True)


@retain_app.callback()
def _retain() -> None:
    """Keep `run` a command of its own: typer would fold a single one into its group."""


@retain_app.command("run")
def retain_run(workspace: Where = None) -> None:
    """Make text and rejected bytes older than the setting `retain_text_days` unreadable, by whole months."""
    with _open(workspace) as ws:
        if ws.settings.retain_text_days is None:
            raise RequestError("nothing says how long text is kept", "`retain_text_days` in backlight.yaml")
        out.print(f"{ws.retain(who=_who()):,} sealed items are gone. Replace key backups kept elsewhere.", markup=False)


@key_app.command("rotate")
def key_rotate(workspace: Where = None) -> None:
    """Wrap every data key anew and destroy the old wrapping key."""
    with _open(workspace) as ws, ws.writing():
        ws.rotate_key(who=_who())
    out.print("The wrapping key is new. Replace key backups kept elsewhere; the old ones open nothing written from now on.")


@key_app.command("backup")
def key_backup(
    to: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder outside the workspace.")], workspace: Where = None
) -> None:
    """Copy the keys and the key store to a folder outside the workspace."""
    with _open(workspace) as ws:
        ws.backup_keys(to)
    out.print(
        f"Written: {to}. Whoever holds it and the workspace reads everything; after an erase it must be replaced.", markup=False
    )


@app.command()
def verify(
    workspace: Where = None,
    root: Annotated[str | None, typer.Option(help="Root hash that you hold from an earlier day.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check the audit log's chain, and with --root that it was not rewritten since."""
    with _open(workspace) as ws:
        result = ws.verify(root)
    document = {"ok": result.ok, "entries": result.entries, "root": result.root, "problem": result.problem}
    _print(document) if as_json else _show_document(document)
    if not result.ok:
        raise CheckFailed(
            "the audit log does not verify", "an unbroken chain", "keep a copy of it as it is and find out who could write it"
        )


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what it weighs, and what is missing."""
    from backlight.doctor import examine

    document = examine()
    _print(document) if as_json else _show_document(document)


@behaviours_app.command("list")
def behaviours_list(as_json: AsJson = False) -> None:
    """List the behaviours."""
    from backlight.signals.behaviours import load

    rows: list[dict[str, Any]] = [
        {"id": b.id, "name": b.name, "typology": list(b.typology), "needs_judge": b.needs_judge} for b in load().values()
    ]
    if as_json:
        return _print({"behaviours": rows})
    table = Table("id", "name", "typology", box=None)
    for row in rows:
        table.add_row(row["id"], row["name"], ", ".join(row["typology"]))
    out.print(table)
    return None


@behaviours_app.command("show")
def behaviours_show(
    which: Annotated[str, typer.Argument(metavar="ID", help="Such as BL-04.")], as_json: AsJson = False
) -> None:
    """Show one behaviour: definition, examples, look-alikes, what would change one's mind."""
    from backlight.signals.behaviours import load

    known = load()
    if which not in known:
        raise RequestError(f"{which!r} is no behaviour", "BL-01 to BL-30", "see `backlight behaviours list`")
    document = msgspec.to_builtins(known[which])
    _print(document) if as_json else _show_document(document)


@behaviours_app.command("test")
def behaviours_test(as_json: AsJson = False) -> None:
    """What the scorer makes of the examples that it did not learn from, by behaviour and language."""
    from backlight.scoring import behaviour_figures

    document = behaviour_figures()
    _print(document) if as_json else _show_document(document)


@policy_app.command("check")
def policy_check(path: Annotated[Path, typer.Argument(metavar="P", help="Policy file.")], as_json: AsJson = False) -> None:
    """Load a policy as the guard would: names, types, examples, and what it may not rest on."""
    from backlight.policy import check

    result = check(path)
    _print(result.as_dict()) if as_json else _show_document(result.as_dict())
    if not result.ok:
        raise CheckFailed(f"{path} does not load", "a policy without errors", "see the errors above")


# What the commands share


def _document(ws: Any) -> dict[str, Any]:
    from backlight.investigate import candidates_document

    return dict(candidates_document(ws))


def _collect(ws: Any, *, members: bool = False, only: str | None = None) -> Any:
    from backlight.reports import collect
    from backlight.signals.behaviours import load

    document = _document(ws)
    if only is not None:
        document["candidates"] = [one for one in document["candidates"] if one["id"] == only]
        if not document["candidates"]:
            raise RequestError(f"{only!r} is no candidate of the newest investigation", "an id of `backlight candidates`")
    return collect(ws, document, members=members, behaviours={b.id: b.name for b in load().values()})


def _techniques() -> dict[str, tuple[str, list[str]]]:
    from backlight.signals.behaviours import load

    return {b.id: (b.name, list(b.disarm)) for b in load().values()}


def _write_report(ws: Any, to: Path, *, members: bool, only: str | None = None) -> None:
    from backlight.reports import render

    to.write_text(render(_collect(ws, members=members, only=only)), encoding="utf-8")


def _show_ingest(document: dict[str, Any]) -> None:
    table = Table("file", "format", box=None)
    names = ("read", "stored", "duplicate", "rejected", "excluded", "repeated")
    for name in names:
        table.add_column(name, justify="right")
    for row in document["files"]:
        guessed = row["format"] or "unknown: " + ", ".join(f"{g[0]} {g[1]:.0%}" for g in row.get("guesses", []))
        table.add_row(escape(plain(str(row["path"]))), escape(guessed), *(f"{row[name]:,}" for name in names))
    out.print(table)
    _show_coverage(document["coverage"])


def _show_coverage(coverage: dict[str, Any]) -> None:
    for line in coverage.get("words", []):
        out.print(plain(line), markup=False)


def _show_counts(document: dict[str, Any]) -> None:
    out.print(", ".join(f"{value:,} {name}" for name, value in document["counts"].items()))
    _show_coverage(document["coverage"])


def _show_candidates(document: dict[str, Any], *, members: bool = False) -> None:
    out.print("Unreviewed machine output: not for publication. A person decides.")
    out.print(candidate_table(document))
    if members:
        for one in document["candidates"]:
            for member in one["members"]:
                cells = (
                    one["id"],
                    member["account"],
                    f"{member['member']:<10}",
                    f"{member['concern']:6.1f}",
                    *member["behaviours"],
                )
                out.print(plain("  ".join(cells)), markup=False)


def _show_document(document: Any, indent: int = 0) -> None:
    """Any document as indented lines; nothing in it is interpreted."""
    pad = "  " * indent
    pairs = document.items() if isinstance(document, dict) else ((None, value) for value in document)
    for name, value in pairs:
        head = f"{pad}{name}:" if name is not None else f"{pad}-"
        if isinstance(value, dict | list | tuple) and value:
            if isinstance(value, list | tuple) and not any(isinstance(item, dict | list | tuple) for item in value):
                out.print(plain(f"{head} {', '.join(map(str, value))}"), markup=False, soft_wrap=True)
            else:
                out.print(plain(head), markup=False)
                _show_document(value, indent + 1)
        else:
            shown = f"{value:.4g}" if isinstance(value, float) else ("" if value is None else str(value))
            out.print(plain(f"{head} {shown}"), markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
