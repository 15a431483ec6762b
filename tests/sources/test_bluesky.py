"""Bluesky: Jetstream, the API's views and pages, stored records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Item, PlatformAccount, Post, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ONE, TWO = "did:plc:one", "did:web:two.example"
URI = f"at://{ONE}/app.bsky.feed.post/3k1"
OTHER = f"at://{TWO}/app.bsky.feed.post/3k2"
LINK = {
    "index": {"byteStart": 9, "byteEnd": 20},
    "features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://e.example/1"}],
}
TAGS = [
    {"index": {"byteStart": byte}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": tag}]}
    for byte, tag in ((30, "moon"), (24, "tide"))
]
RECORD = {
    "$type": "app.bsky.feed.post",
    "text": "Look at e.example/1 ... #tide #moon",
    "createdAt": "2026-01-01T01:00:00+01:00",
    "langs": ["en"],
    "facets": [LINK, *TAGS],
}
EXPECTED = Post(
    platform="bluesky",
    post_id=URI,
    author=ONE,
    time=NEW_YEAR,
    text="Look at e.example/1 ... #tide #moon",
    language="en",
    urls=["https://e.example/1"],
    hashtags=["tide", "moon"],
)
AUTHOR = {"did": ONE, "handle": "one.example", "createdAt": "2025-01-01T00:00:00.000Z"}
ACCOUNT = PlatformAccount(platform="bluesky", author=ONE, created=datetime(2025, 1, 1, tzinfo=UTC))
VIEW = {"uri": URI, "cid": "bafy1", "author": AUTHOR, "record": RECORD, "indexedAt": "2026-01-01T00:00:05.000Z"}


def event(record: Any = None, **commit: Any) -> dict[str, Any]:
    """A Jetstream event of `did:plc:one`."""
    given = {"rev": "3r", "operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k1", "cid": "bafy1"} | commit
    given |= {"record": RECORD if record is None else record}
    return {"did": ONE, "time_us": 1_767_225_605_000_000, "kind": "commit", "commit": given}


def framed(record: dict[str, Any]) -> dict[str, Any]:
    """The same event as the second version of Jetstream sends it."""
    about = {"$type": "network.bsky.jetstream.subscribeEvents#commit", "seq": 5, "time": "2026-01-01T00:00:05.000000Z"}
    return {"$type": "message", "payload": about | {"did": record["did"]} | record["commit"]}


def told(folder: Path, *values: Any) -> tuple[str | None, float]:
    """What a file of these records is taken for."""
    path = folder / "posts.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    found = detect(path)
    return found.format.name if found.format else None, found.confidence


@pytest.mark.parametrize(
    "record",
    [
        event(),
        event(operation="update"),
        framed(event()),
        {"uri": URI, "cid": "bafy1", "value": RECORD},
        {"records": [{"uri": URI, "cid": "bafy1", "value": RECORD}], "cursor": "3k1"},
    ],
)
def test_a_post_is_the_same_post_in_every_shape(read: Read, record: dict[str, Any]) -> None:
    """With its at-uri as its id, its facets in the text's order."""
    assert read("bluesky", record) == [EXPECTED]


@pytest.mark.parametrize(
    "record",
    [
        VIEW,
        {"feed": [{"post": VIEW}], "cursor": "c"},
        {"feed": [{"post": VIEW, "reason": {"$type": "app.bsky.feed.defs#reasonPin"}}]},
        {"posts": [VIEW]},
        {"post": VIEW, "reply": {"root": {}, "parent": {}}},
        {"thread": {"$type": "app.bsky.feed.defs#threadViewPost", "post": VIEW, "replies": []}},
    ],
)
def test_a_view_is_the_post_and_its_account(read: Read, record: dict[str, Any]) -> None:
    """Alone, in a page, in an entry of a feed or in a thread."""
    assert read("bluesky", record) == [EXPECTED, ACCOUNT]


@pytest.mark.parametrize(
    ("fields", "kind", "parent"),
    [
        ({"reply": {"root": {"uri": URI}, "parent": {"uri": OTHER}}}, "reply", OTHER),
        ({"embed": {"$type": "app.bsky.embed.record", "record": {"uri": OTHER}}}, "quote", OTHER),
        (
            {
                "embed": {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": OTHER}}},
                "reply": {"parent": {"uri": URI}},
            },
            "quote",
            OTHER,
        ),
        ({"embed": {"record": {"uri": f"at://{TWO}/app.bsky.graph.list/3k2"}}}, "post", None),
        ({"reply": None, "embed": None}, "post", None),
    ],
)
def test_replies_and_quotes_name_their_parent(read: Read, fields: dict[str, Any], kind: str, parent: str | None) -> None:
    """A quote inside a reply counts as a quote; an embedded list is not quoted."""
    (found,) = read("bluesky", event(RECORD | fields))
    assert isinstance(found, Post)
    assert (found.kind, found.parent) == (kind, parent)


@pytest.mark.parametrize(
    "embed",
    [
        {"external": {"uri": "https://e.example/2"}},
        {"media": {"external": {"uri": "https://e.example/2"}}, "record": {"record": {"uri": OTHER}}},
    ],
)
def test_a_preview_card_is_a_link(read: Read, embed: dict[str, Any]) -> None:
    """After those of the text; one that stands in both counts once."""
    (found,) = read("bluesky", event(RECORD | {"embed": embed, "facets": [LINK, LINK]}))
    assert isinstance(found, Post)
    assert found.urls == ["https://e.example/1", "https://e.example/2"]


def test_missing_fields_are_nothing(read: Read) -> None:
    """The network's time stands in for the author's; several languages are none; tags outside the text count."""
    bare = {"text": "hello", "langs": ["en", "ja"], "facets": None, "tags": ["sea"]}
    assert read("bluesky", event(bare)) == [
        Post(platform="bluesky", post_id=URI, author=ONE, time=NEW_YEAR + timedelta(seconds=5), text="hello", hashtags=["sea"])
    ]


def test_a_repost_points_at_its_post(read: Read) -> None:
    """The record has no text, and is no other post's id."""
    record = {"$type": "app.bsky.feed.repost", "subject": {"uri": OTHER, "cid": "b"}, "createdAt": "2026-01-01T00:00:00Z"}
    uri = f"at://{ONE}/app.bsky.feed.repost/3k9"
    expected = Post(platform="bluesky", post_id=uri, author=ONE, time=NEW_YEAR, kind="repost", parent=OTHER)
    assert read("bluesky", event(record, collection="app.bsky.feed.repost", rkey="3k9")) == [expected]


@pytest.mark.parametrize(
    ("own", "name"),
    [({"uri": f"at://{TWO}/app.bsky.feed.repost/3k9"}, f"at://{TWO}/app.bsky.feed.repost/3k9"), ({}, f"{URI}#{TWO}")],
)
def test_a_feed_shows_reposts_with_their_text(read: Read, own: dict[str, str], name: str) -> None:
    """The post that is reposted is no row; where the feed gives no id, post and account name the repost."""
    by = {"did": TWO, "handle": "two.example"}
    reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": by, "indexedAt": "2026-01-02T00:00:00Z"} | own
    post, account = read("bluesky", {"feed": [{"post": VIEW, "reason": reason}]})
    assert isinstance(post, Post) and account == ACCOUNT
    assert (post.post_id, post.author, post.kind, post.parent) == (name, TWO, "repost", URI)
    assert (post.text, post.time) == (EXPECTED.text, datetime(2026, 1, 2, tzinfo=UTC))


def test_a_thread_is_read_up_and_down(read: Read) -> None:
    """Posts that are gone or blocked are none."""
    views = [{"uri": f"{URI}{n}", "author": {"did": ONE}, "record": {"text": str(n)}} for n in range(4)]
    gone, blocked = {"uri": OTHER, "notFound": True}, {"uri": OTHER, "blocked": True, "author": {"did": TWO}}
    below = {"post": views[2], "replies": [{"post": views[3]}, gone]}
    thread = {"post": views[1], "parent": {"post": views[0], "parent": blocked}, "replies": [below]}
    assert [item.text for item in read("bluesky", {"thread": thread}) if isinstance(item, Post)] == ["1", "0", "2", "3"]


@pytest.mark.parametrize(
    "record",
    [
        event({"subject": {"uri": OTHER}}, collection="app.bsky.feed.like"),
        {"did": ONE, "time_us": 1, "kind": "commit", "commit": event()["commit"] | {"operation": "delete", "record": None}},
        {"did": ONE, "time_us": 1, "kind": "identity", "identity": {"did": ONE, "handle": "one.example"}},
        {"$type": "message", "payload": {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor"}},
        {"$type": "error", "error": "ConsumerTooSlow", "message": "slow"},
        {"feed": []},
        {"records": [{"uri": URI, "value": {"$type": "app.bsky.feed.like"}}]},
    ],
)
def test_what_is_no_post_gives_nothing(read: Read, record: dict[str, Any]) -> None:
    """Likes, deletions, news of accounts and of the stream, empty pages."""
    assert read("bluesky", record) == []


@pytest.mark.parametrize(
    "record",
    [
        {},
        event() | {"commit": None},
        event(rkey=""),
        event() | {"did": None},
        event("text"),
        event(collection=None),
        event(RECORD | {"createdAt": "secret soon"}),
        event(RECORD | {"text": ["secret"]}),
        event({"subject": {}}, collection="app.bsky.feed.repost"),
        {"$type": "message", "payload": "secret"},
        VIEW | {"uri": None},
        VIEW | {"author": {"did": ["secret"]}},
    ],
)
def test_wrong_records_are_rejects(record: dict[str, Any]) -> None:
    """The reason holds nothing of the record."""
    with pytest.raises(RecordError) as error:
        FORMATS["bluesky"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(error.value)


def test_a_bad_post_in_a_page_is_one_reject() -> None:
    """As is a bad place in a thread; the rest is read."""
    for page, places in (
        ({"feed": [{"post": VIEW}, {"post": 5}, 7]}, ["line 1, feed 1", "line 1, feed 2"]),
        ({"posts": [{"uri": URI}, VIEW]}, ["line 1, posts 0"]),
        ({"thread": {"post": VIEW, "replies": [{}, {"post": {}}]}}, [f"line 1, post {n} of the thread" for n in (1, 2)]),
    ):
        parsed = FORMATS["bluesky"].parse_records([Raw("line 1", json.dumps(page).encode())])
        assert parsed.items == [EXPECTED, ACCOUNT]
        assert [reject.place for reject in parsed.rejects] == places


@pytest.mark.parametrize(
    "record",
    [
        event(),
        framed(event()),
        {"did": ONE, "time_us": 1, "kind": "account", "account": {"active": True}},
        VIEW,
        {"feed": [{"post": VIEW}]},
        {"posts": [VIEW]},
        {"thread": {"post": VIEW}},
        {"post": VIEW},
        {"uri": URI, "cid": "b", "value": RECORD},
        {"records": [{"uri": URI, "value": RECORD}]},
    ],
)
def test_every_shape_is_told(tmp_path: Path, record: dict[str, Any]) -> None:
    """Whatever else stands in the file's first records."""
    name, confidence = told(tmp_path, record)
    assert name == "bluesky" and confidence >= 0.95


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [{"role": "user", "content": "Hello"}]},
        {"uri": "at://a/app.bsky.feed.like/1", "cid": "b", "value": {"$type": "app.bsky.feed.like"}},
        {"uri": "u", "value.$type": "app.bsky.feed.post"},
        {"records[].uri": 1, "records[].value.$type": 2, "records": []},
        {"$type": "message", "payload": {"$type": "other"}},
        {"posts": [{"uri": "https://e.example"}]},
        {"did": ONE, "time_us": 1, "kind": "sale"},
    ],
)
def test_others_are_not_mistaken(tmp_path: Path, record: dict[str, Any]) -> None:
    """Nor do odd fields break detection."""
    assert told(tmp_path, record)[0] != "bluesky"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("post_record.json", {"Post": 1}),
        ("thread_view_post_with_embed_media.json", {"Post": 1, "PlatformAccount": 1}),
        ("like_record.json", None),
        ("feed_record.json", None),
        ("get_follows.json", None),
    ],
)
def test_real_objects(shared_data: Path, name: str, expected: dict[str, int] | None) -> None:
    """Two hold a post; a like, a feed's description and a list of accounts hold none and are not taken for posts."""
    with open_source(shared_data / "posts" / "bluesky" / name) as opened:
        form = detect(opened).format
        parsed = form.parse_records(records(opened, form)) if form else None
    assert (parsed and dict(Counter(type(item).__name__ for item in parsed.items))) == expected
    assert form is None or (form.name == "bluesky" and parsed is not None and not parsed.rejects)
