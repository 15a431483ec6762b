"""Who is asking, as far as somebody vouches for it.

The key is vouched for: whoever sends it holds it. Ids that the client sets (`user`, `safety_identifier`, headers) count
only from a listed peer that vouches for them, and live inside their key: (key, id). From anyone else such an id is a
*claim*: it leaves at most a flag on the key, and nothing on anyone who is called so elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Literal

from msgspec import Struct

from backlight.errors import RequestError
from backlight.guard.settings import Peer
from backlight.normalise import Pseudonyms

Level = Literal["end_user", "key", "none"]
OWN = "x-backlight-"
_RAW_LIMIT = 512


class Identity(Struct, frozen=True, kw_only=True):
    """An identity of one request.

    Attributes:
        key: pseudonym of the API key; of the empty key where none was sent.
        account: pseudonym of the lowest vouched identity: the end user inside the key, else the key.
        level: what the account is.
        vouched: whether the host or a listed peer vouches for it.
        source: where the account came from: header, safety_identifier, user, key or none.
        claimed: pseudonym, inside the key, of an id that nobody vouches for; None without one.
        raw_key: SHA-256 of the API key in hexadecimal, as gateways log it; the key itself is kept nowhere.
        raw_user: the vouched end-user id; None without one. Only ever written sealed.
        country: as the peer says; empty otherwise.
    """

    key: int
    account: int
    level: Level
    vouched: bool
    source: str
    claimed: int | None = None
    raw_key: str | None = None
    raw_user: str | None = None
    country: str = ""


def headers_of(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header values by lower-case name.

    Raises:
        RequestError: a header that says who asks, or how long the body is, stands there twice.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        key = name.decode("latin-1").lower()
        if key in found and (key in _SINGLE or key.startswith(OWN)):
            raise RequestError(f"the header {key} is sent twice", "one")
        found[key] = value.decode("latin-1")
    return found


_SINGLE = frozenset({"authorization", "api-key", "x-api-key", "content-length", "host", "content-encoding"})


def peer_of(headers: Mapping[str, str], address: str | None, peers: Iterable[Peer]) -> Peer | None:
    """The listed peer that this connection is, if any."""
    token = headers.get(f"{OWN}peer")
    return next((peer for peer in peers if peer.matches(address, token)), None)


def secret_of(headers: Mapping[str, str]) -> str | None:
    """The API key of a request; None without one."""
    bearer = headers.get("authorization", "")
    scheme, _, token = bearer.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return bearer.strip() or headers.get("api-key") or headers.get("x-api-key") or None


def identify(headers: Mapping[str, str], peer: Peer | None, body: Mapping[str, Any], pseudonyms: Pseudonyms) -> Identity:
    """The identity of a request.

    Args:
        headers: by lower-case name.
        peer: the listed peer that sent it, if it was one.
        body: the request, of which only the identity fields are read.
        pseudonyms: the workspace's.
    """
    secret = secret_of(headers)
    raw_key = sha256(secret.encode("utf-8", "surrogatepass")).hexdigest() if secret else ""
    key = pseudonyms.key(raw_key)
    country = headers.get(peer.country_header, "")[:2].upper() if peer and peer.country_header else ""
    ids = _ids(headers, peer, body)
    vouched = [(source, raw) for source, raw, good in ids if good]
    if vouched:
        source, raw = vouched[0]
        account, _ = pseudonyms.account("end_user", raw, key=raw_key)
        return Identity(
            key=key, account=account, level="end_user", vouched=True, source=source,
            raw_key=raw_key or None, raw_user=raw, country=country,
        )  # fmt: skip
    claimed = pseudonyms.account("end_user", ids[0][1], key=raw_key)[0] if ids else None
    return Identity(
        key=key, account=pseudonyms.account("key", raw_key)[0], level="key" if secret else "none", vouched=bool(secret),
        source="key" if secret else "none", claimed=claimed, raw_key=raw_key or None, country=country,
    )  # fmt: skip


def _ids(headers: Mapping[str, str], peer: Peer | None, body: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """Ids of the end user, best source first: source, id, and whether the peer vouches for it."""
    metadata = body.get("metadata")
    found = [
        ("header", headers.get(peer.identity_header) if peer and peer.identity_header else None, True),
        ("safety_identifier", body.get("safety_identifier"), bool(peer and "safety_identifier" in peer.vouches)),
        ("user", body.get("user"), bool(peer and "user" in peer.vouches)),
        ("metadata", metadata.get("user_id") if isinstance(metadata, dict) else None, bool(peer and "user" in peer.vouches)),
    ]
    return [(source, raw[:_RAW_LIMIT], good) for source, raw, good in found if isinstance(raw, str) and raw]
