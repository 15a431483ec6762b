"""Serving: started when said, stopped when left, and strict about where a connection comes from."""

from __future__ import annotations

import socket
import urllib.request

import pytest

from backlight.errors import RequestError, StoreError
from backlight.guard import ScriptedUpstream, running


def test_a_server_runs_while_the_block_runs() -> None:
    """It answers inside, and its port is closed after."""
    with running(ScriptedUpstream()) as url, urllib.request.urlopen(f"{url}/x", timeout=10) as answer:
        assert answer.read() == b"ok"
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) != 0


def test_forwarding_headers_do_not_change_the_callers_address() -> None:
    """Whatever a header says, the address is the connection's own: or anybody could be a listed peer."""
    seen: list[object] = []

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        seen.append(scope["client"])
        await ScriptedUpstream()(scope, receive, send)  # type: ignore[arg-type]

    with running(app, lifespan="off") as url:
        headers = {"X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1"}
        urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10).close()
    assert [client[0] for client in seen] == ["127.0.0.1"]  # type: ignore[index]


def test_a_taken_address_is_a_stated_error() -> None:
    """The message names the address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RequestError, match=f"127.0.0.1:{port}"), running(ScriptedUpstream(), port=port):
            pass


def test_an_application_that_does_not_start_is_a_stated_error() -> None:
    """A failing start-up ends the block before it begins."""

    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        raise RuntimeError("broken")

    with pytest.raises(StoreError, match="does not start"), running(app, lifespan="on"):
        pass
