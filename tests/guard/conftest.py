"""A guard on loopback in front of a scripted upstream, with a real workspace."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backlight.guard import Gateway, Identity, Reader, Request, ScriptedUpstream, Settings, Step, app, running
from backlight.guard.decide import Object
from backlight.policy import Policy, load
from backlight.signals.scorer import FakeScorer
from backlight.sources.spool import SpoolRecord, hand_over_left, records, segments
from backlight.workspace import Workspace

SCORER = FakeScorer({"BL-01": ["covert plan"], "BL-13": ["results of the campaign"]}, performer=("our campaign",))
SCRIPT = [Step("cannot", refusal="I cannot help with that."), Step("weather", text="It will be sunny.")]
RULE = "- {rule: r, mode: observe, when: 'scores[\"BL-01\"] >= 3.0'}\n"


@pytest.fixture
def ws(tmp_path: Path) -> Iterator[Workspace]:
    """A new workspace."""
    with Workspace.create(tmp_path / "ws") as workspace:
        yield workspace


@dataclass
class Guarded:
    """A running guard: its URL, itself, its upstream, its workspace."""

    url: str
    gateway: Gateway
    upstream: ScriptedUpstream
    ws: Workspace
    stack: ExitStack = field(repr=False)

    def send(
        self, body: object, *, path: str = "/v1/chat/completions", method: str = "POST", headers: dict[str, str] | None = None
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """Send one request: status, headers in order, body. A body that is not bytes is sent as JSON."""
        place = urlsplit(self.url)
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 0, timeout=30)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"content-type": "application/json", "authorization": "Bearer sk-test"} | (headers or {})
        try:
            connection.request(method, path, data, told)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def ask(self, text: str, **more: Any) -> dict[str, Any]:
        """Ask one question; the decoded answer."""
        headers = more.pop("headers", None)
        _, _, data = self.send({"model": "m", "messages": [{"role": "user", "content": text}], **more}, headers=headers)
        answer: dict[str, Any] = json.loads(data)
        return answer

    def stop(self) -> list[SpoolRecord]:
        """Stop the guard; what its spool holds."""
        self.stack.close()
        return spooled(self.ws)


def spooled(ws: Workspace) -> list[SpoolRecord]:
    """Everything in the spool of a workspace whose guard is gone."""
    hand_over_left(ws.path / "spool")
    return [record for path in segments(ws.path / "spool") for record in records(path, ws.vault.open)]


@pytest.fixture
def guarded(ws: Workspace, tmp_path: Path) -> Iterator[Callable[..., Guarded]]:
    """Starts a guard: `policy` is rules in YAML, or a file; `settings` are arguments of `Settings`."""
    with ExitStack() as outer:

        def start(
            policy: str | Path = RULE, *, fail: str = "open", scorer: Any = SCORER, script: Any = SCRIPT, **settings: Any
        ) -> Guarded:
            stack = outer.enter_context(ExitStack())
            upstream = ScriptedUpstream(script)
            base = stack.enter_context(running(upstream))
            if isinstance(policy, str):
                file = tmp_path / "policy.yaml"
                file.write_text(f"name: test\nversion: 1\nfail: {fail}\nrules:\n{policy}", encoding="utf-8")
                policy = file
            told = Settings(**{"upstream": f"{base}/v1", "segment_seconds": 3600.0, **settings})
            gateway = app(ws, upstream=told, policy=policy, scorer=scorer, reader=Reader(ws.hasher))
            url = stack.enter_context(running(gateway))
            return Guarded(url, gateway, upstream, ws, stack)

        yield start


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], Policy]:
    """Loads a policy of these rules."""

    def make(rules: str) -> Policy:
        path = tmp_path / "policy.yaml"
        path.write_text(f"name: test\nversion: 1\nfail: open\nrules:\n{rules}", encoding="utf-8")
        return load(path)

    return make


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """Makes requests of one vouched key."""

    def make(instruction: str = "Hello", *, objects: tuple[int, ...] = (), **more: Any) -> Request:
        identity = more.pop("identity", None) or Identity(key=1, account=2, level="key", vouched=True, source="key")
        things = tuple(Object("hashtag", number) for number in objects)
        told = {"id": "e" * 32, "time": 1_000_000.0, "language": "en", **more}
        return Request(identity=identity, instruction=instruction, objects=things, **told)

    return make
