"""The story world on seeds that nobody chose: ten numbers from a commit's hash, each a world of its own.

The thresholds are committed first; the seeds follow from that commit, so they could not be picked. Every seed is
printed, whatever it says.

    python bench/seeds.py --commit "$(git rev-parse HEAD)"
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from backlight.evaluate import evaluate
from backlight.ingest import ingest
from backlight.investigate import investigate
from backlight.workspace import Workspace
from backlight.worlds import simulate


def seeds(commit: str, count: int) -> list[int]:
    """Seeds that follow from a commit: the first 31 bits of SHA-256 of "commit/n"."""
    return [int.from_bytes(hashlib.sha256(f"{commit}/{n}".encode()).digest()[:4], "big") >> 1 for n in range(count)]


def run(seed: int) -> dict[str, Any]:
    """One world from its files to its figures."""
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        simulate("story", world, seed=seed, size=1.0)
        start = time.monotonic()
        with Workspace.open(Path(folder) / "workspace", create=True) as ws:
            ingest(ws, [str(path) for path in sorted(world.glob("*")) if path.name != "truth.csv"])
            investigate(ws)
            return dict(evaluate(ws, world / "truth.csv")) | {"seed": seed, "seconds": round(time.monotonic() - start, 1)}


def main() -> None:
    """Print a line a seed, then the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--count", type=int, default=10)
    given = parser.parse_args()
    rows = []
    for seed in seeds(given.commit, given.count):
        rows.append(run(seed))
        print(json.dumps(rows[-1], default=str), flush=True)


if __name__ == "__main__":
    main()
