"""Zeeschuimer's NDJSON: what a platform sent to a browser while somebody scrolled, one item a line.

    {"nav_index": "1:4:0", "item_id": "73", "timestamp_collected": 1767225600000, "last_updated": 1767225600000,
     "source_platform": "tiktok.com", "source_platform_url": "https://…", "user_agent": "…", "data": {…}}

`data` is the item as the platform made it, in another layout for each platform. 4CAT keeps the same item the other way
round: the fields of `data` at the top, all others under `__import_meta`. Both are read.

One item is one post, and one statement about its author where the item says when the account was made or how many
followers it has. What is read of each platform:

- TikTok: posts as the API or the page has them; a duet quotes the post it was made from. Text on the picture is not read.
- TikTok comments: a reply to the post, or to the comment that it answers.
- Instagram: the item list, the older graph form, and the partial items of overview pages, which have neither text nor time.
  A post with several authors is its first author's.
- X: tweet results, and the older `adaptive` form. `id` is a number that JavaScript rounded, so `rest_id` counts. Posts that
  are only referenced are no rows of their own; they complete a repost, whose own text X cuts off.
- Threads: whom a reply answers is there, but not which post, so it has no parent.
- Truth Social: statuses, which Zeeschuimer made plain text of.
- Douyin: posts as the API or the page has them.

Who collected it (`user_agent`, `source_platform_url`) is not read. An author that 4CAT blotted out is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._html import plain
from backlight.sources._items import Item, PlatformAccount, Post, PostKind
from backlight.sources._json import dict_of, dicts_of, list_of
from backlight.sources._posts import language_of, needed, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_NOTHING = ("", "0", 0, "REDACTED", "$undefined")  # no id: 4CAT writes the fourth, Douyin's pages the last
_LATER = {
    "9gag.com": "9gag",
    "facebook.com": "Facebook",
    "gab.com": "Gab",
    "imgur.com": "Imgur",
    "linkedin.com": "LinkedIn",
    "parler.com": "Parler",
    "pinterest.com": "Pinterest",
    "xiaohongshu.com": "Xiaohongshu (RedNote)",
    "xiaohongshu-comments": "Xiaohongshu (RedNote) comments",
}


class _Account(NamedTuple):
    """What an item says of its author, as it says it."""

    author: Any
    created: Any = None
    followers: Any = None


class _Mapped(NamedTuple):
    """How the items of a platform are read."""

    platform: str
    post: Callable[[_Dict], Post]
    account: Callable[[_Dict], _Account] = lambda data: _Account(None)


@source(
    name="zeeschuimer",
    title="Zeeschuimer items (NDJSON), as the extension or 4CAT saves them",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created", "followers"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("source_platform", "nav_index|timestamp_collected", "data"), 0.97, unless=("__import_meta",)),
        Rule(("__import_meta.source_platform", "__import_meta.nav_index|__import_meta.timestamp_collected"), 0.97),
    ),
    rank=10,
    about="TikTok with comments, Instagram, X, Threads, Truth Social and Douyin; other platforms are rejects; only X and Truth "
    "Social say when an account was made",
)
def zeeschuimer(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One item is one post, and one account where the item says more than its name.

    Raises:
        RecordError: it is no item, or not one that its platform makes.
    """
    meta = dict_of(record.get("__import_meta", record))
    data = record if "__import_meta" in record else record.get("data")
    if not isinstance(meta.get("source_platform"), str):
        raise RecordError("no source_platform", "an item as Zeeschuimer or 4CAT saves it")
    if not isinstance(data, dict):
        raise RecordError("data is no object", "the item as the platform made it")
    mapped = _MAPPED.get(meta["source_platform"])
    if mapped is None:
        name = _LATER.get(meta["source_platform"], "this platform")
        yield Flaw("data", msgspec.json.encode(data), RecordError(f"{name} is not yet mapped", "one of " + ", ".join(_MAPPED)))
        return
    yield mapped.post(data)
    yield from _account(mapped, data, meta)


def _account(mapped: _Mapped, data: _Dict, meta: _Dict) -> Iterator[Item | Flaw]:
    """The author, where more is known of it than its name; a flaw where that cannot be read."""
    try:
        author, created, followers = mapped.account(data)
        author, created, followers = ident(author, "author"), _first(created), count(followers)
        if author and (created is not None or followers is not None):
            yield PlatformAccount(
                platform=mapped.platform,
                author=author,
                created=time_of(created, "time of the author's account"),
                followers=followers,
                as_of=time_of(meta.get("last_updated") or meta.get("timestamp_collected"), "timestamp_collected"),
            )
    except RecordError as error:
        yield Flaw("author", msgspec.json.encode(data), error)


def _tiktok(data: _Dict) -> Post:
    if "desc" not in data and "createTime" not in data:
        raise RecordError("no post", "a TikTok item with desc and createTime")
    duet = _first(_at(data, "duetInfo", "duetFromId"))
    return Post(
        platform="tiktok",
        post_id=needed(data.get("id"), "id"),
        author=ident(_tiktok_account(data).author, "author"),
        time=time_of(data.get("createTime"), "createTime"),
        kind="post" if duet is None else "quote",
        parent=ident(duet, "duetFromId"),
        text=text_in(data.get("desc"), "desc"),
        language=_tiktok_language(data.get("textLanguage")),
        hashtags=_named(data.get("textExtra"), "hashtagName") or _named(data.get("challenges"), "title"),
    )


def _tiktok_account(data: _Dict) -> _Account:
    """In a page's own data the author is a name, with the id beside it."""
    author = data.get("author")
    known = (author.get("id"), author.get("uniqueId")) if isinstance(author, dict) else (data.get("authorId"), author)
    return _Account(_first(*known), followers=_at(data, "authorStats", "followerCount"))


def _tiktok_language(value: Any) -> str | None:
    return None if value == "un" else language_of(value)


def _tiktok_comment(data: _Dict) -> Post:
    return Post(
        platform="tiktok",
        post_id=needed(data.get("cid"), "cid"),
        author=ident(_first(_at(data, "user", "uid"), _at(data, "user", "unique_id")), "user"),
        time=time_of(data.get("create_time"), "create_time"),
        kind="reply",
        parent=ident(_first(data.get("reply_to_reply_id"), data.get("reply_id"), data.get("aweme_id")), "reply_id"),
        text=text_in(data.get("text")),
        language=_tiktok_language(data.get("comment_language")),
    )


def _instagram(data: _Dict) -> Post:
    graph = next(iter(dicts_of(_at(data, "edge_media_to_caption", "edges"))), {})
    caption = data.get("caption")
    text = caption.get("text") if isinstance(caption, dict) else caption
    return Post(
        platform="instagram",
        post_id=needed(_first(data.get("code"), data.get("shortcode")), "code"),
        author=ident(_meta_author(data), "user"),
        time=time_of(data.get("taken_at") or data.get("taken_at_timestamp"), "taken_at"),
        text=text_in(text or _at(graph, "node", "text"), "caption"),
    )


def _meta_author(data: _Dict) -> Any:
    """Instagram and Threads: the id, else the name, of the user, else of the owner."""
    users = [dict_of(data.get(name)) for name in ("user", "owner")]
    return _first(*(user.get(name) for name in ("pk", "id", "username") for user in users))


def _threads(data: _Dict) -> Post:
    info = dict_of(data.get("text_post_app_info"))
    reposted, quoted = (_at(info, "share_info", name) for name in ("reposted_post", "quoted_post"))
    kind: PostKind = "reply" if info.get("is_reply") or info.get("reply_to_author") else "post"
    kind = "repost" if reposted else "quote" if quoted else kind
    whole = reposted if isinstance(reposted, dict) else data
    link = _at(whole, "text_post_app_info", "link_preview_attachment", "url")
    return Post(
        platform="threads",
        post_id=needed(data.get("code"), "code"),
        author=ident(_meta_author(data), "user"),
        time=time_of(data.get("taken_at"), "taken_at"),
        kind=kind,
        parent=ident(_at(reposted or quoted, "code"), "code of the post it shares"),
        text=text_in(_at(whole, "caption", "text"), "caption"),
        urls=[_led_to(link)] if isinstance(link, str) and link else [],
    )


def _led_to(link: str) -> str:
    """Where a link of Meta's own forwarder leads."""
    try:
        parts = urlsplit(link)
        forwarded = (parts.hostname or "") in ("l.threads.com", "l.threads.net", "l.instagram.com", "l.facebook.com")
        return parse_qs(parts.query, max_num_fields=50)["u"][0] if forwarded else link
    except (ValueError, KeyError):
        return link


def _tweet(data: _Dict) -> Post:
    tweet = _unwrapped(data)
    legacy = dict_of(tweet.get("legacy"))
    if not legacy:
        raise RecordError("no post, or one that X withholds", "a tweet result with legacy")
    original = _unwrapped(_at(legacy, "retweeted_status_result", "result"))
    kind, parent = _tweet_kind(tweet, legacy, original)
    text, entities = _tweet_text(original if kind == "repost" and original.get("legacy") else tweet)
    return Post(
        platform="x",
        post_id=needed(_first(tweet.get("rest_id"), legacy.get("id_str")), "rest_id"),
        author=ident(_first(legacy.get("user_id_str"), _tweet_account(data).author), "user_id_str"),
        time=time_of(legacy.get("created_at"), "created_at"),
        kind=kind,
        parent=ident(parent, "id of the post it shares or answers"),
        text=text,
        language=language_of(legacy.get("lang")),
        urls=_tweet_links(entities, parent),
        hashtags=_named(_by_place(entities.get("hashtags")), "text") if entities else None,
    )


def _tweet_kind(tweet: _Dict, legacy: _Dict, original: _Dict) -> tuple[PostKind, Any]:
    """It reposts, else quotes, else answers."""
    reposted = _first(legacy.get("retweeted_status_id_str"), original.get("rest_id"))
    if original or reposted:
        return "repost", reposted
    shared = _unwrapped(_at(tweet, "quoted_status_result", "result"))
    quoted = _first(legacy.get("quoted_status_id_str"), shared.get("rest_id"))
    if shared or quoted:
        return "quote", quoted
    answered = _first(legacy.get("in_reply_to_status_id_str"))
    return ("reply", answered) if answered else ("post", None)


def _tweet_text(tweet: _Dict) -> tuple[str, _Dict]:
    """The text and its entities; of a long post `legacy` holds the beginning only."""
    note = dict_of(_at(tweet, "note_tweet", "note_tweet_results", "result"))
    if note.get("text"):
        return text_in(note["text"]), dict_of(note.get("entity_set"))
    return text_in(_at(tweet, "legacy", "full_text"), "full_text"), dict_of(_at(tweet, "legacy", "entities"))


def _tweet_links(entities: _Dict, parent: Any) -> list[str]:
    """Links as they lead, without the one to the post it quotes."""
    found = (url.get("expanded_url") or url.get("url") for url in dicts_of(entities.get("urls")))
    own = f"/status/{parent}"
    return [link for link in found if isinstance(link, str) and not (parent and link.rstrip("/").endswith(own))]


def _tweet_account(data: _Dict) -> _Account:
    user = dict_of(_at(_unwrapped(data), "core", "user_results", "result")) or dict_of(data.get("user"))
    legacy = dict_of(user.get("legacy")) or user
    created = _first(_at(user, "core", "created_at"), legacy.get("created_at"))
    return _Account(_first(user.get("rest_id"), user.get("id_str")), created, legacy.get("followers_count"))


def _unwrapped(tweet: Any) -> _Dict:
    """A tweet whose visibility is limited stands one level deeper."""
    return dict_of(_at(tweet, "tweet")) or dict_of(tweet)


def _by_place(tags: Any) -> list[_Dict]:
    """Hashtags in the order of the text."""
    return sorted(dicts_of(tags), key=lambda tag: next((count(n) or 0 for n in list_of(tag.get("indices"))), 0))


def _truth(data: _Dict) -> Post:
    original, quoted = dict_of(data.get("reblog")), _first(data.get("quote_id"), _at(data, "quote", "id"))
    answered = _first(data.get("in_reply_to_id"), _at(data, "in_reply_to", "id"))
    kind: PostKind = "repost" if original else "quote" if quoted else "reply" if answered else "post"
    text, links = plain(text_in(original.get("content"), "content"))
    card = _at(original or data, "card", "url")
    return Post(
        platform="truthsocial",
        post_id=needed(data.get("id"), "id"),
        author=ident(_truth_account(data).author, "account"),
        time=time_of(data.get("created_at"), "created_at"),
        kind=kind,
        parent=ident(original.get("id") or quoted or answered, "id of the post it shares or answers"),
        text=text_in(data.get("content"), "content") or text,
        language=language_of(data.get("language")),
        urls=[*links, *([card] if isinstance(card, str) and card not in links else [])],
        hashtags=_named((original or data).get("tags"), "name"),
    )


def _truth_account(data: _Dict) -> _Account:
    account = dict_of(data.get("account"))
    return _Account(
        _first(account.get("id"), account.get("username")), account.get("created_at"), account.get("followers_count")
    )


def _douyin(data: _Dict) -> Post:
    if _first(data.get("rawdata"), _at(data, "cell_room", "rawdata"), _at(data, "cellRoom", "rawdata")):
        raise RecordError("a live stream", "a post")
    author = dict_of(data.get("author")) or dict_of(data.get("authorInfo"))
    names = (
        author.get("uid"),
        data.get("author_user_id"),
        data.get("authorUserId"),
        author.get("sec_uid"),
        author.get("secUid"),
    )
    tags = _named(data.get("text_extra"), "hashtag_name")
    return Post(
        platform="douyin",
        post_id=needed(_first(data.get("aweme_id"), data.get("awemeId")), "aweme_id"),
        author=ident(_first(*names), "author"),
        time=time_of(data.get("create_time") or data.get("createTime"), "create_time"),
        text=text_in(data.get("desc"), "desc"),
        hashtags=_named(data.get("textExtra"), "hashtagName") if tags is None else tags,
    )


_MAPPED = {
    "tiktok.com": _Mapped("tiktok", _tiktok, _tiktok_account),
    "tiktok-comments": _Mapped("tiktok", _tiktok_comment),
    "instagram.com": _Mapped("instagram", _instagram),
    "twitter.com": _Mapped("x", _tweet, _tweet_account),
    "x.com": _Mapped("x", _tweet, _tweet_account),
    "threads.net": _Mapped("threads", _threads),
    "threads.com": _Mapped("threads", _threads),
    "truthsocial.com": _Mapped("truthsocial", _truth, _truth_account),
    "douyin.com": _Mapped("douyin", _douyin),
}


def _named(parts: Any, name: str) -> list[str] | None:
    """One field of each part, where it is a text; None where there is no list of parts."""
    found = [part[name] for part in dicts_of(parts) if isinstance(part.get(name), str) and part[name]]
    return found if isinstance(parts, list) else None


def _first(*values: Any) -> Any:
    """The first value that is something."""
    return next((value for value in values if value is not None and value not in _NOTHING), None)


def _at(value: Any, *path: str) -> Any:
    """What stands at the end of a path of objects; None where it breaks off."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
