"""LangSmith runs: what a model was asked and told, in the many layouts that traces hold."""

from __future__ import annotations

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


def lc(name: str, content: Any, **fields: Any) -> dict[str, Any]:
    """A message as LangChain serialises it."""
    kwargs = {"content": content, "response_metadata": {}} | fields
    return {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", name], "kwargs": kwargs}


def run(**changes: Any) -> dict[str, Any]:
    """A run of a model; `metadata` goes where runs have it."""
    metadata = {"ls_model_name": "model-a", "user_id": "customer-1", "thread_id": "thread-1", "ls_provider": "example"}
    extra = {"runtime": {"sdk": "langsmith-py"}, "metadata": metadata | changes.pop("metadata", {})}
    said = lc("AIMessage", "Good morning.", type="ai", tool_calls=[])
    return {
        "id": "run-1",
        "name": "ChatExample",
        "run_type": "llm",
        "start_time": "2026-01-01T00:00:00.000000",
        "end_time": "2026-01-01T00:00:01.000000",
        "inputs": {"messages": [[lc("SystemMessage", "Be brief."), lc("HumanMessage", "Say good morning.")]]},
        "outputs": {
            "generations": [[{"text": "Good morning.", "generation_info": {"finish_reason": "stop"}, "message": said}]]
        },
        "extra": extra,
        "error": None,
        "session_id": "project-1",
        "trace_id": "trace-1",
        "dotted_order": "20260101T000000000000Zrun-1",
        "prompt_tokens": 12,
        "completion_tokens": 3,
    } | changes


def parsed(record: Any) -> Parsed:
    """Items and rejects of one record."""
    return FORMATS["langsmith"].parse_records([Raw("line 1", json.dumps(record).encode())])


def test_a_run_of_a_model_is_an_exchange(read: Read) -> None:
    """The project, which runs call session, is not the chat."""
    assert read("langsmith", run()) == [
        Exchange(
            record_id="run-1",
            time=datetime(2026, 1, 1, tzinfo=UTC),
            messages=[Message("system", "Be brief."), Message("user", "Say good morning.")],
            output="Good morning.",
            conversation="thread-1",
            end_user="customer-1",
            model="model-a",
            tokens_in=12,
            tokens_out=3,
        )
    ]


CALL = {"name": "look_up", "args": {"word": "tide"}, "id": "call-1", "type": "tool_call"}
OPENAI_CALL = {"id": "call-1", "type": "function", "function": {"name": "look_up", "arguments": '{"word":"tide"}'}}
CALLED = Message("assistant", 'look_up {"word":"tide"}')


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"role": "user", "content": "Hi."}, [Message("user", "Hi.")]),
        ({"type": "human", "content": "Hi.", "id": "m-1"}, [Message("user", "Hi.")]),
        ({"type": "human", "data": {"content": "Hi."}}, [Message("user", "Hi.")]),
        (["human", "Hi."], [Message("user", "Hi.")]),
        (lc("AIMessageChunk", [{"type": "text", "text": "Hi."}]), [Message("assistant", "Hi.")]),
        (lc("AIMessage", "", tool_calls=[CALL]), [CALLED]),
        (lc("AIMessage", "", additional_kwargs={"tool_calls": [OPENAI_CALL]}), [CALLED]),
        ({"role": "assistant", "content": [{"type": "tool_use", "name": "look_up", "input": {"word": "tide"}}]}, [CALLED]),
        ({"role": "model", "parts": [{"functionCall": {"name": "look_up", "args": {"word": "tide"}}}]}, [CALLED]),
        ({"type": "function_call", "name": "look_up", "arguments": '{"word":"tide"}'}, [CALLED]),
        ({"type": "function_call_output", "call_id": "call-1", "output": "High."}, [Message("tool", "High.")]),
        (lc("ToolMessage", [{"height": 3}], type="tool"), [Message("tool", '[{"height":3}]')]),
        ({"role": "user", "content": [{"type": "tool_result", "content": "High."}]}, [Message("tool", "High.")]),
        (
            {"role": "user", "content": [{"type": "tool_result", "content": "High."}, {"type": "text", "text": "And now?"}]},
            [Message("tool", "High."), Message("user", "And now?")],
        ),
        ({"type": "reasoning", "summary": []}, []),
    ],
)
def test_messages_in_any_layout(read: Read, entry: Any, expected: list[Message]) -> None:
    """LangChain's three, chat completions, Anthropic's and Gemini's parts, items of Responses."""
    first = Message("system", "Be brief.")
    record = run(inputs={"messages": [{"role": "system", "content": "Be brief."}, entry]})
    assert read("langsmith", record)[0].messages == [first, *expected]


HI = [Message("user", "Hi.")]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"prompts": ["Hi."]}, HI),
        ({"prompt": "Hi."}, HI),
        ({"input": "Hi.", "instructions": "Be brief."}, [Message("system", "Be brief."), *HI]),
        ({"input": [{"type": "input_text", "text": "Hi."}, {"type": "input_image", "image_url": "i"}]}, HI),
        ({"system": "Be brief.", "messages": [{"role": "user", "content": "Hi."}]}, [Message("system", "Be brief."), *HI]),
        ({"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}, HI),
        (json.dumps({"messages": [{"role": "user", "content": "Hi."}]}), HI),
        ({"input": {"lc": 1, "id": ["a", "ChatPromptValue"], "kwargs": {"messages": [lc("HumanMessage", "Hi.")]}}}, HI),
        ({"args": ["Hi."], "kwargs": {}}, HI),
        ({"word": "tide", "count": 2}, [Message("user", '{"word":"tide","count":2}')]),
        ({}, []),
        (None, []),
    ],
)
def test_inputs_of_any_shape(read: Read, inputs: Any, expected: list[Message]) -> None:
    """Requests of several providers; what holds no messages is kept as its JSON."""
    assert read("langsmith", run(inputs=inputs))[0].messages == expected


def _generation(**fields: Any) -> dict[str, Any]:
    return {"generations": [[fields]]}


CHAT = [{"type": "human", "content": "Hi."}, {"type": "ai", "content": "Old."}, {"type": "human", "content": "And?"}]


@pytest.mark.parametrize(
    ("outputs", "output", "outcome"),
    [
        ({"generations": ["One.", "Two."]}, "One.\n\nTwo.", "unknown"),
        (_generation(text="One."), "One.", "unknown"),
        (_generation(text="", message=lc("AIMessage", "", tool_calls=[CALL])), 'look_up {"word":"tide"}', "unknown"),
        (_generation(text="", generation_info={"finish_reason": "content_filter"}), None, "blocked"),
        (_generation(text="", generationInfo={"finishReason": "SAFETY"}), None, "blocked"),
        (_generation(message=lc("AIMessage", "", additional_kwargs={"refusal": "I cannot."})), "I cannot.", "refused"),
        (_generation(message=lc("AIMessage", "No.", response_metadata={"stop_reason": "refusal"})), "No.", "refused"),
        ({"choices": [{"message": {"content": "One."}, "finish_reason": "stop"}]}, "One.", "unknown"),
        ({"role": "assistant", "content": [{"type": "text", "text": "One."}], "stop_reason": "end_turn"}, "One.", "unknown"),
        ({"messages": [*CHAT, {"type": "ai", "content": "New."}]}, "New.", "unknown"),
        ({"messages": CHAT}, None, "unknown"),
        ({"output": lc("AIMessage", "One.")}, "One.", "unknown"),
        ({"output": "One."}, "One.", "unknown"),
        (json.dumps({"output": "One."}), "One.", "unknown"),
        ({"grade": 3}, '{"grade":3}', "unknown"),
        (None, None, "unknown"),
    ],
)
def test_outputs_of_any_shape(read: Read, outputs: Any, output: str | None, outcome: str) -> None:
    """Of a list of messages the model's after the last of the user; outcomes by the provider's fields."""
    (found,) = read("langsmith", run(outputs=outputs))
    assert (found.output, found.outcome, found.answered) == (output, outcome, output is not None)


def test_an_error_of_a_content_filter_blocks(read: Read) -> None:
    """Other errors say nothing."""
    filtered = run(outputs=None, error="BadRequestError(\"{'code': 'content_filter', 'status': 400}\")")
    limited = run(outputs=None, error="RateLimitError('slow down')")
    assert [read("langsmith", record)[0].outcome for record in (filtered, limited)] == ["blocked", "unknown"]


@pytest.mark.parametrize("kind", ["chain", "tool", "retriever", "embedding", "prompt", "parser"])
def test_steps_around_a_model_give_no_row(read: Read, kind: str) -> None:
    """Their texts stand in the model's runs."""
    assert read("langsmith", run(run_type=kind)) == []


def test_a_tree_gives_the_runs_of_models_in_it(read: Read) -> None:
    """What the root says of user and chat holds below it, unless a run says otherwise."""
    below = run(id="run-2", extra={"metadata": {"user_id": "customer-2"}})
    step = run(id="step-1", run_type="tool", extra=None, child_runs=[run(id="run-3", extra=None)])
    found = read("langsmith", run(run_type="chain", child_runs=[below, step]))
    assert [(e.record_id, e.end_user, e.conversation) for e in found] == [
        ("run-2", "customer-2", "thread-1"),
        ("run-3", "customer-1", "thread-1"),
    ]


@pytest.mark.parametrize(
    ("metadata", "field", "expected"),
    [
        ({"session_id": "s-1"}, "conversation", "s-1"),
        ({"thread_id": None, "conversation_id": "c-1"}, "conversation", "c-1"),
        ({"user_id": None, "userId": 17}, "end_user", "17"),
        ({"user_id": None, "ls_user_id": "member-1"}, "end_user", None),
        ({"ip_address": "198.51.100.7"}, "address", "198.51.100.7"),
        ({"headers": {"X-Forwarded-For": "203.0.113.9, 10.0.0.1", "User-Agent": "client/1"}}, "address", "203.0.113.9"),
        ({"headers": {"X-Forwarded-For": "203.0.113.9, 10.0.0.1", "User-Agent": "client/1"}}, "user_agent", "client/1"),
    ],
)
def test_metadata_says_who_and_where(read: Read, metadata: dict[str, Any], field: str, expected: str | None) -> None:
    """The member of the workspace that traced the run is not the user."""
    assert getattr(read("langsmith", run(metadata=metadata))[0], field) == expected


@pytest.mark.parametrize("time", [1_767_225_600_000, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"])
def test_times_are_epoch_milliseconds_or_iso(read: Read, time: Any) -> None:
    """The JavaScript SDK writes milliseconds; a time without an offset is UTC."""
    assert read("langsmith", run(start_time=time))[0].time == datetime(2026, 1, 1, tzinfo=UTC)


def test_usage_counts_where_the_run_has_no_tokens(read: Read) -> None:
    """The wrappers of providers' SDKs put them into outputs, and the model into inputs."""
    outputs = {"choices": [{"message": {"content": "Hi."}}], "usage_metadata": {"input_tokens": 9, "output_tokens": 2}}
    record = run(inputs={"messages": [], "model": "model-b"}, outputs=outputs, prompt_tokens=None, completion_tokens=None)
    (found,) = read("langsmith", record | {"extra": None})
    assert (found.tokens_in, found.tokens_out, found.model, found.end_user) == (9, 2, "model-b", None)


@pytest.mark.parametrize("page", ["runs", "items", "data"])
def test_a_bad_run_in_a_page_is_one_reject(page: str) -> None:
    """The others are read."""
    found = parsed({page: [run(), 5, run(start_time="soon"), run(run_type="dance")]})
    assert len(found.items) == 1
    assert [reject.place for reject in found.rejects] == [f"line 1, {page} 1", f"line 1, {page} 2", f"line 1, {page} 3"]


def test_a_bad_run_in_a_tree_is_one_reject_with_all_below_it() -> None:
    """Since nothing below it is read, all of it is kept with the reject."""
    bad = run(id="run-2", extra=5, child_runs=[run(id="run-3")])
    found = parsed(run(child_runs=[bad, run(id="run-4")]))
    assert [item.record_id for item in found.items if isinstance(item, Exchange)] == ["run-1", "run-4"]
    assert [(r.place, b"run-3" in r.data) for r in found.rejects] == [("line 1, child_runs 0", True)]


def test_a_bad_message_is_one_reject() -> None:
    """The rest of the exchange is kept, and what is wrong is told without a value."""
    found = parsed(run(inputs={"messages": [{"role": "user", "content": "Hi."}, {"role": "ghost", "content": "Boo."}]}))
    assert [item.messages for item in found.items if isinstance(item, Exchange)] == [HI]
    (reject,) = found.rejects
    assert (reject.place, reject.data) == ("line 1, message 1", b'{"role":"ghost","content":"Boo."}')
    assert reject.reason.startswith("a message has a role that is not known")


def test_an_answer_that_cannot_be_read_is_one_reject() -> None:
    """The request is kept."""
    found = parsed(run(outputs={"choices": [{"message": {"content": 5}}]}))
    assert [(item.output, item.answered) for item in found.items if isinstance(item, Exchange)] == [(None, False)]
    assert [reject.place for reject in found.rejects] == ["line 1, output"]


@pytest.mark.parametrize(
    "bad", [{"run_type": "dance"}, {"run_type": None}, {"start_time": "soon"}, {"extra": 5}, {"id": 1.5}, {"thread_id": []}]
)
def test_a_wrong_run_is_a_reject(bad: dict[str, Any]) -> None:
    """Unknown types, odd times, odd ids; the reason quotes nothing."""
    with pytest.raises(RecordError) as caught:
        FORMATS["langsmith"].parse(Raw("line 1", json.dumps(run(**bad)).encode()))
    assert "dance" not in str(caught.value) and "soon" not in str(caught.value)


def test_a_tree_that_is_too_deep_ends() -> None:
    """What is above the limit is read."""
    deep = run(id="run-99")
    for _ in range(70):
        deep = {"run_type": "chain", "id": "step", "child_runs": [deep]}
    found = parsed(run(child_runs=[deep]))
    assert len(found.items) == 1 and len(found.rejects) == 1 and "nested" in found.rejects[0].reason


def test_runs_are_told(tmp_path: Path) -> None:
    """One a line, as a page, and in Parquet with JSON in strings."""
    (tmp_path / "lines.jsonl").write_text("".join(json.dumps(run(run_type=kind)) + "\n" for kind in ("llm", "chain", "tool")))
    (tmp_path / "page.json").write_text(json.dumps({"runs": [run()], "cursors": {"next": None}}))
    row = run() | {name: json.dumps(run()[name]) for name in ("inputs", "outputs", "extra")}
    pq.write_table(pa.Table.from_pylist([row | {"start_time": datetime(2026, 1, 1)}]), tmp_path / "bulk.parquet")
    for path in tmp_path.iterdir():
        with open_source(path) as opened:
            found = detect(opened)
            items = FORMATS["langsmith"].parse_records(records(opened, FORMATS["langsmith"])).items
        assert (found.format and found.format.name, found.confidence >= 0.8) == ("langsmith", True), path.name
        assert [(item.end_user, item.output) for item in items if isinstance(item, Exchange)] == [
            ("customer-1", "Good morning.")
        ]


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "Hi."}], "id": "1", "metadata": {"user_id": "u"}},
        {"id": "1", "traceId": "t", "type": "GENERATION", "startTime": "2026-01-01", "parentObservationId": None, "input": {}},
        {"id": "1", "inputs": "a", "outputs": "b", "start_time": 1},
        {"data": [{"id": "1", "text": "a", "author_id": "2"}]},
    ],
)
def test_other_records_are_no_runs(tmp_path: Path, record: dict[str, Any]) -> None:
    """Chats, other tools' traces, rows with some of the fields."""
    (tmp_path / "other.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "other.jsonl").format
    assert found is None or found.name != "langsmith"
