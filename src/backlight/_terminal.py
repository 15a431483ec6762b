"""What the terminal shows: log text is hostile there too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table


def plain(text: str) -> str:
    """Text for a terminal: control codes, which log text may hold, are written out."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def candidate_table(document: Mapping[str, Any]) -> Table:
    """Candidates as a table for the terminal: members as counts."""
    table = Table("candidate", "status", "kind", box=None)
    for name in ("core", "assoc.", "platform", "tie bits", "concern"):
        table.add_column(name, justify="right")
    table.add_column("families")
    table.add_column("first to last")
    for one in document["candidates"]:
        core = sum(member["member"] == "core" for member in one["members"])
        numbers = (core, len(one["members"]) - core, len(one["platform_accounts"]))
        table.add_row(
            one["id"],
            one["status"],
            ", ".join(one["kind"]),
            *map(str, numbers),
            f"{one['tie_bits']:.1f}",
            f"{one['concern']:.1f}",
            ", ".join(one["families"]),
            f"{str(one['first'])[:10]} to {str(one['last'])[:10]}",
        )
    return table
