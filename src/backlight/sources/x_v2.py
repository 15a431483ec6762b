"""Posts of X, API v2: response pages as twarc and others save them, and their two flattened forms.

A page is many posts (`data`) and the accounts that wrote them (`includes.users`). Posts that are only referenced
(`includes.tweets`) are no rows of their own: they were not collected, they only complete a repost, whose own text X cuts
off after 140 characters. Flattened: one post a record, its author inside (`twarc2 flatten`), or a CSV whose columns carry
dotted names (`twarc2 csv`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._json import check_size, dict_of, dicts_of, list_of
from backlight.sources._posts import guarded, kind_of, language_of, needed, nested, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_OF_A_POST = "public_metrics|referenced_tweets|edit_history_tweet_ids|entities|author.username|public_metrics.like_count"
_PART = "a post or a user"
_REFERENCES = ("retweeted", "quoted", "replied_to")


@source(
    name="x-v2",
    title="X API v2: pages, or posts flattened to one a record",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created", "followers"),
    containers=("jsonl", "json", "csv"),
    signature=(
        Rule(("data[].id", "data[].text", "data[].author_id|includes.users"), 0.97),
        Rule(("data[].id", "data[].username", "data[].name"), 0.95, unless=("data[].text",)),
        Rule(("data.id", "data.text", "data.author_id|includes.users"), 0.95),
        Rule(("id", "text", "author_id", _OF_A_POST), 0.92, unless=("data", "thread_id")),
        Rule(("meta.result_count",), 0.85, unless=("messages",)),
    ),
    rank=10,
    about="accounts with their day of creation where a page includes users",
)
def x_v2(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """A page gives its posts and accounts; a flattened record gives one of each.

    Raises:
        RecordError: it is neither a page nor a post.
    """
    as_of = time_of(dict_of(record.get("__twarc")).get("retrieved_at"), "retrieved_at")
    if "data" in record or "meta" in record or "errors" in record or "includes" in record:
        yield from _page(record, as_of)
        return
    post = _unflattened(record)
    if "text" not in post:
        raise RecordError("neither a page nor a post", "data, or id, text and author_id")
    yield _post(post, {})
    author = dict_of(post.get("author"))
    if author:
        yield from _account(author | {"id": author.get("id") or post.get("author_id")}, as_of)


def _page(page: _Dict, as_of: Any) -> Iterator[Item | Flaw]:
    data = page.get("data")
    data = [data] if isinstance(data, dict) else [] if data is None else data
    if not isinstance(data, list):
        raise RecordError("data is no list", "posts or users")
    includes = dict_of(page.get("includes"))
    originals = {str(post.get("id")): post for post in dicts_of(includes.get("tweets"))}
    for index, entry in enumerate(data):
        yield from guarded(f"data {index}", entry, lambda entry: _entry(entry, originals, as_of), _PART)
    for index, user in enumerate(list_of(includes.get("users"))):
        yield from guarded(f"includes.users {index}", user, lambda user: _account(user, as_of), _PART)


def _entry(entry: _Dict, originals: dict[str, _Dict], as_of: Any) -> Iterator[Item]:
    if "username" in entry and "text" not in entry:
        yield from _account(entry, as_of)
    else:
        yield _post(entry, originals)


def _post(post: _Dict, originals: dict[str, _Dict]) -> Post:
    reference = _reference(post)
    kind, parent = kind_of(reference.get("type")), ident(reference.get("id"), "referenced post")
    whole = originals.get(parent or "", reference) if kind == "repost" else post
    whole = whole if "text" in whole else post
    entities = whole.get("entities")
    return Post(
        platform="x",
        post_id=needed(post.get("id"), "id"),
        author=ident(post.get("author_id") or dict_of(post.get("author")).get("id"), "author_id"),
        time=time_of(post.get("created_at"), "created_at"),
        kind=kind,
        parent=parent,
        text=text_in(dict_of(whole.get("note_tweet")).get("text") or whole.get("text")),
        language=language_of(post.get("lang")),
        urls=_urls(dict_of(entities), parent),
        hashtags=_hashtags(entities) if isinstance(entities, dict) else None,
    )


def _reference(post: _Dict) -> _Dict:
    """The post that this one reposts, else quotes, else answers."""
    references = dicts_of(post.get("referenced_tweets"))[::-1]  # of several of one type the last
    return next((found for name in _REFERENCES for found in references if found.get("type") == name), {})


def _urls(entities: _Dict, parent: str | None) -> list[str]:
    """Links as they lead, without those to the post's own pictures and to the post it quotes."""
    found = []
    for url in dicts_of(entities.get("urls")):
        link = url.get("unwound_url") or url.get("expanded_url") or url.get("url")
        if not isinstance(link, str) or "media_key" in url or (parent and link.rstrip("/").endswith(f"/status/{parent}")):
            continue
        found.append(link)
    return found


def _hashtags(entities: _Dict) -> list[str]:
    tags = [tag for tag in dicts_of(entities.get("hashtags")) if isinstance(tag.get("tag"), str)]
    return [tag["tag"] for tag in sorted(tags, key=lambda tag: count(tag.get("start")) or 0)]


def _account(user: _Dict, as_of: Any) -> Iterator[PlatformAccount]:
    yield PlatformAccount(
        platform="x",
        author=needed(user.get("id"), "id of a user"),
        created=time_of(user.get("created_at"), "created_at of a user"),
        followers=count(dict_of(user.get("public_metrics")).get("followers_count")),
        as_of=as_of,
    )


def _unflattened(record: _Dict) -> _Dict:
    """A row of twarc2's CSV as the post it was flattened from."""
    if not any("." in name for name in record):
        return record
    post = nested(record, "the columns of twarc2 csv", _loaded)
    references = dict_of(post.get("referenced_tweets"))
    post["referenced_tweets"] = [{"type": t, "id": dict_of(references[t]).get("id")} for t in _REFERENCES if t in references]
    return post


def _loaded(value: Any) -> Any:
    """Lists that the flattened form keeps as JSON in a cell."""
    if isinstance(value, str) and value[:1] == "[" and value[-1:] == "]":
        data = value.encode()
        check_size(data)
        try:
            return msgspec.json.decode(data)
        except (ValueError, RecursionError):
            return value
    return value
