"""One form for equal things: texts, links, hashtags, addresses, times, pseudonyms."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.normalise import (
    Pseudonyms,
    address_values,
    canonical_handle,
    canonical_hashtag,
    canonical_text,
    canonical_url,
    find_handles,
    find_hashtags,
    find_urls,
    identifier_values,
    parse_time,
    registrable_domain,
    words,
)

OUTPUT = "It's a GREAT evening — don't miss the “Lantern Festival”, says Ilse!"


@pytest.mark.parametrize(
    "post",
    [
        OUTPUT.lower(),
        OUTPUT.upper(),
        OUTPUT.replace("—", "-").replace("“", '"').replace("”", '"'),
        OUTPUT.replace(" — ", ", "),
        OUTPUT.replace(" — ", " "),
        OUTPUT.replace("'", "’"),
        f"@someone @other.one {OUTPUT}",
        f"{OUTPUT} https://lantern.example/x?id=1",
        f"{OUTPUT} 🎉🎉✨",
        f"{OUTPUT}\n\n#Lantern #夜 #festival2",
        f"#Lantern: {OUTPUT} www.lantern.example/a @all #now https://a.example/b",
        f"RT @someone: {OUTPUT}",
        OUTPUT.replace(" ", "\u200b \n"),
        OUTPUT.replace("&", "&amp;"),
    ],
)
def test_a_post_made_from_an_output_has_its_canonical_text(post: str) -> None:
    """Case, dashes, quotes, mentions, links, outer hashtags, emoji, reposts and invisible signs make no difference."""
    assert canonical_text(post) == "its a great evening dont miss the lantern festival says ilse"


@pytest.mark.parametrize("text", ["ИСТИНА — В ДЕТАЛЯХ", "İSTANBUL ILIK", "ΣΟΦΟΣ", "straße"])
def test_a_change_of_case_never_tells_texts_apart(text: str) -> None:
    """Dotted and dotless i, final sigma and sharp s included."""
    assert canonical_text(text) == canonical_text(text.lower()) == canonical_text(text.upper())


def test_hashtags_inside_a_sentence_keep_their_word() -> None:
    """Only runs before the first or after the last word are taken for added ones."""
    assert canonical_text("We love the #Lantern festival #now #here") == "we love the lantern festival"
    assert canonical_text("#only #hashtags") == "only hashtags"
    assert canonical_text("They are #1 today") == "they are 1 today"


@given(st.text(alphabet=st.characters(), max_size=80))
def test_canonical_text_takes_any_text_and_is_stable(text: str) -> None:
    """No text raises, lone surrogates included; its result holds no sign, no upper case and no double space."""
    canonical = canonical_text(text)
    assert canonical == " ".join(canonical.split())
    assert "#" not in canonical and "@" not in canonical
    assert words(text) >= 0


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("three short words", 3), ("你好世界你好世界", 4), ("新闻 and news", 3), ("สวัสดี", 3), ("один два", 2)],
)
def test_words_counts_half_of_the_characters_in_scripts_without_spaces(text: str, count: int) -> None:
    """Han, kana, Thai and their like have no spaces to count by."""
    assert words(text) == count


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("HTTP://WWW.Brand.Example:80/A/?utm_source=x&ref=1&fbclid=2#part", "https://brand.example/A?ref=1"),
        ("brand.example/", "https://brand.example"),
        ("https://user:secret@brand.example:8443/x", "https://brand.example:8443/x"),
        ("hxxps://brand[.]example/a", "https://brand.example/a"),
        ("https://münchen.example/", "https://xn--mnchen-3ya.example"),
        ("http://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
        ("ftp://brand.example/x", None),
        ("no link at all", None),
        ("http://" + "a" * 300 + ".example", None),
        ("http://[::1", None),
        ("", None),
    ],
)
def test_a_link_has_one_form(given: str, canonical: str | None) -> None:
    """Scheme, case, default port, click ids and fragment go; a campaign's own parameters stay; what is no link is none."""
    assert canonical_url(given) == canonical


@given(st.text(max_size=60))
def test_canonical_url_is_its_own_canonical_form(text: str) -> None:
    """Twice is once, for anything that has a canonical form."""
    url = canonical_url(text)
    assert url is None or canonical_url(url) == url


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("news.brand.co.uk", "brand.co.uk"),
        ("https://www.brand.co.uk/x", "brand.co.uk"),
        ("deep.brand.example", "brand.example"),
        ("ours.blogspot.com", "ours.blogspot.com"),
        ("co.uk", None),
        ("localhost", None),
        ("http://198.51.100.7/x", "198.51.100.7"),
        ("例子.中国", "xn--fsqu00a.xn--fiqs8s"),
    ],
)
def test_the_registrable_domain_is_what_somebody_registered(given: str, domain: str | None) -> None:
    """By the public suffix list, its private section included."""
    assert registrable_domain(given) == domain


def test_links_are_found_in_sentences_of_every_script() -> None:
    """Without the punctuation around them, and without abbreviations and file names."""
    text = "看https://a.example/x，大家 (http://b.example/p_(q)). www.c.example/x, d.example. e.g. run.py end.It brand.news/abc"
    assert find_urls(text) == [
        "https://a.example/x", "http://b.example/p_(q)", "www.c.example/x", "d.example", "brand.news/abc",
    ]  # fmt: skip


def test_hashtags_and_handles_are_found_where_they_are_meant() -> None:
    """Not inside words, addresses or links, and not of digits alone."""
    assert find_hashtags("#A ＃日本 a#b #1 http://x.example/#part #Été_2 #A") == ["a", "日本", "été_2", "a"]
    assert find_hashtags("C#编程 本周#Harbor ขอ#Songkran #话题#今天") == ["harbor", "songkran", "话题"]
    assert find_handles("@A.b, x@y.example @u@host.example ＠c") == ["a.b", "u@host.example", "c"]
    assert canonical_hashtag("#Été_2") == "été_2"
    assert canonical_handle("＠Some_One ") == "some_one"


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("198.51.100.7", {"address": "198.51.100.7", "address_net": "198.51.100.0/24"}),
        ("::ffff:198.51.100.7", {"address": "198.51.100.7", "address_net": "198.51.100.0/24"}),
        ("198.51.100.7:443", {"address": "198.51.100.7", "address_net": "198.51.100.0/24"}),
        ("198.51.100.7, 10.0.0.1", {"address": "198.51.100.7", "address_net": "198.51.100.0/24"}),
        ("[2001:db8:1:2:3::1]:443", {"address": "2001:db8:1:2::/64"}),
        ("2001:db8:1:2::9%eth0", {"address": "2001:db8:1:2::/64"}),
        ("00112233445566778899AABBCCDDEEFF", {"address": "00112233445566778899aabbccddeeff"}),
        ("127.0.0.1", {}),
        ("::", {}),
        ("somewhere", {}),
    ],
)
def test_addresses_are_compared_as_what_one_subscriber_has(given: str, values: dict[str, str]) -> None:
    """IPv4 exact and its /24, IPv6 by /64; ports, zones and proxies go; addresses that name nobody give nothing."""
    assert address_values(given) == values


def test_identifiers_of_each_kind_have_one_form() -> None:
    """An e-mail also gives its domain, a phone its digits; an unknown kind is told apart by its name."""
    assert identifier_values("email", " Some.One+tag@Mail.Example ") == [
        ("email", "some.one@mail.example"), ("email_domain", "mail.example"),
    ]  # fmt: skip
    assert identifier_values("phone", "+00 (1) 555-0100") == [("phone", "15550100")]
    assert identifier_values("ip", "2001:db8::1") == [("address", "2001:db8::/64")]
    assert identifier_values("badge", "7") == [("other", "badge:7")]
    assert identifier_values("email", "no address") == identifier_values("device", "  ") == []


@pytest.mark.parametrize(
    "value",
    [
        "2025-01-24T09:20:46Z", "2025-01-24 09:20:46", "2025-01-24T10:20:46+01:00", 1737710446, 1737710446000, 1737710446.0,
        "1737710446", "1737710446000000", "Fri, 24 Jan 2025 09:20:46 GMT", "Fri Jan 24 09:20:46 +0000 2025",
        datetime(2025, 1, 24, 9, 20, 46),
    ],
)  # fmt: skip
def test_times_of_every_kind_are_one_time(value: object) -> None:
    """ISO 8601, epoch in any unit, RFC 2822, older exports, datetimes; without a zone it is UTC."""
    assert parse_time(value) == datetime(2025, 1, 24, 9, 20, 46, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", 0, True, -5, float("nan"), float("inf"), "soon", "9" * 70, [], "1e999"])
def test_what_is_no_time_gives_none(value: object) -> None:
    """Zero and its like stand for "not set"."""
    assert parse_time(value) is None


def test_an_end_user_belongs_to_its_key_and_others_do_not() -> None:
    """The same id under two keys is two end users, but one user."""
    names = Pseudonyms(b"k" * 32)
    assert names.account("end_user", "7", key="a") != names.account("end_user", "7", key="b")
    assert names.account("user", "7", key="a") == names.account("user", "7", key="b")
    assert names.account("user", "7") != names.account("key", "7")
    assert names.account("end_user", "bc", key="a") != names.account("end_user", "c", key="ab")


def test_pseudonyms_depend_on_the_key_and_fit_int64() -> None:
    """Nobody without the key can test a guess; the id is the digest's first eight bytes without the sign."""
    ours, theirs = Pseudonyms(b"k" * 32), Pseudonyms(b"K" * 32)
    account, digest = ours.account("user", "7")
    assert account == int.from_bytes(digest[:8], "big") & (1 << 63) - 1
    assert account != theirs.account("user", "7")[0]
    assert len({ours.key("7"), ours.tenant("7"), ours.conversation("7"), ours.author("x", "7"), account}) == 5
    with pytest.raises(ValueError):
        Pseudonyms(b"short")
