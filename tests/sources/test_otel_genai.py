"""Calls of a model as OpenTelemetry records them, of every generation of its conventions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from backlight.errors import RecordError
from backlight.sources import FORMATS, Exchange, Message, Parsed, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Exchange]]
TRACE = "5b8efff798038103d269b633813fc60c"
START = 1_767_225_600_250_000_000
ASKED = [
    {"role": "user", "parts": [{"type": "text", "content": "What is the weather in Oslo?"}]},
    {"role": "assistant", "parts": [{"type": "tool_call", "id": "c-1", "name": "weather", "arguments": {"city": "Oslo"}}]},
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c-1", "response": "rain, 4 degrees"}]},
]
TOLD = [{"role": "assistant", "parts": [{"type": "text", "content": "It rains."}], "finish_reason": "stop"}]
SYSTEM = [{"type": "text", "content": "Be brief."}]
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "example",
    "gen_ai.request.model": "model-a",
    "gen_ai.response.model": "model-a-1",
    "gen_ai.response.id": "resp-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.usage.input_tokens": 21,
    "gen_ai.usage.output_tokens": 4,
    "gen_ai.conversation.id": "conv-1",
}
CONTENT = {"gen_ai.system_instructions": SYSTEM, "gen_ai.input.messages": ASKED, "gen_ai.output.messages": TOLD}
WHO = {
    "user.id": "user-1",
    "enduser.pseudo.id": "customer-1",
    "client.address": "198.51.100.7",
    "user_agent.original": "Browser/1.0",
}
MESSAGES = [
    Message("system", "Be brief."),
    Message("user", "What is the weather in Oslo?"),
    Message("assistant", 'weather {"city":"Oslo"}'),
    Message("tool", "rain, 4 degrees"),
]
EXPECTED = Exchange(
    record_id=f"{TRACE}/eee19b7ec3c1b174",
    time=datetime(2026, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC),
    messages=MESSAGES,
    output="It rains.",
    conversation="conv-1",
    end_user="customer-1",
    user="user-1",
    address="198.51.100.7",
    user_agent="Browser/1.0",
    model="model-a",
    tokens_in=21,
    tokens_out=4,
)


def _any(value: Any) -> dict[str, Any]:
    """A value as OTLP writes it."""
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any(part) for part in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}


def _pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in values.items()]


def _span(attributes: dict[str, Any], own: str = "eee19b7ec3c1b174", parent: str = "", **more: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": own,
        "parentSpanId": parent,
        "name": "chat model-a",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": str(START + 10**9),
        "attributes": _pairs(attributes),
    } | more


def _page(*spans: Any, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    scope = {"scope": {"name": "instrumentation"}, "spans": list(spans)}
    return {
        "resourceSpans": [{"resource": {"attributes": _pairs(resource or {"service.name": "shop"})}, "scopeSpans": [scope]}]
    }


def _log(name: str, body: Any = None, own: str = "eee19b7ec3c1b174", **more: Any) -> dict[str, Any]:
    record = {"timeUnixNano": str(START), "traceId": TRACE, "spanId": own, "eventName": name, "attributes": []}
    return record | ({} if body is None else {"body": _any(body)}) | more


def _logs(*found: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": list(found)}]}]}


def _parsed(record: Any) -> Parsed:
    return FORMATS["otel-genai"].parse_records([Raw("line 1", json.dumps(record).encode())])


def _one(read: Read, attributes: dict[str, Any], **more: Any) -> Exchange:
    (found,) = read("otel-genai", _page(_span(CALL | attributes, **more)))
    return found


# --- the current generation


@pytest.mark.parametrize("wrap", [lambda value: value, json.dumps])
def test_a_span_with_content_in_its_attributes_is_an_exchange(read: Read, wrap: Callable[[Any], Any]) -> None:
    """Structured, or as JSON in strings."""
    content = {name: wrap(value) for name, value in CONTENT.items()}
    assert read("otel-genai", _page(_span(CALL | content | WHO))) == [EXPECTED]


def test_content_in_the_details_event_of_a_span_is_read(read: Read) -> None:
    """As where attributes of spans may hold plain values only."""
    event = {"name": "gen_ai.client.inference.operation.details", "attributes": _pairs(CONTENT)}
    assert read("otel-genai", _page(_span(CALL | WHO, events=[event]))) == [EXPECTED]


def test_the_details_event_as_a_log_record_is_read(read: Read) -> None:
    """Other log records of the page are none of ours."""
    details = _log("gen_ai.client.inference.operation.details", attributes=_pairs(CALL | CONTENT | WHO))
    scored = _log("gen_ai.evaluation.result", attributes=_pairs({"gen_ai.response.id": "resp-1"}))
    plain = {"timeUnixNano": str(START), "body": {"stringValue": "started"}, "attributes": _pairs(CALL)}
    assert read("otel-genai", _logs(plain, details, scored)) == [EXPECTED]


def test_a_flattened_span_is_an_exchange(read: Read) -> None:
    """As the console exporter of the Python SDK writes it."""
    span = {
        "name": "chat model-a",
        "context": {"trace_id": f"0x{TRACE}", "span_id": "0xeee19b7ec3c1b174", "trace_state": "[]"},
        "parent_id": None,
        "start_time": "2026-01-01T00:00:00.250000Z",
        "attributes": CALL | {name: json.dumps(value) for name, value in CONTENT.items()},
        "events": [],
        "resource": {"attributes": WHO, "schema_url": ""},
    }
    (found,) = read("otel-genai", span)
    assert found.record_id == f"0x{TRACE}/0xeee19b7ec3c1b174"
    assert (found.time, found.messages, found.output) == (EXPECTED.time, MESSAGES, "It rains.")
    assert (found.end_user, found.user, found.address) == ("customer-1", "user-1", "198.51.100.7")


def test_a_row_of_clickhouse_is_an_exchange(read: Read) -> None:
    """All attributes are text there, and events are two lists."""
    row = {
        "Timestamp": "2026-01-01 00:00:00.250000000",
        "TraceId": TRACE,
        "SpanId": "eee19b7ec3c1b174",
        "SpanAttributes": {name: value if isinstance(value, str) else json.dumps(value) for name, value in CALL.items()},
        "ResourceAttributes": WHO,
        "Events.Name": ["gen_ai.client.inference.operation.details"],
        "Events.Attributes": [{name: json.dumps(value) for name, value in CONTENT.items()}],
    }
    assert read("otel-genai", row) == [EXPECTED]


def test_attributes_may_be_fields_of_the_record(read: Read) -> None:
    """Beside its ids."""
    row = CALL | CONTENT | WHO | {"trace_id": TRACE, "span_id": "eee19b7ec3c1b174", "timestamp": START}
    assert read("otel-genai", row) == [EXPECTED]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"type": "text", "content": "Hi."}, "Hi."),
        ({"type": "reasoning", "content": "Hm."}, ""),
        ({"type": "blob", "modality": "image", "mime_type": "image/png", "content": "iVBORw0="}, ""),
        ({"type": "uri", "modality": "image", "uri": "https://example.com/a.png"}, ""),
        ({"type": "tool_call", "name": "find", "arguments": '{"q": 1}'}, 'find {"q": 1}'),
        ({"type": "tool_call_response", "response": {"n": 2}}, '{"n":2}'),
        ({"type": "tool_call_response", "result": "two"}, "two"),
        ({"type": "server_tool_call", "name": "search", "server_tool_call": {"q": "x"}}, 'search {"q":"x"}'),
        ({"type": "a_new_one", "content": "Hi."}, "Hi."),
        ({"type": "a_new_one", "data": 1}, ""),
    ],
)
def test_parts_of_a_message(read: Read, part: dict[str, Any], text: str) -> None:
    """Text and tool calls are text, pictures and reasoning are not."""
    asked = json.dumps([{"role": "user", "parts": [part]}])
    assert _one(read, {"gen_ai.input.messages": asked}).messages == [Message("user", text)]


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ("Hello?", [Message("user", "Hello?")]),
        ('{"colour": "red"}', [Message("user", '{"colour": "red"}')]),
        ("[1, 2]", [Message("user", "[1, 2]")]),
        ('[{"role": "user", "content": "Hi."}]', [Message("user", "Hi.")]),
        ('{"version": "0.1.0", "messages": [{"role": "developer", "content": "Hi."}]}', [Message("system", "Hi.")]),
    ],
)
def test_other_spellings_of_messages_are_read(read: Read, value: str, messages: list[Message]) -> None:
    """A plain text, content in place of parts, messages below a name."""
    assert _one(read, {"gen_ai.input.messages": value}).messages == messages


def test_several_answers_are_joined(read: Read) -> None:
    """A blank line between them."""
    two = [*TOLD, {"role": "assistant", "parts": [{"type": "text", "content": "Rain."}], "finish_reason": "length"}]
    assert _one(read, {"gen_ai.output.messages": two}).output == "It rains.\n\nRain."


@pytest.mark.parametrize(
    ("attributes", "outcome"),
    [
        ({"gen_ai.response.finish_reasons": ["content_filter"]}, "blocked"),
        ({"gen_ai.response.finish_reasons": '["SAFETY"]'}, "blocked"),
        ({"gen_ai.response.finish_reasons": ["refusal"]}, "refused"),
        ({"gen_ai.output.messages": [TOLD[0] | {"finish_reason": "content_filter"}]}, "blocked"),
        ({"gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "refusal", "content": "No."}]}]}, "refused"),
        ({"error.type": "content_filter"}, "blocked"),
        ({"error.type": "timeout"}, "unknown"),
    ],
)
def test_outcomes_are_those_of_the_provider(read: Read, attributes: dict[str, Any], outcome: str) -> None:
    """Failures of other kinds say nothing."""
    assert _one(read, attributes).outcome == outcome


# --- older generations

EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("gen_ai.system.message", {"content": "Be brief."}),
    ("gen_ai.user.message", {"content": "What is the weather in Oslo?", "role": "customer"}),
    (
        "gen_ai.assistant.message",
        {"tool_calls": [{"id": "c-1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}]},
    ),
    ("gen_ai.tool.message", {"id": "c-1", "content": "rain, 4 degrees"}),
    ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It rains."}}),
]


def test_an_event_for_each_message_on_a_span_is_read(read: Read) -> None:
    """Their bodies stand in an attribute, as JSON in a string."""
    events = [{"name": name, "attributes": _pairs({"gen_ai.event.content": json.dumps(body)})} for name, body in EVENTS]
    assert read("otel-genai", _page(_span(CALL | WHO, events=events))) == [EXPECTED]


def test_fields_of_a_message_may_be_the_event_s_attributes(read: Read) -> None:
    """With parts of another kind as JSON in strings."""
    events = [
        ("gen_ai.user.message", {"content": '[{"text": "What is the weather in Oslo?"}]'}),
        ("gen_ai.assistant.message", {"content": '[{"toolUse": {"name": "weather", "input": {"city": "Oslo"}}}]'}),
        ("gen_ai.tool.message", {"content": '[{"toolResult": {"content": [{"text": "rain, 4 degrees"}]}}]'}),
        ("gen_ai.choice", {"finish_reason": "end_turn", "message": "It rains."}),
    ]
    found = _one(read, {}, events=[{"name": name, "attributes": _pairs(fields)} for name, fields in events])
    assert (found.messages, found.output) == (MESSAGES[1:], "It rains.")


def test_log_records_of_a_span_are_one_exchange(read: Read) -> None:
    """What only the span says, such as the model, is not there."""
    other = _log("gen_ai.user.message", {"content": "Hi."}, own="00f067aa0ba902b7")
    first, *rest = [_log(name, body) for name, body in EVENTS]
    one, two = read("otel-genai", _logs(first, other, *rest))
    assert one == Exchange(record_id=EXPECTED.record_id, time=EXPECTED.time, messages=MESSAGES, output="It rains.")
    assert (two.messages, two.output, two.answered) == ([Message("user", "Hi.")], None, False)


def test_log_records_without_a_span_stand_alone(read: Read) -> None:
    """With the name of the event where it stood before it had a field."""
    named = {"attributes": _pairs({"event.name": "gen_ai.user.message", "session.id": "s-1"}), "eventName": ""}
    found = read("otel-genai", _logs(*[_log("", {"content": text}, own="", **named) for text in ("One.", "Two.")]))
    assert [(one.messages[0].text, one.conversation) for one in found] == [("One.", "s-1"), ("Two.", "s-1")]


def test_a_flattened_event_is_an_exchange(read: Read) -> None:
    """Of what it says: a message or an answer."""
    (found,) = read(
        "otel-genai",
        {
            "event_name": "gen_ai.choice",
            "body": {"index": 0, "finish_reason": "content_filter", "message": {"content": "It rains."}},
            "attributes": {"gen_ai.system": "example"},
            "timestamp": "2026-01-01T00:00:00.250000Z",
            "trace_id": TRACE,
            "span_id": "eee19b7ec3c1b174",
        },
    )
    assert (found.messages, found.output, found.outcome) == ([], "It rains.", "blocked")


def test_prompt_and_completion_of_the_first_conventions_are_read(read: Read) -> None:
    """In two events of the span."""
    events = [
        {"name": "gen_ai.content.prompt", "attributes": _pairs({"gen_ai.prompt": '[{"role": "user", "content": "Hi."}]'})},
        {"name": "gen_ai.content.completion", "attributes": _pairs({"gen_ai.completion": "Hello."})},
    ]
    found = _one(read, {}, events=events)
    assert (found.messages, found.output) == ([Message("user", "Hi.")], "Hello.")


def test_messages_spread_over_numbered_attributes_are_read(read: Read) -> None:
    """In the order of their numbers; the operation has another name there."""
    attributes = {
        "llm.request.type": "chat",
        "gen_ai.request.model": "model-a",
        "gen_ai.usage.prompt_tokens": 21,
        "gen_ai.usage.completion_tokens": 4,
        "gen_ai.prompt.10.role": "user",
        "gen_ai.prompt.10.content": '[{"type": "text", "text": "And now?"}]',
        "gen_ai.prompt.2.role": "assistant",
        "gen_ai.prompt.2.tool_calls.0.name": "weather",
        "gen_ai.prompt.2.tool_calls.0.arguments": "{}",
        "gen_ai.prompt.0.content": "What is the weather in Oslo?",
        "gen_ai.prompt.prompt_filter_results": "[]",
        "gen_ai.completion.0.content": "It rains.",
        "gen_ai.completion.0.finish_reason": "content_filter",
    }
    (found,) = read("otel-genai", _page(_span(attributes)))
    assert found.messages == [MESSAGES[1], Message("assistant", "weather {}"), Message("user", "And now?")]
    assert (found.output, found.outcome, found.tokens_in, found.tokens_out) == ("It rains.", "blocked", 21, 4)


# --- what is a call, and who made it


def test_a_call_without_content_is_an_exchange_without_messages(read: Read) -> None:
    """Whether there was an answer is known from its id."""
    assert _one(read, WHO) == replace(EXPECTED, messages=[], output=None, answered=True)
    failed = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "model-a", "error.type": "timeout"}
    assert [one.answered for one in read("otel-genai", _page(_span(failed)))] == [False]


@pytest.mark.parametrize(
    "attributes",
    [
        {"http.request.method": "POST"},
        {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "model-e"},
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
        {"gen_ai.agent.name": "helper"},
    ],
)
def test_other_spans_are_no_exchange(read: Read, attributes: dict[str, Any]) -> None:
    """Neither are they wrong; nor are metrics."""
    assert read("otel-genai", _page(_span(attributes))) == []
    assert read("otel-genai", {"attributes": attributes, "span_id": "1"}) == []
    assert read("otel-genai", {"resourceMetrics": [{"scopeMetrics": []}]}) == []


def test_an_agent_around_calls_of_the_page_is_left_out(read: Read) -> None:
    """Its calls say what it says; alone it is an exchange, and so it is where they say nothing."""
    agent = _span({"gen_ai.operation.name": "invoke_agent"} | CONTENT, own="a1")
    inner = _span({"gen_ai.agent.name": "helper"}, own="a2", parent="a1")
    ids = [found.record_id for found in read("otel-genai", _page(agent, inner, _span(CALL | CONTENT, parent="a2")))]
    assert ids == [f"{TRACE}/eee19b7ec3c1b174"]
    assert [found.output for found in read("otel-genai", _page(agent))] == ["It rains."]
    assert [found.output for found in read("otel-genai", _page(agent, _span(CALL, parent="a1")))] == ["It rains.", None]


def test_a_call_that_is_recorded_twice_is_read_once(read: Read) -> None:
    """By a framework and by the client it uses; a call below another with an answer of its own is another call."""
    other = CONTENT | {"gen_ai.output.messages": "Sun."}
    twice = _page(_span(CALL | CONTENT, own="a1"), _span(CALL | CONTENT, parent="a1"))
    apart = _page(_span(CALL | CONTENT, own="a1"), _span(CALL | other, parent="a1"))
    bare = _page(_span(CALL, own="a1"), _span(CALL, parent="a1"))
    assert [[found.output for found in read("otel-genai", page)] for page in (twice, apart, bare)] == [
        ["It rains."],
        ["It rains.", "Sun."],
        [None],
    ]


def test_a_call_whose_tool_calls_a_model_is_kept(read: Read) -> None:
    """What it said is not what the tool said."""
    tool = _span({"gen_ai.operation.name": "execute_tool"}, own="b2", parent="eee19b7ec3c1b174")
    found = read("otel-genai", _page(_span(CALL | CONTENT), tool, _span(CALL | CONTENT, own="b3", parent="b2")))
    assert [one.record_id for one in found] == [f"{TRACE}/eee19b7ec3c1b174", f"{TRACE}/b3"]


def test_spans_in_a_ring_are_all_kept(read: Read) -> None:
    """Nobody is around the other."""
    found = read(
        "otel-genai", _page(_span(CALL | CONTENT, own="c1", parent="c2"), _span(CALL | CONTENT, own="c2", parent="c1"))
    )
    assert [one.record_id for one in found] == [f"{TRACE}/c1", f"{TRACE}/c2"]


def test_who_asked_is_told_by_the_spans_above(read: Read) -> None:
    """The nearest user, the outermost address; what the call says itself goes first, what its resource says last."""
    outer = _span({"client.address": "203.0.113.5", "user_agent.original": "Browser/1.0", "user.id": "u-0"}, own="d1")
    inner = _span({"client.address": "192.0.2.9", "user_agent.original": "service/2", "user.id": "u-1"}, own="d2", parent="d1")
    call = _span(CALL | {"enduser.id": "e-1", "session.id": "s-1"}, parent="d2")
    (found,) = read("otel-genai", _page(outer, inner, call, resource={"enduser.id": "e-9", "enduser.pseudo.id": "p-9"}))
    assert (found.address, found.user_agent, found.user) == ("203.0.113.5", "Browser/1.0", "u-1")
    assert (found.end_user, found.conversation) == ("e-1", "conv-1")


def test_a_session_stands_in_for_a_conversation(read: Read) -> None:
    """Where the call names none."""
    (found,) = read("otel-genai", _page(_span({"gen_ai.operation.name": "chat"}), resource={"session.id": "s-1"}))
    assert found.conversation == "s-1"


# --- what is wrong


@pytest.mark.parametrize(
    ("record", "wrong"),
    [
        ({"messages": "secret"}, "neither a page of OTLP nor a span"),
        ({"attributes": "secret", "span_id": "1"}, "attributes are neither a list nor an object"),
        ({"attributes": CALL, "span_id": ["secret"]}, "spanId is no id"),
        ({"attributes": CALL, "start_time": "secret"}, "time is no time"),
        ({"attributes": CALL | {"user.id": {"v": "secret"}}}, "user.id is no id"),
        ({"attributes": CALL | {"gen_ai.input.messages": [{"content": "secret"}]}}, "a message without a role"),
        ({"attributes": CALL | {"gen_ai.input.messages": [{"role": "secret", "content": ""}]}}, "a role that is not known"),
        (
            {"attributes": CALL | {"gen_ai.input.messages": '[{"role": "secr'}},
            "gen_ai.input.messages is JSON that is not whole",
        ),
        ({"attributes": {"openinference.span.kind": "LLM", "input.value": "secret"}}, "in other conventions"),
        (_page(_span({}) | {"attributes": "secret"}), "attributes are neither a list nor an object"),
        (_page(_span({"openinference.span.kind": "LLM", "input.value": "secret"})), "in other conventions"),
        ({"resourceSpans": "secret"}, "no object"),
        ({"resourceLogs": [{"scopeLogs": [{"logRecords": ["secret"]}]}]}, "no object"),
    ],
)
def test_what_is_wrong_is_told_without_its_values(record: dict[str, Any], wrong: str) -> None:
    """Of pages, spans, attributes and messages."""
    with pytest.raises(RecordError, match=wrong) as caught:
        FORMATS["otel-genai"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(caught.value) and "secr" not in str(caught.value)


def test_a_bad_span_of_a_page_is_one_reject() -> None:
    """The others are read."""
    parsed = _parsed(_page(5, _span(CALL | CONTENT | WHO), _span(CALL, startTimeUnixNano="soon")))
    assert parsed.items == [EXPECTED]
    assert [reject.place for reject in parsed.rejects] == [
        "line 1, resourceSpans 0, scopeSpans 0, spans 0",
        "line 1, resourceSpans 0, scopeSpans 0, spans 2",
    ]


def test_content_that_was_cut_off_is_a_reject_and_its_call_is_kept() -> None:
    """With the part of its content that is whole."""
    parsed = _parsed(_page(_span(CALL | CONTENT | WHO | {"gen_ai.input.messages": json.dumps(ASKED)[:40]})))
    assert [(item.messages, item.output) for item in parsed.items if isinstance(item, Exchange)] == [
        (MESSAGES[:1], "It rains.")
    ]
    assert [reject.place for reject in parsed.rejects] == ["line 1, resourceSpans 0, scopeSpans 0, spans 0"]


def test_a_bad_message_of_log_records_is_a_reject_and_the_rest_is_kept() -> None:
    """All records of the span stand in the reject."""
    parsed = _parsed(
        _logs(_log("gen_ai.user.message", {"content": "Hi."}), _log("gen_ai.choice", {"message": {"content": True}}))
    )
    assert [item.messages for item in parsed.items if isinstance(item, Exchange)] == [[Message("user", "Hi.")]]
    assert [len(json.loads(reject.data)) for reject in parsed.rejects] == [2]


def test_values_nested_without_end_are_wrong() -> None:
    """At 32 levels."""
    deep: Any = "end"
    for _ in range(40):
        deep = [deep]
    parsed = _parsed(_page(_span(CALL | {"gen_ai.input.messages": deep})))
    assert [reject.reason for reject in parsed.rejects] == ["a value nested more than 32 deep"]


# --- detection


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (_page(_span(CALL | CONTENT)), "otel-genai"),
        (_page(_span({"http.request.method": "POST"})), "otel-genai"),
        (_logs(_log("gen_ai.user.message", {"content": "Hi."})), "otel-genai"),
        ({"name": "chat", "context": {"trace_id": "0x1"}, "attributes": CALL, "events": []}, "otel-genai"),
        ({"span_id": "1", "attributes": _pairs(CALL)}, "otel-genai"),
        ({"TraceId": "1", "SpanAttributes": json.dumps(CALL)}, "otel-genai"),
        ({"span_id": "1", **CALL}, "otel-genai"),
        ({"messages": [{"role": "user", "content": "Hi."}], "gen_ai_model": "m", "attributes": {"a": 1}}, "messages"),
        ({"request": {"messages": [{"role": "user", "content": "Hi."}]}, "response": {"choices": []}}, "openai-chat"),
        ({"span_id": "1", "trace_id": "2", "attributes": {"http.request.method": "GET"}}, None),
        ({"resourceMetrics": [{"scopeMetrics": []}]}, None),
    ],
)
def test_spans_are_told_from_other_records(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """A page by its field, a flattened span by the names of its attributes."""
    file = tmp_path / "spans.jsonl"
    file.write_text((json.dumps(record) + "\n") * 3)
    found = detect(file)
    assert (found.format and found.format.name, found.confidence >= 0.8) == (name, name is not None)


def test_spans_printed_on_many_lines_are_read(tmp_path: Path) -> None:
    """One object after the other, as the console shows them."""
    file = tmp_path / "console.json"
    file.write_text("\n".join(json.dumps({"name": "chat", "attributes": CALL}, indent=4) for _ in range(3)))
    with open_source(file) as opened:
        form = detect(opened).format
        assert form is not None and len(form.parse_records(records(opened, form)).items) == 3
