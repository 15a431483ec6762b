"""Langfuse: traces and observations, as its API, its downloads and its exports to storage or from ClickHouse write them.

An observation is `{"id": .., "traceId": .., "type": "GENERATION", "startTime": .., "input": .., "output": .., "model": ..}`,
a trace `{"id": .., "timestamp": .., "userId": .., "sessionId": .., "input": .., "output": ..}`; storage and ClickHouse say
the same in snake case (`trace_id`, `user_id`, `provided_model_name`), with input and output as JSON in strings. They come
one a record, as pages (`{"data": [..], "meta": ..}`), as one trace with its observations inside or beside it
(`{"trace": .., "observations": [..]}`), or as a session with its traces.

Observations of type GENERATION are exchanges. Spans, events, agents, tools, chains, retrievers, evaluators, embeddings and
guardrails are the steps around them and give no row. A trace is an exchange by its own input and output, unless
generations come with it: then those are. A trace without input and output is only the roof of its observations and gives
no row. The older export has traces and observations in files of their own: where both are read, what was said counts twice,
once with the user from the trace and once without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from backlight.errors import RecordError
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Outcome
from backlight.sources._json import first_of
from backlight.sources._times import time_of
from backlight.sources._traces import Metadata, answer_in, asked, blocked_by, each, loaded, object_of

_Dict = dict[str, Any]
_CALL = "GENERATION"
_STEPS = ("SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL")


def _is_observation(record: _Dict) -> bool:
    return record["type"] in (_CALL, *_STEPS)


@source(
    name="langfuse",
    title="Langfuse traces and observations (API, downloads, storage exports)",
    kind="interactions",
    text=True,
    gives=("end_user", "address", "user_agent", "conversation"),
    containers=("jsonl", "json", "csv", "parquet"),
    signature=(
        Rule(("id", "traceId", "type", "startTime", "parentObservationId"), 0.97, where=_is_observation),
        Rule(("id", "trace_id", "type", "start_time", "parent_observation_id"), 0.97, where=_is_observation),
        Rule(("id", "timestamp", "userId", "sessionId", "release", "version", "tags"), 0.95),
        Rule(("id", "timestamp", "user_id", "session_id", "release", "version", "tags"), 0.95),
        Rule(("id", "timestamp", "htmlPath", "input|output|observations"), 0.95),
        Rule(("data[].id", "data[].traceId", "data[].type", "data[].startTime", "meta"), 0.95),
        Rule(("data[].id", "data[].timestamp", "data[].userId", "data[].sessionId", "data[].tags", "meta"), 0.95),
        Rule(("trace.id", "trace.timestamp", "observations"), 0.95),
        Rule(("id", "projectId", "traces[].id", "traces[].timestamp"), 0.95),
    ),
    rank=10,
    about="address and user agent only where the application puts them into metadata; read the observations that carry the "
    "user, or the traces, not both",
)
def langfuse(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One generation is one exchange, and so is a trace without generations; a page, a trace or a session can be many.

    Raises:
        RecordError: it is neither an observation nor a trace, or a field is of a kind that cannot be read.
    """
    if isinstance(record.get("data"), list):
        yield from each(record["data"], "data", _one)
    elif isinstance(record.get("traces"), list):
        yield from each(record["traces"], "traces", _one)
    elif isinstance(record.get("trace"), dict):
        yield from _trace(record["trace"], record.get("observations"))
    else:
        yield from _one(record)


def _one(record: Any) -> Iterator[Item | Flaw]:
    kind = record.get("type") if isinstance(record, dict) else None
    if kind is not None and ("traceId" in record or "trace_id" in record):
        yield from _observation(record, {})
    elif isinstance(record, dict) and "timestamp" in record:
        yield from _trace(record, record.get("observations"))
    else:
        raise RecordError("neither an observation nor a trace", "traceId and type, or timestamp, input and output")


def _trace(trace: _Dict, observations: Any) -> Iterator[Item | Flaw]:
    """The generations of a trace; where none come with it, the trace itself. Ids alone say what stands elsewhere."""
    observations = loaded(observations)
    inside = [o for o in observations if not isinstance(o, str)] if isinstance(observations, list) else []
    yield from each(inside, "observations", lambda entry: _observation(entry, trace))
    called = any(isinstance(entry, dict) and entry.get("type") == _CALL for entry in inside)
    if not called and any(trace.get(name) not in (None, "", {}, []) for name in ("input", "output")):
        yield from _exchange(trace, {}, trace.get("timestamp"))


def _observation(entry: Any, trace: _Dict) -> Iterator[Item | Flaw]:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind == _CALL:
        yield from _exchange(entry, trace, first_of(entry, "startTime", "start_time"))
    elif kind not in _STEPS:
        raise RecordError("an observation of a type that is not known", f"{_CALL}, {', '.join(_STEPS)}")


def _exchange(entry: _Dict, trace: _Dict, time: Any) -> Iterator[Item | Flaw]:
    """The exchange of a generation, or of a trace of its own; `trace` says what a generation does not."""
    meta = Metadata(entry.get("metadata"), above=Metadata(trace.get("metadata")))
    messages, flaws = asked(entry.get("input"))
    answer, wrong = answer_in(entry.get("output"))
    user = first_of(entry, "userId", "user_id") or first_of(trace, "userId", "user_id")
    session = first_of(entry, "sessionId", "session_id") or first_of(trace, "sessionId", "session_id")
    tokens = _tokens(entry)
    yield Exchange(
        record_id=ident(entry.get("id"), "id"),
        time=time_of(time, "start time"),
        messages=messages,
        output=answer.text,
        conversation=ident(session, "sessionId") or meta.conversation,
        end_user=ident(user, "userId") or meta.end_user,
        address=meta.address,
        user_agent=meta.user_agent,
        model=ident(first_of(entry, "model", "providedModelName", "provided_model_name"), "model"),
        outcome=_failed(entry) if answer.outcome == "unknown" else answer.outcome,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
        answered=answer.text is not None,
    )
    yield from (*flaws, *wrong)


def _failed(entry: _Dict) -> Outcome:
    message = first_of(entry, "statusMessage", "status_message")
    return blocked_by(message) if entry.get("level") == "ERROR" else "unknown"


def _tokens(entry: _Dict) -> tuple[int | None, int | None]:
    """Tokens in and out; the older API has them in `usage`."""
    given = first_of(entry, "usageDetails", "usage_details", "usage")
    usage = object_of(given, "usage")
    return count(usage.get("input")), count(usage.get("output"))
