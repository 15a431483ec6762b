"""Open WebUI chats and their branches."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RecordError
from backlight.sources import FORMATS, Conversation, Message, Parsed, Raw, detect, records

Read = Callable[[str, Any], list[Conversation]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def said(name: str, parent: str | None, role: str = "user", **fields: Any) -> dict[str, Any]:
    """A message whose text is its id, a second after its parent by its number."""
    return {
        "id": name,
        "parentId": parent,
        "childrenIds": [],
        "role": role,
        "content": name,
        "timestamp": 1_767_225_600 + int(name[1]),
        **({"models": ["model-a"]} if role == "user" else {"model": "model-a", "modelIdx": 0, "done": True}),
    } | fields


def chat(*messages: dict[str, Any], current: str | None = "a2", **fields: Any) -> dict[str, Any]:
    """A row of the export; other keywords change the chat in it."""
    history = {"messages": {message["id"]: message for message in messages}, "currentId": current}
    return {
        "id": "c-1",
        "user_id": "u-1",
        "title": "A title",
        "chat": {"title": "A title", "models": ["model-a"], "params": {}, "history": history, "files": []} | fields,
        "updated_at": 1_767_229_200,
        "created_at": 1_767_225_600,
        "share_id": None,
        "archived": False,
        "pinned": False,
        "meta": {"tags": ["a"]},
        "folder_id": None,
    }


def told(found: list[Conversation]) -> dict[str | None, list[str]]:
    """Texts by conversation."""
    assert len({item.conversation for item in found}) == len(found)
    return {item.conversation: [message.text for message in item.messages] for item in found}


def parsed(record: Any) -> Parsed:
    return FORMATS["open-webui"].parse_records([Raw("line 1", json.dumps(record).encode())])


TWO = (said("u1", None), said("a2", "u1", "assistant"))
FOUR = (*TWO, said("u3", "a2"), said("a4", "u3", "assistant"))


def test_a_chat_without_branches_is_one_conversation(read: Read) -> None:
    """With its user, the times of its messages, and the system prompt of the chat."""
    assert read("open-webui", chat(*TWO, params={"system": "Be brief."}, messages=list(TWO))) == [
        Conversation(
            record_id="c-1",
            time=NEW_YEAR,
            messages=[
                Message("system", "Be brief."),
                Message("user", "u1", NEW_YEAR + timedelta(seconds=1)),
                Message("assistant", "a2", NEW_YEAR + timedelta(seconds=2)),
            ],
            conversation="c-1",
            user="u-1",
            model="model-a",
        )
    ]


def test_an_answer_made_again_stands_after_its_question(read: Read) -> None:
    """In a conversation of its own, without the turns before."""
    again = said("b4", "u3", "assistant", model="model-b")
    found = read("open-webui", chat(*FOUR, again, current="b4"))
    assert told(found) == {"c-1": ["u1", "a2", "u3", "b4"], "c-1/a4": ["u3", "a4"]}
    assert [item.model for item in found] == ["model-b", "model-a"]


def test_a_question_that_was_changed_begins_its_branch(read: Read) -> None:
    """What the two have in common is told once."""
    changed = (said("v3", "a2"), said("b4", "v3", "assistant"), said("v5", "b4"))
    found = read("open-webui", chat(*FOUR, *changed, current="v5"))
    assert told(found) == {"c-1": ["u1", "a2", "v3", "b4", "v5"], "c-1/a4": ["u3", "a4"]}


def test_answers_of_several_models_are_conversations_each(read: Read) -> None:
    """Whose chat goes on after one of them."""
    second, third = said("b2", "u1", "assistant", model="model-b"), said("d2", "u1", "assistant", model="model-c")
    found = read("open-webui", chat(FOUR[0], second, third, *FOUR[1:], current="a4"))
    assert told(found) == {"c-1": ["u1", "a2", "u3", "a4"], "c-1/b2": ["u1", "b2"], "c-1/d2": ["u1", "d2"]}
    assert [item.model for item in found] == ["model-a", "model-b", "model-c"]


def test_a_fork_in_a_branch_is_two_branches(read: Read) -> None:
    """The first tells what they have in common."""
    branch = (said("b2", "u1", "assistant"), said("v3", "b2"), said("b4", "v3", "assistant"), said("d4", "v3", "assistant"))
    found = read("open-webui", chat(*TWO, *branch))
    assert told(found) == {"c-1": ["u1", "a2"], "c-1/b4": ["u1", "b2", "v3", "b4"], "c-1/d4": ["v3", "d4"]}


@pytest.mark.parametrize(
    ("current", "main"), [("a4", ["u1", "a2", "u3", "a4"]), ("u1", ["u1", "b2"]), ("gone", ["u1", "b2"]), (None, ["u1", "b2"])]
)
def test_the_main_way_goes_to_the_leaf_below_the_current_message(read: Read, current: str | None, main: list[str]) -> None:
    """By the last child each time; without a current message, to the last leaf."""
    found = told(read("open-webui", chat(*FOUR, said("b2", "u1", "assistant"), current=current)))
    assert (found["c-1"], len(found)) == (main, 2)


def test_orphans_and_circles_are_not_lost(read: Read) -> None:
    """A parent that is gone begins a conversation, a circle is cut somewhere; nothing is told twice."""
    odd = (said("o3", "gone"), said("x5", "y6"), said("y6", "x5", "assistant"), said("z7", "z7"))
    found = told(read("open-webui", chat(*TWO, *odd)))
    assert found.pop("c-1") == ["u1", "a2"]
    assert found.pop("c-1/o3") == ["o3"]
    assert sorted(text for texts in found.values() for text in texts) == ["x5", "y6", "z7"]


@given(st.lists(st.tuples(st.integers(-2, 9), st.booleans()), min_size=1, max_size=10), st.integers(-1, 9))
def test_every_message_is_told(links: list[tuple[int, bool]], current: int) -> None:
    """Whatever hangs on what: answers once, questions once and then before each further answer."""
    messages = [said(f"m{n}", f"m{up}", "user" if asks else "assistant") for n, (up, asks) in enumerate(links)]
    found = told(parsed(chat(*messages, current=f"m{current}")).items)  # type: ignore[arg-type]
    texts = Counter(text for texts in found.values() for text in texts)
    assert sorted(texts) == [f"m{n}" for n in range(len(links))]
    assert {texts[f"m{n}"] for n, (_, asks) in enumerate(links) if not asks} <= {1}


def test_texts_that_were_replaced_or_merged_are_told(read: Read) -> None:
    """What the model said before its user changed it, and the answer made of several."""
    changed = said("a2", "u1", "assistant", originalContent="before", merged={"status": True, "content": "both"})
    found = read("open-webui", chat(TWO[0] | {"originalContent": "u1"}, changed))
    assert told(found) == {"c-1": ["u1", "a2"], "c-1/a2/original": ["u1", "before"], "c-1/a2/merged": ["u1", "both"]}
    assert {(item.user, item.model) for item in found} == {("u-1", "model-a")}


def test_another_person_in_a_chat_has_a_conversation_of_their_own(read: Read) -> None:
    """By the user that a message names; answers belong to whoever asked."""
    joined = (said("u3", "a2", user={"id": "u-2"}), said("a4", "u3", "assistant"), said("u5", "a4", user_id="u-1"))
    found = read("open-webui", chat(*TWO, *joined, current="u5"))
    assert [(item.user, item.conversation) for item in found] == [("u-1", "c-1"), ("u-2", "c-1/a4"), ("u-1", "c-1/u5")]
    assert list(told(found).values()) == [["u1", "a2"], ["u3", "a4"], ["u5"]]


def test_the_copy_of_a_shared_chat_has_no_user(read: Read) -> None:
    """Its owner's name is made of the chat's id."""
    assert read("open-webui", chat(*TWO) | {"user_id": "shared-c-0"})[0].user is None


def test_answers_of_other_shapes_are_read(read: Read) -> None:
    """Content in parts, items of `output`, the model that an arena chose, a failed answer, milliseconds."""
    parts = said("u1", None, content=[{"type": "text", "text": "one"}, {"type": "image_url", "image_url": {}}])
    output = [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "two"}]}]
    chosen = said("a2", "u1", "assistant", content="", output=output, selectedModelId="model-z", timestamp=1_767_225_600_000)
    failed = said("b2", "u1", "assistant", content="", error={"content": "no connection"})
    found = read("open-webui", chat(parts, chosen, failed))
    assert told(found) == {"c-1": ["one", "two"], "c-1/b2": ["one", ""]}
    assert (found[0].model, found[0].messages[1].time) == ("model-z", NEW_YEAR)


def test_the_table_and_the_first_exports_are_read(read: Read) -> None:
    """The chat as JSON in a text, the chat without a row around it, a plain list of messages."""
    row = chat(*FOUR, current="a4")
    (expected,) = read("open-webui", row)
    assert read("open-webui", row | {"chat": json.dumps(row["chat"])}) == [expected]
    (bare,) = read("open-webui", row["chat"] | {"timestamp": 1_767_225_600_000})
    assert (bare.conversation, bare.time, bare.messages) == (None, NEW_YEAR, expected.messages)
    plain = [{"role": message["role"], "content": message["content"]} for message in FOUR]
    (listed,) = read("open-webui", row | {"chat": {"models": ["model-q"], "messages": plain}})
    assert ([message.text for message in listed.messages], listed.model) == (["u1", "a2", "u3", "a4"], "model-q")


def test_a_wrong_message_is_a_flaw_and_keeps_the_way() -> None:
    """What hangs below it stays in its conversation."""
    odd = (
        TWO[1] | {"role": "secret"},
        said("u3", "a2", timestamp="secret"),
        said("a4", "u3", "assistant", model=[1]),
    )
    result = parsed(chat(TWO[0], *odd, current="a4"))
    assert told(result.items) == {"c-1": ["u1", "u3", "a4"]}  # type: ignore[arg-type]
    assert [reject.place for reject in result.rejects] == ["line 1, message 1", "line 1, message 2", "line 1, message 3"]
    assert "secret" not in "".join(reject.reason for reject in result.rejects)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "a chat without messages"),
        (chat(), "a chat without messages"),
        ({"chat": "secret"}, "no chat"),
        (chat(*TWO) | {"user_id": ["secret"]}, "user_id is no id"),
        (chat(*TWO) | {"created_at": "secret"}, "created_at is no time"),
        (chat(*TWO, params={"system": 5}), "content is no text"),
        ({"chat": {"history": {"messages": {"secret": 5}}}}, "a turn is no object"),
    ],
)
def test_a_wrong_chat_is_an_error_without_its_values(record: dict[str, Any], reason: str) -> None:
    """One reject, whose reason says which field."""
    result = parsed(record)
    assert (result.items, len(result.rejects)) == ([], 1)
    with pytest.raises(RecordError, match=reason) as error:
        FORMATS["open-webui"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(error.value)


def test_a_chat_of_wrong_messages_is_one_reject() -> None:
    """Up to a thousand are told one by one."""
    some, many = (chat(*TWO, *[{"id": f"x{n}"} for n in range(number)]) for number in (1000, 1001))
    assert (len(parsed(some).items), len(parsed(some).rejects)) == (1, 1000)
    assert (len(parsed(many).items), len(parsed(many).rejects)) == (0, 1)


def test_a_comb_of_branches_takes_no_more_than_its_messages(read: Read) -> None:
    """A long chat with a second answer at each turn: the ways to all leaves together would be millions."""
    spine = [
        said(f"m{n % 10}-{n}", f"m{(n - 1) % 10}-{n - 1}" if n else None, ("user", "assistant")[n % 2]) for n in range(6000)
    ]
    teeth = [said(f"t{n % 10}-{n}", spine[n]["id"], "assistant") for n in range(0, 6000, 2)]
    found = read("open-webui", chat(*spine, *teeth, current=spine[-1]["id"]))
    assert (len(found), sum(len(item.messages) for item in found)) == (3001, 6000 + 2 * 3000)


STATS = {"id": "c-1", "user_id": "u-1", "stats": {"message_count": 2}, "chat": {"history": {"messages": {}}}}


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (chat(*FOUR), "open-webui"),
        (chat(*FOUR) | {"chat": json.dumps(chat(*FOUR)["chat"])}, "open-webui"),
        (chat(*FOUR)["chat"], "open-webui"),
        ({"id": "c", "user_id": "u", "chat": {"models": ["m"], "messages": [{"role": "user", "content": "a"}]}}, "open-webui"),
        (STATS, None),
        ({"id": "c", "user_id": "u", "chat": "hello"}, None),
        ({"id": "c", "user_id": "u", "messages": [{"role": "user", "content": "a"}]}, "messages"),
    ],
)
def test_it_is_told_from_its_kin(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """Figures of its chats hold no text, and other rows with a chat no history."""
    (tmp_path / "chat-export.json").write_text(json.dumps([record, record]))
    found = detect(tmp_path / "chat-export.json")
    assert (found.format and found.format.name) == name
    assert name != "open-webui" or found.confidence >= 0.9


def test_a_table_dump_is_told_and_read(tmp_path: Path, read: Read) -> None:
    """CSV, with the chat in a cell and times as digits."""
    row = chat(*FOUR, current="a4")
    with (tmp_path / "chat.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "user_id", "title", "chat", "created_at", "updated_at"], extrasaction="ignore")
        writer.writeheader()
        writer.writerow(row | {"chat": json.dumps(row["chat"])})
    found = detect(tmp_path / "chat.csv")
    assert (found.format and found.format.name) == "open-webui"
    assert FORMATS["open-webui"].parse_records(records(tmp_path / "chat.csv", found.format)).items == read("open-webui", row)
