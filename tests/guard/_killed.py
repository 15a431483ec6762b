"""A guard in a process of its own, to be killed: prints its URL, then serves. Run as `_killed.py WORKSPACE UPSTREAM`."""

from __future__ import annotations

import sys
import time

from backlight.guard import app, running
from backlight.policy import builtin
from backlight.signals.scorer import FakeScorer
from backlight.workspace import Workspace

if __name__ == "__main__":
    scorer = FakeScorer({"BL-01": ["covert plan"]})
    with Workspace.open(sys.argv[1]) as workspace:
        gateway = app(workspace, upstream=sys.argv[2], policy=builtin("demo"), scorer=scorer)
        with running(gateway) as url:
            print(url, flush=True)
            time.sleep(600)
