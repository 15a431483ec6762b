"""WildChat: chats with ChatGPT that people had for free and gave for research; one row is one chat.

    {"conversation_hash": "9f..", "model": "gpt-4-0314", "timestamp": "2023-04-09T00:02:53Z", "turn": 1,
     "conversation": [
       {"role": "user", "content": "..", "turn_identifier": 105002, "hashed_ip": "4c..", "country": "Norway", "state": "Oslo",
        "header": {"user-agent": "..", "accept-language": ".."}, "language": "English", "toxic": false, "redacted": false},
       {"role": "assistant", "content": "..", "turn_identifier": 105002, "timestamp": "2023-04-09T00:02:53Z", ..}],
     "hashed_ip": "4c..", "header": {..}, "country": .., "state": .., "toxic": false, "redacted": false, ..}

There is no account. The hashed address of a row is the one that most of its turns came from; all its turns have one header.
Equal chats of different people have one `conversation_hash`, so the identifier of the first turn is part of a chat's id.
Only answers have a time: a question takes that of its answer. The first release has `conversation_id` and neither address nor
header. What the publisher's classifiers say (`toxic`, moderation) is no outcome of the provider and is not read; nor are
languages and places, for which there is no field.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident, is_chat, loaded, turns_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item, Message
from backlight.sources._times import time_of


class _Row(msgspec.Struct, gc=False):
    """Any row; what nobody reads is skipped by the decoder."""

    conversation_hash: Any = None
    conversation_id: Any = None
    model: Any = None
    timestamp: Any = None
    conversation: Any = None
    hashed_ip: Any = None
    header: Any = None


@source(
    name="wildchat",
    title="WildChat (1M, 4.8M and the first release)",
    kind="interactions",
    text=True,
    gives=("address", "user_agent", "conversation"),
    containers=("parquet", "jsonl", "json"),
    signature=(
        Rule(("conversation_hash", "conversation", "model"), 0.97, where=lambda r: is_chat(r["conversation"])),
        Rule(("conversation_id", "model", "timestamp", "conversation[].toxic", "conversation[].redacted"), 0.95),
    ),
    rank=10,
    record=_Row,
    about="no account: the address, hashed by the publisher, and the user agent link chats; of several addresses of a chat "
    "the most common is given",
)
def wildchat(record: _Row, context: Context) -> Iterable[Item | Flaw]:
    """One row is one conversation.

    Raises:
        RecordError: it has no turns that can be read, or a field is of a kind that cannot be read.
    """
    turns = loaded(record.conversation)
    messages, flaws = turns_of(turns, "conversation")
    name = ident(record.conversation_hash, "conversation_hash")
    first = ident(_first(turns, "turn_identifier"), "turn_identifier")
    header = record.header or _first(turns, "header") or {}
    if not isinstance(header, dict):
        raise RecordError("header is no object", "user-agent and accept-language")
    conversation = Conversation(
        record_id=name or ident(record.conversation_id, "conversation_id"),
        time=time_of(record.timestamp, "timestamp"),
        messages=_timed(messages),
        conversation=ident(record.conversation_id, "conversation_id") or "/".join(filter(None, (name, first))) or None,
        address=ident(record.hashed_ip or _first(turns, "hashed_ip"), "hashed_ip"),
        user_agent=ident(header.get("user-agent"), "user-agent"),
        model=ident(record.model, "model"),
    )
    yield from flaws
    yield conversation


def _first(turns: list[Any], field: str) -> Any:
    """The first value that a turn gives for a field."""
    return next((turn[field] for turn in turns if isinstance(turn, dict) and turn.get(field) not in (None, "")), None)


def _timed(messages: list[Message]) -> list[Message]:
    """The messages, each question with the time of its answer."""
    timed: list[Message] = []
    answered = None
    for message in reversed(messages):
        if message.role == "user":
            message = message if message.time or not answered else Message("user", message.text, answered)
        elif message.role == "assistant":
            answered = message.time
        timed.append(message)
    return timed[::-1]
