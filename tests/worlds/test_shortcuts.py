"""What the story world must not give away: operators may not stand out by anything but what they say and share."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SEEDS = 14


def features(records: list[dict[str, Any]]) -> list[float]:
    """Non-text facts of an account: how much, when, with what, from how many addresses."""
    times = [datetime.fromisoformat(r["startTime"]) for r in records]
    hours = np.array([t.hour + t.minute / 60 for t in times])
    asked, answered = (np.array([r[name] for r in records]) for name in ("prompt_tokens", "completion_tokens"))
    agents = [r["request_tags"][0] for r in records]
    return [
        math.log(len(records)),
        len(records) / len({r["trace_id"] for r in records}),
        len({t.date() for t in times}),
        float(np.mean([t.weekday() > 4 for t in times])),
        *(float(np.mean((hours >= block) & (hours < block + 4))) for block in range(0, 24, 4)),
        *(float(f(values)) for values in (asked, answered) for f in (np.mean, np.std)),
        float(np.mean([r["response_time"] for r in records])),
        len({r["requester_ip_address"] for r in records}),
        float(np.mean([":" in r["requester_ip_address"] for r in records])),
        *(float(np.mean([word in agent for agent in agents])) for word in ("Mobile", "client", "Lanternfish", "chat-app")),
        *(float(np.mean([word in r["model"] for r in records])) for word in ("mini", "tern", "70b")),
    ]


def table(world: Any) -> tuple[np.ndarray, np.ndarray]:
    """One row per account of an operation or decoy, and whether it is an operator."""
    records = defaultdict(list)
    for record in world.log:
        if any(world.truth[world.account(record)]):
            records[world.account(record)].append(record)
    return np.array([features(r) for r in records.values()]), np.array([bool(world.truth[a][0]) for a in records])


def probe(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Logistic regression with balanced classes and a ridge, by gradient descent."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z = np.c_[(x - mean) / spread, np.ones(len(x))]
    weights, balance = np.zeros(z.shape[1]), np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    for _ in range(400):
        error = balance * (1 / (1 + np.exp(-z @ weights)) - y)
        weights -= (z.T @ error + np.r_[weights[:-1], 0]) / len(y)
    return lambda new: np.c_[(new - mean) / spread, np.ones(len(new))] @ weights


def auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Chance that an operator scores above a decoy."""
    ranks = np.argsort(np.argsort(scores)) + 1
    positives = truth.sum()
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (len(truth) - positives)))


@pytest.mark.slow
def test_a_probe_on_facts_without_text_learns_little(read_world: Callable[..., Any], tmp_path: Path) -> None:
    """Trained on some seeds and tried on others, it tells operators from decoys with an AUROC of 0.75 at most."""
    tables = [table(read_world(tmp_path / str(seed), seed=100 + seed, size=0.02)) for seed in range(SEEDS)]
    half = SEEDS // 2
    scores = probe(*(np.concatenate(part) for part in zip(*tables[:half], strict=True)))
    facts, truth = (np.concatenate(part) for part in zip(*tables[half:], strict=True))
    assert auroc(scores(facts), truth) <= 0.75


def test_nothing_is_used_by_operators_alone(story: Any) -> None:
    """Each model, user agent, mail domain of a provider and finish reason of an operator is an innocent account's too."""
    used: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for record in story.log:
        operator = bool(story.truth[story.account(record)][0])
        used[operator].update((record["model"], record["request_tags"][0], record["response"]["choices"][0]["finish_reason"]))
    assert set(used[True]) <= set(used[False])


def test_innocent_accounts_share_what_operators_share(story: Any) -> None:
    """Devices, payments and addresses are shared outside of operations as well, by more accounts than inside."""
    users: dict[str, set[str]] = defaultdict(set)
    for row in story.table("identifiers.csv"):
        if row["kind"] in ("device", "payment"):
            users[row["value"]].add(row["account"])
    for record in story.log:
        users[record["requester_ip_address"]].add(story.account(record))
    shared = {account for accounts in users.values() if len(accounts) > 1 for account in accounts}
    assert sum(not story.truth[a][0] for a in shared) > 5 * sum(bool(story.truth[a][0]) for a in shared)


def test_innocent_accounts_are_refused_and_rephrase(story: Any) -> None:
    """More accounts outside of operations are refused than inside, and some go on in the same conversation."""
    last = {record["trace_id"]: len(record["messages"]) for record in story.log}
    refused = [r for r in story.log if r["response"]["choices"][0]["message"].get("refusal")]
    innocent = [r for r in refused if not story.truth[story.account(r)][0]]
    assert len(innocent) > len(refused) / 2
    assert any(last[r["trace_id"]] > len(r["messages"]) for r in innocent)
