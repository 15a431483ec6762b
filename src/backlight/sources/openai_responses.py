"""Requests and responses of OpenAI's Responses API, in the ways people log them.

::

    {"request":  {"model": .., "instructions": "..", "input": "a text" or [items], "previous_response_id": "resp_..",
                  "conversation": "conv_.." or {"id": ..}, "safety_identifier": "..", "user": "..", "metadata": {..}},
     "response": {"id": "resp_..", "object": "response", "created_at": 1767225600, "status": "completed",
                  "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ".."}]}],
                  "incomplete_details": {"reason": "content_filter"}, "error": {"code": ".."}, "usage": {..}}}

Either of them stands bare, inside `body`, or as a string; a response may stand alone, in a list, or beside the fields of
its request; batch files hold one of the two. `output_text` is read where `output` says nothing, since some libraries write
both. A chat completion that stands in the same log is read as such.

Items become messages. A call of a tool is the assistant's (`name arguments`, also for tools that the service runs itself),
what a tool gave back is the tool's; neighbouring items of the assistant are one message, as they are one answer. These
items hold nothing that anybody said, and give nothing: reasoning (a summary of it, or sealed), references to items that are
stored elsewhere, compaction, lists of tools, approvals, and results that stand inside a call. An item of another kind is a
flaw, and the rest is kept.

A request that goes on from `previous_response_id` holds what is new in it only. That id names a response, not a
conversation, so it is not taken for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import Answer, message_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Message
from backlight.sources._json import dict_of, dicts_of
from backlight.sources._logged import body_of, request_in, response_in
from backlight.sources.openai_chat import lists, openai_chat

_Dict = dict[str, Any]
_Read = TypeVar("_Read")

_ASKING = ("input", "prompt", "instructions", "previous_response_id", "conversation")
_TELLING = (  # fields beside `input` that requests for embeddings, moderation and speech do not have
    "instructions", "previous_response_id", "conversation", "max_output_tokens", "max_tool_calls", "reasoning", "include",
    "truncation", "background",
)  # fmt: skip
_ECHOED = ("model", "safety_identifier", "user", "metadata", "conversation")
_GIVEN = ("arguments", "input", "code", "queries", "action", "actions", "operation", "revised_prompt")
_SILENT = frozenset((
    "reasoning", "item_reference", "compaction", "compaction_trigger", "mcp_list_tools", "mcp_approval_response",
    "additional_tools", "tool_search_output", "configuration_update",
))  # fmt: skip
_BLOCKED_BY = ("policy", "content_filter", "moderation", "invalid_prompt")  # in codes of errors


def _is_one(record: _Dict) -> bool:
    """Whether a record in one of the wrappings is of this API and not of another one with the same wrappings."""
    try:
        request, response = request_in(record), _response(record)
    except RecordError:
        return False
    if _is_chat(request, response):
        return False
    called = "input" in request and _path(record).endswith(("/v1/responses", "/openai/responses"))
    return called or is_response(response) or _is_request(request)


def _holds_response(record: _Dict) -> bool:
    response = record["response"]
    return isinstance(response, dict) and is_response(response)


def _is_chat(request: _Dict, response: _Dict) -> bool:
    return "messages" in request or "choices" in response or isinstance(request.get("prompt"), (str, list))


def is_response(body: _Dict) -> bool:
    """Whether a body is a response of this API; some loggers leave `object` out."""
    output = body.get("output")
    first = output[0] if isinstance(output, list) and output else None
    kind = str(first.get("type")) if isinstance(first, dict) and "object" not in body else ""
    return body.get("object") == "response" or kind in ("message", "reasoning") or kind.endswith("_call")


def _is_request(body: _Dict) -> bool:
    said = body.get("input")
    first = said[0] if isinstance(said, list) and said else None
    if isinstance(first, dict) and ("role" in first or str(first.get("type")).endswith(("_call", "_output"))):
        return True
    if isinstance(body.get("prompt"), dict) and "id" in body["prompt"]:
        return True
    return said is not None and "voice" not in body and any(name in body for name in _TELLING)


def _path(record: _Dict) -> str:
    """The path that was called, where an HTTP log or a batch file names it."""
    request = dict_of(record.get("request"))
    named = record.get("url") or record.get("path") or request.get("url") or request.get("path")
    return named.partition("?")[0].rstrip("/") if isinstance(named, str) else ""


@source(
    name="openai-responses",
    title="OpenAI Responses API: request and response, batch files, lists of responses",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("request", "response"), 0.98, where=_is_one),
        Rule(("body", "response"), 0.95, where=_is_one),
        Rule(("custom_id", "response"), 0.97, where=_is_one),
        Rule(("custom_id", "method", "url", "body"), 0.95, where=_is_one),
        Rule(("input", "response"), 0.95, where=_holds_response),
        Rule(("object", "output"), 0.97, where=lambda r: r["object"] == "response"),
        Rule(("object", "data[].object", "data[].output"), 0.97, where=lambda r: lists(r, "response")),
    ),
    rank=15,
    also=("openai-chat",),
    about="a request that continues an earlier one by previous_response_id holds its new turn only; address and user agent "
    "only where the logger adds them",
)
def openai_responses(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One request with its answer is one exchange; a list is many.

    Raises:
        RecordError: it holds neither a request nor an answer, or a field is of a kind that cannot be read.
    """
    data = record.get("data")
    if record.get("object") != "list" or not isinstance(data, list):
        yield from _exchange(record, context)
        return
    for index, part in enumerate(data):
        where = f"data {index}"
        try:
            for found in _exchange(part if isinstance(part, dict) else {}, context):
                yield Flaw(f"{where}, {found.where}", found.data, found.wrong) if isinstance(found, Flaw) else found
        except RecordError as error:
            yield Flaw(where, msgspec.json.encode(part), error)


def _exchange(record: _Dict, context: Context) -> Iterator[Item | Flaw]:
    request, response = request_in(record), _response(record)
    if _is_chat(request, response):
        yield from openai_chat(record, context)
        return
    if not response and not any(name in request for name in _ASKING):
        raise RecordError("neither a request nor an answer", "an object with request and response")
    messages, wrong = asked(request | {name: request.get(name) or response.get(name) for name in ("instructions", "prompt")})
    answer, more = answered({"error": record.get("error")} | response)
    for found in openai_chat(_as_chat(record, request, response), context):
        assert isinstance(found, Exchange)
        told = answer.text is not None
        yield msgspec.structs.replace(found, messages=messages, output=answer.text, outcome=answer.outcome, answered=told)
    yield from (*wrong, *more)


def _as_chat(record: _Dict, request: _Dict, response: _Dict) -> _Dict:
    """The record without its texts in the wrapping of a chat completion: ids, times and counts stand in the same places."""
    flat = request is record or response is record
    outer = {name: value for name, value in record.items() if name != "object" and not (flat and name in _ECHOED)}
    known = {name: request.get(name) or response.get(name) for name in _ECHOED}
    headers = dict_of(body_of(record.get("request"))).get("headers")
    answer = {name: value for name, value in response.items() if name not in ("output", "output_text", "body")}
    return outer | {"request": {"headers": headers, "body": known | {"messages": []}}, "response": answer}


def _response(record: _Dict) -> _Dict:
    found = response_in(record)
    if found is not None:
        return {"output_text": found} if isinstance(found, str) else found
    return record if record.get("object") == "response" or "choices" in record else {}


def asked(request: _Dict) -> tuple[list[Message], list[Flaw]]:
    """What a request says, oldest first, and its items that cannot be read.

    The instructions come first, then what was filled into a stored prompt, then the input.

    Raises:
        RecordError: the input is neither a text nor items.
    """
    told, said = request.get("instructions"), request.get("input")
    if not isinstance(said, (str, list, dict, type(None))):
        raise RecordError("input is neither a text nor a list", "a text or a list of items")
    told = [{"role": "system", "content": told}] if told and not isinstance(told, list) else told or []
    filled = dict_of(dict_of(request.get("prompt")).get("variables"))
    first, wrong = each("instructions", told, _message)
    inner, bad = each("prompt", [{"role": "user", "content": [*filled.values()]}] if filled else [], _message)
    last, worse = each("input", said if isinstance(said, list) else [said] if said else [], _message)
    return _joined(filter(None, (*first, *inner, *last))), [*wrong, *bad, *worse]


def answered(response: _Dict) -> tuple[Answer, list[Flaw]]:
    """What a response says and what came of the request by provider fields, and its items that cannot be read.

    Raises:
        RecordError: the output is neither a list nor a text.
    """
    output = response.get("output")
    if not isinstance(output, (str, list, type(None))):
        raise RecordError("output is no list", "a list of items")
    texts, wrong = each("output", [output] if isinstance(output, str) else output or [], _words)
    text = "\n\n".join(filter(None, texts)) or text_of(response.get("output_text")) or None
    refused = any(part.get("type") == "refusal" for item in dicts_of(output) for part in dicts_of(item.get("content")))
    return Answer(text, "refused" if refused else "blocked" if _is_blocked(response) else "unknown"), wrong


def _is_blocked(response: _Dict) -> bool:
    """Whether a filter stopped it; Azure says so in `content_filters`, other failures say nothing."""
    code = dict_of(response.get("error")).get("code")
    return (
        dict_of(response.get("incomplete_details")).get("reason") == "content_filter"
        or any(given.get("blocked") is True for given in dicts_of(response.get("content_filters")))
        or (isinstance(code, str) and any(mark in code.lower() for mark in _BLOCKED_BY))
    )


def each(where: str, parts: list[Any], read: Callable[[Any], _Read]) -> tuple[list[_Read], list[Flaw]]:
    """What each part gives, and a flaw for each that cannot be read."""
    found, wrong = [], []
    for index, part in enumerate(parts):
        try:
            found.append(read(part))
        except RecordError as error:
            wrong.append(Flaw(f"{where} {index}", msgspec.json.encode(part), error))
    return found, wrong


def _words(item: Any) -> str:
    """What an item of an answer says; a plain text and a message without a role are the assistant's."""
    if isinstance(item, str):
        return item
    message = _message({"role": "assistant"} | item if isinstance(item, dict) else item)
    return message.text if message is not None and message.role == "assistant" else ""


def _message(item: Any) -> Message | None:
    """The message that an item is; None for what nobody said.

    Raises:
        RecordError: it is no item, or of a kind that is not known.
    """
    if isinstance(item, str):
        return Message("user", item)
    if not isinstance(item, dict):
        raise RecordError("an item is no object", "a message, a call or what a tool gave back")
    kind = item.get("type")
    kind = kind if isinstance(kind, str) else "message"
    if kind in _SILENT or item.keys() == {"id"}:
        return None
    if kind.endswith("_call") or kind in ("program", "mcp_approval_request"):
        return Message("assistant", _call(item, kind))
    if kind.endswith("_output"):
        return Message("tool", _returned(item))
    if kind.startswith("input_") or kind in ("text", "image_url"):  # a part that stands bare in the input
        return Message("user", text_of(item))
    if kind == "message":
        return message_of(item)
    raise RecordError("an item of a kind that is not known", "a message, a call or what a tool gave back")


def _call(item: _Dict, kind: str) -> str:
    """A call on one line: `name arguments`; tools of the service have no name but that of the item."""
    given = next((item[name] for name in _GIVEN if item.get(name)), "")
    given = given if isinstance(given, str) else msgspec.json.encode(given).decode()
    return f"{text_of(item.get('name')) or kind.removesuffix('_call')} {given}".strip()


def _returned(item: _Dict) -> str:
    """What a tool gave back: a text, parts, or the outputs of commands."""
    value = item.get("output", item.get("result"))
    parts = [text_of(part) or _printed(part) for part in (value if isinstance(value, list) else [value])]
    return "\n".join(filter(None, parts))


def _printed(part: Any) -> str:
    return "\n".join(filter(None, (text_of(dict_of(part).get(name)) for name in ("stdout", "stderr"))))


def _joined(messages: Iterable[Message]) -> list[Message]:
    """The same messages, neighbours of the assistant as one: joined as in an answer, so that a repeated one is the same."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role == "assistant":
            text = "\n\n".join(filter(None, (found[-1].text, message.text)))
            found[-1] = msgspec.structs.replace(found[-1], text=text)
        else:
            found.append(message)
    return found
