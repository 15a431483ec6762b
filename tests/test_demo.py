"""The demo from its one command, and the tutorial as a newcomer types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
BACKLIGHT = ".venv/bin/backlight"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds an environment and the demo's output, as after `make demo`."""
    home = tmp_path_factory.mktemp("newcomer")
    (home / ".venv").symlink_to(sys.prefix)
    done = run(home, f"{BACKLIGHT} demo --out backlight-demo")
    (home / "printed").write_text(done)
    return home


def run(home: Path, command: str) -> str:
    """What a command prints; it must succeed."""
    variables = os.environ | {"XDG_CONFIG_HOME": str(home / "config"), "COLUMNS": "200"}
    done = subprocess.run(["bash", "-c", command], cwd=home, env=variables, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, (command, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def candidates(home: Path) -> dict[str, Any]:
    """The document of `candidates --json`."""
    found: dict[str, Any] = json.loads(run(home, f"{BACKLIGHT} candidates --members --json -w backlight-demo/workspace"))
    return found


def test_the_demo_proposes_operations_and_accuses_no_innocent_group(folder: Path) -> None:
    """At least the farm and the crew on its seed; a member of a decoy group is in no core."""
    found = json.loads(
        run(folder, f"{BACKLIGHT} evaluate --truth backlight-demo/world/truth.csv --json -w backlight-demo/workspace")
    )
    named = {one["operation"] for one in found["operations"]["each"] if one["jaccard"] >= 0.5}
    assert {"farm", "romance"} <= named
    assert (found["decoys"]["accused"], found["benign"]["accused"]) == (0, 0)


def test_the_demo_refuses_a_request_and_leaves_a_report(folder: Path) -> None:
    """One request went through the guard; the report stands alone."""
    report = (folder / "backlight-demo" / "report.html").read_text(encoding="utf-8")
    assert "refused" in (folder / "printed").read_text()
    assert "unreviewed machine output" in report.lower() and "http://" not in report.replace("http://www.w3.org", "")


def test_the_tutorials_commands_run_as_written(folder: Path) -> None:
    """Each line of its code blocks, with the ids that the first candidate shows."""
    first = candidates(folder)["candidates"][0]
    ids = {"CANDIDATE": first["id"], "TURN": first["turns_to_read"][0]}
    one, two = (member["account"] for member in first["members"][:2])
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```\n(.*?)```", text, re.S) for line in block.splitlines()]
    commands = [line.replace("ACCOUNT ACCOUNT", f"{one} {two}") for line in lines if line.startswith(BACKLIGHT)]
    assert len(commands) >= 6
    for command in commands:
        for name, value in ids.items():
            command = command.replace(name, str(value))
        run(folder, command)
