"""Masking: what a text names is an ellipsis to a scorer, and everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.signals.masking import mask_entities


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to Mayor Tolve Arnadin about the bridge", "write to … about the bridge"),
        ("Ask Tolve Arnadin, please.", "Ask …, please."),
        ("post it on Telegram and in Excel", "post it on Telegram and in Excel"),
        ("the slogan is “Lanterns For Everyone” here", "the slogan is “…” here"),
        ("лозунг «Фонари всем» (Толве Арнадин)", "лозунг «…» (…)"),
        ("口号定为“灯笼属于大家”，标签#灯笼属于大家", "口号定为“…”，标签#…"),
        ("针对Tolve Arnadin的方案，用Excel", "针对…的方案，用Excel"),
        ("see https://lantern.example/a?b=1 and @lantern_7 #LanternDay", "see … and @… #…"),
        ("mail press@lantern.example today", "mail … today"),
        ("田中さんに「灯りの会」を送って", "…に「…」を送って"),
        ("fill in [client name] and {city}", "fill in […] and {…}"),
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


def test_code_stays() -> None:
    """A fence holds no slogan."""
    text = "explain ```print('hi')``` to me"
    assert mask_entities(text) == text


def test_requests_that_differ_in_whom_they_name_are_one_to_a_scorer() -> None:
    """Country, person, slogan and tag of two scripts."""
    one, two = (
        mask_entities(f"Составь план против человека ({name}), лозунг «{slogan}» #{tag}")
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
