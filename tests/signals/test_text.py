"""`describe`: rows of texts and entities, told once per text."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight import tables
from backlight.hashing import Hasher
from backlight.normalise import canonical_text
from backlight.signals.skeleton import MASK
from backlight.signals.text import VERSION, describe

HASHER = Hasher(b"a key for tests, not for use....")
REPORT = "Over the past month the club ran twelve stalls, and Quiet Tide sold more than the others on the second evening."


def one(role: str, text: str) -> tuple[dict[str, object], pa.Table]:
    texts, entities = describe([(7, b"d" * 16, role, text)], HASHER)
    return texts.to_pylist()[0], entities


def test_a_prompt_with_a_document() -> None:
    """Every column, by hand."""
    row, entities = one("prompt", f"Please polish the following club report:\n{REPORT}")
    assert row == {
        "text": 7,
        "digest": b"d" * 16,
        "role": "prompt",
        "chars": 41 + len(REPORT),
        "words": 27,
        "language": "en",
        "language_score": pytest.approx(1.0, abs=0.2),
        "exact": HASHER.id("exact", canonical_text(f"Please polish the following club report:\n{REPORT}")),
        "skeleton": HASHER.id("skeleton", "please polish the following club report"),
        "document": HASHER.id("document", canonical_text(REPORT)),
        "document_words": 21,
        "instruction_words": 6,
        "outcome": None,
        "version": VERSION,
    }
    assert {(e["kind"], e["object"], e["quoted"]) for e in entities.to_pylist()} == {
        ("name", HASHER.id("name", "quiet tide"), True),
        ("slogan", HASHER.id("slogan", "quiettide"), True),
    }


def test_an_output_has_an_outcome_and_no_skeleton() -> None:
    """Outputs are told by what they say."""
    row, _ = one("output", "I'm sorry, but I can't help with that.")
    assert (row["outcome"], row["skeleton"], row["document"], row["exact"], row["instruction_words"]) == (
        "refused",
        None,
        None,
        None,
        None,
    )


def test_a_short_prompt_has_no_exact_hash() -> None:
    """Under twelve words equality is chance; the instruction is the whole prompt."""
    row, _ = one("prompt", "Write a story about foxes, rivers and bridges")
    assert (row["exact"], row["words"], row["instruction_words"]) == (None, 8, 8)
    assert row["skeleton"] == HASHER.id("skeleton", "write a story about foxes rivers and bridges")
    assert MASK not in "write a story about foxes rivers and bridges"


def test_the_shapes_are_those_of_the_tables() -> None:
    """Also without any text."""
    for rows in ([], [(1, b"x" * 16, "system", "You are a helper for the market office, be kind.")]):
        texts, entities = describe(rows, HASHER)
        assert (texts.schema, entities.schema) == (tables.TEXTS.arrow, tables.ENTITIES.arrow)


def test_many_texts_keep_their_order() -> None:
    """More than one batch comes out as it went in."""
    texts, _ = describe(((n, b"x" * 16, "prompt", f"note {n}") for n in range(9_000)), HASHER)
    assert texts["text"].to_pylist() == list(range(9_000))
    assert pc.all(pc.equal(texts["version"], VERSION)).as_py()


def test_no_row_carries_text() -> None:
    """Hashes, counts and tags only: nothing of the words can be read from the tables."""
    texts, entities = describe(
        [(1, b"x" * 16, "prompt", 'Ask about "Zanzibarine Quokka" and quixotically murmur twelve words or more about it now')],
        HASHER,
    )
    assert not any(
        word in str(texts.to_pylist()) + str(entities.to_pylist()) for word in ("Zanzibarine", "quixotically", "quokka")
    )


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(["prompt", "system", "output"]), st.text())
def test_any_text_is_described(role: str, text: str) -> None:
    """Lone surrogates, controls, anything: one row."""
    texts, _ = describe([(1, b"x" * 16, role, text)], HASHER)
    assert texts.num_rows == 1


@pytest.mark.parametrize("text", ["\ud800 lone", "\x00" * 50, "\u202egnirts a\u202c", "a\u0300" * 5_000, "\r\n" * 5_000])
@pytest.mark.parametrize("role", ["prompt", "system", "output"])
def test_hostile_text_is_described(role: str, text: str) -> None:
    """What breaks encoders and readers is one row like any other."""
    assert one(role, text)[0]["chars"] == len(text)


@pytest.mark.parametrize("unit", ["a", "Ab ", "字", '"', "```\n", "<a>", "\u202e", "1,", "a: b\n", "#a "])
def test_time_of_one_text_is_bounded(unit: str) -> None:
    """Ten megabytes cost about what a hundred thousand characters cost."""
    start = time.process_time()
    one("prompt", unit * (10_000_000 // len(unit)))
    assert time.process_time() - start < 4.0
