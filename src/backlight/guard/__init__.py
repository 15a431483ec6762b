"""The guard: a gateway that judges requests by a policy, refuses, remembers, and hands its records to ingest.

The decision is a pure function (`decide`); memory and spool survive `kill -9`; the wire format is one file
(`openai_chat`). The pipeline never imports this package.
"""

from __future__ import annotations

from backlight.guard.decide import AccountState, Decision, Object, Request, Watch, decide
from backlight.guard.gateway import Gateway, app, serve
from backlight.guard.identity import Identity
from backlight.guard.memory import Entry, Memory, Quota
from backlight.guard.reading import Reader
from backlight.guard.server import running
from backlight.guard.settings import Peer, Settings
from backlight.guard.spool import Record, Spool
from backlight.guard.upstream import ScriptedUpstream, Step

__all__ = [
    "AccountState",
    "Decision",
    "Entry",
    "Gateway",
    "Identity",
    "Memory",
    "Object",
    "Peer",
    "Quota",
    "Reader",
    "Record",
    "Request",
    "ScriptedUpstream",
    "Settings",
    "Spool",
    "Step",
    "Watch",
    "app",
    "decide",
    "running",
    "serve",
]
