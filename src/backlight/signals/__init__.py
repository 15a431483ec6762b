"""Facts and scores of texts and accounts. Text features are here; scorers, behaviours and concern in modules of their own."""

from backlight.signals.text import (
    VERSION,
    Entity,
    Outcome,
    Split,
    describe,
    entities_of_post,
    languages,
    outcome_of,
    slogan,
    slogan_candidates,
    split_document,
)

__all__ = [
    "VERSION",
    "Entity",
    "Outcome",
    "Split",
    "describe",
    "entities_of_post",
    "languages",
    "outcome_of",
    "slogan",
    "slogan_candidates",
    "split_document",
]
