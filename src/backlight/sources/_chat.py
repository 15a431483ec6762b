"""What the chat formats share: roles, content in its many shapes, what an answer's fields say of its outcome."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._format import Flaw
from backlight.sources._items import Message, Outcome, Role
from backlight.sources._json import check_size, dicts_of
from backlight.sources._times import time_of

ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "ai": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function_call": "assistant",
    "tool_call": "assistant",
    "tool_calls": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "tool_response": "tool",
    "ipython": "tool",
}
_LISTED = "system, user, assistant, tool or one of their other names"
_PARTS = ("text", "value", "refusal", "content", "input_text", "output_text", "thinking")
MOST_FLAWS = 1000
"""Turns of one record that may be wrong, each a flaw; with more of them the record is none."""


def role_of(name: Any) -> Role:
    """The role behind a format's name for it.

    Raises:
        RecordError: nobody calls a role so.
    """
    role = ROLES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        raise RecordError("a message has a role that is not known", _LISTED)
    return role


def text_of(content: Any, depth: int = 0) -> str:
    """The text in a message's content: a string, a list of typed parts, or one part; pictures and sound give nothing.

    Raises:
        RecordError: it is none of these.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if depth > 4:
        raise RecordError("the parts of a message's content are nested more than four deep")
    if isinstance(content, list):
        return "\n".join(filter(None, (text_of(part, depth + 1) for part in content)))
    if isinstance(content, dict):
        for name in _PARTS:
            if content.get(name) is not None:
                return text_of(content[name], depth + 1)
        return ""
    raise RecordError("a message's content is no text", "a string or a list of parts")


def calls_of(message: dict[str, Any]) -> str:
    """The tool calls of an assistant's message, a line each: `name arguments`."""
    if "tool_calls" not in message and "function_call" not in message:
        return ""
    calls = message.get("tool_calls")
    calls = list(calls) if isinstance(calls, list) else []
    calls.append({"function": message.get("function_call")})
    lines = []
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            arguments = function.get("arguments")
            arguments = (
                arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode() if arguments else ""
            )
            lines.append(f"{text_of(function.get('name'))} {arguments}".strip())
    return "\n".join(filter(None, lines))


def message_of(message: Any, *, role: str = "role", content: str = "content") -> Message:
    """One message, whatever the shape of its content.

    Args:
        message: the decoded object.
        role: name of the field that holds who speaks.
        content: name of the field that holds what is said.

    Raises:
        RecordError: it is no message.
    """
    if isinstance(message, str):
        return Message("user", message)
    if not isinstance(message, dict) or role not in message:
        raise RecordError("a message without a role", f"an object with {role} and {content}")
    said = message.get(content)
    if not said or not isinstance(said, str):
        said = text_of(said) or text_of(message.get("refusal")) or text_of(message.get("parts"))
    calls = calls_of(message)
    when = message.get("created_at", message.get("timestamp"))
    time = None if when is None else time_of(when, "time of a message")
    return Message(role_of(message[role]), f"{said}\n{calls}" if said and calls else said or calls, time)


def messages_of(messages: Any) -> list[Message]:
    """The messages of a request: a list of them, one text, or nothing.

    Raises:
        RecordError: it is none of these.
    """
    if messages is None or messages == {}:
        return []
    if isinstance(messages, str):
        return [Message("user", messages)] if messages else []
    if isinstance(messages, list):
        return [message_of(message) for message in messages]
    if isinstance(messages, dict) and "messages" in messages:
        return messages_of(messages["messages"])
    raise RecordError("messages are neither a list nor a text", "a list of objects with role and content")


def is_chat(said: Any) -> bool:
    """Whether a column holds turns: as a list, or as JSON in a text."""
    if isinstance(said, str):
        return said.startswith("[") and '"role"' in said and '"content"' in said
    return isinstance(said, list) and bool(said) and isinstance(said[0], dict) and "role" in said[0] and "content" in said[0]


def turns_of(said: Any, where: str) -> tuple[list[Message], list[Flaw]]:
    """The messages of a column of turns, and a flaw for each turn that is wrong.

    Args:
        said: a list of objects with role and content, or JSON of one.
        where: the column's name.

    Raises:
        RecordError: it is neither, or holds nothing that can be read, or more than a thousand wrong turns.
    """
    said = loaded(said)
    if not isinstance(said, list) or not said:
        raise RecordError("no turns", f"{where}: a list of objects with role and content")
    messages: list[Message] = []
    flaws: list[Flaw] = []
    for index, turn in enumerate(said):
        message, flaw = turn_of(turn, f"{where} {index}")
        messages += [message] if message else []
        noted(flaws, flaw)
    if not messages:
        raise flaws[0].wrong
    return messages, flaws


def turn_of(turn: Any, where: str) -> tuple[Message | None, Flaw | None]:
    """One turn, and what is wrong with it; of a wrong one what can be read, so that questions keep their answers."""
    try:
        if not isinstance(turn, dict):
            raise RecordError("a turn is no object", "role and content")
        return message_of(turn), None
    except RecordError as error:
        return _readable(turn), Flaw(where, msgspec.json.encode(turn), error)


def noted(flaws: list[Flaw], flaw: Flaw | None) -> None:
    """Adds a flaw, if it is one, to those of its record.

    Raises:
        RecordError: there are too many.
    """
    flaws += [flaw] if flaw else []
    if len(flaws) > MOST_FLAWS:
        raise RecordError(f"more than {MOST_FLAWS} turns that cannot be read", "objects with role and content")


def _readable(turn: Any) -> Message | None:
    """The role with its text, or the role alone; None where not even that can be read."""
    for fields in (("role", "content"), ("role",)):
        with suppress(RecordError):
            return message_of({name: turn[name] for name in fields if name in turn} if isinstance(turn, dict) else {})
    return None


def loaded(value: Any) -> Any:
    """JSON inside a text, as tables keep what is nested; any other value stays."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        data = value.encode("utf-8", "replace")
        check_size(data)
        with suppress(ValueError, RecursionError):
            return msgspec.json.decode(data)
    return value


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a response says: its text, its outcome by provider fields, and whether there is any text."""

    text: str | None
    outcome: Outcome


def answer_of(response: Any) -> Answer:
    """The answer in a chat completion, a text completion or a Responses object; several choices are joined."""
    if isinstance(response, str):
        return Answer(response or None, "unknown")
    if not isinstance(response, dict):
        return Answer(None, "unknown")
    texts: list[str] = []
    refused = blocked = False
    for choice in dicts_of(response.get("choices")):
        message = choice.get("message")
        message = message if isinstance(message, dict) else {}
        refusal = text_of(message.get("refusal"))
        refused |= bool(refusal)
        blocked |= choice.get("finish_reason") == "content_filter"
        texts += [text_of(message.get("content")) or refusal or text_of(choice.get("text")), calls_of(message)]
    for part in _output_parts(response):
        refused |= part.get("type") == "refusal" or response.get("stop_reason") == "refusal"
        texts.append(text_of(part))
    incomplete = response.get("incomplete_details")
    blocked |= isinstance(incomplete, dict) and incomplete.get("reason") == "content_filter"
    refused |= response.get("stop_reason") == "refusal"
    text = "\n\n".join(filter(None, texts)) or None
    return Answer(text, "refused" if refused else "blocked" if blocked else "unknown")


def _output_parts(response: dict[str, Any]) -> Iterable[dict[str, Any]]:
    """Parts of a Responses object's output, or of an Anthropic message's content."""
    if response.get("type") == "message" and "content" in response:
        yield from dicts_of(response["content"])
    for item in dicts_of(response.get("output")):
        if item.get("type") in ("message", None):
            yield from dicts_of(item.get("content"))
        elif item.get("type") == "function_call":
            yield {"type": "text", "text": calls_of({"function_call": item})}


def ident(value: Any, field: str) -> str | None:
    """An id as text; None for nothing.

    Raises:
        RecordError: it is neither text nor a whole number.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise RecordError(f"{field} is no id", "a text or a whole number")


def count(value: Any) -> int | None:
    """A count as logged; None for nothing, and for what is no count (no row is lost for a token figure)."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:18])
    if isinstance(value, float) and value == value and abs(value) < 1e15:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None
