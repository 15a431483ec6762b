"""The wire format: what is read of a request, and exactly what is written."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RequestError
from backlight.guard import openai_chat as chat


def body(*messages: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": list(messages), **more}).encode()


def user(content: object) -> dict[str, Any]:
    return {"role": "user", "content": content}


def answer(content: object) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


@pytest.mark.parametrize(
    ("messages", "turn"),
    [
        ([user("a")], "a"),
        ([user("old"), answer("b"), user("new")], "new"),
        ([user("a"), user("b")], "a\n\nb"),
        ([user("plan"), answer("Sure, here is")], "plan"),
        ([user("old"), answer("x"), user("plan"), answer("Sure"), answer("go")], "plan"),
        ([{"role": "system", "content": "s"}, user("a")], "a"),
        ([{"role": "developer", "content": "s"}, user("a")], "a"),
        ([user("q"), answer(None), {"role": "tool", "content": "result"}], "result"),
        ([{"role": "strange", "content": "a"}], "a"),
        ([{"content": "a"}], "a"),
        (
            [user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}])],
            "a\nb",
        ),
        ([user(["a", {"type": "input_text", "text": "b"}])], "a\nb"),
        ([user(7)], ""),
        ([], ""),
    ],
)
def test_the_new_turn_is_what_follows_the_last_answer(messages: list[dict[str, Any]], turn: str) -> None:
    """History is not judged again; two user messages in a row, a prefill and an unknown role hide nothing."""
    assert chat.parse(body(*messages)).turn == turn


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"messages": "x"}',
        b'{"messages": ["x"]}',
        b'{"messages": [], "messages": []}',
        b'{"messages": [], "mess\\u0061ges": []}',
        b'{"messages": [], "Messages": []}',
        b'{"MESSAGES": []}',
        b'{"messages": [{"role": "user", "content": "a", "Content": "b"}]}',
        b'{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"messages": [{"content": ' + b"9" * 5_000 + b"}]}",
        b"\xff\xfe\x00",
    ],
)
def test_a_request_with_two_meanings_or_none_is_refused(data: bytes) -> None:
    """The same key twice, spelt in another case or hidden by an escape could mean something else to the upstream."""
    with pytest.raises(RequestError):
        chat.parse(data)


@given(data=st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_whatever_comes_is_a_request_or_a_stated_error(data: bytes) -> None:
    """No bytes make the parser raise anything else."""
    try:
        chat.parse(data)
    except RequestError as error:
        assert error.wrong


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["role", "content", "text", "tool_calls"]), inner)
    ),
    max_leaves=12,
)


@given(messages=st.lists(st.dictionaries(st.sampled_from(["role", "content", "refusal", "tool_calls", "x"]), JSON), max_size=4))
def test_messages_of_any_shape_are_read(messages: list[dict[str, Any]]) -> None:
    """Every text in a message is found or left out, and nothing is raised."""
    read = chat.parse(body(*messages))
    assert len(read.messages) == len(messages)


@given(text=st.text(min_size=1, max_size=50))
def test_the_text_of_a_turn_is_what_was_sent(text: str) -> None:
    """The text reaches the judge unchanged, but for lone surrogates, which no encoding carries."""
    assert chat.parse(body(user(text))).turn == text.encode("utf-8", "replace").decode()


def test_what_decides_about_a_request_is_read() -> None:
    """Stream, model, conversation, turns, and whether a warning may stand before the answer."""
    more = {"stream": True, "metadata": {"conversation_id": "c"}}
    read = chat.parse(body(user("a"), answer("b"), user("c"), **more))
    assert (read.stream, read.model, read.conversation, read.turns, read.plain) == (True, "m", "c", 2, True)
    shaped = [{"tools": [{}]}, {"response_format": {"type": "json_object"}}, {"response_format": {"type": "text"}}]
    assert [chat.parse(body(user("a"), **shape)).plain for shape in shaped] == [False, False, True]


@pytest.mark.parametrize(
    ("status", "data", "outcome", "text"),
    [
        (200, {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}, "unknown", "Hi"),
        (200, {"choices": [{"message": {"content": None, "refusal": "No"}, "finish_reason": "stop"}]}, "refused", "No"),
        (200, {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}, "blocked", ""),
        (400, {"error": {"code": "content_filter"}}, "blocked", None),
        (429, {"error": {"code": "rate_limit"}}, "unknown", None),
        (200, {"choices": []}, "unknown", None),
        (200, {"choices": [7]}, "unknown", None),
        (200, ["x"], "unknown", None),
    ],
)
def test_the_upstreams_own_refusals_are_read_from_its_fields(status: int, data: object, outcome: str, text: str | None) -> None:
    """A refusal field, a content filter as the end, or an error of that code."""
    found = chat.read_answer(status, json.dumps(data).encode())
    assert (found.outcome, found.text) == (outcome, text)


def event(delta: dict[str, Any], end: str | None = None, **more: Any) -> bytes:
    chunk = {"id": "i", "object": "chat.completion.chunk", "created": 1, "model": "m", **more}
    return b"data: " + json.dumps(chunk | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]}).encode() + b"\n\n"


STREAM = (
    event({"role": "assistant", "content": ""})
    + b": ping\n\n"
    + event({"content": "Hé"})
    + event({"content": "llo"}, "stop", usage={"prompt_tokens": 3, "completion_tokens": 2})
    + b"data: {broken\n\ndata: [DONE]\n\n"
)


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_a_stream_reads_the_same_however_it_is_cut(cuts: list[int]) -> None:
    """Pieces may end inside an event, or inside a character."""
    reader = chat.StreamReader(1_000)
    edges = [0, *sorted(cuts), len(STREAM)]
    for start, end in itertools.pairwise(edges):
        reader.feed(STREAM[start:end])
    assert (reader.answer(), reader.done) == (chat.Answer("Héllo", "unknown", 3, 2), True)


def test_a_streams_text_is_bounded() -> None:
    """An endless stream passes by; what is kept of it does not grow."""
    reader = chat.StreamReader(10)
    for _ in range(100):
        reader.feed(event({"content": "abcd"}))
    assert reader.answer().text == "abcdabcdab"


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_a_warning_stands_before_the_content_of_a_stream(cuts: list[int]) -> None:
    """However the stream is cut, the client reads the warning first and loses no byte of the rest."""
    warner = chat.Warner("Careful.")
    edges = [0, *sorted(cuts), len(STREAM)]
    out = b"".join(warner.feed(STREAM[start:end]) for start, end in itertools.pairwise(edges)) + warner.rest()
    reader = chat.StreamReader(1_000)
    reader.feed(out)
    first = event({"role": "assistant", "content": ""})
    assert (reader.answer().text, out.startswith(first), out.endswith(STREAM[len(first) :])) == (
        "Careful.\n\nHéllo",
        True,
        True,
    )


def test_a_warning_stands_before_the_content_of_an_answer() -> None:
    """All other fields stay; an answer without text is left as it was."""
    data = {"x": 1, "choices": [{"message": {"role": "assistant", "content": "Hi", "y": 2}}]}
    changed = json.loads(chat.warned(json.dumps(data).encode(), "Careful."))
    assert changed == {"x": 1, "choices": [{"message": {"role": "assistant", "content": "Careful.\n\nHi", "y": 2}}]}
    assert [chat.warned(raw, "Careful.") for raw in (b"{", b'{"choices":[]}')] == [b"{", b'{"choices":[]}']
