"""LMSYS-Chat-1M and the votes of the Chatbot Arena.

    {"conversation_id": "33f0..", "model": "vicuna-13b", "conversation": [{"role": "user", "content": ".."}, ..],
     "turn": 1, "language": "English", "openai_moderation": [..], "redacted": false}

    {"question_id": "58210e..", "model_a": "chatglm-6b", "model_b": "koala-13b", "winner": "model_b", "judge": "arena_user_973",
     "conversation_a": [..], "conversation_b": [..], "turn": 1, "anony": true, "language": "English", "tstamp": 1682351591.1}

In the Arena one person puts a question to two models at once: two conversations of one record, with the same questions. The
judge is that person, under a pseudonym of the publisher. The votes on MT-bench have the same columns without a time; there
the judge only read what nobody asked, and is no user. Newer Arena files have `id`, `evaluation_session_id`, `timestamp` and
content in parts instead. The vote, languages, and what the publisher's classifiers say are not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident, is_chat, turns_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item
from backlight.sources._times import time_of


class _Row(msgspec.Struct, gc=False):
    """Any row; what nobody reads is skipped by the decoder."""

    conversation_id: Any = None
    conversation: Any = None
    model: Any = None
    question_id: Any = None
    id: Any = None
    evaluation_session_id: Any = None
    conversation_a: Any = None
    conversation_b: Any = None
    model_a: Any = None
    model_b: Any = None
    judge: Any = None
    anony: Any = None
    tstamp: Any = None
    timestamp: Any = None


@source(
    name="lmsys",
    title="LMSYS-Chat-1M and Chatbot Arena conversations",
    kind="interactions",
    text=True,
    gives=("user", "conversation"),
    containers=("parquet", "jsonl", "json"),
    signature=(
        Rule(
            ("conversation_id", "model", "conversation", "turn", "openai_moderation|redacted|language"),
            0.95,
            unless=("conversation_hash", "conversation[].toxic", "conversation[].redacted", "hashed_ip"),
            where=lambda r: is_chat(r["conversation"]),
        ),
        Rule(
            ("model_a", "model_b", "conversation_a", "conversation_b"),
            0.95,
            where=lambda r: is_chat(r["conversation_a"]) or is_chat(r["conversation_b"]),
        ),
    ),
    rank=20,
    record=_Row,
    about="LMSYS-Chat-1M has neither user nor time, the Arena both; a question of the Arena stands twice, once for each model",
)
def lmsys(record: _Row, context: Context) -> Iterable[Item | Flaw]:
    """A row is one conversation, a row of the Arena two.

    Raises:
        RecordError: it has no turns that can be read, or a field is of a kind that cannot be read.
    """
    if record.conversation_a is not None or record.conversation_b is not None:
        yield from _pair(record)
        return
    messages, flaws = turns_of(record.conversation, "conversation")
    name = ident(record.conversation_id, "conversation_id")
    conversation = Conversation(
        record_id=name,
        time=time_of(record.timestamp, "timestamp"),
        messages=messages,
        conversation=name,
        model=ident(record.model, "model"),
    )
    yield from flaws
    yield conversation


def _pair(record: _Row) -> Iterator[Item | Flaw]:
    """Both sides of a row of the Arena; a wrong side is a flaw beside the other."""
    own = ident(record.question_id or record.id, "question_id")
    session = ident(record.evaluation_session_id, "evaluation_session_id") or own
    time = time_of(record.tstamp or record.timestamp, "tstamp")
    voted = time is not None or record.anony is not None
    user = ident(record.judge, "judge") if voted else None
    sides = (("a", record.conversation_a, record.model_a), ("b", record.conversation_b, record.model_b))
    for side, said, model in sides:
        try:
            messages, flaws = turns_of(said, f"conversation_{side}")
            conversation = Conversation(
                record_id=own,
                time=time,
                messages=messages,
                conversation=f"{session}/{side}" if session else None,
                user=user,
                model=ident(model, f"model_{side}"),
            )
        except RecordError as error:
            yield Flaw(f"conversation_{side}", msgspec.json.encode(said), error)
            continue
        yield from flaws
        yield conversation
