"""Helicone's requests: rows of its API and export tool, its webhooks, its CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Parsed, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Exchange]]
REQUEST = {
    "model": "model-a",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say good morning."}],
}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "model-a-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Good morning."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3},
}
ELSEWHERE = {"helicone_message": "fetching body from signed_url... contact support@example.com for more information"}


def request(**changes: Any) -> dict[str, Any]:
    """A row as the API gives it, with its bodies."""
    return {
        "response_id": "response-1",
        "response_created_at": "2026-01-01 00:00:01.000",
        "response_body": RESPONSE,
        "response_status": 200,
        "response_model": None,
        "request_id": "request-1",
        "request_created_at": "2026-01-01 00:00:00.000",
        "request_body": REQUEST,
        "request_path": "https://api.example.com/v1/chat/completions",
        "request_user_id": "customer-1",
        "request_properties": {"Helicone-Session-Id": "session-1", "ip": "198.51.100.7", "User-Agent": "client/1"},
        "request_model": "model-a",
        "provider": "OPENAI",
        "delay_ms": 900,
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "country_code": "NL",
        "signed_body_url": None,
        "llmSchema": None,
    } | changes


def parsed(record: Any) -> Parsed:
    """Items and rejects of one record."""
    return FORMATS["helicone"].parse_records([Raw("line 1", json.dumps(record).encode())])


FULL = Exchange(
    record_id="request-1",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    messages=[Message("system", "Be brief."), Message("user", "Say good morning.")],
    output="Good morning.",
    conversation="session-1",
    end_user="customer-1",
    address="198.51.100.7",
    user_agent="client/1",
    model="model-a",
    tokens_in=12,
    tokens_out=3,
)


def test_a_row_is_an_exchange(read: Read) -> None:
    """User, session and what the application set as properties beside the bodies."""
    assert read("helicone", request()) == [FULL]


@pytest.mark.parametrize(
    "changes",
    [
        {"request_body": json.dumps(REQUEST), "response_body": json.dumps(RESPONSE)},
        {
            "request_body": ELSEWHERE,
            "response_body": ELSEWHERE,
            "signed_body_content": {"request": REQUEST, "response": RESPONSE},
        },
        {
            "request_body": json.dumps(ELSEWHERE),
            "response_body": None,
            "llmSchema": {
                "request": {"messages": [{"_type": "message", **message} for message in REQUEST["messages"]]},  # type: ignore[dict-item]
                "response": {"messages": [{"_type": "message", "role": "assistant", "content": "Good morning."}]},
            },
        },
    ],
    ids=["strings", "signed body", "own schema"],
)
def test_bodies_are_found_wherever_they_stand(read: Read, changes: dict[str, Any]) -> None:
    """As strings, in the content of the signed body, or in Helicone's own schema."""
    assert read("helicone", request(**changes)) == [FULL]


def test_rows_without_bodies_have_no_text(read: Read) -> None:
    """They still say who asked when; a webhook's body may be too large."""
    large = "Body too large for webhook, please fetch the full request and response from Helicone"
    for body in (ELSEWHERE, large, None, "", {"model": "model-a", "heliconeMessage": "omitted"}):
        (found,) = read("helicone", request(request_body=body, response_body=body))
        assert (found.messages, found.output, found.answered, found.end_user) == ([], None, False, "customer-1")


def test_columns_of_clickhouse_are_the_same(read: Read) -> None:
    """They have other names, the organisation among them."""
    other = {"user_id": "customer-1", "properties": request()["request_properties"], "status": 200, "organization_id": "org-1"}
    gone = ("request_user_id", "request_properties", "response_status", "request_created_at")
    record = {name: value for name, value in request().items() if name not in gone} | {"created_at": "2026-01-01T00:00:00Z"}
    (found,) = read("helicone", record | other)
    assert (found.organisation, found.end_user, found.conversation, found.time) == (
        "org-1",
        "customer-1",
        "session-1",
        FULL.time,
    )


def test_a_webhook_is_an_exchange(read: Read) -> None:
    """It has no time; the user stands in the body, if anywhere."""
    body = json.dumps(REQUEST | {"safety_identifier": "customer-2"})
    hook = {"request_id": "request-1", "request_body": body, "response_body": json.dumps(RESPONSE), "model": "model-a"}
    (found,) = read("helicone", hook)
    assert (found.end_user, found.time, found.output, found.tokens_in) == ("customer-2", None, "Good morning.", 12)


def test_the_bodies_of_other_providers_are_read(read: Read) -> None:
    """System and messages apart, contents and candidates."""
    anthropic = {"system": "Be brief.", "messages": [{"role": "user", "content": "Hi."}], "metadata": {"user_id": "customer-3"}}
    told = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello."}], "stop_reason": "refusal"}
    (found,) = read("helicone", request(request_body=anthropic, response_body=told, request_user_id=""))
    assert (found.messages, found.output) == ([Message("system", "Be brief."), Message("user", "Hi.")], "Hello.")
    assert (found.end_user, found.outcome) == ("customer-3", "refused")
    gemini = {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}
    answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP"}]}
    (found,) = read("helicone", request(request_body=gemini, response_body=answer))
    assert (found.messages, found.output) == ([Message("user", "Hi.")], "Hello.")


@pytest.mark.parametrize(
    ("status", "response", "outcome"),
    [
        (400, {"error": {"code": "content_filter", "message": "filtered"}}, "blocked"),
        (400, {"success": False, "error": {"code": "PROMPT_FLAGGED_FOR_MODERATION"}}, "blocked"),
        (400, {"success": False, "error": {"code": "PROMPT_THREAT_DETECTED"}}, "blocked"),
        (429, {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}, "unknown"),
        (502, {"message": "bad gateway"}, "unknown"),
        (-3, None, "unknown"),
        (200, {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, "blocked"),
    ],
)
def test_a_failed_call_has_no_answer(read: Read, status: int, response: Any, outcome: str) -> None:
    """Filters block, others say nothing."""
    (found,) = read("helicone", request(response_status=status, response_body=response))
    assert (found.output, found.outcome, found.answered) == (None, outcome, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"request_path": "https://api.example.com/v1/embeddings"},
        {"request_path": "/v1/moderations?a=1"},
        {"response_body": {"object": "list", "data": [{"object": "embedding", "embedding": [0.1]}]}},
        {"request_body": {"_type": "tool", "toolName": "look_up", "input": {}}},
        {"request_body": {"_type": "vector_db", "operation": "search"}},
        {"request_body": {"_type": "data", "name": "load"}},
    ],
)
def test_other_calls_give_no_row(read: Read, changes: dict[str, Any]) -> None:
    """Embeddings, moderation, events of tools and databases."""
    assert read("helicone", request(**changes)) == []


def test_what_is_no_answer_is_not_kept_as_one(read: Read) -> None:
    """A response without text, such as a picture in base 64."""
    body = {"created": 1, "data": [{"b64_json": "AAAA"}]}
    (found,) = read("helicone", request(request_body={"model": "image-a", "prompt": "A tide."}, response_body=body))
    assert (found.messages, found.output) == ([Message("user", "A tide.")], None)


def _cell(body: Any) -> str:
    """A body in a cell as the export tool writes it, before CSV doubles the marks once more."""
    return json.dumps(body).replace('"', '""')


def test_the_csv_of_the_export_tool_is_told_and_read(tmp_path: Path) -> None:
    """Its bodies have their quotation marks doubled twice; it has neither request id nor answer."""
    cells = {
        "response_id": "response-1",
        "response_status": 200,
        "request_created_at": "2026-01-01 00:00:00",
        "request_body": _cell({"messages": [{"role": "user", "content": "Hi."}]}),
        "request_properties": _cell({"Helicone-Session-Id": "session-1"}),
        "request_user_id": "customer-1",
    }
    with (tmp_path / "output.csv").open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([list(cells), list(cells.values())])
    with open_source(tmp_path / "output.csv") as opened:
        form = detect(opened).format
        assert form is not None and form.name == "helicone"
        (found,) = form.parse_records(records(opened, form)).items
    assert isinstance(found, Exchange) and found.messages == [Message("user", "Hi.")]
    assert (found.record_id, found.conversation, found.end_user) == ("response-1", "session-1", "customer-1")


def test_a_bad_part_is_one_reject() -> None:
    """Of a page, or of the messages; the rest is kept."""
    ghost = {"messages": [{"role": "user", "content": "Hi."}, {"role": "ghost", "content": "Boo."}]}
    found = parsed({"data": [request(), 5, request(request_created_at="soon"), request(request_body=ghost)], "error": None})
    assert len(found.items) == 2
    places = [reject.place for reject in found.rejects]
    assert places == ["line 1, data 1", "line 1, data 2", "line 1, data 3, message 1"]


@pytest.mark.parametrize(
    "bad",
    [
        {"name": "dance"},
        request(request_created_at="soon"),
        request(request_user_id=["dance"]),
        request(request_properties="dance"),
        request(signed_body_content=5),
    ],
)
def test_a_wrong_row_is_a_reject(bad: dict[str, Any]) -> None:
    """The reason quotes nothing."""
    with pytest.raises(RecordError) as caught:
        FORMATS["helicone"].parse(Raw("line 1", json.dumps(bad).encode()))
    assert "dance" not in str(caught.value) and "soon" not in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [
        request(),
        request(request_body=ELSEWHERE, response_body=ELSEWHERE),
        {"request_id": "1", "request_body": json.dumps(REQUEST), "response_body": json.dumps(RESPONSE)},
        {"data": [request()], "error": None},
        {"data": request(), "error": None},
    ],
)
def test_its_layouts_are_told(tmp_path: Path, record: dict[str, Any]) -> None:
    """Rows, webhooks and pages."""
    (tmp_path / "export.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "export.jsonl")
    assert found.format is not None and (found.format.name, found.confidence >= 0.9) == ("helicone", True)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"messages": REQUEST["messages"], "request_id": "1"}, "messages"),
        ({"request": REQUEST, "response": RESPONSE, "request_id": "1"}, "openai-chat"),
        ({"request_id": "1", "request_body": "a=1", "response_body": "<html>"}, None),
        ({"request_id": "1", "call_type": "x", "api_key": "k", "spend": 0, "user": "u"}, None),
    ],
)
def test_other_records_are_not_taken(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """Chats, bare bodies, HTTP logs of other services."""
    (tmp_path / "other.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "other.jsonl").format
    assert found is None or found.name != "helicone"
    assert name is None or (found and found.name) == name
