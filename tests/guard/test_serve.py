"""`serve`: what the command line calls, in a process of its own, reloaded and stopped by signals."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backlight.guard import ScriptedUpstream, running
from backlight.policy import builtin
from backlight.sources.spool import segments
from backlight.workspace import Workspace

PROGRAM = """
import sys
from backlight.guard import serve
from backlight.signals.scorer import FakeScorer
from backlight.workspace import Workspace
with Workspace.open(sys.argv[1]) as ws:
    serve(ws, upstream=sys.argv[2], policy=sys.argv[3], scorer=FakeScorer({"BL-01": ["covert plan"]}), port=int(sys.argv[4]))
"""


BODY = json.dumps({"messages": [{"role": "user", "content": "a covert plan"}]})


def asked(port: int) -> str:
    """How an answer to a plan ended; waits until the server listens."""
    for _ in range(200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request(
                "POST", "/v1/chat/completions", json.dumps({"messages": [{"role": "user", "content": "a covert plan"}]})
            )
            return str(json.load(connection.getresponse())["choices"][0]["finish_reason"])
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            connection.close()
    return "never"


@pytest.mark.slow
def test_a_served_guard_is_reloaded_and_stopped_by_signals(tmp_path: Path) -> None:
    """SIGHUP takes a new policy, a broken one changes nothing, SIGTERM hands the spool over and ends with 0."""
    Workspace.create(tmp_path / "ws").close()
    policy = tmp_path / "p.yaml"
    policy.write_bytes(builtin("observe").read_bytes())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with running(ScriptedUpstream()) as upstream:
        arguments = [str(tmp_path / "ws"), upstream, str(policy), str(port)]
        with subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments]) as process:
            ends = [asked(port)]
            for content in (builtin("demo").read_bytes(), b"rules: ["):
                policy.write_bytes(content)
                process.send_signal(signal.SIGHUP)
                time.sleep(0.5)
                ends.append(asked(port))
            process.terminate()
            code = process.wait(timeout=30)
    assert (ends, code, len(segments(tmp_path / "ws" / "spool"))) == (["stop", "content_filter", "content_filter"], 0, 1)
