"""What a text names, in forms that meet the same thing elsewhere."""

# ruff: noqa: E501 (sample texts)

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backlight.signals.entities import CAP, KINDS, Entity, entities, entities_of_post, slogan, slogan_candidates


def values(found: list[Entity], kind: str) -> list[str]:
    return [e.value for e in found if e.kind == kind]


def test_finds_tags_links_addresses() -> None:
    """Each hard kind once, in canonical form; the host of an e-mail address is no link."""
    text = "See https://News.Example.com/a?utm_source=x and #AutumnMarket, ask @Harbor_Club or Ana@site.example, call +49 30 1234567."
    assert [(e.kind, e.value) for e in entities(text) if e.kind not in ("name", "slogan")] == [
        ("hashtag", "autumnmarket"),
        ("url", "https://news.example.com/a"),
        ("domain", "example.com"),
        ("handle", "harbor_club"),
        ("email", "ana@site.example"),
        ("phone", "49301234567"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        'Write a post about "Green Harbor Rising" today.',
        "Write a post about “green harbor rising” today.",
        "Write a post about «Green Harbor Rising» today.",
        "Write a post about the Green Harbor Rising campaign.",
        "Write a post and add #GreenHarborRising please.",
        "Write a post and add #greenharborrising please.",
        "Write a post and add #Green_Harbor_Rising please.",
        "Write a post about GreenHarborRising today.",
        "Write a post about 'Green Harbor Rising' today.",
    ],
)
def test_one_slogan_has_one_form(text: str) -> None:
    """However it is written."""
    assert "greenharborrising" in values(entities(text), "slogan")


def test_a_slogan_of_a_prompt_meets_the_post() -> None:
    """As hashtag of the platform, at the beginning of a sentence, and in running text."""
    assert "greenharborrising" in values(entities_of_post("Good morning!", ["GreenHarborRising"]), "slogan")
    assert "greenharborrising" in values(entities_of_post("Green Harbor Rising! Join us."), "slogan")
    assert "greenharborrising" in slogan_candidates("we all say green harbor rising this week")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("请围绕「绿港崛起」写一段话", "绿港崛起"),
        ("《绿港崛起》の紹介文を書いて", "绿港崛起"),
        ("写几条带 #绿港崛起 的帖子", "绿港崛起"),
    ],
)
def test_names_in_scripts_without_capitals(text: str, value: str) -> None:
    """Title marks and hashtags tell them, and the slogan is the same."""
    assert value in values(entities(text), "name")
    assert value in values(entities(text), "slogan")
    assert value in slogan_candidates("今天我们都在说绿港崛起这个词")


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("本周#HarborRising话题由我方带动", ["harborrising", "harborrising话题由我方带动"]),
        ("今は#HarborRisingが話題", ["harborrising", "harborrisingが話題"]),
        ("ขอ#HarborRisingปีใหม่", ["harborrising", "harborrisingปีใหม่"]),
        ("#HarborRising는 좋은", ["harborrising", "harborrising는"]),
        ("#ГолосДвора来吧", ["голосдвора", "голосдвора来吧"]),
        ("#AIイラスト", ["aiイラスト"]),
        ("#日本語タグは", ["日本語タグは"]),
    ],
)
def test_a_tag_with_text_of_another_script_glued_to_it_is_read_both_ways(text: str, tags: list[str]) -> None:
    """The tag alone too, from four characters on; a post that carries it by itself is met."""
    assert sorted(values(entities(text), "hashtag")) == tags
    assert sorted(values(entities_of_post(text), "hashtag")) == tags


def test_names_are_told_in_mid_sentence_only() -> None:
    """A capital that begins a sentence says nothing in a prompt."""
    found = entities("Ask Novaria about the market. Please thank Anna Example. Lanterns are ready.")
    assert values(found, "name") == ["anna example", "novaria"]


@pytest.mark.parametrize(
    "text",
    [
        "Write a poem about the sea on Monday in English.",
        "I think I can, said the Engine",
        "Schreibe einen Bericht über den Hafen und die Feuerwehr",
        "WRITE ABOUT THE HARBOR NOW PLEASE",
        "it's five o'clock, don't wait",
    ],
)
def test_common_words_are_no_names(text: str) -> None:
    """Days, languages, German nouns, capitals everywhere, apostrophes."""
    assert [e for e in entities(text) if e.value != "engine"] == []


def test_quoted_is_told() -> None:
    """In quotation marks, or in a document."""
    assert entities('Use "Quiet Tide" please') == [Entity("name", "quiet tide", True), Entity("slogan", "quiettide", True)]
    assert all(e.quoted for e in entities("The Quiet Tide group of Anna Example", quoted=True))


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", True),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", False),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", True),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", False),
        ("bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", True),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", True),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", False),
        ("TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW", True),
        ("TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMV", False),
    ],
)
def test_wallets_carry_their_checksum(address: str, good: bool) -> None:
    """The published test addresses of BIP 173, BIP 350, EIP-55 and others, and the same with one sign changed."""
    assert bool(values(entities(f"send it to {address} today"), "wallet")) is good


def test_one_text_has_a_bounded_number_longest_first() -> None:
    """At most `CAP` names, so that a list of names drowns nothing."""
    found = entities(" and ".join(f'"Quiet Tide {"x" * n}"' for n in range(1, 60)))
    lengths = [len(e.value) for e in found]
    assert (len(found), lengths) == (CAP, sorted(lengths, reverse=True))


def test_slogans_too_short_to_tell_are_none() -> None:
    """Under eight letters, or four signs of a script without spaces."""
    assert (slogan("Go Now"), slogan("绿港"), slogan("Go Now Harbor")) == (None, None, "gonowharbor")


@settings(deadline=None)
@given(st.text(), st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_any_text_names_something_or_nothing(text: str, tags: list[str], urls: list[str]) -> None:
    """No text, tag or link raises; kinds are known and values not empty."""
    for entity in [*entities(text), *entities_of_post(text, tags, urls)]:
        assert entity.kind in KINDS
        assert entity.value
    assert all(slogan_candidates(text)) or slogan_candidates(text) == []


@pytest.mark.parametrize(
    "unit", ["a", "A ", "Ab Cd ", "字", '"', "#a", "@a ", "1", "0x", "\u202e", "a@", "+1 ", "https://a.b "]
)
def test_time_is_bounded(unit: str) -> None:
    """Only the first characters are read."""
    start = time.process_time()
    entities_of_post(unit * 1_000_000)
    slogan_candidates(unit * 1_000_000)
    assert time.process_time() - start < 3.0
