"""Open WebUI's audit log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Identifier, Raw, detect

Read = Callable[[str, Any], list[Identifier]]
SEEN = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY = {
    "id": "e-1",
    "timestamp": 1_767_225_600,
    "user": {"id": "u-1", "name": "One Person", "email": "one@example.com", "role": "user"},
    "audit_level": "REQUEST_RESPONSE",
    "verb": "POST",
    "request_uri": "https://chat.example.com/api/v1/chats/new",
    "response_status_code": 200,
    "source_ip": "192.0.2.7",
    "user_agent": "Browser/1.0",
    "request_object": '{"chat":{"title":"A title","messages":[{"role":"us',
    "response_object": '{"id":"c-1","user_id":"u-1"}',
    "extra": {},
}
ACCOUNT = '{"token":"t","token_type":"Bearer","expires_at":null,"id":"u-9","email":"nine@example.com","name":"Nine"'
SIGN_IN = ENTRY | {
    "user": {},
    "request_uri": "https://chat.example.com/api/v1/auths/signin",
    "request_object": '{"email":"nine@example.com","password": "********"}',
}


def sighted(account: str, kind: str, value: str) -> Identifier:
    return Identifier(account=account, kind=kind, value=value, first_seen=SEEN, last_seen=SEEN)


def test_an_entry_is_three_identifiers_of_its_user(read: Read) -> None:
    """Seen when it was written; the name, the bodies and the key of the sign-in are not read."""
    assert read("open-webui-audit", ENTRY) == [
        sighted("u-1", "ip", "192.0.2.7"),
        sighted("u-1", "user_agent", "Browser/1.0"),
        sighted("u-1", "email", "one@example.com"),
    ]


def test_what_is_missing_gives_nothing(read: Read) -> None:
    """An entry at the level of metadata, through a socket, of a client without a name."""
    entry = {name: ENTRY[name] for name in ("id", "user", "audit_level", "verb", "request_uri")}
    found = read("open-webui-audit", entry | {"source_ip": None, "user_agent": None, "request_object": ""})
    assert found == [Identifier(account="u-1", kind="email", value="one@example.com")]


@pytest.mark.parametrize("path", ["signin", "signup"])
@pytest.mark.parametrize(
    "rest", ["}", ',"permissions":{"workspace":{"mod', ',"profile_image_url":"data:image/png;base64,iVBOR']
)
def test_a_sign_in_belongs_to_the_account_that_its_answer_names(read: Read, path: str, rest: str) -> None:
    """Even where the log cut the answer off."""
    uri = f"https://chat.example.com/api/v1/auths/{path}"
    found = read("open-webui-audit", SIGN_IN | {"request_uri": uri, "response_object": ACCOUNT + rest})
    assert found == [
        sighted("u-9", "ip", "192.0.2.7"),
        sighted("u-9", "user_agent", "Browser/1.0"),
        sighted("u-9", "email", "nine@example.com"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"response_object": '{"detail":"The email or password provided is incorrect."}'},
        {"response_object": ""},
        {"response_object": None},
        {"response_object": ACCOUNT[:60]},
        {"user": None, "response_object": "[REDACTED]"},
        {"request_uri": "https://chat.example.com/api/v1/chats/?a=/api/v1/auths/signin", "response_object": ACCOUNT + "}"},
    ],
)
def test_an_entry_of_nobody_gives_nothing(read: Read, change: dict[str, Any]) -> None:
    """Failed sign-ins belong to no account; only an answer to a sign-in says whose it is."""
    assert read("open-webui-audit", SIGN_IN | change) == []


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_host_itself_is_no_trait_of_anybody(read: Read, address: str) -> None:
    """Nor is the e-mail that everybody has where nobody signs in."""
    user = {"id": "u-1", "email": "admin@localhost"}
    assert [item.kind for item in read("open-webui-audit", ENTRY | {"source_ip": address, "user": user})] == ["user_agent"]


def test_a_wrong_field_is_a_flaw_beside_the_others() -> None:
    """The other identifiers are kept."""
    entry = ENTRY | {"source_ip": ["secret"], "user": {"id": "u-1", "email": {"secret": 1}}}
    result = FORMATS["open-webui-audit"].parse_records([Raw("line 1", json.dumps(entry).encode())])
    assert result.items == [sighted("u-1", "user_agent", "Browser/1.0")]
    assert [(r.place, r.reason) for r in result.rejects] == [
        ("line 1, ip", "ip is no id; expected a text or a whole number"),
        ("line 1, email", "email is no id; expected a text or a whole number"),
    ]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "no user"),
        (ENTRY | {"user": "secret"}, "user is no object"),
        (ENTRY | {"user": {"email": "secret@example.com"}}, "user.id is missing"),
        (ENTRY | {"timestamp": "secret"}, "timestamp is no time"),
    ],
)
def test_a_wrong_entry_is_an_error_without_its_values(entry: dict[str, Any], reason: str) -> None:
    """It says which field, not what stood there."""
    with pytest.raises(RecordError, match=reason) as error:
        FORMATS["open-webui-audit"].parse(Raw("line 1", json.dumps(entry).encode()))
    assert "secret" not in str(error.value)


KUBERNETES = {
    "kind": "Event",
    "auditID": "1",
    "verb": "get",
    "requestURI": "/api",
    "user": {},
    "sourceIPs": [],
    "userAgent": "k",
}


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (ENTRY, "open-webui-audit"),
        (SIGN_IN, "open-webui-audit"),
        ({name: ENTRY[name] for name in ENTRY if name != "audit_level"}, "open-webui-audit"),
        (KUBERNETES, None),
        ({"account": "u-1", "kind": "ip", "value": "192.0.2.7"}, "identifiers"),
        ({"messages": [{"role": "user", "content": "a"}], "user_agent": "b"}, "messages"),
    ],
)
def test_it_is_told_from_its_kin(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """Other audit logs and the plain form have other fields."""
    (tmp_path / "audit.log").write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n")
    found = detect(tmp_path / "audit.log")
    assert (found.format and found.format.name) == name
    assert name != "open-webui-audit" or found.confidence >= 0.9
