"""Langfuse traces and observations, in the API's layout and in that of storage exports."""

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
from backlight.sources import FORMATS, Exchange, Message, Parsed, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Exchange]]
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say good morning."}]
MESSAGES = [Message("system", "Be brief."), Message("user", "Say good morning.")]
TIME = datetime(2026, 1, 1, tzinfo=UTC)


def observation(**changes: Any) -> dict[str, Any]:
    """A generation as the API gives it."""
    return {
        "id": "obs-1",
        "traceId": "trace-1",
        "projectId": "project-1",
        "type": "GENERATION",
        "environment": "default",
        "parentObservationId": None,
        "startTime": "2026-01-01T00:00:00.000Z",
        "endTime": "2026-01-01T00:00:01.000Z",
        "name": "answer",
        "level": "DEFAULT",
        "statusMessage": None,
        "metadata": {},
        "input": ASKED,
        "output": {"role": "assistant", "content": "Good morning."},
        "model": "model-a",
        "usageDetails": {"input": 12, "output": 3, "total": 15},
    } | changes


def row(**changes: Any) -> dict[str, Any]:
    """A generation as the enriched export to storage writes it."""
    return {
        "id": "obs-1",
        "trace_id": "trace-1",
        "project_id": "project-1",
        "environment": "default",
        "type": "GENERATION",
        "parent_observation_id": "",
        "start_time": "2026-01-01 00:00:00.000000",
        "end_time": "2026-01-01 00:00:01.000000",
        "metadata": {"ip": "198.51.100.7", "user_agent": "client/1"},
        "input": json.dumps({"messages": ASKED, "tools": []}),
        "output": json.dumps({"role": "assistant", "content": "Good morning."}),
        "provided_model_name": "model-a",
        "usage_details": {"input": 12, "output": 3},
        "user_id": "customer-1",
        "session_id": "session-1",
        "trace_name": "chat",
    } | changes


def trace(**changes: Any) -> dict[str, Any]:
    """A trace as the API lists it."""
    return {
        "id": "trace-1",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "name": "chat",
        "input": "Say good morning.",
        "output": "Good morning.",
        "sessionId": "session-1",
        "userId": "customer-1",
        "release": None,
        "version": None,
        "metadata": {"ip": "198.51.100.7"},
        "tags": ["web"],
        "public": False,
        "environment": "default",
        "observations": ["obs-1"],
        "scores": [],
    } | changes


def parsed(record: Any) -> Parsed:
    """Items and rejects of one record."""
    return FORMATS["langfuse"].parse_records([Raw("line 1", json.dumps(record).encode())])


FULL = Exchange(
    record_id="obs-1",
    time=TIME,
    messages=MESSAGES,
    output="Good morning.",
    conversation="session-1",
    end_user="customer-1",
    address="198.51.100.7",
    user_agent="client/1",
    model="model-a",
    tokens_in=12,
    tokens_out=3,
)


def test_a_row_of_the_storage_export_is_an_exchange(read: Read) -> None:
    """Snake case, JSON in strings, user and session in the row."""
    assert read("langfuse", row()) == [FULL]


def test_an_observation_of_the_api_is_an_exchange(read: Read) -> None:
    """Camel case, values as they are; user and session where the newer API gives them."""
    extra = {"userId": "customer-1", "sessionId": "session-1", "metadata": {"ip": "198.51.100.7", "userAgent": "client/1"}}
    assert read("langfuse", observation(**extra)) == [FULL]
    newer = {name: value for name, value in observation(**extra).items() if name != "model"}
    assert read("langfuse", newer | {"providedModelName": "model-a"}) == [FULL]


def test_a_row_of_csv_is_an_exchange(read: Read) -> None:
    """Objects are JSON in cells, nothing is an empty cell."""
    cells = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row().items()}
    assert read("langfuse", cells) == [FULL]
    (empty,) = read("langfuse", cells | {"user_id": "", "session_id": "", "metadata": "", "output": "", "usage_details": ""})
    assert (empty.end_user, empty.conversation, empty.answered, empty.tokens_in) == (None, None, False, None)


def test_maps_of_parquet_are_read(read: Read) -> None:
    """They become lists of pairs."""
    pairs = {"metadata": [["ip", "198.51.100.7"], ["user_agent", "client/1"]], "usage_details": [["input", 12], ["output", 3]]}
    assert read("langfuse", row(**pairs)) == [FULL]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Hi.", [Message("user", "Hi.")]),
        ('"Hi."', [Message("user", "Hi.")]),
        (json.dumps(json.dumps({"messages": [{"type": "human", "content": "Hi."}]})), [Message("user", "Hi.")]),
        (json.dumps({"args": ["Hi."], "kwargs": {}}), [Message("user", "Hi.")]),
        ({"question": "Hi."}, [Message("user", "Hi.")]),
        ([{"role": "user", "parts": [{"type": "text", "content": "Hi."}]}], [Message("user", "Hi.")]),
        ([*ASKED, {"role": "tool", "content": {"type": "function", "function": {"name": "look_up"}}}], MESSAGES),
        ({"config": {"system_instruction": "Be brief."}, "contents": "Say good morning."}, MESSAGES),
        ("{not JSON", [Message("user", "{not JSON")]),
        ('{"a": 1}', [Message("user", '{"a": 1}')]),
        ({"a": 1}, [Message("user", '{"a":1}')]),
        ([1, 2], [Message("user", "[1,2]")]),
        (None, []),
    ],
)
def test_inputs_of_any_shape(read: Read, value: Any, expected: list[Message]) -> None:
    """Texts, messages, arguments, JSON in a string in a string; tools among the messages are nobody's words."""
    assert read("langfuse", observation(input=value))[0].messages == expected


@pytest.mark.parametrize(
    ("value", "output", "outcome"),
    [
        ("Hi.", "Hi.", "unknown"),
        ('"Hi."', "Hi.", "unknown"),
        ({"choices": [{"message": {"content": "Hi."}, "finish_reason": "stop"}]}, "Hi.", "unknown"),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, None, "blocked"),
        ([{"role": "assistant", "parts": [{"type": "text", "content": "Hi."}], "finish_reason": "stop"}], "Hi.", "unknown"),
        ({"role": "assistant", "content": "", "additional_kwargs": {"refusal": "I cannot."}}, "I cannot.", "refused"),
        (
            {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finish_reason": "STOP"}]},
            "Hi.",
            "unknown",
        ),
        ({"candidates": [{"finish_reason": "SAFETY"}]}, None, "blocked"),
        ({"candidates": [], "prompt_feedback": {"block_reason": "PROHIBITED_CONTENT"}}, None, "blocked"),
        ({"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finish_reason": "STOP"}, "Hi.", "unknown"),
        ({"answer": "Hi."}, "Hi.", "unknown"),
        (None, None, "unknown"),
    ],
)
def test_outputs_of_any_shape(read: Read, value: Any, output: str | None, outcome: str) -> None:
    """Texts, messages, responses of several providers."""
    (found,) = read("langfuse", observation(output=value))
    assert (found.output, found.outcome, found.answered) == (output, outcome, output is not None)


def test_a_failure_at_a_content_filter_blocks(read: Read) -> None:
    """By level and message; other failures say nothing."""
    failed = {"output": None, "level": "ERROR", "statusMessage": "Error code: 400 - {'code': 'content_filter'}"}
    assert read("langfuse", observation(**failed))[0].outcome == "blocked"
    assert read("langfuse", observation(**failed | {"statusMessage": "timed out"}))[0].outcome == "unknown"


STEPS = ("SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")


@pytest.mark.parametrize("kind", STEPS)
def test_steps_around_a_generation_give_no_row(read: Read, kind: str) -> None:
    """In either layout."""
    assert read("langfuse", observation(type=kind)) == []
    assert read("langfuse", row(type=kind)) == []


def test_a_trace_alone_is_an_exchange(read: Read) -> None:
    """In either layout; ids of observations say that they stand elsewhere."""
    expected = Exchange(
        record_id="trace-1",
        time=TIME,
        messages=[Message("user", "Say good morning.")],
        output="Good morning.",
        conversation="session-1",
        end_user="customer-1",
        address="198.51.100.7",
    )
    snake = {"timestamp": "2026-01-01 00:00:00.000000", "user_id": "customer-1", "session_id": "session-1"}
    plain = {name: trace()[name] for name in ("id", "input", "output", "metadata", "tags", "release", "version")}
    assert read("langfuse", trace()) == [expected]
    assert read("langfuse", plain | snake) == [expected]


def test_a_trace_without_texts_gives_no_row(read: Read) -> None:
    """It is the roof of observations that stand elsewhere."""
    assert read("langfuse", trace(input=None, output=None)) == []


def test_generations_inside_a_trace_are_its_exchanges(read: Read) -> None:
    """They have its user, session and metadata; its own texts, which are theirs, give no row."""
    inside = [observation(type="SPAN", id="span-1"), observation(metadata={"user_agent": "client/1"})]
    assert read("langfuse", trace(observations=inside)) == [FULL]
    assert read("langfuse", {"trace": trace(observations=None), "observations": inside}) == [FULL]


def test_a_trace_with_steps_alone_is_its_own_exchange(read: Read) -> None:
    """Nothing else holds what was said."""
    (found,) = read("langfuse", {"trace": trace(), "observations": [observation(type="SPAN")]})
    assert (found.record_id, found.output) == ("trace-1", "Good morning.")


def test_a_thread_in_metadata_is_the_conversation(read: Read) -> None:
    """Where there is no session; attributes of OpenTelemetry are looked into, as JSON in a string too."""
    attributes = json.dumps({"client.address": "203.0.113.9", "user_agent.original": "client/2", "user.id": "customer-2"})
    (found,) = read("langfuse", observation(metadata={"thread_id": "thread-1", "attributes": attributes}))
    assert (found.conversation, found.end_user) == ("thread-1", "customer-2")
    assert (found.address, found.user_agent) == ("203.0.113.9", "client/2")


def test_pages_and_sessions_are_many(read: Read) -> None:
    """A page of observations, a page of traces, a session with its traces."""
    assert len(read("langfuse", {"data": [observation(), observation(type="SPAN")], "meta": {"cursor": "c"}})) == 1
    assert len(read("langfuse", {"data": [trace(), trace()], "meta": {"page": 1}})) == 2
    assert len(read("langfuse", {"id": "session-1", "projectId": "project-1", "traces": [trace(), trace()]})) == 2


def test_a_bad_part_is_one_reject() -> None:
    """Of a page, of a trace, of the messages; the rest is kept."""
    page = parsed({"data": [observation(), 5, observation(startTime="soon"), trace()], "meta": {}})
    assert ([r.place for r in page.rejects], len(page.items)) == (["line 1, data 1", "line 1, data 2"], 2)
    inside = parsed(trace(observations=[observation(), observation(type="DANCE")]))
    assert ([r.place for r in inside.rejects], len(inside.items)) == (["line 1, observations 1"], 1)
    message = parsed({"data": [observation(input=[*ASKED, {"role": "ghost", "content": "Boo."}])]})
    assert ([r.place for r in message.rejects], len(message.items)) == (["line 1, data 0, message 2"], 1)


@pytest.mark.parametrize(
    "bad",
    [
        observation(type="DANCE"),
        observation(startTime="soon"),
        observation(userId=["dance"]),
        observation(metadata=5),
        observation(usageDetails="soon"),
        trace(timestamp="soon"),
        {"id": "dance"},
    ],
)
def test_a_wrong_record_is_a_reject(bad: dict[str, Any]) -> None:
    """The reason quotes nothing."""
    with pytest.raises(RecordError) as caught:
        FORMATS["langfuse"].parse(Raw("line 1", json.dumps(bad).encode()))
    assert "dance" not in str(caught.value).lower() and "soon" not in str(caught.value)


@pytest.mark.parametrize(
    "record",
    [
        observation(),
        observation(type="SPAN", input=None),
        row(),
        trace(),
        {
            "id": "t",
            "timestamp": "2026-01-01",
            "user_id": None,
            "session_id": None,
            "release": None,
            "version": None,
            "tags": [],
        },
        {"data": [observation()], "meta": {}},
        {"data": [trace()], "meta": {}},
        {"trace": trace(), "observations": []},
        {"id": "session-1", "projectId": "project-1", "traces": [trace()]},
    ],
)
def test_its_layouts_are_told(tmp_path: Path, record: dict[str, Any]) -> None:
    """Each by its own fields."""
    (tmp_path / "export.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "export.jsonl")
    assert found.format is not None and (found.format.name, found.confidence >= 0.95) == ("langfuse", True)


def test_tables_are_told_and_read(tmp_path: Path) -> None:
    """CSV with JSON in cells, Parquet with maps."""
    cells = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in row().items()}
    with (tmp_path / "rows.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(cells))
        writer.writeheader()
        writer.writerow(cells)
    kinds = {"metadata": pa.map_(pa.string(), pa.string()), "usage_details": pa.map_(pa.string(), pa.uint64())}
    columns = {
        name: [list(v.items()) if isinstance(v, dict) else v] for name, v in row(start_time=datetime(2026, 1, 1)).items()
    }
    arrays = [pa.array(column, kinds.get(name)) for name, column in columns.items()]
    pq.write_table(pa.Table.from_arrays(arrays, list(columns)), tmp_path / "rows.parquet")
    for path in tmp_path.iterdir():
        with open_source(path) as opened:
            found = detect(opened).format
            items = FORMATS["langfuse"].parse_records(records(opened, FORMATS["langfuse"])).items
        assert (found and found.name, items) == ("langfuse", [FULL]), path.name


@pytest.mark.parametrize(
    "record",
    [
        {"messages": ASKED, "id": "1", "timestamp": "2026-01-01", "userId": "u", "sessionId": "s"},
        {"id": "1", "traceId": "t", "type": "click", "startTime": "2026-01-01", "parentObservationId": None},
        {"traceId": "t", "spanId": "s", "name": "chat", "startTimeUnixNano": "1", "attributes": []},
        {
            "id": "1",
            "timestamp": "2026-01-01",
            "trace_id": "t",
            "observation_id": None,
            "name": "n",
            "value": 1,
            "source": "EVAL",
        },
        {"id": "1", "run_type": "llm", "inputs": {}, "outputs": {}, "start_time": "2026-01-01", "trace_id": "t"},
    ],
)
def test_other_records_are_not_taken(tmp_path: Path, record: dict[str, Any]) -> None:
    """Chats, other traces, Langfuse's own scores."""
    (tmp_path / "other.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "other.jsonl").format
    assert found is None or found.name != "langfuse"
