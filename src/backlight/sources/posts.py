"""Posts in the plain form: `platform,post_id,author,created_at,text,url,hashtags`, and `kind,parent,language` if known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, Post
from backlight.sources._posts import hashtags, kind_of, language_of, links, needed, text_in
from backlight.sources._times import time_of


@source(
    name="posts",
    title="Posts in the plain form (platform, post_id, author, created_at, text, url, hashtags)",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent"),
    containers=("csv", "jsonl", "json", "parquet"),
    signature=(Rule(("platform", "post_id", "author", "created_at", "text"), 0.97),),
    rank=30,
    about="may have kind (post, repost, reply, quote), parent and language; several links or hashtags stand apart by spaces",
)
def posts(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One row is one post.

    Raises:
        RecordError: platform or post_id is missing, or a field is of a kind that cannot be read.
    """
    yield Post(
        platform=needed(record.get("platform") or context.platform, "platform").strip().lower(),
        post_id=needed(record.get("post_id"), "post_id"),
        author=ident(record.get("author"), "author"),
        time=time_of(record.get("created_at"), "created_at"),
        kind=kind_of(record.get("kind")),
        parent=ident(record.get("parent"), "parent"),
        text=text_in(record.get("text")),
        language=language_of(record.get("language")),
        urls=links(record.get("url")),
        hashtags=hashtags(record.get("hashtags")),
    )
