"""The audit log of an OpenAI organisation."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Identifier, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Identifier]]
SESSION = {
    "user": {"id": "user-1", "email": "ada@example.com"},
    "ip_address": "198.51.100.7",
    "user_agent": "Browser/1.0",
    "ja3": "0a1b",
    "ip_address_details": {"country": "NL", "asn": "64500"},
}
LOGIN = {
    "object": "organization.audit_log",
    "id": "audit_log-1_20260101",
    "type": "login.succeeded",
    "effective_at": 1_767_225_600,
    "actor": {"type": "session", "session": SESSION},
}
KEY = {"id": "key_1", "type": "user", "user": {"id": "user-2", "email": "bo@example.com"}}
BY_KEY = {
    "id": "audit_log-2_20260101",
    "type": "project.archived",
    "effective_at": 1_767_225_660,
    "project": {"id": "proj-1", "name": "Letters"},
    "actor": {"type": "api_key", "api_key": KEY},
    "project.archived": {"id": "proj-1"},
}


def _said(kind: str, value: str, account: str = "user-1", second: int = 0) -> Identifier:
    time = datetime(2026, 1, 1, 0, second // 60, second % 60, tzinfo=UTC)
    return Identifier(account=account, kind=kind, value=value, first_seen=time, last_seen=time)


OF_LOGIN = [_said("ip", "198.51.100.7"), _said("user_agent", "Browser/1.0"), _said("email", "ada@example.com")]


def _event(session: Any = SESSION, **changes: Any) -> dict[str, Any]:
    return LOGIN | {"actor": {"type": "session", "session": session}} | changes


def test_a_session_gives_address_user_agent_and_email_of_its_user(read: Read) -> None:
    """All of the second in which the event took effect."""
    assert read("openai-audit", LOGIN) == OF_LOGIN


def test_an_action_by_key_gives_the_email_of_the_key_s_user(read: Read) -> None:
    """The account is the user; the log holds no address for it."""
    assert read("openai-audit", BY_KEY) == [_said("email", "bo@example.com", "user-2", 60)]


def test_a_page_gives_what_its_events_give(read: Read) -> None:
    """In their order."""
    page = {"object": "list", "data": [BY_KEY, LOGIN], "first_id": "audit_log-2", "last_id": "audit_log-1", "has_more": False}
    assert read("openai-audit", page) == [_said("email", "bo@example.com", "user-2", 60), *OF_LOGIN]
    assert read("openai-audit", {"object": "list", "data": [], "has_more": False}) == []


def test_a_failed_login_says_nothing_of_where_its_user_is(read: Read) -> None:
    """Somebody else may have tried; the e-mail is the user's all the same, and an unknown user is nobody."""
    assert read("openai-audit", _event(type="login.failed")) == [_said("email", "ada@example.com")]
    assert read("openai-audit", _event(SESSION | {"user": {"email": "no@example.com"}}, type="login.failed")) == []


@pytest.mark.parametrize(
    "actor",
    [
        None,
        {"type": "api_key", "api_key": {"id": "key_2", "type": "service_account", "service_account": {"id": "svc-1"}}},
        {"type": "session", "session": None, "api_key": None},
        {"type": "session", "session": {"user": {"id": "user-1"}, "ip_address": "", "user_agent": None}},
    ],
)
def test_an_actor_without_any_value_gives_nothing(read: Read, actor: Any) -> None:
    """Neither is it wrong."""
    assert read("openai-audit", LOGIN | {"actor": actor}) == []


def test_a_key_without_a_user_is_the_account_itself(read: Read) -> None:
    """Where a log holds an address beside it."""
    key = {"id": "key_2", "type": "service_account", "ip_address": "192.0.2.4"}
    assert read("openai-audit", LOGIN | {"actor": {"type": "api_key", "api_key": key}}) == [_said("ip", "192.0.2.4", "key_2")]


def test_a_table_with_dotted_columns_is_read(tmp_path: Path) -> None:
    """Empty cells are nothing, and the time may be text."""
    file = tmp_path / "audit.csv"
    file.write_text(
        "id,type,effective_at,actor.type,actor.session.user.id,actor.session.user.email,actor.session.ip_address\n"
        "audit_log-1,login.succeeded,2026-01-01T00:00:00Z,session,user-1,,198.51.100.7\n"
    )
    with open_source(file) as opened:
        form = detect(opened).format
        assert form is not None and form.name == "openai-audit"
        assert form.parse_records(records(opened, form)).items == OF_LOGIN[:1]


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        ({"object": "list", "data": "secret"}, "neither a page nor an event"),
        ({"id": "secret"}, "neither a page nor an event"),
        (LOGIN | {"effective_at": "secret"}, "effective_at is no time"),
        (LOGIN | {"actor": "secret"}, "actor.session.user.id is no object"),
        (_event(SESSION | {"user": ["secret"]}), "actor.session.user.id is no object"),
        (_event(SESSION | {"ip_address": {"v": "secret"}}), "actor.session.ip_address is no id"),
        (_event(SESSION | {"user": {"email": "secret@example.com"}}), "an actor without an id"),
    ],
)
def test_what_is_wrong_is_told_without_its_values(record: dict[str, Any], wrong: str) -> None:
    """Fields of another kind, and values that belong to nobody."""
    with pytest.raises(RecordError, match=wrong) as caught:
        FORMATS["openai-audit"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(caught.value)


def test_a_bad_event_of_a_page_is_one_reject() -> None:
    """The others are read."""
    page = {"object": "list", "data": [LOGIN, 5, {"id": "x"}]}
    parsed = FORMATS["openai-audit"].parse_records([Raw("line 1", json.dumps(page).encode())])
    assert parsed.items == OF_LOGIN
    assert [(reject.place, reject.data) for reject in parsed.rejects] == [
        ("line 1, data 1", b"5"),
        ("line 1, data 2", b'{"id":"x"}'),
    ]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (LOGIN, "openai-audit"),
        (BY_KEY, "openai-audit"),
        ({key: LOGIN[key] for key in ("id", "type", "effective_at")}, "openai-audit"),
        ({"object": "list", "data": [LOGIN], "has_more": True}, "openai-audit"),
        ({"object": "list", "data": [{"object": "chat.completion", "choices": [], "id": "c-1"}]}, "openai-chat"),
        ({"id": "1", "type": "chat", "messages": [{"role": "user", "content": "Hi."}]}, "messages"),
        ({"account": "user-1", "kind": "ip", "value": "192.0.2.1"}, "identifiers"),
        ({"id": "1", "type": "push", "actor": {"type": "User"}, "created_at": "2026-01-01"}, None),
    ],
)
def test_the_log_is_told_from_other_lists_and_events(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """By effective_at, which nothing else has."""
    file = tmp_path / "log.jsonl"
    file.write_text(json.dumps(record) + "\n")
    found = detect(file)
    assert (found.format and found.format.name, found.confidence >= 0.8) == (name, name is not None)
