from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from backlight._keys import KeyStore, key_folder
from backlight._vault import Vault
from backlight.errors import KeyMissing, Locked, RequestError, StoreError
from backlight.tables import show_id
from backlight.workspace import Turn, Workspace

MONTH = 2026 * 12
TIME = datetime(2026, 1, 2, tzinfo=UTC)
CANARIES = {7: "canary-seven-8f3a", 8: "canary-eight-1b2c"}


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path / "ws", create=True) as made:
        yield made


def signals(*subjects: int) -> pa.Table:
    return pa.table({"subject": pa.array(subjects, pa.int64())})


def store_turns(ws: Workspace) -> None:
    """Two accounts, three turns each, their identities and identifiers, and one reject."""
    ids = [11, 12, 13, 21, 22, 23]
    accounts = [7, 7, 7, 8, 8, 8]
    texts = [
        {"p": f"{CANARIES[a]} prompt {i}", "s": None, "o": f"{CANARIES[a]} output", "e": []}
        for a, i in zip(accounts, ids, strict=True)
    ]
    raws = [{"raw": f"raw-{CANARIES[a]}", "level": "end_user", "key": f"key-{CANARIES[a]}"} for a in (7, 8)]
    rows, owners, months = [*ids, 7, 8, 99], [*accounts, 7, 8, 0], [*[MONTH] * 6, 0, 0, MONTH]
    payloads = [*map(msgspec.msgpack.encode, texts), *map(msgspec.msgpack.encode, raws), b"\xff canary-reject"]
    kinds = [*["exchange"] * 6, "identity", "identity", "reject"]
    blobs = ws.vault.seal_many(rows, owners, months, payloads)
    vault = {"row": rows, "kind": kinds, "account": owners, "month": pa.array(months, pa.int32()), "blob": blobs}
    times = pa.array([TIME] * 6, pa.timestamp("us", "UTC"))
    with ws.writing():
        ws.commit(
            {
                "interactions": pa.table({"id": ids, "account": accounts, "time": times}),
                "accounts": pa.table({"account": [7, 8], "level": ["end_user"] * 2}),
                "identifiers": pa.table({"account": [7, 8], "kind": ["address"] * 2, "value": [70, 80]}),
                "vault": pa.table(vault),
            },
            source="log", offset={"line": 6}, counts={"stored": 6},
        )  # fmt: skip


def files_of(ws: Workspace) -> list[Path]:
    return [file for base in (ws.path, key_folder(ws.id)) for file in base.rglob("*") if file.is_file()]


def holding(ws: Workspace, *canaries: str) -> list[str]:
    return [str(file) for file in files_of(ws) if any(canary.encode() in file.read_bytes() for canary in canaries)]


# --- opening -----------------------------------------------------------------------------------------------------


def test_a_new_workspace_is_for_its_owner_only(ws: Workspace) -> None:
    """Folders 0700, files 0600, and a README that says what it is and where the keys are."""
    store_turns(ws)
    ws.audit.record("test", who="someone")
    folders = [path for path in ws.path.rglob("*") if path.is_dir() and path.parent == ws.path]
    assert {oct(path.stat().st_mode & 0o777) for path in [ws.path, *folders]} == {"0o700"}
    assert {oct(path.stat().st_mode & 0o777) for path in files_of(ws)} == {"0o600"}
    assert str(key_folder(ws.id)) in (ws.path / "README").read_text()


def test_the_default_place_is_backlight_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the current folder."""
    monkeypatch.chdir(tmp_path)
    with Workspace.create() as made:
        assert made.path == tmp_path / "backlight-workspace"


def test_opens_what_it_made(ws: Workspace) -> None:
    """With the same id, keys and version."""
    store_turns(ws)
    with Workspace.open(ws.path) as again:
        assert (again.id, again.version, again.spool_key) == (ws.id, 1, ws.spool_key)
        assert again.hasher.id("text", "a") == ws.hasher.id("text", "a")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_text("x")])
def test_a_path_that_is_no_workspace_is_told(tmp_path: Path, make: object) -> None:
    """Absent, an empty folder, a file: nothing is made."""
    make(tmp_path / "other")  # type: ignore[operator]
    with pytest.raises(StoreError, match="is not a workspace"):
        Workspace.open(tmp_path / "other")


def test_a_folder_of_others_is_not_taken(tmp_path: Path) -> None:
    """Creating never mixes with what is there."""
    (tmp_path / "theirs").write_text("x")
    with pytest.raises(RequestError, match="exists and is no workspace"):
        Workspace.open(tmp_path, create=True)


@pytest.mark.parametrize("name", ["a[1]", "b]", "50%", "line\nbreak", "back\\slash", "car^et", "b|ar"])
def test_paths_that_delta_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made."""
    with pytest.raises(RequestError, match="contains"):
        Workspace.open(tmp_path / name, create=True)
    assert list(tmp_path.iterdir()) == []


def test_odd_paths_work_whole(tmp_path: Path) -> None:
    """Written, healed, read and erased in a folder with spaces, quotes, marks and other scripts."""
    with Workspace.open(tmp_path / "a b ü 光 'q' #?*+&()", create=True) as ws:
        store_turns(ws)
        assert len(list(ws.turns())) == 6
        assert ws.erase(show_id("account", 7), reason="asked").rows == 4
        assert len(list(ws.turns())) == 3


def test_a_missing_key_refuses_and_writes_nothing(ws: Workspace) -> None:
    """KeyMissing; the folder is byte for byte as it was."""
    store_turns(ws)
    shutil.move(key_folder(ws.id), key_folder(ws.id).with_name("away"))
    before = {file: file.read_bytes() for file in ws.path.rglob("*") if file.is_file()}
    with pytest.raises(KeyMissing):
        Workspace.open(ws.path)
    assert {file: file.read_bytes() for file in ws.path.rglob("*") if file.is_file()} == before
    assert not key_folder(ws.id).exists()


def test_a_wrong_key_refuses(ws: Workspace, tmp_path: Path) -> None:
    """Keys that name this workspace but are others do not pass the check value."""
    with Workspace.open(tmp_path / "other", create=True) as other:
        foreign = (key_folder(other.id) / "keys.json").read_text().replace(other.id, ws.id)
    (key_folder(ws.id) / "keys.json").write_text(foreign)
    with pytest.raises(KeyMissing, match="not those of"):
        Workspace.open(ws.path)


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"format": 1}', b'{"format": 9, "id": "x", "check": ""}', b'{"format":1,"id":"../x","check":""}']
)
def test_a_damaged_marker_is_told(ws: Workspace, body: bytes) -> None:
    """A StoreError, and no path is built from what stands in it."""
    (ws.path / "workspace.json").write_bytes(body)
    with pytest.raises(StoreError, match=r"workspace\.json"):
        Workspace.open(ws.path)


@pytest.mark.parametrize("name", ["lake", "commits"])
def test_a_missing_folder_is_told(ws: Workspace, name: str) -> None:
    """Rather than taken for an empty workspace."""
    shutil.rmtree(ws.path / name)
    with pytest.raises(StoreError, match=f"no folder {name}"):
        Workspace.open(ws.path)


def test_wrong_settings_are_told_when_it_is_opened(ws: Workspace) -> None:
    """Not in the middle of the work."""
    (ws.path / "backlight.yaml").write_text("sed: 7\n")
    with pytest.raises(RequestError, match="did you mean seed"):
        Workspace.open(ws.path)


def test_settings_are_read_from_the_workspace(ws: Workspace) -> None:
    """From backlight.yaml."""
    (ws.path / "backlight.yaml").write_text("seed: 7\nmemory: 256MB\n")
    assert ws.settings["seed"] == 7
    assert ws.run("limit", ws.engine.bind("one", signals(1))).num_rows == 1


# --- reading and writing -----------------------------------------------------------------------------------------


def test_commits_are_read_by_the_same_workspace(ws: Workspace) -> None:
    """Tables that were bound before the commit show it after."""
    table = ws.table("signals")
    assert ws.run("before", table).num_rows == 0
    with ws.writing():
        assert ws.commit({"signals": signals(1, 2)}) == 1
        assert ws.commit({"signals": signals(3)}, replace=["signals"]) == 2
    assert ws.run("after", table)["subject"].to_pylist() == [3] and ws.version == 2


def test_a_reader_keeps_its_data_version(ws: Workspace) -> None:
    """Until it refreshes."""
    with ws.writing():
        ws.commit({"signals": signals(1)})
    with Workspace.open(ws.path) as reader:
        with ws.writing():
            ws.commit({"signals": signals(2), "texts": pa.table({"text": [5]})})
        assert (
            reader.run("old", reader.table("signals")).num_rows == 1 and reader.run("old", reader.table("texts")).num_rows == 0
        )
        assert reader.refresh() == 2
        assert (
            reader.run("new", reader.table("signals")).num_rows == 2 and reader.run("new", reader.table("texts")).num_rows == 1
        )


def test_steps_are_timed(ws: Workspace) -> None:
    """Name, seconds and rows of each, streams too once they are read."""
    table = ws.engine.bind("numbers", pa.table({"n": list(range(5000))}))
    ws.run("whole", table)
    assert sum(batch.num_rows for batch in ws.stream("parts", table, 1000)) == 5000
    assert [(timing.step, timing.rows) for timing in ws.timings] == [("whole", 5000), ("parts", 5000)]
    assert all(timing.seconds > 0 for timing in ws.timings)


def test_an_unknown_table_is_told(ws: Workspace) -> None:
    """With those that there are."""
    with pytest.raises(RequestError, match="one of interactions"):
        ws.table("interaction")


def test_progress_is_told_per_source(ws: Workspace) -> None:
    """As committed, to this workspace and to the next that opens it."""
    store_turns(ws)
    with Workspace.open(ws.path) as again:
        assert dict(ws.progress("log")) == dict(again.progress("log")) == {"line": 6}
        assert dict(again.progress("other")) == {}
        assert [commit.counts for commit in again.commits()] == [{"stored": 6}]


def test_a_commit_needs_the_writer_lock(ws: Workspace) -> None:
    """Else two writers could read, then write."""
    with pytest.raises(StoreError, match="writing"):
        ws.commit({"signals": signals(1)})


def test_two_writers_do_not_write_at_once(ws: Workspace) -> None:
    """The second is told who writes; readers go on; the lock may be taken again inside, and is free afterwards."""
    with Workspace.open(ws.path) as other:
        with ws.writing(), ws.writing():
            with pytest.raises(Locked, match=f"process {os.getpid()} is writing"), other.writing():
                pass
            assert other.run("read", other.table("signals")).num_rows == 0
        with other.writing():
            assert other.commit({"signals": signals(1)}) == 1


def test_a_killed_writer_leaves_no_lock(ws: Workspace) -> None:
    """The lock dies with its process."""
    code = (
        f"from backlight.workspace import Workspace\nws = Workspace.open({str(ws.path)!r})\n"
        "with ws.writing(): print('locked', flush=True); import time; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdout.readline() == b"locked\n"
        with pytest.raises(Locked), ws.writing():
            pass
        running.kill()
    with ws.writing():
        assert ws.commit({"signals": signals(1)}) == 1


def test_a_failed_commit_leaves_the_pinned_rows(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next one goes through."""
    with ws.writing():
        ws.commit({"signals": signals(1)})
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(ws._lake, "_record", _interrupt)
            ws.commit({"signals": signals(2)})
        ws.commit({"signals": signals(3)})
    assert sorted(ws.run("rows", ws.table("signals"))["subject"].to_pylist()) == [1, 3]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


# --- text --------------------------------------------------------------------------------------------------------


def test_turns_are_opened_in_memory(ws: Workspace) -> None:
    """All, or those of some interactions, with account and time."""
    store_turns(ws)
    assert {turn.id for turn in ws.turns()} == {11, 12, 13, 21, 22, 23}
    [turn] = ws.turns([11])
    assert turn == Turn(11, 7, TIME, f"{CANARIES[7]} prompt 11", None, f"{CANARIES[7]} output")
    assert list(ws.turns(pa.array([], pa.int64()))) == []


def test_turns_count_those_whose_key_is_gone(ws: Workspace) -> None:
    """And skip them."""
    store_turns(ws)
    ws._key_store.delete_account(7)
    turns = ws.turns()
    assert {turn.id for turn in turns} == {21, 22, 23} and turns.erased == 3


def test_turns_may_be_read_while_others_are_opened(ws: Workspace) -> None:
    """Two streams at a time, and queries between."""
    store_turns(ws)
    seen = [(turn.id, {other.id for other in ws.turns([turn.id])}) for turn in ws.turns()]
    assert all(found == {row} for row, found in seen) and len(seen) == 6


# --- reveals -----------------------------------------------------------------------------------------------------


def test_a_reveal_gives_raw_identities_and_is_recorded(ws: Workspace) -> None:
    """In the order of the ids, in the stable form."""
    store_turns(ws)
    ids = [show_id("account", 8), show_id("account", 7)]
    assert ws.reveal(ids, case="C-1", reason="asked", who="an analyst") == [
        {"account": ids[0], "raw_account": f"raw-{CANARIES[8]}", "level": "end_user", "key": f"key-{CANARIES[8]}"},
        {"account": ids[1], "raw_account": f"raw-{CANARIES[7]}", "level": "end_user", "key": f"key-{CANARIES[7]}"},
    ]
    [entry] = ws.audit.entries()
    assert (entry["action"], entry["case"], entry["objects"]["count"]) == ("reveal", "C-1", 2)


def test_reading_text_is_recorded(ws: Workspace) -> None:
    """By number or by shown id; what does not exist is left out."""
    store_turns(ws)
    shown = ws.read_text([21, show_id("interaction", 11), 5], case="C-1", reason="asked", who="an analyst")
    assert [turn["prompt"] for turn in shown] == [f"{CANARIES[8]} prompt 21", f"{CANARIES[7]} prompt 11"]
    assert shown[0]["time"] == "2026-01-02T00:00:00+00:00" and shown[0]["account"] == show_id("account", 8)
    assert [entry["action"] for entry in ws.audit.entries()] == ["read_text"]


@pytest.mark.parametrize(("case", "reason", "who"), [("", "asked", "me"), ("C-1", " ", "me"), ("C-1", "asked", "")])
def test_a_reveal_without_case_reason_or_person_is_refused(ws: Workspace, case: str, reason: str, who: str) -> None:
    """Nothing is shown and nothing recorded."""
    store_turns(ws)
    with pytest.raises(RequestError, match="a reveal has no"):
        ws.reveal([show_id("account", 7)], case=case, reason=reason, who=who)
    with pytest.raises(RequestError, match="a reveal has no"):
        ws.read_text([11], case=case, reason=reason, who=who)
    assert list(ws.audit.entries()) == []


@pytest.mark.parametrize("shown", ["someone", show_id("interaction", 7), show_id("account", 404)])
def test_a_reveal_of_no_account_is_refused(ws: Workspace, shown: str) -> None:
    """A raw id, another kind of id, an unknown account."""
    store_turns(ws)
    with pytest.raises(RequestError):
        ws.reveal([shown], case="C-1", reason="asked", who="an analyst")


def test_a_reveal_fails_closed(ws: Workspace) -> None:
    """Without an audit entry on disk nothing is shown."""
    store_turns(ws)
    ws.audit.path.mkdir()
    with pytest.raises(StoreError, match="nothing was done"):
        ws.reveal([show_id("account", 7)], case="C-1", reason="asked", who="an analyst")
    with pytest.raises(StoreError, match="nothing was done"):
        ws.read_text([11], case="C-1", reason="asked", who="an analyst")
    with pytest.raises(StoreError, match="nothing was done"):
        ws.erase(show_id("account", 7), reason="asked")
    assert len(list(ws.turns([11, 12, 13]))) == 3


# --- erasure -----------------------------------------------------------------------------------------------------


def test_no_text_and_no_raw_identity_is_readable_in_any_file(ws: Workspace) -> None:
    """Byte search over workspace and key folder, after reading, revealing and erasing."""
    store_turns(ws)
    list(ws.turns())
    ws.reveal([show_id("account", 7)], case="C-1", reason="asked", who="an analyst")
    ws.read_text([11], case="C-1", reason="asked", who="an analyst")
    ws.erase(f"raw-{CANARIES[8]}", reason="asked")
    assert holding(ws, *CANARIES.values(), "canary-reject") == []


def test_an_erased_account_cannot_be_read_with_the_keys(ws: Workspace, tmp_path: Path) -> None:
    """Not from the workspace, nor from a copy of it made before, nor with a copy of the key store; others stay."""
    store_turns(ws)
    blobs = ws.run("sealed", ws.table("vault").filter(lambda vault: vault.account == 7)).to_pylist()
    shutil.copytree(ws.path, tmp_path / "copy")
    erasure = ws.erase(show_id("account", 7), reason="asked")
    assert (erasure.account, erasure.keys, erasure.rows) == (show_id("account", 7), 2, 4) and "replace them" in str(erasure)
    assert [turn.account for turn in ws.turns()] == [8, 8, 8]
    assert (
        Vault(ws._key_store).open_many(*([blob[name] for blob in blobs] for name in ("row", "account", "month", "blob")))
        == [None] * 4
    )
    assert [name for name in files_of(ws) if any(blob["blob"] in name.read_bytes() for blob in blobs)] == []
    with Workspace.open(tmp_path / "copy") as copy:
        turns = copy.turns()
        assert {turn.account for turn in turns} == {8} and turns.erased == 3
    identity = ws.reveal([show_id("account", 7), show_id("account", 8)], case="C-1", reason="asked", who="an analyst")
    assert [row["raw_account"] for row in identity] == [None, f"raw-{CANARIES[8]}"]


def test_an_old_key_store_brings_nothing_back(ws: Workspace) -> None:
    """A copy of the key store alone, made before the erasure, does not open under the keys that are there now."""
    store_turns(ws)
    folder = key_folder(ws.id)
    copy = folder.parent / "copy.sqlite"
    ws._key_store.copy_to(copy)
    ws.erase(show_id("account", 7), reason="asked")
    for file in folder.glob("keystore.sqlite*"):
        file.unlink()
    copy.rename(folder / "keystore.sqlite")
    with pytest.raises(KeyMissing):
        Workspace.open(ws.path)


def test_a_key_backup_of_before_opens_only_older_copies(ws: Workspace, tmp_path: Path) -> None:
    """Which is why an erasure says that it must be replaced: with an older copy of the workspace it reads everything."""
    store_turns(ws)
    ws.backup_keys(tmp_path / "backup")
    shutil.copytree(ws.path, tmp_path / "copy")
    ws.erase(show_id("account", 7), reason="asked")
    shutil.rmtree(key_folder(ws.id))
    shutil.copytree(tmp_path / "backup", key_folder(ws.id))
    with Workspace.open(ws.path) as now, Workspace.open(tmp_path / "copy") as copy:
        assert {turn.account for turn in now.turns()} == {8} and {turn.account for turn in copy.turns()} == {7, 8}


def test_erasure_takes_identifiers_and_actions_too(ws: Workspace) -> None:
    """A keyed hash of an address can be found by trying all addresses, if one has the key."""
    store_turns(ws)
    with ws.writing():
        ws.commit({"actions": pa.table({"actor": [7, 8], "layer": ["address"] * 2, "object": [70, 80]})})
    ws.erase(show_id("account", 7), reason="asked")
    assert ws.run("left", ws.table("identifiers"))["account"].to_pylist() == [8]
    assert ws.run("left", ws.table("actions"))["actor"].to_pylist() == [8]


@pytest.mark.parametrize("given", [f"raw-{CANARIES[7]}", f"key-{CANARIES[7]}/raw-{CANARIES[7]}", show_id("account", 7)])
def test_an_account_is_erased_by_raw_id_or_pseudonym(ws: Workspace, given: str) -> None:
    """Alone, or with its key."""
    store_turns(ws)
    assert ws.erase(given, reason="asked").account == show_id("account", 7)


def test_an_id_that_means_several_accounts_is_not_erased(ws: Workspace) -> None:
    """The accounts are named, so that one can be chosen; an unknown id is told as well."""
    store_turns(ws)
    blob = ws.vault.seal(9, 9, 0, msgspec.msgpack.encode({"raw": f"raw-{CANARIES[7]}", "level": "user", "key": None}))
    with ws.writing():
        identity = {"row": [9], "kind": ["identity"], "account": [9], "month": pa.array([0], pa.int32()), "blob": [blob]}
        ws.commit({"accounts": pa.table({"account": [9]}), "vault": pa.table(identity)})
    with pytest.raises(RequestError, match="means 2 accounts: acc-"):
        ws.erase(f"raw-{CANARIES[7]}", reason="asked")
    with pytest.raises(RequestError, match="means 0 accounts"):
        ws.erase("nobody", reason="asked")
    with pytest.raises(RequestError, match="no reason"):
        ws.erase(show_id("account", 7), reason=" ")


def test_what_lies_outside_the_lake_is_erased_by_its_owner(ws: Workspace) -> None:
    """Registered erasers get the account's number."""
    store_turns(ws)
    erased: list[int] = []
    ws.erasers = (erased.append,)
    ws.erase(show_id("account", 7), reason="asked")
    assert erased == [7]


@pytest.mark.parametrize("broken", ["rotate", "truncate", "end_erasure"])
def test_an_erasure_cut_short_is_finished_by_the_next_writer(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Its data keys are gone at once; its rows when somebody writes again."""
    store_turns(ws)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(KeyStore, broken, _interrupt)
        ws.erase(show_id("account", 7), reason="asked")
    with Workspace.open(ws.path) as fresh:
        assert {turn.account for turn in fresh.turns()} == {8}
        with fresh.writing():
            pass
        assert fresh.run("left", fresh.table("vault"))["account"].to_pylist().count(7) == 0
        assert fresh._key_store.erasing() == [] and len(list(key_folder(ws.id).glob("wrapping*"))) == 1
        assert [entry["action"] for entry in fresh.audit.entries()][-1] == "erased"


def test_an_older_reader_is_told_after_an_erasure(ws: Workspace) -> None:
    """Its files are gone; it must open again."""
    store_turns(ws)
    with Workspace.open(ws.path) as reader:
        reader.table("vault")
        ws.erase(show_id("account", 7), reason="asked")
        with pytest.raises(StoreError, match="open the workspace again"):
            list(reader.turns())
        reader.refresh()
        assert len(list(reader.turns())) == 3


def test_an_erased_account_may_write_again(ws: Workspace) -> None:
    """Under a new data key."""
    store_turns(ws)
    ws.erase(show_id("account", 7), reason="asked")
    blob = ws.vault.seal(14, 7, MONTH, msgspec.msgpack.encode({"p": "back"}))
    with ws.writing():
        ws.commit(
            {
                "vault": pa.table(
                    {"row": [14], "kind": ["exchange"], "account": [7], "month": pa.array([MONTH], pa.int32()), "blob": [blob]}
                )
            }
        )
    assert [turn.prompt for turn in ws.turns([14])] == ["back"]


def test_rotation_keeps_everything(ws: Workspace) -> None:
    """And is recorded."""
    store_turns(ws)
    assert ws.rotate_key() == 5
    assert len(list(ws.turns())) == 6
    assert [entry["action"] for entry in ws.audit.entries()] == ["rotate_key"]


def test_retention_erases_old_months(ws: Workspace) -> None:
    """Text and rejects of January 2026 go once all of January is 30 days old; identities stay."""
    store_turns(ws)
    (ws.path / "backlight.yaml").write_text("retain_text_days: 30\n")
    assert ws.retain(now=datetime(2026, 3, 2, tzinfo=UTC)) == 0
    assert ws.retain(now=datetime(2026, 3, 3, tzinfo=UTC)) == 7
    assert list(ws.turns()) == [] and ws.run("left", ws.table("vault"))["kind"].to_pylist() == ["identity"] * 2
    [row] = ws.reveal([show_id("account", 7)], case="C-1", reason="asked", who="an analyst")
    assert row["raw_account"] == f"raw-{CANARIES[7]}"


def test_retention_is_off_by_default(ws: Workspace) -> None:
    """Nothing goes."""
    store_turns(ws)
    assert ws.retain(now=datetime(2126, 1, 1, tzinfo=UTC)) == 0 and len(list(ws.turns())) == 6


def test_keys_are_not_backed_up_into_the_workspace(ws: Workspace) -> None:
    """Copies of the workspace must not hold keys."""
    with pytest.raises(RequestError, match="lies inside"):
        ws.backup_keys(ws.path / "keys")


@pytest.mark.slow
def test_erasures_survive_kills(tmp_path: Path) -> None:
    """Killed at 12 moments of an erasure: others' text is whole, and once begun it ends erased."""
    for seed in range(12):
        with Workspace.open(tmp_path / str(seed), create=True) as ws:
            store_turns(ws)
        code = (
            f"from backlight.workspace import Workspace\nws = Workspace.open({str(ws.path)!r}); list(ws.turns())\n"
            f"print(flush=True); ws.erase({show_id('account', 7)!r}, reason='asked'); import time; time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(random.Random(seed).uniform(0.0, 0.25))
            running.kill()
        with Workspace.open(ws.path) as fresh:
            begun = bool(fresh._key_store.erasing())
            with fresh.writing():
                pass
            left = [turn.account for turn in fresh.turns()]
            assert left.count(8) == 3 and left.count(7) in ((0,) if begun else (0, 3))
            assert fresh.verify().ok
