"""Small records of each format, all invented."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backlight.sources import FORMATS, Item, Raw


def payload(**changes: Any) -> dict[str, Any]:
    """A LiteLLM payload of a plain chat; `metadata`, `message` and `choice` are merged into theirs."""
    metadata = {"user_api_key_hash": "hash-1", "user_api_key_user_id": "owner-1", "user_api_key_team_id": "team-1"}
    message = {"role": "assistant", "content": "Good morning.", "tool_calls": None}
    choice = {"finish_reason": "stop", "index": 0, "message": message | changes.pop("message", {})} | changes.pop("choice", {})
    return {
        "id": "chatcmpl-1",
        "trace_id": "trace-1",
        "call_type": "acompletion",
        "status": "success",
        "startTime": 1_767_225_600.5,
        "model": "model-a",
        "metadata": metadata | changes.pop("metadata", {}),
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "request_tags": ["User-Agent: client", "User-Agent: client/1.2", "team"],
        "end_user": "customer-1",
        "requester_ip_address": "198.51.100.7",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say good morning."}],
        "response": {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice]},
        "guardrail_information": None,
    } | changes


def read(name: str, record: Any) -> list[Item]:
    """What a format makes of one record, by the short way and the long one where it has both."""
    data = json.dumps(record).encode()
    form = FORMATS[name]
    items = form.parse(Raw("line 1", data))
    parsed = form.parse_lines(data + b"\n")
    assert (parsed.items, parsed.rejects, parsed.records) == (items, [], 1)
    return items


@pytest.fixture(name="payload")
def _payload() -> Any:
    return payload


@pytest.fixture(name="read")
def _read() -> Any:
    return read
