"""ShareGPT: `{"conversations": [{"from": "human", "value": ..}, {"from": "gpt", "value": ..}]}`.

Tool turns (`function_call`, `observation`, `tool`) are kept: a call is the assistant's, what came back is the tool's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import message_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, Message
from backlight.sources.messages import conversation_of


@source(
    name="sharegpt",
    title="ShareGPT conversations (from, value)",
    kind="interactions",
    text=True,
    gives=("conversation",),
    containers=("jsonl", "json", "parquet"),
    signature=(Rule(("conversations[].from", "conversations[].value"), 0.95),),
    rank=50,
    about="no account, address or time: such chats can be read and scored, but not linked",
)
def sharegpt(record: dict[str, Any], context: Context) -> Iterable[Item | Flaw]:
    """One record is one conversation.

    Raises:
        RecordError: it has no turns, or one of them cannot be read.
    """
    turns = record.get("conversations")
    if not isinstance(turns, list) or not turns:
        raise RecordError("no turns", "conversations: a list of objects with from and value")
    said = [message_of(turn, role="from", content="value") for turn in turns]
    system = text_of(record.get("system"))
    yield conversation_of(record, [*([Message("system", system)] if system else []), *said])
