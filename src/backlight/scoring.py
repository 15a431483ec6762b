"""Scoring texts by hand, and measuring the scorer: what `backlight score` and `behaviours test` print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from backlight.errors import RequestError
from backlight.signals.scorer import EmbeddingScorer, evaluate_scorer
from backlight.signals.text import language


def score_rows(text: str | None, file: Path | None) -> list[Mapping[str, Any]]:
    """Bits for one text, or for the lines of a file.

    Args:
        text: one text.
        file: JSON lines of {"id", "text"}.

    Returns:
        One {"id", "concern", "language", "behaviours"} a text; concern is its best behaviour's bits, behaviours those above
        zero, strongest first.

    Raises:
        RequestError: neither or both are given, or a line is not of that form.
    """
    if (text is None) == (file is None):
        raise RequestError("score takes one text or one file", "a text, or --file")
    given = [("text", text)] if text is not None else _lines(file)
    scorer = EmbeddingScorer()
    rows: list[Mapping[str, Any]] = []
    for (name, one), bits in zip(given, scorer.score([str(one) for _, one in given]), strict=True):
        found = sorted(((float(b), i) for b, i in zip(bits, scorer.behaviours, strict=True)), reverse=True)
        above = [{"id": i, "score": round(b, 3)} for b, i in found if b > 0]
        rows.append({"id": name, "concern": round(found[0][0], 3), "language": language(str(one))[0], "behaviours": above})
    return rows


def _lines(file: Path | None) -> list[tuple[str, str]]:
    assert file is not None
    if not file.is_file():
        raise RequestError(f"{file} is no file", 'JSON lines of {"id", "text"}')
    rows = []
    for number, line in enumerate(file.read_bytes().split(b"\n"), 1):
        if line.strip():
            try:
                record = msgspec.json.decode(line)
                rows.append((str(record["id"]), str(record["text"])))
            except (msgspec.DecodeError, KeyError, TypeError, UnicodeDecodeError) as error:
                raise RequestError(f"line {number} of {file} cannot be read", 'an object with "id" and "text"') from error
    return rows


def evaluate_set(path: Path) -> Mapping[str, Any]:
    """How the default scorer does on one labelled set; see `evaluate_scorer`."""
    return evaluate_scorer(path, EmbeddingScorer())


def behaviour_figures() -> Mapping[str, Any]:
    """The figures of the shipped heads on held-out examples of disjoint subjects, by behaviour and language."""
    figures: Mapping[str, Any] = EmbeddingScorer().heads.figures
    return figures
