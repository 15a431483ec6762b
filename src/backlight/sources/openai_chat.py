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
from backlight.sources._json import dict_of, first_of
from backlight.sources._logged import (
    TIMES,
    address_in,
    conversation_in,
    headers_of,
    organisation_in,
    request_in,
    response_in,
)
from backlight.sources._times import time_of

_COMPLETIONS = ("chat.completion", "text_completion", "response")
_Dict = dict[str, Any]


def _asks(body: Any) -> bool:
    """Whether a body that was logged as a string is a request to a model."""
    return isinstance(body, str) and body.startswith("{") and '"messages"' in body and '"role"' in body


def lists(record: _Dict, *kinds: str) -> bool:
    """Whether the first entry of a list is an object of one of these kinds."""
    data = record.get("data")
    return isinstance(data, list) and bool(data) and dict_of(data[0]).get("object") in kinds


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
        Rule(("request", "response"), 0.9, where=lambda r: _asks(r["request"]) or _asks(dict_of(r["request"]).get("body"))),
        Rule(("custom_id", "response.body"), 0.95),
        Rule(("custom_id", "method", "url", "body"), 0.9),
        Rule(("body.messages|body.input", "response"), 0.9),
        Rule(("object", "choices", "model"), 0.95, where=lambda r: r["object"] in _COMPLETIONS),
        Rule(("object", "output", "model"), 0.95, where=lambda r: r["object"] in _COMPLETIONS),
        Rule(("object", "data[].object", "data[].choices"), 0.95, where=lambda r: lists(r, *_COMPLETIONS)),
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
    request, response = request_in(record), _response(record)
    if not request and not response:
        raise RecordError("neither a request nor an answer", "an object with request and response")
    meta = (
        dict_of(request.get("metadata")) or dict_of(response.get("metadata")) if response else dict_of(request.get("metadata"))
    )
    headers = headers_of(record)
    answer = answer_of(response)
    usage = dict_of(response.get("usage"))
    end_user = request.get("safety_identifier") or request.get("user") or response.get("safety_identifier")
    return Exchange(
        record_id=ident(first_of(record, "id", "request_id", "custom_id") or response.get("id"), "id"),
        time=time_of(first_of(record, *TIMES) or response.get("created") or response.get("created_at"), "time"),
        messages=_messages(request),
        output=answer.text,
        conversation=ident(conversation_in(record, request, meta), "conversation"),
        end_user=ident(end_user or meta.get("user_id") or meta.get("end_user"), "end_user"),
        user=ident(first_of(record, "user_id", "user", "account_id"), "user"),
        key=ident(first_of(record, "api_key_id", "api_key_hash", "api_key", "key_id", "key"), "key"),
        organisation=ident(organisation_in(record, headers), "organisation"),
        address=ident(address_in(record, headers), "address"),
        user_agent=ident(record.get("user_agent") or headers.get("user-agent"), "user_agent"),
        model=ident(request.get("model") or response.get("model"), "model"),
        outcome=answer.outcome,
        tokens_in=count(first_of(usage, "prompt_tokens", "input_tokens")),
        tokens_out=count(first_of(usage, "completion_tokens", "output_tokens")),
        answered=answer.text is not None,
    )


def _response(record: _Dict) -> _Dict:
    found = response_in(record)
    if found is not None:
        return {"choices": [{"text": found}]} if isinstance(found, str) else found
    return record if record.get("object") in _COMPLETIONS else {}


def _messages(request: _Dict) -> list[Message]:
    """The messages sent; a Responses request says `instructions` and `input`, an Anthropic one has `system` apart."""
    system = text_of(request.get("system") or request.get("instructions"))
    said = next((request[name] for name in ("messages", "input", "prompt") if request.get(name) is not None), None)
    if isinstance(said, list):
        said = [part for part in said if not (isinstance(part, dict) and "role" not in part and "type" in part)]
    return [Message("system", system), *messages_of(said)] if system else messages_of(said)
