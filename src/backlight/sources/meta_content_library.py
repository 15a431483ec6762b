"""Meta Content Library: posts of Facebook and Instagram, as its CSV downloads and its interface give them.

A row has dotted column names (in JSON and Parquet they may as well be objects inside each other)::

    id, mcl_url, text, creation_time, modified_time, lang, content_type, multimedia, is_branded_content, match_type,
    post_owner.id, post_owner.type, post_owner.name, post_owner.username, statistics.views, statistics.like_count, ..

Facebook adds `surface.*` (the page or group where it was posted), `shared_post_id`, `link_attachment.link` and counts of
reactions; Instagram adds `hashtags`. The platform is told by these, and by the part `/facebook/` or `/instagram/` of `mcl_url`;
where nothing tells it is `other`.

Ids are the library's own: they are those of no other source, but the same in all of its downloads. So the author is
`post_owner.id`, and the handle only where there is no id. A shared post is a quote if it says something of its own, else a
repost. Ids that a spreadsheet or a table of floats rounded (`1.00064E+14`, `123.0`) are rejects. Counts of views and reactions
are not read, nor is `surface`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backlight.normalise import find_urls
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, Post, PostKind
from backlight.sources._posts import hashtags, language_of, needed, text_in
from backlight.sources._times import time_of
from backlight.sources.crowdtangle import unrounded

_Row = dict[str, Any]
_PLATFORMS = ("facebook", "instagram", "threads")
_OF_FACEBOOK = ("surface.id", "surface.type", "shared_post_id", "link_attachment.link", "statistics.share_count")
_OF_INSTAGRAM = ("creator", "business", "personal")
_MARKS = str.maketrans("[]\"'", "    ")


@source(
    name="meta-content-library",
    title="Meta Content Library: posts of Facebook and Instagram",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent"),
    containers=("csv", "parquet", "jsonl", "json"),
    signature=(
        Rule(("id", "creation_time", "post_owner.id|post_owner.username", "statistics*"), 0.97),
        Rule(("id", "creation_time", "mcl_url"), 0.97),
        Rule(("id", "creation_time", "content_type", "post_owner.id|post_owner.username"), 0.95),
    ),
    rank=10,
    about="ids are the library's own, so its authors are joined with those of other sources by what they post only",
)
def meta_content_library(record: _Row, context: Context) -> Iterator[Item | Flaw]:
    """One row is one post.

    Raises:
        RecordError: the id is missing or was rounded, or a field is of a kind that cannot be read.
    """
    text = text_in(record.get("text"))
    shared = unrounded(record.get("shared_post_id"), "shared_post_id")
    yield Post(
        platform=_platform(record, context),
        post_id=needed(unrounded(record.get("id"), "id"), "id"),
        author=unrounded(_at(record, "post_owner.id") or _at(record, "post_owner.username"), "post_owner.id"),
        time=time_of(record.get("creation_time"), "creation_time"),
        kind=_kind(shared, text),
        parent=shared,
        text=text,
        language=language_of(record.get("lang")),
        urls=_links(record, text),
        hashtags=None if "#" in text else hashtags(_list(record.get("hashtags"))),  # in the text they stand in their order
    )


def _platform(record: _Row, context: Context) -> str:
    page = record.get("mcl_url")
    page = page[:300].lower() if isinstance(page, str) else ""
    found = next((platform for platform in _PLATFORMS if f"/{platform}/" in page), None)
    if found is None:
        of_facebook = [value for path in _OF_FACEBOOK if (value := _at(record, path)) is not None]
        if any(value != "" for value in of_facebook):
            found = "facebook"
        elif _at(record, "post_owner.type") in _OF_INSTAGRAM:  # a table of both has the columns of both
            found = "instagram"
        else:
            found = "facebook" if of_facebook else "instagram" if "hashtags" in record else None
    return found or context.platform or "other"


def _kind(shared: str | None, text: str) -> PostKind:
    if shared is None:
        return "post"
    return "quote" if text.strip() else "repost"


def _links(record: _Row, text: str) -> list[str]:
    """The attached link, then those in the text; with an empty list those in the text are found later all the same."""
    link = _at(record, "link_attachment.link")
    return [link, *find_urls(text)] if isinstance(link, str) and "://" in link else []


def _list(value: Any) -> Any:
    """A list that was written into a cell: `["tide", "moon"]`."""
    return value.translate(_MARKS) if isinstance(value, str) else value


def _at(record: _Row, path: str) -> Any:
    """What stands under a dotted name, or in an object inside the record; None for nothing."""
    if path in record:
        return record[path]
    outer, _, inner = path.partition(".")
    within = record.get(outer)
    return within.get(inner) if isinstance(within, dict) else None
