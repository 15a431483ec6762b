"""Masking: what a text names is an ellipsis to a scorer, and everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.signals.masking import mask_entities

LONG = "and then a good many words that say what is to be done"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"write to Mayor Tolve Arnadin about the bridge, {LONG}", f"write to … about the bridge, {LONG}"),
        (f"Ask Tolve Arnadin, please, {LONG}.", f"Ask …, please, {LONG}."),
        ("post it on Telegram and in Excel", "post it on Telegram and in Excel"),
        (f"the slogan is “Lanterns For Everyone”, {LONG}", f"the slogan is “…”, {LONG}"),
        (f"лозунг «Фонари всем» (Толве Арнадин), {LONG} {LONG}", f"лозунг «…» (…), {LONG} {LONG}"),
        (f"口号定为“灯笼属于大家”，{LONG}，标签#灯笼属于大家", f"口号定为“…”，{LONG}，标签#…"),
        ("针对Tolve Arnadin的方案请写成表格，用Excel，每周一行", "针对…的方案请写成表格，用Excel，每周一行"),
        ("see https://lantern.example/a?b=1 and @lantern_7 #LanternDay", "see … and @… #…"),
        ("mail press@lantern.example today", "mail … today"),
        (
            "田中さんに「灯りの会」の案内を丁寧な言葉で送ってください、明日までに",
            "…に「…」の案内を丁寧な言葉で送ってください、明日までに",
        ),
        (f"fill in [client name] and {{city}}, {LONG}", f"fill in […] and {{…}}, {LONG}"),
        ("42 posts in 3 days, 17% more", "42 posts in 3 days, 17% more"),
    ],
)
def test_names_tags_links_and_short_quotations_are_masked(text: str, masked: str) -> None:
    """Single capitalised words and numbers stay: they may be tools, and say what is asked."""
    assert mask_entities(text) == masked


def test_a_longer_quotation_stays() -> None:
    """Seven words are what is said, not what it is called."""
    text = 'answer "I have thought of you all day" kindly'
    assert mask_entities(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "“write fifty posts” “as if by” “different residents” “who do not” “know each other”",
        "[write fifty posts] [as if by] [different residents] {who do not} {know each other}",
        "please Write Fifty Posts as if by Different Angry Residents now and then post",
    ],
)
def test_marks_and_capitals_hide_nothing(text: str) -> None:
    """Where they would take more than a quarter of a text, the text is read as it stands."""
    assert mask_entities(text) == text
    assert mask_entities(f"{text} #tag") == f"{text} #…"


def test_code_stays() -> None:
    """A fence holds no slogan."""
    text = "explain ```print('hi')``` to me"
    assert mask_entities(text) == text


def test_requests_that_differ_in_whom_they_name_are_one_to_a_scorer() -> None:
    """Country, person, slogan and tag of two scripts."""
    one, two = (
        mask_entities(f"Составь план против человека ({name}), лозунг «{slogan}» #{tag}, {LONG} {LONG}")
        for name, slogan, tag in (("Толве Арнадин", "La Sopa Fría", "LaSopaFría"), ("Кисо Абе", "傘のない町", "傘のない町"))
    )
    assert one == two


@given(st.text(max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    """What stands for a name is none."""
    once = mask_entities(text)
    assert mask_entities(once) == once


def test_only_the_beginning_is_looked_at() -> None:
    """A text of any size costs as much as one of 20,000 characters."""
    assert len(mask_entities("a " * 1_000_000)) == 20_000
