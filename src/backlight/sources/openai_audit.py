"""Audit log of an OpenAI organisation: who did what to its settings, and from where.

A page of the API is many events (`{"object": "list", "data": [..], "has_more": ..}`); saved one by one, an event is a
record, and in a table its fields are columns with dotted names (`actor.session.ip_address`)::

    {"id": "audit_log-1", "type": "api_key.created", "effective_at": 1767225600, "project": {"id": .., "name": ..},
     "actor": {"type": "session", "session": {"user": {"id": "user-1", "email": ..}, "ip_address": .., "user_agent": ..}},
     "api_key.created": {..}}

    "actor": {"type": "api_key", "api_key": {"id": "key_1", "type": "user", "user": {"id": "user-1", "email": ..}}}

The actor is the account: its user, else the API key. An event is no row of its own, it only says what its actor had then,
so one whose actor has neither address nor user agent nor e-mail (a service account's key, an action of OpenAI's own) gives
nothing. Whoever fails to log in need not be the account's owner: `login.failed` gives the e-mail it was tried with, not the
address and the user agent, which would tie all victims of one guesser together; it gives nothing where it names no user.
Fingerprints of the connection (`ja3`, `ja4`) and what stands in the details of an event (whom an invitation went to) are
not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Identifier, Item
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_FAILED = "login.failed"
_ACTORS = "actor.type|actor.session.user.id|actor.session.ip_address|actor.api_key.id|actor.api_key.user.id"
_ACCOUNT = ("actor.session.user.id", "actor.api_key.user.id", "actor.api_key.id")
_VALUES = {
    "ip": ("actor.session.ip_address", "actor.api_key.ip_address"),
    "user_agent": ("actor.session.user_agent", "actor.api_key.user_agent"),
    "email": ("actor.session.user.email", "actor.api_key.user.email"),
}


def _dotted(event: _Dict) -> bool:
    """Whether the type is that of an event, such as login.succeeded."""
    return isinstance(event["type"], str) and "." in event["type"]


@source(
    name="openai-audit",
    title="OpenAI audit log of an organisation: pages, or one event a record",
    kind="identifiers",
    text=False,
    gives=("address", "user_agent", "email"),
    containers=("jsonl", "json", "csv", "parquet"),
    signature=(
        Rule(("object", "data[].id", "data[].type", "data[].effective_at"), 0.97, where=lambda r: r["object"] == "list"),
        Rule(("data[].id", "data[].type", "data[].effective_at", "data[].actor"), 0.95),
        Rule(("id", "type", "effective_at", _ACTORS), 0.97, where=_dotted),
        Rule(("id", "type", "effective_at"), 0.9, where=lambda r: _dotted(r) and str(r["id"]).startswith("audit_log")),
    ),
    rank=15,
    about="for the users and keys that chat logs show: ingest those first; address and user agent are those of sessions on "
    "the platform's site, not of API calls, and of no failed login",
)
def openai_audit(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """An event gives what its actor had then; a page is many events.

    Raises:
        RecordError: it is neither a page nor an event, or a field is of a kind that cannot be read.
    """
    if "effective_at" in record:
        yield from _identifiers(record)
        return
    data = record.get("data")
    if not isinstance(data, list):
        raise RecordError("neither a page nor an event of an audit log", "data, or id, type, effective_at and actor")
    for index, event in enumerate(data):
        try:
            yield from _identifiers(event)
        except RecordError as error:
            yield Flaw(f"data {index}", msgspec.json.encode(event), error)


def _identifiers(event: Any) -> list[Identifier]:
    if not isinstance(event, dict) or "effective_at" not in event:
        raise RecordError("no event of an audit log", "an object with id, type, effective_at and actor")
    time, account = time_of(event["effective_at"], "effective_at"), _first(event, _ACCOUNT)
    failed = event.get("type") == _FAILED
    values = {kind: _first(event, paths) for kind, paths in _VALUES.items() if not failed or kind == "email"}
    held = {kind: value for kind, value in values.items() if value is not None}
    if account is None:
        if held and not failed:  # a name that nobody has can be tried to log in with
            raise RecordError("an actor without an id", " or ".join(_ACCOUNT))
        return []
    return [
        Identifier(account=account, kind=kind, value=value, first_seen=time, last_seen=time) for kind, value in held.items()
    ]


def _first(event: _Dict, paths: tuple[str, ...]) -> str | None:
    return next((found for path in paths if (found := ident(_at(event, path), path)) is not None), None)


def _at(event: _Dict, path: str) -> Any:
    """What stands at a dotted path, or in a column of that name."""
    if path in event:
        return event[path]
    place: Any = event
    for step in path.split("."):
        if place is None or place == "":
            return None
        if not isinstance(place, dict):
            raise RecordError(f"something in {path} is no object", "an object")
        place = place.get(step)
    return place
