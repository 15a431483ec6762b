"""LiteLLM's StandardLoggingPayload, as its callbacks (JSONL file, S3, GCS, webhook) write it.

Most records are plain text chats that succeeded; `_quick` decodes those straight into messages. Everything else (parts,
tool calls, failures, guardrails, metadata as a string) goes through `litellm`, which takes any shape that was ever seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import Answer, answer_of, count, ident, loaded, messages_of
from backlight.sources._format import Context, Rule, source
from backlight.sources._items import Exchange, Item, Message, Outcome
from backlight.sources._times import time_of

REDACTED = "redacted-by-litellm"
NOBODY = "default_user_id"  # the proxy's own user: whoever calls with the master key
_BLOCKED_BY = ("contentpolicy", "content_policy", "content_filter", "content management policy", "guardrail", "moderation")


class _Metadata(msgspec.Struct, gc=False):
    user_api_key_hash: str | None = None
    user_api_key_user_id: str | None = None
    user_api_key_team_id: str | None = None
    user_api_key_org_id: str | None = None
    user_api_key_end_user_id: str | None = None
    requester_ip_address: str | None = None
    user_agent: str | None = None


class _Said(msgspec.Struct, gc=False):
    content: str
    tool_calls: None = None
    function_call: None = None
    refusal: None = None


class _Choice(msgspec.Struct, gc=False):
    message: _Said
    finish_reason: str | None = None


class _Response(msgspec.Struct, gc=False):
    choices: list[_Choice]


class _Plain(msgspec.Struct, gc=False, kw_only=True):
    """A successful chat in plain text: the types are strict, so that anything else fails and takes the long way.

    Fields stand in LiteLLM's order, in which the decoder finds them fastest.
    """

    id: str
    trace_id: str | None = None
    status: str
    startTime: float | str
    model: str | None = None
    metadata: _Metadata
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    request_tags: list[str] | None = None
    end_user: str | None = None
    requester_ip_address: str | None = None
    messages: list[Message]
    response: _Response
    guardrail_information: None = None


class _Payload(msgspec.Struct, gc=False):
    """Any payload; what nobody reads is skipped by the decoder."""

    id: Any = None
    call_type: Any = None
    status: Any = None
    startTime: Any = None
    messages: Any = msgspec.UNSET
    response: Any = None
    metadata: Any = None
    model: Any = None
    trace_id: Any = None
    end_user: Any = None
    requester_ip_address: Any = None
    request_tags: Any = None
    prompt_tokens: Any = None
    completion_tokens: Any = None
    guardrail_information: Any = None
    error_information: Any = None
    error_str: Any = None


_plain = msgspec.json.Decoder(_Plain).decode


def _quick(line: bytes, context: Context) -> Item:
    """A plain successful chat.

    Raises:
        ValueError: it is something else.
    """
    p = _plain(line)
    m, messages, choices = p.metadata, p.messages, p.response.choices
    if len(choices) != 1 or p.status != "success" or choices[0].finish_reason == "content_filter":
        raise ValueError
    output = choices[0].message.content
    for message in messages:
        if message.role == "tool" or message.text == REDACTED:  # where a tool answers, a call stands before it
            raise ValueError
    if output == REDACTED:
        raise ValueError
    user = m.user_api_key_user_id
    return Exchange(
        record_id=p.id or None,
        time=time_of(p.startTime, "startTime"),
        messages=messages,
        output=output or None,
        conversation=p.trace_id or None,
        end_user=p.end_user or m.user_api_key_end_user_id or None,
        user=user if user and user != NOBODY else None,
        key=m.user_api_key_hash or None,
        organisation=m.user_api_key_org_id or m.user_api_key_team_id or None,
        address=p.requester_ip_address or m.requester_ip_address or None,
        user_agent=m.user_agent or (_agent(p.request_tags) if p.request_tags else None),
        model=p.model or None,
        tokens_in=p.prompt_tokens,
        tokens_out=p.completion_tokens,
    )


@source(
    name="litellm",
    title="LiteLLM logging payload (StandardLoggingPayload)",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("call_type", "metadata.user_api_key*", "id", "messages|response"), 0.99, unless=("request_id", "spend")),
        Rule(("call_type", "startTime", "response_cost", "custom_llm_provider", "id"), 0.95, unless=("request_id", "spend")),
        Rule(("call_type", "startTime", "messages", "response", "id", "metadata"), 0.85, unless=("request_id", "spend")),
    ),
    rank=10,
    record=_Payload,
    quick=_quick,
    about="user agent where LiteLLM adds it as a tag; text that LiteLLM redacted counts as not collected",
)
def litellm(record: _Payload, context: Context) -> Iterable[Item]:
    """One payload is one exchange.

    Raises:
        RecordError: it holds neither a call type nor messages, or a field is of a kind that cannot be read.
    """
    if record.messages is msgspec.UNSET and record.call_type is None:
        raise RecordError("neither call_type nor messages", "a StandardLoggingPayload")
    meta = _object(record.metadata, "metadata")
    answer = answer_of(loaded(record.response))
    output = None if answer.text == REDACTED else answer.text
    messages = [] if record.messages is msgspec.UNSET else messages_of(loaded(record.messages))
    user = ident(meta.get("user_api_key_user_id"), "user_api_key_user_id")
    org, team = meta.get("user_api_key_org_id"), meta.get("user_api_key_team_id")
    yield Exchange(
        record_id=ident(record.id, "id"),
        time=time_of(record.startTime, "startTime"),
        messages=[message for message in messages if message.text != REDACTED],
        output=output,
        conversation=ident(record.trace_id, "trace_id"),
        end_user=ident(record.end_user or meta.get("user_api_key_end_user_id"), "end_user"),
        user=None if user == NOBODY else user,
        key=ident(meta.get("user_api_key_hash") or meta.get("user_api_key"), "user_api_key_hash"),
        organisation=ident(org or team, "user_api_key_org_id"),
        address=ident(record.requester_ip_address or meta.get("requester_ip_address"), "requester_ip_address"),
        user_agent=_user_agent(meta, record.request_tags),
        model=ident(record.model, "model"),
        outcome=_outcome(record, meta, answer),
        tokens_in=count(record.prompt_tokens),
        tokens_out=count(record.completion_tokens),
        answered=output is not None or record.status == "success",
    )


def _outcome(record: _Payload, meta: dict[str, Any], answer: Answer) -> Outcome:
    """Refused or blocked where a provider's field says so; failures of other kinds (time-outs, rates) say nothing."""
    if answer.outcome != "unknown":
        return answer.outcome
    failed = record.status == "failure"
    guards = record.guardrail_information or meta.get("guardrail_information") or []
    for guard in guards if isinstance(guards, list) else [guards]:
        state = guard.get("guardrail_status") if isinstance(guard, dict) else None
        if state in ("blocked", "guardrail_intervened", "failure") and (failed or answer.text is None):
            return "blocked"
    if failed:
        error = record.error_information if isinstance(record.error_information, dict) else {}
        words = f"{error.get('error_class')} {error.get('error_code')} {error.get('error_message')} {record.error_str}".lower()
        if any(mark in words for mark in _BLOCKED_BY):
            return "blocked"
    return "unknown"


def _user_agent(meta: dict[str, Any], tags: Any) -> str | None:
    given = meta.get("user_agent")
    for place in ("requester_custom_headers", "requester_metadata"):
        headers = meta.get(place)
        if not given and isinstance(headers, dict):
            given = headers.get("user-agent") or headers.get("User-Agent") or headers.get("user_agent")
    tags = loaded(tags)
    return ident(given, "user_agent") or (
        _agent([tag for tag in tags if isinstance(tag, str)]) if isinstance(tags, list) else None
    )


def _agent(tags: list[str]) -> str | None:
    """The user agent among the tags; LiteLLM adds it twice, with and without its version: the longer one counts."""
    found = ""
    for tag in tags:
        if tag[:12] == "User-Agent: " and len(tag) > len(found) + 12:
            found = tag[12:]
    return found or None


def _object(value: Any, field: str) -> dict[str, Any]:
    value = loaded(value)
    if value is None or value == "":
        return {}
    if isinstance(value, dict):
        return value
    raise RecordError(f"{field} is no object")
