"""Facts on each distinct text, told once: language, outcome, skeleton, pasted document, entities.

`describe` is the one pass that the store runs over new texts; each feature stands in a module of its own and is public here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from backlight.hashing import Hasher
from backlight.normalise import canonical_text, words
from backlight.signals._chars import MOST, bounded
from backlight.signals.document import Split, split_document
from backlight.signals.entities import (
    CAP,
    KINDS,
    Entity,
    entities,
    entities_of_post,
    slogan,
    slogan_candidates,
)
from backlight.signals.language import language, languages
from backlight.signals.outcome import Outcome, outcome_of
from backlight.signals.skeleton import MASK, skeleton

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "text-1"
"""Stored with each row; changes whenever a text could get other facts."""

EXACT_WORDS = 12
"""Shorter texts have no `exact` hash: equal by chance."""

_BATCH = 8_192

__all__ = [
    "CAP",
    "EXACT_WORDS",
    "KINDS",
    "MASK",
    "MOST",
    "VERSION",
    "Entity",
    "Outcome",
    "Split",
    "describe",
    "entities",
    "entities_of_post",
    "entity_rows",
    "exact",
    "language",
    "languages",
    "outcome_of",
    "skeleton",
    "slogan",
    "slogan_candidates",
    "split_document",
]


def exact(text: str, hasher: Hasher) -> int | None:
    """The keyed hash under which near-identical texts are one: canonical text of the first 20,000 characters; None under
    12 words.
    """
    canonical = canonical_text(text[:MOST])
    long = canonical.count(" ") + 1 >= EXACT_WORDS or words(canonical) >= EXACT_WORDS
    return hasher.id("exact", canonical) if long else None


def describe(texts: Iterable[tuple[int, bytes, str, str]], hasher: Hasher) -> tuple[pa.Table, pa.Table]:
    """Describe distinct texts.

    Args:
        texts: (text id, 16-byte digest, role, text); the role is prompt, system or output.
        hasher: the workspace's keyed hashes.

    Returns:
        Rows in the shape of `tables.TEXTS`, one per text, and of `tables.ENTITIES`, one per entity of a text. Prompts and
        system prompts get a skeleton, prompts a document, outputs an outcome.
    """
    import pyarrow as pa  # the guard reads texts without the lake's libraries

    from backlight import tables

    text_parts: list[pa.Table] = []
    entity_parts: list[pa.Table] = []
    for batch in _batches(texts):
        rows: list[dict[str, Any]] = []
        mentions: list[dict[str, Any]] = []
        for identity, digest, role, text in batch:
            row, found = _describe(text, role, hasher)
            rows.append({"text": identity, "digest": digest, "role": role, "version": VERSION, **row})
            mentions += [{"text": identity, **mention} for mention in entity_rows(found, hasher)]
        text_parts.append(tables.TEXTS.rows(rows))
        entity_parts.append(tables.ENTITIES.rows(mentions))
    return (
        pa.concat_tables([tables.TEXTS.empty(), *text_parts]),
        pa.concat_tables([tables.ENTITIES.empty(), *entity_parts]),
    )


def entity_rows(found: Iterable[Entity], hasher: Hasher) -> list[dict[str, Any]]:
    """Entities as rows of `tables.ENTITIES` without their text: kind, object (keyed hash of the canonical value), quoted."""
    return [{"kind": e.kind, "object": hasher.id(e.kind, e.value), "quoted": e.quoted} for e in found]


def _batches(texts: Iterable[tuple[int, bytes, str, str]]) -> Iterator[list[tuple[int, bytes, str, str]]]:
    batch: list[tuple[int, bytes, str, str]] = []
    for item in texts:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _describe(text: str, role: str, hasher: Hasher) -> tuple[dict[str, Any], list[Entity]]:
    looked_at = bounded(text)
    tag, score = language(text)
    row: dict[str, Any] = {
        "chars": len(text),
        "words": words(looked_at),
        "language": tag,
        "language_score": score,
        "exact": exact(text, hasher),
    }
    if role == "output":
        return row | {"outcome": outcome_of(text, tag=tag)}, entities(text)
    split = split_document(looked_at) if role == "prompt" else Split(text, None, "none")
    shape = skeleton(split.instruction)
    row["skeleton"] = hasher.id("skeleton", shape) if shape else None
    row["instruction_words"] = words(split.instruction) if split.document is not None else row["words"]
    found = entities(split.instruction)
    if split.document is not None:
        row["document"] = hasher.id("document", canonical_text(split.document[:MOST]))
        row["document_words"] = words(split.document)
        found = _joined(found, entities(split.document, quoted=True))
    return row, found


def _joined(instruction: list[Entity], document: list[Entity]) -> list[Entity]:
    """Entities of both parts, one per kind and value; one that the instruction names outright is not quoted."""
    merged = {(e.kind, e.value): e for e in document}
    return list((merged | {(e.kind, e.value): e for e in instruction}).values())
