"""A fake upstream: an OpenAI-compatible server that answers from a script, for tests, demonstrations and measurements.

It is an ASGI application like the gateway, shipped and documented, and holds no model. A script is a list of steps; a
step answers the requests whose last user message contains its words, the first that fits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_CREATED: Final = 1_700_000_000


@dataclass(frozen=True)
class Step:
    """One line of a script.

    Attributes:
        words: what the last user message must contain, in any case; empty fits all.
        text: the answer's text.
        refusal: a refusal in `message.refusal`, in place of the text.
        status: HTTP status; from 400 on the text is an error's message.
        code: error code.
        delay: seconds before the answer, and in a stream before each chunk.
        break_off: end the stream after its first chunk, without an end.
        extra: fields added to the answer, to show that what is unknown passes untouched.
    """

    words: str = ""
    text: str = "Here you are."
    refusal: str | None = None
    status: int = 200
    code: str | None = None
    delay: float = 0.0
    break_off: bool = False
    extra: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Seen:
    """A request as it arrived: method, path as spelt, query, headers in order, body."""

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class ScriptedUpstream:
    """Answers `/chat/completions` by its script, and every other path with what it received.

    Args:
        script: steps in order; a request that none fits gets an answer that echoes nothing.
        keep: requests that are kept in `seen`, latest last; 0 keeps none.

    Attributes:
        seen: the requests that arrived.
    """

    def __init__(self, script: Sequence[Step] = (), *, keep: int = 1_000) -> None:
        self.script = list(script)
        self.seen: list[Seen] = []
        self._keep = keep

    async def __call__(self, scope: MutableMapping[str, Any], receive: Callable[[], Awaitable[Any]], send: _Send) -> None:
        """Serve one request of the ASGI protocol."""
        if scope["type"] != "http":
            return
        body = b""
        while True:
            event = await receive()
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        if self._keep:
            seen = Seen(scope["method"], scope["raw_path"], scope["query_string"], tuple(scope["headers"]), body)
            self.seen = [*self.seen[-self._keep + 1 :], seen]
        if scope["path"].endswith("/chat/completions"):
            await self._chat(body, send)
        else:
            headers = [(b"content-type", b"application/octet-stream"), (b"x-upstream", b"scripted")]
            await _answer(send, 200, body or b"ok", headers)

    def _step(self, request: dict[str, Any]) -> Step:
        asked = [m.get("content") for m in request.get("messages", []) if m.get("role") == "user"]
        last = asked[-1] if asked else ""
        text = last if isinstance(last, str) else json.dumps(last, ensure_ascii=False)
        return next((step for step in self.script if step.words.casefold() in text.casefold()), Step())

    async def _chat(self, body: bytes, send: _Send) -> None:
        try:
            request = json.loads(body)
            step = self._step(request)
        except (ValueError, AttributeError, TypeError):
            await _answer(send, 400, _error("not a chat completion", None))
            return
        if step.delay:
            await asyncio.sleep(step.delay)
        if step.status >= 400:
            await _answer(send, step.status, _error(step.text, step.code))
        elif request.get("stream") is True:
            await self._events(step, request, send)
        else:
            await _answer(send, 200, _json(_whole(step, request)))

    async def _events(self, step: Step, request: dict[str, Any], send: _Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for number, chunk in enumerate(_chunks(step, request)):
            if step.break_off and number:
                raise ConnectionAbortedError("the script breaks off here")
            if step.delay and number:
                await asyncio.sleep(step.delay)
            await send({"type": "http.response.body", "body": b"data: " + _json(chunk) + b"\n\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _whole(step: Step, request: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": None if step.refusal else step.text, "refusal": step.refusal}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {**_head("chat.completion", request), "choices": [choice], "usage": usage, **dict(step.extra)}


def _chunks(step: Step, request: dict[str, Any]) -> list[dict[str, Any]]:
    head = _head("chat.completion.chunk", request)
    text = step.refusal or step.text
    words = [f"{word} " for word in text.split(" ")[:-1]] + text.split(" ")[-1:]
    key = "refusal" if step.refusal else "content"
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *({key: word} for word in words), {}]
    ends = [None] * (len(deltas) - 1) + ["stop"]
    return [
        {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}], **dict(step.extra)}
        for delta, end in zip(deltas, ends, strict=True)
    ]


def _head(kind: str, request: dict[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-scripted", "object": kind, "created": _CREATED, "model": request.get("model", "scripted")}


def _error(message: str, code: str | None) -> bytes:
    return _json({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}})


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


async def _answer(send: _Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    told = headers or [(b"content-type", b"application/json")]
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*told, length]})
    await send({"type": "http.response.body", "body": body})
