"""Open WebUI's audit log (`audit.log`): from where and with what each user called it.

    {"id": "..", "timestamp": 1767225600, "user": {"id": "u-1", "name": "..", "email": "one@example.com", "role": "user"},
     "audit_level": "REQUEST_RESPONSE", "verb": "POST", "request_uri": "https://chat.example.com/api/v1/chats/new",
     "response_status_code": 200, "source_ip": "192.0.2.7", "user_agent": "..",
     "request_object": "{..", "response_object": "{..", "extra": {}}

An entry gives the address, the user agent and the e-mail of its user, seen at its time. A sign-in or sign-up has no user yet
(`{}`); where its answer was logged, the account that it names is the user, though the log cuts bodies off after some
kilobytes. Other entries without a user, such as failed sign-ins, belong to no account and give nothing. Nor do the address of
the host itself and the e-mail that every user of an instance without sign-in has: they say nothing of anybody. Names, roles
and the other bodies are not read; chats come from the export.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident
from backlight.sources._detect import closed
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Identifier, Item
from backlight.sources._json import check_size
from backlight.sources._posts import needed
from backlight.sources._times import time_of

_NOBODYS = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "admin@localhost")
_SIGNING_IN = ("/api/v1/auths/signin", "/api/v1/auths/signup")
_MOST = 1 << 16  # bytes of a body that are looked at; the account stands at its beginning


class _Entry(msgspec.Struct, gc=False):
    """Any entry; what nobody reads is skipped by the decoder."""

    user: Any = msgspec.UNSET
    timestamp: Any = None
    request_uri: Any = None
    source_ip: Any = None
    user_agent: Any = None
    response_object: Any = None


@source(
    name="open-webui-audit",
    title="Open WebUI audit log: address, user agent and e-mail of its users",
    kind="identifiers",
    text=False,
    gives=("address", "user_agent", "email"),
    containers=("jsonl", "json"),
    signature=(
        Rule(("audit_level", "verb", "request_uri", "source_ip"), 0.97),
        Rule(("verb", "request_uri", "source_ip", "user_agent", "user"), 0.92),
    ),
    rank=10,
    record=_Entry,
    about="account is the user_id of the chat export; behind a proxy that Open WebUI does not trust, every address is the "
    "proxy's",
)
def open_webui_audit(record: _Entry, context: Context) -> Iterable[Item | Flaw]:
    """One entry is up to three identifiers of its user.

    Raises:
        RecordError: it says nothing of a user, or the user's id or the time cannot be read.
    """
    if record.user is msgspec.UNSET:
        raise RecordError("no user", "an entry of the audit log")
    user = _signed_in(record) if record.user in (None, {}) else record.user
    if not isinstance(user, dict):
        raise RecordError("user is no object", "id and email")
    if not user:
        return
    account = needed(user.get("id"), "user.id")
    seen = time_of(record.timestamp, "timestamp")
    for kind, given in (("ip", record.source_ip), ("user_agent", record.user_agent), ("email", user.get("email"))):
        try:
            value = ident(given, kind)
        except RecordError as error:
            yield Flaw(kind, msgspec.json.encode(given), error)
            continue
        if value and value not in _NOBODYS:
            yield Identifier(account=account, kind=kind, value=value, first_seen=seen, last_seen=seen)


def _signed_in(record: _Entry) -> dict[str, Any]:
    """The account that the answer to a sign-in names; empty where there is none."""
    uri, body = record.request_uri, record.response_object
    if not isinstance(uri, str) or not uri.partition("?")[0].endswith(_SIGNING_IN):
        return {}
    answer = _beginning(body) if isinstance(body, str) and body.startswith("{") else body
    return answer if isinstance(answer, dict) and answer.get("id") and answer.get("email") else {}


def _beginning(body: str) -> Any:
    """A body as far as it was logged."""
    data = body.encode("utf-8", "replace")[:_MOST]
    check_size(data)
    for part in (data, closed(data)):
        with suppress(ValueError, RecursionError):
            return msgspec.json.decode(part)
    return None
