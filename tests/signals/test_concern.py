"""Concern per account: pooling, repeats, strata, own concern, and what it may not depend on."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight import tables
from backlight.signals import behaviours
from backlight.signals.concern import FLOOR, NEEDS_JUDGE, Settings, concern, contributions, telling

Turn = tuple[int, int]


def workspace(
    turns: list[Turn],
    bits: dict[int, float],
    *,
    skeleton: dict[int, int] | None = None,
    document: dict[int, int] | None = None,
    behaviour: str = "BL-02",
    part: str = "instruction",
    voice: float = 3.0,
    languages: dict[int, str] | None = None,
) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Interactions (account, text), texts and signals of a small workspace; every text is scored."""
    time = datetime(2026, 5, 1, tzinfo=UTC)
    interactions = [
        {"id": i + 1, "account": account, "prompt": text, "channel": "api", "time": time, "day": time.date()}
        for i, (account, text) in enumerate(turns)
    ]
    ids = sorted({text for _, text in turns})
    texts = [
        {
            "text": t,
            "role": "prompt",
            "language": (languages or {}).get(t, "en"),
            "skeleton": (skeleton or {}).get(t),
            "document": (document or {}).get(t),
        }
        for t in ids
    ]
    base = {"subject_kind": "text", "part": "instruction", "version": "fake/1"}
    signals = [base | {"subject": t, "signal": "scored", "value": 1.0} for t in ids]
    signals += [base | {"subject": t, "signal": "voice", "value": voice} for t in ids]
    signals += [base | {"subject": t, "signal": behaviour, "value": v, "part": part} for t, v in bits.items()]
    return tables.INTERACTIONS.rows(interactions), tables.TEXTS.rows(texts), tables.SIGNALS.rows(signals)


def value(found: pa.Table, account: int, signal: str) -> float | None:
    """The value of one signal of one account; None where there is no row."""
    rows = [r for r in found.to_pylist() if r["subject"] == account and r["signal"] == signal]
    return rows[0]["value"] if rows else None


def test_pooled_evidence_weighs_turns_from_the_strongest() -> None:
    """Three turns of 4, 2 and 1 bits give 4 + 0.9 x 2 + 0.81 x 1."""
    found = concern(*workspace([(1, 10), (1, 11), (1, 12)], {10: 2.0, 11: 4.0, 12: 1.0}))
    assert value(found, 1, "concern_pooled") == pytest.approx(6.61)


def test_repeats_of_a_skeleton_count_halves() -> None:
    """Three texts of one skeleton with 4 bits each give 4 + 0.9 x 2 + 0.81 x 1."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0, 11: 4.0, 12: 4.0}, skeleton={10: 7, 11: 7, 12: 7})
    assert value(concern(*tables_), 1, "concern_pooled") == pytest.approx(6.61)


def test_a_document_pasted_twice_is_one_piece_of_evidence() -> None:
    """Evidence in a document repeats by document, whatever the instruction around it."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0, 11: 4.0}, document={10: 5, 11: 5}, part="document")
    read = Settings(judged=frozenset({10, 11}))
    assert value(concern(*tables_, settings=read), 1, "concern_pooled") == pytest.approx(4.0 + 0.9 * 2.0)


def test_no_single_turn_adds_more_than_five_bits() -> None:
    """One text at eight bits counts five."""
    found = concern(*workspace([(1, 10), (1, 11), (1, 12)], {10: 8.0}))
    assert value(found, 1, "concern_pooled") == 5.0


@pytest.mark.parametrize(
    ("bits", "role", "logged", "said", "expected"),
    [
        (1.5, 0.0, "refused", None, 3.5),
        (1.5, 0.0, "blocked", None, 3.5),
        (1.5, 0.0, "unknown", "refused", 3.5),
        (1.5, 0.0, "partly", "refused", 1.5),
        (1.5, 0.0, "complied", "complied", 1.5),
        (1.5, 2.0, "refused", None, 1.5),
        (0.0, 0.0, "refused", None, 0.0),
        (4.5, 0.0, "refused", None, 5.0),
    ],
    ids=["model", "filter", "answer", "in part", "answered", "explained by a role", "nothing told", "capped"],
)
def test_a_refusal_adds_two_bits_to_a_turn_that_tells(
    bits: float, role: float, logged: str, said: str | None, expected: float
) -> None:
    """The served model's refusal is a second opinion on what tells by itself, and no evidence of its own."""
    interactions, texts, signals = workspace([(1, 10), (1, 11), (1, 12)], {10: bits} if bits else {})
    asked = [row | {"outcome": logged, "output": 99} if row["prompt"] == 10 else row for row in interactions.to_pylist()]
    answer = {"text": 99, "role": "output", "language": "en", "outcome": said}
    works = {"subject_kind": "text", "subject": 10, "part": "instruction", "signal": "role:newsroom", "value": role}
    found = concern(
        tables.INTERACTIONS.rows(asked),
        tables.TEXTS.rows([*texts.to_pylist(), answer]),
        tables.SIGNALS.rows([*signals.to_pylist(), *([works | {"version": "fake/1"}] if role else [])]),
    )
    assert value(found, 1, "concern_pooled") == expected


@given(st.lists(st.floats(0.1, 8.0), max_size=12), st.integers(0, 40))
def test_harmless_turns_never_change_pooled_evidence(bits: list[float], harmless: int) -> None:
    """Any number of turns without evidence leaves the pooled bits as they are."""
    telling = dict(enumerate(bits, start=10))
    alone = [(1, t) for t in telling] + [(1, 1)]
    more = alone + [(1, 100 + i) for i in range(harmless)]
    before, after = (value(concern(*workspace(turns, telling)), 1, "concern_pooled") for turns in (alone, more))
    assert after == pytest.approx(before)


def test_two_distinct_turns_are_too_little_data() -> None:
    """Fewer than three distinct scored turns is a verdict of its own, and no own concern."""
    found = concern(*workspace([(1, 10), (1, 11)], {10: 5.0, 11: 5.0}))
    assert (value(found, 1, "too_little"), value(found, 1, "own_concern")) == (1.0, 0.0)


def test_hard_items_lift_too_little_data() -> None:
    """An account with hard items is judged on two turns."""
    found = concern(*workspace([(1, 10), (1, 11)], {10: 5.0, 11: 5.0}), settings=Settings(hard=frozenset({1})))
    assert (value(found, 1, "too_little"), value(found, 1, "own_concern")) == (0.0, 1.0)


def test_own_concern_needs_the_absolute_floor() -> None:
    """Evidence below the floor is no own concern in the quietest stratum."""
    found = concern(*workspace([(1, 10), (1, 11), (1, 12)], {10: FLOOR - 0.1}))
    assert value(found, 1, "own_concern") == 0.0


def test_telling_rows_are_strongest_first_and_without_repeats() -> None:
    """The interactions to read: each skeleton once, from the strongest."""
    turns = [(1, 10), (1, 11), (1, 12), (1, 13)]
    found = concern(*workspace(turns, {10: 1.0, 11: 3.0, 12: 2.5}, skeleton={11: 7, 12: 7}))
    rows = [r["rows"] for r in found.to_pylist() if r["signal"] == "concern"]
    assert rows == [[2, 1]]


@pytest.mark.parametrize(
    ("part", "voice", "judged", "expected"),
    [
        ("document", 3.0, False, 0.0),
        ("document", 3.0, True, 4.0),
        ("instruction", -1.0, False, 0.0),
        ("instruction", 1.0, False, 4.0),
    ],
)
def test_an_operation_paper_needs_a_judge_or_the_operators_voice(
    part: str, voice: float, judged: bool, expected: float
) -> None:
    """BL-13 counts on a document only once judged, and on an instruction only in the operator's voice."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0}, behaviour="BL-13", part=part, voice=voice)
    settings = Settings(judged=frozenset({10}) if judged else frozenset())
    assert value(concern(*tables_, settings=settings), 1, "concern_pooled") == expected


def test_a_pasted_document_says_nothing_about_who_pasted_it() -> None:
    """No behaviour counts on a document that nobody has read: a newsroom pastes the same paper as its author."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0}, behaviour="BL-05", part="document", voice=3.0)
    assert value(concern(*tables_), 1, "concern_pooled") == 0.0
    assert value(concern(*tables_, settings=Settings(judged=frozenset({10}))), 1, "concern_pooled") == 4.0


def with_role(tables_: tuple[pa.Table, pa.Table, pa.Table], role: str, bits: dict[int, float]) -> tuple[pa.Table, ...]:
    """The same workspace, some instructions of which read like the work of an innocent role."""
    row = {"subject_kind": "text", "part": "instruction", "signal": f"role:{role}", "version": "fake/1"}
    rows = tables.SIGNALS.rows([row | {"subject": text, "value": value} for text, value in bits.items()])
    return (*tables_[:2], pa.concat_tables([tables_[2], rows]))


def test_what_an_innocent_role_explains_better_is_no_evidence() -> None:
    """Pooled 7.6 bits stand against 4.9 of a role, and fall to none against 8.1; the role's name is not kept."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0, 11: 4.0})
    less, more = (concern(*with_role(tables_, "newsroom", bits)) for bits in ({12: 4.9}, {10: 4.5, 12: 4.0}))
    assert [value(less, 1, name) for name in ("concern_pooled", "innocent", "own_concern")] == [
        pytest.approx(7.6), pytest.approx(4.9), 1.0,
    ]  # fmt: skip
    assert [value(more, 1, name) for name in ("concern_pooled", "innocent", "own_concern", "concern")] == [
        pytest.approx(7.6), pytest.approx(8.1), 0.0, 0.0,
    ]  # fmt: skip
    assert not any("newsroom" in row["signal"] for row in more.to_pylist())


def test_what_each_text_says_by_itself() -> None:
    """4 bits against 3.9 of a role tell, against 4.1 they do not; 9 bits are capped at 5; a text of no skeleton is its own
    thing; without a role there is none to explain it.
    """
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0, 11: 4.0, 12: 9.0}, skeleton={10: 7, 11: 7})
    found = telling(*with_role(with_role(tables_, "newsroom", {10: 3.9}), "brand", {10: 1.0, 11: 4.1})[1:])
    assert found.to_pylist() == [
        {"text": 10, "key": 7, "bits": 4.0, "acts": 4.0, "works": [1.0, 3.9]},
        {"text": 11, "key": 7, "bits": 0.0, "acts": 4.0, "works": [4.1, 0.0]},
        {"text": 12, "key": 12, "bits": 5.0, "acts": 5.0, "works": [0.0, 0.0]},
    ]
    assert telling(*tables_[1:])["works"].to_pylist() == [[], [], []]


def test_what_needs_a_judge_is_what_the_files_say() -> None:
    """The constant and the behaviour files agree."""
    assert {name for name, b in behaviours.load().items() if b.needs_judge} == NEEDS_JUDGE


def test_a_behaviour_that_fails_its_lookalikes_in_a_language_does_not_count() -> None:
    """Key 2 hears only what the scorer can tell from look-alikes in that language."""
    tables_ = workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0, 11: 3.0}, languages={10: "ru"})
    found = concern(*tables_, settings=Settings(counts=lambda behaviour, language: language != "ru"))
    assert value(found, 1, "concern_pooled") == 3.0


def test_turns_outside_the_period_do_not_count() -> None:
    """A period is [first, last)."""
    period = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC))
    found = concern(*workspace([(1, 10), (1, 11), (1, 12)], {10: 4.0}), settings=Settings(period=period))
    assert found.num_rows == 0


def crowd(rng: np.random.Generator, accounts: int, turns: int, noise: float) -> tuple[list[Turn], dict[int, float]]:
    """Accounts whose turns show exponential noise with this chance."""
    used = [(a, a * 1000 + t) for a in range(1, accounts + 1) for t in range(turns)]
    return used, {text: float(rng.exponential(1.0)) + 0.01 for _, text in used if rng.random() < noise}


@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
def test_about_one_benign_account_in_a_hundred_passes_the_cut_however_noisy(noise: float) -> None:
    """The baseline follows the workspace: at most 2% of 1,000 benign accounts get own concern."""
    turns, bits = crowd(np.random.default_rng(3), 1000, 20, noise)
    found = concern(*workspace(turns, bits))
    own = [r["value"] for r in found.to_pylist() if r["signal"] == "own_concern"]
    assert sum(own) <= 20


def test_a_few_operators_do_not_move_the_baseline() -> None:
    """Five loud accounts among a hundred raise the cut of the others by less than a tenth."""
    turns, bits = crowd(np.random.default_rng(4), 100, 20, 0.3)
    before = value(concern(*workspace(turns, bits)), 50, "concern_cut")
    loud = bits | {text: 5.0 for account, text in turns if account <= 5}
    found = concern(*workspace(turns, loud))
    assert value(found, 50, "concern_cut") < 1.1 * before
    assert value(found, 3, "own_concern") == 1.0


def test_contributions_add_up_to_the_pooled_evidence() -> None:
    """Bits x weight over an account's texts is its pooled value."""
    turns = [(1, 10), (1, 10), (1, 11), (1, 12), (2, 11), (2, 13)]
    tables_ = workspace(turns, {10: 3.0, 11: 2.0, 12: 1.0}, skeleton={11: 9, 12: 9})
    rows = contributions(*tables_).to_pylist()
    assert sum(r["bits"] * r["weight"] for r in rows if r["account"] == 1) == pytest.approx(
        value(concern(*tables_), 1, "concern_pooled")
    )
    assert {(r["account"], r["text"]) for r in rows} == {(1, 10), (1, 11), (1, 12), (2, 11)}


def test_the_order_of_rows_does_not_matter() -> None:
    """Shuffled interactions give the same table."""
    interactions, texts, signals = workspace([(1, 10), (1, 11), (2, 12), (1, 12), (2, 10)], {10: 2.0, 11: 2.0, 12: 2.0})
    shuffled = interactions.take([3, 1, 4, 0, 2])
    assert concern(interactions, texts, signals).equals(concern(shuffled, texts, signals))


def test_no_scored_turns_give_no_rows() -> None:
    """An empty workspace has no concern and no contributions."""
    empty = (tables.INTERACTIONS.empty(), tables.TEXTS.empty(), tables.SIGNALS.empty())
    assert (concern(*empty).num_rows, contributions(*empty).num_rows) == (0, 0)
