"""Text features on third-party prompts and answers: the figures that the method page states, as floors."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from backlight.signals.document import split_document
from backlight.signals.language import language
from backlight.signals.outcome import outcome_of
from backlight.signals.skeleton import skeleton

pytestmark = [pytest.mark.shared, pytest.mark.slow]


def prompts(folder: Path, pattern: str) -> Iterator[tuple[str, str]]:
    """(language, text) of the guard sets whose file name fits."""
    for path in sorted((folder / "guard").glob(pattern)):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                yield row["lang"].split("-")[0], row["text"]


def test_language_on_prompts_in_eighteen_languages(shared_data: Path) -> None:
    """At least 0.9 in every language, 0.99 over all (Javanese counts as the family id)."""
    right: dict[str, list[bool]] = defaultdict(list)
    for pattern in ("multijail*", "catqa*", "purplellama_mitre_frr*", "benign_vicuna80*", "benign_seed_tasks*"):
        for tag, text in prompts(shared_data, pattern):
            right[tag].append(language(text)[0] == {"jv": "id"}.get(tag, tag))
    shares = {tag: sum(hits) / len(hits) for tag, hits in right.items()}
    assert min(shares.values()) >= 0.9
    assert sum(map(sum, right.values())) >= 0.99 * sum(map(len, right.values()))


def test_real_answers_are_seldom_called_refusals(shared_data: Path) -> None:
    """Of some 2,000 answers to a harmless benchmark at most 1% (they hold a persona who declines, and the like)."""
    found: Counter[str] = Counter()
    with (shared_data / "conversations" / "kura_mtbench_conversations.jsonl").open(encoding="utf-8") as lines:
        for message in (message for line in lines for message in json.loads(line)["messages"]):
            if message["role"] != "user":
                found[outcome_of(message["content"])] += 1
    assert found["refused"] + found["partly"] <= 0.01 * found.total()


def test_ordinary_prompts_do_not_share_skeletons(shared_data: Path) -> None:
    """Of 19,000 distinct instructions under 1% share a skeleton with another, and those are of one template."""
    holders: dict[str, set[str]] = defaultdict(set)
    texts = {text for pattern in ("benign_*", "xstest*", "purplellama_mitre*") for _, text in prompts(shared_data, pattern)}
    for text in texts:
        shape = skeleton(split_document(text).instruction)
        if shape:
            holders[shape].add(text)
    assert sum(len(same) for same in holders.values() if len(same) > 1) <= 0.01 * len(texts)
