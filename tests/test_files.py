from __future__ import annotations

import os
from pathlib import Path

import pytest

from backlight import _files
from backlight._files import private_folder, remove, write_private


def test_a_private_file_is_whole_and_for_its_owner(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask, over an older one too."""
    old = os.umask(0)
    try:
        write_private(tmp_path / "a", b"old")
        write_private(tmp_path / "a", b"new")
    finally:
        os.umask(old)
    assert (tmp_path / "a").read_bytes() == b"new" and (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing beside it."""
    write_private(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_private(tmp_path / "a", b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_private_folder_is_closed_to_others(tmp_path: Path) -> None:
    """Mode 0700, an older folder's too."""
    (tmp_path / "a").mkdir(mode=0o755)
    private_folder(tmp_path / "a")
    private_folder(tmp_path / "b" / "c")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "b" / "c")} == {0o700}


def test_removing_overwrites_first(tmp_path: Path) -> None:
    """Another name of the same file shows zeros; an absent file is no error."""
    (tmp_path / "key").write_bytes(b"secret")
    (tmp_path / "other").hardlink_to(tmp_path / "key")
    remove(tmp_path / "key", overwrite=True)
    remove(tmp_path / "key")
    assert not (tmp_path / "key").exists() and (tmp_path / "other").read_bytes() == bytes(6)
