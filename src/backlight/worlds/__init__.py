"""Worlds: invented logs of a language-model service and of public posts, with the truth beside them.

Everything in a world is made up: people, places, firms, slogans, links. Nothing of a real log is in it.
"""

from __future__ import annotations

from pathlib import Path

from backlight.errors import RequestError
from backlight.worlds._declare import Group, Stage, Summary, Task, Wiring, World
from backlight.worlds._write import write
from backlight.worlds.story import STORY

__all__ = ["WORLDS", "Group", "Stage", "Summary", "Task", "Wiring", "World", "simulate", "write"]

WORLDS: dict[str, World] = {world.name: world for world in (STORY,)}


def simulate(world: str, out: Path, *, seed: int = 0, size: float = 1.0) -> Summary:
    """Writes a world by name: logs.jsonl, posts.csv, identifiers.csv, platform_accounts.csv and truth.csv.

    Args:
        world: a name of `WORLDS`.
        out: folder; made if missing.
        seed: equal seeds give equal bytes.
        size: scales the background; operations and decoys keep their sizes.

    Raises:
        RequestError: no such world, or a size out of range.
    """
    if world not in WORLDS:
        raise RequestError(f"no world is called {world!r}", f"one of {', '.join(WORLDS)}")
    return write(WORLDS[world], out, seed=seed, size=size)
