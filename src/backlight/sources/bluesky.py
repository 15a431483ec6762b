"""Posts of Bluesky: events of Jetstream, views and pages of its API, and records as they are stored.

An event of Jetstream, one a line; its second version wraps the same fields in `{"$type": "message", "payload": {..}}`::

    {"did": "did:plc:a", "time_us": 1767225600000000, "kind": "commit", "commit": {"operation": "create",
     "collection": "app.bsky.feed.post", "rkey": "3k", "record": {"text": "..", "createdAt": "..", "langs": ["en"]}}}

A view of the API, `{"uri": "at://did:plc:a/app.bsky.feed.post/3k", "author": {"did": ..}, "record": {..}, "indexedAt": ..}`,
alone, in a page (`feed[].post`, `posts[]`), or in a thread; and a stored record, `{"uri": .., "value": {..}}`, alone or in
`records[]`. The id of a post is its at-uri in all of them, since replies, quotes and reposts name their parents so.

No posts, and so left out: records of other collections (likes, follows, profiles), deletions, events on identities and
accounts, frames that say something of the stream, and the places in a thread whose post is gone or blocked. A post that is
only referenced (what a quote shows, what a feed shows above a reply) is no row of its own; it was not collected.

The API gives no id of a repost in older feeds: such a repost is called after the post and the account, `at://..#did:plc:a`.
The time is what the author's program claims (`createdAt`), and only without it when the network saw the post.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._json import dict_of, list_of
from backlight.sources._posts import guarded, hashtags, language_of, needed, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_POST, _REPOST = "app.bsky.feed.post", "app.bsky.feed.repost"
_STREAM = "network.bsky.jetstream.subscribeEvents#"
_EVENTS = ("commit", "identity", "account")
_EXPECTED = "an event of Jetstream, a post view, a page of them, or a stored record"


def _type(entry: Any, field: str) -> str:
    """What a field of an object says that it is."""
    found = dict_of(dict_of(entry).get(field)).get("$type")
    return found if isinstance(found, str) else ""


def _stores_post(entry: Any) -> bool:
    """Whether a stored record is a post or a repost."""
    return _type(entry, "value") in (_POST, _REPOST)


@source(
    name="bluesky",
    title="Bluesky: Jetstream events, API views and pages, stored records",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("did", "time_us", "kind"), 0.97, where=lambda r: r["kind"] in _EVENTS),
        Rule(("$type", "payload.$type"), 0.97, where=lambda r: _type(r, "payload").startswith(_STREAM)),
        Rule(("feed[].post.uri", "feed[].post.author.did"), 0.97),
        Rule(("posts[].uri", "posts[].author.did", "posts[].record"), 0.97),
        Rule(("thread.post.uri", "thread.post.author.did"), 0.97),
        Rule(("post.uri", "post.author.did", "post.record"), 0.95),
        Rule(("uri", "author.did", "record", "indexedAt"), 0.95),
        Rule(("uri", "value.$type"), 0.95, where=_stores_post),
        Rule(
            ("records[].uri", "records[].value.$type"),
            0.95,
            where=lambda r: _stores_post(next(iter(list_of(r.get("records"))), None)),
        ),
    ),
    rank=15,
    about="accounts with their day of creation from views of the API only; likes, follows and deletions are no posts",
)
def bluesky(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """An event is one post or none; a page gives its posts, and what it says of their accounts.

    Raises:
        RecordError: it is none of the shapes, or a field is of a kind that cannot be read.
    """
    if "thread" in record:
        yield from _thread(record["thread"])
        return
    for name, read in _PAGES.items():
        if isinstance(record.get(name), list):
            for index, entry in enumerate(record[name]):
                yield from guarded(f"{name} {index}", entry, read)
            return
    yield from _one(record)


def _one(record: _Dict) -> Iterable[Item | Flaw]:
    """What is no page: an event, a view with or without its surroundings, a stored record."""
    if "time_us" in record or record.get("$type") in ("message", "error"):
        return _event(record)
    if isinstance(record.get("post"), dict):
        return _thread(record) if "replies" in record or "parent" in record else _shown(record)
    if "record" in record:
        return _view(record)
    if "value" in record:
        return _stored(record)
    raise RecordError("no shape in which Bluesky gives posts", _EXPECTED)


def _event(event: _Dict) -> Iterator[Item]:
    payload = event.get("payload", event)
    if not isinstance(payload, dict):
        raise RecordError("payload is no object", "an event")
    commit = payload if "collection" in payload else payload.get("commit")
    if commit is None and payload.get("kind") != "commit":
        return
    if not isinstance(commit, dict):
        raise RecordError("commit is no object", "operation, collection, rkey and record")
    collection = needed(commit.get("collection"), "collection")
    if collection in (_POST, _REPOST) and commit.get("operation") != "delete":
        did = needed(payload.get("did"), "did")
        uri = f"at://{did}/{collection}/{needed(commit.get('rkey'), 'rkey')}"
        yield _post(uri, did, commit.get("record"), payload.get("time_us") or payload.get("time"))


def _thread(root: Any) -> Iterator[Item | Flaw]:
    """The posts of a thread: the one that was asked for, those above it, those below."""
    nodes, number = [root], 0
    while nodes:
        node = nodes.pop()
        yield from guarded(f"post {number} of the thread", node, _node)
        number += 1
        if isinstance(node, dict):
            nodes += reversed(list_of(node.get("replies")))
            nodes += [node["parent"]] if node.get("parent") is not None else []


def _node(node: _Dict) -> Iterator[Item | Flaw]:
    if node.get("notFound") or node.get("blocked"):
        return
    if not isinstance(node.get("post"), dict):
        raise RecordError("post is no object", "a view of a post")
    yield from _view(node["post"])


def _shown(shown: _Dict) -> Iterator[Item | Flaw]:
    """An entry of a feed: a post, or that somebody reposted it."""
    view, reason = shown.get("post"), dict_of(shown.get("reason"))
    if not isinstance(view, dict):
        raise RecordError("post is no object", "a view of a post")
    if "by" not in reason:
        yield from _view(view)
        return
    original, *accounts = _view(view)
    assert isinstance(original, Post)
    by = dict_of(reason["by"])
    did = needed(by.get("did"), "did of who reposted")
    yield msgspec.structs.replace(
        original,
        post_id=ident(reason.get("uri"), "uri of the repost") or f"{original.post_id}#{did}",
        author=did,
        time=time_of(reason.get("indexedAt"), "indexedAt of the repost"),
        kind="repost",
        parent=original.post_id,
    )
    yield from accounts
    yield from _account(by)


def _view(view: _Dict) -> Iterator[Item]:
    uri, author = needed(view.get("uri"), "uri"), dict_of(view.get("author"))
    account = list(_account(author))
    yield _post(uri, ident(author.get("did"), "author.did") or _owner(uri), view.get("record"), view.get("indexedAt"))
    yield from account


def _stored(entry: _Dict) -> Iterator[Item]:
    uri, value = needed(entry.get("uri"), "uri"), entry.get("value")
    if dict_of(value).get("$type", _POST) in (_POST, _REPOST):
        yield _post(uri, _owner(uri), value, None)


_PAGES: dict[str, Callable[[_Dict], Iterable[Item | Flaw]]] = {"feed": _shown, "posts": _view, "records": _stored}


def _post(uri: str, author: str | None, record: Any, seen: Any) -> Post:
    """The post or repost that a record is; `seen` is when the network saw it."""
    if not isinstance(record, dict):
        raise RecordError("record is no object", "text and createdAt")
    kind, parent = _kind(uri, record)
    features = _features(record)
    link = dict_of(_media(record).get("external")).get("uri")
    links = [feature["uri"] for feature in features if isinstance(feature.get("uri"), str)]
    tags = [feature["tag"] for feature in features if isinstance(feature.get("tag"), str)]
    langs = list_of(record.get("langs"))
    return Post(
        platform="bluesky",
        post_id=uri,
        author=author,
        time=time_of(record.get("createdAt") or seen, "createdAt"),
        kind=kind,
        parent=parent,
        text=text_in(record.get("text")),
        language=language_of(langs[0]) if len(langs) == 1 else None,
        urls=list(dict.fromkeys([*links, *([link] if isinstance(link, str) else [])])),
        hashtags=hashtags(tags + list_of(record.get("tags"))),
    )


def _kind(uri: str, record: _Dict) -> tuple[Any, str | None]:
    """Kind and parent; a quote inside a reply counts as a quote."""
    if f"/{_REPOST}/" in uri:
        return "repost", needed(dict_of(record.get("subject")).get("uri"), "subject.uri")
    inner = dict_of(dict_of(record.get("embed")).get("record"))
    quoted = dict_of(inner.get("record")).get("uri") or inner.get("uri")
    if isinstance(quoted, str) and f"/{_POST}/" in quoted:  # lists, feeds and labellers are embedded in the same way
        return "quote", quoted
    if record.get("reply") is not None:
        return "reply", ident(dict_of(dict_of(record["reply"]).get("parent")).get("uri"), "reply.parent.uri")
    return "post", None


def _media(record: _Dict) -> _Dict:
    """What is embedded beside a quoted post, or without one."""
    embed = dict_of(record.get("embed"))
    return dict_of(embed.get("media")) or embed


def _features(record: _Dict) -> list[_Dict]:
    """Links, hashtags and mentions that are marked in the text, in their order."""
    facets = [facet for facet in list_of(record.get("facets")) if isinstance(facet, dict)]
    facets.sort(key=lambda facet: count(dict_of(facet.get("index")).get("byteStart")) or 0)
    return [feature for facet in facets for feature in list_of(facet.get("features")) if isinstance(feature, dict)]


def _account(author: _Dict) -> Iterator[PlatformAccount]:
    did = ident(author.get("did"), "author.did")
    if did and author.get("createdAt"):
        yield PlatformAccount(platform="bluesky", author=did, created=time_of(author["createdAt"], "author.createdAt"))


def _owner(uri: str) -> str | None:
    """The account in whose repository a record is."""
    return uri.removeprefix("at://").partition("/")[0] or None
