"""4CAT's items from its API: lines and pages, with values that have types."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.sources import FORMATS, Context, Item, PlatformAccount, Post, Raw, detect

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
TELEGRAM: dict[str, Any] = {
    "id": "chat-7",
    "thread_id": "chat",
    "chat": "chat",
    "author": 42,
    "author_username": "one",
    "author_is_bot": "no",
    "body": "hello",
    "is_reply": True,
    "reply_to": 5,
    "views": 12,
    "timestamp": "2026-01-01 00:00:00",
    "unix_timestamp": 1_767_225_600,
    "author_forwarded_from_id": "",
    "link_attached": None,
    "missing_fields": "",
}
REPLY = Post(platform="telegram", post_id="chat-7", author="42", time=NEW_YEAR, kind="reply", parent="chat-5", text="hello")
PAGE: dict[str, Any] = {
    "key": "0af",
    "type": "telegram-search",
    "offset": 0,
    "limit": 100,
    "total": 2,
    "returned": 2,
    "next_offset": None,
}


def test_numbers_are_read_as_the_csv_has_them(read: Read) -> None:
    """A reply on Telegram finds its parent although `reply_to` is a number here."""
    assert read("4cat-ndjson", TELEGRAM) == [REPLY]
    assert read("4cat", {name: "" if value is None else str(value) for name, value in TELEGRAM.items()}) == [REPLY]


def test_true_is_read_as_the_csv_has_it(read: Read) -> None:
    """An answer to a story names no message, only that it is an answer."""
    (found,) = read("4cat-ndjson", TELEGRAM | {"reply_to": ""})
    assert isinstance(found, Post) and (found.kind, found.parent) == ("reply", "chat")


@pytest.mark.parametrize(
    ("changes", "post"),
    [
        ({"is_retweet": "yes", "language_guess": None, "author_id": "1"}, {"platform": "x", "author": "1", "kind": "repost"}),
        ({"author_screen_name": None, "author_id": -12, "id": 11, "thread_id": 11}, {"platform": "vk", "author": "-12"}),
        ({"url": "https://www.instagram.com/p/11", "timestamp": 0}, {"platform": "instagram", "time": None}),
        ({"url": "https://threads.com/@one/11", "hashtags": "sea,up"}, {"platform": "threads", "hashtags": ["sea", "up"]}),
        ({"tiktok_url": "", "body": {"__missing": True, "value": ""}}, {"platform": "tiktok", "text": ""}),
        ({"tiktok_url": "", "author": {"__missing": True, "value": "@7"}}, {"platform": "tiktok", "author": "@7"}),
        ({"link": "https://x.com/one/11", "urls": "https://e.example/1"}, {"platform": "x", "urls": ["https://e.example/1"]}),
    ],
)  # fmt: skip
def test_items_of_other_platforms(read: Read, changes: dict[str, Any], post: dict[str, Any]) -> None:
    """Negative ids, null, zero for no time, and fields that the platform did not send."""
    given = {"id": "11", "thread_id": "11", "author": "one", "body": "hello", "timestamp": "2026-01-01 00:00:00"}
    expected: dict[str, Any] = {"post_id": "11", "author": "one", "time": NEW_YEAR, "text": "hello"} | post
    assert read("4cat-ndjson", given | changes) == [Post(**expected)]


def test_when_an_account_was_made_and_the_user_names_the_platform() -> None:
    """Both as with the CSV."""
    item = {
        "id": "at://1",
        "thread_id": "at://1",
        "author_id": "did:1",
        "body": "",
        "timestamp": 1_767_225_600,
        "author_created_at": "2026-01-01",
        "author_followers": 7,
    }
    found = FORMATS["4cat-ndjson"].parse(Raw("line 1", json.dumps(item).encode()), Context(platform="forum"))
    assert found == [
        Post(platform="forum", post_id="at://1", author="did:1", time=NEW_YEAR),
        PlatformAccount(platform="forum", author="did:1", created=NEW_YEAR, followers=7),
    ]


def test_a_page_is_its_items(read: Read) -> None:
    """As the API gives them without `stream`; the last page may be empty."""
    assert read("4cat-ndjson", PAGE | {"items": [TELEGRAM, TELEGRAM]}) == [REPLY, REPLY]
    assert read("4cat-ndjson", PAGE | {"items": [], "returned": 0}) == []


def test_a_bad_item_in_a_page_is_one_reject() -> None:
    """The others are read."""
    page = PAGE | {"items": [{"body": "no id"}, TELEGRAM, 5, TELEGRAM | {"unix_timestamp": "c0ffee"}]}
    parsed = FORMATS["4cat-ndjson"].parse_records([Raw("line 1", json.dumps(page).encode())])
    assert parsed.items == [REPLY]
    assert [reject.place for reject in parsed.rejects] == ["line 1, items 0", "line 1, items 2", "line 1, items 3"]
    assert "c0ffee" not in parsed.rejects[2].reason


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"thread_id": "1", "body": "t"}, "id is missing"),
        ({}, "id is missing"),
        (PAGE | {"items": {}}, "items is no list"),
        (TELEGRAM | {"body": {"a": "c0ffee"}}, "body is no text"),
        (TELEGRAM | {"unix_timestamp": None, "timestamp": "c0ffee"}, "timestamp is no time"),
    ],
)
def test_wrong_items_are_rejects_that_quote_nothing(record: dict[str, Any], reason: str) -> None:
    """An item that 4CAT could not map is empty."""
    parsed = FORMATS["4cat-ndjson"].parse_records([Raw("line 1", json.dumps(record).encode())])
    assert (parsed.items, len(parsed.rejects)) == ([], 1)
    assert parsed.rejects[0].reason.startswith(reason) and "c0ffee" not in parsed.rejects[0].reason


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"{json.dumps(TELEGRAM)}\n" * 3, "4cat-ndjson"),
        (json.dumps(PAGE | {"items": [TELEGRAM]}), "4cat-ndjson"),
        (json.dumps(PAGE | {"items": [TELEGRAM]}, indent=1), "4cat-ndjson"),
        ("id,thread_id,author,body,timestamp\n1,1,one,hello,2026-01-01 00:00:00\n", "4cat"),
        (json.dumps({"messages": [{"role": "user", "content": "hi"}]}), "messages"),
        (json.dumps({"id": "1", "author_id": "2", "text": "t", "public_metrics": {}}), "x-v2"),
        (json.dumps({"key": "k", "total": 1, "returned": 1, "items": [{"id": "1", "body": "a comment"}]}), None),
    ],
)
def test_items_are_told(text: str, name: str | None, tmp_path: Path) -> None:
    """The CSV, chats and posts of X's API stay what they are."""
    path = tmp_path / "export"
    path.write_text(text)
    found = detect(path)
    assert (found.format and found.format.name) == name
    assert name is None or found.confidence >= 0.8
