"""kill -9 of the guard: every refusal that was answered is in the spool and in memory."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from backlight.guard import Memory, ScriptedUpstream, Step, running
from backlight.sources.spool import hand_over_left, records, segments
from backlight.workspace import Workspace


@contextmanager
def guard(workspace: Path, upstream: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A guard in a process of its own, and its URL; killed with SIGKILL at the end."""
    script = Path(__file__).with_name("_killed.py")
    process = subprocess.Popen([sys.executable, str(script), str(workspace), upstream], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate(timeout=30)


def ask(url: str, answered: list[str], stop: threading.Event, stream: bool) -> None:
    """Ask for plans until told to stop or cut off; note the id of each refusal whose last byte arrived."""
    place = urlsplit(url)
    body = json.dumps({"stream": stream, "messages": [{"role": "user", "content": "a covert plan"}]})
    connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
    while not stop.is_set():
        try:
            connection.request("POST", "/v1/chat/completions", body, {"authorization": "Bearer k"})
            data = connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            break
        first = data.split(b"\n")[0].removeprefix(b"data: ")
        answered.append(json.loads(first)["id"].removeprefix("chatcmpl-"))
    connection.close()


def kill_in_the_middle(workspace: Path, upstream: str, after: float) -> list[str]:
    """Ask from four clients, kill the guard after some seconds; ids of refusals that were answered."""
    answered: list[str] = []
    stop = threading.Event()
    with guard(workspace, upstream) as (process, url):
        asking = [threading.Thread(target=ask, args=(url, answered, stop, n % 2 == 0)) for n in range(4)]
        for thread in asking:
            thread.start()
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        stop.set()
        for thread in asking:
            thread.join(timeout=20)
    return answered


@pytest.mark.slow
def test_no_answered_refusal_is_lost_by_a_kill(tmp_path: Path) -> None:
    """Killed three times in the middle of refusals, the guard's spool and memory hold every one that a client has got."""
    Workspace.create(tmp_path / "ws").close()
    with running(ScriptedUpstream([Step()])) as upstream:
        answered = [event for n in range(3) for event in kill_in_the_middle(tmp_path / "ws", upstream, 0.4 + 0.25 * n)]
    with Workspace.open(tmp_path / "ws") as ws, Memory(ws.path / "guard" / "memory.sqlite") as memory:
        hand_over_left(ws.path / "spool")
        spooled = {item.exchange.record_id for path in segments(ws.path / "spool") for item in records(path, ws.vault.open)}
        remembered = set(memory.refusals())
    assert (len(answered) > 50, set(answered) - spooled, set(answered) - remembered) == (True, set(), set())
