"""4CAT's items as its API gives them: the columns of the CSV export, one JSON object a line.

    {"id": "channel-7", "thread_id": "channel", "author": 42, "body": "…", "reply_to": 5, "timestamp": "2026-01-01 00:00:00", …}

With `stream=true` each line is an item; else a page is `{"key": …, "offset": 0, "total": …, "returned": …, "next_offset": …,
"items": […]}`. Values have their types: numbers, true and false, null, and with `missing_fields=keep` an object
`{"__missing": true, "value": …}` where the platform sent nothing. The CSV has texts for all of these, and its reader goes by
texts (a reply on Telegram is found by its digits, `is_reply` by its word), so each value becomes what the CSV would hold.

What 4CAT saves as `.ndjson` beside this is not it: those are the platform's own items.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._format import FORMATS, Context, Flaw, Rule, source
from backlight.sources._items import Item
from backlight.sources.fourcat import fourcat

_CSV = FORMATS["4cat"]


@source(
    name="4cat-ndjson",
    title="4CAT items from its API (X, TikTok, Telegram, Bluesky, Instagram, VK and others)",
    kind="posts",
    text=True,
    gives=_CSV.gives,
    containers=("jsonl", "json"),
    signature=(
        *_CSV.signature,
        Rule(("key", "total", "returned", "items[].id", "items[].thread_id", "items[].body", "items[].timestamp"), 0.95),
    ),
    rank=20,
    about="reads what 4CAT's CSV export holds, with the same gaps; the .ndjson of a data set is another format",
)
def fourcat_ndjson(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One item is one post, as in the CSV; a page is many.

    Raises:
        RecordError: the id is missing, or a field is of a kind that cannot be read.
    """
    if "returned" not in record or "items" not in record:
        yield from fourcat(_cells(record), context)
        return
    if not isinstance(record["items"], list):
        raise RecordError("items is no list", "the items of a page")
    for index, item in enumerate(record["items"]):
        try:
            yield from fourcat(_cells(item), context)
        except RecordError as error:
            yield Flaw(f"items {index}", msgspec.json.encode(item), error)


def _cells(item: Any) -> dict[str, Any]:
    """The item as a row of the CSV."""
    if not isinstance(item, dict):
        raise RecordError("no object", "an item with the columns of the CSV")
    return {name: _cell(value) for name, value in item.items()}


def _cell(value: Any) -> Any:
    """The text that the CSV would hold; lists and other objects are left to the reader."""
    if isinstance(value, dict) and value.get("__missing") is True:
        value = value.get("value")
    if value is None:
        return ""
    return str(value) if isinstance(value, (bool, int, float)) else value
