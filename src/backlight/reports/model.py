"""What a report says, as plain data: `collect` fills it from the workspace, one file per output renders it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

UNREVIEWED = "Unreviewed machine output: not for publication."


@dataclass(frozen=True)
class Node:
    """One actor of a picture.

    Attributes:
        actor: the id in the lake.
        label: what the picture calls it, such as A3 or P1.
        role: core, associated or platform.
    """

    actor: int
    label: str
    role: str


@dataclass(frozen=True)
class Edge:
    """One tie of a picture: two actor ids, the family of its cause, and its weight in bits."""

    a: int
    b: int
    family: str
    bits: float


@dataclass(frozen=True)
class Mark:
    """One thing on a timeline: when, in which lane (an actor id), and of what kind (turn, telling, refused or post)."""

    time: datetime
    actor: int
    kind: str


@dataclass(frozen=True)
class Turn:
    """One turn that a person must read to decide; its text stays in the vault.

    Attributes:
        interaction: id as shown, to be given to `backlight reveal`.
        label: whose turn, as in the picture.
        time: when, UTC; None if not collected.
        language: BCP 47 primary tag.
        words: words of the instruction.
        document_words: words of the pasted document, 0 if none.
        outcome: complied, partly, refused, blocked or unknown.
        behaviours: behaviour ids that score above zero, strongest first.
    """

    interaction: str
    label: str
    time: datetime | None
    language: str
    words: int
    document_words: int
    outcome: str
    behaviours: tuple[str, ...]


@dataclass(frozen=True)
class CandidateView:
    """One candidate with its pictures: the document of `candidates --json` and what must be drawn beside it."""

    document: Mapping[str, Any]
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    marks: tuple[Mark, ...]
    turns: tuple[Turn, ...]
    objects: tuple[PublicObject, ...]

    @property
    def core(self) -> int:
        """How many core members it has."""
        return sum(node.role == "core" for node in self.nodes)

    @property
    def associated(self) -> int:
        """How many associated members it has."""
        return sum(node.role == "associated" for node in self.nodes)

    @property
    def platform(self) -> int:
        """How many platform accounts it reaches."""
        return sum(node.role == "platform" for node in self.nodes)


@dataclass(frozen=True)
class PublicObject:
    """A public object that the candidate's platform accounts posted: its kind, value, count and span."""

    kind: str
    value: str
    posts: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        run: id, data_version, started, settings, seed, code, summary of the investigation.
        candidates: strongest first.
        flags: as in the document.
        cohorts: as in the document.
        groups: as in the document.
        members: whether pages may list members by pseudonym.
        behaviours: behaviour id to its name.
    """

    run: Mapping[str, Any]
    candidates: tuple[CandidateView, ...]
    flags: Sequence[Mapping[str, Any]] = ()
    cohorts: Sequence[Mapping[str, Any]] = ()
    groups: Sequence[Mapping[str, Any]] = ()
    members: bool = False
    behaviours: Mapping[str, str] = field(default_factory=dict)

    @property
    def coverage(self) -> Mapping[str, Any]:
        """What the data holds, what therefore cannot be found, and what would change it."""
        coverage: Mapping[str, Any] = self.run.get("summary", {}).get("coverage", {})
        return coverage
