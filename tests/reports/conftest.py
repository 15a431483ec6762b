"""A small candidate that every output is tried on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backlight.reports.model import CandidateView, Edge, Mark, Node, PublicObject, Report, Turn

FIRST = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
LAST = datetime(2026, 3, 9, 17, 30, tzinfo=UTC)


@pytest.fixture
def document() -> dict[str, Any]:
    """A candidate as `candidates --json` prints it."""
    return {
        "id": "cand-0001",
        "status": "new",
        "kind": ["fraud"],
        "members": [
            {"account": "acc-0000000000001", "member": "core", "tie_bits": 14.0, "concern": 6.5, "behaviours": ["BL-08"]},
            {
                "account": "acc-0000000000002",
                "member": "core",
                "tie_bits": 13.0,
                "concern": 5.0,
                "behaviours": ["BL-08", "BL-09"],
            },
            {"account": "acc-0000000000003", "member": "associated", "tie_bits": 7.0, "concern": 0.2, "behaviours": []},
        ],
        "platform_accounts": ["plt-0000000000009"],
        "families": ["what", "wild"],
        "family_bits": {"what": 13.5, "wild": 9.5},
        "prior_bits": 22.2,
        "tie_bits": 23.0,
        "contrast_bits": 4.5,
        "concern": 11.5,
        "first": FIRST.isoformat(),
        "last": LAST.isoformat(),
        "turns_to_read": ["int-000000000000a"],
        "evidence": [
            {"family": "what", "layer": "document", "bits": 13.5, "statement": "2 accounts pasted 1 document", "rows": [10]}
        ],
        "against": ["They share one address."],
        "innocent_explanation": "One workplace with one task.",
        "would_change": "A declared owner of the platform account.",
    }


@pytest.fixture
def view(document: dict[str, Any]) -> CandidateView:
    """The same with its pictures."""
    return CandidateView(
        document,
        (Node(1, "A1", "core"), Node(2, "A2", "core"), Node(3, "A3", "associated"), Node(9, "P1", "platform")),
        (Edge(1, 2, "what", 13.5), Edge(1, 9, "wild", 1.0)),
        (Mark(FIRST, 1, "turn"), Mark(FIRST, 2, "refused"), Mark(LAST, 9, "post")),
        (Turn("int-000000000000a", "A1", FIRST, "en", 12, 300, "complied", ("BL-08",)),),
        (PublicObject("domain", "link.example", 3, FIRST, LAST), PublicObject("hashtag", "=sum", 2, FIRST, LAST)),
    )


@pytest.fixture
def report(view: CandidateView) -> Report:
    """A whole report with that one candidate."""
    run = {
        "id": "run-1",
        "data_version": 7,
        "started": LAST,
        "seed": 0,
        "code": "0.1.0",
        "summary": {
            "coverage": {
                "fields": {"address": {"share": 0.25, "state": "present"}},
                "cannot_find": [{"field": "address", "share": 0.25, "what": "offices", "change": "log it"}],
            }
        },
    }
    return Report(run, (view,), behaviours={"BL-08": "Dependence script"})
