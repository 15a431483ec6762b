"""What a report shows of a turn is what the investigation saw."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from backlight import tables
from backlight.reports.collect import _view
from backlight.workspace import Workspace

TIME = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_refusal_that_only_the_answer_shows_is_marked_and_named(tmp_path: Path) -> None:
    """The log says nothing; the text of the answer was read as a refusal."""
    row = {"id": 11, "account": 7, "prompt": 21, "output": 22, "outcome": "unknown", "time": TIME, "day": TIME.date()}
    texts = [{"text": 21, "role": "prompt"}, {"text": 22, "role": "output", "outcome": "refused"}]
    member = {"account": tables.show_id("account", 7), "member": "core"}
    shown = {"members": [member], "platform_accounts": [], "turns_to_read": [tables.show_id("interaction", 11)]}
    with Workspace.open(tmp_path / "workspace", create=True) as ws:
        with ws.writing():
            ws.commit({"interactions": tables.INTERACTIONS.rows([row]), "texts": tables.TEXTS.rows(texts)}, source="test")
        view = _view(ws, shown)
    assert [turn.outcome for turn in view.turns] == ["refused"]
    assert [mark.kind for mark in view.marks] == ["refused"]
