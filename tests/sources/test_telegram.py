"""Telegram Desktop's export: chats, accounts, messages."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Item, Parsed, PlatformAccount, Post, Raw, detect, records

Read = Callable[[str, Any], list[Item]]
TELEGRAM = FORMATS["telegram"]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = {
    "id": 7,
    "type": "message",
    "date": "2026-01-01T03:00:00",
    "date_unixtime": "1767225600",
    "from": "Tide News",
    "from_id": "channel1001",
    "text": "Good morning.",
    "text_entities": [{"type": "plain", "text": "Good morning."}],
}
SERVICE = {
    "id": 1,
    "type": "service",
    "date": "2026-01-01T03:00:00",
    "date_unixtime": "1767225600",
    "actor": "Tide News",
    "actor_id": "channel1001",
    "action": "create_channel",
    "title": "Tide News",
    "text": "",
    "text_entities": [],
}


def chat(*messages: Any, **changes: Any) -> dict[str, Any]:
    return {"name": "Tide News", "type": "public_channel", "id": 1001, "messages": list(messages)} | changes


def account(*chats: Any, **more: Any) -> dict[str, Any]:
    person = {"user_id": 5, "first_name": "Ann", "last_name": "", "phone_number": "+00 000 0000"}
    listed = {"about": "This page lists all chats from this export.", "list": list(chats)}
    return {"about": "Here is the data you requested.", "personal_information": person, "chats": listed} | more


def parsed(record: Any) -> Parsed:
    return TELEGRAM.parse_records([Raw("element 1", json.dumps(record).encode())])


def post(**changes: Any) -> Post:
    given = {"post_id": "1001-7", "author": "channel1001", "text": "Good morning.", "hashtags": []} | changes
    return Post(platform="telegram", time=NEW_YEAR, **given)


def test_a_message_of_a_channel_is_a_post(read: Read) -> None:
    """Its time is the one in UTC, not that of the exporter's clock; its id counts within the chat."""
    assert read("telegram", chat(MESSAGE)) == [post()]


def test_a_text_in_pieces_is_put_together_without_gaps(read: Read) -> None:
    """Links shown and hidden and hashtags are told by the pieces, in their order."""
    pieces = [
        {"type": "hashtag", "text": "#Tide"},
        " see ",
        {"type": "text_link", "text": "this", "href": "https://e.example/1"},
        {"type": "bold", "text": "!"},
        {"type": "link", "text": "e.example/2"},
        {"type": "hashtag", "text": "#moon"},
    ]
    (found,) = read("telegram", chat(MESSAGE | {"text": pieces, "text_entities": []}))
    links = ["https://e.example/1", "e.example/2"]
    assert found == post(text="#Tide see this!e.example/2#moon", urls=links, hashtags=["Tide", "moon"])


def test_typed_pieces_beside_a_plain_text_are_read(read: Read) -> None:
    """They stand in text_entities; where only they are left, they are the text."""
    pieces = [{"type": "plain", "text": "Sea "}, {"type": "hashtag", "text": "#moon"}]
    both = read("telegram", chat(MESSAGE | {"text": "Sea #moon", "text_entities": pieces}))
    alone = read("telegram", chat({k: v for k, v in MESSAGE.items() if k != "text"} | {"text_entities": pieces}))
    assert both == alone == [post(text="Sea #moon", hashtags=["moon"])]


@pytest.mark.parametrize("name", [{"forwarded_from": "Other"}, {"forwarded_from": None}, {"forwarded_from_id": "channel9"}])
def test_a_forwarded_message_is_a_repost_without_a_parent(read: Read, name: dict[str, Any]) -> None:
    """Even where the name it is from is hidden, and where it answers something too."""
    assert read("telegram", chat(MESSAGE | name | {"reply_to_message_id": 5})) == [post(kind="repost")]


@pytest.mark.parametrize(("where", "parent"), [({}, "1001-5"), ({"reply_to_peer_id": "channel77"}, "77-5")])
def test_a_reply_names_the_message_it_answers(read: Read, where: dict[str, str], parent: str) -> None:
    """In its own chat, or in the one that is named."""
    assert read("telegram", chat(MESSAGE | where | {"reply_to_message_id": 5})) == [post(kind="reply", parent=parent)]


def test_people_write_in_groups(read: Read) -> None:
    """The author is the person; one that is not named is not guessed."""
    named, unnamed = MESSAGE | {"from_id": "user42"}, {k: v for k, v in MESSAGE.items() if k != "from_id"}
    found = read("telegram", chat(named, unnamed, type="public_supergroup"))
    assert found == [post(author="user42"), post(author=None)]


def test_exports_before_2021_have_numbers_and_no_utc(read: Read) -> None:
    """Their numbers are the same ids (8,589,934,592 + 1001 is channel 1001); hashtags are looked for in the text later."""
    old = {"id": 7, "type": "message", "date": "2026-01-01T00:00:00", "from": "Tide News", "text": "Good morning."}
    by_number = read("telegram", chat(old | {"from_id": 8_589_935_593}, id=8_589_935_593))
    person = read("telegram", chat(old | {"from_id": 42}))
    unnamed = read("telegram", chat(old))
    assert by_number == unnamed == [post(hashtags=None)]
    assert person == [post(author="user42", hashtags=None)]


def test_a_poll_and_buttons_belong_to_the_post(read: Read) -> None:
    """Question and answers are text, a line each; buttons with a link give it."""
    poll = {"question": "High tide?", "closed": False, "answers": [{"text": "Yes", "voters": 3}, {"text": "No", "voters": 1}]}
    buttons = [[{"type": "url", "text": "More", "data": "https://e.example/1"}, {"type": "callback", "text": "x", "data": ""}]]
    (found,) = read("telegram", chat(MESSAGE | {"poll": poll, "inline_bot_buttons": buttons}))
    assert found == post(text="Good morning.\nHigh tide?\nYes\nNo", urls=["https://e.example/1"])


def test_a_service_message_says_when_a_channel_was_made(read: Read) -> None:
    """Others, and messages that the export only counts, are no posts."""
    pinned = SERVICE | {"id": 2, "action": "pin_message", "message_id": 7}
    made = PlatformAccount(platform="telegram", author="channel1001", created=NEW_YEAR)
    assert read("telegram", chat(SERVICE, pinned, {"id": 3, "type": "unsupported"})) == [made]
    assert read("telegram", chat(SERVICE | {"actor_id": "user5"}, type="public_supergroup")) == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"type": "message", "date": "2026-01-01"}, "id is missing"),
        (MESSAGE | {"date_unixtime": "soon"}, "date_unixtime is no time"),
        (MESSAGE | {"text": 5}, "the text is no text"),
        (MESSAGE | {"text": ["a", {"type": "bold"}]}, "a piece of the text is no text"),
        (MESSAGE | {"from_id": {}}, "from_id is no id"),
        (MESSAGE | {"type": "shout"}, "a message of a type that is not known"),
        (5, "no object"),
    ],
)
def test_a_bad_message_is_one_reject_beside_good_ones(bad: Any, reason: str) -> None:
    """It is named by its place and never quoted."""
    result = parsed(chat(MESSAGE, bad, MESSAGE))
    assert result.items == [post(), post()]
    assert [(reject.place, reject.data) for reject in result.rejects] == [("element 1, messages 1", json.dumps(bad).encode())]
    assert result.rejects[0].reason.startswith(reason)


@pytest.mark.parametrize(
    "record", [{}, {"type": "public_channel", "id": 1}, chat(messages={}), chat(messages=None), chat(id=None), chat(id=1.5)]
)
def test_what_is_no_chat_is_refused(record: dict[str, Any]) -> None:
    """So is a chat whose id or messages cannot be read."""
    with pytest.raises(RecordError):
        TELEGRAM.parse(Raw("element 1", json.dumps(record).encode()))


PRIVATE = [
    "personal_chat",
    "bot_chat",
    "saved_messages",
    "replies",
    "verification_codes",
    "private_group",
    "private_supergroup",
    "private_channel",
]


@pytest.mark.parametrize("kind", PRIVATE)
def test_private_chats_of_an_account_are_not_read(read: Read, kind: str) -> None:
    """The public ones beside them are, those that were left too."""
    left = {"about": "Left.", "list": [chat(MESSAGE, type="public_supergroup", id=2002)]}
    found = read("telegram", account(chat(MESSAGE, type=kind), chat(MESSAGE), left_chats=left))
    assert found == [post(), post(post_id="2002-7")]


@pytest.mark.parametrize("kind", [*PRIVATE, "secret_channel", None, ["public_channel"]])
def test_a_private_chat_alone_is_a_reject_of_which_nothing_is_kept(kind: Any) -> None:
    """As is a chat of a type that nobody knows."""
    result = parsed(chat(MESSAGE, type=kind))
    assert (result.items, [(r.place, r.length, r.data) for r in result.rejects]) == ([], [("element 1, the chat", 0, b"")])
    assert "which is not read; expected a public channel or group" in result.rejects[0].reason


def test_what_is_wrong_in_an_account_is_told_without_its_content() -> None:
    """A chat that is none, one without an id, one of a type that nobody knows; a wrong message of a public one is kept."""
    result = parsed(account(5, chat(MESSAGE, id=None), chat(MESSAGE, type="new_chat"), chat({"type": "message"}, MESSAGE)))
    assert result.items == [post()]
    places = [(reject.place.removeprefix("element 1, "), reject.data) for reject in result.rejects]
    bad = b'{"type": "message"}'
    assert places == [("chats 0", b""), ("chats 1", b""), ("chats 2", b""), ("chats 3, messages 0", bad)]


@pytest.mark.parametrize("record", [account(chats={"about": "x"}), {"about": "x", "contacts": {"about": "y", "list": []}}])
def test_an_account_without_chats_is_a_reject_of_which_nothing_is_kept(record: dict[str, Any]) -> None:
    """Its contacts and sessions are nobody's business."""
    result = parsed(record)
    assert (result.items, [reject.data for reject in result.rejects]) == ([], [b""])


def test_messages_cut_out_alone_are_read_if_a_channel_wrote_them(read: Read) -> None:
    """The channel is then the chat."""
    assert read("telegram", MESSAGE | {"reply_to_message_id": 5}) == [post(kind="reply", parent="1001-5")]
    assert read("telegram", SERVICE) == [PlatformAccount(platform="telegram", author="channel1001", created=NEW_YEAR)]
    assert read("telegram", {"id": 3, "type": "unsupported"}) == read("telegram", SERVICE | {"actor_id": "user5"}) == []


def test_a_persons_message_cut_out_alone_might_be_private() -> None:
    """So it is a reject of which nothing is kept."""
    result = parsed(MESSAGE | {"from_id": "user42"})
    assert (result.items, [reject.data for reject in result.rejects]) == ([], [b""])
    assert "does not say what chat it is from" in result.rejects[0].reason


def test_a_large_export_is_read_as_lines(tmp_path: Path) -> None:
    """What the command in `about` makes of an export gives the same posts as the export."""
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    whole, lines = tmp_path / "result.json", tmp_path / "lines.jsonl"
    whole.write_text(json.dumps(chat(MESSAGE, SERVICE, MESSAGE | {"id": 8}), indent=1))
    command = TELEGRAM.about.partition("jq -c '")[2].removesuffix("'")
    lines.write_bytes(subprocess.run(["jq", "-c", command, whole], check=True, stdout=subprocess.PIPE).stdout)
    one, many = (TELEGRAM.parse_records(records(path, TELEGRAM)) for path in (whole, lines))
    assert len(many.items) == 3 and one.items == many.items and many.records == 3
    assert detect(lines).format is TELEGRAM


def test_an_export_over_the_limit_is_one_reject(tmp_path: Path) -> None:
    """It is told what it is all the same, so that the reason can be read."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(chat(*[MESSAGE] * 3000), indent=1))
    result = TELEGRAM.parse_records(records(path, TELEGRAM, limit=100_000))
    assert (result.items, len(result.rejects)) == ([], 1)
    assert result.rejects[0].reason.endswith("expected at most 100000")
    assert detect(path).format is TELEGRAM


@pytest.mark.parametrize(
    "record",
    [
        chat(MESSAGE),
        chat(type="personal_chat"),
        account(chat(MESSAGE)),
        account(contacts={"about": "x", "list": []}, chats={}),
        {"about": "x", "frequent_contacts": {"about": "y", "list": []}},
        MESSAGE,
        SERVICE,
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_exports_are_recognised(tmp_path: Path, record: dict[str, Any], indent: int | None) -> None:
    """On one line or over many; an account whose chats come late by its own data."""
    path = tmp_path / "result.json"
    path.write_text(json.dumps(record, indent=indent))
    found = detect(path)
    assert found.format is TELEGRAM and found.confidence >= 0.9


@pytest.mark.parametrize(
    "record",
    [
        {"type": "chat", "id": 1, "messages": [{"role": "user", "content": "Hello"}]},
        {"type": "public_channel", "id": "C1001", "messages": [{"ts": "1", "text": "Hello"}]},
        {"about": "x", "contacts": [{"name": "y"}]},
        {"id": 1, "type": "message", "from_id": 5, "date": 1_767_225_600, "text": "Hello"},
        {"update_id": 1, "message": {"message_id": 7, "chat": {"id": 1}, "date": 1_767_225_600, "text": "Hello"}},
    ],
    ids=["messages", "another service's channel", "an address book", "another API's message", "a bot's update"],
)
def test_others_are_not_mistaken(tmp_path: Path, record: dict[str, Any]) -> None:
    """Chats of models and of other services."""
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps(record) + "\n")
    assert detect(path).format is not TELEGRAM
