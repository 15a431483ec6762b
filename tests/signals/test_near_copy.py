"""Near-copies: what changes on the way from an output to a post, and what does not make a copy."""

# ruff: noqa: E501 (sample texts)

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.signals.near_copy import containment, fingerprints, is_exact, matches

OUTPUT = (
    "The autumn market opens on Friday — come and see the lanterns by the river, bring your family, "
    "taste the first cider of the year and stay until the last song is played!"
)
CHINESE = "秋季集市星期五开门，欢迎大家来河边看灯笼，带上家人，品尝今年的第一杯苹果酒，一直待到最后一首歌结束。"


@pytest.mark.parametrize(
    "post",
    [
        OUTPUT.upper(),
        OUTPUT.replace(" — ", " ").replace("!", ""),
        f"@ana {OUTPUT} #autumn #lanterns https://site.example/a",
        OUTPUT.replace("first", "\u200bfirst").replace(" ", "  "),
    ],
)
def test_tolerates_what_posting_changes(post: str) -> None:
    """Case, dashes, mentions, links, added hashtags, invisible signs: the same runs."""
    assert containment(fingerprints(post), fingerprints(OUTPUT)) == 1.0


def test_a_truncated_post_is_contained() -> None:
    """Cut in mid-word: all runs but the last are the output's; the other way round it is about a half."""
    post, output = fingerprints(OUTPUT[:95] + "…"), fingerprints(OUTPUT)
    assert containment(post, output) > 0.9
    assert containment(output, post) < 0.6


def test_a_changed_word_costs_five_runs() -> None:
    """Of 32 words, 28 runs; one other word in the middle breaks 5 of them."""
    post = OUTPUT.replace("lanterns", "lamps")
    assert containment(fingerprints(post), fingerprints(OUTPUT)) == pytest.approx(23 / 28)


def test_scripts_without_spaces_go_by_characters() -> None:
    """Truncated Chinese is found, other Chinese is not."""
    other = "图书馆星期六晚一小时开门，请大家提前还书，新的阅览室在二楼，楼梯在大门左边，谢谢合作。"
    assert containment(fingerprints(CHINESE[:30] + "……#集市"), fingerprints(CHINESE)) > 0.8
    assert containment(fingerprints(other), fingerprints(CHINESE)) == 0.0


def test_short_texts_match_exactly_or_not() -> None:
    """Under twelve words there is one hash, and it says so."""
    short = fingerprints("Such a lovely evening by the river!")
    assert (len(short), is_exact(short), is_exact(fingerprints(OUTPUT))) == (1, True, False)
    assert containment(short, fingerprints("such a lovely evening by the river #market")) == 1.0
    assert containment(short, fingerprints("Such a lovely evening by the lake!")) == 0.0


def test_an_item_of_a_list_is_found_as_a_post() -> None:
    """One prompt yields ten comments; each is posted alone."""
    answer = fingerprints(
        f'Here are the comments you asked for, each in another voice:\n1. "Such a lovely evening by the river!"\n2. Best cider in years.\n\n{OUTPUT}'
    )
    assert containment(fingerprints("such a lovely evening by the river"), answer) == 1.0
    assert containment(fingerprints("Best cider in years"), answer) == 1.0
    assert containment(fingerprints(OUTPUT), answer) == 1.0


def test_matches_are_the_pairs_that_containment_finds() -> None:
    """The join by sorting agrees with comparing each pair."""
    posts = [fingerprints(t) for t in (OUTPUT, OUTPUT[:90], "nothing here", CHINESE, "")]
    outputs = [fingerprints(t) for t in (CHINESE, OUTPUT, "nothing here", OUTPUT + " And then we go home together.")]
    found = {(int(p), int(o)): float(c) for p, o, c in zip(*matches(posts, outputs, 0.5), strict=True)}
    wanted = {(p, o): containment(a, b) for p, a in enumerate(posts) for o, b in enumerate(outputs)}
    assert found == {pair: pytest.approx(c) for pair, c in wanted.items() if c >= 0.5}
    assert set(found) == {(0, 1), (0, 3), (1, 1), (1, 3), (2, 2), (3, 0)}


def test_nothing_matches_nothing() -> None:
    """Empty sides give empty arrays."""
    assert [len(part) for part in matches([], [fingerprints(OUTPUT)])] == [0, 0, 0]
    assert [len(part) for part in matches([fingerprints(OUTPUT), fingerprints("")], [])] == [0, 0, 0]


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_text_has_sorted_distinct_prints(text: str, other: str) -> None:
    """No text raises; a text contains itself; containment is a share."""
    prints = fingerprints(text)
    assert (np.unique(prints) == prints).all()
    assert containment(prints, prints) == float(len(prints) > 0)
    assert 0.0 <= containment(prints, fingerprints(other)) <= 1.0
