"""From the text of a turn to what is judged: instruction, document, language, and the objects a watch can listen for."""

from __future__ import annotations

from collections.abc import Callable

from backlight.guard.decide import Object
from backlight.hashing import Hasher
from backlight.normalise import canonical_text
from backlight.sources._items import Outcome

_OBJECTS = 64
"""Objects of one turn that are remembered; more are left out, first come first kept."""

Split = Callable[[str], tuple[str, str | None]]


class Reader:
    """Reads turns.

    Args:
        hasher: the workspace's, so that an object of a turn equals the same object in its tables.
        split: tells instruction from pasted document; the project's own by default.
        language: BCP 47 primary tag of a text; the project's own by default.
        outcome: what an answer's text says; the project's own by default.
        limit: characters of one part that are judged; of a longer one its beginning and its end.
    """

    def __init__(
        self,
        hasher: Hasher,
        *,
        split: Split | None = None,
        language: Callable[[str], str] | None = None,
        outcome: Callable[[str], Outcome] | None = None,
        limit: int = 100_000,
    ) -> None:
        self._hasher = hasher
        self._split = split or _split
        self._language = language or _language
        self.outcome = outcome or _outcome
        self._limit = limit

    def read(self, turn: str) -> tuple[str, str | None, str, tuple[Object, ...]]:
        """Instruction, document, language and objects of a turn."""
        instruction, document = self._split(_valid(self._shorter(turn)))
        return instruction, document, self._language(instruction or document or ""), self.objects(turn, document)

    def objects(self, turn: str, document: str | None) -> tuple[Object, ...]:
        """The pasted document as a whole, and what the turn names. Single names are left out: too many share one."""
        from backlight.signals.entities import entities

        found: list[tuple[str, str]] = [("document", canonical_text(document))] if document else []
        found += [(entity.kind, entity.value) for entity in entities(self._shorter(turn)) if entity.kind != "name"]
        unique = list(dict.fromkeys(item for item in found if item[1]))[:_OBJECTS]
        return tuple(Object(kind, self._hasher.id(kind, value)) for kind, value in unique)

    def _shorter(self, text: str) -> str:
        half = self._limit // 2
        return text if len(text) <= self._limit else f"{text[:half]}\n{text[-half:]}"


def _split(text: str) -> tuple[str, str | None]:
    from backlight.signals.document import split_document

    split = split_document(text)
    return split.instruction, split.document


def _language(text: str) -> str:
    from backlight.signals.language import language

    return language(text)[0]


def _outcome(text: str) -> Outcome:
    from backlight.signals.text import outcome_of

    outcome: Outcome = outcome_of(text)
    return outcome


def _valid(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
