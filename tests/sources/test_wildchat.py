"""WildChat rows."""

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
from backlight.sources import FORMATS, Conversation, Message, Parsed, Raw, detect, records

Read = Callable[[str, Any], list[Conversation]]
ADDRESS = "4c6d1e0a9b8f7e6d5c4b3a2918070605"
HEADER = {"user-agent": "Browser/1.0", "accept-language": "nb-NO,nb;q=0.9"}
ASKED = {
    "role": "user",
    "content": "Say hello.",
    "turn_identifier": 105002,
    "hashed_ip": ADDRESS,
    "country": "Norway",
    "state": "Oslo",
    "header": HEADER,
    "language": "English",
    "toxic": False,
    "redacted": False,
    "timestamp": None,
}
TOLD = {
    "role": "assistant",
    "content": "Hello.",
    "turn_identifier": 105002,
    "hashed_ip": None,
    "header": None,
    "language": "English",
    "toxic": False,
    "redacted": False,
    "timestamp": "2023-04-09T00:02:53+00:00",
}
ROW = {
    "conversation_hash": "9f01",
    "model": "gpt-4-0314",
    "timestamp": "2023-04-09T00:05:00+00:00",
    "conversation": [ASKED, TOLD],
    "turn": 1,
    "language": "English",
    "openai_moderation": [{"flagged": False}, {}],
    "detoxify_moderation": [{"toxicity": 0.1}, {}],
    "toxic": False,
    "redacted": False,
    "state": "Oslo",
    "country": "Norway",
    "hashed_ip": ADDRESS,
    "header": HEADER,
}
ANSWERED = datetime(2023, 4, 9, 0, 2, 53, tzinfo=UTC)
EXPECTED = Conversation(
    record_id="9f01",
    time=datetime(2023, 4, 9, 0, 5, tzinfo=UTC),
    messages=[Message("user", "Say hello.", ANSWERED), Message("assistant", "Hello.", ANSWERED)],
    conversation="9f01/105002",
    address=ADDRESS,
    user_agent="Browser/1.0",
    model="gpt-4-0314",
)


def parsed(record: Any) -> Parsed:
    return FORMATS["wildchat"].parse_records([Raw("line 1", json.dumps(record).encode())])


def test_a_row_is_a_conversation_without_an_account(read: Read) -> None:
    """Address and user agent are given, and no user of any kind."""
    assert read("wildchat", ROW) == [EXPECTED]


def test_a_question_has_the_time_of_its_own_answer(read: Read) -> None:
    """The row's time is that of its last turn, so it would be wrong for the others; without an answer there is none."""
    later = TOLD | {"timestamp": "2023-04-09T00:05:00+00:00"}
    (found,) = read("wildchat", ROW | {"conversation": [ASKED, TOLD, ASKED, later, ASKED]})
    assert [message.time and message.time.minute for message in found.messages] == [2, 2, 5, 5, None]


def test_equal_chats_of_two_people_are_two_conversations(read: Read) -> None:
    """The hash is that of the text, the identifier of the first turn tells them apart."""
    other = ASKED | {"turn_identifier": 220001}
    assert read("wildchat", ROW | {"conversation": [other, TOLD]})[0].conversation == "9f01/220001"
    bare = {"role": "user", "content": "Say hello."}
    assert read("wildchat", ROW | {"conversation": [bare]})[0].conversation == "9f01"


def test_what_the_row_lacks_its_first_question_says(read: Read) -> None:
    """Subsets were made without the columns of the row."""
    row = {name: value for name, value in ROW.items() if name not in ("hashed_ip", "header", "timestamp")}
    (found,) = read("wildchat", row)
    assert (found.address, found.user_agent, found.time) == (ADDRESS, "Browser/1.0", None)


def test_the_first_release_has_an_id_and_no_address(read: Read) -> None:
    """Its times have no zone in some copies, or are milliseconds."""
    turns = [{name: turn[name] for name in ("role", "content", "language", "toxic", "redacted")} for turn in (ASKED, TOLD)]
    row = {"conversation_id": "c-1", "model": "gpt-4", "timestamp": 1_681_000_000_000, "conversation": turns}
    (found,) = read("wildchat", row | {"turn": 1, "language": "English", "toxic": False, "redacted": False})
    assert (found.record_id, found.conversation, found.address) == ("c-1", "c-1", None)
    assert found.time == datetime(2023, 4, 9, 0, 26, 40, tzinfo=UTC)


def test_empty_questions_and_turns_in_a_text_are_read(read: Read) -> None:
    """People could send nothing, and tables keep lists as JSON."""
    (found,) = read("wildchat", ROW | {"conversation": json.dumps([ASKED | {"content": ""}, TOLD])})
    assert [message.text for message in found.messages] == ["", "Hello."]


def test_a_wrong_turn_is_a_flaw_and_keeps_its_place() -> None:
    """Text with a wrong time stays, a text that is none becomes empty, a turn without a role is left out."""
    late, odd, lost = TOLD | {"timestamp": "secret"}, ASKED | {"content": 5}, {"content": "secret"}
    result = parsed(ROW | {"conversation": [ASKED, late, odd, TOLD, lost]})
    (found,) = result.items
    assert isinstance(found, Conversation)
    assert [(m.role, m.text) for m in found.messages] == [
        ("user", "Say hello."),
        ("assistant", "Hello."),
        ("user", ""),
        ("assistant", "Hello."),
    ]
    assert [reject.place for reject in result.rejects] == [f"line 1, conversation {n}" for n in (1, 2, 4)]
    assert "secret" not in "".join(reject.reason for reject in result.rejects)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"conversation": None}, "no turns"),
        ({"conversation": []}, "no turns"),
        ({"conversation": "secret"}, "no turns"),
        ({"conversation": [5]}, "a turn is no object"),
        ({"conversation": [{"role": "secret", "content": "a"}]}, "role that is not known"),
        ({"hashed_ip": ["secret"]}, "hashed_ip is no id"),
        ({"header": "secret"}, "header is no object"),
        ({"timestamp": "secret"}, "timestamp is no time"),
    ],
)
def test_a_wrong_row_is_an_error_without_its_values(change: dict[str, Any], reason: str) -> None:
    """It says which field, not what stood there."""
    with pytest.raises(RecordError, match=reason) as error:
        FORMATS["wildchat"].parse(Raw("line 1", json.dumps(ROW | change).encode()))
    assert "secret" not in str(error.value)


def test_a_record_of_wrong_turns_is_one_reject() -> None:
    """Up to a thousand are told one by one."""
    some, many = ({"conversation": [ASKED, *[{}] * number]} for number in (1000, 1001))
    assert (len(parsed(some).items), len(parsed(some).rejects)) == (1, 1000)
    assert [reject.reason.partition(";")[0] for reject in parsed(many).rejects] == ["more than 1000 turns that cannot be read"]


@pytest.mark.parametrize("nested", [7, 400, 980])
def test_nested_content_is_one_flaw(nested: int) -> None:
    """However deep."""
    deep = json.dumps(ROW).replace('"Say hello."', "[" * nested + "]" * nested).encode()
    result = FORMATS["wildchat"].parse_records([Raw("line 1", deep)])
    assert len(result.rejects) == 1


def test_parquet_is_told_and_read(tmp_path: Path) -> None:
    """As published: lists of structs, times of microseconds."""
    whole = pa.timestamp("us", "UTC")
    table = pa.Table.from_pylist([ROW | {"timestamp": EXPECTED.time, "conversation": [ASKED, TOLD | {"timestamp": ANSWERED}]}])
    assert table.schema.field("timestamp").type == whole
    pq.write_table(table, tmp_path / "train-00000-of-00014.parquet")
    found = detect(tmp_path / "train-00000-of-00014.parquet")
    assert (found.format and found.format.name, found.confidence) == ("wildchat", 0.97)
    raws = records(tmp_path / "train-00000-of-00014.parquet", found.format)
    assert FORMATS["wildchat"].parse_records(raws).items == [EXPECTED]


TURNS = [{"role": "user", "content": "a", "toxic": False, "redacted": False}]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (ROW, "wildchat"),
        (ROW | {"conversation": json.dumps([ASKED, TOLD])}, "wildchat"),
        ({"conversation_id": "c", "model": "m", "timestamp": "2023-04-09T00:00:00Z", "conversation": TURNS}, "wildchat"),
        ({"messages": [{"role": "user", "content": "a"}], "hashed_ip": ADDRESS, "model": "m"}, "messages"),
        ({"conversation_hash": "9f", "prompt": "a", "model": "m"}, None),
        ({"conversation_hash": "9f", "conversation": 5, "model": "m"}, None),
    ],
)
def test_it_is_told_from_its_kin(tmp_path: Path, record: dict[str, Any], name: str | None) -> None:
    """Columns made from it and plain chats are not taken for it."""
    (tmp_path / "rows.jsonl").write_text(json.dumps(record) + "\n")
    found = detect(tmp_path / "rows.jsonl")
    assert (found.format and found.format.name) == name
    assert name != "wildchat" or found.confidence >= 0.9
