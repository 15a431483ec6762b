"""What the scorer learnt from and what the story world says share nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from backlight import signals
from backlight.normalise import canonical_text
from backlight.signals.behaviours import load
from backlight.worlds import simulate


def grams(text: str) -> Iterator[str]:
    """Runs of five words; of ten characters in scripts without spaces."""
    words = canonical_text(text).split()
    if words and max(map(len, words)) > 24:
        joined = "".join(words)
        yield from (joined[n : n + 10] for n in range(len(joined) - 9))
    else:
        yield from (" ".join(words[n : n + 5]) for n in range(len(words) - 4))


def learnt() -> set[str]:
    examples = [e.text for b in load().values() for e in (*b.violating, *b.allowed)]
    for name in ("benign.jsonl", "roles.jsonl"):
        lines = (Path(signals.__file__).parent / "baseline" / name).read_text(encoding="utf-8").split("\n")
        examples += [json.loads(line)["text"] for line in lines if line]
    return {gram for text in examples for gram in grams(text)}


@pytest.mark.slow
def test_examples_and_the_story_world_share_no_five_words(tmp_path: Path) -> None:
    """No run of five words of any behaviour's example, benign prompt or role's turn stands in the world's log."""
    simulate("story", tmp_path, seed=0, size=1.0)
    said: set[str] = set()
    for line in (tmp_path / "logs.jsonl").read_text(encoding="utf-8").split("\n"):
        if line:
            said |= {gram for message in json.loads(line)["messages"] for gram in grams(message["content"] or "")}
    assert sorted(said & learnt()) == []
