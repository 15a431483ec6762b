"""The way to the upstream: an aiohttp client that changes nothing it need not change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from backlight.guard.identity import OWN
from backlight.guard.settings import Settings

_HOP = frozenset((
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
))  # fmt: skip
_OURS = frozenset((b"host", b"content-length", b"expect"))
_NO_AUTO = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class Unreachable(Exception):
    """The upstream gave no answer; `slow` where it took too long."""

    def __init__(self, reason: str, *, slow: bool = False) -> None:
        super().__init__(reason)
        self.slow = slow


class Reply:
    """An answer of the upstream whose body has not been read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers = _kept(list(response.raw_headers), frozenset())

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of server-sent events that can be read."""
        return self._response.content_type == "text/event-stream" and self.readable

    @property
    def readable(self) -> bool:
        """Whether its body is not compressed."""
        return self._response.headers.get("Content-Encoding", "identity").lower() == "identity"

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            BrokenOff: it ended early.
        """
        try:
            async for piece in self._response.content.iter_any():
                yield piece
        except (aiohttp.ClientError, TimeoutError) as error:
            raise BrokenOff(str(error), slow=isinstance(error, TimeoutError)) from None


class BrokenOff(Exception):
    """The upstream's body broke off; `slow` where it took too long."""

    def __init__(self, reason: str, *, slow: bool = False) -> None:
        super().__init__(reason)
        self.slow = slow


class Forwarder:
    """Sends requests on.

    Args:
        settings: the upstream and its time-outs.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._base = URL(settings.upstream.rstrip("/"))
        self._session: aiohttp.ClientSession | None = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=self._settings.connect_timeout, sock_read=self._settings.read_timeout
            )
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30), auto_decompress=False, timeout=timeout,
                cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=_NO_AUTO, trust_env=False,
                requote_redirect_url=False, read_bufsize=1 << 18,
            )  # fmt: skip
        return self._session

    def url(self, raw_path: bytes, query: bytes) -> URL:
        """The upstream's URL of a request, spelt as the client spelt it; the upstream's own path is not put twice."""
        path = raw_path.decode("latin-1")
        prefix = self._base.raw_path.rstrip("/")
        if prefix and not (path == prefix or path.startswith(f"{prefix}/")):
            path = prefix + path
        asked = f"?{query.decode('latin-1')}" if query else ""
        return URL(f"{self._base.origin()}{path}{asked}", encoded=True)

    @asynccontextmanager
    async def open(
        self, scope: MutableMapping[str, Any], body: bytes | AsyncIterator[bytes], *, readable: bool = False
    ) -> AsyncIterator[Reply]:
        """Send a request on and give its answer.

        Args:
            scope: of the ASGI request.
            body: all of it, or as it comes.
            readable: ask for an answer that is not compressed.

        Raises:
            Unreachable: there is none.
        """
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in _kept(scope["headers"], _OURS)]
        if readable:
            headers = [(name, value) for name, value in headers if name.lower() != "accept-encoding"]
            headers.append(("accept-encoding", "identity"))
        length = dict(scope["headers"]).get(b"content-length")
        streamed = not isinstance(body, bytes) and (length is not None or b"transfer-encoding" in dict(scope["headers"]))
        if streamed and length is not None:
            headers.append(("content-length", length.decode("latin-1")))
        url = self.url(scope.get("raw_path") or scope["path"].encode(), scope["query_string"])
        data = body if streamed or isinstance(body, bytes) else None
        try:
            response = await self._client().request(scope["method"], url, data=data, headers=headers, allow_redirects=False)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            raise Unreachable(str(error), slow=isinstance(error, TimeoutError)) from None
        try:
            yield Reply(response)
        finally:
            response.close() if not response.content.at_eof() else response.release()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            await asyncio.sleep(0)
            self._session = None


def _kept(headers: list[tuple[bytes, bytes]], ours: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    """Headers without those of one connection, and without those that only the guard reads."""
    named = {name.strip().lower() for key, value in headers if key.lower() == b"connection" for name in value.split(b",")}
    own = OWN.encode() if ours else b"\0"
    dropped = _HOP | ours | named
    return [(key, value) for key, value in headers if key.lower() not in dropped and not key.lower().startswith(own)]
