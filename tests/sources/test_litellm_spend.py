"""Rows of LiteLLM's table of spend logs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Raw, detect, open_source, records

Make = Callable[..., dict[str, Any]]
Read = Callable[[str, Any], list[Exchange]]
SPEND = FORMATS["litellm-spend"]
ASKED = {
    "model": "public-a",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
    "stream": True,
}
TOLD = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
}


def row(**changes: Any) -> dict[str, Any]:
    """A row of a proxy that stores prompts; `metadata`, `proxy_server_request` and `response` become strings."""
    meta = {"applied_guardrails": [], "user_api_key": "hash-1", "user_agent": "client/1.2", "error_information": None}
    found = {
        "request_id": "chatcmpl-1",
        "call_type": "acompletion",
        "api_key": "hash-1",
        "spend": 0.000225,
        "total_tokens": 30,
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "startTime": "2026-01-01 00:00:00.500000",
        "endTime": "2026-01-01 00:00:02.000000",
        "model": "model-a",
        "user": "owner-1",
        "metadata": meta | changes.pop("metadata", {}),
        "cache_hit": "None",
        "request_tags": '["User-Agent: client", "User-Agent: client/1.2"]',
        "team_id": "team-1",
        "organization_id": "",
        "end_user": "customer-1",
        "requester_ip_address": "198.51.100.7",
        "custom_llm_provider": "openai",
        "messages": "{}",
        "response": TOLD,
        "session_id": "session-1",
        "status": "success",
        "mcp_namespaced_tool_name": None,
        "proxy_server_request": ASKED,
    } | changes
    for name in ("metadata", "proxy_server_request", "response"):
        found[name] = found[name] if isinstance(found[name], str) else json.dumps(found[name])
    return found


EXPECTED = Exchange(
    record_id="chatcmpl-1",
    time=datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC),
    messages=[Message("system", "Be brief."), Message("user", "Say hello.")],
    output="Hello.",
    conversation="session-1",
    end_user="customer-1",
    user="owner-1",
    key="hash-1",
    organisation="team-1",
    address="198.51.100.7",
    user_agent="client/1.2",
    model="model-a",
    tokens_in=10,
    tokens_out=20,
)


def _file(path: Path) -> tuple[str | None, list[object]]:
    """What a file is told to be, and its items."""
    with open_source(path) as opened:
        form = detect(opened).format
        parsed = form.parse_records(records(opened, form)) if form else None
    assert parsed is None or parsed.rejects == []
    return form and form.name, list(parsed.items) if parsed else []


def test_a_row_is_one_exchange(read: Read) -> None:
    """What was asked stands in the request's body, since the column of messages is empty."""
    assert read("litellm-spend", row()) == [EXPECTED]


def test_json_columns_may_be_objects(read: Read) -> None:
    """As the API gives them."""
    given = {
        name: json.loads(row()[name]) for name in ("metadata", "proxy_server_request", "response", "messages", "request_tags")
    }
    assert read("litellm-spend", row() | given) == [EXPECTED]


def test_csv_rows_are_the_same_exchange(tmp_path: Path) -> None:
    """Every cell is a text there."""
    with (tmp_path / "dump.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row().keys())
        writer.writeheader()
        writer.writerow(row())
    assert _file(tmp_path / "dump.csv") == ("litellm-spend", [EXPECTED])


def test_json_arrays_and_pages_are_the_same_exchange(tmp_path: Path) -> None:
    """A list of rows, and a page with its count beside them."""
    (tmp_path / "list.json").write_text(json.dumps([row(), row()], indent=1))
    (tmp_path / "page.json").write_text(json.dumps({"data": [row(), row()], "total": 2, "page": 1, "page_size": 50}))
    for name in ("list.json", "page.json"):
        assert _file(tmp_path / name) == ("litellm-spend", [EXPECTED, EXPECTED])


def test_parquet_rows_are_the_same_exchange(tmp_path: Path) -> None:
    """With a time of its own type, and columns in lower case as some stores have them."""
    columns = {name.lower(): [value] for name, value in row().items()}
    columns["starttime"] = [datetime(2026, 1, 1, 0, 0, 0, 500_000)]
    pq.write_table(pa.table(columns), tmp_path / "dump.parquet")
    assert _file(tmp_path / "dump.parquet") == ("litellm-spend", [EXPECTED])


@pytest.mark.parametrize(
    "start",
    [
        1_767_225_600.5,
        1_767_225_600_500,
        "1767225600.5",
        "1767225600500",
        "2026-01-01T00:00:00.500Z",
        "2026-01-01 01:00:00.5+01",
        "2026-01-01 00:00:00.500+00:00",
    ],
)
def test_times_come_in_many_writings(read: Read, start: object) -> None:
    """Seconds, milliseconds, ISO with and without a zone."""
    assert read("litellm-spend", row(startTime=start)) == [EXPECTED]


def test_a_proxy_that_stores_no_prompts_gives_rows_without_text(read: Read) -> None:
    """Who, when and how much is still there."""
    (found,) = read("litellm-spend", row(proxy_server_request="{}", response="{}"))
    assert (found.messages, found.output, found.answered) == ([], None, True)
    assert (found.end_user, found.key, found.tokens_in, found.tokens_out) == ("customer-1", "hash-1", 10, 20)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"request_id": ""}, "record_id", "chatcmpl-1"),
        ({"request_id": "None", "response": "{}"}, "record_id", None),
        ({"request_id": "chatcmpl-1_cache_hit1767225600.5"}, "record_id", "chatcmpl-1_cache_hit1767225600.5"),
        ({"api_key": "", "metadata": {"user_api_key": "hash-2"}}, "key", "hash-2"),
        ({"api_key": "None", "metadata": {"user_api_key": None}}, "key", None),
        ({"user": "default_user_id"}, "user", None),
        ({"user": "", "metadata": {"user_api_key_user_id": "owner-2"}}, "user", "owner-2"),
        ({"organization_id": "org-1"}, "organisation", "org-1"),
        ({"team_id": "\\N"}, "organisation", None),
        ({"end_user": "", "metadata": {"user_api_key_end_user_id": "customer-2"}}, "end_user", "customer-2"),
        ({"end_user": "", "proxy_server_request": ASKED | {"user": "customer-3"}}, "end_user", "customer-3"),
        ({"end_user": "", "proxy_server_request": ASKED | {"metadata": {"user_id": "m"}}}, "end_user", "m"),
        ({"end_user": None}, "end_user", None),
        ({"requester_ip_address": None, "metadata": {"requester_ip_address": "203.0.113.9"}}, "address", "203.0.113.9"),
        ({"metadata": {"user_agent": None}}, "user_agent", "client/1.2"),
        ({"metadata": {"user_agent": None}, "request_tags": "[]"}, "user_agent", None),
        ({"session_id": "NULL"}, "conversation", None),
        ({"model": ""}, "model", "public-a"),
        ({"startTime": None}, "time", None),
        ({"status": None, "response": "{}"}, "answered", True),
        ({"status": None, "response": "{}", "completion_tokens": 0}, "answered", False),
        ({"response": "Good day."}, "output", "Good day."),
        ({"response": json.dumps(json.dumps(TOLD))}, "output", "Hello."),
    ],
)
def test_fields_may_stand_elsewhere_or_be_missing(read: Read, changes: dict[str, Any], field: str, expected: object) -> None:
    """Empty cells are nothing; metadata and the request's body fill some of them."""
    (found,) = read("litellm-spend", row(**changes))
    assert getattr(found, field) == expected


HELLO = [Message("user", "Hello")]
SAID = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"messages": json.dumps([SAID])}, HELLO),
        ({"messages": [SAID]}, HELLO),
        ({"messages": "Hello"}, HELLO),
        ({"messages": None}, EXPECTED.messages),
        ({"messages": "[]"}, EXPECTED.messages),
        ({"messages": json.dumps("{}")}, EXPECTED.messages),
        ({"proxy_server_request": {"input": "Hello", "instructions": "Be."}}, [Message("system", "Be."), *HELLO]),
        ({"proxy_server_request": {"input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello"}]}]}}, HELLO),
        (
            {"proxy_server_request": {"system": [{"type": "text", "text": "Be."}], "messages": [SAID]}},
            [Message("system", "Be."), *HELLO],
        ),
        ({"proxy_server_request": {"contents": [{"parts": [{"text": "Hello"}]}]}}, HELLO),
        (
            {"proxy_server_request": {"systemInstruction": {"parts": [{"text": "Be."}]}, "contents": "Hello"}},
            [Message("system", "Be."), *HELLO],
        ),
        ({"proxy_server_request": {"prompt": "Hello"}}, HELLO),
        ({"proxy_server_request": {"prompt": ["Hello"]}}, HELLO),
        ({"proxy_server_request": {"input": ["Hello", [15339], 15339]}, "call_type": "aembedding"}, HELLO),
        ({"proxy_server_request": {"url": "/x", "body": {"messages": [SAID]}}}, HELLO),
        ({"proxy_server_request": "{}", "metadata": {"proxy_server_request": '{"prompt": "Hello"}'}}, HELLO),
        ({"proxy_server_request": {"messages": [{"role": "user", "content": "redacted-by-litellm"}]}}, []),
        ({"proxy_server_request": {"messages": "redacted-by-litellm"}}, []),
        ({"proxy_server_request": {"query": "Hello", "documents": []}, "call_type": "arerank"}, []),
    ],
)
def test_what_was_asked_comes_in_any_apis_shape(read: Read, changes: dict[str, Any], expected: list[Message]) -> None:
    """The column of messages wins where it holds any; tokens are no text; what LiteLLM redacted is not there."""
    assert read("litellm-spend", row(**changes))[0].messages == expected


def _answer(content: object, finish: str = "stop") -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish}]}


def _responses(part: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"object": "response", "output": [{"type": "message", "role": "assistant", "content": [part]}]} | fields


FAILED = {"status": "failure", "error_information": {"error_class": "ContentPolicyViolationError", "error_code": "400"}}
TIMEOUT = {"status": "failure", "error_information": {"error_class": "Timeout", "error_code": "408"}}


@pytest.mark.parametrize(
    ("changes", "output", "outcome", "answered"),
    [
        ({"response": _answer("", "content_filter")}, None, "blocked", True),
        ({"response": _responses({"type": "output_text", "text": "Hi."})}, "Hi.", "unknown", True),
        ({"response": _responses({"type": "refusal", "refusal": "No."})}, "No.", "refused", True),
        ({"response": {"output": [{"type": "custom_tool_call", "name": "f", "input": "x"}]}}, "f x", "unknown", True),
        ({"response": {"type": "message", "content": [{"type": "text", "text": "Hi."}]}}, "Hi.", "unknown", True),
        ({"response": _answer("redacted-by-litellm")}, None, "unknown", True),
        ({"response": {"object": "list", "data": [{"embedding": [0.1]}]}, "call_type": "aembedding"}, None, "unknown", True),
        ({"response": "{}", "status": "failure", "metadata": FAILED}, None, "blocked", False),
        ({"response": "{}", "status": None, "metadata": FAILED}, None, "blocked", False),
        ({"response": "{}", "status": "failure", "metadata": TIMEOUT}, None, "unknown", False),
        (
            {"response": "{}", "status": "failure", "metadata": {"guardrail_information": [{"guardrail_status": "blocked"}]}},
            None,
            "blocked",
            False,
        ),
    ],
)
def test_answers_and_outcomes(read: Read, changes: dict[str, Any], output: str | None, outcome: str, answered: bool) -> None:
    """By provider fields and guardrails; other failures say nothing."""
    (found,) = read("litellm-spend", row(**changes))
    assert (found.output, found.outcome, found.answered) == (output, outcome, answered)


def test_a_message_that_cannot_be_read_is_a_flaw() -> None:
    """The rest of the row is kept, and of a page the other rows."""
    asked = {"messages": [SAID, {"role": "nobody", "content": "x"}]}
    page = {"data": [row(), row(proxy_server_request=asked), 5, row(startTime="soon")]}
    parsed = SPEND.parse_records([Raw("line 2", json.dumps(page).encode())])
    assert [item.messages for item in parsed.items if isinstance(item, Exchange)] == [EXPECTED.messages, HELLO]
    assert [reject.place for reject in parsed.rejects] == ["line 2, data 1, messages 1", "line 2, data 2", "line 2, data 3"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "neither request_id nor call_type"),
        ({"data": 5}, "neither request_id nor call_type"),
        (row() | {"metadata": "{'user_api_key': 'secret'}"}, "metadata is no JSON"),
        (row(messages="[{'role': 'secret'}]"), "messages is no JSON"),
        (row(proxy_server_request="[1]"), "proxy_server_request is no object"),
        (row(proxy_server_request='{"messages": 5}'), "messages are neither a list nor a text"),
        (row(startTime="soon-secret"), "startTime is no time"),
        (row(end_user=["secret"]), "end_user is no id"),
    ],
)
def test_what_is_no_row_is_told(record: dict[str, Any], reason: str) -> None:
    """Without a value of it; what Python prints of an object is no JSON."""
    with pytest.raises(RecordError, match=reason) as caught:
        SPEND.parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (row(), "litellm-spend"),
        ({"request_id": "1", "call_type": "x", "startTime": "2026-01-01", "proxy_server_request": "{}"}, "litellm-spend"),
        ({"request_id": "1", "call_type": "x", "startTime": "2026-01-01"}, None),
        ({"messages": ASKED["messages"], "request_id": "1"}, "messages"),
        ({"request": ASKED, "response": TOLD}, "openai-chat"),
        ({"data": [{"request_id": "1"}]}, None),
    ],
)
def test_only_rows_of_the_table_are_told(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """A chat with a request id is none."""
    (tmp_path / "log.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "log.jsonl")
    assert (found.format and found.format.name, found.confidence >= 0.8) == (name, name is not None)


def test_the_payload_of_callbacks_is_not_mistaken(tmp_path: Path, payload: Make) -> None:
    """It has an id and a cost, not a request id and a spend."""
    (tmp_path / "log.jsonl").write_text(json.dumps(payload()) + "\n")
    found = detect(tmp_path / "log.jsonl").format
    assert found is not None and found.name == "litellm"


@pytest.mark.shared
def test_litellms_own_row_is_read(shared_data: Path) -> None:
    """One row of a proxy that stores no prompts, of nobody in particular."""
    path = shared_data / "conversations" / "formats" / "litellm_spend_logs_payload.json"
    assert _file(path) == (
        "litellm-spend",
        [
            Exchange(
                record_id="chatcmpl-2283081b-dc89-41f6-93e6-d4f914774027",
                time=datetime(2025, 1, 24, 9, 20, 46, 847371, UTC),
                messages=[],
                conversation="1234567890",
                model="gpt-4o",
                tokens_in=10,
                tokens_out=20,
            )
        ],
    )
