"""Requests and answers of Anthropic's Messages API, in the ways people log them.

    {"request": {"model": .., "max_tokens": 64, "system": "Be brief.", "metadata": {"user_id": ..},
                 "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [{"type": "text", ..}]}]},
     "response": {"id": "msg_1", "type": "message", "role": "assistant", "model": .., "content": [{"type": "text", ..}],
                  "stop_reason": "end_turn", "usage": {"input_tokens": 9, "output_tokens": 2}}}

Either of the two may be a string, or stand inside `body` as HTTP logs have it; the response may stand beside the request's
own fields; a request or an answer may stand alone; and batch files have `{"custom_id": .., "params": request}` and
`{"custom_id": .., "result": {"type": "succeeded", "message": answer}}`.

Results of tools stand in the API's user messages, and those of its own tools in the assistant's: here they are messages of
the tool, before the rest of what they stood in. Thinking is left out: it is no part of what was answered, and clients send
it back or not, so that one exchange would look like two. Pictures and files that are not text give nothing. A record is read
whole or not at all; only an answer that was logged as a stream of events is told apart (a reject), and the request kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import answer_of, count, ident, role_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Message, Outcome, Role
from backlight.sources._json import dict_of, first_of
from backlight.sources._logged import TIMES, address_in, body_of, conversation_in, headers_of, organisation_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_NOT_RUN = ("canceled", "expired")
_RESULTS = ("succeeded", "errored", *_NOT_RUN)
_STREAM = ("event:", "data:")
_FILTERED = "content filtering policy"
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_SILENT = ("thinking", "redacted_thinking", "image", "base64")
_NAMES = ("title", "context", "url", "text", "content", "source", "stdout", "stderr")
_DEPTH = 8


# ---------------------------------------------------------------- signature


def _answers(body: Any) -> bool:
    """Whether a body is an answer of this API: a message, or its form of an error."""
    if not isinstance(body, dict):
        return False
    if body.get("type") == "error":
        return isinstance(body.get("error"), dict) and "type" in body["error"]
    return body.get("type") == "message" and body.get("role") == "assistant" and isinstance(body.get("content"), list)


def _answered(record: _Dict) -> bool:
    try:
        return _answers(_response(record))
    except RecordError:
        return False


def _asked(record: _Dict) -> bool:
    """Whether the request is one to this API: by its address or a header, or by fields that only it has together."""
    try:
        body = _request(record)
        said, headers = body.get("messages"), headers_of(record)
    except RecordError:
        return False
    if not isinstance(said, list) or not said or not isinstance(said[0], dict) or "role" not in said[0]:
        return False
    places = [place.get(name) for place in (record, dict_of(record.get("request"))) for name in ("url", "path", "uri")]
    named = any(isinstance(place, str) and place.partition("?")[0].endswith("/v1/messages") for place in places)
    only = "max_tokens" in body and isinstance(body.get("system"), (str, list)) and said[0]["role"] in ("user", "assistant")
    return ("model" in body and (named or "anthropic-version" in headers or only)) or "anthropic_version" in body


@source(
    name="anthropic-messages",
    title="Anthropic Messages API: request and response, batch files",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("request|body", "response"), 0.97, where=_answered),
        Rule(("model", "messages[].role", "response"), 0.95, where=_answered),
        Rule(("type", "role", "content", "stop_reason"), 0.97, where=_answers),
        Rule(("custom_id", "params.messages", "params.max_tokens"), 0.97),
        Rule(("custom_id", "result.type"), 0.95, where=lambda r: dict_of(r.get("result")).get("type") in _RESULTS),
        Rule(("request|body",), 0.92, where=_asked),
        Rule(("model", "max_tokens", "messages[].role", "system"), 0.9, where=_asked),
    ),
    rank=15,
    about="end user by metadata.user_id, address and user agent only where the logger adds them; thinking is left out, and an "
    "answer logged as a stream of events is not put together",
)
def anthropic_messages(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One request with its answer is one exchange.

    Raises:
        RecordError: it holds neither a request nor an answer, or a field is of a kind that cannot be read.
    """
    request, response = _request(record), _response(record)
    if not request and not response:
        raise RecordError("neither a request nor an answer", "an object with request and response")
    if isinstance(response, str) and response.lstrip().startswith(_STREAM):
        wrong = RecordError("the answer is a stream of events", "the message that it comes to")
        yield Flaw("response", response.encode("utf-8", "replace"), wrong)
        response = {}
    if request or response:
        yield _exchange(record, request, response)


def _exchange(record: _Dict, request: _Dict, response: Any) -> Exchange:
    given, output, outcome = _answer(response)
    fields = dict_of(response)
    meta, headers = dict_of(request.get("metadata")), headers_of(record)
    end_user, session = _client(meta.get("user_id"))
    organisation = organisation_in(record, headers) or _answer_headers(record).get("anthropic-organization-id")
    return Exchange(
        record_id=ident(first_of(record, "id", "request_id", "custom_id") or fields.get("id"), "id"),
        time=time_of(first_of(record, *TIMES), "time"),
        messages=[*_messages(request), *given],
        output=output,
        conversation=ident(conversation_in(record, request, meta) or session, "conversation"),
        end_user=ident(end_user, "end_user"),
        user=ident(first_of(record, "user_id", "user", "account_id"), "user"),
        key=ident(first_of(record, "api_key_id", "api_key_hash", "api_key", "key_id", "key"), "key"),
        organisation=ident(organisation, "organisation"),
        address=ident(address_in(record, headers), "address"),
        user_agent=ident(record.get("user_agent") or headers.get("user-agent"), "user_agent"),
        model=ident(request.get("model") or fields.get("model"), "model"),
        outcome=outcome,
        tokens_in=_tokens(fields, "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
        tokens_out=_tokens(fields, "output_tokens"),
        answered=output is not None or fields.get("type") == "message",
    )


# ---------------------------------------------------------------- where request and answer stand


def _request(record: _Dict) -> _Dict:
    """The request's body, wherever it stands."""
    for found in (_body(record.get("request")), body_of(record.get("body")), body_of(record.get("params"))):
        if isinstance(found, dict) and found:
            return found
    return record if "messages" in record else {}


def _response(record: _Dict) -> Any:
    """The answer's body, wherever it stands; it may be a text.

    Raises:
        RecordError: a request of a batch that was never run.
    """
    result = dict_of(record.get("result"))
    if result.get("type") in _NOT_RUN:
        raise RecordError("a request that was canceled or expired", "one that was run")
    for found in (_body(record.get("response")), result.get("message"), result.get("error")):
        if isinstance(found, (dict, str)) and found:
            return found
    return record if record.get("type") in ("message", "error") and "request" not in record else {}


def _body(value: Any) -> Any:
    value = body_of(value)
    return (body_of(value.get("body")) or value) if isinstance(value, dict) else value


def _answer_headers(record: _Dict) -> _Dict:
    """Headers of the answer, by lower-case name."""
    headers = dict_of(record.get("response")).get("headers") or record.get("response_headers")
    return {name.lower(): value for name, value in dict_of(headers).items() if isinstance(value, str)}


# ---------------------------------------------------------------- what they say


def _messages(request: _Dict) -> list[Message]:
    """The messages sent, the system's first."""
    said = request.get("messages")
    if said is not None and not isinstance(said, list):
        raise RecordError("messages are no list", "a list of objects with role and content")
    system = _text(request.get("system"))
    found = [Message("system", system)] if system else []
    for message in said or ():
        if not isinstance(message, dict) or "role" not in message:
            raise RecordError("a message without a role", "an object with role and content")
        found += turns_of(role_of(message["role"]), message.get("content"))
    return found


def _answer(response: Any) -> tuple[list[Message], str | None, Outcome]:
    """What the API's own tools gave, the answer's text, and its outcome."""
    if not isinstance(response, dict) or response.get("type") not in ("message", "error"):
        answer = answer_of(response)
        return [], answer.text, answer.outcome
    if response["type"] == "error":
        message = dict_of(response.get("error")).get("message")
        return [], None, "blocked" if isinstance(message, str) and _FILTERED in message.lower() else "unknown"
    turns = turns_of("assistant", response.get("content"))
    said = turns.pop().text if turns[-1].role == "assistant" else ""
    return turns, said or None, "refused" if response.get("stop_reason") == "refusal" else "unknown"


def turns_of(role: Role, content: Any, time: datetime | None = None) -> list[Message]:
    """One message of the API: what tools gave, then what stands for the system, then what the role says itself.

    Args:
        role: who speaks.
        content: a text, or a list of blocks.
        time: when.

    Raises:
        RecordError: the content is neither, or its blocks are nested too deeply.
    """
    given: list[Any] = []
    told: list[Any] = []
    own: list[Any] = []
    for block in content if isinstance(content, list) else [content]:
        kind = block.get("type") if isinstance(block, dict) else None
        result = isinstance(kind, str) and (kind == "tool_result" or kind.endswith("_tool_result"))
        (given if result else told if kind == "mid_conv_system" else own).append(block)
    found = [Message("tool", _text(given), time)] if given else []
    found += [Message("system", _text(told), time)] if told else []
    said = _text(own)
    return [*found, Message(role, said, time)] if said or not found else found


def pasted(text: str) -> str:
    """A document that goes with a message, marked as one, as people mark what they paste."""
    return f"<document>\n{text}\n</document>" if text else ""


def _text(part: Any, depth: int = 0) -> str:
    """The text in a block, in a list of them, or in what a block holds."""
    if part is None or isinstance(part, str):
        return part or ""
    if depth > _DEPTH:
        raise RecordError("the blocks of a message are nested more than eight deep")
    if isinstance(part, list):
        return "\n".join(filter(None, (_text(one, depth + 1) for one in part)))
    if not isinstance(part, dict):
        raise RecordError("a message's content is no text", "a string or a list of blocks")
    kind = part.get("type")
    if kind in _CALLS:
        return _call(part)
    if kind in _SILENT:
        return ""
    held = {name: part[name] for name in _NAMES if isinstance(part.get(name), (str, list, dict))}
    if kind == "text" and "text" not in held:
        held["text"] = part.get("data")  # the source of a document in plain text
    if kind == "document":
        held["source"] = pasted(_text(held.get("source"), depth + 1))
    return "\n".join(filter(None, (_text(one, depth + 1) for one in held.values())))


def _call(block: _Dict) -> str:
    """A tool call: `name arguments`."""
    name, arguments = block.get("name"), block.get("input")
    written = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode() if arguments else ""
    return f"{name if isinstance(name, str) else ''} {written}".strip()


# ---------------------------------------------------------------- who, and how much


def _client(value: Any) -> tuple[Any, Any]:
    """End user and session. Claude Code writes account (or device) and session into the one field, in either of two forms."""
    if not isinstance(value, str):
        return value, None
    fields = dict_of(body_of(value))
    if fields:
        return fields.get("account_uuid") or fields.get("device_id") or value, fields.get("session_id")
    head, ends, session = value.rpartition("_session_")
    device, inside, account = head.partition("_account_")
    if ends and inside and device.startswith("user_"):
        return account or device.removeprefix("user_"), session
    return value, None


def _tokens(response: _Dict, *names: str) -> int | None:
    """The sum of the counts that are there: tokens written to and read from the cache are counted apart."""
    usage = dict_of(response.get("usage"))
    counts = [found for name in names if (found := count(usage.get(name))) is not None]
    return count(sum(counts)) if counts else None
