"""What a person names becomes files, each once, with no way out of the folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backlight.errors import RequestError
from backlight.sources import walk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """logs/{a.jsonl, b/c.jsonl, .hidden}."""
    (tmp_path / "logs" / "b").mkdir(parents=True)
    for name in ("a.jsonl", "b/c.jsonl", ".hidden"):
        (tmp_path / "logs" / name).write_text("{}")
    return tmp_path / "logs"


def names(*paths: Path | str) -> list[tuple[str, bool, str]]:
    return [(found.path.name, found.named, found.refused) for found in walk(paths)]


def test_a_folder_is_its_files_and_those_below(folder: Path) -> None:
    """In order of name, without hidden ones."""
    assert names(folder) == [("a.jsonl", False, ""), ("c.jsonl", False, "")]


def test_files_and_standard_input_are_named(folder: Path) -> None:
    """So that an unknown format among them stops the run."""
    assert names("-", folder / "a.jsonl") == [("-", True, ""), ("a.jsonl", True, "")]


@pytest.mark.parametrize("pattern", ["*.jsonl", "**/*.jsonl", "[ab]*"])
def test_globs_are_expanded(folder: Path, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative and absolute ones; a folder that matches is walked."""
    monkeypatch.chdir(folder)
    assert names(pattern) == names(f"{folder}/{pattern}")
    assert names(pattern)[0] == ("a.jsonl", False, "")


def test_a_loop_of_links_is_walked_once(folder: Path) -> None:
    """Links to the folder itself, upwards and to each other end the walk."""
    (folder / "b" / "up").symlink_to(folder)
    (folder / "b" / "self").symlink_to(folder / "b")
    (folder / "round").symlink_to("round")
    assert [name for name, _, refused in names(folder) if not refused] == ["a.jsonl", "c.jsonl"]


def test_links_that_lead_out_are_listed_and_not_followed(folder: Path) -> None:
    """Files and folders alike."""
    (folder.parent / "out.jsonl").write_text("{}")
    (folder / "link.jsonl").symlink_to(folder.parent / "out.jsonl")
    (folder / "dir").symlink_to("/etc")
    assert ("link.jsonl", False, "is a link that leads out of the folder") in names(folder)
    assert len(names(folder)) == 3


def test_one_real_file_is_read_once(folder: Path) -> None:
    """By whatever names and links it is reached."""
    (folder / "b" / "again.jsonl").symlink_to(folder / "a.jsonl")
    assert [name for name, *_ in names(folder / "a.jsonl", folder, f"{folder}/*")] == ["a.jsonl", "c.jsonl"]


def test_pipes_in_a_folder_are_listed_and_named_ones_refused(folder: Path) -> None:
    """Nothing waits for a writer."""
    os.mkfifo(folder / "pipe")
    assert ("pipe", False, "is no regular file") in names(folder)
    with pytest.raises(RequestError, match="no regular file"):
        names(folder / "pipe")


@pytest.mark.parametrize("missing", ["gone.jsonl", "gone/*.jsonl", "*.none", "/dev/null", "nul\0"])
def test_what_is_not_there_is_told(folder: Path, missing: str) -> None:
    """A file, a glob without a match, a device."""
    with pytest.raises(RequestError):
        names(f"{folder}/{missing}" if not missing.startswith("/") else missing)


def test_nothing_is_read_before_all_named_files_were_checked(folder: Path) -> None:
    """The error comes with the first step."""
    with pytest.raises(RequestError, match=r"gone"):
        next(walk([folder / "a.jsonl", folder / "gone"]))


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    """Nothing to read is a mistake of the request."""
    with pytest.raises(RequestError, match="holds no file"):
        names(tmp_path)
