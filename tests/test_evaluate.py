"""Figures against the truth, on literals."""

from __future__ import annotations

from pathlib import Path

import pytest

from backlight.errors import RequestError
from backlight.evaluate import Proposed, Truth, clopper_pearson, read_truth, reliability, score
from backlight.workspace import Workspace

TRUTH = Truth(
    {"crew": frozenset({1, 2, 3, 4}), "pair": frozenset({8, 9})}, {"class": frozenset({20, 21}), "office": frozenset({30})}
)
FOUND = [Proposed("cand-1", frozenset({1, 2, 3, 20}), frozenset({4}))]


def test_an_operation_is_found_by_its_core() -> None:
    """Three of four members and one stranger: 3 of 5, so found; the pair is not."""
    operations = score(FOUND, TRUTH, accounts=range(1, 101), days=28)["operations"]
    assert (operations["planted"], operations["found"]) == (2, 1)
    assert [(row["operation"], row["jaccard"], row["candidate"]) for row in operations["each"]] == [
        ("crew", 0.6, "cand-1"),
        ("pair", 0.0, None),
    ]


def test_accounts_and_pairs_are_counted_for_core_and_all() -> None:
    """Core: 3 right of 4, of 6 planted; all: 4 of 5. Pairs: 3 of 6 and 6 of 10, of 7 planted."""
    found = score(FOUND, TRUTH, accounts=range(1, 101), days=28)
    assert (found["accounts"]["core"]["precision"], found["accounts"]["core"]["recall"]) == (0.75, 0.5)
    assert (found["accounts"]["all"]["precision"], found["accounts"]["all"]["recall"]) == (0.8, 0.6667)
    assert (found["pairs"]["core"]["right"], found["pairs"]["core"]["found"]) == (3, 6)
    assert (found["pairs"]["all"]["right"], found["pairs"]["all"]["found"], found["pairs"]["all"]["planted"]) == (6, 10, 7)


def test_a_decoy_group_is_accused_by_one_core_member() -> None:
    """One pupil in a candidate accuses the class; and it is one benign account of the 94 that no operation owns."""
    found = score(FOUND, TRUTH, accounts=range(1, 101), days=28)
    assert found["decoys"]["accused"] == 1
    assert (found["benign"]["accounts"], found["benign"]["accused"]) == (94, 1)
    assert found["benign"]["per_10000"] == pytest.approx(106.383)


def test_alerts_are_a_week() -> None:
    """One candidate in four weeks."""
    assert score(FOUND, TRUTH, accounts=range(1, 101), days=28)["alerts_a_week"] == 0.25


def test_nothing_proposed_has_no_precision() -> None:
    """No candidate is no wrong one; precision is not 0 and not 1."""
    found = score([], TRUTH, accounts=range(1, 101), days=28)
    assert found["accounts"]["core"]["precision"] is None and found["accounts"]["core"]["recall"] == 0.0


@pytest.mark.parametrize(
    ("count", "among", "low", "high"),
    [(0, 300, 0.0, 1 - 0.05 ** (1 / 300)), (0, 0, 0.0, 1.0), (5, 5, 0.025 ** (1 / 5), 1.0), (1, 10, 0.00253, 0.44502)],
)
def test_limits_of_a_share(count: int, among: int, low: float, high: float) -> None:
    """None seen: the rule of three's exact form; all seen: alpha/2 to the 1/n; one of ten: the tables' 0.25% to 44.5%."""
    assert clopper_pearson(count, among) == pytest.approx((low, high), abs=1e-5)


def test_reliability_by_hand() -> None:
    """Half of the planted found and none of 94 accused: 1e-3 x 0.5 against 0.999 x 3.14%."""
    found = [Proposed("cand-1", frozenset({1, 2, 3}))]
    false = 1 - 0.05 ** (1 / 94)
    expected = 1e-3 * 0.5 / (1e-3 * 0.5 + 0.999 * false)
    first = reliability(found, TRUTH, frozenset(range(1, 101)))[0]
    assert first == {"prior": 0.001, "reliability_at_least": round(expected, 4)}


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    """The message names what is missing."""
    (tmp_path / "truth.csv").write_text("account,operation\nx,y\n", encoding="utf-8")
    with Workspace.open(tmp_path / "ws", create=True) as ws, pytest.raises(RequestError, match="no column group"):
        read_truth(ws, tmp_path / "truth.csv")
