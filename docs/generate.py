"""Write the reference pages that follow from the code: commands, settings, sources, tables, layers, behaviours.

`make docs` runs it; a test fails when a page is older than the code.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import typer
from backlight.workspace import Settings

from backlight import tables
from backlight.cli import app
from backlight.signals.behaviours import load
from backlight.sources import FORMATS

NOTE = "<!-- Written by `make docs` from the code; change the code, not this page. -->\n\n"


def commands() -> str:
    """Every command with its help text."""
    lines = ["# Commands\n\n", NOTE, inspect.cleandoc(_COMMANDS), "\n\n"]
    for path, command in _walk(typer.main.get_command(app), ["backlight"]):
        context = click.Context(command, info_name=" ".join(path), terminal_width=100, max_content_width=100)
        lines.append(f"## `{' '.join(path)}`\n\n```\n{command.get_help(context).rstrip()}\n```\n\n")
    return "".join(lines).rstrip() + "\n"


def _walk(command: click.Command, path: list[str]) -> Iterator[tuple[list[str], click.Command]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name in sorted(children):
        yield from _walk(children[name], [*path, name])


def settings() -> str:
    """Every setting of `backlight.yaml` with its default."""
    rows = []
    about = _attributes(inspect.getdoc(Settings) or "")
    for field in dataclasses.fields(Settings):
        default = field.default if field.default is not dataclasses.MISSING else field.default_factory()  # type: ignore[misc]
        rows.append(f"| `{field.name}` | `{default!r}` | {about[field.name]} |")
    head = "A workspace's `backlight.yaml`. Unknown keys are refused.\n\n| setting | default | meaning |\n| --- | --- | --- |\n"
    return f"# Settings\n\n{NOTE}{head}" + "\n".join(rows) + "\n"


def _attributes(doc: str) -> dict[str, str]:
    """The `Attributes:` of a Google docstring, name to text."""
    found: dict[str, str] = {}
    name = ""
    for line in doc.partition("Attributes:")[2].splitlines():
        head, colon, rest = line.strip().partition(":")
        if colon and line.startswith("    ") and not line.startswith("     ") and head.isidentifier():
            name = head
            found[name] = rest.strip()
        elif name and line.strip():
            found[name] += " " + line.strip()
    return found


def sources() -> str:
    """Every format with what it gives."""
    rows = []
    for f in FORMATS.values():
        text, gives, containers = "yes" if f.text else "no", ", ".join(f.gives), ", ".join(f.containers)
        rows.append(f"| `{f.name}` | {f.kind} | {f.title} | {text} | {gives} | {containers} |")
    head = "| format | kind | what | text | can give | containers |\n| --- | --- | --- | --- | --- | --- |\n"
    return f"# Sources\n\n{NOTE}{inspect.cleandoc(_SOURCES)}\n\n{head}" + "\n".join(rows) + "\n"


def schema() -> str:
    """Every table of the lake with its columns, and every layer with its family."""
    parts = ["# Tables and layers\n\n", NOTE, (inspect.getdoc(tables) or "") + "\n\n"]
    for table in tables.TABLES.values():
        parts.append(f"## `{table.name}`\n\nA row is {table.row}.\n\n| column | type | meaning |\n| --- | --- | --- |\n")
        parts += [f"| `{c.name}` | {c.type} | {c.about} |\n" for c in table.columns] + ["\n"]
    parts.append("## Layers\n\n| layer | family | meaning | window, seconds |\n| --- | --- | --- | --- |\n")
    parts += [f"| `{x.name}` | {x.family} | {x.about} | {x.window or 'none'} |\n" for x in tables.LAYERS.values()]
    parts.append("\n## Families\n\n" + "".join(f"- **{name}**: {about}\n" for name, about in tables.FAMILIES.items()))
    return "".join(parts)


def behaviours() -> str:
    """Every behaviour with its definition, look-alikes and maps."""
    parts = ["# Behaviours\n\n", NOTE, inspect.cleandoc(_BEHAVIOURS), "\n\n"]
    for b in load().values():
        judge = " A single document of this kind counts only once a judge or a person has read it." if b.needs_judge else ""
        maps = f"DISARM {', '.join(b.disarm) or 'none'}; kill chain {', '.join(b.kill_chain) or 'none'}"
        parts.append(f"## {b.id} {b.name}\n\n{b.definition}{judge}\n\n{maps}. Typology: {', '.join(b.typology)}.\n\n")
        parts.append(f"What would change the judgement: {b.what_would_change}\n\n")
    return "".join(parts).rstrip() + "\n"


_COMMANDS = """
`-w` names the workspace; without it `$BACKLIGHT_WORKSPACE` is used, then `./backlight-workspace`. With `--json`, standard
output is one JSON document and nothing else. Exit status: 0 done; 1 done, but rejects passed `--max-rejects` or a check
fell short; 2 the request was wrong and nothing was written.
"""
_SOURCES = """
A file's format is told from its first records. Under 80% confidence Backlight asks for `--format` and names its two best
guesses. JSON and CSV may be compressed with gzip or zstd; a zip file is read like a folder, and SQLite from a copy that
holds everything (`VACUUM INTO`). Zip, Parquet and SQLite are read by a child process with limits of its own, whose death is
a reject. What a format can give decides what can be found in it;
`coverage` after each run says what your files really held.
"""
_BEHAVIOURS = """
What operators are seen to do, in neutral words. None is a verdict, and none counts on topic, language or country. Each
has look-alikes: what innocent people do that reads the same. `backlight behaviours show ID` prints the examples.
"""

PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "settings.md": settings,
    "sources.md": sources,
    "tables.md": schema,
    "behaviours.md": behaviours,
}


def main() -> None:
    """Write every page."""
    folder = Path(__file__).parent / "reference"
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
