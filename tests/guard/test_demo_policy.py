"""The policy that ships for the demo, with the scorer that ships: what the demo shows live must come true."""

from __future__ import annotations

import pytest

from backlight.demo import ASKED
from backlight.guard import AccountState, Identity, Request, decide
from backlight.policy import builtin, load
from backlight.signals.scorer import EmbeddingScorer


@pytest.mark.parametrize(("name", "mode"), [("harmless", "allow"), ("planning", "refuse")])
def test_the_demo_refuses_the_plan_and_nothing_else(name: str, mode: str) -> None:
    """The request for a covert plan is refused; the question about an egg is not."""
    identity = Identity(key=1, account=2, level="key", vouched=True, source="key")
    request = Request(id="e1", time=5.0, identity=identity, instruction=ASKED[name], language="en")
    assert decide(request, AccountState(), load(builtin("demo")), EmbeddingScorer()).mode == mode
