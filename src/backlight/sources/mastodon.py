"""Statuses of Mastodon and of servers that speak its API (Pleroma, GoToSocial, Truth Social, Gab), and their accounts.

One status a record, or an array of them::

    {"id": "110", "created_at": "..", "language": "en", "visibility": "public", "uri": "https://social.example/..",
     "content": "<p>..</p>", "account": {"id": "7", "acct": "one", "url": "https://social.example/@one",
     "created_at": "..", "followers_count": 3}, "reblog": null, "in_reply_to_id": null, "tags": [], "mentions": []}

and the pages that hold statuses in `statuses` (search; its `accounts` are read too) or `ancestors` and `descendants`.

Numbers of statuses and accounts are those of the server that was asked. Statuses keep them, since a reply names its parent
so; an account is called `name@host`, which is the same on every server. On Truth Social and Gab, which are one server each,
it is called by its number. The text is the content without its HTML, after the content warning if there is one; the line that
repeats a quoted status's address for old clients is left out. Options of polls and descriptions of pictures are not read.

Statuses that only followers or the people mentioned can see (`private`, `direct`) are no public posts and are left out; what
they say of their accounts is read. A status that is boosted or quoted is no row of its own: it was not collected, it only
completes a boost, which has no text itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._html import plain
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._json import dict_of, list_of
from backlight.sources._posts import guarded, hashtags, language_of, needed, text_in
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_PAGES = ("statuses", "ancestors", "descendants")
_COUNTS = "visibility|reblogs_count|replies_count|favourites_count"
_NOT_PUBLIC = ("private", "direct")
_ONE_SERVER = {"truthsocial.com": "truthsocial", "gab.com": "gab"}


@source(
    name="mastodon",
    title="Mastodon API: statuses with their accounts (also Pleroma, GoToSocial, Truth Social, Gab)",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created", "followers"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("id", "created_at", "content", "account.acct", "uri|url", _COUNTS), 0.95),
        Rule(("statuses[].id", "statuses[].content", "statuses[].account.acct"), 0.95),
        Rule(("ancestors", "descendants[].content", "descendants[].account.acct"), 0.95),
        Rule(("descendants", "ancestors[].content", "ancestors[].account.acct"), 0.95),
    ),
    rank=20,
    about="followers are as of when the file was made, which it does not say; statuses that are not public are left out",
)
def mastodon(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """A status is one post, and one statement on each account in it; a page is many.

    Raises:
        RecordError: it is neither a status nor a page, or a field is of a kind that cannot be read.
    """
    pages = [name for name in _PAGES if isinstance(record.get(name), list)]
    if "account" in record or not pages:
        yield from _status(record, context)
        return
    for name in pages:
        for index, entry in enumerate(record[name]):
            yield from guarded(f"{name} {index}", entry, lambda entry: _status(entry, context))
    for index, entry in enumerate(list_of(record.get("accounts"))):
        yield from guarded(f"accounts {index}", entry, lambda entry: [_account(entry, context)])


def _status(status: _Dict, context: Context) -> Iterator[Item]:
    account = status.get("account")
    if "content" not in status or not isinstance(account, dict):
        raise RecordError("no status", "id, created_at, content and account")
    reblog = dict_of(status.get("reblog"))
    others = [dict_of(one.get("account")) for one in (reblog, _quoted(status))]
    facts = [_account(found, context) for found in (account, *filter(None, others))]
    if not any(one.get("visibility") in _NOT_PUBLIC for one in (status, reblog)):
        yield _post(status, account, _platform(account, context))
    yield from facts


def _post(status: _Dict, account: _Dict, platform: str) -> Post:
    kind, parent = _kind(status)
    whole = status["reblog"] if kind == "repost" else status
    inner, quoted = _kind(whole)
    text, links = plain(text_in(whole.get("content"), "content"), without_quoted=inner == "quote" and quoted is not None)
    warning = text_in(whole.get("spoiler_text"), "spoiler_text")
    text = "\n\n".join(filter(None, (warning, text)))
    tags = [tag.get("name") for tag in list_of(whole.get("tags")) if isinstance(tag, dict)]
    return Post(
        platform=platform,
        post_id=needed(status.get("id"), "id"),
        author=_author(account, platform),
        time=time_of(status.get("created_at"), "created_at"),
        kind=kind,
        parent=parent,
        text=text,
        language=language_of(whole.get("language")),
        urls=links,
        hashtags=None if "#" in text else hashtags(tags),  # in the text they stand in their order
    )


def _kind(status: _Dict) -> tuple[Any, str | None]:
    """Kind and parent; a quote inside a reply counts as a quote."""
    reblog = dict_of(status.get("reblog"))
    if reblog:
        return "repost", needed(reblog.get("id"), "reblog.id")
    quote = dict_of(status.get("quote"))
    if quote or status.get("quote_id"):
        found = _quoted(status).get("id") or quote.get("quoted_status_id") or status.get("quote_id")
        return "quote", ident(found, "id of the quoted status")
    parent = ident(status.get("in_reply_to_id"), "in_reply_to_id")
    return ("reply", parent) if parent else ("post", None)


def _quoted(status: _Dict) -> _Dict:
    """The status that is quoted: inside its state on Mastodon, bare on other servers."""
    quote = dict_of(status.get("quote"))
    return dict_of(quote.get("quoted_status")) or (quote if "content" in quote else {})


def _account(account: _Dict, context: Context) -> PlatformAccount:
    platform = _platform(account, context)
    author = _author(account, platform)
    if author is None:
        raise RecordError("account.id is missing", "an id")
    return PlatformAccount(
        platform=platform,
        author=author,
        created=time_of(account.get("created_at"), "account.created_at"),
        followers=count(account.get("followers_count")),
    )


def _platform(account: _Dict, context: Context) -> str:
    """A platform that was named wins over the host's."""
    return context.platform or _ONE_SERVER.get(_host(account).removeprefix("www."), "mastodon")


def _author(account: _Dict, platform: str) -> str | None:
    """`name@host`; servers leave out the host of their own accounts."""
    name = ident(account.get("acct"), "account.acct")
    if name is None or platform in _ONE_SERVER.values():
        return ident(account.get("id"), "account.id") or name
    host = _host(account)
    return f"{name}@{host}" if host and "@" not in name else name


def _host(account: _Dict) -> str:
    address = account.get("url") or account.get("uri")
    return address.partition("://")[2].partition("/")[0].lower() if isinstance(address, str) else ""
