"""Statuses of Mastodon and its kin."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Context, Item, PlatformAccount, Post, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
USER = {
    "id": "7",
    "username": "one",
    "acct": "one",
    "url": "https://Social.example/@one",
    "created_at": "2025-01-01T00:00:00.000Z",
    "followers_count": 3,
}
STATUS = {
    "id": "110",
    "created_at": "2026-01-01T00:00:00.000Z",
    "in_reply_to_id": None,
    "spoiler_text": "",
    "visibility": "public",
    "language": "en",
    "uri": "https://social.example/users/one/statuses/110",
    "content": "<p>It is a long morning</p>",
    "reblog": None,
    "account": USER,
    "tags": [],
    "mentions": [],
}
ACCOUNT = PlatformAccount(
    platform="mastodon", author="one@social.example", created=datetime(2025, 1, 1, tzinfo=UTC), followers=3
)
OTHER = USER | {"id": "8", "acct": "two@far.example", "url": "https://far.example/@two", "followers_count": 5}
OTHER_ACCOUNT = PlatformAccount(
    platform="mastodon", author="two@far.example", created=datetime(2025, 1, 1, tzinfo=UTC), followers=5
)


def post(**changes: Any) -> Post:
    """The post that STATUS is, changed."""
    given = {"post_id": "110", "author": "one@social.example", "text": "It is a long morning"} | changes
    return Post(platform="mastodon", time=NEW_YEAR, language="en", **given)


def shared_link(address: str, shown: str) -> str:
    """A link as Mastodon writes it: its ends are hidden by style."""
    return (
        f'<a href="https://{address}" rel="nofollow noopener" target="_blank"><span class="invisible">https://</span>'
        f'<span class="ellipsis">{shown}</span><span class="invisible">{address.removeprefix(shown)}</span></a>'
    )


MENTION = '<span class="h-card"><a href="https://far.example/@two" class="u-url mention">@<span>two</span></a></span>'
TAG = '<a href="https://social.example/tags/tide" class="mention hashtag" rel="tag">#<span>Tide</span></a>'


def test_a_status_is_a_post_and_a_statement_on_its_account(read: Read) -> None:
    """The account is called by name and host, the status by its number."""
    assert read("mastodon", STATUS) == [post(), ACCOUNT]


def test_html_becomes_text_and_links(read: Read) -> None:
    """Hidden parts of a link belong to its text; mentions and hashtags are no links; paragraphs stay apart."""
    content = f"<p>{MENTION} I &lt;3 it<br />{shared_link('e.example/a/long/path', 'e.example/a/')}</p><p>{TAG}</p>"
    (found, _) = read("mastodon", STATUS | {"content": content, "tags": [{"name": "tide", "url": "u"}]})
    text = "@two I <3 it\nhttps://e.example/a/long/path\n\n#Tide"
    assert found == post(text=text, urls=["https://e.example/a/long/path"])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"spoiler_text": "Tea"}, {"text": "Tea\n\nIt is a long morning"}),
        ({"tags": [{"name": "sea"}, {"name": "tide"}]}, {"hashtags": ["sea", "tide"]}),
        ({"in_reply_to_id": "109"}, {"kind": "reply", "parent": "109"}),
        ({"quote": {"state": "pending", "quoted_status": None}}, {"kind": "quote"}),
        ({"quote": {"state": "accepted", "quoted_status_id": "108"}}, {"kind": "quote", "parent": "108"}),
        ({"quote_id": "108", "in_reply_to_id": "109"}, {"kind": "quote", "parent": "108"}),
        ({"visibility": "unlisted", "language": "en"}, {}),
    ],
)
def test_what_a_status_may_be(read: Read, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """A content warning, tags that the text does not show, a reply, a quote."""
    assert read("mastodon", STATUS | changes)[0] == post(**expected)


def test_a_boost_is_completed_from_its_status(read: Read) -> None:
    """That status is no row, but its account is told of."""
    original = STATUS | {"id": "99", "account": OTHER, "content": "<p>Far</p>", "language": "fr"}
    found = read("mastodon", STATUS | {"content": "", "language": None, "reblog": original})
    boost = Post(
        platform="mastodon",
        post_id="110",
        author="one@social.example",
        time=NEW_YEAR,
        kind="repost",
        parent="99",
        text="Far",
        language="fr",
    )
    assert found == [boost, ACCOUNT, OTHER_ACCOUNT]


def test_a_quote_leaves_out_the_line_for_old_clients(read: Read) -> None:
    """Unless it is all that says what is quoted."""
    inline = f'<p class="quote-inline">RE: {shared_link("far.example/@two/99", "far.example/")}</p><p>Mine</p>'
    quoted = {"state": "accepted", "quoted_status": STATUS | {"id": "99", "account": OTHER}}
    known = read("mastodon", STATUS | {"content": inline, "quote": quoted})
    assert known == [post(kind="quote", parent="99", text="Mine"), ACCOUNT, OTHER_ACCOUNT]
    unknown = read("mastodon", STATUS | {"content": inline, "quote": {"state": "revoked", "quoted_status": None}})[0]
    text, urls = "RE: https://far.example/@two/99\n\nMine", ["https://far.example/@two/99"]
    assert unknown == post(kind="quote", text=text, urls=urls)


@pytest.mark.parametrize("hidden", [{"visibility": "private"}, {"visibility": "direct"}, {"reblog": "private"}])
def test_what_is_not_public_is_no_post(read: Read, hidden: dict[str, str]) -> None:
    """What it says of accounts is read."""
    boosted = {"reblog": STATUS | {"id": "99", "visibility": "private"}} if "reblog" in hidden else hidden
    assert set(map(type, read("mastodon", STATUS | boosted))) == {PlatformAccount}


@pytest.mark.parametrize(
    ("account", "platform", "expected"),
    [
        ({"url": "https://truthsocial.com/@one"}, None, ("truthsocial", "7")),
        ({"url": "https://gab.com/one"}, None, ("gab", "7")),
        ({}, "Fediverse", ("Fediverse", "one@social.example")),
        ({"url": "https://truthsocial.com/@one"}, "mastodon", ("mastodon", "one@truthsocial.com")),
        ({"url": None, "uri": "https://social.example/users/one"}, None, ("mastodon", "one@social.example")),
        ({"url": None}, None, ("mastodon", "one")),
        ({"acct": None}, None, ("mastodon", "7")),
    ],
)
def test_kin_are_told_by_their_host(account: dict[str, Any], platform: str | None, expected: tuple[str, str]) -> None:
    """A platform that was named wins; one server's accounts are called by their numbers."""
    raw = Raw("line 1", json.dumps(STATUS | {"account": USER | account}).encode())
    found, fact = FORMATS["mastodon"].parse(raw, Context(platform=platform))
    assert isinstance(found, Post) and isinstance(fact, PlatformAccount)
    assert (found.platform, found.author) == (fact.platform, fact.author) == expected


def test_pages_are_read(read: Read) -> None:
    """What a search found, and what stands around a status."""
    assert read("mastodon", {"accounts": [OTHER], "statuses": [STATUS], "hashtags": []}) == [post(), ACCOUNT, OTHER_ACCOUNT]
    context = {"ancestors": [STATUS], "descendants": [STATUS | {"id": "111", "in_reply_to_id": "110"}]}
    answer = post(post_id="111", kind="reply", parent="110")
    assert read("mastodon", context) == [post(), ACCOUNT, answer, ACCOUNT]


def test_a_bad_status_in_a_page_is_one_reject() -> None:
    """The rest of the page is read."""
    page = {"statuses": [STATUS, 5, STATUS | {"id": None}], "accounts": [{}]}
    parsed = FORMATS["mastodon"].parse_records([Raw("line 1", json.dumps(page).encode())])
    assert parsed.items == [post(), ACCOUNT]
    places = ["line 1, statuses 1", "line 1, statuses 2", "line 1, accounts 0"]
    assert [reject.place for reject in parsed.rejects] == places


@pytest.mark.parametrize(
    "bad",
    [
        {"id": None},
        {"account": "secret"},
        {"account": {}},
        {"content": ["secret"]},
        {"created_at": "secret"},
        {"in_reply_to_id": ["secret"]},
        {"reblog": {"content": "secret"}},
        {"account": USER | {"created_at": "secret"}},
    ],
)
def test_wrong_statuses_are_rejects(bad: dict[str, Any]) -> None:
    """The reason holds nothing of the status."""
    with pytest.raises(RecordError) as error:
        FORMATS["mastodon"].parse(Raw("line 1", json.dumps(STATUS | bad).encode()))
    assert "secret" not in str(error.value)


def test_statuses_are_told(tmp_path: Path) -> None:
    """By their fields, in lines, arrays and pages; a chat or a plain post is none."""
    path = tmp_path / "file.json"
    for value in ([STATUS, STATUS], STATUS, {"statuses": [STATUS]}, {"ancestors": [], "descendants": [STATUS]}):
        path.write_text(json.dumps(value))
        found = detect(path)
        assert found.format is FORMATS["mastodon"] and found.confidence >= 0.95
    row = {"platform": "x", "post_id": "1", "author": "a", "created_at": "", "text": "", "account": {"acct": "a"}}
    for value, name in (({"messages": [{"role": "user", "content": "Hi"}]}, "messages"), (row, "posts"), (USER, None)):
        path.write_text(json.dumps(value))
        found = detect(path)
        assert (found.format and found.format.name) == name


@pytest.mark.shared
def test_real_statuses(shared_data: Path) -> None:
    """Of 147, 14 are not public; 5 boosts and 3 quotes tell of an account more each."""
    path = shared_data / "posts" / "mastodon" / "statuses.jsonl"
    statuses = [json.loads(line) for line in path.read_text().split("\n") if line]
    assert sum(status["visibility"] in ("private", "direct") for status in statuses) == 14
    with open_source(path) as opened:
        parsed = FORMATS["mastodon"].parse_records(records(opened, FORMATS["mastodon"]))
    posts = [item for item in parsed.items if isinstance(item, Post)]
    assert (len(posts), len(parsed.items) - len(posts), parsed.rejects) == (147 - 14, 147 + 5 + 3, [])
    kinds = [sum(found.kind == kind for found in posts) for kind in ("post", "repost", "quote", "reply")]
    assert kinds == [126, 3, 3, 1]
    assert sorted({link for found in posts for link in found.urls}) == [
        "http://example.org/",
        "https://www.youtube.com/watch?v=FAEKjYroiME",
    ]
