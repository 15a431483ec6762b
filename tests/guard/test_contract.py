"""What later work must not change silently: decisions, memory schema, spool frames and the bytes on the wire.

Each literal was written out by hand or copied once from a run that was read. A test that fails here means that a host,
a client or a stored file would notice: widen with a new version, do not edit the literal.
"""

from __future__ import annotations

import inspect
import sqlite3
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import pytest

from backlight.guard import AccountState, Decision, Entry, Identity, Memory, Request, Watch, decide, memory, openai_chat
from backlight.guard.decide import Event
from backlight.guard.spool import Record, Spool
from backlight.policy import ACTIONS, FAILS, MODES, POLICY_KEYS, RULE_KEYS, VARIABLES, builtin, load
from backlight.signals.scorer import FakeScorer
from backlight.sources import spool

REFUSAL = (
    b'{"id":"chatcmpl-e1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":null,"refusal":"No \xc3\xa9."},"finish_reason":"content_filter","logprobs":null}],'
    b'"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}'
)
HEAD = b'data: {"id":"chatcmpl-e1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,'
STREAM = (
    HEAD + b'"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    + HEAD + b'"delta":{"refusal":"No \xc3\xa9."},"finish_reason":null}]}\n\n'
    + HEAD + b'"delta":{},"finish_reason":"content_filter"}]}\n\n'
    b"data: [DONE]\n\n"
)  # fmt: skip
ERROR = b'{"error":{"message":"No \xc3\xa9.","type":"invalid_request_error","param":null,"code":"content_filter"}}'


def test_the_bytes_of_a_refusal() -> None:
    """Plain, streamed and as an error."""
    made = openai_chat.refusal("e1", 1, "m", "No é."), openai_chat.refusal_stream("e1", 1, "m", "No é.")
    assert (*made, openai_chat.refusal_error("No é.")) == (REFUSAL, STREAM, ERROR)


def test_the_bytes_on_the_wire(guarded: Callable[..., Any]) -> None:
    """Status, headers and body of a refusal through a real server, ids and times aside."""
    g = guarded(builtin("demo"))
    found = []
    for stream in (False, True):
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "covert plan"}]}
        status, headers, data = g.send(body)
        found.append(
            (status, [(k, v) for k, v in headers if k != "content-length"], data.count(b"[DONE]"), b"content_filter" in data)
        )
    events = [("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache")]
    assert found == [(200, [("content-type", "application/json")], 0, True), (200, events, 1, True)]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Decision, "mode rule action event public_text watch watch_days hits concern"),
        (
            Event,
            (
                "id time key account level vouched mode policy digest scored claimed rule action fired errors scores "
                "language conversation hits voice"
            ),
        ),
        (
            AccountState,
            (
                "first_seen requests_24h requests_30d refusals_24h refusals_30d key_refusals_24h key_refusals_30d "
                "conversation_refusals linked watches"
            ),
        ),
        (Watch, "id account cause objects set_at expires strength"),
        (
            Request,
            "id time identity instruction document language model stream n_messages turns conversation objects",
        ),
        (Identity, "key account level vouched source claimed raw_key raw_user country"),
        (Entry, "event refused_by objects watch_days accepted"),
        (Record, "row account time exchange guard"),
    ],
)
def test_the_fields_of_what_passes_between_the_parts(kind: type[msgspec.Struct], fields: str) -> None:
    """A field may be added with a default; none goes or changes its name."""
    assert " ".join(field.name for field in msgspec.structs.fields(kind)) == fields


def test_the_arguments_of_the_interfaces() -> None:
    """How decide, memory and spool are called."""
    calls = (decide, Memory.state, Memory.record, Memory.erase, Memory.link, Spool.append, Spool.sync, Spool.rotate)
    assert [" ".join(inspect.signature(call).parameters) for call in calls] == [
        "request state policy scorer",
        "self account key now conversation",
        "self entries",
        "self account",
        "self account operation until",
        "self records",
        "self",
        "self force",
    ]


def test_a_decision_as_data() -> None:
    """One decision, every field."""
    identity = Identity(key=1, account=2, level="key", vouched=True, source="key")
    request = Request(id="e1", time=5.0, identity=identity, instruction="a covert plan", language="en")
    decision = decide(request, AccountState(), load(builtin("demo")), FakeScorer({"BL-01": ["covert plan"]}))
    plain = msgspec.to_builtins(decision)
    assert plain.pop("event") | {"digest": "d"} == {
        "id": "e1", "time": 5.0, "key": 1, "account": 2, "level": "key", "vouched": True, "mode": "refuse",
        "policy": "demo@1", "digest": "d", "scored": True, "rule": "planning-request", "action": "review",
        "fired": ("planning-request",), "scores": {"BL-01": 4.0, "concern": 4.0}, "language": "en",
    }  # fmt: skip
    assert plain == {
        "mode": "refuse", "rule": "planning-request", "action": "review", "watch": (), "watch_days": 90, "hits": (),
        "concern": False,
        "public_text": "I can't help with planning this. If you think this is a mistake, please contact support.",
    }  # fmt: skip


def test_the_schema_of_the_memory(tmp_path: Path) -> None:
    """Tables and columns of form 1; a change needs a new form and a way to it."""
    Memory(tmp_path / "memory.sqlite").close()
    with sqlite3.connect(tmp_path / "memory.sqlite") as sql:
        names = [name for (name,) in sql.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        columns = {name: " ".join(row[1] for row in sql.execute(f"PRAGMA table_info({name})")) for name in names}
        version = sql.execute("PRAGMA user_version").fetchone()[0]
    sql.close()
    assert (version, memory.SCHEMA_VERSION) == (1, 1)
    assert columns == {
        "accounts": "account key level first_seen last_seen",
        "flags": "key reason subject event first last n",
        "hits": "watch event time voice",
        "keys": "key first_seen last_seen accepted",
        "links": "account operation until",
        "refusals": "id key account conversation time refused_by rule",
        "requests": "account hour key n",
        "sightings": "object account key time",
        "watch_objects": "watch object kind",
        "watches": "id key account cause set_at expires strength",
    }


def test_the_bytes_of_a_frame() -> None:
    """Mark, length, digest, payload; the payload of a record begins with row, account and month."""
    payload = spool.pack(spool.Sealed(1, 2, 24_322, b"sealed"))
    assert payload == bytes.fromhex("0000000000000001000000000000000200005f02") + b"sealed"
    digest = blake2b(b"\0\0\0\x1a" + payload, digest_size=16).digest()
    assert spool.encode_frame(payload) == b"BLfr" + b"\0\0\0\x1a" + digest + payload
    assert (spool.MAGIC, spool.SUFFIX, spool.OPEN_SUFFIX) == (b"BLSPOOL1", ".spool", ".open")


def test_the_words_of_a_policy() -> None:
    """Keys, modes, actions and variables that policies out there are written with."""
    assert " ".join(POLICY_KEYS) == "name version about fail watch_days rules"
    assert " ".join(RULE_KEYS) == "rule mode when typology action reason_public reason_internal on_error examples"
    assert (MODES, FAILS) == (("observe", "warn", "refuse"), ("open", "closed"))
    assert ACTIONS == ("record", "warn", "refuse", "review", "propose_ban")
    assert " ".join(f"{name}:{variable.kind}" for name, variable in VARIABLES.items()) == (
        "scores:scores instruction.scores:scores document.scores:scores request.text:string request.document:string "
        "request.has_document:bool request.language:string request.country:string request.model:string request.stream:bool "
        "request.n_messages:int request.n_chars:int account.vouched:bool account.level:string account.age_days:double "
        "account.requests_24h:int account.requests_30d:int account.refusals_24h:int account.refusals_30d:int "
        "account.linked:bool key.refusals_24h:int key.refusals_30d:int watch.hit:bool watch.voice:bool watch.objects:int "
        "watch.age_days:double conversation.turns:int conversation.refusals:int"
    )
