from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight._audit import Audit
from backlight.errors import StoreError
from backlight.hashing import Hasher

KEY = bytes(32)


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path / "audit.jsonl", Hasher(KEY))


def filled(audit: Audit, entries: int = 5) -> list[bytes]:
    for number in range(entries):
        audit.record("reveal", who="an analyst", case="C-1", reason=f"reason {number}", objects=[number])
    return audit.path.read_bytes().splitlines(keepends=True)


def test_an_entry_says_who_what_and_why(audit: Audit) -> None:
    """And how many objects, never which."""
    audit.record("reveal", who="an analyst", case="C-1", reason="asked", objects=["acc-0000000000007", "acc-0000000000008"])
    [entry] = audit.entries()
    assert {name: entry[name] for name in ("sequence", "who", "action", "case", "reason")} == {
        "sequence": 1, "who": "an analyst", "action": "reveal", "case": "C-1", "reason": "asked"
    }  # fmt: skip
    assert entry["objects"]["count"] == 2 and "acc-" not in audit.path.read_text()


def test_the_digest_confirms_a_list(audit: Audit) -> None:
    """In any order, and only with the workspace's hash key."""
    audit.record("reveal", who="an analyst", objects=[7, 8])
    [entry] = audit.entries()
    assert entry["objects"]["digest"] == audit.digest([8, 7])
    assert entry["objects"]["digest"] != Audit(audit.path, Hasher(b"1" * 32)).digest([7, 8])


def test_the_file_is_for_its_owner_only(audit: Audit) -> None:
    """Mode 0600."""
    filled(audit, 1)
    assert audit.path.stat().st_mode & 0o777 == 0o600


def test_a_whole_log_verifies(audit: Audit) -> None:
    """And gives the root of its last entry, which later entries keep true."""
    filled(audit)
    root = audit.root()
    assert root.startswith("5:") and audit.verify().ok
    filled(audit)
    assert audit.verify(root).ok and audit.verify(root).entries == 10


def test_an_empty_log_verifies(audit: Audit) -> None:
    """Its root is 0 and zeros."""
    assert audit.verify().ok and audit.root() == "0:" + "0" * 64
    root = audit.root()
    filled(audit)
    assert audit.verify(root).ok


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"reason 2", b"reason 9"), *lines[3:]]


def rehashed(lines: list[bytes]) -> list[bytes]:
    entry = json.loads(lines[2])
    entry["reason"] = "another"
    return [*lines[:2], json.dumps(entry).encode() + b"\n", *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "bad"),
    [
        (changed, 3),
        (rehashed, 3),
        (lambda lines: [*lines[:2], *lines[3:]], 3),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines[:2], b"{}\n", *lines[3:]], 3),
        (lambda lines: [*lines[:2], b"\xff\n", *lines[3:]], 3),
        (lambda lines: [*lines[:2], b"[]\n", *lines[3:]], 3),
    ],
    ids=["changed", "rehashed", "missing", "added", "swapped", "first gone", "emptied", "bytes", "no object"],
)
def test_verify_names_the_first_bad_entry(audit: Audit, tamper: object, bad: int) -> None:
    """Changed, missing, added or swapped."""
    audit.path.write_bytes(b"".join(tamper(filled(audit))))  # type: ignore[operator]
    verdict = audit.verify()
    assert (verdict.ok, verdict.bad, verdict.entries) == (False, bad, bad - 1) and verdict.problem


def test_a_log_cut_off_is_found_by_a_root_kept_elsewhere(audit: Audit) -> None:
    """Without it a shorter chain is whole in itself."""
    lines = filled(audit)
    root = audit.root()
    audit.path.write_bytes(b"".join(lines[:3]))
    assert audit.verify().ok
    assert (audit.verify(root).ok, audit.verify(root).bad) == (False, 4)


def test_a_log_written_anew_is_found_by_a_root_kept_elsewhere(audit: Audit) -> None:
    """Its chain is whole, its hashes are others."""
    filled(audit)
    root = audit.root()
    audit.path.unlink()
    filled(audit, 7)
    assert audit.verify().ok
    assert (audit.verify(root).ok, audit.verify(root).bad) == (False, 5)


@pytest.mark.parametrize("root", ["", "5", "x:" + "0" * 64, "5:short"])
def test_a_root_that_is_none_is_refused(audit: Audit, root: str) -> None:
    """Rather than found missing."""
    with pytest.raises(StoreError, match="no root"):
        audit.verify(root)


@given(cut=st.integers(1, 200))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_torn_last_line_is_cut_off_and_noted(audit: Audit, cut: int) -> None:
    """The next writer heals it; the chain stays whole."""
    audit.path.unlink(missing_ok=True)
    lines = filled(audit, 3)
    audit.path.write_bytes(b"".join(lines[:2]) + lines[2][: -min(cut, len(lines[2]) - 1)])
    audit.record("reveal", who="an analyst")
    assert [entry["action"] for entry in audit.entries()] == ["reveal", "reveal", "healed", "reveal"]
    assert audit.verify().ok


def test_a_damaged_last_entry_refuses_further_ones(audit: Audit) -> None:
    """A whole line that is no entry is no crash: nothing is written on top of it."""
    audit.path.write_bytes(b"".join(filled(audit)) + b"not an entry\n")
    with pytest.raises(StoreError, match="damaged"):
        audit.record("reveal", who="an analyst")


def test_an_entry_that_cannot_be_written_raises(audit: Audit) -> None:
    """So that what it is about does not happen."""
    audit.path.mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        audit.record("reveal", who="an analyst")


def test_a_full_disk_raises_too(audit: Audit) -> None:
    """And leaves no half line."""
    audit.path.symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left"):
        audit.record("reveal", who="an analyst")


def test_long_reasons_are_cut(audit: Audit) -> None:
    """A field has at most 4,096 characters."""
    audit.record("reveal", who="an analyst", reason="x" * 10_000)
    assert len(next(audit.entries())["reason"]) == 4096


def test_a_reason_that_is_no_text_is_kept_readable(audit: Audit) -> None:
    """Bytes of a command line that are not UTF-8 do not stop the entry."""
    audit.record("reveal", who="an analyst", reason="caf\udce9")
    assert next(audit.entries())["reason"] == "caf?" and audit.verify().ok


def test_a_long_last_line_is_found(audit: Audit) -> None:
    """Whatever its length in bytes, the next entry follows it."""
    for _ in range(3):
        audit.record("read_text", who="é" * 4096, case="é" * 4096, reason="😀" * 4096)
    assert audit.verify().ok and audit.verify().entries == 3


def test_several_processes_may_append(audit: Audit) -> None:
    """Their entries stand in one chain."""
    code = (
        "from pathlib import Path; from backlight._audit import Audit; from backlight.hashing import Hasher\n"
        f"audit = Audit(Path({str(audit.path)!r}), Hasher(bytes(32)))\n"
        "for _ in range(20): audit.record('reveal', who='an analyst')"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert audit.verify().ok and audit.verify().entries == 40


@pytest.mark.slow
def test_kills_leave_a_chain_that_goes_on(audit: Audit) -> None:
    """Killed at 20 random moments, it never breaks and loses no entry that was acknowledged."""
    code = (
        "import sys; from pathlib import Path; from backlight._audit import Audit; from backlight.hashing import Hasher\n"
        f"audit = Audit(Path({str(audit.path)!r}), Hasher(bytes(32)))\n"
        "while True: print(audit.record('reveal', who='an analyst'), flush=True)"
    )
    for seed in range(20):
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(random.Random(seed).uniform(0.005, 0.1))
            running.kill()
            roots = running.stdout.read().split()
        verdict = audit.verify(roots[-1].decode() if roots and len(roots[-1]) > 64 else None)
        assert verdict.ok, verdict.problem
