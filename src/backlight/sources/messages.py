"""Any chat written as `{"messages": [{"role": .., "content": ..}, ..]}`, with whatever ids and times stand beside it.

Content may be a text or a list of typed parts whose text is in `text` or `value`. This is the shape of last resort: every
format that says more of itself comes before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import ident, messages_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item, Message
from backlight.sources._times import time_of

_IDS = ("id", "chat_id", "conversation_id", "uuid", "_id", "record_id")
_CONVERSATIONS = ("conversation_id", "chat_id", "session_id", "thread_id", "conversation", "session")
_FIELDS = {
    "end_user": ("end_user", "safety_identifier"),
    "user": ("user_id", "user", "account_id", "account"),
    "key": ("api_key_hash", "api_key_id", "api_key", "key_id", "key"),
    "organisation": ("organisation", "organization", "organization_id", "org_id", "tenant", "team_id"),
    "address": ("ip", "ip_address", "client_ip", "address", "hashed_ip"),
    "user_agent": ("user_agent",),
    "channel": ("channel",),
    "model": ("model", "model_name"),
}
_TIMES = ("created_at", "timestamp", "time", "create_time", "created", "date")
_KNOWN = frozenset((*_IDS, *_CONVERSATIONS, *_TIMES, *(name for names in _FIELDS.values() for name in names)))
CHANNELS = ("api", "web", "app", "other")


def conversation_of(record: dict[str, Any], messages: list[Message]) -> Conversation:
    """A conversation with the ids and times that stand in the record or in its `metadata`.

    Raises:
        RecordError: an id or a time is of a kind that cannot be read.
    """
    own, meta = _plain(record), record.get("metadata")
    known = _plain(meta) | own if isinstance(meta, dict) else own
    fields = {name: ident(value, name) for name, names in _FIELDS.items() if (value := _first(known, names)) is not None}
    channel = fields.pop("channel", None)
    own_id = _first(own, _IDS)
    conversation = _first(known, _CONVERSATIONS)
    return Conversation(
        record_id=ident(own_id, "id"),
        time=time_of(_first(known, _TIMES), "time"),
        messages=messages,
        conversation=ident(own_id if conversation is None else conversation, "conversation"),
        channel=(channel if channel in CHANNELS else "other") if channel else None,
        **fields,  # type: ignore[arg-type]
    )


def _plain(place: dict[str, Any]) -> dict[str, Any]:
    """The fields of interest that hold a plain value."""
    return {n: v for n, v in place.items() if n in _KNOWN and v is not None and v != "" and not isinstance(v, (dict, list))}


def _first(known: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first value under one of the names."""
    for name in names:
        if name in known:
            return known[name]
    return None


@source(
    name="messages",
    title="Chats as a list of messages with role and content",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json", "parquet"),
    signature=(Rule(("messages[].role", "messages[].content|messages[].parts"), 0.85),),
    rank=90,
    about="ids and times where they stand beside the messages or in metadata",
)
def messages(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One record is one conversation.

    Raises:
        RecordError: it has no list of messages, or one of them cannot be read.
    """
    said = record.get("messages")
    if not isinstance(said, list) or not said:
        raise RecordError("no messages", "a list of objects with role and content")
    system = text_of(record.get("system"))
    yield conversation_of(record, [*([Message("system", system)] if system else []), *messages_of(said)])
