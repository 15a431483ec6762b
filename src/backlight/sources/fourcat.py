"""4CAT's CSV exports: one layout of columns for two dozen platforms, with columns of each platform's own beside it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._posts import hashtags, language_of, links, needed, text_in
from backlight.sources._times import time_of

_AUTHOR = ("author_id", "author_user_id", "author", "author_screen_name", "author_username", "author_name")
_LINKS = ("urls", "links", "link_url", "link_attached")
_PAGE = ("url", "post_url", "link", "tiktok_url", "comment_url")
_TELLING = {
    "retweeted_user": "x",
    "is_retweet": "x",
    "tiktok_url": "tiktok",
    "music_id": "tiktok",
    "challenges": "tiktok",
    "author_forwarded_from_id": "telegram",
    "author_is_bot": "telegram",
    "replied_to_user": "bluesky",
    "subreddit": "reddit",
    "digg_count": "douyin",
    "author_screen_name": "vk",
    "board": "4chan",
}
_HOSTS = {
    "//x.com": "x",
    "twitter.com": "x",
    "instagram.com": "instagram",
    "threads.": "threads",
    "xiaohongshu.com": "xiaohongshu",
    "linkedin.com": "linkedin",
    "facebook.com": "facebook",
    "truthsocial.com": "truthsocial",
    "gab.com": "gab",
    "bsky.app": "bluesky",
    "t.me": "telegram",
    "tiktok.com": "tiktok",
    "vk.com": "vk",
    "weibo.c": "weibo",
    "tumblr.com": "tumblr",
    "douyin.com": "douyin",
}


@source(
    name="4cat",
    title="4CAT CSV export (X, TikTok, Telegram, Bluesky, Instagram, VK and others)",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created"),
    containers=("csv",),
    signature=(Rule(("id", "thread_id", "body", "timestamp", "|".join(_AUTHOR)), 0.92),),
    rank=20,
    about="4CAT gives no id of the post that was reposted; a reply's parent is its thread where the export does not say more",
)
def fourcat(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One row is one post, and one account where the row says when it was made.

    Raises:
        RecordError: the id is missing, or a field is of a kind that cannot be read.
    """
    platform = _platform(record, context)
    kind, parent = _kind(record)
    text = text_in(record.get("body"), "body")
    author = ident(_first(record, _AUTHOR), "author")
    yield Post(
        platform=platform,
        post_id=needed(record.get("id"), "id"),
        author=author,
        time=time_of(record.get("unix_timestamp") or record.get("timestamp"), "timestamp"),
        kind=kind,
        parent=parent,
        text=text,
        language=language_of(record.get("language_guess") or _only(record.get("languages"))),
        urls=[link for name in _LINKS for link in links(record.get(name)) if "://" in link],
        hashtags=None if "#" in text else hashtags(record.get("hashtags")),  # in the text they stand in their order
    )
    if author and record.get("author_created_at"):
        made = time_of(record["author_created_at"], "author_created_at")
        yield PlatformAccount(platform=platform, author=author, created=made, followers=count(record.get("author_followers")))


def _platform(record: dict[str, Any], context: Context) -> str:
    """4CAT does not name the platform: its columns or the post's address do."""
    if context.platform:
        return context.platform
    for column, platform in _TELLING.items():
        if column in record:
            return platform
    page = next((record[name] for name in _PAGE if isinstance(record.get(name), str)), "")
    host = page[:80].lower()
    return next((platform for mark, platform in _HOSTS.items() if mark in host), "other")


def _kind(record: dict[str, Any]) -> tuple[Any, str | None]:
    """What the row's own columns say of kind and parent."""
    thread = ident(record.get("thread_id"), "thread_id")
    own = ident(record.get("id"), "id")
    if _yes(record, "is_retweet") or record.get("author_forwarded_from_id") or record.get("author_forwarded_from_name"):
        return "repost", None
    quoted = record.get("quoted_post") or record.get("quote_tweet_id")
    if quoted or _yes(record, "is_quote_tweet"):
        return "quote", ident(quoted, "quoted post")
    answered = record.get("replied_to_post") or record.get("reply_to")
    if isinstance(answered, str) and answered.isdecimal() and own and thread and own.startswith(f"{thread}-"):
        answered = f"{thread}-{answered}"  # Telegram: ids are chat-message
    if answered or _yes(record, "is_reply") or ("board" in record and thread != own):
        return "reply", ident(answered, "reply_to") or (thread if thread != own else None)
    return "post", None


def _yes(record: dict[str, Any], column: str) -> bool:
    value = record.get(column)
    return isinstance(value, str) and value.strip().lower() in ("yes", "true", "1")


def _only(value: Any) -> str | None:
    """The language, where a list of them holds one."""
    return value if isinstance(value, str) and "," not in value else None


def _first(record: dict[str, Any], names: Iterable[str]) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)
