"""Policies written for a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEAD = "name: test\nversion: 1\nfail: open\nrules:\n"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Writes the rules of a policy (a YAML list, from line 5 on) and gives the file."""

    def write(rules: str, head: str = HEAD) -> Path:
        path = tmp_path / "policy.yaml"
        path.write_text(head + rules, encoding="utf-8")
        return path

    return write
