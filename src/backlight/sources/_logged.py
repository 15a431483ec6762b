"""What loggers write around a request and its answer, whatever the API: when, who, from where, and bodies as texts."""

from __future__ import annotations

from typing import Any

import msgspec

from backlight.sources._json import check_size, dict_of, first_of

TIMES = ("timestamp", "time", "created_at", "request_time", "start_time", "ts", "date")
"""Fields that hold when it was asked."""

_Dict = dict[str, Any]


def body_of(value: Any) -> Any:
    """A body, decoded where it was logged as a string; any other value stays.

    Raises:
        RecordError: it has too many values.
    """
    if isinstance(value, str) and value[:1] == "{":
        data = value.encode("utf-8", "replace")
        check_size(data)
        try:
            return msgspec.json.decode(data)
        except (ValueError, RecursionError):
            return value
    return value


def request_in(record: _Dict) -> _Dict:
    """The request's body, wherever it stands; empty where there is none."""
    request = body_of(record.get("request"))
    body = body_of(request.get("body")) if isinstance(request, dict) else None
    for found in (body, request, body_of(record.get("body"))):
        if isinstance(found, dict) and found:
            return found
    return record if "messages" in record or "input" in record else {}


def response_in(record: _Dict) -> _Dict | str | None:
    """The response's body, wherever it stands: an object, a bare text, or None."""
    response = body_of(record.get("response"))
    body = body_of(response.get("body")) if isinstance(response, dict) else None
    return next((found for found in (body, response) if isinstance(found, (dict, str)) and found), None)


def headers_of(record: _Dict) -> _Dict:
    """Headers of the request, by lower-case name."""
    request = record.get("request")
    headers = record.get("headers") or (request.get("headers") if isinstance(request, dict) else None)
    return {name.lower(): value for name, value in dict_of(headers).items() if isinstance(value, str)}


def conversation_in(record: _Dict, request: _Dict, meta: _Dict) -> Any:
    """The session or conversation, beside the request, in it, or in its metadata."""
    names = ("conversation_id", "session_id", "thread_id", "chat_id")
    given = request.get("conversation")
    given = given.get("id") if isinstance(given, dict) else given
    return first_of(record, *names) or given or first_of(meta, *names)


def organisation_in(record: _Dict, headers: _Dict) -> Any:
    """The organisation or project."""
    return first_of(record, "organization", "organization_id", "org_id", "project") or headers.get("openai-organization")


def address_in(record: _Dict, headers: _Dict) -> Any:
    """The client's address; of a chain of proxies the first, which is the client as the nearest proxy was told."""
    given = first_of(record, "ip", "ip_address", "client_ip", "remote_addr", "address")
    return given or headers.get("x-forwarded-for", "").partition(",")[0].strip() or headers.get("x-real-ip")
