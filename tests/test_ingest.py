"""The pipeline from files to tables: every record counted, each stored once, nothing readable without the keys."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight import ingest as module
from backlight._ingest_known import IdMap, Spans, settle, tails_of
from backlight._ingest_rows import NO_TIME
from backlight._vault import REJECTS
from backlight.errors import RequestError, UnknownFormat
from backlight.hashing import Hasher, number
from backlight.ingest import IngestReport, drain, ingest
from backlight.sources import Exchange, Message, spool
from backlight.tables import TABLES, show_id
from backlight.workspace import Workspace

ASK, ANSWER = "please name three colours of the lantern", "they are red, green and blue"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace."""
    with Workspace.open(tmp_path / "workspace", create=True) as workspace:
        yield workspace


def payload(record: str, *said: str, answer: str | None = ANSWER, user: str | None = "user-1", **more: Any) -> dict[str, Any]:
    """A LiteLLM payload: `said` are the messages in turn, the user's first."""
    roles = itertools.cycle(("user", "assistant"))
    metadata = {"user_api_key_hash": "key-1", "requester_ip_address": "198.51.100.7"} | more.pop("metadata", {})
    return {
        "id": record, "call_type": "acompletion", "status": "success", "startTime": 1737710446.5, "model": "small",
        "messages": [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)],
        "metadata": metadata, "end_user": user,
        "response": {"choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": answer}}]},
    } | more  # fmt: skip


def write(path: Path, *records: dict[str, Any] | str) -> Path:
    """A JSONL file; strings are written as they are."""
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records), encoding="utf-8")
    return path


def rows(ws: Workspace, name: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    return ws.run("test", ws.table(name)).to_pylist()


def counts(report: IngestReport) -> dict[str, int]:
    """The sum of a report, zeros left out."""
    return {name: count for name, count in msgspec.to_builtins(report.counts).items() if count}


def texts(ws: Workspace) -> list[tuple[str | None, str | None]]:
    """Prompt and output of every row, sorted."""
    return sorted(((turn.prompt, turn.output) for turn in ws.turns()), key=str)


# --- rows


def test_an_exchange_becomes_a_row_with_pseudonyms_and_keyed_hashes(ws: Workspace, tmp_path: Path) -> None:
    """Identities are the workspace's pseudonyms, texts its keyed hashes, and the text comes back from the vault."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))], format="litellm")
    (row,) = rows(ws, "interactions")
    assert row["account"] == ws.pseudonyms.account("end_user", "user-1", key="key-1")[0]
    assert (row["level"], row["key"], row["turn"]) == ("end_user", ws.pseudonyms.key("key-1"), 0)
    assert (row["prompt"], row["output"], row["system"]) == (ws.hasher.id("text", ASK), ws.hasher.id("text", ANSWER), None)
    assert (str(row["day"]), row["model"], row["from_history"]) == ("2025-01-24", "small", False)
    assert row["id"] == number(row["digest"])
    assert texts(ws) == [(ASK, ANSWER)]


def test_accounts_and_identifiers_are_told_once(ws: Workspace, tmp_path: Path) -> None:
    """One row an account and one an identifier, whose first and last times span its records."""
    records = [payload(f"r{n}", f"{ASK} {n}", startTime=1737710446 + n) for n in range(5)]
    ingest(ws, [write(tmp_path / "a.jsonl", *records)], format="litellm")
    (account,) = rows(ws, "accounts")
    found = {(row["kind"], row["value"]) for row in rows(ws, "identifiers")}
    assert account["first_seen"].timestamp() == 1737710446
    assert found == {
        ("address", ws.hasher.id("address", "198.51.100.7")),
        ("address_net", ws.hasher.id("address_net", "198.51.100.0/24")),
    }
    assert {(row["last_seen"] - row["first_seen"]).seconds for row in rows(ws, "identifiers")} == {4}


def test_the_raw_identity_is_sealed(ws: Workspace, tmp_path: Path) -> None:
    """A reveal gives raw id, level and key back."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))], format="litellm")
    account = show_id("account", rows(ws, "accounts")[0]["account"])
    (revealed,) = ws.reveal([account], case="case-1", reason="test", who="tester")
    assert revealed == {"account": account, "raw_account": "user-1", "level": "end_user", "key": "key-1"}


@pytest.mark.parametrize(
    ("vouched", "metadata", "level", "raw"),
    [
        (None, {"user_api_key_user_id": "owner"}, "end_user", "user-1"),
        (["user", "key"], {"user_api_key_user_id": "owner"}, "user", "owner"),
        (["user", "key"], {}, "key", "key-1"),
        (["address"], {}, "address", "198.51.100.7"),
        ([], {}, "none", None),
    ],
)
def test_the_account_is_the_lowest_vouched_identity(
    ws: Workspace, tmp_path: Path, vouched: list[str] | None, metadata: dict[str, str], level: str, raw: str | None
) -> None:
    """What the host does not vouch for never becomes an account."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK, metadata=metadata))], format="litellm", vouched=vouched)
    (row,) = rows(ws, "interactions")
    expected = ws.pseudonyms.account(level, raw, key="key-1")[0] if raw else None
    assert (row["level"], row["account"]) == (level, expected)


def test_a_record_without_text_is_a_row(ws: Workspace, tmp_path: Path) -> None:
    """It still has an account, a time and an address; there is nothing of it in the vault but the identity."""
    report = ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", answer=None))], format="litellm")
    assert counts(report) == {"read": 1, "stored": 1}
    assert [row["prompt"] for row in rows(ws, "interactions")] == [None]
    assert [row["kind"] for row in rows(ws, "vault")] == ["identity"]


def test_each_user_turn_of_a_conversation_is_a_row(ws: Workspace, tmp_path: Path) -> None:
    """With the answer that follows it; a last turn without answer is a row too."""
    said = [("human", "one"), ("gpt", "uno"), ("human", "two"), ("gpt", "due"), ("human", "three")]
    record = {"id": "c1", "conversations": [{"from": who, "value": text} for who, text in said]}
    ingest(ws, [write(tmp_path / "a.jsonl", record)])
    assert texts(ws) == [("one", "uno"), ("three", None), ("two", "due")]
    assert sorted(row["turn"] for row in rows(ws, "interactions")) == [0, 1, 2]


def test_a_system_prompt_is_sealed_once(ws: Workspace, tmp_path: Path) -> None:
    """Every row carries its hash; its text is sealed with the first row of the account and month."""
    system = {"role": "system", "content": "be brief"}
    records = [payload(f"r{n}", messages=[system, {"role": "user", "content": f"{ASK} {n}"}]) for n in range(3)]
    ingest(ws, [write(tmp_path / "a.jsonl", *records)], format="litellm")
    assert [row["system"] for row in rows(ws, "interactions")] == [ws.hasher.id("text", "be brief")] * 3
    assert sorted((turn.system for turn in ws.turns()), key=str) == [None, None, "be brief"]


# --- once


def test_a_second_run_stores_nothing(ws: Workspace, tmp_path: Path) -> None:
    """All rows are duplicates, rejects are counted again, and no data version is made."""
    path = write(tmp_path / "a.jsonl", payload("r1", ASK), payload("r2", ASK), "no json")
    first, second = ingest(ws, [path], format="litellm"), ingest(ws, [path], format="litellm")
    assert counts(first) == {"read": 3, "stored": 2, "rejected": 1}
    assert counts(second) == {"read": 3, "duplicate": 2, "rejected": 1}
    assert second.data_version == first.data_version


def test_the_same_records_in_another_file_are_duplicates(ws: Workspace, tmp_path: Path) -> None:
    """Whatever its name, its order of keys and its compression."""
    records = [payload(f"r{n}", f"{ASK} {n}") for n in range(4)]
    ingest(ws, [write(tmp_path / "a.jsonl", *records)], format="litellm")
    other = tmp_path / "b.jsonl.gz"
    other.write_bytes(gzip.compress("\n".join(json.dumps(r, sort_keys=True) for r in records).encode()))
    assert counts(ingest(ws, [other], format="litellm")) == {"read": 4, "duplicate": 4}


def test_equal_prompts_of_different_records_are_both_stored(ws: Workspace, tmp_path: Path) -> None:
    """Repeats are evidence."""
    report = ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK), payload("r2", ASK))], format="litellm")
    assert counts(report) == {"read": 2, "stored": 2}


def test_a_file_that_grew_is_read_from_where_it_ended(ws: Workspace, tmp_path: Path) -> None:
    """What was read counts as duplicate; a last line that had no end yet is read again whole."""
    path = write(tmp_path / "a.jsonl", payload("r1", ASK))
    whole = path.read_text()
    path.write_text(whole + json.dumps(payload("r2", ASK))[:40])
    assert counts(ingest(ws, [path], format="litellm")) == {"read": 2, "stored": 1, "rejected": 1}
    path.write_text(whole + json.dumps(payload("r2", ASK)) + "\n" + json.dumps(payload("r3", ASK)) + "\n")
    assert counts(ingest(ws, [path], format="litellm")) == {"read": 3, "stored": 2, "duplicate": 1}


def test_a_file_that_was_rewritten_is_read_again(ws: Workspace, tmp_path: Path) -> None:
    """Its new rows are stored, its old ones are duplicates."""
    path = write(tmp_path / "a.jsonl", payload("r1", ASK), payload("r2", ASK))
    ingest(ws, [path], format="litellm")
    write(path, payload("r9", ASK), payload("r1", ASK))
    assert counts(ingest(ws, [path], format="litellm")) == {"read": 2, "stored": 1, "duplicate": 1}


def test_two_records_with_one_id_are_both_stored() -> None:
    """An equal id with another digest is no duplicate; a second run finds both."""
    hasher, known = Hasher(b"h" * 32), IdMap()
    digests = [b"\0" * 8 + b"first---", b"\0" * 8 + b"second--", b"\0" * 8 + b"first---"]
    column = pa.chunked_array([pa.array(digests, pa.binary())])
    ids, tails = np.zeros(3, np.int64), tails_of(column)
    first = settle(known, ids, tails, column, hasher)
    again = settle(known, ids, tails, column, hasher)
    assert first.fresh.tolist() == [True, True, False]
    assert first.renamed == {1: hasher.digest("again", digests[1])}
    assert (again.fresh.any(), again.renamed) == (False, {})


@given(st.lists(st.lists(st.integers(-50, 50), max_size=20), max_size=8))
def test_an_id_map_finds_what_was_added(batches: list[list[int]]) -> None:
    """As a set would, over any number of batches."""
    known, held = IdMap(), set[int]()
    for batch in batches:
        new = np.array(sorted(set(batch) - held), np.int64)
        known.add(new, new * 2)
        held |= set(batch)
        there, values = known.find(np.arange(-50, 51))
        assert {int(n) for n in np.arange(-50, 51)[there]} == held
        assert (values[there] == np.arange(-50, 51)[there] * 2).all()


def test_an_identifier_is_told_again_only_when_a_time_moves_by_a_day() -> None:
    """Else an account seen in every batch would leave a row in each."""
    day, spans = 86_400_000_000, Spans()
    assert spans.moved([(1, "address", 2, 10 * day, 11 * day)]) == [0]
    assert spans.moved([(1, "address", 2, 10 * day, 11 * day + 5)]) == []
    assert spans.moved([(1, "address", 2, 11 * day, 13 * day), (1, "device", 2, NO_TIME, NO_TIME)]) == [0, 1]
    assert spans.moved([(1, "address", 2, 8 * day, 9 * day)]) == [0]
    assert spans.moved([(1, "address", 2, 8 * day, 13 * day)]) == []


# --- history


TURNS = (("one?", "uno"), ("two?", "due"), ("three?", "tre"))


def conversation() -> list[dict[str, Any]]:
    """The three requests of one conversation, each with all that was said before."""
    said = [text for turn in TURNS for text in turn]
    return [payload(f"r{n}", *said[: 2 * n + 1], answer=TURNS[n][1], startTime=1737710000 + n) for n in range(3)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("at_once", [True, False])
def test_history_is_stored_once_in_any_order(ws: Workspace, tmp_path: Path, order: tuple[int, ...], at_once: bool) -> None:
    """Three exchanges, each with its own record and time, whether they come in one file or in three runs."""
    requests = conversation()
    if at_once:
        report = ingest(ws, [write(tmp_path / "a.jsonl", *(requests[n] for n in order))], format="litellm")
        assert counts(report) == {"read": 3, "stored": 3, "repeated": 3}
    else:
        for n in order:
            ingest(ws, [write(tmp_path / f"{n}.jsonl", requests[n])], format="litellm")
    assert texts(ws) == sorted(TURNS)
    assert [row["from_history"] for row in rows(ws, "interactions")] == [False] * 3
    assert {row["time"].timestamp() - 1737710000 for row in rows(ws, "interactions")} == {0.0, 1.0, 2.0}


def test_an_exchange_seen_only_in_history_is_a_row_of_its_own(ws: Workspace, tmp_path: Path) -> None:
    """At the time of the request that showed it, marked so; requests that show it again only repeat it."""
    _, second, third = conversation()
    report = ingest(ws, [write(tmp_path / "a.jsonl", second, third)], format="litellm")
    (borrowed,) = [row for row in rows(ws, "interactions") if row["from_history"]]
    assert counts(report) == {"read": 3, "stored": 3, "repeated": 2}
    assert texts(ws) == sorted(TURNS)
    assert (borrowed["time"].timestamp(), borrowed["turn"]) == (1737710001, 0)
    assert counts(ingest(ws, [write(tmp_path / "b.jsonl", third)], format="litellm")) == {
        "read": 1,
        "duplicate": 1,
        "repeated": 2,
    }


def test_history_of_another_account_is_not_the_same(ws: Workspace, tmp_path: Path) -> None:
    """Two people may say the same things."""
    first, second, _ = conversation()
    ingest(ws, [write(tmp_path / "a.jsonl", first, second | {"end_user": "user-2"})], format="litellm")
    assert texts(ws) == sorted([TURNS[0], TURNS[0], TURNS[1]])


# --- what is not stored


def test_rejects_are_counted_placed_and_sealed(ws: Workspace, tmp_path: Path) -> None:
    """Each with its line, length and reason; the reason shows nothing of the record, and its bytes come from the vault."""
    path = write(tmp_path / "a.jsonl", payload("r1", ASK), '{"id": "canary-broken', payload("r2", ASK), '["canary"]')
    report = ingest(ws, [path], format="litellm")
    found = {row["place"].partition(":")[2]: row for row in rows(ws, "rejects")}
    vault = {row["row"]: row for row in rows(ws, "vault") if row["kind"] == "reject"}
    opened = {
        line: ws.vault.open(n, REJECTS, vault[n]["month"], vault[n]["blob"])
        for line, n in ((k, v["id"]) for k, v in found.items())
    }
    assert counts(report) == {"read": 4, "stored": 2, "rejected": 2}
    assert opened == {"line 2": b'{"id": "canary-broken', "line 4": b'["canary"]'}
    assert [row["length"] for row in found.values()] == [len(opened[line]) for line in found]
    assert not any("canary" in row["reason"] or str(tmp_path) in row["place"] for row in found.values())


def test_excluded_accounts_and_tenants_are_counted_and_not_stored(tmp_path: Path) -> None:
    """Nothing of them is written, in no table."""
    with Workspace.open(tmp_path / "workspace", create=True) as ws:
        account = show_id("account", ws.pseudonyms.account("end_user", "user-1", key="key-1")[0])
        tenant = show_id("tenant", ws.pseudonyms.tenant("org-1"))
    (tmp_path / "workspace" / "backlight.yaml").write_text(f"exclude: [{account}, {tenant}]\n")
    log = write(
        tmp_path / "a.jsonl", payload("r1", ASK), payload("r2", ASK, user="user-2", metadata={"user_api_key_org_id": "org-1"}),
        payload("r3", ASK, user="user-3"),
    )  # fmt: skip
    with Workspace.open(tmp_path / "workspace") as ws:
        report = ingest(ws, [log], format="litellm")
        assert counts(report) == {"read": 3, "stored": 1, "excluded": 2}
        assert len(rows(ws, "interactions")) == len(rows(ws, "accounts")) == 1
        assert len(rows(ws, "vault")) == 2


def test_what_an_erased_account_did_before_is_not_stored_again(ws: Workspace, tmp_path: Path) -> None:
    """A log exported anew, whose records differ by a field, brings back neither its text nor its raw id."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK), payload("r2", ASK, user="user-2"))], format="litellm")
    ws.erase("key-1/user-1", reason="asked")
    anew = write(tmp_path / "b.jsonl", payload("r1", ASK, model="renamed"), payload("r2", ASK, user="user-2", model="renamed"))
    assert counts(ingest(ws, [anew], format="litellm")) == {"read": 2, "stored": 1, "excluded": 1}
    (account,) = ws._key_store.erased()
    assert [row["account"] for row in rows(ws, "vault") if row["account"] == account] == []


def test_an_erased_account_that_comes_back_is_stored_with_its_raw_id(ws: Workspace, tmp_path: Path) -> None:
    """What it does after the erasure is a new beginning, and its host can still tell who it is."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))], format="litellm")
    ws.erase("key-1/user-1", reason="asked")
    later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    back = write(tmp_path / "b.jsonl", payload("r2", "hello again", startTime=later, endTime=later + 1))
    assert counts(ingest(ws, [back], format="litellm")) == {"read": 1, "stored": 1}
    (account,) = ws._key_store.erased()
    assert [row["raw_account"] for row in ws.reveal([show_id("account", account)], case="C", reason="asked", who="me")] == [
        "user-1"
    ]
    assert [row["account"] for row in rows(ws, "accounts")] == [account]


def test_a_later_request_does_not_bring_back_what_an_erased_account_said_before(ws: Workspace, tmp_path: Path) -> None:
    """It repeats the old turns; only its own new one is stored."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", "the old secret"))], format="litellm")
    ws.erase("key-1/user-1", reason="asked")
    later = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    said = "another old secret", "an old answer", "the old secret", ANSWER, "a new question"
    ingest(ws, [write(tmp_path / "b.jsonl", payload("r2", *said, startTime=later, endTime=later + 1))], format="litellm")
    assert texts(ws) == [("a new question", ANSWER)]


def test_what_was_rejected_goes_with_an_erasure_and_is_not_kept_after_it(ws: Workspace, tmp_path: Path) -> None:
    """Whose it is cannot be told: place, length and reason stay, the bytes do not."""
    broken = payload("r2", "the old secret", startTime="not a time")
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK), broken)], format="litellm")
    assert [row["kind"] for row in rows(ws, "vault")].count("reject") == 1
    ws.erase("key-1/user-1", reason="asked")
    owner = write(tmp_path / "ids.csv", "account,kind,value,first_seen,last_seen", "user-1,email,a@lantern.example,,")
    assert counts(ingest(ws, [write(tmp_path / "b.jsonl", broken | {"model": "renamed"}), owner])) == {"read": 2, "rejected": 2}
    assert [row["kind"] for row in rows(ws, "vault")].count("reject") == 0
    assert len(rows(ws, "rejects")) == 3


def test_an_identifier_from_before_an_erasure_is_excluded(ws: Workspace, tmp_path: Path) -> None:
    """Though it was seen after it too."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))], format="litellm")
    ws.erase("key-1/user-1", reason="asked")
    later = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    header, row = (
        "account,kind,value,first_seen,last_seen",
        f"key-1/user-1,email,a@lantern.example,2020-01-01T00:00:00Z,{later}",
    )
    assert counts(ingest(ws, [write(tmp_path / "ids.csv", header, row)])) == {"read": 1, "excluded": 1}


def test_a_record_without_a_time_of_an_erased_account_is_excluded(ws: Workspace, tmp_path: Path) -> None:
    """It may be from before."""
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))], format="litellm")
    ws.erase("key-1/user-1", reason="asked")
    undated = write(tmp_path / "b.jsonl", payload("r2", "undated", startTime=None, endTime=None))
    assert counts(ingest(ws, [undated], format="litellm")) == {"read": 1, "excluded": 1}


def test_no_text_identity_or_reject_can_be_read_in_any_file(ws: Workspace, tmp_path: Path) -> None:
    """Byte search over the whole workspace for canaries in every field that is not public."""
    hidden = payload(
        "record-canary", "prompt-canary", "history-canary", "second-canary", answer="answer-canary", user="user-canary",
        trace_id="trace-canary", request_tags=["User-Agent: agent-canary"],
        metadata={"user_api_key_hash": "key-canary", "user_api_key_org_id": "org-canary"}, requester_ip_address="203.0.113.77",
    )  # fmt: skip
    folder = tmp_path / "folder-canary"
    folder.mkdir()
    ingest(ws, [write(folder / "file-canary.jsonl", hidden, '{"reject-canary')], format="litellm")
    ws.close()
    for file in (path for path in ws.path.rglob("*") if path.is_file()):
        assert b"canary" not in file.read_bytes(), file
        assert b"203.0.113.77" not in file.read_bytes(), file


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["new", "known", "broken", "excluded", "later", "blank"]), max_size=30), st.randoms())
def test_every_record_is_counted_once(tmp_path_factory: pytest.TempPathFactory, kinds: list[str], rng: random.Random) -> None:
    """For any mixture: read = stored + duplicate + rejected + excluded, and as many rows are stored as counted."""
    folder = tmp_path_factory.mktemp("mix")
    made = {"known": payload("r0", ASK), "broken": "{", "excluded": payload("x", ASK, user="out"), "blank": "  "}
    lines = [
        payload(f"r{n + 1}", ASK) if kind == "new" else payload(f"l{n}", f"a{n}", "b", "c") if kind == "later" else made[kind]
        for n, kind in enumerate(kinds)
    ]
    with Workspace.open(folder / "ws", create=True) as ws:
        out = show_id("account", ws.pseudonyms.account("end_user", "out", key="key-1")[0])
    (folder / "ws" / "backlight.yaml").write_text(f"exclude: [{out}]\n")
    with Workspace.open(folder / "ws") as ws:
        report = ingest(ws, [write(folder / "a.jsonl", made["known"], *lines)], format="litellm")
        c, n = report.counts, {kind: kinds.count(kind) for kind in set(kinds)}.get
        assert (c.read, c.stored) == (len(kinds) + 1 - n("blank", 0) + n("later", 0), len(rows(ws, "interactions")))
        assert (c.duplicate, c.rejected, c.excluded) == (n("known", 0), n("broken", 0), n("excluded", 0))


# --- files


def test_unknown_files_of_a_folder_are_skipped_and_listed(ws: Workspace, tmp_path: Path) -> None:
    """With the two best guesses; the others are read, and the report says why the exit status is 1."""
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "a.jsonl", payload("r1", ASK))
    (tmp_path / "logs" / "b.txt").write_text("nothing that anybody knows\n")
    report = ingest(ws, [tmp_path / "logs"])
    known, unknown = (report.as_dict()["files"][n] for n in (0, 1))
    assert (known["format"], known["stored"], unknown["format"], len(unknown["guesses"])) == ("litellm", 1, None, 2)
    assert "1 of 2 files" in report.fell_short()


def test_an_unknown_file_named_by_hand_stops_everything(ws: Workspace, tmp_path: Path) -> None:
    """Before anything is written."""
    good, bad = write(tmp_path / "a.jsonl", payload("r1", ASK)), tmp_path / "b.txt"
    bad.write_text("nothing that anybody knows\n")
    with pytest.raises(UnknownFormat):
        ingest(ws, [good, bad])
    assert ws.version == 0


def test_a_wrong_request_writes_nothing(ws: Workspace, tmp_path: Path) -> None:
    """An unknown format, a missing file, a mapping that is missing."""
    good = write(tmp_path / "a.jsonl", payload("r1", ASK))
    for paths, name in (([good], "no-such-format"), ([good, tmp_path / "missing"], None), ([good], "mapped")):
        with pytest.raises(RequestError):
            ingest(ws, paths, format=name)
    assert ws.version == 0


def test_too_many_rejects_fall_short(ws: Workspace, tmp_path: Path) -> None:
    """One in four is more than one in a thousand, and not more than half."""
    report = ingest(ws, [write(tmp_path / "a.jsonl", *(payload(f"r{n}", ASK) for n in range(3)), "{")], format="litellm")
    assert "1 of 4 records were rejected" in report.fell_short()
    assert report.fell_short(0.5) == ""


def test_posts_are_stored_in_plain_and_their_authors_sealed(ws: Workspace, tmp_path: Path) -> None:
    """Links and hashtags normalised; the author's raw id only in the vault."""
    path = tmp_path / "posts.csv"
    path.write_text(
        "platform,post_id,author,created_at,text,url,hashtags\n"
        "X,1,someone,2025-01-24T09:00:00Z,Look at #This,http://www.news.example/a?utm_source=b,This\n"
    )
    assert counts(ingest(ws, [path])) == {"read": 1, "stored": 1}
    (row,) = rows(ws, "posts")
    assert (row["platform"], row["text"], row["hashtags"]) == ("x", "Look at #This", ["this"])
    assert (row["urls"], row["domains"]) == (["https://news.example/a"], ["news.example"])
    (sealed,) = rows(ws, "vault")
    opened = msgspec.msgpack.decode(ws.vault.open(row["author"], row["author"], 0, sealed["blob"]))
    assert opened == {"platform": "x", "raw": "someone"}
    assert counts(ingest(ws, [path])) == {"read": 1, "duplicate": 1}


def identifiers(path: Path, *lines: str) -> Path:
    """An identifiers file in the plain form."""
    path.write_text("\n".join(["account,kind,value,first_seen,last_seen", *lines]) + "\n")
    return path


def test_identifiers_find_the_account_that_the_logs_show(ws: Workspace, tmp_path: Path) -> None:
    """By raw id alone where it stands under one key, by key/id always; an address gives two rows and counts as one."""
    log = write(tmp_path / "a.jsonl", payload("r1", ASK, metadata={"requester_ip_address": None}))
    plain = identifiers(
        tmp_path / "i.csv", "user-1,ip,203.0.113.9,2025-01-01,2025-01-02", "key-1/user-1,device,d1,,", "user-1,device,d1,,"
    )
    assert counts(ingest(ws, [plain, log])) == {"read": 4, "stored": 3, "duplicate": 1}
    assert {(row["kind"], row["value"]) for row in rows(ws, "identifiers")} == {
        (kind, ws.hasher.id(kind, value))
        for kind, value in (("address", "203.0.113.9"), ("address_net", "203.0.113.0/24"), ("device", "d1"))
    }
    assert {row["account"] for row in rows(ws, "identifiers")} == {row["account"] for row in rows(ws, "accounts")}


def test_identifiers_of_nobody_and_of_several_are_rejects(ws: Workspace, tmp_path: Path) -> None:
    """They are read again once the logs that show the account are there."""
    plain = identifiers(tmp_path / "i.csv", "user-1,device,d1,,")
    assert counts(ingest(ws, [plain])) == {"read": 1, "rejected": 1}
    ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK))])
    assert counts(ingest(ws, [plain])) == {"read": 1, "stored": 1}
    ingest(ws, [write(tmp_path / "b.jsonl", payload("r2", ASK, metadata={"user_api_key_hash": "key-2"}))])
    assert counts(ingest(ws, [plain])) == {"read": 1, "rejected": 1}


def test_progress_reaches_the_end(ws: Workspace, tmp_path: Path) -> None:
    """Bytes done of bytes in all."""
    seen: list[tuple[float, float | None]] = []
    path = write(tmp_path / "a.jsonl", payload("r1", ASK))
    ingest(ws, [path], format="litellm", progress=lambda done, total=None, words=None: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)


# --- large files


def large(path: Path, records: int, seed: int = 0) -> Path:
    """A log of conversations that repeat their history, in no set order of accounts."""
    rng, chats = random.Random(seed), list[tuple[int, list[str]]]()
    with path.open("w") as out:
        for n in range(records):
            if not chats or rng.random() < 0.4:
                chats.append((rng.randrange(500), []))
            at = rng.randrange(len(chats))
            account, said = chats[at]
            said += [f"question {n} " + "la " * rng.randint(5, 60), f"answer {n} " + "lo " * rng.randint(5, 90)]
            day = 1737710446 + n * 40
            out.write(json.dumps(payload(f"r{n}", *said[:-1], answer=said[-1], user=f"u{account}", startTime=day)) + "\n")
            if len(said) > 12 or len(chats) > 60:
                chats.pop(at)
    return path


def stored(ws: Workspace) -> dict[str, set[Any]]:
    """All rows of a workspace as sets; of sealed items, what they hold."""
    found: dict[str, set[Any]] = {}
    for name in TABLES:
        table = ws.run("test", ws.table(name))
        if name == "vault":
            columns = table.to_pydict()
            opened = ws.vault.open_many(columns["row"], columns["account"], columns["month"], columns["blob"])
            held = list(zip(columns["row"], columns["kind"], columns["account"], columns["month"], opened, strict=True))
        else:
            held = [tuple(map(str, row.values())) for row in table.to_pylist()]
        found[name] = set(held)
        assert len(found[name]) == len(held), f"{name} holds a row twice"
    return found


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 64 kB, so that a small file has many."""
    monkeypatch.setattr("backlight._ingest_pieces.CHUNK", 1 << 16)


@pytest.mark.usefixtures("small_pieces")
def test_pieces_do_not_change_what_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One piece or many, plain or compressed: the same interactions, and rejects at the same lines."""
    path = large(tmp_path / "a.jsonl", 400)
    path.write_text(path.read_text().replace('{"id": "r333"', '{id: "r333"'))
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    places = []
    for n, source in enumerate((path, packed)):
        with Workspace.open(tmp_path / f"ws{n}", create=True) as ws:
            report = ingest(ws, [source], format="litellm")
            places.append([row["place"].partition(":")[2] for row in rows(ws, "rejects")])
            assert ws.version > 3
            assert report.counts.stored == len(rows(ws, "interactions")) >= 399
    assert places == [["line 334"], ["line 334"]]


@pytest.mark.slow
def test_worker_processes_store_what_one_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in every table; they share the key store's keys."""
    path = large(tmp_path / "a.jsonl", 3000)
    found = []
    with Workspace.open(tmp_path / "ws", create=True) as ws:
        monkeypatch.setattr(module, "SPAWN_FROM", 1)
        report = ingest(ws, [path], format="litellm")
        found.append(stored(ws))
        monkeypatch.setattr(module, "SPAWN_FROM", 1 << 40)
        os.utime(path)  # read again, as a duplicate, by one process
        again = ingest(ws, [path], format="litellm")
    assert (report.counts.stored, again.counts.stored, again.counts.duplicate) == (3000, 0, 3000)
    assert len(found[0]["interactions"]) == 3000


def test_a_file_that_breaks_off_keeps_what_was_read(ws: Workspace, tmp_path: Path) -> None:
    """The rows before the break are stored; the break is one reject, and a second run finds nothing new."""
    whole = gzip.compress("".join(json.dumps(payload(f"r{n}", f"{ASK} {n}")) + "\n" for n in range(2000)).encode(), 1)
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(whole[: len(whole) // 2])
    report = ingest(ws, [path], format="litellm")
    assert 500 < report.counts.stored < 1500
    assert 1 <= report.counts.rejected <= 2
    assert ingest(ws, [path], format="litellm").counts.stored == 0


@pytest.mark.slow
def test_a_line_that_is_too_long_is_one_reject(ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its length is told whole, of its bytes only the first are kept; the lines around it are rows."""
    monkeypatch.setattr(module, "SPAWN_FROM", 1 << 40)
    long = payload("long", "x" * (70 << 20))
    report = ingest(ws, [write(tmp_path / "a.jsonl", payload("r1", ASK), long, payload("r2", ASK))], format="litellm")
    (reject,) = rows(ws, "rejects")
    assert counts(report) == {"read": 3, "stored": 2, "rejected": 1}
    assert (reject["place"].partition(":")[2], reject["length"] > 70 << 20) == ("line 2", True)


CHILD = """
import sys
from backlight import _ingest_pieces, ingest
from backlight.workspace import Workspace
if __name__ == "__main__":
    _ingest_pieces.CHUNK = 1 << 16
    ingest.SPAWN_FROM = int(sys.argv[3])
    with Workspace.open(sys.argv[1]) as ws:
        ingest.ingest(ws, [sys.argv[2]], format="litellm")
        print("whole")
"""


def start(script: Path, workspace: Path, path: Path, spawn_from: int) -> subprocess.Popen[bytes]:
    """An ingest in a process group of its own."""
    command = [sys.executable, str(script), str(workspace), str(path), str(spawn_from)]
    return subprocess.Popen(command, start_new_session=True)


def kill_after_a_commit(process: subprocess.Popen[bytes], commits: Path, delay: float) -> bool:
    """Kill a whole process group some time after its first commit; whether it was still running."""
    before = len(list(commits.iterdir()))
    while process.poll() is None and len(list(commits.iterdir())) <= before:
        time.sleep(0.002)
    time.sleep(delay)
    running = process.poll() is None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return running


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_kill_9_at_any_moment_ends_in_the_rows_of_a_clean_run(tmp_path: Path) -> None:
    """Fifty kills at random moments between first and last write, some with worker processes; each start goes on."""
    script, path, rng = tmp_path / "child.py", large(tmp_path / "a.jsonl", 30_000), random.Random(1)
    killed, clean = tmp_path / "killed", tmp_path / "clean"
    script.write_text(CHILD)
    Workspace.open(killed, create=True).close()
    shutil.copytree(killed, clean)  # the same keys
    running = 0
    for n in range(50):
        process = start(script, killed, path, 1 if n % 5 == 4 else 1 << 40)
        running += kill_after_a_commit(process, killed / "commits", rng.random() * 0.2)
    assert running >= 40
    assert start(script, killed, path, 1 << 40).wait() == start(script, clean, path, 1 << 40).wait() == 0
    with Workspace.open(killed) as one, Workspace.open(clean) as other:
        assert stored(one) == stored(other)


@pytest.mark.shared
def test_real_files_reconcile_and_a_second_run_stores_nothing(ws: Workspace, shared_data: Path) -> None:
    """Every format that is known is read, the others are named, and all counts add up."""
    folders = [shared_data / "conversations", shared_data / "posts"]
    first, second = ingest(ws, folders), ingest(ws, folders)
    formats = {Path(report.path).name: report.format for report in first.files}
    assert {formats["kura_mtbench_conversations.jsonl"], formats["sharegpt_toolcall_zh.json"]} == {"messages", "sharegpt"}
    assert {formats["litellm_standard_logging_payload.json"], formats["brexit.jsonl"]} == {"litellm", "x-v2"}
    assert all(report.guesses for report in first.files if report.format is None and not report.refused)
    assert first.counts.stored == sum(len(rows(ws, name)) for name in ("interactions", "posts", "platform_accounts"))
    assert (second.counts.stored, second.counts.read, second.data_version) == (0, first.counts.read, first.data_version)


def test_the_guards_spool_is_drained_once(ws: Workspace, tmp_path: Path) -> None:
    """A segment goes when its rows are stored; one that comes back gives duplicates; a frame that does not open, a reject."""
    said = [Message("user", ASK)]
    exchange = Exchange(record_id="g1", messages=said, output=ANSWER, key="key-1", outcome="refused")
    frames = [spool.encode_frame(sealed(ws, exchange)), spool.encode_frame(b"\0" * 40)]
    for expected in ({"read": 2, "stored": 1, "rejected": 1}, {"read": 2, "duplicate": 1, "rejected": 1}):
        (tmp_path / "s1.spool").write_bytes(spool.MAGIC + b"".join(frames))
        assert counts(drain(ws, tmp_path)) == expected
        assert not list(tmp_path.glob("*.spool"))
    (row,) = rows(ws, "interactions")
    assert (row["source"], row["level"], row["outcome"]) == ("guard", "key", "refused")


def sealed(ws: Workspace, exchange: Exchange) -> bytes:
    """The payload of a spool frame."""
    return spool.pack(spool.Sealed(1, 2, 3, ws.vault.seal(1, 2, 3, spool.encode(exchange, {}))))
