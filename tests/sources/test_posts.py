"""Posts: the plain forms, X API v2, 4CAT."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Context, Identifier, Item, PlatformAccount, Post, Raw

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def test_plain_posts(read: Read) -> None:
    """The plain form with its optional columns; several links and hashtags stand in one cell."""
    row = {
        "platform": " X ",
        "post_id": "7",
        "author": "a-1",
        "created_at": "2026-01-01",
        "text": "See #Tide",
        "url": "https://e.example/1,https://e.example/2",
        "hashtags": "#Tide, moon",
        "kind": "retweet",
        "parent": "5",
        "language": "in",
    }
    assert read("posts", row) == [
        Post(
            platform="x",
            post_id="7",
            author="a-1",
            time=NEW_YEAR,
            kind="repost",
            parent="5",
            text="See #Tide",
            language="id",
            urls=["https://e.example/1", "https://e.example/2"],
            hashtags=["Tide", "moon"],
        )
    ]


def test_empty_cells_are_nothing(read: Read) -> None:
    """Hashtags that are not listed are looked for in the text later, so they are None."""
    row = {"platform": "x", "post_id": 7, "author": "", "created_at": "", "text": "", "url": "", "hashtags": ""}
    assert read("posts", row) == [Post(platform="x", post_id="7")]


@pytest.mark.parametrize("bad", [{"platform": ""}, {"post_id": None}, {"created_at": "soon"}, {"kind": "shout"}, {"text": []}])
def test_a_plain_post_needs_its_ids(bad: dict[str, Any]) -> None:
    """Missing ids, odd times and unknown kinds are rejects."""
    row = {"platform": "x", "post_id": "7", "author": "a", "created_at": "", "text": ""} | bad
    with pytest.raises(RecordError):
        FORMATS["posts"].parse(Raw("line 2", json.dumps(row).encode()))


@pytest.mark.parametrize(
    ("account", "key", "expected"),
    [
        ("u-1", None, ("u-1", None)),
        ("k-1/u-1", None, ("u-1", "k-1")),
        ("u/1", "k-1", ("u/1", "k-1")),
        ("k/a/b", None, ("a/b", "k")),
    ],
)
def test_identifiers_stand_under_their_key(read: Read, account: str, key: str | None, expected: tuple[str, str | None]) -> None:
    """As key/account or by a column of that name."""
    row = {"account": account, "kind": "IP", "value": "198.51.100.7", "first_seen": "2026-01-01", "last_seen": ""}
    (found,) = read("identifiers", row | ({"key": key} if key else {}))
    assert found == Identifier(account=expected[0], key=expected[1], kind="ip", value="198.51.100.7", first_seen=NEW_YEAR)


def test_platform_accounts(read: Read) -> None:
    """What is not a number of followers is not collected."""
    row = {"platform": "X", "author": "a-1", "created_at": "2026-01-01", "followers": "12", "as_of": ""}
    assert read("platform-accounts", row) == [PlatformAccount(platform="x", author="a-1", created=NEW_YEAR, followers=12)]
    assert read("platform-accounts", row | {"followers": "many"})[0].followers is None


TAGS = {
    "hashtags": [{"start": 9, "tag": "moon"}, {"start": 2, "tag": "tide"}],
    "urls": [{"url": "https://s.example/a", "expanded_url": "https://e.example/1"}],
}
TWEET = {
    "id": "11",
    "author_id": "1",
    "text": "a #tide #moon",
    "created_at": "2026-01-01T00:00:00.000Z",
    "lang": "en",
    "entities": TAGS,
}
USER = {
    "id": "1",
    "username": "one",
    "name": "One",
    "created_at": "2026-01-01T00:00:00Z",
    "public_metrics": {"followers_count": 3},
}


def _post(**changes: Any) -> Post:
    given = {"text": "a #tide #moon", "urls": ["https://e.example/1"], "hashtags": ["tide", "moon"]} | changes
    return Post(platform="x", post_id="11", author="1", time=NEW_YEAR, language="en", **given)


def test_a_page_is_posts_and_accounts(read: Read) -> None:
    """Each is a row; hashtags stand in their order, links lead where they lead."""
    page = {"data": [TWEET], "includes": {"users": [USER]}, "__twarc": {"retrieved_at": "2026-01-01T00:00:00+00:00"}}
    assert read("x-v2", page) == [
        _post(),
        PlatformAccount(platform="x", author="1", created=NEW_YEAR, followers=3, as_of=NEW_YEAR),
    ]


@pytest.mark.parametrize(("given", "kind"), [("retweeted", "repost"), ("quoted", "quote"), ("replied_to", "reply")])
def test_references_become_kind_and_parent(read: Read, given: str, kind: str) -> None:
    """A quote inside a reply counts as a quote."""
    references = [{"type": "replied_to", "id": "4"}] * (given == "quoted") + [{"type": given, "id": "5"}]
    (found,) = read("x-v2", {"data": [TWEET | {"referenced_tweets": references}]})
    assert found == _post(kind=kind, parent="5")


def test_a_repost_is_completed_from_its_original(read: Read) -> None:
    """Its own text is cut off by X; the original itself is no row, since nobody collected it."""
    repost = TWEET | {"text": "RT @two: a long …", "entities": {}, "referenced_tweets": [{"type": "retweeted", "id": "5"}]}
    original = {
        "id": "5",
        "author_id": "2",
        "text": "a long text #sea",
        "entities": {"hashtags": [{"start": 12, "tag": "sea"}]},
    }
    (found,) = read("x-v2", {"data": [repost], "includes": {"tweets": [original]}})
    assert found == _post(kind="repost", parent="5", text="a long text #sea", urls=[], hashtags=["sea"])


def test_own_pictures_and_the_quoted_post_are_no_links(read: Read) -> None:
    """What is left leads somewhere else."""
    urls = [
        {"expanded_url": "https://x.example/s/11/photo/1", "media_key": "3_1"},
        {"expanded_url": "https://x.example/two/status/5"},
    ]
    quote = TWEET | {"entities": {"urls": urls}, "referenced_tweets": [{"type": "quoted", "id": "5"}]}
    assert read("x-v2", {"data": quote})[0].urls == []


def test_a_page_of_users_is_accounts(read: Read) -> None:
    """Users in data are statements about accounts, not posts."""
    assert read("x-v2", {"data": [USER]}) == [PlatformAccount(platform="x", author="1", created=NEW_YEAR, followers=3)]


def test_a_bad_post_in_a_page_is_one_reject() -> None:
    """The rest of the page is read."""
    page = {"data": [TWEET, {"text": "no id"}, 5], "includes": {"users": [USER, {}]}}
    parsed = FORMATS["x-v2"].parse_records([Raw("line 1", json.dumps(page).encode())])
    assert [type(item).__name__ for item in parsed.items] == ["Post", "PlatformAccount"]
    assert [reject.place for reject in parsed.rejects] == ["line 1, data 1", "line 1, data 2", "line 1, includes.users 1"]


def test_flattened_posts_are_the_same_posts(read: Read) -> None:
    """With the author inside, or as a CSV row with dotted names."""
    account = PlatformAccount(platform="x", author="1", created=NEW_YEAR, followers=3)
    row = {
        **{name: TWEET[name] for name in ("id", "author_id", "text", "created_at", "lang")},
        "referenced_tweets.retweeted.id": "",
        "referenced_tweets.quoted.id": "5",
        "entities.hashtags": json.dumps(TAGS["hashtags"]),
        "entities.urls": json.dumps(TAGS["urls"]),
        "author.id": "1",
        "author.created_at": "2026-01-01T00:00:00Z",
        "author.public_metrics.followers_count": "3",
    }
    assert read("x-v2", TWEET | {"author": USER}) == [_post(), account]
    assert read("x-v2", row) == [_post(kind="quote", parent="5"), account]


FOURCAT = {"id": "11", "thread_id": "9", "author": "one", "body": "hello", "timestamp": "2026-01-01 00:00:00"}


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"is_retweet": "yes", "retweeted_user": "two", "author_id": "1"}, ("x", "repost", None, "1")),
        ({"is_retweet": "no", "is_quote_tweet": "yes", "quote_tweet_id": "5"}, ("x", "quote", "5", "one")),
        ({"is_retweet": "no", "is_reply": "yes"}, ("x", "reply", "9", "one")),
        ({"id": "chat-7", "thread_id": "chat", "author_is_bot": "no", "reply_to": "5"}, ("telegram", "reply", "chat-5", "one")),
        ({"author_is_bot": "no", "author_forwarded_from_id": "77"}, ("telegram", "repost", None, "one")),
        ({"music_id": "1", "tiktok_url": "https://t.example"}, ("tiktok", "post", None, "one")),
        ({"url": "https://www.threads.com/@one/post/1"}, ("threads", "post", None, "one")),
        ({}, ("other", "post", None, "one")),
    ],
)
def test_4cat_rows_say_platform_kind_and_parent(read: Read, extra: dict[str, str], expected: tuple[str, ...]) -> None:
    """By the columns that each platform's export has."""
    found = read("4cat", FOURCAT | extra)[0]
    assert (found.platform, found.kind, found.parent, found.author) == expected
    assert (found.text, found.time) == ("hello", NEW_YEAR)


def test_4cat_says_when_an_account_was_made_and_the_user_names_the_platform() -> None:
    """A platform that was named wins over a guess."""
    raw = Raw("line 2", json.dumps(FOURCAT | {"author_created_at": "2026-01-01", "hashtags": "sea,tide"}).encode())
    post, account = FOURCAT_FORMAT.parse(raw, Context(platform="forum"))
    assert account == PlatformAccount(platform="forum", author="one", created=NEW_YEAR)
    assert isinstance(post, Post) and post.hashtags == ["sea", "tide"]


FOURCAT_FORMAT = FORMATS["4cat"]
