"""The wire format of OpenAI chat completions: reading requests and answers, writing refusals.

Requests reach the upstream as the bytes that came; what is here only looks at them. It looks as the most lenient server
would, so that no request means one thing to the guard and another to the model: the same key twice is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from backlight.errors import RequestError
from backlight.sources._items import Message, Outcome

_ROLES: Final[dict[str, Literal["system", "user", "assistant", "tool"]]] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip
_SEPARATOR = "\n\n"
_EVENT_LIMIT = 1 << 20


class Chat(Struct, frozen=True):
    """A request as far as the guard reads it.

    Attributes:
        body: the decoded document.
        messages: all of them, as text.
        turn: text of what is new: the messages after the last answer, system prompts left out.
        turns: user messages in all.
        stream: whether a streamed answer is asked for.
        model: as asked for; empty if absent.
        conversation: id that the client gives its conversation; None without one.
        plain: whether the answer is free text, so that a warning may stand before it.
    """

    body: dict[str, Any]
    messages: list[Message]
    turn: str
    turns: int
    stream: bool
    model: str
    conversation: str | None
    plain: bool


class Answer(Struct, frozen=True):
    """What an answer says.

    Attributes:
        text: its text, the refusal's text included; None where nothing could be read.
        outcome: refused or blocked where its fields say so; else unknown until its text is asked.
        tokens_in: prompt tokens as stated.
        tokens_out: completion tokens as stated.
        stated: what its fields say, whatever the text does.
    """

    text: str | None = None
    outcome: Outcome = "unknown"
    tokens_in: int | None = None
    tokens_out: int | None = None
    stated: Outcome = "unknown"


def parse(data: bytes) -> Chat:
    """Read a request.

    Raises:
        RequestError: it is not JSON, says the same thing twice, or has no readable messages; the text is fit for a client.
    """
    body = _document(data)
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
        raise RequestError("'messages' must be a list of objects")
    texts = [_message(message) for message in messages]
    metadata = body.get("metadata")
    conversation = metadata.get("conversation_id") if isinstance(metadata, dict) else None
    model = body.get("model")
    shape = body.get("response_format")
    return Chat(
        body, texts, _turn(texts), sum(message.role == "user" for message in texts), body.get("stream") is True,
        model[:200] if isinstance(model, str) else "", conversation if isinstance(conversation, str) else None,
        not body.get("tools") and (not isinstance(shape, dict) or shape.get("type") == "text"),
    )  # fmt: skip


def _document(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise RequestError("the body is not readable as JSON") from None
    if not isinstance(body, dict):
        raise RequestError("the body is not a JSON object")
    return _exact(body)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("the same key twice")
    return found


_READ = frozenset((
    "messages", "role", "content", "text", "type", "refusal", "tool_calls", "function", "arguments", "user",
    "safety_identifier", "metadata", "stream", "model",
))  # fmt: skip


def _exact(found: dict[str, Any]) -> dict[str, Any]:
    """Refuse keys that some servers would read as one of ours because they ignore case."""
    for key in found:
        if key not in _READ and key.casefold() in _READ:
            raise RequestError(f"unknown key {key[:40]!r}")
    return found


def _message(message: dict[str, Any]) -> Message:
    _exact(message)
    role = message.get("role")
    known = _ROLES.get(role, "user") if isinstance(role, str) else "user"  # judged rather than overlooked
    parts = [_content(message.get("content")), *(_content(message.get(key)) for key in ("refusal", "reasoning_content"))]
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            parts.append(f"{function.get('name', '')} {function.get('arguments', '')}")
    text = "\n".join(part for part in parts if part)
    return Message(role=known, text=_valid(text))


def _content(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part if isinstance(part, str) else _part(part) for part in content]
    return "\n".join(text for text in texts if text)


def _part(part: object) -> str:
    if not isinstance(part, dict):
        return ""
    _exact(part)
    text = part.get("text", part.get("refusal"))
    return text if isinstance(text, str) else ""


def _turn(messages: list[Message]) -> str:
    """Text of the new turn. An answer put at the end by the client (a prefill) is no answer, and hides nothing before it."""
    end = len(messages)
    while end and messages[end - 1].role == "assistant":
        end -= 1
    start = end
    while start and messages[start - 1].role != "assistant":
        start -= 1
    return _SEPARATOR.join(m.text for m in messages[start:end] if m.role != "system" and m.text)


def refusal(event: str, created: int, model: str, text: str) -> bytes:
    """A refusal as a completion: HTTP 200, no content, the text in `message.refusal`."""
    message = {"role": "assistant", "content": None, "refusal": text}
    choice = {"index": 0, "message": message, "finish_reason": "content_filter", "logprobs": None}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return _json({**_head(event, "chat.completion", created, model), "choices": [choice], "usage": usage})


def refusal_stream(event: str, created: int, model: str, text: str) -> bytes:
    """The same as server-sent events: role, refusal, end, `[DONE]`."""
    head = _head(event, "chat.completion.chunk", created, model)
    deltas: list[tuple[dict[str, Any], str | None]] = [
        ({"role": "assistant", "content": ""}, None), ({"refusal": text}, None), ({}, "content_filter"),
    ]  # fmt: skip
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]} for delta, reason in deltas]
    return b"".join(b"data: " + _json(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"


def error(message: str, code: str | None, kind: str = "invalid_request_error") -> bytes:
    """An error body as OpenAI's clients read it."""
    return _json({"error": {"message": message, "type": kind, "param": None, "code": code}})


def refusal_error(text: str) -> bytes:
    """The hard form of a refusal: the body of an HTTP 400."""
    return error(text, "content_filter")


def _head(event: str, kind: str, created: int, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{event}", "object": kind, "created": created, "model": model}


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def read_answer(status: int, data: bytes) -> Answer:
    """What a whole answer says."""
    try:
        body = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Answer()
    if not isinstance(body, dict):
        return Answer()
    if status >= 400:
        held = body.get("error")
        code = held.get("code") if isinstance(held, dict) else None
        outcome: Outcome = "blocked" if code == "content_filter" else "unknown"
        return Answer(outcome=outcome, stated=outcome)
    collected = Collected(1 << 30)
    collected.add(body, "message")
    return collected.answer()


class Collected:
    """An answer as it grows: the text, the refusal and the end of its first choice.

    Args:
        limit: characters that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit, self._kept = limit, 0
        self._texts: list[str] = []
        self._refusal: list[str] = []
        self._reason: str | None = None
        self._seen = False
        self._usage: Mapping[str, Any] = {}

    def add(self, body: Mapping[str, Any], part: Literal["message", "delta"]) -> None:
        """Take in a whole answer or one chunk of a stream."""
        usage = body.get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            return
        self._seen = True
        held = choice.get(part)
        if isinstance(held, dict):
            self._keep(self._texts, held.get("content"))
            self._keep(self._refusal, held.get("refusal"))
        if isinstance(choice.get("finish_reason"), str):
            self._reason = choice["finish_reason"]

    def _keep(self, into: list[str], text: object) -> None:
        if isinstance(text, list):
            text = _content(text)
        if isinstance(text, str) and text and self._kept < self._limit:
            into.append(text[: self._limit - self._kept])
            self._kept += len(text)

    def answer(self) -> Answer:
        """What it says by now."""
        refused = "".join(self._refusal)
        outcome: Outcome = "refused" if refused else "blocked" if self._reason == "content_filter" else "unknown"
        text = _valid("".join(self._texts) or refused) if self._seen else None
        asked, answered = _count(self._usage.get("prompt_tokens")), _count(self._usage.get("completion_tokens"))
        return Answer(text, outcome, asked, answered, outcome)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and 0 <= value < 1 << 62 else None


class StreamReader:
    """Reads a stream of server-sent events as it passes by.

    Args:
        limit: characters of text that are kept.
    """

    def __init__(self, limit: int) -> None:
        self._collected = Collected(limit)
        self._rest = b""
        self.done = False

    def feed(self, data: bytes) -> None:
        """Take in a piece; `done` is set when it holds the end."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()[:_EVENT_LIMIT]
        for line in lines:
            event = _data_of(line)
            if event == b"[DONE]":
                self.done = True
            elif event:
                self._take(event)

    def _take(self, event: bytes) -> None:
        try:
            body = msgspec.json.decode(event)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        if isinstance(body, dict):
            self._collected.add(body, "delta")

    def answer(self) -> Answer:
        """What it says by now."""
        return self._collected.answer()


def _data_of(line: bytes) -> bytes | None:
    line = line.rstrip(b"\r")
    return line[5:].strip() if line.startswith(b"data:") else None


def warned(data: bytes, text: str) -> bytes:
    """A whole answer with a text before its content; as it was where there is no content to stand before."""
    try:
        body = json.loads(data)
        message = body["choices"][0]["message"]
        content = message["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return data
    if not isinstance(content, str):
        return data
    message["content"] = f"{text}{_SEPARATOR}{content}"
    return _json(body)


class Warner:
    """Puts a text before the content of a stream: after the first event that is a chunk; the rest passes untouched.

    Args:
        text: the warning.
    """

    def __init__(self, text: str) -> None:
        self._text, self._held, self._said = text, b"", False

    def feed(self, piece: bytes) -> bytes:
        """A piece of the stream as the client is to get it; an event that is not whole yet is held back."""
        if self._said:
            return piece
        self._held += piece
        passed = b""
        while not self._said and b"\n\n" in self._held:
            event, _, self._held = self._held.partition(b"\n\n")
            chunk = _warning(event, self._text)
            self._said = bool(chunk)
            passed += event + b"\n\n" + chunk
        return passed + self.rest() if self._said or len(self._held) > _EVENT_LIMIT else passed

    def rest(self) -> bytes:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, b""
        return held


def _warning(event: bytes, text: str) -> bytes:
    data = next((found for line in event.split(b"\n") if (found := _data_of(line))), b"")
    try:
        body = json.loads(data)
        head = {key: body[key] for key in ("id", "object", "created", "model")}
    except (ValueError, KeyError, TypeError, RecursionError):
        return b""
    delta = {"content": f"{text}{_SEPARATOR}"}
    return b"data: " + _json({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) + b"\n\n"


def _valid(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
