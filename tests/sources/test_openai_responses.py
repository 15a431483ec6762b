"""OpenAI's Responses API as people log it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Flaw, Message, Raw, detect

Read = Callable[[str, Any], list[Exchange]]
RESPONSES = FORMATS["openai-responses"]
REQUEST = {
    "model": "model-a",
    "instructions": "Be brief.",
    "input": "Say hello.",
    "previous_response_id": "resp_0",
    "conversation": {"id": "conv_1"},
    "safety_identifier": "customer-1",
    "metadata": {"user_id": "other"},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_767_225_600,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "model": "model-a-1",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "A greeting is asked for."}]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        },
    ],
    "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
}
EXPECTED = Exchange(
    record_id="resp_1",
    time=datetime(2026, 1, 1, tzinfo=UTC),
    messages=[Message("system", "Be brief."), Message("user", "Say hello.")],
    output="Hello.",
    conversation="conv_1",
    end_user="customer-1",
    model="model-a",
    tokens_in=9,
    tokens_out=2,
)
WRAPPED: list[dict[str, Any]] = [
    {"request": REQUEST, "response": RESPONSE},
    {"request": {"body": REQUEST, "url": "/v1/responses"}, "response": {"status_code": 200, "body": RESPONSE}},
    {"request": json.dumps(REQUEST), "response": json.dumps(RESPONSE)},
    {"request": {"body": json.dumps(REQUEST)}, "response": {"body": json.dumps(RESPONSE)}},
    {"body": REQUEST, "response": {"body": RESPONSE}},
    REQUEST | {"response": RESPONSE},
    RESPONSE | REQUEST,
]


def _seen(tmp_path: Path, *found: Any) -> tuple[str | None, float]:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in found))
    detection = detect(path)
    return detection.format.name if detection.format else None, detection.confidence


def _told(**fields: Any) -> dict[str, Any]:
    return {"request": REQUEST, "response": RESPONSE | fields}


def _output(*content: Any) -> list[dict[str, Any]]:
    return [{"type": "message", "role": "assistant", "content": [*content]}]


@pytest.mark.parametrize("record", WRAPPED)
def test_request_and_response_in_any_wrapping(read: Read, record: dict[str, Any]) -> None:
    """Bare, inside body, as strings, the request's fields beside the response or in it."""
    assert read("openai-responses", record) == [EXPECTED]


@pytest.mark.parametrize("record", [*WRAPPED, RESPONSE, {"object": "list", "data": [RESPONSE], "has_more": False}])
def test_it_is_told_before_the_chat_format(tmp_path: Path, record: dict[str, Any]) -> None:
    """Which takes the same wrappings."""
    name, confidence = _seen(tmp_path, record)
    assert (name, confidence >= 0.95) == ("openai-responses", True)


CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
COMPLETION = {"object": "chat.completion", "model": "m", "choices": [{"message": {"role": "assistant", "content": "Ho"}}]}


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"request": CHAT, "response": COMPLETION}, "openai-chat"),
        ({"request": {"model": "m", "input": "Hi"}, "response": {"object": "list", "data": []}}, "openai-chat"),
        ({"request": {"model": "m", "input": "Hi", "voice": "v", "instructions": "Slow."}, "response": ""}, "openai-chat"),
        ({"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": {"input": "Hi"}}, "openai-chat"),
        (COMPLETION, "openai-chat"),
        (CHAT, "messages"),
        ({"request": {"url": "https://forms.example.com/v1/responses", "method": "GET"}, "response": {"status": 200}}, None),
        ({"model": "m", "input": "Hi", "response": "Ho"}, None),
        ({"id": "1", "model": "m", "input": {"prompt": "Hi"}, "output": ["Ho"]}, None),
    ],
)
def test_kin_are_not_mistaken(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """Chats, embeddings, speech, other services with such a path or such fields."""
    assert _seen(tmp_path, record)[0] == name


def test_batch_files_are_read_and_told(read: Read, tmp_path: Path) -> None:
    """Requests have no answer yet; results have no request."""
    body = {"model": "model-a", "input": "Say hello."}
    asked = {"custom_id": "r-1", "method": "POST", "url": "/v1/responses", "body": body}
    told = {"id": "b-1", "custom_id": "r-1", "response": {"status_code": 200, "body": RESPONSE}, "error": None}
    (first,), (second,) = read("openai-responses", asked), read("openai-responses", told)
    assert (first.record_id, first.messages, first.answered) == ("r-1", [Message("user", "Say hello.")], False)
    assert (second.record_id, second.messages, second.output) == ("b-1", [], "Hello.")
    assert (_seen(tmp_path, asked)[0], _seen(tmp_path, told)[0]) == ("openai-responses", "openai-responses")


def test_items_of_the_input_are_messages(read: Read) -> None:
    """Roles as in chats, calls are the assistant's, what came back is the tool's; parts of a message are its lines."""
    said = [
        {"role": "developer", "content": "Be exact."},
        {"role": "user", "content": [{"type": "input_text", "text": "How high"}, {"type": "input_image"}, {"text": "is it?"}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2VhbGVk"},
        {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": '{"word":"tide"}'},
        {"type": "function_call_output", "call_id": "c", "output": '{"metres": 4}'},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Four metres."}]},
        {"type": "message", "role": "user", "content": "Thanks."},
    ]
    (found,) = read("openai-responses", {"request": {"model": "m", "input": said}, "response": RESPONSE})
    assert found.messages == [
        Message("system", "Be exact."),
        Message("user", "How high\nis it?"),
        Message("assistant", 'look_up {"word":"tide"}'),
        Message("tool", '{"metres": 4}'),
        Message("assistant", "Four metres."),
        Message("user", "Thanks."),
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "custom_tool_call", "name": "run", "input": "ls"}, [Message("assistant", "run ls")]),
        ({"type": "mcp_call", "name": "find", "arguments": "{}", "output": "4"}, [Message("assistant", "find {}")]),
        (
            {"type": "web_search_call", "action": {"type": "search", "query": "tide"}},
            [Message("assistant", 'web_search {"type":"search","query":"tide"}')],
        ),
        ({"type": "file_search_call", "queries": ["tide"], "results": None}, [Message("assistant", 'file_search ["tide"]')]),
        ({"type": "code_interpreter_call", "code": "1+1"}, [Message("assistant", "code_interpreter 1+1")]),
        (
            {"type": "image_generation_call", "result": "aGk=", "revised_prompt": "A"},
            [Message("assistant", "image_generation A")],
        ),
        ({"type": "shell_call_output", "output": [{"stdout": "a", "stderr": "b"}]}, [Message("tool", "a\nb")]),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "4"}]}, [Message("tool", "4")]),
        ({"type": "input_text", "text": "Hi"}, [Message("user", "Hi")]),
        ({"role": "user", "content": "Hi"}, [Message("user", "Hi")]),
        ("Hi", [Message("user", "Hi")]),
        ({"type": "item_reference", "id": "msg_1"}, []),
        ({"id": "msg_1"}, []),
        ({"type": "compaction", "encrypted_content": "c2VhbGVk"}, []),
    ],
)
def test_every_kind_of_item(read: Read, item: object, expected: list[Message]) -> None:
    """A tool of the service is called by the item's own name; what nobody said gives nothing."""
    assert read("openai-responses", {"request": {"input": [item]}, "response": RESPONSE})[0].messages == expected


def test_an_answer_that_is_sent_again_is_the_same_text(read: Read) -> None:
    """Items that stand together in an answer stand together in the next request's history."""
    output = [*_output({"type": "output_text", "text": "I look."}), {"type": "function_call", "name": "f", "arguments": "{}"}]
    (first,) = read("openai-responses", _told(output=output))
    again = {"input": [{"role": "user", "content": "Say hello."}, *output, {"role": "user", "content": "And?"}]}
    (second,) = read("openai-responses", {"request": again, "response": RESPONSE})
    assert first.output == "I look.\n\nf {}"
    assert second.messages[1] == Message("assistant", "I look.\n\nf {}")


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"input": "Hi", "instructions": None}, [Message("user", "Hi")]),
        ({"input": [], "instructions": "Be."}, [Message("system", "Be.")]),
        ({"input": {"role": "user", "content": "Hi"}}, [Message("user", "Hi")]),
        (
            {"input": "Hi", "instructions": [{"role": "developer", "content": "Be."}]},
            [Message("system", "Be."), Message("user", "Hi")],
        ),
        (
            {"prompt": {"id": "pmpt_1", "variables": {"a": "One", "b": {"type": "input_text", "text": "Two"}}}},
            [Message("user", "One\nTwo")],
        ),
        ({"previous_response_id": "resp_0"}, []),
    ],
)
def test_what_a_request_may_hold(read: Read, request_: dict[str, Any], expected: list[Message]) -> None:
    """Instructions as text or items, an input as text, items or one item, what was filled into a stored prompt."""
    assert read("openai-responses", {"request": request_, "response": RESPONSE})[0].messages == expected


@pytest.mark.parametrize(
    ("fields", "output", "outcome"),
    [
        ({"output": _output({"type": "refusal", "refusal": "I cannot."})}, "I cannot.", "refused"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}, "output": []}, None, "blocked"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "Hello.", "unknown"),
        ({"status": "failed", "error": {"code": "server_error", "message": "x"}, "output": []}, None, "unknown"),
        ({"status": "failed", "error": {"code": "bio_policy", "message": "x"}, "output": []}, None, "blocked"),
        ({"status": "failed", "error": {"code": "invalid_prompt", "message": "x"}, "output": []}, None, "blocked"),
        ({"content_filters": [{"blocked": False}, {"blocked": True, "source_type": "completion"}]}, "Hello.", "blocked"),
        ({"output_text": "Hello."}, "Hello.", "unknown"),
        ({"output": None, "output_text": "Good day."}, "Good day.", "unknown"),
        ({"output": "Good day."}, "Good day.", "unknown"),
        ({"output": [{"type": "message", "content": "Good day."}]}, "Good day.", "unknown"),
        ({"output": [{"type": "function_call", "name": "f", "arguments": "{}"}]}, "f {}", "unknown"),
        ({"output": _output({"type": "output_text", "text": "A"}, {"type": "output_text", "text": "B"})}, "A\nB", "unknown"),
    ],
)
def test_answers_and_outcomes(read: Read, fields: dict[str, Any], output: str | None, outcome: str) -> None:
    """A refusal is the answer's text; filters and policies block; other failures say nothing."""
    (found,) = read("openai-responses", _told(**fields))
    assert (found.output, found.outcome, found.answered) == (output, outcome, output is not None)


def test_a_request_that_was_turned_away_has_an_error_only(read: Read) -> None:
    """Its body holds neither object nor output."""
    error = {"error": {"message": "filtered", "type": None, "param": "prompt", "code": "content_filter", "status": 400}}
    (found,) = read("openai-responses", {"request": REQUEST, "response": {"status_code": 400, "body": error}})
    assert (found.output, found.outcome, found.answered, found.end_user) == (None, "blocked", False, "customer-1")


@pytest.mark.parametrize(
    ("request_", "response", "end_user"),
    [
        ({"safety_identifier": "s", "user": "u", "metadata": {"user_id": "m"}}, {}, "s"),
        ({"user": "u", "metadata": {"user_id": "m"}}, {"safety_identifier": "r"}, "r"),
        ({"metadata": {"user_id": "m"}}, {"user": "u"}, "u"),
        ({"metadata": {"user_id": "m"}}, {}, "m"),
        ({}, {"metadata": {"user_id": "m"}}, "m"),
        ({}, {"metadata": None}, None),
    ],
)
def test_the_end_user_stands_in_the_request_or_is_echoed(
    read: Read, request_: dict[str, Any], response: dict[str, Any], end_user: str | None
) -> None:
    """By safety_identifier, then user, then metadata.user_id."""
    record = {"request": {"input": "Hi"} | request_, "response": RESPONSE | response}
    assert read("openai-responses", record)[0].end_user == end_user


def test_a_response_alone_says_who_and_what_it_was_told(read: Read) -> None:
    """Its own user is the end user, not the host's; it repeats the instructions, never the input."""
    (found,) = read("openai-responses", RESPONSE | {"user": "customer-1", "instructions": "Be brief.", "conversation": None})
    assert (found.end_user, found.user, found.conversation) == ("customer-1", None, None)
    assert (found.messages, found.output) == ([Message("system", "Be brief.")], "Hello.")


def test_what_a_logger_adds_is_read(read: Read) -> None:
    """Its own id and time win; address and user agent come from headers."""
    headers = {"User-Agent": "client/1", "X-Forwarded-For": "198.51.100.7, 10.0.0.1", "OpenAI-Organization": "org-1"}
    extra = {"id": "log-7", "timestamp": "2026-02-03T04:05:06Z", "api_key_hash": "hash-1", "user_id": "owner-1"}
    (found,) = read("openai-responses", extra | {"request": {"headers": headers, "body": REQUEST}, "response": RESPONSE})
    assert (found.record_id, found.time) == ("log-7", datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert (found.key, found.user, found.organisation) == ("hash-1", "owner-1", "org-1")
    assert (found.address, found.user_agent, found.conversation) == ("198.51.100.7", "client/1", "conv_1")


def test_a_chat_in_the_same_log_is_read_as_a_chat(read: Read) -> None:
    """A proxy writes both into one file."""
    record = {"request": CHAT, "response": COMPLETION}
    assert read("openai-responses", record) == read("openai-chat", record)


def test_items_that_cannot_be_read_are_flaws() -> None:
    """The rest of the exchange is kept."""
    said = ["Hi", 5, {"type": "unheard_of"}, {"type": "message", "role": "nobody", "content": "x"}]
    record = {"request": {"input": said}, "response": RESPONSE | {"output": [*RESPONSE["output"], 7]}}  # type: ignore[misc]
    parsed = RESPONSES.parse_records([Raw("line 3", json.dumps(record).encode())])
    assert [item.messages for item in parsed.items if isinstance(item, Exchange)] == [[Message("user", "Hi")]]
    assert [reject.place for reject in parsed.rejects] == [
        "line 3, input 1", "line 3, input 2", "line 3, input 3", "line 3, output 2",
    ]  # fmt: skip
    assert [reject.data for reject in parsed.rejects][:2] == [b"5", b'{"type":"unheard_of"}']


def test_a_bad_response_in_a_list_is_one_reject() -> None:
    """The others are read."""
    record = {"object": "list", "data": [RESPONSE, 5, RESPONSE | {"output": [6]}, RESPONSE | {"output": 1}]}
    parsed = RESPONSES.parse_records([Raw("line 3", json.dumps(record).encode())])
    assert len(parsed.items) == 2
    assert [reject.place for reject in parsed.rejects] == ["line 3, data 1", "line 3, data 2, output 0", "line 3, data 3"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "neither a request nor an answer"),
        ({"request": {"model": "m"}, "response": None}, "neither a request nor an answer"),
        ({"request": {"input": 5}, "response": RESPONSE}, "input is neither a text nor a list"),
        ({"request": REQUEST, "response": RESPONSE | {"output": 5}}, "output is no list"),
        ({"request": REQUEST | {"conversation": {"id": ["secret"]}}, "response": RESPONSE}, "conversation is no id"),
        ({"request": REQUEST, "response": RESPONSE | {"created_at": "soon-secret"}}, "time is no time"),
    ],
)
def test_what_cannot_be_an_exchange_is_told(record: dict[str, Any], reason: str) -> None:
    """Without a value of the record."""
    with pytest.raises(RecordError, match=reason) as caught:
        RESPONSES.parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(caught.value)


def test_deep_content_ends_in_a_flaw() -> None:
    """Nothing follows a record down without measure."""
    content: Any = "deep"
    for _ in range(50):
        content = [content]
    found = list(RESPONSES.read({"request": {"input": [{"role": "user", "content": content}]}, "response": RESPONSE}, None))  # type: ignore[arg-type]
    assert isinstance(found[0], Exchange) and found[0].messages == []
    assert isinstance(found[1], Flaw) and "nested more than four deep" in str(found[1].wrong)
