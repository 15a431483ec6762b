"""Helicone: requests and responses, as its API, its export tool and its webhooks write them.

A row is `{"request_id": .., "request_created_at": .., "request_user_id": .., "request_properties": {..}, "request_body": ..,
"response_body": .., "response_status": 200, ..}`; ClickHouse calls the same `user_id`, `properties` and `status`. The API
wraps rows in `{"data": [..], "error": null}`. The bodies are the provider's own, as objects or as JSON in strings. Where
Helicone keeps them apart they are placeholders (`helicone_message`), and the real ones stand in `signed_body_content`
(`{"request": .., "response": ..}`) or, in Helicone's own terms, in `llmSchema`; without either the row has no text. Its
CSV doubles the quotation marks inside a body twice, and holds no answers.

Calls for embeddings and moderation, and events of tools, databases and data, are no exchanges and give no row. What a
failed call returns is no answer; an error of a content filter, a provider's or Helicone's own, is the outcome `blocked`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import Answer, count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Outcome
from backlight.sources._json import dict_of, first_of
from backlight.sources._times import time_of
from backlight.sources._traces import Metadata, answer_in, asked, blocked_by, each, loaded, object_of

_Dict = dict[str, Any]
_OF_A_ROW = "request_user_id|request_properties|properties|response_status|request_path|provider|delay_ms|request_response_url"
_TOO_LARGE = "Body too large for webhook"
_OTHER_CALLS = ("/embeddings", "/moderations")
_EVENTS = ("tool", "vector_db", "data")
_FLAGGED = ("PROMPT_FLAGGED_FOR_MODERATION", "PROMPT_THREAT_DETECTED", "content_filter", "content_policy_violation")


def _is_call(record: _Dict) -> bool:
    """Whether the body is a request to a model, for rows that say nothing else of themselves."""
    body = _body(record["request_body"])
    return isinstance(body, dict) and ("messages" in body or ("model" in body and ("input" in body or "prompt" in body)))


@source(
    name="helicone",
    title="Helicone requests (API, export tool, webhooks)",
    kind="interactions",
    text=True,
    gives=("end_user", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json", "csv"),
    signature=(
        Rule(("request_id", "request_body", "response_body", _OF_A_ROW), 0.95),
        Rule(("request_id", "request_body", "response_body"), 0.9, where=_is_call),
        Rule(("request_created_at", "request_body", "request_user_id", "request_properties"), 0.95),
        Rule(("data[].request_id", "data[].request_body"), 0.95),
        Rule(("data.request_id", "data.request_body"), 0.95),
    ),
    rank=10,
    about="of an address only what the application sets as a property; rows exported without their bodies have no text",
)
def helicone(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One row is one exchange; a page is many.

    Raises:
        RecordError: it is neither a row nor a page, or a field is of a kind that cannot be read.
    """
    data = record.get("data")
    if isinstance(data, list):
        yield from each(data, "data", _row)
    else:
        yield from _row(data if isinstance(data, dict) and "request_id" in data else record)


def _row(row: Any) -> Iterator[Item | Flaw]:
    if not isinstance(row, dict) or not row.keys() & {"request_id", "response_id", "request_body"}:
        raise RecordError("no request", "an object with request_id, request_body and response_body")
    request, response = _bodies(row)
    if _is_chat(row, request, response):
        yield from _exchange(row, request, response)


def _exchange(row: _Dict, request: Any, response: Any) -> Iterator[Item | Flaw]:
    body, answered = dict_of(request), dict_of(response)
    properties = [_undoubled(row.get(name)) for name in ("request_properties", "properties")]
    meta = Metadata(*properties, above=Metadata(dict_of(body.get("metadata"))))
    messages, flaws = asked(request)
    answer, wrong = _answer(row, response)
    user = first_of(row, "request_user_id", "user_id") or first_of(body, "safety_identifier", "user")
    usage = dict_of(answered.get("usage"))
    yield Exchange(
        record_id=ident(first_of(row, "request_id", "response_id"), "request_id"),
        time=time_of(first_of(row, "request_created_at", "created_at"), "request_created_at"),
        messages=messages,
        output=answer.text,
        conversation=meta.conversation,
        end_user=ident(user, "request_user_id") or meta.end_user,
        organisation=ident(row.get("organization_id"), "organization_id"),
        address=meta.address,
        user_agent=meta.user_agent,
        model=ident(first_of(row, "request_model", "model", "response_model") or body.get("model"), "model"),
        outcome=answer.outcome,
        tokens_in=count(first_of(row, "prompt_tokens") or first_of(usage, "prompt_tokens", "input_tokens")),
        tokens_out=count(first_of(row, "completion_tokens") or first_of(usage, "completion_tokens", "output_tokens")),
        answered=answer.text is not None,
    )
    yield from (*flaws, *wrong)


def _bodies(row: _Dict) -> tuple[Any, Any]:
    """Request and response, from wherever they stand; None where the row does not have them."""
    kept, own = object_of(row.get("signed_body_content"), "signed_body_content"), object_of(row.get("llmSchema"), "llmSchema")
    found = []
    for name in ("request", "response"):
        bodies = (_body(place) for place in (row.get(f"{name}_body"), kept.get(name), own.get(name)))
        found.append(next((body for body in bodies if body not in (None, "", {}, [])), None))
    return found[0], found[1]


def _body(value: Any) -> Any:
    """A body, unless it says only that it is somewhere else."""
    body = loaded(_undoubled(value))
    if isinstance(body, dict) and ("helicone_message" in body or "heliconeMessage" in body):
        return None
    return None if isinstance(body, str) and body.startswith(_TOO_LARGE) else body


def _undoubled(value: Any) -> Any:
    """JSON whose quotation marks the export tool doubled once more than CSV does."""
    return value.replace('""', '"') if isinstance(value, str) and value.startswith('{""') else value


def _is_chat(row: _Dict, request: Any, response: Any) -> bool:
    """Whether it is a call to a model that writes; embeddings, moderation and Helicone's events are not."""
    path = row.get("request_path")
    if isinstance(path, str) and path.partition("?")[0].rstrip("/").endswith(_OTHER_CALLS):
        return False
    listed = dict_of(response).get("data")
    embedded = isinstance(listed, list) and bool(listed) and dict_of(listed[0]).get("object") == "embedding"
    return not embedded and dict_of(request).get("_type") not in _EVENTS


def _answer(row: _Dict, response: Any) -> tuple[Answer, list[Flaw]]:
    status = count(first_of(row, "response_status", "status"))
    error = dict_of(response).get("error")
    if error or (status is not None and status >= 400):
        return Answer(None, _filtered(error)), []
    return answer_in(response, free=False)


def _filtered(error: Any) -> Outcome:
    """Blocked where the error's code is a content filter's; the words of the error count where it is a text."""
    fields = dict_of(error)
    inner = dict_of(fields.get("innererror"))
    if any(place.get("code") in _FLAGGED for place in (fields, inner)):
        return "blocked"
    return blocked_by(error if isinstance(error, str) else None)
