"""Generic messages and ShareGPT."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Conversation, Message, Raw

Read = Callable[[str, Any], list[Conversation]]


def test_kuras_chats_keep_ids_and_times(read: Read) -> None:
    """chat_id, created_at of chat and messages, the model out of metadata."""
    record = {
        "chat_id": "chat-1",
        "created_at": "2026-01-01T08:00:00",
        "messages": [
            {"created_at": "2026-01-01T08:00:01", "role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi"},
        ],
        "metadata": {"model": "model-a", "winner": False},
    }
    assert read("messages", record) == [
        Conversation(
            record_id="chat-1",
            time=datetime(2026, 1, 1, 8, tzinfo=UTC),
            messages=[Message("user", "Hello", datetime(2026, 1, 1, 8, 0, 1, tzinfo=UTC)), Message("assistant", "Hi")],
            conversation="chat-1",
            model="model-a",
        )
    ]


@pytest.mark.parametrize(
    "content",
    [
        "Hello\nthere",
        [{"type": "text", "text": "Hello"}, {"type": "text", "text": "there"}],
        [{"type": "text", "value": "Hello"}, {"type": "image", "value": None}, {"type": "text", "value": "there"}],
        ["Hello", "there"],
        {"type": "text", "text": "Hello\nthere"},
        [{"type": "text", "text": {"value": "Hello\nthere", "annotations": []}}],
    ],
)
def test_content_in_any_shape(read: Read, content: object) -> None:
    """A text, parts with text or value, parts in parts."""
    (found,) = read("messages", {"messages": [{"role": "user", "content": content, "loss_weight": 0.0}]})
    assert found.messages == [Message("user", "Hello\nthere")]


def test_identities_beside_the_messages_are_read(read: Read) -> None:
    """In the record or in its metadata; a nested object is no id."""
    record = {
        "id": 5,
        "user": {"name": "x"},
        "messages": [{"role": "human", "content": "Hello"}],
        "system": "Be brief.",
        "metadata": {
            "user_id": "owner-1",
            "ip": "198.51.100.7",
            "session_id": "s-1",
            "channel": "fax",
            "timestamp": 1_767_225_600,
        },
    }
    (found,) = read("messages", record)
    assert (found.user, found.address, found.conversation, found.channel) == ("owner-1", "198.51.100.7", "s-1", "other")
    assert (found.record_id, found.time, found.messages[0]) == (
        "5",
        datetime(2026, 1, 1, tzinfo=UTC),
        Message("system", "Be brief."),
    )


def test_sharegpt_turns_have_their_roles(read: Read) -> None:
    """Calls are the assistant's, observations are the tool's."""
    speakers = ["system", "human", "function_call", "observation", "gpt"]
    (found,) = read(
        "sharegpt", {"id": "s-1", "conversations": [{"from": who, "value": who} for who in speakers], "tools": "[]"}
    )
    assert [message.role for message in found.messages] == ["system", "user", "assistant", "tool", "assistant"]
    assert (found.record_id, found.messages[2].text) == ("s-1", "function_call")


@pytest.mark.parametrize(
    ("form", "record", "reason"),
    [
        ("messages", {}, "no messages"),
        ("messages", {"messages": []}, "no messages"),
        ("messages", {"messages": [5]}, "a message without a role"),
        ("messages", {"messages": [{"role": 5, "content": "a"}]}, "a role that is not known"),
        ("messages", {"messages": [{"role": "user", "content": 5}]}, "content is no text"),
        ("messages", {"messages": [{"role": "user", "content": [[[[[["deep"]]]]]]}]}, "more than four deep"),
        ("messages", {"messages": [{"role": "user", "content": "a"}], "created_at": "soon"}, "time is no time"),
        ("sharegpt", {"conversations": "none"}, "no turns"),
        ("sharegpt", {"conversations": [{"role": "user", "content": "a"}]}, "a message without a role"),
    ],
)
def test_what_is_no_chat_is_told(form: str, record: dict[str, Any], reason: str) -> None:
    """One reject with its reason."""
    with pytest.raises(RecordError, match=reason):
        FORMATS[form].parse(Raw("line 1", json.dumps(record).encode()))
