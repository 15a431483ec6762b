"""Claude account exports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.signals.document import split_document
from backlight.sources import FORMATS, Conversation, Message, Raw, detect

Read = Callable[[str, Any], list[Conversation]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = "00000000-0000-4000-8000-000000000000"
CLAUDE = FORMATS["claude-export"]


def said(sender: str, text: str, /, **changes: Any) -> dict[str, Any]:
    """A message as the export has it."""
    block = {"start_timestamp": None, "stop_timestamp": None, "flags": None, "type": "text", "text": text, "citations": []}
    return {
        "uuid": f"m-{text}",
        "text": text,
        "content": [block],
        "sender": sender,
        "created_at": "2026-01-01T00:00:01.500000Z",
        "updated_at": "2026-01-01T00:00:01.500000Z",
        "attachments": [],
        "files": [],
    } | changes


def chat(*messages: Any, **changes: Any) -> dict[str, Any]:
    return {
        "uuid": "c-1",
        "name": "A chat",
        "summary": "",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "updated_at": "2026-01-02T00:00:00.000000Z",
        "account": {"uuid": "a-1"},
        "chat_messages": list(messages),
    } | changes


def texts(found: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in found.messages]


def test_a_whole_conversation(read: Read) -> None:
    """The account is the user; the text, which is in two fields, is read once."""
    sent = NEW_YEAR + timedelta(seconds=1.5)
    assert read("claude-export", chat(said("human", "Hello"), said("assistant", "Hi."))) == [
        Conversation(
            record_id="c-1",
            time=NEW_YEAR,
            messages=[Message("user", "Hello", sent), Message("assistant", "Hi.", sent)],
            conversation="c-1",
            user="a-1",
        )
    ]


def test_old_exports_have_a_text_only(read: Read) -> None:
    """No content, no attachments, no account."""
    messages = [{"sender": "human", "text": "Hello"}, {"sender": "assistant", "text": "Hi.", "content": []}]
    (found,) = read("claude-export", {"uuid": "c-1", "chat_messages": messages})
    assert (texts(found), found.user, found.time) == ([("user", "Hello"), ("assistant", "Hi.")], None, None)


def test_attachments_are_pasted_documents(read: Read) -> None:
    """They stand in the prompt, marked, so that instruction and document are told apart; files without text are nothing."""
    report = "The week went well. Forty accounts posted the story, and six of them were boosted by others."
    pasted = {"file_name": "paste.txt", "file_size": 90, "file_type": "txt", "extracted_content": report}
    attachments = [pasted, {"file_name": "a.pdf", "extracted_content": ""}, {"file_name": "b.png"}]
    (found,) = read("claude-export", chat(said("human", "Polish it.", attachments=attachments, files=[{"file_name": "b.png"}])))
    assert texts(found) == [("user", f"Polish it.\n\n<document>\n{report}\n</document>")]
    split = split_document(found.messages[0].text)
    assert (split.instruction, split.document, split.kind) == ("Polish it.", report, "tag")


def test_a_document_alone_is_the_prompt(read: Read) -> None:
    """Nothing was typed beside it."""
    sent = said("human", "", content=[], attachments=[{"extracted_content": "A report"}])
    (found,) = read("claude-export", chat(sent))
    assert texts(found) == [("user", "<document>\nA report\n</document>")]


def test_tools_and_thinking(read: Read) -> None:
    """A call is the assistant's, its result the tool's and stands before; thinking and budgets are left out."""
    content = [
        {"type": "thinking", "thinking": "They want a search."},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "name": "web_search", "input": {"query": "tides"}},
        {
            "type": "tool_result",
            "name": "web_search",
            "content": [{"type": "knowledge", "title": "Tides", "url": "https://e.example/t", "text": "Twice a day."}],
        },
        {"type": "token_budget"},
        {"type": "text", "text": "Twice a day."},
    ]
    (found,) = read(
        "claude-export", chat(said("human", "When?"), said("assistant", "This block is not supported", content=content))
    )
    assert texts(found) == [
        ("user", "When?"),
        ("tool", "Tides\nhttps://e.example/t\nTwice a day."),
        ("assistant", 'I look.\nweb_search {"query":"tides"}\nTwice a day.'),
    ]


def test_empty_messages_count_only_where_the_user_sent_them(read: Read) -> None:
    """A picture alone is a turn, an answer that never came is nothing."""
    picture = said("human", "", files=[{"file_name": "a.png"}])
    (found,) = read("claude-export", chat(picture, said("assistant", "A cat."), said("human", "Sure?"), said("assistant", "")))
    assert texts(found) == [("user", ""), ("assistant", "A cat."), ("user", "Sure?")]


FORKED = [
    said("human", "one", parent_message_uuid=ROOT),
    said("assistant", "two", parent_message_uuid="m-one"),
    said("human", "three", parent_message_uuid="m-two"),
    said("human", "uno", parent_message_uuid=ROOT),
    said("assistant", "dos", parent_message_uuid="m-uno"),
    said("assistant", "deux", parent_message_uuid="m-one"),
]


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (None, [["one", "deux"], ["one", "two", "three"], ["uno", "dos"]]),
        ("m-dos", [["uno", "dos"], ["one", "two", "three"], ["one", "deux"]]),
    ],
)
def test_branches_are_conversations_of_one_id(read: Read, current: str | None, expected: list[list[str]]) -> None:
    """The current one first, which is the last message's where the file does not say."""
    changes = {"current_leaf_message_uuid": current} if current else {}
    found = read("claude-export", chat(*FORKED, **changes))
    assert [[message.text for message in one.messages] for one in found] == expected
    assert {(one.record_id, one.conversation, one.user) for one in found} == {("c-1", "c-1", "a-1")}


def test_a_message_whose_parent_is_unknown_follows_the_one_before_it(read: Read) -> None:
    """So that an export with gaps stays one conversation; an id that comes twice is the first one's."""
    messages = [said("human", "one"), said("assistant", "two", parent_message_uuid="gone"), said("human", "one", text="")]
    (found,) = read("claude-export", chat(*messages))
    assert [message.text for message in found.messages] == ["one", "two", "one"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (5, "without a sender"),
        ({"text": "Hi"}, "without a sender"),
        (said("critic", "Hm"), "a role that is not known"),
        (said("assistant", "Hi", content=5), "content is no text"),
        (said("assistant", "", content=[], text=["Hi"]), "text is no text"),
        (said("assistant", "Hi", created_at="soon"), "time of a message is no time"),
        (said("human", "Hi", attachments="none"), "attachments are no list"),
        (said("human", "Hi", attachments=[{"extracted_content": []}]), "extracted_content is no text"),
    ],
)
def test_a_bad_message_is_one_reject(message: Any, reason: str) -> None:
    """The conversation is read without it."""
    raw = Raw("element 1", json.dumps(chat(said("human", "one"), message, said("human", "two"))).encode())
    found = CLAUDE.parse_records([raw])
    assert [texts(item) for item in found.items] == [[("user", "one"), ("user", "two")]]  # type: ignore[arg-type]
    ((place, told),) = [(reject.place, reject.reason) for reject in found.rejects]
    assert place == "element 1, chat_messages 1" and reason in told and "soon" not in told


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "no messages"),
        (chat(*[5] * 1001), "more than 1000 messages that cannot be read; the last: a message without"),
        (chat(), "no messages"),
        (chat(said("assistant", "")), "no messages"),
        (chat(said("human", "Hi"), account={"uuid": 1.5}), "account is no id"),
        (chat(said("human", "Hi"), created_at="soon"), "created_at is no time"),
        (chat(said("human", "Hi", parent_message_uuid="m-Hi")), "each other's parents"),
    ],
)
def test_what_is_no_conversation_is_told(record: Any, reason: str) -> None:
    """One reject, and nothing of the record is kept."""
    with pytest.raises(RecordError, match=reason):
        CLAUDE.parse(Raw("element 1", json.dumps(record).encode()))


def test_the_file_is_recognised(tmp_path: Path) -> None:
    """Empty conversations are in it, too."""
    (tmp_path / "log").write_text(json.dumps([chat(said("human", "Hello")), chat()]))
    found = detect(tmp_path / "log")
    assert (found.format, found.confidence) == (CLAUDE, 0.97)


@pytest.mark.parametrize(
    "record",
    [
        {"uuid": "c-1", "messages": [{"role": "user", "content": "Hello"}]},
        {"uuid": "c-1", "chat_messages": [{"role": "user", "content": "Hello"}]},
        {"id": "c-1", "mapping": {"a": {"parent": None, "message": None}}, "current_node": "a"},
    ],
)
def test_others_are_not_mistaken_for_it(tmp_path: Path, record: Any) -> None:
    """Chats with other fields, and the other export."""
    (tmp_path / "log").write_text(json.dumps([record]))
    assert detect(tmp_path / "log").format is not CLAUDE
