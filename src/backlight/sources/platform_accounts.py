"""Platform accounts in Backlight's plain form: `platform,author,created_at,followers,as_of`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.sources._chat import count
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount
from backlight.sources._posts import needed
from backlight.sources._times import time_of


@source(
    name="platform-accounts",
    title="Platform accounts in the plain form (platform, author, created_at, followers, as_of)",
    kind="platform_accounts",
    text=False,
    gives=("author", "created", "followers"),
    containers=("csv", "parquet", "jsonl", "json"),
    signature=(Rule(("platform", "author", "created_at", "followers|as_of"), 0.95, unless=("post_id", "text")),),
    rank=35,
)
def platform_accounts(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One row is one statement about an account.

    Raises:
        RecordError: platform or author is missing, or a time cannot be read.
    """
    yield account_of(record, context)


def account_of(record: dict[str, Any], context: Context) -> PlatformAccount:
    """The statement in a row with our column names.

    Raises:
        RecordError: see `platform_accounts`.
    """
    return PlatformAccount(
        platform=needed(record.get("platform") or context.platform, "platform").strip().lower(),
        author=needed(record.get("author"), "author"),
        created=time_of(record.get("created_at"), "created_at"),
        followers=count(record.get("followers")),
        as_of=time_of(record.get("as_of"), "as_of"),
    )
