"""Comments of YouTube."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Item, Post, Raw, detect

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
SNIPPET = {
    "videoId": "video-1",
    "textDisplay": "I &lt;3 it",
    "textOriginal": "I <3 it",
    "authorDisplayName": "@one",
    "authorChannelId": {"value": "UCone"},
    "likeCount": 2,
    "publishedAt": "2026-01-01T00:00:00Z",
    "updatedAt": "2026-01-02T00:00:00Z",
}
COMMENT = {"kind": "youtube#comment", "etag": "e", "id": "Ugx", "snippet": SNIPPET}
ANSWER = {"id": "Ugx.9", "snippet": SNIPPET | {"parentId": "Ugx", "textOriginal": "Me too"}}
THREAD = {
    "kind": "youtube#commentThread",
    "id": "Ugx",
    "snippet": {"videoId": "video-1", "topLevelComment": COMMENT, "totalReplyCount": 5},
    "replies": {"comments": [ANSWER]},
}
PAGE = {"kind": "youtube#commentThreadListResponse", "nextPageToken": "t", "items": [THREAD]}


def post(**changes: Any) -> Post:
    """The post that COMMENT is, changed."""
    given = {"post_id": "Ugx", "author": "UCone", "kind": "reply", "parent": "video-1", "text": "I <3 it"} | changes
    return Post(platform="youtube", time=NEW_YEAR, **given)


REPLY = post(post_id="Ugx.9", parent="Ugx", text="Me too")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (COMMENT, [post()]),
        (THREAD, [post(), REPLY]),
        (PAGE, [post(), REPLY]),
        ({"kind": "youtube#commentListResponse", "items": [ANSWER, ANSWER]}, [REPLY, REPLY]),
        ({"kind": "youtube#commentThreadListResponse", "items": []}, []),
        (THREAD | {"replies": None}, [post()]),
    ],
)
def test_comments_threads_and_pages(read: Read, record: dict[str, Any], expected: list[Post]) -> None:
    """A comment answers its video, an answer its comment."""
    assert read("youtube-comments", record) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"videoId": None}, {"kind": "post", "parent": None}),
        ({"authorChannelId": None}, {"author": "@one"}),
        ({"authorChannelId": {}, "authorDisplayName": "One"}, {"author": None}),
        ({"authorChannelId": "UCone"}, {}),
        ({"textOriginal": None}, {}),
        ({"textOriginal": "", "textDisplay": "a<br>b"}, {"text": "a\nb"}),
        ({"parentId": "Ugy"}, {"parent": "Ugy"}),
    ],
)
def test_what_a_comment_may_lack(read: Read, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """The video, the channel, the original text; a display name is nobody's own."""
    assert read("youtube-comments", COMMENT | {"snippet": SNIPPET | changes}) == [post(**expected)]


def test_displayed_text_is_html_with_links(read: Read) -> None:
    """Jumps in the video and hashtags are no links."""
    jump = '<a href="https://www.youtube.com/watch?v=video-1&amp;t=12">0:12</a>'
    tag = '<a href="http://www.youtube.com/results?search_query=%23tide">#tide</a>'
    html = f'{jump} see <a href="https://e.example/?a=1&amp;b=2">https://e.example/?a=1&amp;b=2</a> {tag}'
    (found,) = read("youtube-comments", COMMENT | {"snippet": SNIPPET | {"textOriginal": None, "textDisplay": html}})
    assert found == post(text="0:12 see https://e.example/?a=1&b=2 #tide", urls=["https://e.example/?a=1&b=2"])


def test_an_answer_in_a_thread_needs_not_name_its_parent(read: Read) -> None:
    """Nor the thread's comment its own id or video."""
    bare = {name: value for name, value in SNIPPET.items() if name != "videoId"}
    thread = {
        "id": "Ugx",
        "snippet": {"videoId": "video-1", "topLevelComment": {"snippet": bare}},
        "replies": {"comments": [{"id": "Ugx.9", "snippet": bare}]},
    }
    assert read("youtube-comments", thread) == [post(), post(post_id="Ugx.9", parent="Ugx")]


def test_rows_with_dotted_columns_are_the_same_comments(read: Read) -> None:
    """Empty cells are nothing."""
    row = {
        "id": "Ugx",
        "snippet.videoId": "video-1",
        "snippet.topLevelComment.id": "Ugx",
        "snippet.topLevelComment.snippet.textOriginal": "I <3 it",
        "snippet.topLevelComment.snippet.textDisplay": "",
        "snippet.topLevelComment.snippet.authorChannelId.value": "UCone",
        "snippet.topLevelComment.snippet.publishedAt": "2026-01-01T00:00:00Z",
        "replies.comments": "",
    }
    assert read("youtube-comments", row) == [post()]


def test_tables_of_the_spam_collections(read: Read) -> None:
    """Their text is HTML, their author a display name, the time of some is missing."""
    row = {"COMMENT_ID": "LZQ", "AUTHOR": "One", "DATE": "2026-01-01T00:00:00", "CONTENT": "Hi &lt;3<br />you", "CLASS": "1"}
    expected = Post(platform="youtube", post_id="LZQ", author="One", time=NEW_YEAR, text="Hi <3\nyou")
    assert read("youtube-comments", row) == [expected]
    assert read("youtube-comments", row | {"DATE": "", "AUTHOR": ""}) == [
        Post(platform="youtube", post_id="LZQ", text="Hi <3\nyou")
    ]


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"items": "secret"},
        COMMENT | {"id": None},
        COMMENT | {"snippet": {"title": "secret"}},
        COMMENT | {"snippet": SNIPPET | {"publishedAt": "secret"}},
        COMMENT | {"snippet": SNIPPET | {"authorChannelId": {"value": ["secret"]}}},
        COMMENT | {"snippet": SNIPPET | {"textOriginal": ["secret"]}},
        THREAD | {"snippet": {"topLevelComment": "secret"}},
        THREAD | {"replies": {"comments": "secret"}},
        {"snippet": "secret", "snippet.textOriginal": "secret", "id": "1"},
        {"COMMENT_ID": "", "AUTHOR": "secret", "DATE": "", "CONTENT": "secret"},
    ],
)
def test_wrong_records_are_rejects(record: dict[str, Any]) -> None:
    """The reason holds nothing of the record."""
    with pytest.raises(RecordError) as error:
        FORMATS["youtube-comments"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(error.value)


def test_a_bad_comment_is_one_reject() -> None:
    """Of a page, and of a thread in it; the rest is read."""
    thread = THREAD | {"replies": {"comments": [{"id": "Ugx.8"}, ANSWER, 5]}}
    page = PAGE | {"items": [{"id": "Ugy"}, thread, 7]}
    parsed = FORMATS["youtube-comments"].parse_records([Raw("line 1", json.dumps(page).encode())])
    assert parsed.items == [post(), REPLY]
    parts = ("items 0", "items 1, reply 0", "items 1, reply 2", "items 2")
    assert [reject.place for reject in parsed.rejects] == [f"line 1, {part}" for part in parts]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps(PAGE, indent=1), "youtube-comments"),
        (json.dumps({"items": [ANSWER]}), "youtube-comments"),
        (json.dumps([THREAD, THREAD]), "youtube-comments"),
        (json.dumps(COMMENT), "youtube-comments"),
        ("COMMENT_ID,AUTHOR,DATE,CONTENT,CLASS\nL1,One,2026-01-01T00:00:00,hello,0\n", "youtube-comments"),
        ("id,snippet.topLevelComment.snippet.textDisplay\nL1,hello\n", "youtube-comments"),
        (json.dumps({"kind": "youtube#videoListResponse", "items": [{"id": "v", "snippet": {"title": "t"}}]}), None),
        (json.dumps({"messages": [{"role": "user", "content": "Hi"}]}), "messages"),
        ("spam,look at my channel\nham,nice song\n", None),
    ],
)
def test_comments_are_told(tmp_path: Path, text: str, name: str | None) -> None:
    """Not lists of videos, nor tables without a header."""
    path = tmp_path / "file"
    path.write_text(text)
    found = detect(path)
    assert (found.format and found.format.name) == name
    assert name is None or found.confidence >= 0.8


@pytest.mark.shared
def test_a_real_table_without_a_header_is_not_told(shared_data: Path) -> None:
    """Its two columns are a label and a text; nobody knows whose."""
    assert detect(shared_data / "posts" / "youtube_comments" / "Youtube01-Psy.csv").format is None
