from __future__ import annotations

import base64
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap

from backlight._keys import KeyFolder, KeyStore, backup, key_folder, outside_secret
from backlight._vault import Vault
from backlight.errors import KeyMissing, RequestError

ID = "0123456789abcdef0123456789abcdef"


class Stop(Exception):
    """Ends a rotation at a step, as a crash would."""


@pytest.fixture
def folder() -> KeyFolder:
    made = KeyFolder(key_folder(ID))
    made.create(ID)
    return made


def seal(folder: KeyFolder, text: bytes = b"a blue kite") -> bytes:
    with KeyStore(folder) as store:
        return Vault(store).seal(1, 7, 24312, text)


def opened(folder: KeyFolder, blob: bytes) -> bytes | None:
    with KeyStore(folder) as store:
        return Vault(store).open_many([1], [7], [24312], [blob])[0]


def modes(path: Path) -> set[str]:
    return {oct(file.stat().st_mode & 0o777) for file in path.iterdir()}


def test_keys_lie_below_the_config_folder() -> None:
    """The key folder is below $XDG_CONFIG_HOME and named by the workspace."""
    assert key_folder(ID) == Path(os.environ["XDG_CONFIG_HOME"]) / "backlight" / "keys" / ID


def test_keys_are_random_and_for_their_owner_only(folder: KeyFolder) -> None:
    """Three different keys of 32 bytes, in a folder 0700 of files 0600."""
    keys = folder.load(ID)
    assert len({keys.pseudonym, keys.hash, keys.spool}) == 3
    assert {len(key) for key in (keys.pseudonym, keys.hash, keys.spool)} == {32}
    with KeyStore(folder) as store:
        store.get([(1, 1)], create=True)
        assert modes(folder.path) == {"0o600"}
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_keys_come_back_as_made() -> None:
    """What `create` returned is what `load` reads."""
    folder = KeyFolder(key_folder(ID))
    assert folder.create(ID) == folder.load(ID)


def test_check_value_tells_keys_apart(folder: KeyFolder) -> None:
    """Two sets of keys have two check values."""
    other = KeyFolder(key_folder("f" * 32))
    assert folder.load(ID).check() != other.create("f" * 32).check()


def test_missing_keys_are_told(folder: KeyFolder) -> None:
    """Without keys.json nothing opens."""
    (folder.path / "keys.json").unlink()
    with pytest.raises(KeyMissing, match="no keys in"):
        folder.load(ID)


def test_keys_of_another_workspace_are_refused(folder: KeyFolder) -> None:
    """The file names its workspace."""
    with pytest.raises(KeyMissing, match="those of workspace"):
        folder.load("f" * 32)


@pytest.mark.parametrize("body", ["", "{", "[]", '{"workspace": 1}', f'{{"workspace": "{ID}", "sealed": false, "hash": "x"}}'])
def test_damaged_keys_are_told(folder: KeyFolder, body: str) -> None:
    """A damaged file is KeyMissing, never a traceback."""
    (folder.path / "keys.json").write_text(body)
    with pytest.raises(KeyMissing):
        folder.load(ID)


def test_keys_that_others_can_read_are_refused(folder: KeyFolder) -> None:
    """As ssh does."""
    (folder.path / "keys.json").chmod(0o644)
    with pytest.raises(KeyMissing, match="chmod 0600"):
        folder.load(ID)


@pytest.mark.parametrize("name", ["wrapping-000001.key", "keystore.sqlite"])
def test_a_missing_part_is_told(folder: KeyFolder, name: str) -> None:
    """A key folder without its wrapping key or key store does not open; no empty one takes its place."""
    for file in folder.path.glob(name + "*"):
        file.unlink()
    with pytest.raises(KeyMissing):
        KeyStore(folder)
    assert not (folder.path / name).exists()


def test_a_foreign_wrapping_key_is_told(folder: KeyFolder) -> None:
    """The key store knows its wrapping key."""
    folder.write_wrapping(1, bytes(32))
    with pytest.raises(KeyMissing, match="not this key store's"):
        KeyStore(folder)


def test_a_damaged_key_store_is_told(folder: KeyFolder) -> None:
    """Bytes that are no database are KeyMissing."""
    folder.database.write_bytes(b"no database" * 1000)
    with pytest.raises(KeyMissing, match="cannot be used"):
        KeyStore(folder)


@pytest.mark.parametrize("encode", [bytes.hex, lambda secret: base64.b64encode(secret).decode()])
def test_an_outside_command_gives_the_secret(monkeypatch: pytest.MonkeyPatch, encode: object) -> None:
    """As hex or base64; the keys on disk are then wrapped by it (RFC 3394), and open to nobody without it."""
    secret = bytes(range(32))
    monkeypatch.setenv("BACKLIGHT_KEY_COMMAND", f"{sys.executable} -c \"print('{encode(secret)}')\"")  # type: ignore[operator]
    assert outside_secret(ID) == secret
    folder = KeyFolder(key_folder(ID), secret)
    keys = folder.create(ID)
    held = (folder.path / "wrapping-000001.key").read_text()
    assert folder.load(ID) == keys and aes_key_unwrap(secret, base64.b64decode(held)) == folder.wrapping(1)
    with pytest.raises(KeyMissing, match="outside secret"):
        KeyFolder(folder.path).load(ID)
    with pytest.raises(KeyMissing, match="wrong secret"):
        KeyFolder(folder.path, bytes(32)).load(ID)


def test_the_outside_command_knows_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment names the workspace, so that one command serves several."""
    monkeypatch.setenv("BACKLIGHT_KEY_COMMAND", "sh -c 'echo $BACKLIGHT_WORKSPACE_ID$BACKLIGHT_WORKSPACE_ID'")
    assert outside_secret(ID) == bytes.fromhex(ID * 2)


@pytest.mark.parametrize("command", ["false", "/no/such/program", "echo short", "'"])
def test_a_bad_outside_command_is_told(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Failing, absent, or printing no secret: KeyMissing."""
    monkeypatch.setenv("BACKLIGHT_KEY_COMMAND", command)
    with pytest.raises(KeyMissing, match="BACKLIGHT_KEY_COMMAND"):
        outside_secret(ID)


def test_data_keys_are_made_once(folder: KeyFolder) -> None:
    """Two processes that ask for one data key get the same."""
    blob = seal(folder)
    assert opened(folder, blob) == b"a blue kite"
    with KeyStore(folder) as one, KeyStore(folder) as two:
        one.get([(1, 1), (2, 2)], create=True)
        two.get([(2, 2), (3, 3)], create=True)
        assert one.count() == 4


def test_data_keys_are_on_disk_before_they_are_used(folder: KeyFolder) -> None:
    """Killed right after sealing, the process leaves the key."""
    code = (
        "import os; from backlight._keys import *; from backlight._vault import Vault\n"
        f"v = Vault(KeyStore(KeyFolder(key_folder({ID!r}))))\n"
        "print(v.seal(1, 7, 24312, b'killed').hex(), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL and opened(folder, bytes.fromhex(done.stdout)) == b"killed"


def test_a_deleted_key_is_gone_for_every_process(folder: KeyFolder) -> None:
    """A store that holds the key in memory forgets it when another deletes it."""
    blob = seal(folder)
    with KeyStore(folder) as one, KeyStore(folder) as two:
        assert Vault(two).open(1, 7, 24312, blob) == b"a blue kite"
        assert one.delete_account(7) == 1
        assert two.get([(7, 24312)], create=False) == {}


def test_months_are_deleted_apart_from_identities(folder: KeyFolder) -> None:
    """Retention deletes what belongs to months before one; identities are of month 0 and stay."""
    with KeyStore(folder) as store:
        store.get([(0, 10), (7, 0), (7, 10), (7, 11)], create=True)
        assert store.delete_months(11) == 2
        assert set(store.get([(0, 10), (7, 0), (7, 10), (7, 11)], create=False)) == {(7, 0), (7, 11)}


def test_rotation_keeps_every_text_and_destroys_the_old_key(folder: KeyFolder) -> None:
    """After it all opens, and only the new wrapping key is there."""
    blob, old = seal(folder), folder.wrapping(1)
    with KeyStore(folder) as store:
        assert store.rotate() == 1
    assert opened(folder, blob) == b"a blue kite"
    assert [file.name for file in folder.path.glob("wrapping*")] == ["wrapping-000002.key"]
    assert folder.wrapping(2) != old


@pytest.mark.parametrize("step", ["written", "rewrapped", "truncated", "destroyed"])
def test_a_rotation_cut_short_leaves_a_usable_store(folder: KeyFolder, step: str) -> None:
    """Whatever step it ends at: all opens, and after tidying one wrapping key is there."""
    blob = seal(folder)

    def stop(done: str) -> None:
        if done == step:
            raise Stop

    with KeyStore(folder) as store, pytest.raises(Stop):
        store.rotate(stop)
    assert opened(folder, blob) == b"a blue kite"
    with KeyStore(folder) as store:
        store.tidy()
        assert [file.name for file in folder.path.glob("wrapping*")] == [f"wrapping-{store.generation:06d}.key"]
        assert store.rotate() == 1
    assert opened(folder, blob) == b"a blue kite"


def test_another_process_follows_a_rotation(folder: KeyFolder) -> None:
    """A guard that was open before the rotation seals under the new wrapping key after it."""
    with KeyStore(folder) as guard, KeyStore(folder) as owner:
        before = Vault(guard).seal(1, 7, 24312, b"before")
        owner.rotate()
        after = Vault(guard).seal(1, 8, 24312, b"after")
        assert Vault(guard).open(1, 7, 24312, before) == b"before"
    with KeyStore(folder) as fresh:
        assert Vault(fresh).open(1, 8, 24312, after) == b"after"


def test_no_deleted_key_stays_in_the_files(folder: KeyFolder) -> None:
    """After deletion and rotation the wrapped key is in no file of the key folder."""
    seal(folder)
    with KeyStore(folder) as store:
        [wrapped] = sqlite3.connect(folder.database).execute("SELECT wrapped FROM data_keys").fetchone()
        assert any(wrapped in file.read_bytes() for file in folder.path.iterdir())
        store.delete_account(7)
        store.rotate()
        assert not any(wrapped in file.read_bytes() for file in folder.path.iterdir())


def test_an_old_key_store_without_its_wrapping_key_opens_nothing(folder: KeyFolder, tmp_path: Path) -> None:
    """A copy of the key store, put back after erasure and rotation, does not bring the data key back."""
    seal(folder)
    with KeyStore(folder) as store:
        store.copy_to(tmp_path / "copy")
        store.delete_account(7)
        store.rotate()
    for file in folder.path.glob("keystore.sqlite*"):
        file.unlink()
    (tmp_path / "copy").rename(folder.database)
    with pytest.raises(KeyMissing, match=r"wrapping-000001\.key is missing"):
        KeyStore(folder)


def test_a_backup_opens_what_was_sealed(folder: KeyFolder, tmp_path: Path) -> None:
    """Put back as the key folder, it has the keys, the wrapping key and the data keys; again 0700 and 0600."""
    blob = seal(folder)
    with KeyStore(folder) as store:
        backup(folder, store, tmp_path / "backup", workspace=tmp_path / "ws")
    kept = KeyFolder(tmp_path / "backup")
    assert kept.load(ID) == folder.load(ID) and opened(kept, blob) == b"a blue kite"
    assert modes(kept.path) == {"0o600"} and kept.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["ws", "ws/inside", "there"])
def test_a_backup_in_the_wrong_place_is_refused(folder: KeyFolder, tmp_path: Path, place: str) -> None:
    """Not in the workspace, whose copies must not hold keys, and not over something."""
    (tmp_path / "ws").mkdir()
    (tmp_path / "there").mkdir()
    with KeyStore(folder) as store, pytest.raises(RequestError):
        backup(folder, store, tmp_path / place, workspace=tmp_path / "ws")


@pytest.mark.slow
def test_a_million_keys_rotate_in_seconds(folder: KeyFolder) -> None:
    """In pages: memory does not grow with the keys, and each of them still opens."""
    with KeyStore(folder) as store:
        for start in range(0, 200_000, 50_000):
            store.get([(account, 1) for account in range(start, start + 50_000)], create=True)
        blob = Vault(store).seal(1, 199_999, 1, b"last")
        assert store.rotate() == 200_000
        assert Vault(store).open(1, 199_999, 1, blob) == b"last"


@pytest.mark.slow
def test_rotation_survives_kills(folder: KeyFolder) -> None:
    """Killed at 20 moments of endless rotations, the store opens every time and every text with it."""
    blob = seal(folder)
    with KeyStore(folder) as store:
        store.get([(account, 2) for account in range(2000)], create=True)
    code = (
        f"from backlight._keys import *; s = KeyStore(KeyFolder(key_folder({ID!r})))\nprint(flush=True)\nwhile True: s.rotate()"
    )
    for kill in range(20):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.01 + 0.007 * kill)
            running.kill()
        assert opened(folder, blob) == b"a blue kite"
        with KeyStore(folder) as store:
            store.tidy()
            assert store.count() == 2001
