"""Settings of a guard: where the model is, who may vouch, limits and time-outs."""

from __future__ import annotations

import hmac
import ipaddress
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from backlight.errors import RequestError

RefusalForm = Literal["message", "error"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Peer:
    """A caller that is trusted by name. Every condition that it states must hold; one at least must be stated.

    Attributes:
        name: for the records.
        networks: the addresses it connects from, in CIDR form. Only the connection's own address counts, never a header.
        token: a secret it sends in the header `x-backlight-peer`.
        identity_header: the header, in lower case, in which it names the end user; taken from it alone.
        country_header: the header in which it names the end user's country.
        vouches: fields of the request whose ids it vouches for: user, safety_identifier.
        decisions: whether it is shown the headers `x-backlight-decision`, `-policy` and `-event`.
    """

    name: str
    networks: tuple[str, ...] = ()
    token: str | None = None
    identity_header: str | None = None
    country_header: str | None = None
    vouches: frozenset[str] = frozenset()
    decisions: bool = False

    def __post_init__(self) -> None:
        if not self.networks and not self.token:
            raise RequestError(f"peer {self.name!r} can be anybody", "networks, a token, or both")
        unknown = self.vouches - {"user", "safety_identifier"}
        if unknown:
            raise RequestError(f"peer {self.name!r} vouches for {', '.join(sorted(unknown))}", "user or safety_identifier")
        try:
            _ = self._networks
        except ValueError as error:
            raise RequestError(f"peer {self.name!r}: {error}", "networks such as 10.0.0.0/8") from None

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        return tuple(ipaddress.ip_network(network) for network in self.networks)

    def matches(self, address: str | None, token: str | None) -> bool:
        """Whether a connection from this address with this token is the peer."""
        if self.token and not (token and hmac.compare_digest(token.encode(), self.token.encode())):
            return False
        if not self.networks:
            return True
        try:
            ip = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        return any(ip in network for network in self._networks)


@dataclass(frozen=True)
class Settings:
    """Settings of a gateway. Sizes in bytes, times in seconds.

    Attributes:
        upstream: base URL of the model's server, with or without its path (`http://127.0.0.1:9000/v1`).
        peers: callers that are trusted by name.
        refusal: `message` answers a refusal as a completion (HTTP 200), `error` as HTTP 400.
        pass_through: whether paths that are not judged reach the upstream; if not, they are answered with 404.
        body_limit: largest request body that is judged.
        answer_limit: characters of an answer that are recorded.
        judged_limit: characters of one part that are scored; of a longer one its beginning and its end.
        body_timeout: how long a client may take for its body.
        connect_timeout: for a connection to the upstream.
        read_timeout: for the upstream's silence.
        record_timeout: how long a refusal waits to be on disk.
        judges: threads that score.
        queue: requests that may wait for a judge; more are met by the policy's `fail`.
        segment_bytes: size at which a spool segment is handed over.
        segment_seconds: age at which it is.
        group_seconds: how long records of answered requests wait to be written together.
        pending_bytes: records that may wait to be written; more are met by the policy's `fail`.
    """

    upstream: str
    peers: tuple[Peer, ...] = ()
    refusal: RefusalForm = "message"
    pass_through: bool = True
    body_limit: int = 32 << 20
    answer_limit: int = 1 << 20
    judged_limit: int = 100_000
    body_timeout: float = 60.0
    connect_timeout: float = 10.0
    read_timeout: float = 600.0
    record_timeout: float = 10.0
    judges: int = 2
    queue: int = 256
    segment_bytes: int = 64 << 20
    segment_seconds: float = 60.0
    group_seconds: float = 0.05
    pending_bytes: int = 256 << 20

    def __post_init__(self) -> None:
        if not self.upstream.startswith(("http://", "https://")):
            raise RequestError(f"upstream {self.upstream!r}", "a URL that begins with http:// or https://")
