"""OpenAI chat completions as people log them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Raw

Read = Callable[[str, Any], list[Exchange]]
REQUEST = {
    "model": "model-a",
    "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
    "user": "customer-1",
}
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_767_225_600,
    "model": "model-a-1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 2},
}
EXPECTED = Exchange(
    record_id="chatcmpl-1",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    messages=[Message("system", "Be brief."), Message("user", "Say hello.")],
    output="Hello.",
    end_user="customer-1",
    model="model-a",
    tokens_in=9,
    tokens_out=2,
)


@pytest.mark.parametrize(
    "record",
    [
        {"request": REQUEST, "response": RESPONSE},
        {"request": {"body": REQUEST, "url": "/v1/chat/completions"}, "response": {"status_code": 200, "body": RESPONSE}},
        {"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)},
        {"body": REQUEST, "response": {"body": RESPONSE}},
        REQUEST | {"response": RESPONSE} | {"user": None, "safety_identifier": "customer-1"},
    ],
)
def test_request_and_response_in_any_wrapping(read: Read, record: dict[str, Any]) -> None:
    """Bare, inside body, as strings, or the request's fields beside the response."""
    assert read("openai-chat", record) == [EXPECTED]


@pytest.mark.parametrize(
    ("fields", "end_user"),
    [
        ({"safety_identifier": "s", "user": "u", "metadata": {"user_id": "m"}}, "s"),
        ({"user": "u", "metadata": {"user_id": "m"}}, "u"),
        ({"user": None, "metadata": {"user_id": "m"}}, "m"),
        ({"user": None}, None),
    ],
)
def test_the_end_user_is_the_safety_identifier_first(read: Read, fields: dict[str, Any], end_user: str | None) -> None:
    """Then user, then metadata.user_id."""
    assert read("openai-chat", {"request": REQUEST | fields, "response": RESPONSE})[0].end_user == end_user


def test_what_a_logger_adds_is_read(read: Read) -> None:
    """Its own id and time win; address and user agent come from headers."""
    extra = {
        "id": "log-7",
        "timestamp": "2026-02-03T04:05:06Z",
        "api_key_hash": "hash-1",
        "session_id": "session-1",
        "headers": {"User-Agent": "client/1", "X-Forwarded-For": "198.51.100.7, 10.0.0.1"},
    }
    (found,) = read("openai-chat", extra | {"request": REQUEST, "response": RESPONSE})
    assert (found.record_id, found.time) == ("log-7", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert (found.key, found.conversation, found.address, found.user_agent) == (
        "hash-1",
        "session-1",
        "198.51.100.7",
        "client/1",
    )


def _with(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    return RESPONSE | {"choices": [{"message": message, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("response", "output", "outcome"),
    [
        (_with({"content": None, "refusal": "I cannot help with that."}), "I cannot help with that.", "refused"),
        (_with({"content": ""}, "content_filter"), None, "blocked"),
        (
            {
                "object": "response",
                "model": "m",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi."}]}],
            },
            "Hi.",
            "unknown",
        ),
        (
            {
                "object": "response",
                "model": "m",
                "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
            },
            "No.",
            "refused",
        ),
        ({"type": "message", "content": [{"type": "text", "text": "Hi."}], "stop_reason": "end_turn"}, "Hi.", "unknown"),
        (
            RESPONSE | {"choices": [{"message": {"content": "One."}}, {"message": {"content": "Two."}}]},
            "One.\n\nTwo.",
            "unknown",
        ),
    ],
)
def test_answers_and_outcomes(read: Read, response: dict[str, Any], output: str | None, outcome: str) -> None:
    """A refusal is the answer's text; a filter blocks; several choices are joined; kin of the API are read too."""
    (found,) = read("openai-chat", {"request": REQUEST, "response": response})
    assert (found.output, found.outcome, found.answered) == (output, outcome, output is not None)


def test_a_completion_alone_is_an_answer_without_a_request(read: Read) -> None:
    """As is each of a list of stored completions."""
    (alone,) = read("openai-chat", RESPONSE)
    listed = read("openai-chat", {"object": "list", "data": [RESPONSE, RESPONSE], "has_more": False})
    assert (alone.messages, alone.output) == ([], "Hello.")
    assert listed == [alone, alone]


def test_a_bad_completion_in_a_list_is_one_reject() -> None:
    """The others are read; strictly asked, it is an error."""
    raw = Raw("line 3", json.dumps({"object": "list", "data": [RESPONSE, 5]}).encode())
    parsed = FORMATS["openai-chat"].parse_records([raw])
    assert (len(parsed.items), [r.place for r in parsed.rejects]) == (1, ["line 3, data 1"])
    with pytest.raises(RecordError, match="neither a request nor an answer"):
        FORMATS["openai-chat"].parse(raw)


def test_batch_files_are_read(read: Read) -> None:
    """Requests have no answer yet; results have no request."""
    asked = read("openai-chat", {"custom_id": "r-1", "method": "POST", "url": "/v1/chat/completions", "body": REQUEST})[0]
    told = read(
        "openai-chat", {"id": "b-1", "custom_id": "r-1", "response": {"status_code": 200, "body": RESPONSE}, "error": None}
    )[0]
    assert (asked.record_id, asked.answered, told.record_id, told.output) == ("r-1", False, "b-1", "Hello.")
