"""Spans and events of OpenTelemetry that follow its conventions for generative AI, as OTLP JSON or one a record.

A page of OTLP holds spans in `resourceSpans[].scopeSpans[].spans[]` or log records in `resourceLogs[].scopeLogs[]
.logRecords[]`, their attributes as `[{"key": .., "value": {"stringValue": ..}}]`. A flattened span or event is a record
with an object of attributes, as console exporters and databases write it. What was said stands in one of these places:

- `gen_ai.system_instructions`, `gen_ai.input.messages` and `gen_ai.output.messages`, structured or as JSON in a string, of
  the span or of its event `gen_ai.client.inference.operation.details`; messages are `{"role": .., "parts": [..]}`;
- until conventions 1.36, an event for each message (`gen_ai.user.message`, .., `gen_ai.choice`), of the span or as a log
  record; it is the body of the log record, `gen_ai.event.content`, or the event's attributes;
- before those, `gen_ai.prompt` and `gen_ai.completion`, whole or as `gen_ai.prompt.0.content` and so on.

Each call of a model is an exchange, also where the application did not record its content. Left out, by the nature of the
format, are all other spans and log records (HTTP, databases, metrics, evaluations), embeddings, retrieval, memory, tools
(their results stand in the next call), and spans that repeat calls below them in the same page: an agent's or a workflow's,
and a call's that has the same answer, as where both a framework and a client are observed. Reasoning, files and pictures
are no text of a message, and content that was uploaded elsewhere (`.._ref`) is not fetched. Log records of one span in one
page are one exchange, which lacks what only their span says.

Who asked is mostly known to the span of the web request, not to that of the call. So what the call does not say itself
(user, session, address, user agent) is taken from the spans above it in the page, address and user agent from the outermost
one, which met the client; then from the resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources import _json
from backlight.sources._chat import calls_of, count, ident, role_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Item, Message, Outcome, Role
from backlight.sources._json import dict_of
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_Key = tuple[str, str]
_DEEP, _UP = 32, 64  # levels of an attribute's value, spans above a span
_SYSTEM = ("gen_ai.system_instructions", "gen_ai.system.instructions")
_INPUT = ("gen_ai.input.messages", "gen_ai.prompt")
_OUTPUT = ("gen_ai.output.messages", "gen_ai.completion")
_INDEXED = ("gen_ai.prompt.", "gen_ai.completion.")
_DETAILS, _CHOICE = "gen_ai.client.inference.operation.details", "gen_ai.choice"
_MESSAGES: dict[str, Role] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_OPERATION = ("gen_ai.operation.name", "llm.request.type")
_OF_A_CALL = (*_OPERATION, "gen_ai.request.model", "gen_ai.response.model", "gen_ai.response.id", *_INPUT, *_OUTPUT)
_CALLS = ("chat", "generate_content", "text_completion", "completion")
_NO_CALLS = frozenset((
    "embeddings", "embedding", "rerank", "retrieval", "execute_tool", "create_agent",
    "search_memory", "update_memory", "delete_memory", "create_memory_store", "delete_memory_store",
))  # fmt: skip
_NO_TEXT = frozenset((
    "blob", "file", "uri", "reasoning", "thinking", "redacted_thinking",
    "image", "image_url", "input_image", "input_audio", "input_file",
))  # fmt: skip
_OF_A_PART = ("type", "text", "toolUse", "toolResult")
_SHAPE = ("messages", "role", "parts", "content", "finish_reason", *_OF_A_PART)
_BLOCKED = frozenset((
    "content_filter", "content_filtered", "guardrail_intervened", "safety", "prohibited_content", "blocklist", "spii",
))  # fmt: skip
_ATTRIBUTES = ("attributes", "SpanAttributes", "LogAttributes", "span_attributes")
_TIMES = (
    "startTimeUnixNano", "timeUnixNano", "start_time_unix_nano", "start_time", "startTime", "Timestamp", "timestamp", "time",
    "observedTimeUnixNano", "observed_timestamp",
)  # fmt: skip
_decode = _json.decoder(Any)


class _Event(msgspec.Struct):
    """An event: its name, its attributes, the body of a log record."""

    name: str
    attributes: _Dict
    body: Any = None


class _Said(msgspec.Struct):
    """What a call says: messages, answers, why the model stopped; and what could not be read of them."""

    messages: list[Message] = []
    outputs: list[str] = []
    reasons: list[Any] = []
    wrong: list[RecordError] = []

    @property
    def anything(self) -> bool:
        return bool(self.messages or self.outputs or self.wrong)

    def take(self, read: Callable[..., None], *parts: Any) -> None:
        """Reads a part of it; what is wrong with that part is noted, and the rest kept."""
        try:
            read(self, *parts)
        except RecordError as error:
            self.wrong.append(error)


class _Span(msgspec.Struct):
    """A span, or log records of one: where it stands, as it was, and decoded; `event` is the name of a log record."""

    where: str
    raw: list[Any]
    key: _Key
    parent: str
    time: Any
    attributes: _Dict
    resource: _Dict
    event: str
    events: list[_Event]
    said: _Said = msgspec.field(default_factory=_Said)

    @property
    def operation(self) -> str:
        return str(_first(self.attributes, *_OPERATION) or "").lower()

    @property
    def answer(self) -> Any:
        return self.said.outputs or self.attributes.get("gen_ai.response.id")

    def flaw(self, wrong: RecordError) -> Flaw:
        return Flaw(self.where, msgspec.json.encode(self.raw[0] if len(self.raw) == 1 else self.raw), wrong)


def _tells(record: _Dict) -> bool:
    """Whether a flattened record has an attribute of these conventions."""
    try:
        return _speaks(_attributes_of(record))
    except RecordError:
        return False


@source(
    name="otel-genai",
    title="OpenTelemetry GenAI: OTLP JSON, or flattened spans",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "address", "user_agent", "conversation"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("resourceSpans",), 0.95, where=lambda r: isinstance(r["resourceSpans"], list)),
        Rule(("resourceLogs",), 0.9, where=lambda r: isinstance(r["resourceLogs"], list)),
        Rule(("|".join(_ATTRIBUTES),), 0.95, where=_tells),
        Rule(("gen_ai*",), 0.95, where=_tells),
    ),
    rank=15,
    about="text only where the application records content; user, address and user agent only where it sets them on the span "
    "or on one above it in the same page; other conventions for model calls are not read",
)
def otel_genai(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """A page gives an exchange for each call of a model; a flattened span or event gives one, or nothing.

    Raises:
        RecordError: it is neither a page nor a span, or a field is of a kind that cannot be read.
    """
    if any(name in record for name in ("resourceSpans", "resourceLogs", "resourceMetrics")):
        yield from _page(record)
        return
    span = _span(record, "content", {})
    if not span.attributes and not span.events and not span.key[1]:
        raise RecordError("neither a page of OTLP nor a span", "resourceSpans, resourceLogs, or a span with attributes")
    yield from _foreign([span])
    if _is_call(span):
        span.said = _said(span)
        yield _exchange(span, [])
        yield from map(span.flaw, span.said.wrong)


# --- pages


def _page(page: _Dict) -> Iterator[Item | Flaw]:
    spans: list[_Span] = []
    logs: list[_Span] = []
    for names, found in (
        (("resourceSpans", "scopeSpans", "spans"), spans),
        (("resourceLogs", "scopeLogs", "logRecords"), logs),
    ):
        for where, resource, leaf in _leaves(page, *names):
            try:
                found.append(_span(leaf, where, _attributes(resource)))
            except RecordError as error:
                yield Flaw(where, msgspec.json.encode(leaf), error)
    yield from _foreign(spans)
    known = {span.key: span for span in spans}
    calls = [span for span in (*spans, *_together([log for log in logs if log.event])) if _is_call(span)]
    for call in calls:
        call.said = _said(call)
    below = _below(calls, known)
    for call in calls:
        if not _repeats(call, below.get(call.key, [])):
            yield from _read(call, _above(call, known))


def _leaves(page: _Dict, top: str, middle: str, bottom: str) -> Iterator[tuple[str, Any, Any]]:
    """Each span or log record with its place and the attributes of its resource; what is no object comes as it is."""
    for n, of_resource in enumerate(_inside(page, top)):
        resource = dict_of(dict_of(of_resource).get("resource")).get("attributes")
        for m, of_scope in enumerate(_inside(of_resource, middle)):
            for k, leaf in enumerate(_inside(of_scope, bottom)):
                yield f"{top} {n}, {middle} {m}, {bottom} {k}", resource, leaf


def _inside(value: Any, name: str) -> list[Any]:
    """The list of that name; what stands there instead, so that it is found to be wrong."""
    if not isinstance(value, dict):
        return [value]
    held = value.get(name)
    return held if isinstance(held, list) else [] if held is None else [held]


def _together(logs: list[_Span]) -> list[_Span]:
    """Log records that are messages of one span as one; a record without the id of its span stays alone."""
    firsts: dict[_Key, _Span] = {}
    kept = []
    for log in logs:
        first = firsts.setdefault(log.key, log) if log.key[1] and log.events else log
        if first is log:
            kept.append(log)
            log.attributes = dict(log.attributes)
            continue
        first.raw += log.raw
        first.events += log.events
        for name, value in log.attributes.items():
            first.attributes.setdefault(name, value)
    return kept


def _above(span: _Span, known: dict[_Key, _Span]) -> list[_Span]:
    """The spans around a span that stand in the page, the nearest first; none where they go round in a ring."""
    chain: list[_Span] = []
    at: _Span | None = span
    while at is not None and at.parent and len(chain) < _UP:
        at = known.get((at.key[0], at.parent))
        if at is not None and at.key == span.key:
            return []
        chain += [at] if at is not None else []
    return chain


def _below(calls: list[_Span], known: dict[_Key, _Span]) -> dict[_Key, list[_Span]]:
    """The calls below each span. What a tool calls is not what the call before it said."""
    below: dict[_Key, list[_Span]] = {}
    for call in calls:
        for span in _above(call, known):
            if span.operation in _NO_CALLS:
                break
            below.setdefault(span.key, []).append(call)
    return below


def _repeats(call: _Span, below: list[_Span]) -> bool:
    """Whether a span says what calls below it say: the same answer, or, of what is no call itself, anything."""
    if call.operation in _CALLS:
        return call.answer is not None and any(other.answer == call.answer for other in below)
    return any(other.said.anything for other in below) or (bool(below) and not call.said.anything)


def _read(call: _Span, above: list[_Span]) -> Iterator[Item | Flaw]:
    try:
        yield _exchange(call, above)
        yield from map(call.flaw, call.said.wrong)
    except RecordError as error:
        yield call.flaw(error)


def _foreign(spans: list[_Span]) -> Iterator[Flaw]:
    """Calls of a model in OpenInference's conventions alone: they are not read, and not passed over in silence."""
    for span in spans:
        if span.attributes.get("openinference.span.kind") == "LLM" and not _is_call(span):
            yield span.flaw(RecordError("a call of a model in other conventions", "attributes whose names begin with gen_ai"))


# --- one span


def _span(part: Any, where: str, resource: _Dict) -> _Span:
    """A span or a log record, of a page or flattened."""
    if not isinstance(part, dict):
        raise RecordError("no object", "a span or a log record")
    attributes, context = _attributes_of(part), dict_of(part.get("context"))
    trace = _first(part, "traceId", "trace_id", "TraceId") or context.get("trace_id")
    span = _first(part, "spanId", "span_id", "SpanId") or context.get("span_id")
    parent = _first(part, "parentSpanId", "parent_span_id", "ParentSpanId", "parent_id")
    named = _first(part, "eventName", "event_name", "EventName") or attributes.get("event.name") or ""
    event = "" if part.get("startTimeUnixNano") else str(named)
    message = [_Event(event, attributes, _plain(_first(part, "body", "Body")))]
    return _Span(
        where=where,
        raw=[part],
        key=(ident(trace, "traceId") or "", ident(span, "spanId") or ""),
        parent=ident(parent, "parentSpanId") or "",
        time=_first(part, *_TIMES),
        attributes=attributes,
        resource=resource or _resource_of(part),
        event=event,
        events=message if event in _MESSAGES or event == _CHOICE else _events(part),
    )


def _resource_of(part: _Dict) -> _Dict:
    held = part.get("resource")
    return _attributes(held.get("attributes") if isinstance(held, dict) else part.get("ResourceAttributes"))


def _events(part: _Dict) -> list[_Event]:
    """The events of a span that can hold what was said; ClickHouse has them as a list of names and one of attributes."""
    events = _listed(_loaded(part.get("events")))
    names, attributes = _listed(part.get("Events.Name")), _listed(part.get("Events.Attributes"))
    events = events + [{"name": name, "attributes": held} for name, held in zip(names, attributes, strict=False)]
    told = [event for event in events if isinstance(event, dict) and str(event.get("name")).startswith("gen_ai.")]
    return [_Event(event["name"], _attributes(event.get("attributes")), _plain(event.get("body"))) for event in told]


def _speaks(attributes: _Dict) -> bool:
    return any(name.startswith("gen_ai.") for name in attributes)


def _attributes_of(part: _Dict) -> _Dict:
    """Attributes of a span or log record; where they stand among its fields, those."""
    name = next((name for name in _ATTRIBUTES if part.get(name) not in (None, "")), None)
    return _attributes(part[name]) if name else part if _speaks(part) else {}


def _attributes(value: Any) -> _Dict:
    """Pairs of key and value decoded; an object, also from a string, as it is."""
    value = _loaded(value)
    if isinstance(value, list):
        return _pairs(value, 0)
    if isinstance(value, dict):
        return value
    if value is None or value == "":
        return {}
    raise RecordError("attributes are neither a list nor an object", "a list of objects with key and value")


def _pairs(values: list[Any], depth: int) -> _Dict:
    pairs = [pair for pair in values if isinstance(pair, dict) and isinstance(pair.get("key"), str)]
    return {pair["key"]: _plain(pair.get("value"), depth + 1) for pair in pairs}


def _plain(value: Any, depth: int = 0) -> Any:
    """A value of OTLP as JSON has it; bytes are none."""
    if not isinstance(value, dict):
        return value
    if depth > _DEEP:
        raise RecordError(f"a value nested more than {_DEEP} deep")
    for name in ("stringValue", "intValue", "doubleValue", "boolValue"):
        if name in value:
            return value[name]
    if "arrayValue" in value:
        return [_plain(part, depth + 1) for part in _listed(dict_of(value["arrayValue"]).get("values"))]
    if "kvlistValue" in value:
        return _pairs(_listed(dict_of(value["kvlistValue"]).get("values")), depth)
    return None if not value or "bytesValue" in value else value


# --- what was said


def _is_call(span: _Span) -> bool:
    """Whether a span is, or is around, a call of a model; a log record is one where it is an event that holds content."""
    if any(event.name in _MESSAGES or event.name in (_CHOICE, _DETAILS) for event in span.events):
        return span.operation not in _NO_CALLS
    if span.operation in _NO_CALLS or not _speaks(span.attributes) or span.event not in ("", _DETAILS):
        return False
    return any(name in span.attributes for name in _OF_A_CALL) or any(name.startswith(_INDEXED) for name in span.attributes)


def _said(span: _Span) -> _Said:
    """What was said, from the first place that holds it, in the order of the module's text."""
    said = _Said()
    places = [span.attributes, *(event.attributes for event in span.events)]
    said.take(_first_of, places, _INPUT, _input)
    said.take(_first_of, places, _OUTPUT, _output)
    if not said.anything:
        for event in span.events:
            said.take(_event, event)
    if not said.anything:
        said.take(_input, _indexed(span.attributes, _INDEXED[0], "user"), _INDEXED[0])
        said.take(_output, _indexed(span.attributes, _INDEXED[1], "assistant"), _INDEXED[1])
    said.take(_first_of, places, _SYSTEM, _system)
    reasons = _loaded(span.attributes.get("gen_ai.response.finish_reasons"))
    said.reasons += reasons if isinstance(reasons, list) else [reasons]
    return said


def _first_of(said: _Said, places: list[_Dict], names: tuple[str, ...], read: Callable[[_Said, Any, str], None]) -> None:
    """Reads the first value under one of the names."""
    for place in places:
        for name in names:
            if place.get(name) not in (None, "", [], {}):
                return read(said, _content(place[name], name), name)
    return None


def _system(said: _Said, value: Any, field: str) -> None:
    text = _text({"content": value})
    if text:
        said.messages.insert(0, Message("system", text))


def _input(said: _Said, value: Any, field: str) -> None:
    for message in _several(value):
        if isinstance(message, str):
            said.messages.append(Message("user", message))
        elif isinstance(message, dict) and "role" in message:
            said.messages.append(Message(role_of(message["role"]), _text(message)))
        else:
            raise RecordError(f"{field} has a message without a role", "an object with role and parts")


def _output(said: _Said, value: Any, field: str) -> None:
    """Answers; there are several where several choices were asked for."""
    for message in _several(value):
        _answer(said, message if isinstance(message, dict) else {"content": message})


def _several(value: Any) -> list[Any]:
    """Messages, of which there may be one, also below a name of their own."""
    value = value.get("messages", value) if isinstance(value, dict) else value
    return value if isinstance(value, list) else [value]


def _answer(said: _Said, message: _Dict) -> None:
    said.reasons.append(message.get("finish_reason"))
    parts = _listed(message.get("parts", message.get("content")))
    if message.get("refusal") or any(dict_of(part).get("type") == "refusal" for part in parts):
        said.reasons.append("refusal")
    text = _text(message)
    if text:
        said.outputs.append(text)


def _event(said: _Said, event: _Event) -> None:
    """A message of the older generation; one whose content was not recorded says nothing."""
    body = _loaded(event.body or event.attributes.get("gen_ai.event.content"))
    body = body if isinstance(body, dict) else {"content": body} if body else event.attributes
    if event.name == _CHOICE:
        message = body.get("message")
        message = _loaded(message) if isinstance(message, str) and message.startswith("{") else message
        _answer(said, body | (message if isinstance(message, dict) else {"content": message} if message else {}))
    elif event.name in _MESSAGES and (text := _text(body)):
        said.messages.append(Message(_MESSAGES[event.name], text))


def _indexed(attributes: _Dict, prefix: str, role: Role) -> list[_Dict]:
    """Messages whose fields are attributes of their own, such as gen_ai.prompt.0.content, in order."""
    messages: dict[int, _Dict] = {}
    calls: dict[int, dict[str, _Dict]] = {}
    for name, value in attributes.items():
        index, _, field = name.removeprefix(prefix).partition(".") if name.startswith(prefix) else ("", "", "")
        if not (index.isascii() and index.isdigit() and len(index) <= 6):
            continue
        message = messages.setdefault(int(index), {"role": role})
        if field.startswith("tool_calls."):
            number, _, field = field.removeprefix("tool_calls.").partition(".")
            calls.setdefault(int(index), {}).setdefault(number, {})[field] = value
        elif value is not None:
            message[field] = value
    for number_of, called in calls.items():
        messages[number_of]["tool_calls"] = [{"function": call} for call in called.values()]
    return [messages[index] for index in sorted(messages)]


# --- texts


def _content(value: Any, field: str) -> Any:
    """Content, decoded where it is messages or parts in a string; any other text stays, also one that happens to be JSON.

    Raises:
        RecordError: it is messages or parts that were cut off.
    """
    loaded = _loaded(value)
    if isinstance(value, str) and not isinstance(loaded, str):
        parts = loaded if isinstance(loaded, list) else [loaded]
        return loaded if all(any(name in dict_of(part) for name in _SHAPE) for part in parts) else value
    if isinstance(loaded, str) and loaded.startswith(('[{"', '{"')):
        raise RecordError(f"{field} is JSON that is not whole", "content that was not cut off")
    return loaded


def _text(message: _Dict) -> str:
    """The text of a message of any generation: its parts or content, its tool calls."""
    content = message.get("parts", message.get("content", message.get("text")))
    if isinstance(content, str) and content.startswith("[{"):
        parts = _listed(_loaded(content))
        content = parts if parts and all(any(name in dict_of(part) for name in _OF_A_PART) for part in parts) else content
    texts = [_part(part) for part in (content if isinstance(content, list) else [content])]
    calls = calls_of({"tool_calls": _loaded(message.get("tool_calls")), "function_call": message.get("function_call")})
    return "\n".join(filter(None, [*texts, text_of(message.get("refusal")), calls]))


def _part(part: Any) -> str:
    kind = str(part.get("type")) if isinstance(part, dict) else ""
    if kind in _NO_TEXT:
        return ""
    if kind == "tool_call":
        return _call(part.get("name"), part.get("arguments"))
    if kind == "server_tool_call":
        return _call(part.get("name"), part.get(kind))
    if kind in ("tool_call_response", "server_tool_call_response"):
        told = _first(part, "response", "result", kind)
        return told if isinstance(told, str) else msgspec.json.encode(told).decode() if told else ""
    if isinstance(part, dict) and isinstance(part.get("toolUse"), dict):
        return _call(part["toolUse"].get("name"), part["toolUse"].get("input"))
    return text_of(part.get("toolResult", part) if isinstance(part, dict) else part)


def _call(name: Any, arguments: Any) -> str:
    return calls_of({"function_call": {"name": name, "arguments": arguments}})


# --- the exchange


def _exchange(span: _Span, above: list[_Span]) -> Exchange:
    held, said = span.attributes, span.said
    output = "\n\n".join(said.outputs) or None
    near = [held, *(other.attributes for other in above), span.resource]
    far = [held, *(other.attributes for other in reversed(above)), span.resource]
    own = "/".join(filter(None, span.key)) if span.key[1] else held.get("gen_ai.response.id")
    return Exchange(
        record_id=ident(own, "gen_ai.response.id"),
        time=time_of(span.time, "time"),
        messages=said.messages,
        output=output,
        conversation=_known(near, "gen_ai.conversation.id", "session.id"),
        end_user=_known(near, "enduser.id", "enduser.pseudo.id"),
        user=_known(near, "user.id", "user.hash"),
        address=_known(far, "client.address", "http.client_ip"),
        user_agent=_known(far, "user_agent.original", "http.user_agent"),
        model=ident(_first(held, "gen_ai.request.model", "gen_ai.response.model"), "gen_ai.request.model"),
        outcome=_outcome([*said.reasons, held.get("error.type")]),
        tokens_in=count(_first(held, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens")),
        tokens_out=count(_first(held, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens")),
        answered=output is not None or _first(held, "gen_ai.response.id", "gen_ai.response.finish_reasons") is not None,
    )


def _known(places: list[_Dict], *names: str) -> str | None:
    return next((found for place in places if (found := ident(_first(place, *names), names[0]))), None)


def _outcome(reasons: list[Any]) -> Outcome:
    words = {reason.lower() for reason in reasons if isinstance(reason, str)}
    return "refused" if "refusal" in words else "blocked" if words & _BLOCKED else "unknown"


# --- small things


def _loaded(value: Any) -> Any:
    """JSON inside a string; any other text stays."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _decode(value.encode())
        except RecordError:
            return value
    return value


def _first(place: _Dict, *names: str) -> Any:
    return next((place[name] for name in names if place.get(name) not in (None, "")), None)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
