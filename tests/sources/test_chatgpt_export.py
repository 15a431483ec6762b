"""ChatGPT account exports: trees of messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Conversation, Message, Parsed, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Conversation]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
CHATGPT = FORMATS["chatgpt-export"]


def said(role: str, *parts: Any, **changes: Any) -> dict[str, Any]:
    """A message as the export has it."""
    return {
        "id": "m",
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": None,
        "content": {"content_type": "text", "parts": list(parts)},
        "status": "finished_successfully",
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
    } | changes


def tree(nodes: dict[str, tuple[str | None, Any]], **changes: Any) -> dict[str, Any]:
    """A conversation of nodes: name -> parent and message."""
    mapping = {
        name: {"id": name, "parent": parent, "children": [n for n, (p, _) in nodes.items() if p == name], "message": message}
        for name, (parent, message) in nodes.items()
    }
    last = list(nodes)[-1] if nodes else None
    return {"id": "c-1", "title": "A chat", "create_time": 1_767_225_600.25, "current_node": last, "mapping": mapping} | changes


def line(*messages: Any) -> dict[str, Any]:
    """A conversation without branches."""
    return tree({f"n{n}": (f"n{n - 1}" if n else None, message) for n, message in enumerate(messages)})


def texts(found: Conversation) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in found.messages]


def parsed(record: Any) -> Parsed:
    return CHATGPT.parse_records([Raw("element 1", json.dumps(record).encode())])


def test_a_whole_conversation(read: Read) -> None:
    """Ids, times in float seconds, the model of the last answer; empty system messages are placeholders."""
    question = said("user", "Hello", create_time=1_767_225_601.5)
    answer = said("assistant", "Hi.", create_time=1_767_225_603, metadata={"model_slug": "model-b"})
    record = line(None, said("system", ""), question, answer) | {"default_model_slug": "model-a", "moderation_results": []}
    assert read("chatgpt-export", record) == [
        Conversation(
            record_id="c-1",
            time=NEW_YEAR + timedelta(milliseconds=250),
            messages=[
                Message("user", "Hello", NEW_YEAR + timedelta(seconds=1.5)),
                Message("assistant", "Hi.", NEW_YEAR + timedelta(seconds=3)),
            ],
            conversation="c-1",
            model="model-b",
        )
    ]


def test_missing_fields_are_nothing(read: Read) -> None:
    """An old export has neither times nor models; the id may be called conversation_id."""
    record = line(said("user", "Hello"))
    record = {"conversation_id": "c-2", "mapping": record["mapping"]}
    assert read("chatgpt-export", record) == [
        Conversation(record_id="c-2", conversation="c-2", messages=[Message("user", "Hello")])
    ]


FORKED: dict[str, tuple[str | None, Any]] = {
    "q1": (None, said("user", "Write a poem")),
    "a1": ("q1", said("assistant", "A poem", metadata={"model_slug": "model-a"})),
    "q2": ("a1", said("user", "Longer")),
    "a2": ("q2", said("assistant", "A long poem", metadata={"model_slug": "model-b"})),
    "q3": ("a1", said("user", "Shorter")),
    "a1b": ("q1", said("assistant", "Another poem", metadata={"model_slug": "model-c"})),
}


def test_every_way_to_a_leaf_is_a_conversation(read: Read) -> None:
    """The way through the current node comes first; ids, time and model are the same for all, so that rows are."""
    found = read("chatgpt-export", tree(FORKED, current_node="q3", default_model_slug="model-d"))
    assert [[message.text for message in one.messages] for one in found] == [
        ["Write a poem", "A poem", "Shorter"],
        ["Write a poem", "A poem", "Longer", "A long poem"],
        ["Write a poem", "Another poem"],
    ]
    assert {(one.record_id, one.conversation, one.time, one.model) for one in found} == {
        ("c-1", "c-1", NEW_YEAR + timedelta(milliseconds=250), "model-a")
    }


@pytest.mark.parametrize("current", [None, "gone", 5, ["q1"]])
def test_a_current_node_that_is_not_there_only_costs_the_order(read: Read, current: Any) -> None:
    """All ways are read, in the order of the file."""
    found = read("chatgpt-export", tree(FORKED, current_node=current))
    assert [one.messages[-1].text for one in found] == ["A long poem", "Shorter", "Another poem"]


def test_a_branch_that_says_nothing_is_none(read: Read) -> None:
    """A placeholder of an answer that never came, two roots of which one is empty."""
    nodes = FORKED | {"a0": ("q3", said("assistant", "")), "r": (None, None), "s": ("r", said("system", ""))}
    assert len(read("chatgpt-export", tree(nodes))) == 3


def test_parents_are_told_by_children_where_they_are_not_named(read: Read) -> None:
    """As some tools write the tree."""
    record = tree(FORKED)
    for node in record["mapping"].values():
        del node["parent"]
    assert read("chatgpt-export", record) == read("chatgpt-export", tree(FORKED))


def test_a_turn_with_tools_is_one_answer_after_what_they_gave(read: Read) -> None:
    """Calls stand as recipient and arguments; thoughts and their recap are left out."""
    call = said("assistant", recipient="python", content={"content_type": "code", "language": "python", "text": "1+1"})
    result = said("tool", content={"content_type": "execution_output", "text": "2"}, author={"role": "tool", "name": "python"})
    thoughts = said("assistant", content={"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "c"}]})
    recap = said("assistant", content={"content_type": "reasoning_recap", "content": "Thought for 2s"})
    question, answer = said("user", "Add"), said("assistant", "It is 2.")
    (found,) = read("chatgpt-export", line(question, thoughts, call, result, recap, answer, said("user", "Thanks")))
    assert texts(found) == [("user", "Add"), ("tool", "2"), ("assistant", "python 1+1\n\nIt is 2."), ("user", "Thanks")]


def test_a_picture_alone_is_a_turn(read: Read) -> None:
    """It gives no text, but what follows answers it; of sound the transcript is read."""
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "file-service://file-1", "metadata": {"dalle": None}}
    spoken = {"content_type": "audio_transcription", "text": "And this?", "direction": "in"}
    content = {"content_type": "multimodal_text", "parts": [picture]}
    record = line(
        said("user", content=content), said("assistant", "A cat."), said("user", content=content | {"parts": [spoken, "Say."]})
    )
    (found,) = read("chatgpt-export", record)
    assert texts(found) == [("user", ""), ("assistant", "A cat."), ("user", "And this?\nSay.")]


@pytest.mark.parametrize(
    "message",
    [
        said(
            "user", content={"content_type": "user_editable_context", "user_profile": "I sail.", "user_instructions": "Brief."}
        ),
        said(
            "system",
            "",
            metadata={
                "is_user_system_message": True,
                "user_context_message_data": {"about_user_message": "I sail.", "about_model_message": "Brief."},
            },
        ),
        said("user", "I sail.", "Brief.", metadata={"is_visually_hidden_from_conversation": True}),
        said("assistant", content={"content_type": "model_editable_context", "model_set_context": "I sail.\nBrief."}),
    ],
)
def test_what_nobody_typed_is_the_systems(read: Read, message: Any) -> None:
    """Custom instructions of both generations, hidden messages, memory."""
    (found,) = read("chatgpt-export", line(message, said("user", "Hello")))
    assert texts(found) == [("system", "I sail.\nBrief."), ("user", "Hello")]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "tether_browsing_display", "result": "Two pages", "summary": "Tides"}, "Two pages\nTides"),
        ({"content_type": "tether_quote", "url": "https://e.example", "text": "A quote"}, "A quote"),
        ({"content_type": "system_error", "name": "E", "text": "Denied"}, "Denied"),
        ({"content_type": "new_kind", "content": "New"}, "New"),
        ("Bare", "Bare"),
    ],
)
def test_content_of_other_kinds_gives_its_text(read: Read, content: Any, text: str) -> None:
    """Pages that were looked at, errors of tools, kinds to come."""
    (found,) = read("chatgpt-export", line(said("user", "Look"), said("tool", content=content)))
    assert texts(found) == [("user", "Look"), ("tool", text)]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (5, "without an author"),
        (said("critic", "Hm"), "a role that is not known"),
        (said("assistant", 5), "content is no text"),
        (said("assistant", "Hi", create_time="soon"), "time of a message is no time"),
    ],
)
def test_a_bad_message_is_one_reject(message: Any, reason: str) -> None:
    """The conversation is read without it, on both its sides."""
    found = parsed(line(said("user", "One"), message, said("user", "Two")))
    assert [texts(item) for item in found.items] == [[("user", "One"), ("user", "Two")]]  # type: ignore[arg-type]
    ((place, told),) = [(reject.place, reject.reason) for reject in found.rejects]
    assert place == "element 1, mapping 1" and reason in told and "soon" not in told


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "no messages"),
        (line(*[5] * 1001), "more than 1000 messages that cannot be read; the last: a message without"),
        ({"mapping": []}, "no messages"),
        (line(None, said("system", "")), "no messages"),
        (line(said("user", "Hi")) | {"create_time": "soon"}, "create_time is no time"),
        (line(said("user", "Hi")) | {"id": {}, "conversation_id": {"a": 1}}, "id is no id"),
        (tree({"a": ("b", said("user", "Hi")), "b": ("a", said("user", "Ho"))}), "each other's parents"),
        (tree({"a": (None, said("user", "Hi")), "b": ("b", said("user", "Ho"))}), "each other's parents"),
    ],
)
def test_what_is_no_conversation_is_told(record: Any, reason: str) -> None:
    """One reject, and nothing of the record is kept."""
    with pytest.raises(RecordError, match=reason):
        CHATGPT.parse(Raw("element 1", json.dumps(record).encode()))
    assert parsed(record).items == []


def test_a_tree_of_many_branches_stays_bounded() -> None:
    """Past the limit a branch holds only its own; every message is there."""
    nodes: dict[str, tuple[str | None, Any]] = {"s0": (None, said("user", "0"))}
    for n in range(1, 3000):
        nodes |= {f"s{n}": (f"s{n - 1}", said("user", f"{n}")), f"l{n}": (f"s{n - 1}", said("assistant", f"a{n}"))}
    mapping = {name: {"parent": parent, "message": message} for name, (parent, message) in nodes.items()}
    found = parsed({"mapping": mapping, "current_node": "s2999"}).items
    lengths = [len(item.messages) for item in found]  # type: ignore[union-attr]
    assert (len(found), lengths[0], lengths[1], lengths[-1]) == (3000, 3000, 3000, 1)
    assert len({message.text for item in found for message in item.messages}) == 5999  # type: ignore[union-attr]
    assert sum(lengths) < 100_000


@pytest.mark.parametrize("indent", [None, 2])
def test_the_file_is_recognised(tmp_path: Path, indent: int | None) -> None:
    """As one line or many; a long record by its beginning."""
    long = line(*[said("user", "Hello " * 10_000)] * 100)
    for name, array in (("short", [line(said("user", "Hello"))]), ("long", [long])):
        (tmp_path / name).write_text(json.dumps(array, indent=indent))
        found = detect(tmp_path / name)
        assert (found.format, found.confidence >= 0.95) == (CHATGPT, True)


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "Hello"}]},
        {"mapping": {"prompt": "q"}, "current_node": "q", "title": "A mapping of columns"},
        {"title": "A chat", "chat": {"history": {"messages": {"a": {"parentId": None}}, "currentId": "a"}}},
        {"uuid": "c-1", "name": "A chat", "chat_messages": [{"sender": "human", "text": "Hello"}]},
    ],
)
def test_others_are_not_mistaken_for_it(tmp_path: Path, record: Any) -> None:
    """Generic chats, mappings of something else, other trees, the other export."""
    (tmp_path / "log").write_text(json.dumps([record]))
    assert detect(tmp_path / "log").format is not CHATGPT


@pytest.mark.shared
def test_the_fixture_is_two_conversations(shared_data: Path) -> None:
    """Counted by hand: six nodes, one of them empty; two leaves, of which msg-6 is the current one."""
    with open_source(shared_data / "conversations" / "chatgpt_export_example.json") as opened:
        form = detect(opened).format
        assert form is CHATGPT
        found = form.parse_records(records(opened, form))
    assert (found.records, found.rejects, [len(item.messages) for item in found.items]) == (1, [], [4, 3])  # type: ignore[union-attr]
    main, branch = found.items
    assert isinstance(main, Conversation) and isinstance(branch, Conversation)
    assert (main.record_id, main.model, main.time) == ("conv-123", "gpt-4", datetime(2024, 1, 1, tzinfo=UTC))
    assert main.messages[0].time == datetime(2024, 1, 1, 0, 1, 40, tzinfo=UTC)
    assert branch.messages == [*main.messages[:2], branch.messages[2]] and branch.messages[2].text.endswith("Python instead?")
