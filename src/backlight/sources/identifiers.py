"""Identifiers of accounts in Backlight's plain form: `account,kind,value,first_seen,last_seen`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Identifier, Item
from backlight.sources._posts import needed
from backlight.sources._times import time_of


@source(
    name="identifiers",
    title="Identifiers of accounts in the plain form (account, kind, value, first_seen, last_seen)",
    kind="identifiers",
    text=False,
    gives=("address", "device", "payment", "phone", "email", "user_agent", "sign_up"),
    containers=("csv", "parquet", "jsonl", "json"),
    signature=(Rule(("account", "kind", "value"), 0.9),),
    rank=40,
    about="kind is ip, device, payment, phone, email, email_domain, user_agent, sign_up or other; an account that stands under "
    "several keys is written key/account, or has its key in a column of that name",
)
def identifiers(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One row is one identifier.

    Raises:
        RecordError: account, kind or value is missing, or a field is of a kind that cannot be read.
    """
    yield identifier_of(record)


def identifier_of(record: dict[str, Any]) -> Identifier:
    """The identifier in a row with our column names.

    Raises:
        RecordError: see `identifiers`.
    """
    account, key = needed(record.get("account"), "account"), ident(record.get("key"), "key")
    if key is None and "/" in account.strip("/"):
        key, _, account = account.partition("/")
    return Identifier(
        account=account,
        key=key or None,
        kind=needed(record.get("kind"), "kind").strip().lower(),
        value=needed(record.get("value"), "value"),
        first_seen=time_of(record.get("first_seen"), "first_seen"),
        last_seen=time_of(record.get("last_seen"), "last_seen"),
    )
