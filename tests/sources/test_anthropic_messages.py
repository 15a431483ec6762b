"""Anthropic's Messages API as people log it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Raw, detect

Read = Callable[[str, Any], list[Exchange]]
ANTHROPIC = FORMATS["anthropic-messages"]
REQUEST = {
    "model": "model-a",
    "max_tokens": 64,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": "Say hello."}],
    "metadata": {"user_id": "customer-1"},
}
RESPONSE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "model-a-1",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 9, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 1000, "output_tokens": 2},
}
EXPECTED = Exchange(
    record_id="msg_1",
    messages=[Message("system", "Be brief."), Message("user", "Say hello.")],
    output="Hello.",
    end_user="customer-1",
    model="model-a",
    tokens_in=1109,
    tokens_out=2,
)
ERROR = {"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: field required"}}
BLOCKED = {"type": "error", "error": {"type": "invalid_request_error", "message": "Output blocked by content filtering policy"}}
COMPLETION = {"object": "chat.completion", "model": "m", "choices": [{"message": {"role": "assistant", "content": "Hi."}}]}


@pytest.mark.parametrize(
    "record",
    [
        {"request": REQUEST, "response": RESPONSE},
        {"request": {"body": REQUEST, "url": "/v1/messages"}, "response": {"status_code": 200, "body": RESPONSE}},
        {"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)},
        {"request": {"body": json.dumps(REQUEST)}, "response": {"body": json.dumps(RESPONSE)}},
        {"body": REQUEST, "response": {"body": RESPONSE}},
        REQUEST | {"response": RESPONSE},
    ],
)
def test_request_and_response_in_any_wrapping(read: Read, tmp_path: Path, record: dict[str, Any]) -> None:
    """Bare, inside body, as strings, or the request's fields beside the response: recognised and read."""
    (tmp_path / "log").write_text(json.dumps(record) + "\n")
    assert detect(tmp_path / "log").format is ANTHROPIC
    assert read("anthropic-messages", record) == [EXPECTED]


def test_what_a_logger_adds_is_read(read: Read) -> None:
    """Its own id and time win; the organisation stands in a header of the answer."""
    record = {
        "id": "log-7",
        "timestamp": 1_767_225_600_000,
        "api_key_hash": "hash-1",
        "user_id": "owner-1",
        "session_id": "session-1",
        "request": {"headers": {"User-Agent": "client/1", "X-Forwarded-For": "198.51.100.7, 10.0.0.1"}, "body": REQUEST},
        "response": {"headers": {"Anthropic-Organization-Id": "org-1"}, "body": RESPONSE},
    }
    (found,) = read("anthropic-messages", record)
    assert (found.record_id, found.time) == ("log-7", datetime(2026, 1, 1, tzinfo=UTC))
    assert (found.key, found.user, found.conversation, found.organisation) == ("hash-1", "owner-1", "session-1", "org-1")
    assert (found.address, found.user_agent) == ("198.51.100.7", "client/1")


@pytest.mark.parametrize(
    ("user_id", "end_user", "session"),
    [
        ("customer-1", "customer-1", None),
        ("team_session_5", "team_session_5", None),
        ("user_d1_account_a1_session_s1", "a1", "s1"),
        ("user_d1_account__session_s1", "d1", "s1"),
        ('{"device_id":"d1","account_uuid":"a1","session_id":"s1"}', "a1", "s1"),
        ('{"device_id":"d1","account_uuid":"","session_id":"s1"}', "d1", "s1"),
        ("{broken", "{broken", None),
        (None, None, None),
    ],
)
def test_the_end_user_is_no_session(read: Read, user_id: str | None, end_user: str | None, session: str | None) -> None:
    """A coding client writes account, device and session into the one field, in two forms."""
    (found,) = read("anthropic-messages", {"request": REQUEST | {"metadata": {"user_id": user_id}}, "response": RESPONSE})
    assert (found.end_user, found.conversation) == (end_user, session)


def test_tools_stand_apart_from_the_user(read: Read) -> None:
    """A result in a user message is the tool's; calls are name and arguments; thinking is left out."""
    asked = [
        {
            "role": "user",
            "content": [{"type": "image", "source": {"type": "base64", "data": "AAAA"}}, {"type": "text", "text": "Tide?"}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "A tool.", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "tide", "input": {"at": "Kiel"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "None there."}]},
                {"type": "text", "text": "And Husum?"},
            ],
        },
    ]
    answer = RESPONSE | {"content": [{"type": "tool_use", "id": "t2", "name": "now", "input": {}}], "stop_reason": "tool_use"}
    (found,) = read("anthropic-messages", {"request": REQUEST | {"messages": asked, "system": None}, "response": answer})
    assert [(message.role, message.text) for message in found.messages] == [
        ("user", "Tide?"),
        ("assistant", 'I look.\ntide {"at":"Kiel"}'),
        ("tool", "None there."),
        ("user", "And Husum?"),
    ]
    assert (found.output, found.outcome) == ("now", "unknown")


def test_an_answer_reads_alike_as_an_answer_and_as_history(read: Read) -> None:
    """With tools of the API's own inside, and whether or not the thinking comes back: it is the same exchange."""
    content = [
        {"type": "thinking", "thinking": "Search."},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "tides"}},
        {
            "type": "web_search_tool_result",
            "content": [{"type": "web_search_result", "title": "T", "url": "https://e.example"}],
        },
        {"type": "text", "text": "Twice a day."},
    ]
    (told,) = read("anthropic-messages", {"request": REQUEST, "response": RESPONSE | {"content": content}})
    history = [*REQUEST["messages"], {"role": "assistant", "content": content[1:]}, {"role": "user", "content": "Why?"}]  # type: ignore[misc]
    (later,) = read("anthropic-messages", {"request": REQUEST | {"messages": history}, "response": RESPONSE})
    assert told.output == 'web_search {"query":"tides"}\nTwice a day.'
    assert later.messages == [*told.messages, Message("assistant", told.output), Message("user", "Why?")]
    assert told.messages[-1] == Message("tool", "T\nhttps://e.example")


@pytest.mark.parametrize(
    ("block", "text"),
    [
        ({"source": {"type": "text", "media_type": "text/plain", "data": "A report"}}, "<document>\nA report\n</document>"),
        (
            {"title": "T", "context": "C", "source": {"type": "content", "content": [{"type": "text", "text": "A report"}]}},
            "T\nC\n<document>\nA report\n</document>",
        ),
        ({"title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}, "T"),
    ],
)
def test_documents_are_marked_as_pasted(read: Read, block: dict[str, Any], text: str) -> None:
    """Text is read wherever it stands; other files give only their title."""
    messages = [{"role": "user", "content": [{"type": "document"} | block]}]
    (found,) = read("anthropic-messages", {"request": {"model": "m", "messages": messages}, "response": RESPONSE})
    assert found.messages == [Message("user", text)]


def test_instructions_of_the_system_may_stand_anywhere(read: Read) -> None:
    """As a text, as a message, and as a block of a user's message."""
    block = {"type": "mid_conv_system", "content": [{"type": "text", "text": "Three."}]}
    messages = [{"role": "system", "content": "Two."}, {"role": "user", "content": [block, {"type": "text", "text": "Hi"}]}]
    (found,) = read("anthropic-messages", {"request": {"system": "One.", "messages": messages}, "response": RESPONSE})
    assert [message.text for message in found.messages if message.role == "system"] == ["One.", "Two.", "Three."]
    assert found.messages[-1] == Message("user", "Hi")


@pytest.mark.parametrize(
    ("response", "output", "outcome", "answered"),
    [
        (RESPONSE | {"stop_reason": "refusal"}, "Hello.", "refused", True),
        (RESPONSE | {"stop_reason": "refusal", "content": []}, None, "refused", True),
        (RESPONSE | {"stop_reason": "max_tokens"}, "Hello.", "unknown", True),
        (BLOCKED, None, "blocked", False),
        (ERROR, None, "unknown", False),
        ("Hello.", "Hello.", "unknown", True),
        (None, None, "unknown", False),
        (COMPLETION, "Hi.", "unknown", True),
    ],
)
def test_answers_and_outcomes(read: Read, response: Any, output: str | None, outcome: str, answered: bool) -> None:
    """A refusal by its stop reason, a filter by its error; a plain text and an answer of a gateway are read too."""
    (found,) = read("anthropic-messages", {"request": REQUEST, "response": response})
    assert (found.output, found.outcome, found.answered) == (output, outcome, answered)


def test_a_stream_is_told_and_the_request_kept() -> None:
    """Its events are no text of an answer."""
    record = {"request": REQUEST, "response": {"body": 'event: message_start\ndata: {"type":"message_start"}\n\n'}}
    found = ANTHROPIC.parse_records([Raw("line 1", json.dumps(record).encode())])
    assert [(item.messages[-1].text, item.output) for item in found.items] == [("Say hello.", None)]  # type: ignore[union-attr]
    assert [(r.place, r.reason) for r in found.rejects] == [
        ("line 1, response", "the answer is a stream of events; expected the message that it comes to")
    ]


def test_batch_files_are_read(read: Read, tmp_path: Path) -> None:
    """Requests have no answer yet, results no request; what failed is an exchange without an answer."""
    lines = [
        {"custom_id": "r-1", "params": REQUEST},
        {"custom_id": "r-1", "result": {"type": "succeeded", "message": RESPONSE}},
        {"custom_id": "r-2", "result": {"type": "errored", "error": BLOCKED}},
    ]
    for line in lines:
        (tmp_path / "log").write_text(json.dumps(line) + "\n")
        assert detect(tmp_path / "log").format is ANTHROPIC
    asked, told, failed = [read("anthropic-messages", line)[0] for line in lines]
    assert (asked.record_id, asked.end_user, asked.answered, len(asked.messages)) == ("r-1", "customer-1", False, 2)
    assert (told.record_id, told.output, told.tokens_out, told.messages) == ("r-1", "Hello.", 2, [])
    assert (failed.record_id, failed.answered, failed.outcome) == ("r-2", False, "blocked")


def test_one_of_the_two_may_stand_alone(read: Read, tmp_path: Path) -> None:
    """A request by fields that only this API has together, an answer by its type."""
    for record in (REQUEST, RESPONSE):
        (tmp_path / "log").write_text(json.dumps(record) + "\n")
        assert detect(tmp_path / "log").format is ANTHROPIC
    (asked,), (told,) = read("anthropic-messages", REQUEST), read("anthropic-messages", RESPONSE)
    assert (asked.messages, asked.answered) == (EXPECTED.messages, False)
    assert (told.messages, told.output, told.model, told.record_id) == ([], "Hello.", "model-a-1", "msg_1")


def _nested(depth: int) -> Any:
    return {"type": "tool_result", "content": [_nested(depth - 1)]} if depth else {"type": "text", "text": "deep"}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "neither a request nor an answer"),
        ({"request": 5, "response": []}, "neither a request nor an answer"),
        ({"custom_id": "r", "result": {"type": "expired"}}, "canceled or expired"),
        ({"request": {"messages": "Hi"}}, "messages are no list"),
        ({"request": {"messages": ["Hi"]}}, "a message without a role"),
        ({"request": {"messages": [{"role": "critic", "content": "Hm"}]}}, "a role that is not known"),
        ({"request": {"messages": [{"role": "user", "content": 5}]}}, "content is no text"),
        ({"request": {"messages": [{"role": "user", "content": [_nested(9)]}]}}, "more than eight deep"),
        ({"request": REQUEST | {"metadata": {"user_id": 1.5}}}, "end_user is no id"),
        ({"request": REQUEST, "timestamp": "soon"}, "time is no time"),
    ],
)
def test_what_is_no_exchange_is_told(record: Any, reason: str) -> None:
    """One reject with its reason, which repeats nothing of the record."""
    with pytest.raises(RecordError, match=reason) as caught:
        ANTHROPIC.parse(Raw("line 1", json.dumps(record).encode()))
    assert "soon" not in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "Hello"}], "system": "Be brief."},
        {"model": "m", "max_tokens": 5, "messages": [{"role": "system", "content": "Be brief."}]},
        {"request": {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}, "response": COMPLETION},
        {"request": json.dumps({"messages": [{"role": "user", "content": "Hi"}]}), "response": json.dumps(COMPLETION)},
        {"request": {"url": "/v1/threads/t-1/messages", "body": {"role": "user", "content": "Hi"}}, "response": {"body": {}}},
        {
            "custom_id": "r",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": "m", "messages": [{"role": "user"}]},
        },
        {"custom_id": "r", "response": {"status_code": 200, "body": COMPLETION}, "error": None},
        {"type": "message", "id": 5, "from": "A person", "text": "Hi"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}], "status": "completed"},
        {"custom_id": "r", "result.type": "succeeded"},
        {"request": "[" * 20, "response": "{" * 20},
        COMPLETION,
    ],
)
def test_others_are_not_mistaken_for_it(tmp_path: Path, record: Any) -> None:
    """OpenAI's requests, answers and batches, generic chats, messages of other services."""
    (tmp_path / "log").write_text(json.dumps(record) + "\n")
    assert detect(tmp_path / "log").format is not ANTHROPIC
