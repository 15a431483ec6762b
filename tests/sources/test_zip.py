"""Zip files: members are files of their own, and a hostile one gives an error or a reject."""

from __future__ import annotations

import json
import stat
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from backlight.errors import RequestError
from backlight.ingest import ingest
from backlight.sources import FORMATS, Found, _zip, detect, on_disk, records, walk
from backlight.sources._bounds import FREE, RATIO
from backlight.workspace import Workspace

CHAT = {"id": "c1", "user_id": "u1", "messages": [{"role": "user", "content": "Say hello."}]}
LINES = b"".join(json.dumps(CHAT | {"id": f"c{n}"}).encode() + b"\n" for n in range(3))


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_members_that_may_hold_records_are_files_of_their_own(tmp_path: Path) -> None:
    """In order of name; pictures, hidden members and what a Mac adds are left out."""
    names = ("b/chats.jsonl", "a.json", "face.png", ".hidden.json", "__MACOSX/a.json", "b/")
    path = zipped(tmp_path / "export.zip", dict.fromkeys(names, b"{}"))
    assert list(walk([path])) == [Found(path / "a.json", False), Found(path / "b/chats.jsonl", False)]
    assert list(walk([tmp_path])) == list(walk([path]))


def test_a_member_is_detected_and_read(tmp_path: Path) -> None:
    """As if it lay beside the zip file."""
    member = zipped(tmp_path / "export.zip", {"chats.jsonl": LINES}) / "chats.jsonl"
    found = detect(member)
    assert found.format is FORMATS["messages"] and on_disk(member) == tmp_path / "export.zip"
    assert [raw.place for raw in records(member)] == ["line 1", "line 2", "line 3"]


def test_ingest_reads_a_zip_file_once(tmp_path: Path) -> None:
    """Its rows are stored, an unknown member is named, and a second run stores nothing."""
    path = zipped(tmp_path / "export.zip", {"chats.jsonl": LINES, "notes.txt": b"nothing to see"})
    with Workspace.open(tmp_path / "workspace", create=True) as ws:
        first, again = ingest(ws, [path]), ingest(ws, [path])
    assert [(Path(file.path).name, file.format, file.counts.stored) for file in first.files] == [
        ("chats.jsonl", "messages", 3), ("notes.txt", None, 0),
    ]  # fmt: skip
    assert (again.counts.stored, again.counts.duplicate) == (0, 3)


@pytest.mark.parametrize("name", ["/etc/passwd.json", "../up.json", "a/../../up.json", "a//b.json", "./c.json"])
def test_a_name_that_leads_elsewhere_is_no_member(tmp_path: Path, name: str) -> None:
    """Neither a file of this machine nor one beside the zip file is opened."""
    (tmp_path / "up.json").write_text(json.dumps(CHAT))
    folder = tmp_path / "in"
    folder.mkdir()
    path = zipped(folder / "export.zip", {name: b"{}", "good.json": b"{}"})
    assert list(walk([path])) == [Found(path / "good.json", False)]


def test_a_link_in_a_zip_file_is_no_member(tmp_path: Path) -> None:
    """A member that another system wrote as a symbolic link."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("link.json")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("good.json", "{}")
    assert list(walk([path])) == [Found(path / "good.json", False)]


def test_a_damaged_member_keeps_what_was_read_and_ends_in_a_reject(tmp_path: Path) -> None:
    """A wrong check sum is noticed at the end: of 300 kB all but the last 64 kB are kept."""
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:  # stored, so that its text stands in the file
        archive.writestr("chats.jsonl", LINES * 1_000)
    path.write_bytes(path.read_bytes().replace(b"Say hello.", b"Say hullo.", 1))
    *good, last = records(path / "chats.jsonl")
    assert 3_000 > len(good) > 2_000
    assert "can no longer be read" in str(last.wrong)


def test_a_bomb_is_one_reject(tmp_path: Path) -> None:
    """A quarter of a gigabyte of blanks in a few hundred kilobytes."""
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive, archive.open("a.jsonl", "w") as member:
        member.write(LINES)
        for _ in range(FREE // (1 << 20) + 64):
            member.write((b" " * 1023 + b"\n") * 1024)
    assert path.stat().st_size * RATIO < FREE
    *_, last = records(path / "a.jsonl", limit=1 << 20)
    assert "expands more than 400-fold" in str(last.wrong)


def test_a_member_with_a_password_is_refused(tmp_path: Path) -> None:
    """It says what to do."""
    path = zipped(tmp_path / "export.zip", {"a.json": b'{"x": 1}'})
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag in the member's head, and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(RequestError, match="needs a password"):
        detect(path / "a.json")


@pytest.mark.parametrize("keep", [10, 60, 200])
def test_a_torn_zip_file_is_refused(tmp_path: Path, keep: int) -> None:
    """Its directory stands at its end."""
    path = zipped(tmp_path / "export.zip", {"chats.jsonl": LINES * 50})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RequestError, match="damaged or no zip file"):
        list(walk([path]))
    assert [found.refused != "" for found in walk([tmp_path])] == [True]


def test_a_zip_file_without_records_is_refused(tmp_path: Path) -> None:
    """Named by hand it is an error; in a folder it is listed."""
    path = zipped(tmp_path / "pictures.zip", {"face.png": b"x"})
    with pytest.raises(RequestError, match="no member that may hold records"):
        list(walk([path]))
    (found,) = walk([tmp_path])
    assert "no member that may hold records" in found.refused


def test_a_zip_file_of_a_thousand_and_one_members_is_refused(tmp_path: Path) -> None:
    """Whoever has so many unpacks them; pictures do not count."""
    path = zipped(tmp_path / "many.zip", {f"{n}.json": b"{}" for n in range(1001)})
    with pytest.raises(RequestError, match="more than 1000 members"):
        list(walk([path]))
    path = zipped(tmp_path / "pictures.zip", {f"{n}.jpg": b"" for n in range(1001)} | {"a.json": b"{}"})
    assert list(walk([path])) == [Found(path / "a.json", False)]


@pytest.mark.parametrize("name", ["d" * 5000 + "/x.json", "é" * 30_000 + ".json"])
def test_a_name_that_no_file_can_have_is_no_member(tmp_path: Path, name: str) -> None:
    """Neither the walk nor a reader that is pointed at it breaks."""
    path = zipped(tmp_path / "export.zip", {name: b"{}", "good.json": b"{}"})
    assert list(walk([path])) == [Found(path / "good.json", False)]
    with suppress(RequestError):
        assert detect(path / name).format is None


def test_members_that_are_a_bomb_together_are_refused(tmp_path: Path) -> None:
    """Each below the measure of one file, all above it."""
    path = zipped(tmp_path / "bomb.zip", {f"{n}.json": bytes(40 << 20) for n in range(8)})
    with pytest.raises(RequestError, match="expands more than 400-fold"):
        list(walk([path]))


def test_a_listing_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no waiting without end."""
    monkeypatch.setattr(_zip, "SILENCE", 0.0)
    with pytest.raises(RequestError, match="takes too long"):
        list(walk([zipped(tmp_path / "export.zip", {"a.json": b"{}"})]))
