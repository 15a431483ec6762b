"""One story world for all tests of this folder, read once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backlight.worlds import Summary, simulate


@dataclass(frozen=True)
class Read:
    """A world as its files tell it."""

    folder: Path
    summary: Summary
    log: list[dict[str, Any]]
    truth: dict[str, tuple[str, str]]

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a CSV file."""
        with (self.folder / name).open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def of(self, name: str) -> list[dict[str, Any]]:
        """The log records of one operation or decoy."""
        return [record for record in self.log if name in self.truth[self.account(record)]]

    @staticmethod
    def account(record: dict[str, Any]) -> str:
        """Who made a request: the end user where there is one, else the key's user."""
        return str(record["end_user"] or record["metadata"]["user_api_key_user_id"])

    @staticmethod
    def asked(record: dict[str, Any]) -> str:
        """The last request of a record."""
        return str(record["messages"][-1]["content"])

    @staticmethod
    def said(record: dict[str, Any]) -> str:
        """The answer of a record, a refusal in its own field included."""
        message = record["response"]["choices"][0]["message"]
        return str(message["content"] or message.get("refusal") or "")


def read(folder: Path, *, seed: int, size: float) -> Read:
    """Writes a story world and reads it back."""
    summary = simulate("story", folder, seed=seed, size=size)
    log = [json.loads(line) for line in (folder / "logs.jsonl").read_bytes().split(b"\n") if line]
    with (folder / "truth.csv").open(encoding="utf-8", newline="") as lines:
        truth = {row["account"]: (row["operation"], row["group"]) for row in csv.DictReader(lines)}
    return Read(folder, summary, log, truth)


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """The story world at its full size, seed 0."""
    return read(tmp_path_factory.mktemp("story"), seed=0, size=1.0)


@pytest.fixture(scope="session")
def read_world() -> Callable[..., Read]:
    """Writes a story world into a folder and reads it back."""
    return read


@pytest.fixture
def shared_payload(shared_data: Path) -> dict[str, Any]:
    """A real StandardLoggingPayload."""
    path = shared_data / "conversations" / "formats" / "litellm_standard_logging_payload.json"
    payload: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return payload
