"""Who is asking, as far as somebody vouches for it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from backlight.errors import RequestError
from backlight.guard import Peer
from backlight.guard.identity import headers_of, identify, peer_of, secret_of
from backlight.normalise import Pseudonyms

NAMES = Pseudonyms(b"k" * 32)
HOST = Peer("host", networks=("10.0.0.0/8",), identity_header="x-user", vouches=frozenset({"user", "safety_identifier"}))
KEY = {"authorization": "Bearer sk-1"}
RAW = sha256(b"sk-1").hexdigest()


def test_an_unlisted_callers_ids_are_claims_on_its_key() -> None:
    """`user`, `safety_identifier` and headers of a stranger name nobody: the account is the key."""
    body = {"user": "victim", "safety_identifier": "victim2"}
    found = identify({**KEY, "x-user": "victim3"}, None, body, NAMES)
    assert (found.level, found.vouched, found.source, found.raw_user) == ("key", True, "key", None)
    assert found.account == NAMES.account("key", RAW)[0]
    assert found.claimed == NAMES.account("end_user", "victim2", key=RAW)[0]


@pytest.mark.parametrize(
    ("headers", "body", "source", "raw"),
    [
        ({"x-user": "a"}, {"safety_identifier": "b", "user": "c"}, "header", "a"),
        ({}, {"safety_identifier": "b", "user": "c"}, "safety_identifier", "b"),
        ({}, {"user": "c", "metadata": {"user_id": "d"}}, "user", "c"),
        ({}, {"metadata": {"user_id": "d"}}, "metadata", "d"),
    ],
)
def test_a_listed_peer_names_the_end_user_inside_its_key(
    headers: dict[str, str], body: dict[str, Any], source: str, raw: str
) -> None:
    """The best source wins, and the end user belongs to the key."""
    found = identify(KEY | headers, HOST, body, NAMES)
    assert (found.level, found.vouched, found.source, found.raw_user) == ("end_user", True, source, raw)
    assert found.account == NAMES.account("end_user", raw, key=RAW)[0]


def test_the_same_user_under_two_keys_is_two_accounts() -> None:
    """(key, id): nothing that happens under one key reaches a user of another."""
    one, other = (identify({"authorization": f"Bearer {key}"}, HOST, {"user": "u"}, NAMES).account for key in ("a", "b"))
    assert one != other


def test_a_peer_vouches_only_for_what_it_lists() -> None:
    """A peer that does not vouch for `user` leaves it a claim."""
    peer = Peer("p", networks=("10.0.0.0/8",), vouches=frozenset({"safety_identifier"}))
    found = identify(KEY, peer, {"user": "u"}, NAMES)
    assert (found.level, found.claimed is not None) == ("key", True)


@pytest.mark.parametrize("value", [7, ["u"], {"id": "u"}, "", None, True])
def test_ids_of_another_type_are_no_ids(value: object) -> None:
    """Only a text that is not empty names anybody."""
    assert identify(KEY, HOST, {"user": value, "metadata": value}, NAMES).level == "key"


def test_without_a_key_nobody_is_vouched_for() -> None:
    """A server without keys has one account of level none."""
    found = identify({}, None, {}, NAMES)
    assert (found.level, found.vouched, found.source, found.raw_key) == ("none", False, "none", None)


@pytest.mark.parametrize(
    ("headers", "secret"),
    [
        ({"authorization": "Bearer a"}, "a"),
        ({"authorization": "bearer  a "}, "a"),
        ({"authorization": "Basic abc"}, "Basic abc"),
        ({"api-key": "b"}, "b"),
        ({"x-api-key": "c"}, "c"),
        ({}, None),
    ],
)
def test_the_key_is_found_where_clients_put_it(headers: dict[str, str], secret: str | None) -> None:
    """OpenAI's, Azure's and Anthropic's headers."""
    assert secret_of(headers) == secret


@pytest.mark.parametrize(
    ("address", "token", "is_peer"),
    [("10.1.2.3", None, True), ("192.0.2.1", None, False), (None, None, False), ("nonsense", None, False)],
)
def test_a_peer_by_network_is_known_by_the_connection(address: str | None, token: str | None, is_peer: bool) -> None:
    """The address of the connection counts, and no header about it."""
    headers = {"x-forwarded-for": "10.1.2.3", "forwarded": "for=10.1.2.3", "x-real-ip": "10.1.2.3"}
    assert (peer_of(headers, address, [HOST]) is HOST) is is_peer


def test_a_peer_with_a_token_must_send_it() -> None:
    """Every condition that a peer states must hold."""
    peer = Peer("p", networks=("10.0.0.0/8",), token="t0ken")
    seen = [
        peer.matches(*told) for told in (("10.0.0.1", "t0ken"), ("10.0.0.1", "other"), ("10.0.0.1", None), ("1.1.1.1", "t0ken"))
    ]
    assert seen == [True, False, False, False]


@pytest.mark.parametrize("more", [{}, {"networks": ("10.0.0.1/8",)}, {"token": "t", "vouches": frozenset({"email"})}])
def test_a_peer_that_could_be_anybody_is_refused(more: dict[str, Any]) -> None:
    """Without a condition, with a wrong network or an unknown field, there is no peer."""
    with pytest.raises(RequestError):
        Peer("p", **more)


@pytest.mark.parametrize("name", [b"Authorization", b"x-backlight-peer", b"Content-Length", b"X-API-Key"])
def test_a_header_that_decides_who_asks_stands_once(name: bytes) -> None:
    """Two of them could mean one caller to the guard and another to the upstream."""
    with pytest.raises(RequestError, match="sent twice"):
        headers_of([(name, b"a"), (name.lower(), b"b")])
