"""LMSYS-Chat-1M and the Chatbot Arena."""

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
from backlight.sources import FORMATS, Conversation, Message, Raw, detect, records

Read = Callable[[str, Any], list[Conversation]]
ASKED = {"content": "Say hello.", "role": "user"}
ROW = {
    "conversation_id": "c-1",
    "model": "model-a",
    "conversation": [ASKED, {"content": "Hello.", "role": "assistant"}],
    "turn": 1,
    "language": "English",
    "openai_moderation": [{"categories": {"hate": False}, "category_scores": {"hate": 0.0}, "flagged": False}],
    "redacted": False,
}
CHAT = Conversation(
    record_id="c-1",
    messages=[Message("user", "Say hello."), Message("assistant", "Hello.")],
    conversation="c-1",
    model="model-a",
)
VOTE = {
    "question_id": "q-1",
    "model_a": "model-a",
    "model_b": "model-b",
    "winner": "model_a",
    "judge": "arena_user_973",
    "conversation_a": [ASKED, {"content": "Hello.", "role": "assistant"}],
    "conversation_b": [ASKED, {"content": "Hi.", "role": "assistant"}],
    "turn": 1,
    "anony": True,
    "language": "English",
    "tstamp": 1_682_351_591.5,
    "openai_moderation": {"flagged": False},
    "toxic_chat_tag": {"t5-large": {"flagged": False, "score": -0.1}},
}


def test_a_row_is_a_conversation_of_nobody(read: Read) -> None:
    """There is neither user nor time."""
    assert read("lmsys", ROW) == [CHAT]


def test_a_vote_is_two_conversations_of_its_judge(read: Read) -> None:
    """Both have the question; each has the answer of its model."""
    first, second = read("lmsys", VOTE)
    assert first == Conversation(
        record_id="q-1",
        time=datetime(2023, 4, 24, 15, 53, 11, 500_000, tzinfo=UTC),
        messages=[Message("user", "Say hello."), Message("assistant", "Hello.")],
        conversation="q-1/a",
        user="arena_user_973",
        model="model-a",
    )
    assert (second.record_id, second.conversation, second.model) == ("q-1", "q-1/b", "model-b")
    assert (second.user, second.messages[1].text) == ("arena_user_973", "Hi.")


def test_the_judge_of_a_benchmark_is_no_user(read: Read) -> None:
    """On MT-bench nobody asked: an expert or a model read what was made."""
    row = {name: VOTE[name] for name in VOTE if name not in ("anony", "language", "tstamp", "openai_moderation")}
    found = read("lmsys", row | {"question_id": 81, "judge": "expert_17"})
    assert [(item.record_id, item.user, item.time) for item in found] == [("81", None, None)] * 2


def test_newer_votes_have_sessions_and_parts(read: Read) -> None:
    """Content is a list of parts, pictures give nothing; no judge is named."""
    said = [{"role": "user", "content": [{"type": "text", "text": "Say hello.", "image": None, "mimeType": None}]}]
    row = {"id": "v-1", "evaluation_session_id": "s-1", "evaluation_order": 2, "timestamp": "2025-05-29T14:48:41.602925"}
    first, second = read("lmsys", row | {"model_a": "a", "model_b": "b", "conversation_a": said, "conversation_b": said})
    assert (first.record_id, first.conversation, second.conversation) == ("v-1", "s-1/a", "s-1/b")
    assert first.time == datetime(2025, 5, 29, 14, 48, 41, 602_925, tzinfo=UTC)
    assert first.messages == [Message("user", "Say hello.")]


def test_turns_in_a_text_are_read(read: Read) -> None:
    """As tables keep them."""
    row = VOTE | {side: json.dumps(VOTE[side]) for side in ("conversation_a", "conversation_b")}
    assert read("lmsys", row) == read("lmsys", VOTE)


def test_a_wrong_side_or_turn_is_a_flaw_beside_the_good() -> None:
    """The other side, and the other turns, are kept."""
    row = VOTE | {"conversation_a": [], "conversation_b": [ASKED, {"role": "assistant", "content": {"text": 5}}]}
    result = FORMATS["lmsys"].parse_records([Raw("line 1", json.dumps(row).encode())])
    assert [reject.place for reject in result.rejects] == ["line 1, conversation_a", "line 1, conversation_b 1"]
    (found,) = result.items
    assert isinstance(found, Conversation)
    assert found.messages == [Message("user", "Say hello."), Message("assistant", "")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({}, "no turns"),
        (ROW | {"conversation": "secret"}, "no turns"),
        (ROW | {"conversation": ["secret"]}, "a turn is no object"),
        (ROW | {"conversation_id": {"secret": 1}}, "conversation_id is no id"),
        (ROW | {"model": ["secret"]}, "model is no id"),
        (VOTE | {"tstamp": "secret"}, "tstamp is no time"),
        (VOTE | {"judge": ["secret"]}, "judge is no id"),
        (VOTE | {"model_b": ["secret"]}, "model_b is no id"),
    ],
)
def test_a_wrong_row_is_an_error_without_its_values(record: dict[str, Any], reason: str) -> None:
    """It says which field, not what stood there."""
    with pytest.raises(RecordError, match=reason) as error:
        FORMATS["lmsys"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("row", [ROW, VOTE])
def test_parquet_is_told_and_read(tmp_path: Path, read: Read, row: dict[str, Any]) -> None:
    """As published: lists of structs."""
    pq.write_table(pa.Table.from_pylist([row, row]), tmp_path / "train.parquet")
    found = detect(tmp_path / "train.parquet")
    assert (found.format and found.format.name, found.confidence) == ("lmsys", 0.95)
    assert FORMATS["lmsys"].parse_records(records(tmp_path / "train.parquet", found.format)).items == read("lmsys", row) * 2


OLD_WILDCHAT = {"toxic": False, "redacted": False}


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (ROW, "lmsys"),
        (VOTE, "lmsys"),
        (VOTE | {"conversation_a": json.dumps(VOTE["conversation_a"])}, "lmsys"),
        (ROW | {"timestamp": "2023-04-09T00:00:00Z", "conversation": [ASKED | OLD_WILDCHAT]}, "wildchat"),
        (ROW | {"conversation_hash": "9f", "hashed_ip": "4c"}, "wildchat"),
        ({"conversation_id": "c", "model": "m", "messages": [ASKED]}, "messages"),
        ({"conversation_id": "c", "model": "m", "conversation": [ASKED]}, None),
        ({"model_a": "a", "model_b": "b", "conversation_a": 1, "conversation_b": 2}, None),
        ({"prompt": "a", "model_a": "a", "model_b": "b", "response_a": "x", "response_b": "y"}, None),
    ],
)
def test_it_is_told_from_its_kin(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """WildChat has the same columns and more; plain chats and comparisons of single answers are something else."""
    (tmp_path / "rows.json").write_text(json.dumps([record, record], indent=1))
    found = detect(tmp_path / "rows.json")
    assert (found.format and found.format.name) == name
    assert name != "lmsys" or found.confidence >= 0.9
