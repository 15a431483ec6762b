"""Serving an ASGI application with uvicorn: in the foreground, or in a thread for demonstrations and tests.

The settings are part of the guard's safety: h11 parses the requests strictly; no header is believed about where a
connection comes from, or anybody could be a listed peer; nothing is logged that a client sent.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from backlight.errors import RequestError, StoreError

App = Callable[[Any, Any, Any], Awaitable[None]]
_START = 30.0


def _ended(*_: object) -> None:
    """The signal has been heard."""


def _config(app: App, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app, http="h11", ws="none", loop="auto", interface="asgi3", proxy_headers=False, server_header=False,
        date_header=False, access_log=False, log_level="critical", timeout_keep_alive=30, timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=64 << 10, **more,
    )  # fmt: skip


def serve(app: App, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve until the process is told to stop; then answer what is open, at most 10 seconds long.

    Raises:
        RequestError: the address cannot be listened on.
        StoreError: the application does not start.
    """
    with _listening(host, port) as listener:
        server = uvicorn.Server(_config(app, lifespan="on"))
        # uvicorn raises the signal that stopped it once more at its end; with the default handler that would end the
        # process before the caller has closed its workspace.
        before = {number: signal.signal(number, _ended) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            server.run(sockets=[listener])
        except SystemExit:
            raise StoreError("the server does not start", "an application that starts") from None
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextmanager
def running(app: App, host: str = "127.0.0.1", port: int = 0, *, lifespan: str = "auto") -> Iterator[str]:
    """Serve in a thread while the block runs; gives the server's URL, such as `http://127.0.0.1:54321`.

    Raises:
        RequestError: the address cannot be listened on.
        StoreError: the server does not start.
    """
    with _listening(host, port) as listener:
        server = uvicorn.Server(_config(app, lifespan=lifespan))
        started = threading.Event()

        def run() -> None:
            try:
                with contextlib.suppress(SystemExit):  # how uvicorn says that the application did not start
                    server.run(sockets=[listener])
            finally:
                started.set()

        server.startup = _telling(server.startup, started)  # type: ignore[assignment,method-assign]
        thread = threading.Thread(target=run, name="backlight-server", daemon=True)
        thread.start()
        try:
            if not started.wait(_START) or not server.started:
                raise StoreError("the server does not start", "a free port and an application that starts")
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(timeout=15)


def _telling(startup: Callable[..., Awaitable[None]], started: threading.Event) -> Callable[..., Awaitable[None]]:
    async def told(*args: Any, **kwargs: Any) -> None:
        try:
            await startup(*args, **kwargs)
        finally:
            started.set()

    return told


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle's algorithm off; else each answer would wait 40 ms for a delayed ACK.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise RequestError(f"{host}:{port} cannot be listened on ({error.strerror})", "a free address") from None
        listener.listen(2048)
        yield listener
