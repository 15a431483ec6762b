"""From the guard's spool into the lake: the same accounts, each exchange once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backlight.guard import Peer, Step
from backlight.policy import builtin
from backlight.workspace import Workspace

ingest = pytest.importorskip("backlight.ingest")
PEER = Peer("local", networks=("127.0.0.0/8",), vouches=frozenset({"user"}))


def test_what_the_guard_saw_reaches_the_tables_once(guarded: Callable[..., Any], ws: Workspace) -> None:
    """A refusal, the model's refusal and an answer become interactions of the guard's accounts; a second drain adds none."""
    g = guarded(builtin("demo"), peers=(PEER,), script=[Step("cannot", refusal="I cannot."), Step(text="It will be sunny.")])
    for text, user in (("a covert plan", "one"), ("cannot", "two"), ("weather", "two")):
        g.ask(text, user=user)
    accounts = {record.guard["account"] for record in g.stop()}
    for _ in range(2):
        ingest.drain(ws, ws.path / "spool")
    rows = ws.run("test", ws.table("interactions")).to_pylist()
    assert sorted(row["outcome"] for row in rows) == ["blocked", "refused", "unknown"]
    assert {row["account"] for row in rows} == accounts
    assert list((ws.path / "spool").iterdir()) == []
