"""Requests and responses of OpenAI's chat completions, in the ways people log them.

One record is `{"request": {..}, "response": {..}}`, either of them bare or inside `body` as HTTP logs and batch files have
it; or a chat completion alone, which holds the answer only; or the list of stored completions that the API returns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import answer_of, count, ident, messages_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Message
from backlight.sources._json import check_size
from backlight.sources._times import time_of

_COMPLETIONS = ("chat.completion", "text_completion", "response")
_Dict = dict[str, Any]


def _asks(body: Any) -> bool:
    """Whether a body that was logged as a string is a request to a model."""
    return isinstance(body, str) and body.startswith("{") and '"messages"' in body and '"role"' in body


@source(
    name="openai-chat",
    title="OpenAI chat completions: request and response, batch files, stored completions",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("request.messages|request.input|request.prompt", "response"), 0.97),
        Rule(("request.body.messages|request.body.input|request.body.prompt", "response"), 0.97),
        Rule(("request", "response"), 0.9, where=lambda r: _asks(r["request"]) or _asks(_dict(r["request"]).get("body"))),
        Rule(("custom_id", "response.body"), 0.95),
        Rule(("custom_id", "method", "url", "body"), 0.9),
        Rule(("body.messages|body.input", "response"), 0.9),
        Rule(("object", "choices", "model"), 0.95, where=lambda r: r["object"] in _COMPLETIONS),
        Rule(("object", "output", "model"), 0.95, where=lambda r: r["object"] in _COMPLETIONS),
        Rule(("object", "data[].object", "data[].choices"), 0.95, where=lambda r: r["data"][0]["object"] in _COMPLETIONS),
        Rule(("model", "messages[].role", "response.choices|response.output|response.content"), 0.9),
    ),
    rank=20,
    about="end user by safety_identifier, user or metadata.user_id; address and user agent only where the logger adds them",
)
def openai_chat(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One request with its answer is one exchange; a list is many.

    Raises:
        RecordError: it holds neither a request nor an answer, or a field is of a kind that cannot be read.
    """
    data = record.get("data")
    if record.get("object") == "list" and isinstance(data, list):
        for index, part in enumerate(data):
            try:
                yield _exchange(part if isinstance(part, dict) else {})
            except RecordError as error:
                yield Flaw(f"data {index}", msgspec.json.encode(part), error)
        return
    yield _exchange(record)


def _exchange(record: _Dict) -> Exchange:
    request, response = _request(record), _response(record)
    if not request and not response:
        raise RecordError("neither a request nor an answer", "an object with request and response")
    meta = _dict(request.get("metadata")) or _dict(response.get("metadata")) if response else _dict(request.get("metadata"))
    headers = _headers(record)
    answer = answer_of(response)
    usage = _dict(response.get("usage"))
    end_user = request.get("safety_identifier") or request.get("user") or response.get("safety_identifier")
    return Exchange(
        record_id=ident(_first(record, "id", "request_id", "custom_id") or response.get("id"), "id"),
        time=time_of(_first(record, *_TIMES) or response.get("created") or response.get("created_at"), "time"),
        messages=_messages(request),
        output=answer.text,
        conversation=ident(_conversation(record, request, meta), "conversation"),
        end_user=ident(end_user or meta.get("user_id") or meta.get("end_user"), "end_user"),
        user=ident(_first(record, "user_id", "user", "account_id"), "user"),
        key=ident(_first(record, "api_key_id", "api_key_hash", "api_key", "key_id", "key"), "key"),
        organisation=ident(_organisation(record, headers), "organisation"),
        address=ident(_address(record, headers), "address"),
        user_agent=ident(record.get("user_agent") or headers.get("user-agent"), "user_agent"),
        model=ident(request.get("model") or response.get("model"), "model"),
        outcome=answer.outcome,
        tokens_in=count(_first(usage, "prompt_tokens", "input_tokens")),
        tokens_out=count(_first(usage, "completion_tokens", "output_tokens")),
        answered=answer.text is not None,
    )


_TIMES = ("timestamp", "time", "created_at", "request_time", "start_time", "ts", "date")


def _request(record: _Dict) -> _Dict:
    """The request's body, wherever it stands."""
    request = _loaded(record.get("request"))
    body = _loaded(request.get("body")) if isinstance(request, dict) else None
    for found in (body, request, _loaded(record.get("body"))):
        if isinstance(found, dict) and found:
            return found
    return record if "messages" in record or "input" in record else {}


def _response(record: _Dict) -> _Dict:
    response = _loaded(record.get("response"))
    body = _loaded(response.get("body")) if isinstance(response, dict) else None
    for found in (body, response):
        if isinstance(found, dict) and found:
            return found
        if isinstance(found, str) and found:
            return {"choices": [{"text": found}]}
    return record if record.get("object") in _COMPLETIONS else {}


def _messages(request: _Dict) -> list[Message]:
    """The messages sent; a Responses request says `instructions` and `input`, an Anthropic one has `system` apart."""
    system = text_of(request.get("system") or request.get("instructions"))
    said = next((request[name] for name in ("messages", "input", "prompt") if request.get(name) is not None), None)
    if isinstance(said, list):
        said = [part for part in said if not (isinstance(part, dict) and "role" not in part and "type" in part)]
    return [Message("system", system), *messages_of(said)] if system else messages_of(said)


def _conversation(record: _Dict, request: _Dict, meta: _Dict) -> Any:
    names = ("conversation_id", "session_id", "thread_id", "chat_id")
    given = request.get("conversation")
    given = given.get("id") if isinstance(given, dict) else given
    return _first(record, *names) or given or _first(meta, *names)


def _headers(record: _Dict) -> _Dict:
    """Headers of the request, by lower-case name."""
    request = record.get("request")
    headers = record.get("headers") or (request.get("headers") if isinstance(request, dict) else None)
    return {name.lower(): value for name, value in _dict(headers).items() if isinstance(value, str)}


def _organisation(record: _Dict, headers: _Dict) -> Any:
    return _first(record, "organization", "organization_id", "org_id", "project") or headers.get("openai-organization")


def _address(record: _Dict, headers: _Dict) -> Any:
    """The client's address; of a chain of proxies the first, which is the client as the nearest proxy was told."""
    given = _first(record, "ip", "ip_address", "client_ip", "remote_addr", "address")
    return given or headers.get("x-forwarded-for", "").partition(",")[0].strip() or headers.get("x-real-ip")


def _first(record: _Dict, *names: str) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def _dict(value: Any) -> _Dict:
    return value if isinstance(value, dict) else {}


def _loaded(value: Any) -> Any:
    """A body that was logged as a string."""
    if isinstance(value, str) and value[:1] == "{":
        data = value.encode("utf-8", "replace")
        check_size(data)
        try:
            return msgspec.json.decode(data)
        except (ValueError, RecursionError):
            return value
    return value
