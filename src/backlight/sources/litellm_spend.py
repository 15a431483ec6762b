"""Rows of LiteLLM's table LiteLLM_SpendLogs, as CSV, JSONL, JSON or Parquet, and pages of its `/spend/logs` routes.

::

    {"request_id": "chatcmpl-..", "call_type": "acompletion", "api_key": "<hash>", "spend": 0.0002, "startTime": "..",
     "model": "..", "user": "..", "team_id": "..", "organization_id": "..", "end_user": "..", "session_id": "..",
     "requester_ip_address": "..", "metadata": "{..}", "request_tags": "[..]", "messages": "{}", "response": "{..}",
     "proxy_server_request": "{\\"model\\": .., \\"messages\\": [..]}", "status": "success", "prompt_tokens": 10, ..}

The JSON columns come as objects or as strings. `messages` is mostly an empty object: what was asked stands in
`proxy_server_request` then, which is the body that the client sent, of whatever API (chat completions, Responses,
Anthropic, Gemini, text completions, embeddings). Both are empty unless the proxy stores prompts; LiteLLM cuts long texts
in the middle and leaves a note there. `None`, `NULL` and `\\N` in a column stand for nothing.

Every row is an exchange: calls that are no chat (embeddings, images, tools, files) too, with the text that they have.
Numbers that stand for tokens are no text. A message that cannot be read is a flaw, and the rest of its row is kept.
What the fields mean is as in the payload that callbacks write, so `litellm` reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import count, ident, message_of, text_of
from backlight.sources._format import FORMATS, Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Message
from backlight.sources._json import check_size
from backlight.sources.litellm import REDACTED, litellm
from backlight.sources.openai_responses import answered, asked, each, is_response

_Dict = dict[str, Any]
_Payload = FORMATS["litellm"].record
_NOTHING = ("", "None", "NULL", "\\N")


@source(
    name="litellm-spend",
    title="LiteLLM spend logs (table LiteLLM_SpendLogs)",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("csv", "jsonl", "json", "parquet"),
    signature=(
        Rule(("request_id", "call_type", "api_key", "spend"), 0.98),
        Rule(("request_id", "call_type", "startTime|starttime", "proxy_server_request|custom_llm_provider"), 0.95),
        Rule(("data[].request_id", "data[].call_type", "data[].api_key", "data[].spend"), 0.95),
    ),
    rank=10,
    about="text only where the proxy stores prompts (store_prompts_in_spend_logs); long texts are cut in the middle",
)
def litellm_spend(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One row is one exchange; a page is many.

    Raises:
        RecordError: it is no row, or a column is of a kind that cannot be read.
    """
    data = record.get("data")
    if "request_id" in record or not isinstance(data, list):
        yield from _exchange(record, context)
        return
    for index, row in enumerate(data):
        where = f"data {index}"
        try:
            for found in _exchange(row if isinstance(row, dict) else {}, context):
                yield Flaw(f"{where}, {found.where}", found.data, found.wrong) if isinstance(found, Flaw) else found
        except RecordError as error:
            yield Flaw(where, msgspec.json.encode(row), error)


def _exchange(record: _Dict, context: Context) -> Iterator[Item | Flaw]:
    row = {name: value for name, value in record.items() if value not in _NOTHING}
    if "request_id" not in record and "call_type" not in row:
        raise RecordError("neither request_id nor call_type", "a row of LiteLLM_SpendLogs")
    meta = _object(row, "metadata")
    body = _object(row, "proxy_server_request") or _object(meta, "proxy_server_request")
    body = body["body"] if isinstance(body.get("body"), dict) else body
    messages, wrong = _messages(_json(row, "messages"), body)
    response = _loaded(row.get("response"))
    for found in litellm(_payload(row, meta, body, response), context):
        assert isinstance(found, Exchange)
        found, more = _with_items(found, response)
        yield msgspec.structs.replace(found, messages=[message for message in messages if message.text != REDACTED])
        wrong += more
    yield from wrong


def _payload(row: _Dict, meta: _Dict, body: _Dict, response: Any) -> Any:
    """The row as the payload that callbacks write of the same call; columns win over metadata, metadata over the body."""
    owner = {
        "user_api_key_user_id": _id(row, "user"),
        "user_api_key_org_id": _id(row, "organization_id"),
        "user_api_key_team_id": _id(row, "team_id"),
        "user_api_key_hash": _id(row, "api_key"),
    }
    named = _id(row, "end_user") or ident(meta.get("user_api_key_end_user_id"), "user_api_key_end_user_id")
    said_id = response.get("id") if isinstance(response, dict) else None
    return _Payload(
        id=_id(row, "request_id") or said_id,
        call_type=row.get("call_type"),
        status=_status(row, meta),
        startTime=row.get("startTime", row.get("starttime")),
        messages=[],
        response=response,
        metadata=meta | {name: value for name, value in owner.items() if value},
        model=_id(row, "model") or body.get("model"),
        trace_id=_id(row, "session_id"),
        end_user=named or _end_user(body),
        requester_ip_address=_id(row, "requester_ip_address"),
        request_tags=row.get("request_tags"),
        prompt_tokens=row.get("prompt_tokens"),
        completion_tokens=row.get("completion_tokens"),
        error_information=meta.get("error_information"),
    )


def _status(row: _Dict, meta: _Dict) -> Any:
    """Older tables have no status; there an answer has tokens."""
    return row.get("status") or meta.get("status") or ("success" if count(row.get("completion_tokens")) else None)


def _end_user(body: _Dict) -> Any:
    """Whom the client named, where the proxy does not keep it."""
    meta = body.get("metadata")
    given = meta.get("user_id") if isinstance(meta, dict) else None
    return body.get("safety_identifier") or body.get("user") or given


def _with_items(found: Exchange, response: Any) -> tuple[Exchange, list[Flaw]]:
    """The exchange, with what the items of a Responses object say."""
    if not isinstance(response, dict) or not is_response(response):
        return found, []
    answer, wrong = answered(response)
    text = None if answer.text == REDACTED else answer.text
    outcome = found.outcome if answer.outcome == "unknown" else answer.outcome
    told = found.answered or text is not None
    return msgspec.structs.replace(found, output=text, outcome=outcome, answered=told), wrong


def _messages(said: Any, body: _Dict) -> tuple[list[Message], list[Flaw]]:
    """What was asked: the column `messages`, or the body of the request where that is empty.

    Raises:
        RecordError: it is neither a list nor a text.
    """
    if said:
        body = said if isinstance(said, dict) else {"messages": said}
    system = body.get("system") or body.get("systemInstruction")
    system = system.get("parts") if isinstance(system, dict) and "parts" in system else system
    first = [Message("system", text_of(system))] if system else []
    said = next((body[name] for name in ("messages", "contents") if body.get(name) is not None), None)
    if said is None:
        messages, wrong = asked(_without_tokens(body))
    elif isinstance(said, (str, list)):
        messages, wrong = each("messages", [said] if isinstance(said, str) else said, _message)
    else:
        raise RecordError("messages are neither a list nor a text", "a list of objects with role and content")
    return [*first, *messages], wrong


def _message(said: Any) -> Message:
    """A message; one of Gemini's may leave its role out, and is the user's then."""
    return message_of({"role": "user"} | said if isinstance(said, dict) and "parts" in said else said)


def _without_tokens(body: _Dict) -> _Dict:
    """A request whose texts stand in `input`; numbers for tokens, which completions and embeddings take too, are left out."""
    prompt = body.get("prompt")
    said = body.get("input", prompt if isinstance(prompt, (str, list)) else None)
    said = [part for part in said if not isinstance(part, (int, list))] if isinstance(said, list) else said
    return body | {"input": said}


def _id(row: _Dict, column: str) -> str | None:
    return ident(row.get(column), column)


def _object(row: _Dict, column: str) -> _Dict:
    """An object in a column; an empty one for nothing.

    Raises:
        RecordError: it is something else.
    """
    value = _json(row, column)
    if value is None or value == []:
        return {}
    if isinstance(value, dict):
        return value
    raise RecordError(f"{column} is no object", "a JSON object")


def _json(row: _Dict, column: str) -> Any:
    """The value of a JSON column.

    Raises:
        RecordError: it looks like JSON and is none, such as what Python prints of an object.
    """
    value = _loaded(row.get(column))
    if isinstance(value, str) and value[:1] in ("{", "["):
        raise RecordError(f"{column} is no JSON", "JSON as the database writes it")
    return value


def _loaded(value: Any) -> Any:
    """JSON inside a JSON string, up to twice, as some ways of dumping quote it again; any other text stays."""
    for _ in range(2):
        if not isinstance(value, str) or value[:1] not in ("{", "[", '"'):
            break
        data = value.encode("utf-8", "replace")
        check_size(data)
        try:
            value = msgspec.json.decode(data)
        except (ValueError, RecursionError):
            break
    return None if value == "null" else value
