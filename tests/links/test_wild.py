"""Outputs in posts, as sets."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from backlight import tables
from backlight.links import wild
from backlight.links.wild import Output

ASKED = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST = "The lantern festival by the old harbour will be quieter this year because its boats are being repaired just now."
SECOND = "Nobody asked the fishermen what they think about moving the market to the hill, and it shows in every single stall."


def post(n: int, text: str, hours: float = 1.0, author: int | None = None) -> dict[str, object]:
    return {
        "id": n, "platform": "x", "author": 900 + n if author is None else author, "time": ASKED + timedelta(hours=hours),
        "kind": "post", "text": text,
    }  # fmt: skip


def verdicts(outputs: list[Output], *posts: dict[str, object], others: int = 200) -> list[tuple[int, str, str]]:
    """(post, edit, verdict) of the first account's matches, among others whose outputs say something else."""
    quiet = [
        Output(1000 + n, 50 + n, ASKED, 0, f"An answer about numbers {n} and {n + 1} that nobody would ever publish.")
        for n in range(others)
    ]
    found = wild.match([*outputs, *quiet], tables.POSTS.rows(list(posts))).to_pylist()
    return [(row["post"], row["edit"], row["verdict"]) for row in found if row["account"] == 1]


def test_one_batch_under_two_accounts_counts() -> None:
    """Two items of one answer, posted by two accounts after it was written."""
    batch = [Output(1, 1, ASKED, 0, f"1. {FIRST}\n2. {SECOND}")]
    assert verdicts(batch, post(1, FIRST), post(2, SECOND)) == [(1, "verbatim", "counts"), (2, "verbatim", "counts")]


def test_one_account_is_its_author_at_work() -> None:
    """Somebody who posts what they had written for them."""
    assert verdicts([Output(1, 1, ASKED, 0, FIRST + " " + SECOND)], post(1, FIRST, author=9), post(2, SECOND, author=9)) == [
        (1, "verbatim", "one_author"),
        (2, "verbatim", "one_author"),
    ]


def test_what_was_public_before_is_no_evidence() -> None:
    """The first post is older than the answer, so the later copy is nobody's secret either."""
    found = verdicts(
        [Output(1, 1, ASKED, 0, FIRST)], post(1, FIRST, hours=-3), post(2, FIRST, hours=2), post(3, FIRST, hours=3)
    )
    assert [verdict for *_, verdict in found] == ["public_before"] * 3


@pytest.mark.parametrize(
    ("posted", "edit"),
    [
        (FIRST.upper(), "marks"),
        (FIRST.replace("festival by", "festival, by"), "marks"),
        (f"@friend {FIRST} https://a.example #harbour #boats", "tags_or_links"),
        (f"{FIRST[:90]}…", "truncated"),
        (FIRST.replace("quieter", "much calmer"), "reworded"),
    ],
)
def test_edits_are_survived_and_named(posted: str, edit: str) -> None:
    """Case, marks, mentions, links, tags, truncation, a changed word."""
    batch = [Output(1, 1, ASKED, 0, f"{FIRST} {SECOND}")]
    assert (1, edit, "counts") in verdicts(batch, post(1, posted), post(2, SECOND))


def test_cut_dashes_are_told() -> None:
    """Dashes are the commonest thing that is cut."""
    text = FIRST.replace("because", "— because")
    assert wild.edit(text.replace("— ", ""), text) == "dashes"


def test_short_posts_count_only_in_threes() -> None:
    """Two short comments of a list are chance; three different ones are a set."""
    lines = ["So proud of our harbour tonight", "Best stalls in years honestly", "The boats looked wonderful again"]
    batch = [Output(1, 1, ASKED, 0, "\n".join(f"{n}. {line}" for n, line in enumerate([*lines, FIRST], 1)))]
    two = verdicts(batch, post(1, lines[0]), post(2, lines[1]))
    three = verdicts(batch, *(post(n, line) for n, line in enumerate(lines, 1)))
    assert {verdict for *_, verdict in two} == {"short"}
    assert {verdict for *_, verdict in three} == {"counts"}


def test_common_words_are_nobodys() -> None:
    """A text that the answers of twelve accounts hold."""
    same = [Output(n, 300 + n, ASKED, 0, f"{FIRST} {SECOND}") for n in range(2, 13)]
    found = verdicts([Output(1, 1, ASKED, 0, f"{FIRST} {SECOND}"), *same], post(1, FIRST), post(2, SECOND))
    assert {verdict for *_, verdict in found} == {"common"}


def test_where_it_happens_to_many_it_is_chance() -> None:
    """Twenty unrelated accounts, each with an answer in posts of two platform accounts: one more is no wonder."""
    said = [f"{FIRST} Stall {n} of row {n} sells lamps, and lamp {n} costs {n} coins this time." for n in range(20)]
    outputs = [Output(300 + n, 300 + n, ASKED, 0, text) for n, text in enumerate(said[1:], 1)]
    posts = [post(10 * n + m, text[119:]) for n, text in enumerate(said) for m in (0, 1)]
    found = verdicts([Output(1, 1, ASKED, 0, said[0]), *outputs], *posts, others=60)
    assert {verdict for *_, verdict in found} == {"chance"}


def test_a_set_is_judged_by_its_best_batches() -> None:
    """By hand: two batches of ten reached by two each, where one of 101 unrelated is: P(Binomial(10, 2/102) >= 2) x 2."""
    none: frozenset[int] = frozenset()
    own = [(frozenset({1, 2}), "en"), (frozenset({3, 4}), "en"), *((none, "en") for _ in range(8))]
    rows = [*((1, reached) for reached, _ in own), (7, frozenset({8, 9})), *((8, none) for _ in range(100))]
    p = 2 / 102
    expected = 2 * (1 - (1 - p) ** 10 - 10 * p * (1 - p) ** 9)
    assert wild._of_set(1, own, {"en": wild._Reach(rows)}) == pytest.approx(expected)


def test_partners_are_not_each_others_chance() -> None:
    """Four accounts whose answers go to the same five platform accounts; alone in that, so none of it is chance."""
    five = frozenset(range(5))
    reach = wild._Reach([*((n, five) for n in range(4)), *((9, frozenset()) for _ in range(100))])
    assert reach.p(0, five) < 1e-9


def test_a_mean_of_others_sets_the_tail() -> None:
    """Nobody else reached three; others' mean is (1 + 9) / 101: P(Poisson >= 3), by hand."""
    mean = 10 / 101
    reach = wild._Reach(
        [(0, frozenset({1, 2, 3})), *((9, frozenset({n})) for n in range(9)), *((9, frozenset()) for _ in range(91))]
    )
    assert reach.p(0, frozenset({1, 2, 3})) == pytest.approx(1 - math.exp(-mean) * (1 + mean + mean**2 / 2), rel=1e-6)
