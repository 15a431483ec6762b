"""LiteLLM's logging payload."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Raw

Make = Callable[..., dict[str, Any]]
Read = Callable[[str, Any], list[Exchange]]
LITELLM = FORMATS["litellm"]
LONG_WAY = dataclasses.replace(LITELLM, quick=None)


def test_a_plain_chat_is_one_exchange(payload: Make, read: Read) -> None:
    """Every field that a payload gives stands in it."""
    assert read("litellm", payload()) == [
        Exchange(
            record_id="chatcmpl-1",
            time=datetime(2026, 1, 1, 0, 0, 0, 500_000, UTC),
            messages=[Message("system", "Be brief."), Message("user", "Say good morning.")],
            output="Good morning.",
            conversation="trace-1",
            end_user="customer-1",
            user="owner-1",
            key="hash-1",
            organisation="team-1",
            address="198.51.100.7",
            user_agent="client/1.2",
            model="model-a",
            tokens_in=12,
            tokens_out=3,
        )
    ]


PARTS = [
    {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "image_url"}, {"type": "text", "text": "this?"}]}
]
CALL = {"id": "1", "type": "function", "function": {"name": "look_up", "arguments": '{"word":"tide"}'}}
CHANGES: list[dict[str, Any]] = [
    {},
    {"startTime": "2026-01-01 00:00:00.500000"},
    {"end_user": "", "metadata": {"user_api_key_end_user_id": "customer-2"}},
    {"metadata": {"user_api_key_user_id": "default_user_id"}},
    {"metadata": {"user_api_key_org_id": "org-1", "requester_ip_address": "203.0.113.9"}, "requester_ip_address": None},
    {"messages": []},
    {"request_tags": None, "trace_id": None, "model": None},
    {"message": {"content": ""}},
    {"messages": [{"role": "user", "content": "redacted-by-litellm"}], "message": {"content": "redacted-by-litellm"}},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_the_short_way_says_what_the_long_way_says(payload: Make, changes: dict[str, Any]) -> None:
    """Speed changes nothing."""
    raw = Raw("line 1", json.dumps(payload(**changes)).encode())
    assert LITELLM.parse(raw) == LONG_WAY.parse(raw)


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"messages": PARTS}, "messages", [Message("user", "What is\nthis?")]),
        ({"messages": json.dumps(PARTS)}, "messages", [Message("user", "What is\nthis?")]),
        ({"messages": "Say hello."}, "messages", [Message("user", "Say hello.")]),
        ({"messages": None}, "messages", []),
        ({"message": {"content": None, "tool_calls": [CALL]}}, "output", 'look_up {"word":"tide"}'),
        ({"metadata": {"user_api_key_user_id": "default_user_id"}}, "user", None),
        ({"end_user": 17}, "end_user", "17"),
        ({"response": "Good day."}, "output", "Good day."),
        ({"response": None, "status": "failure"}, "answered", False),
        ({"messages": [{"role": "user", "content": "redacted-by-litellm"}]}, "messages", []),
        ({"message": {"content": "redacted-by-litellm"}}, "output", None),
        ({"metadata": {"requester_custom_headers": {"user-agent": "robot/2"}}}, "user_agent", "client/1.2"),
        ({"request_tags": [], "guardrail_information": [], "metadata": {"user_agent": "robot/2"}}, "user_agent", "robot/2"),
    ],
)
def test_other_shapes_are_read_too(payload: Make, read: Read, changes: dict[str, Any], field: str, expected: object) -> None:
    """Parts, JSON in strings, tool calls, numbers as ids, redacted text."""
    assert getattr(read("litellm", payload(**changes))[0], field) == expected


def test_a_tool_call_in_the_history_is_the_assistants_words(payload: Make, read: Read) -> None:
    """Call and result are kept, each under its role."""
    history = [{"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "the sea's rise"}]
    assert read("litellm", payload(messages=history))[0].messages == [
        Message("assistant", 'look_up {"word":"tide"}'),
        Message("tool", "the sea's rise"),
    ]


POLICY = {"error_class": "ContentPolicyViolationError", "error_code": "400"}


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "unknown"),
        ({"message": {"content": None, "refusal": "I cannot help with that."}}, "refused"),
        ({"choice": {"finish_reason": "content_filter"}}, "blocked"),
        ({"status": "failure", "response": None, "error_information": POLICY}, "blocked"),
        ({"status": "failure", "response": None, "error_information": {"error_class": "RateLimitError"}}, "unknown"),
        (
            {"status": "failure", "response": None, "guardrail_information": [{"guardrail_status": "guardrail_intervened"}]},
            "blocked",
        ),
        ({"guardrail_information": [{"guardrail_status": "guardrail_intervened"}]}, "unknown"),
        ({"guardrail_information": {"guardrail_status": "success"}}, "unknown"),
    ],
)
def test_outcomes_follow_provider_fields(payload: Make, read: Read, changes: dict[str, Any], outcome: str) -> None:
    """A refusal, a filter, a guardrail that stopped the call; other failures and masking guardrails say nothing."""
    assert read("litellm", payload(**changes))[0].outcome == outcome


@pytest.mark.parametrize("metadata", [None, "", "{}", json.dumps({"user_api_key_hash": "hash-1"})])
def test_metadata_may_be_missing_or_a_string(payload: Make, read: Read, metadata: object) -> None:
    """No record is lost for it."""
    record = payload() | {"metadata": metadata}
    assert read("litellm", record)[0].key in (None, "hash-1")


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": "a"}, "neither call_type nor messages"),
        ({"call_type": "x", "messages": 5}, "messages are neither a list nor a text"),
        ({"call_type": "x", "messages": [{"role": "narrator", "content": "a"}]}, "a message has a role that is not known"),
        ({"call_type": "x", "messages": [], "startTime": "soon"}, "startTime is no time"),
        ({"call_type": "x", "messages": [], "end_user": {}}, None),
        ({"call_type": "x", "messages": [], "end_user": ["secret"]}, "end_user is no id"),
        ({"call_type": "x", "messages": [], "metadata": []}, "metadata is no object"),
        ([1], "Expected object, got array"),
    ],
)
def test_what_cannot_be_a_row_is_told(record: object, reason: str | None) -> None:
    """With a reason that quotes nothing."""
    raw = Raw("line 1", json.dumps(record).encode())
    if reason is None:
        assert len(LITELLM.parse(raw)) == 1
        return
    with pytest.raises(RecordError, match=reason):
        LITELLM.parse(raw)


def test_lines_are_counted_and_rejects_have_their_place(payload: Make) -> None:
    """Empty lines are no records; a bad line is kept whole with its number."""
    good = json.dumps(payload()).encode()
    parsed = LITELLM.parse_lines(good + b"\r\n\n \n{bad\n" + good)
    assert (len(parsed.items), parsed.records) == (2, 3)
    assert [(r.place, r.length, r.data) for r in parsed.rejects] == [("line 4", 4, b"{bad")]
