"""What the rule reads of each turn and each account: ids, times, scores. No text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from backlight.signals.outcome import REFUSALS, settled_outcome
from backlight.signals.scorer import ROLE

PAPERS = ("BL-13", "BL-14", "BL-15")
"""Behaviours of internal papers: alone they need a judge or a person, since a leaked paper reads like an operator's."""

SESSION = timedelta(minutes=30)
"""Two turns further apart than this are of two sessions."""

Mass = tuple[str, int]


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn of an account.

    Attributes:
        id: the interaction.
        account: who.
        time: when; None if not collected.
        text: the prompt's text.
        outcome: what the provider's fields or, where they say nothing, the answer says.
        language: of the prompt.
        skeleton: keyed hash, or None.
        exact: keyed hash, or None.
        document: keyed hash, or None.
        scores: bits above 0 by behaviour, the better of instruction and document.
        paper: most bits of an operation's internal paper in the pasted document.
        voice: bits for the operator's voice; below 0 the writer reports, studies or suffers it.
    """

    id: int
    account: int
    time: datetime | None
    text: int | None = None
    outcome: str = "unknown"
    language: str = "und"
    skeleton: int | None = None
    exact: int | None = None
    document: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    paper: float = 0.0
    voice: float = 0.0

    @property
    def mass(self) -> float:
        """How strongly it tells: its best behaviour's bits."""
        return max(self.scores.values(), default=0.0)

    @property
    def keys(self) -> tuple[Mass, ...]:
        """What may be shared with others' turns, and then counts once: its skeleton, its canonical text, its document."""
        named = (("skeleton", self.skeleton), ("exact", self.exact), ("document", self.document), ("text", self.text))
        return tuple((name, value) for name, value in named if value is not None)

    @property
    def tells(self) -> bool:
        """Whether it shows a behaviour, in the instruction or as an operation's paper."""
        return self.mass > 0 or self.paper > 0

    @property
    def runs_it(self) -> bool:
        """Operator's voice: it shows a behaviour, and its writer runs the operation rather than reports or suffers it."""
        return self.tells and self.voice > 0

    @property
    def refused(self) -> bool:
        """Whether it was refused or blocked."""
        return self.outcome in REFUSALS


@dataclass(frozen=True)
class Concern:
    """An account's concern over the period.

    Attributes:
        bits: the pooled log-ratio.
        own: above the cut of its stratum and the floor.
        behaviours: bits by behaviour.
        rows: the interactions that speak most for it.
    """

    bits: float = 0.0
    own: bool = False
    behaviours: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What one text says by itself.

    Attributes:
        key: what repeats are counted by.
        bits: its evidence where that is more than the best innocent role's bits, else 0: above 0 it *tells*.
        acts: its evidence, whatever explains it.
        works: bits of each innocent role, from 0.
    """

    key: int
    bits: float = 0.0
    acts: float = 0.0
    works: tuple[float, ...] = ()


def read_turns(
    interactions: pa.Table, texts: pa.Table, signals: pa.Table, *, counts: Callable[[str, str], bool] | None = None
) -> list[Turn]:
    """Turns of accounts, in order of account, time and id.

    Args:
        interactions: id, account, time, prompt, output and outcome of `tables.INTERACTIONS`.
        texts: `tables.TEXTS`.
        signals: rows of `tables.SIGNALS` on texts.
        counts: whether a behaviour counts in a language; papers are read apart, so they should not.
    """
    described = {row["text"]: row for row in texts.to_pylist()}
    scores, papers, voices = _scored(signals)
    found = []
    for row in interactions.select(["id", "account", "time", "prompt", "output", "outcome"]).to_pylist():
        if row["account"] is None:
            continue
        text = described.get(row["prompt"], {})
        said = described.get(row["output"], {}).get("outcome")
        language = text.get("language") or "und"
        kept = {name: bits for name, bits in scores.get(row["prompt"], {}).items() if counts is None or counts(name, language)}
        found.append(
            Turn(
                row["id"],
                row["account"],
                row["time"],
                row["prompt"],
                settled_outcome(row["outcome"], said),
                language,
                text.get("skeleton"),
                text.get("exact"),
                text.get("document"),
                kept,
                papers.get(row["prompt"], 0.0),
                voices.get(row["prompt"], 0.0),
            )
        )
    return sorted(found, key=lambda turn: (turn.account, turn.time.timestamp() if turn.time else 0.0, turn.id))


def _scored(signals: pa.Table) -> tuple[dict[int, dict[str, float]], dict[int, float], dict[int, float]]:
    scores: dict[int, dict[str, float]] = defaultdict(dict)
    papers: dict[int, float] = defaultdict(float)
    voices: dict[int, dict[str, float]] = defaultdict(dict)
    for row in signals.select(["subject_kind", "subject", "part", "signal", "value"]).to_pylist():
        if row["subject_kind"] != "text":
            continue
        subject, name, value = row["subject"], row["signal"], row["value"]
        if name == "voice":
            voices[subject][row["part"]] = value
        elif "-" in name and value > 0.0 and not name.startswith(ROLE):
            scores[subject][name] = max(scores[subject].get(name, 0.0), value)
            if name in PAPERS and row["part"] == "document":
                papers[subject] = max(papers[subject], value)
    return scores, papers, {subject: _voice(parts) for subject, parts in voices.items()}


def _voice(parts: Mapping[str, float]) -> float:
    """A leaked paper speaks in the operator's voice too, so the instruction decides, and the paper only where it is silent."""
    return parts["instruction"] if "instruction" in parts else max(parts.values(), default=0.0)


def read_concern(signals: pa.Table) -> dict[int, Concern]:
    """Concern by account from rows of `tables.SIGNALS` on accounts."""
    values: dict[int, dict[str, float]] = defaultdict(dict)
    rows: dict[int, tuple[int, ...]] = {}
    for row in signals.to_pylist():
        if row["subject_kind"] != "account":
            continue
        values[row["subject"]][row["signal"]] = row["value"]
        if row["signal"] == "concern":
            rows[row["subject"]] = tuple(row["rows"] or ())
    return {
        account: Concern(
            named.get("concern", 0.0),
            bool(named.get("own_concern", 0.0)),
            {name: bits for name, bits in sorted(named.items()) if name not in ("concern", "own_concern") and "-" in name},
            rows.get(account, ()),
        )
        for account, named in sorted(values.items())
    }


def read_added(contributions: pa.Table) -> dict[int, list[tuple[int, float]]]:
    """What each text adds to an account's evidence: (what repeats are counted by, bits), from `signals.concern`."""
    found: dict[int, list[tuple[int, float]]] = defaultdict(list)
    columns = (contributions[name].to_pylist() for name in ("account", "skeleton", "bits", "weight"))
    for account, key, bits, weight in zip(*columns, strict=True):
        found[account].append((key, bits * weight))
    return dict(found)


def read_telling(telling: pa.Table) -> dict[int, Said]:
    """What each text says by itself, from `signals.concern`."""
    columns = (telling[name].to_pylist() for name in ("text", "key", "bits", "acts", "works"))
    return {text: Said(key, bits, acts, tuple(works)) for text, key, bits, acts, works in zip(*columns, strict=True)}


def by_account(turns: Iterable[Turn]) -> dict[int, list[Turn]]:
    """Turns by account, in their order."""
    found: dict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        found[turn.account].append(turn)
    return dict(found)


def two_sessions(one: Turn, other: Turn) -> bool:
    """Whether two turns are of two sessions on two days."""
    if one.time is None or other.time is None:
        return False
    return abs(one.time - other.time) >= SESSION and one.time.date() != other.time.date()


def strata(turns: Mapping[int, Sequence[Turn]], facts: Mapping[int, Mapping[str, Any]]) -> dict[int, tuple[object, ...]]:
    """Stratum of each account: language of most turns, channel, volume (by powers of four), tenant.

    Args:
        turns: by account.
        facts: channel and tenant by account; what is not known is None.
    """
    found: dict[int, tuple[object, ...]] = {}
    for account, own in turns.items():
        languages: dict[str, int] = defaultdict(int)
        for turn in own:
            languages[turn.language] += 1
        main = min(languages, key=lambda name: (-languages[name], name))
        known = facts.get(account, {})
        found[account] = (main, known.get("channel"), (len(own).bit_length() - 1) // 2, known.get("tenant"))
    return found
