"""Comments of YouTube: threads and comments of the Data API, pages of them, and tables made from them.

A thread is a comment on a video and some of the answers to it; a comment alone looks like its `topLevelComment`::

    {"kind": "youtube#commentThread", "id": "Ugx", "snippet": {"videoId": "v1", "topLevelComment": {"kind": "youtube#comment",
     "id": "Ugx", "snippet": {"textOriginal": "..", "textDisplay": "..", "authorChannelId": {"value": "UCa"},
     "authorDisplayName": "@one", "publishedAt": "2026-01-01T00:00:00Z", "videoId": "v1"}}},
     "replies": {"comments": [{"id": "Ugx.9", "snippet": {"parentId": "Ugx", ..}}]}}

Pages hold either in `items`. A CSV may have the same fields as dotted columns, or the columns COMMENT_ID, AUTHOR, DATE and
CONTENT of the spam collections, whose label (CLASS) is not read.

A comment answers its video, so the video is its parent; one on no video (a channel's discussion) is a post. The original text
is preferred; the displayed one is HTML, in which YouTube marks links. The author is the channel, else the handle (`@name`); a
display name that is no handle is nobody's own and is not taken, except from COMMENT_ID tables, which have nothing better.
Answers that a thread counts but does not hold are not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._html import plain
from backlight.sources._items import Item, Post
from backlight.sources._json import dict_of
from backlight.sources._posts import guarded, needed, nested, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_PAGES = ("youtube#commentThreadListResponse", "youtube#commentListResponse")
_THREAD, _ITEM = "snippet.topLevelComment.snippet", "items[].snippet"


@source(
    name="youtube-comments",
    title="YouTube Data API: comment threads and comments, and tables of comments",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "parent"),
    containers=("jsonl", "json", "csv"),
    signature=(
        Rule(("kind", "items"), 0.97, where=lambda r: r["kind"] in _PAGES),
        Rule((f"{_ITEM}.topLevelComment.snippet",), 0.97),
        Rule((f"{_ITEM}.textDisplay|{_ITEM}.textOriginal", f"{_ITEM}.publishedAt", "items[].id"), 0.95),
        Rule((f"{_THREAD}.textDisplay|{_THREAD}.textOriginal",), 0.97),
        Rule(("snippet.textDisplay|snippet.textOriginal", "snippet.publishedAt", "id"), 0.95),
        Rule(("COMMENT_ID", "AUTHOR", "DATE", "CONTENT"), 0.95),
    ),
    rank=15,
    about="authors by channel; tables with COMMENT_ID have display names, which two people may share, and no video",
)
def youtube_comments(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """A comment is one post; a thread or a page is many.

    Raises:
        RecordError: it is none of these, or a field is of a kind that cannot be read.
    """
    if "COMMENT_ID" in record:
        yield _row(record)
        return
    record = nested(record, "one column a field")
    if "items" not in record:
        yield from _entry(record, "")
        return
    if not isinstance(record["items"], list):
        raise RecordError("items is no list", "comment threads or comments")
    for index, entry in enumerate(record["items"]):
        yield from _part(f"items {index}", entry)


def _part(where: str, entry: Any) -> Iterator[Item | Flaw]:
    return guarded(where, entry, lambda entry: _entry(entry, f"{where}, "))


def _entry(entry: _Dict, where: str) -> Iterator[Item | Flaw]:
    """A thread or a comment."""
    snippet = dict_of(entry.get("snippet"))
    top = snippet.get("topLevelComment")
    if top is None:
        yield _comment(entry, None, None)
        return
    if not isinstance(top, dict):
        raise RecordError("topLevelComment is no object", "a comment")
    video = ident(snippet.get("videoId"), "videoId")
    yield _comment({"id": entry.get("id")} | top, None, video)
    name = ident(top.get("id") or entry.get("id"), "id")
    replies = dict_of(entry.get("replies")).get("comments")
    if replies and not isinstance(replies, list):
        raise RecordError("replies.comments is no list", "comments")
    for index, reply in enumerate(replies or []):
        yield from guarded(f"{where}reply {index}", reply, lambda reply: [_comment(reply, name, video)])


def _comment(comment: _Dict, parent: str | None, video: str | None) -> Post:
    """One comment; `parent` is the comment it stands under, where it does not say so itself."""
    snippet = comment.get("snippet")
    if not isinstance(snippet, dict) or not {"textOriginal", "textDisplay"} & snippet.keys():
        raise RecordError("no comment", "a snippet with textOriginal or textDisplay")
    text, links = _text(snippet)
    own = needed(comment.get("id"), "id")
    answered = snippet.get("parentId") or parent or snippet.get("videoId") or video
    return Post(
        platform="youtube",
        post_id=own,
        author=_author(snippet),
        time=time_of(snippet.get("publishedAt"), "publishedAt"),
        kind="reply" if answered else "post",
        parent=ident(answered, "parentId"),
        text=text,
        urls=links,
    )


def _text(snippet: _Dict) -> tuple[str, list[str]]:
    """The text and its links; those in an original text are found later, like everywhere."""
    original = text_in(snippet.get("textOriginal"), "textOriginal")
    return (original, []) if original else plain(text_in(snippet.get("textDisplay"), "textDisplay"))


def _author(snippet: _Dict) -> str | None:
    channel = snippet.get("authorChannelId")
    found = ident(channel.get("value") if isinstance(channel, dict) else channel, "authorChannelId")
    name = snippet.get("authorDisplayName")
    return found or (name if isinstance(name, str) and name.startswith("@") else None)


def _row(row: _Dict) -> Post:
    text, links = plain(text_in(row.get("CONTENT"), "CONTENT"))
    return Post(
        platform="youtube",
        post_id=needed(row.get("COMMENT_ID"), "COMMENT_ID"),
        author=ident(row.get("AUTHOR"), "AUTHOR"),
        time=time_of(row.get("DATE"), "DATE"),
        text=text,
        urls=links,
    )
