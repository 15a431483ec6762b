"""Reddit: submissions and comments as Pushshift and its successors keep them, and listings of Reddit's own API.

One submission or comment a record; the kinds are told apart by their fields::

    {"id": "1abc", "author": "one", "created_utc": 1767225600, "subreddit": "tea", "title": "..", "selftext": "..",
     "url": "https://..", "is_self": false, "permalink": "/r/tea/comments/1abc/.."}
    {"id": "kxyz", "author": "two", "created_utc": "1767225600", "subreddit": "tea", "body": "..",
     "link_id": "t3_1abc", "parent_id": "t1_kabc"}

or pages: `{"data": [..]}` of Pushshift's API, `{"kind": "Listing", "data": {"children": [{"kind": "t3", "data": {..}}]}}` of
Reddit's, whose comments hold the answers to them in `replies`, and one `{"kind": "t1", "data": {..}}` alone. CSV and Parquet
carry the fields of a record as columns; those of the dump of 2013 have no author.

Posts are called by their full names (`t3_1abc`, `t1_kxyz`), as parents are. A crosspost is a repost of what it shows. Title
and text of a submission are one text; signs that the API writes as entities are turned back. `[deleted]` and `[removed]` are
no author and no text, but the row stays. The subreddit is not kept. No posts: `more`, which counts comments that a listing
leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.normalise import find_urls
from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._json import dict_of, list_of
from backlight.sources._posts import guarded, needed, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_GONE = ("[deleted]", "[removed]", "[deleted by user]")
_THINGS = ("t1", "t3")
_OWN_MEDIA = ("i.redd.it", "v.redd.it", "preview.redd.it", "i.reddituploads.com")
_EXPECTED = "a submission with a title, or a comment with a body"


def _lists_posts(page: _Dict) -> bool:
    """Whether a listing's first thing is a post, or it is empty; subreddits and accounts are listed in the same way."""
    children = list_of(dict_of(page.get("data")).get("children"))
    return page["kind"] == "Listing" and (not children or dict_of(children[0]).get("kind") in (*_THINGS, "more"))


@source(
    name="reddit",
    title="Reddit: Pushshift submissions and comments, listings of the API, CSV and Parquet with the same fields",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "parent", "created"),
    containers=("jsonl", "json", "csv", "parquet"),
    signature=(
        Rule(("kind", "data.children"), 0.95, where=_lists_posts),
        Rule(("kind", "data.created_utc", "data.subreddit", "data.id"), 0.95, where=lambda r: r["kind"] in _THINGS),
        Rule(("data[].created_utc", "data[].subreddit", "data[].body|data[].title", "data[].id"), 0.95),
        Rule(("body", "created_utc", "subreddit|subreddit_id", "link_id|parent_id", "id|name"), 0.95),
        Rule(("title", "created_utc", "subreddit|subreddit_id", "selftext|is_self", "id|name"), 0.93),
    ),
    rank=20,
    about="authors by name, without followers; accounts with their day of creation where the record says author_created_utc",
)
def reddit(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """A submission or comment is one post; a page is many.

    Raises:
        RecordError: it is neither, or a field is of a kind that cannot be read.
    """
    kind, data = record.get("kind"), record.get("data")
    if isinstance(data, list):
        for index, entry in enumerate(data):
            yield from guarded(f"data {index}", entry, _entry)
    elif kind == "Listing":
        if not isinstance(dict_of(data).get("children"), list):
            raise RecordError("a listing without children", "data.children: posts")
        yield from _things(_children(record))
    elif kind in _THINGS and isinstance(data, dict):
        yield from _entry(data)
        yield from _things(_children(data.get("replies")))
    else:
        yield from _entry(record)


def _things(things: list[Any]) -> Iterator[Item | Flaw]:
    """The posts of a listing, the answers to each below it."""
    waiting, number = things[::-1], 0
    while waiting:
        thing = waiting.pop()
        yield from guarded(f"thing {number}", thing, _thing)
        number += 1
        waiting += reversed(_children(dict_of(dict_of(thing).get("data")).get("replies")))


def _thing(thing: _Dict) -> Iterator[Item]:
    if thing.get("kind") == "more":
        return
    if thing.get("kind") not in _THINGS or not isinstance(thing.get("data"), dict):
        raise RecordError("no post", "kind t1 or t3, and data")
    yield from _entry(thing["data"])


def _children(listing: Any) -> list[Any]:
    """The things of a listing; where there are none, the API writes an empty text."""
    return list_of(dict_of(dict_of(listing).get("data")).get("children"))


def _entry(entry: _Dict) -> Iterator[Item]:
    """A submission or a comment, and when its account was made."""
    author = ident(entry.get("author"), "author")
    author = None if author in _GONE else author
    made = time_of(entry.get("author_created_utc"), "author_created_utc")
    yield _comment(entry, author) if _answers(entry) else _submission(entry, author)
    if author and made:
        yield PlatformAccount(platform="reddit", author=author, created=made)


def _answers(entry: _Dict) -> bool:
    """Whether it is a comment: in tables submissions have the columns of comments too, empty."""
    return bool(entry.get("link_id") or entry.get("parent_id") or (entry.get("body") and not entry.get("title")))


def _comment(entry: _Dict, author: str | None) -> Post:
    if "body" not in entry:
        raise RecordError("body is missing", _EXPECTED)
    return Post(
        platform="reddit",
        post_id=_name(entry, "t1_"),
        author=author,
        time=time_of(entry.get("created_utc"), "created_utc"),
        kind="reply",
        parent=ident(entry.get("parent_id") or entry.get("link_id"), "parent_id"),
        text=_said(entry, "body"),
    )


def _submission(entry: _Dict, author: str | None) -> Post:
    if "title" not in entry:
        raise RecordError("neither a submission nor a comment", _EXPECTED)
    text = "\n\n".join(filter(None, (_said(entry, "title"), _said(entry, "selftext"))))
    parent = ident(entry.get("crosspost_parent"), "crosspost_parent")
    link = _link(entry, parent)
    return Post(
        platform="reddit",
        post_id=_name(entry, "t3_"),
        author=author,
        time=time_of(entry.get("created_utc"), "created_utc"),
        kind="repost" if parent else "post",
        parent=parent,
        text=text,
        urls=list(dict.fromkeys([link, *find_urls(text)])) if link else [],
    )


def _name(entry: _Dict, prefix: str) -> str:
    """The full name; tables may have the number only."""
    name = ident(entry.get("name"), "name")
    if name and name.startswith(prefix):
        return name
    own = needed(entry.get("id"), "id")
    return own if own.startswith(prefix) else prefix + own


def _said(entry: _Dict, field: str) -> str:
    text = text_in(entry.get(field), field)
    return "" if text in _GONE else _unescaped(text)


def _link(entry: _Dict, parent: str | None) -> str | None:
    """Where a submission leads, if not to itself, its own picture, or what it shows of another subreddit."""
    url = entry.get("url")
    if not isinstance(url, str) or "://" not in url or entry.get("is_self") in (True, "True", "true", "1"):
        return None
    host, _, path = url.partition("://")[2].partition("/")
    shown = [f"/{name.removeprefix('t3_')}" for name in (ident(entry.get("id"), "id"), parent) if name]
    if host.lower() in _OWN_MEDIA or (host.lower().endswith("reddit.com") and any(name in f"/{path}" for name in shown)):
        return None
    return _unescaped(url)


def _unescaped(text: str) -> str:
    """Signs that the API writes as entities."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if "&" in text else text
