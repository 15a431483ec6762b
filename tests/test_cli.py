"""The command line's promises to scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backlight.cli import main


def run(*words: str) -> int | str | None:
    try:
        main(words)
    except SystemExit as end:
        return end.code
    return 0


def test_a_check_that_falls_short_still_prints_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown file in a folder: exit 1, and stdout is one JSON document that lists it."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("nothing that anybody logs\n")
    assert run("ingest", str(tmp_path / "logs"), "-w", str(tmp_path / "ws"), "--json") == 1
    assert [row["format"] for row in json.loads(capsys.readouterr().out)["files"]] == [None]


def test_a_wrong_request_is_one_document_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A workspace that does not exist: exit 2, and the error is the document."""
    assert run("candidates", "-w", str(tmp_path / "none"), "--json") == 2
    assert set(json.loads(capsys.readouterr().out)) == {"error"}
