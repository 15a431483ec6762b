"""SQLite of strangers is read by a child with limits: plain tables that some format reads, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RequestError
from backlight.ingest import ingest
from backlight.sources import FORMATS, _tables, detect, records
from backlight.sources._tables import sqlite_rows
from backlight.workspace import Workspace

MESSAGES = {
    "m-1": {"id": "m-1", "parentId": None, "childrenIds": ["m-2"], "role": "user", "content": "Say hello."},
    "m-2": {"id": "m-2", "parentId": "m-1", "childrenIds": [], "role": "assistant", "content": "Hello.", "model": "model-a"},
}  # fmt: skip
CHAT = json.dumps({"models": ["model-a"], "history": {"currentId": "m-2", "messages": MESSAGES}, "messages": []})


def database(path: Path, *statements: str, chats: int = 2) -> Path:
    """A database with a table of chats, and whatever the statements make."""
    with sqlite3.connect(path) as base:
        base.execute("CREATE TABLE chat (id TEXT PRIMARY KEY, user_id TEXT, title TEXT, chat TEXT, created_at INTEGER)")
        base.execute("CREATE TABLE auth (id TEXT, password TEXT)")
        base.execute("INSERT INTO auth VALUES ('u-1', 'canary')")
        base.executemany(
            "INSERT INTO chat VALUES (?, ?, 'greeting', ?, 1767225600)", [(f"c-{n}", f"u-{n}", CHAT) for n in range(chats)]
        )
        for statement in statements:
            base.execute(statement)
    base.close()
    return path


def test_a_database_of_open_webui_is_detected_and_read(tmp_path: Path) -> None:
    """The rows of its table of chats, and of no other."""
    path = database(tmp_path / "webui.db")
    assert detect(path).format is FORMATS["open-webui"]
    found = list(records(path))
    assert [raw.place for raw in found] == ["row 0 of table chat", "row 1 of table chat"]
    assert not any(b"canary" in raw.data for raw in found)


def test_ingest_stores_the_chats(tmp_path: Path) -> None:
    """Two chats of one turn each, under two accounts; a second run stores nothing."""
    path = database(tmp_path / "webui.db")
    with Workspace.open(tmp_path / "workspace", create=True) as ws:
        first, again = ingest(ws, [path]).counts, ingest(ws, [path]).counts
        assert ws.run("accounts", ws.table("accounts")).num_rows == 2
    assert ((first.stored, first.rejected), (again.stored, again.duplicate)) == ((2, 0), (0, 2))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW chat AS SELECT id, password AS chat FROM auth",
        "CREATE VIRTUAL TABLE chat USING fts5(id, user_id, body)",
    ],
)
def test_a_view_or_virtual_table_is_not_read(tmp_path: Path, statement: str) -> None:
    """It would run what a stranger wrote, or show another table under a known name."""
    assert list(sqlite_rows(database(tmp_path / "webui.db", "DROP TABLE chat", statement), ["chat"], limit=1 << 20)) == []


def test_a_computed_column_is_one_reject(tmp_path: Path) -> None:
    """Functions are refused."""
    column = "ALTER TABLE chat ADD COLUMN more TEXT GENERATED ALWAYS AS (hex(zeroblob(1000000))) VIRTUAL"
    (only,) = sqlite_rows(database(tmp_path / "webui.db", column), ["chat"], limit=1 << 20)
    assert "cannot be read further" in str(only.wrong)


def test_the_file_is_not_changed_by_being_read(tmp_path: Path) -> None:
    """Neither it nor anything beside it."""
    path = database(tmp_path / "webui.db", "CREATE TRIGGER t AFTER INSERT ON chat BEGIN DELETE FROM auth; END")
    before = path.read_bytes(), sorted(tmp_path.iterdir())
    list(records(path))
    assert (path.read_bytes(), sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize(("log", "what"), [("-wal", "write-ahead log"), ("-journal", "rollback journal")])
def test_a_log_that_was_not_merged_is_refused(tmp_path: Path, log: str, what: str) -> None:
    """Rows would be missed, or shown uncommitted, in silence; one that is empty is done with."""
    path = database(tmp_path / "webui.db")
    (tmp_path / f"webui.db{log}").write_bytes(b"")
    assert detect(path).format is not None
    (tmp_path / f"webui.db{log}").write_bytes(b"x")
    with pytest.raises(RequestError, match=what):
        detect(path)


def test_infinity_is_null(tmp_path: Path) -> None:
    """JSON has none."""
    path = database(tmp_path / "webui.db", "UPDATE chat SET created_at = 9e999", chats=1)
    (only,) = records(path)
    assert json.loads(only.data)["created_at"] is None


@pytest.mark.parametrize("damage", [lambda d: d[:3000], lambda d: d[:100] + b"\xff" * 4000 + d[4100:], lambda d: d[:16]])
def test_damage_is_one_reject_at_the_end(tmp_path: Path, damage: Any) -> None:
    """A torn or garbled file gives what could be read, and one reason."""
    path = database(tmp_path / "webui.db", chats=200)
    path.write_bytes(damage(path.read_bytes()))
    *_, last = records(path)
    assert "the SQLite file cannot be read further" in str(last.wrong)


def test_a_child_that_falls_silent_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no waiting without end."""
    monkeypatch.setattr(_tables, "SILENCE", 0.0)
    assert "fell silent" in str(list(sqlite_rows(database(tmp_path / "webui.db"), ["chat"], limit=1 << 20))[-1].wrong)


def test_a_database_of_something_else_has_no_format(tmp_path: Path) -> None:
    """No table that some format reads."""
    with sqlite3.connect(tmp_path / "other.db") as base:
        base.execute("CREATE TABLE songs (id TEXT)")
    assert detect(tmp_path / "other.db").format is None
