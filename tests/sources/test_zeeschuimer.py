"""Zeeschuimer items: the two shapes they are saved in, and the layouts of the platforms."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.sources import FORMATS, Context, Item, Parsed, PlatformAccount, Post, Raw, detect

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = datetime(2026, 1, 2, tzinfo=UTC)
X_TIME = "Thu Jan 01 00:00:00 +0000 2026"


def item(platform: str, data: dict[str, Any]) -> dict[str, Any]:
    """As the extension saves it."""
    return {
        "id": 3,
        "nav_index": "1:4:0",
        "item_id": "73",
        "timestamp_collected": 1_767_225_600_000,
        "last_updated": 1_767_312_000_000,
        "source_platform": platform,
        "source_platform_url": "https://www.example.com/",
        "source_url": "https://www.example.com/api",
        "user_agent": "Browser/1",
        "data": data,
    }


def of_4cat(platform: str, data: dict[str, Any]) -> dict[str, Any]:
    """As 4CAT keeps it."""
    meta = item(platform, data)
    del meta["data"]
    return data | {"__import_meta": meta}


def post(read: Read, platform: str, data: dict[str, Any]) -> Post:
    """The post alone."""
    found = read("zeeschuimer", item(platform, data))[0]
    assert isinstance(found, Post)
    return found


def parsed(record: Any) -> Parsed:
    """With its rejects."""
    return FORMATS["zeeschuimer"].parse_records([Raw("line 1", json.dumps(record).encode())])


TIKTOK: dict[str, Any] = {
    "id": "73",
    "desc": "look #tide #moon",
    "createTime": "1767225600",
    "author": {"id": "901", "uniqueId": "one", "nickname": "One"},
    "authorStats": {"followerCount": 5, "videoCount": 2},
    "textExtra": [{"hashtagName": "tide"}, {"hashtagName": "", "userUniqueId": "two"}, {"hashtagName": "moon"}],
    "challenges": [{"title": "other"}],
    "textLanguage": "en",
    "music": {"id": "4", "title": "Tune"},
    "video": {"cover": "https://v.example.com/c"},
    "stats": {"diggCount": 1},
}


def test_a_tiktok_post_and_its_author(read: Read) -> None:
    """The author is called by its id; its followers are as of when the item was last seen."""
    assert read("zeeschuimer", item("tiktok.com", TIKTOK)) == [
        Post(
            platform="tiktok",
            post_id="73",
            author="901",
            time=NEW_YEAR,
            text="look #tide #moon",
            language="en",
            hashtags=["tide", "moon"],
        ),
        PlatformAccount(platform="tiktok", author="901", followers=5, as_of=SEEN),
    ]


def test_what_4cat_keeps_is_the_same_item(read: Read) -> None:
    """Its fields stand at the top, those of the collection under `__import_meta`."""
    assert read("zeeschuimer", of_4cat("tiktok.com", TIKTOK)) == read("zeeschuimer", item("tiktok.com", TIKTOK))


def test_older_items_were_seen_when_they_were_collected(read: Read) -> None:
    """Before items could be updated there was one time only."""
    old = item("tiktok.com", TIKTOK)
    del old["last_updated"]
    assert read("zeeschuimer", old)[1] == PlatformAccount(platform="tiktok", author="901", followers=5, as_of=NEW_YEAR)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"author": "one", "authorId": "901", "nickname": "One"}, {"author": "901"}),
        ({"author": "one"}, {"author": "one"}),
        ({"author": {"uniqueId": "one"}}, {"author": "one"}),
        ({"author": None}, {"author": None}),
        ({"textExtra": None}, {"hashtags": ["other"]}),
        ({"textExtra": None, "challenges": None}, {"hashtags": None}),
        ({"createTime": 1_767_225_600, "textLanguage": "un"}, {"time": NEW_YEAR, "language": None}),
        ({"duetInfo": {"duetFromId": "0"}}, {"kind": "post", "parent": None}),
        ({"duetInfo": {"duetFromId": "70"}}, {"kind": "quote", "parent": "70"}),
    ],
)
def test_variants_of_tiktok_posts(read: Read, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Authors as an object or as a name, tags in either list, a language that TikTok cannot tell, duets."""
    found = post(read, "tiktok.com", TIKTOK | changes)
    assert {name: getattr(found, name) for name in expected} == expected


COMMENT: dict[str, Any] = {
    "cid": "8",
    "aweme_id": "73",
    "text": "so true",
    "create_time": 1_767_225_600,
    "reply_id": "0",
    "reply_to_reply_id": "0",
    "comment_language": "en",
    "user": {"uid": "902", "unique_id": "two"},
}


@pytest.mark.parametrize(("reply", "deeper", "parent"), [("0", "0", "73"), ("6", "0", "6"), ("6", "7", "7"), ("0", None, "73")])
def test_a_tiktok_comment_is_a_reply(read: Read, reply: str, deeper: str | None, parent: str) -> None:
    """To the post, or to the comment that it answers."""
    comment = COMMENT | {"reply_id": reply, "reply_to_reply_id": deeper}
    assert read("zeeschuimer", item("tiktok-comments", comment)) == [
        Post(
            platform="tiktok",
            post_id="8",
            author="902",
            time=NEW_YEAR,
            kind="reply",
            parent=parent,
            text="so true",
            language="en",
        )
    ]


@pytest.mark.parametrize(
    ("data", "author", "at", "text"),
    [
        (
            {"code": "Ca", "taken_at": 1_767_225_600, "user": {"pk": 77, "username": "one"}, "caption": {"text": "sea"}},
            "77",
            NEW_YEAR,
            "sea",
        ),
        ({"code": "Ca", "taken_at": 1_767_225_600, "user": {"id": "77"}, "caption": None}, "77", NEW_YEAR, ""),
        (
            {
                "__typename": "GraphImage",
                "shortcode": "Ca",
                "taken_at_timestamp": 1_767_225_600,
                "owner": {"id": "77", "username": "one"},
                "edge_media_to_caption": {"edges": [{"node": {"text": "sea"}}]},
            },
            "77",
            NEW_YEAR,
            "sea",
        ),
        (
            {"__typename": "XIGPolarisVideoMedia", "code": "Ca", "user": {"username": "one"}, "_zs_partial": True},
            "one",
            None,
            "",
        ),
    ],
)
def test_instagram_posts_in_their_forms(read: Read, data: dict[str, Any], author: str, at: datetime | None, text: str) -> None:
    """The item list with and without a caption, the graph form, and partial items, which lack time and caption."""
    expected = Post(platform="instagram", post_id="Ca", author=author, time=at, text=text)
    assert read("zeeschuimer", item("instagram.com", data)) == [expected]


USER: dict[str, Any] = {"rest_id": "1", "core": {"created_at": X_TIME, "screen_name": "one"}, "legacy": {"followers_count": 3}}
TWEET: dict[str, Any] = {
    "__typename": "Tweet",
    "id": 2_006_000_000_000_000_000,
    "rest_id": "2006000000000000123",
    "core": {"user_results": {"result": USER}},
    "legacy": {
        "id_str": "2006000000000000123",
        "user_id_str": "1",
        "created_at": X_TIME,
        "full_text": "a #tide #moon https://s.example/a",
        "lang": "in",
        "entities": {
            "hashtags": [{"indices": [8, 13], "text": "moon"}, {"indices": [2, 7], "text": "tide"}],
            "urls": [{"url": "https://s.example/a", "expanded_url": "https://e.example/1"}],
        },
    },
}


def tweet(**legacy: Any) -> dict[str, Any]:
    """One with some fields of `legacy` changed."""
    return TWEET | {"legacy": TWEET["legacy"] | legacy}


def test_a_post_on_x_and_its_author(read: Read) -> None:
    """Its number was rounded by the browser, so the id in text counts; hashtags stand in their order."""
    assert read("zeeschuimer", item("twitter.com", TWEET)) == [
        Post(
            platform="x",
            post_id="2006000000000000123",
            author="1",
            time=NEW_YEAR,
            text="a #tide #moon https://s.example/a",
            language="id",
            urls=["https://e.example/1"],
            hashtags=["tide", "moon"],
        ),
        PlatformAccount(platform="x", author="1", created=NEW_YEAR, followers=3, as_of=SEEN),
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"__typename": "TweetWithVisibilityResults", "tweet": TWEET, "id": None},
        {
            "id": 1,
            "type": "adaptive",
            "legacy": TWEET["legacy"],
            "user": {"id_str": "1", "created_at": X_TIME, "followers_count": 3},
        },
        TWEET
        | {"core": {"user_results": {"result": {"rest_id": "1", "legacy": {"created_at": X_TIME, "followers_count": 3}}}}},
    ],
)
def test_older_and_limited_posts_on_x_are_the_same(read: Read, data: dict[str, Any]) -> None:
    """One level deeper, in the adaptive form, or with all of the user in `legacy`."""
    assert read("zeeschuimer", item("twitter.com", data)) == read("zeeschuimer", item("twitter.com", TWEET))


def test_a_post_on_x_without_its_user_has_an_author(read: Read) -> None:
    """X leaves users out that it sent before; nothing is said of the account then."""
    (found,) = read("zeeschuimer", item("twitter.com", TWEET | {"core": {"user_results": {}}}))
    assert isinstance(found, Post) and found.author == "1"


ORIGINAL: dict[str, Any] = {
    "rest_id": "5",
    "legacy": {"full_text": "a long text #sea", "entities": {"hashtags": [{"indices": [12, 16], "text": "sea"}]}},
}


@pytest.mark.parametrize("result", [ORIGINAL, {"__typename": "TweetWithVisibilityResults", "tweet": ORIGINAL}])
def test_a_repost_on_x_is_completed_from_its_original(read: Read, result: dict[str, Any]) -> None:
    """Its own text is cut off by X."""
    found = post(read, "twitter.com", tweet(full_text="RT @two: a lo…", retweeted_status_result={"result": result}))
    assert (found.kind, found.parent, found.author) == ("repost", "5", "1")
    assert (found.text, found.urls, found.hashtags) == ("a long text #sea", [], ["sea"])


def test_a_repost_whose_original_x_withholds_keeps_its_own_text(read: Read) -> None:
    """Then nobody knows what it reposts."""
    gone = {"result": {"__typename": "TweetTombstone", "tombstone": {}}}
    found = post(read, "twitter.com", tweet(full_text="RT @two: a lo…", retweeted_status_result=gone))
    assert (found.kind, found.parent, found.text) == ("repost", None, "RT @two: a lo…")


@pytest.mark.parametrize(
    ("data", "kind", "parent"),
    [
        (tweet(quoted_status_id_str="5", in_reply_to_status_id_str="4"), "quote", "5"),
        (TWEET | {"quoted_status_result": {"result": {"tweet": {"rest_id": "5"}}}}, "quote", "5"),
        (TWEET | {"quoted_status_result": {"result": {"tombstone": {}}}}, "quote", None),
        (TWEET | {"quoted_status_result": {}}, "post", None),
        (tweet(in_reply_to_status_id_str="4"), "reply", "4"),
    ],
)
def test_kinds_of_posts_on_x(read: Read, data: dict[str, Any], kind: str, parent: str | None) -> None:
    """A quote inside a reply counts as a quote, as in X's own API."""
    found = post(read, "twitter.com", data)
    assert (found.kind, found.parent) == (kind, parent)


def test_the_quoted_post_is_no_link(read: Read) -> None:
    """What is left leads somewhere else; a link that X does not expand stays as it is."""
    urls = [{"expanded_url": "https://x.example/two/status/5"}, {"url": "https://s.example/b"}, {"expanded_url": 7}]
    assert post(read, "twitter.com", tweet(quoted_status_id_str="5", entities={"urls": urls})).urls == ["https://s.example/b"]


def test_a_long_post_on_x_is_whole(read: Read) -> None:
    """Beyond the usual length the text stands apart, with links and tags of its own."""
    note = {"text": "all of it #sky", "entity_set": {"hashtags": [{"indices": [10, 14], "text": "sky"}], "urls": []}}
    found = post(read, "twitter.com", TWEET | {"note_tweet": {"note_tweet_results": {"result": note}}})
    assert (found.text, found.urls, found.hashtags) == ("all of it #sky", [], ["sky"])


THREAD: dict[str, Any] = {
    "pk": "31",
    "code": "Da",
    "taken_at": 1_767_225_600,
    "caption": {"text": "hello"},
    "user": {"pk": "78", "id": "78", "username": "one"},
    "text_post_app_info": {"is_reply": False, "reply_to_author": None, "link_preview_attachment": None, "share_info": None},
}
SHARED: dict[str, Any] = {"code": "Db", "caption": {"text": "theirs"}, "user": {"pk": "79"}}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({}, {}),
        ({"is_reply": True, "reply_to_author": {"username": "two"}}, {"kind": "reply"}),
        ({"share_info": {"quoted_post": SHARED, "reposted_post": None}}, {"kind": "quote", "parent": "Db"}),
        ({"share_info": {"quoted_post": None, "reposted_post": SHARED}}, {"kind": "repost", "parent": "Db", "text": "theirs"}),
        ({"link_preview_attachment": {"url": "https://e.example/?u=1"}}, {"urls": ["https://e.example/?u=1"]}),
        (
            {"link_preview_attachment": {"url": "https://l.threads.com/?u=https%3A%2F%2Fe.example%2F1%3Fa%3Db&e=AT"}},
            {"urls": ["https://e.example/1?a=b"]},
        ),
        ({"link_preview_attachment": {"url": "https://[l.threads.com/"}}, {"urls": ["https://[l.threads.com/"]}),
    ],
)
def test_posts_on_threads(read: Read, info: dict[str, Any], expected: dict[str, Any]) -> None:
    """A reply has no parent, since Threads says whom it answers and not what; links leave Meta's forwarder."""
    data = THREAD | {"text_post_app_info": THREAD["text_post_app_info"] | info}
    given: dict[str, Any] = {
        "platform": "threads",
        "post_id": "Da",
        "author": "78",
        "time": NEW_YEAR,
        "text": "hello",
    } | expected
    assert read("zeeschuimer", item("threads.net", data)) == [Post(**given)]


TRUTH: dict[str, Any] = {
    "id": "111",
    "created_at": "2026-01-01T00:00:00.000Z",
    "content": "a #tide",
    "language": "en",
    "account": {"id": "9", "username": "one", "created_at": "2026-01-01T00:00:00.000Z", "followers_count": 4},
    "tags": [{"name": "tide"}],
    "card": {"url": "https://e.example/1"},
    "reblog": None,
    "quote_id": None,
    "in_reply_to_id": None,
}


def test_a_truth_and_its_author(read: Read) -> None:
    """Truth Social says when an account was made."""
    assert read("zeeschuimer", item("truthsocial.com", TRUTH)) == [
        Post(
            platform="truthsocial",
            post_id="111",
            author="9",
            time=NEW_YEAR,
            text="a #tide",
            language="en",
            urls=["https://e.example/1"],
            hashtags=["tide"],
        ),
        PlatformAccount(platform="truthsocial", author="9", created=NEW_YEAR, followers=4, as_of=SEEN),
    ]


@pytest.mark.parametrize(
    ("changes", "kind", "parent"),
    [
        ({"in_reply_to_id": "108"}, "reply", "108"),
        ({"in_reply_to": {"id": "108", "in_reply_to": {"id": "107"}}}, "reply", "108"),
        ({"quote_id": "109", "in_reply_to_id": "108"}, "quote", "109"),
        ({"quote": {"id": "109"}}, "quote", "109"),
    ],
)
def test_kinds_of_truths(read: Read, changes: dict[str, Any], kind: str, parent: str) -> None:
    """The parent is the post itself, not the beginning of its thread."""
    found = post(read, "truthsocial.com", TRUTH | changes)
    assert (found.kind, found.parent) == (kind, parent)


def test_a_repost_of_a_truth_is_completed_from_its_original(read: Read) -> None:
    """Its markup becomes text and links, paragraphs apart as of a Mastodon boost; a mention and a hashtag are no links."""
    html = (
        '<p>one &amp; <a href="https://t.example/@two" class="u-url mention">@two</a></p>'
        '<p>two<br/><a href="https://e.example/2">e.example/2</a> '
        '<a class="hashtag" href="https://t.example/t">#sea</a> &lt;3</p>'
    )
    original = {"id": "105", "content": html, "tags": [{"name": "sea"}], "card": None}
    found = post(read, "truthsocial.com", TRUTH | {"content": "", "reblog": original})
    assert (found.kind, found.parent, found.hashtags) == ("repost", "105", ["sea"])
    assert found.text == "one & @two\n\ntwo\ne.example/2 #sea <3"
    assert found.urls == ["https://e.example/2"]


@pytest.mark.parametrize("piece", ["<a x=", "<a ", "<!--", "<", "</", "<?", "&#", "<a><"])
def test_markup_that_wants_to_be_slow_is_not(piece: str) -> None:
    """Twenty thousand characters of what looks like tags take no time."""
    before = time.monotonic()
    html = piece * (20_000 // len(piece))
    assert parsed(item("truthsocial.com", TRUTH | {"content": "", "reblog": {"id": "105", "content": html}})).items
    assert time.monotonic() - before < 5


@pytest.mark.parametrize("html", ["<![" * 9, "<![x[>", "a" * 20_001])
def test_markup_that_is_none_is_text(read: Read, html: str) -> None:
    """Nothing leaks out of the parser, and since reading takes linear time, no length is too much."""
    found = post(read, "truthsocial.com", TRUTH | {"content": "", "reblog": {"id": "105", "content": html}})
    assert (found.text, found.urls) == (html, [])


@pytest.mark.parametrize(
    "data",
    [
        {
            "aweme_id": "61",
            "create_time": 1_767_225_600,
            "desc": "海 #潮",
            "author": {"uid": "903", "sec_uid": "MS4"},
            "author_user_id": 904,
            "text_extra": [{"hashtag_name": "潮"}],
        },
        {
            "awemeId": "61",
            "createTime": 1_767_225_600,
            "desc": "海 #潮",
            "authorInfo": {"uid": "903"},
            "textExtra": [{"hashtagName": "潮"}, {"secUid": "MS5"}],
            "cellRoom": "$undefined",
            "ZS_collected_from_embed": True,
        },
    ],
)
def test_douyin_posts_from_the_api_and_from_pages(read: Read, data: dict[str, Any]) -> None:
    """The author's id as text, since its number may be rounded; a page writes `$undefined` for nothing."""
    assert read("zeeschuimer", item("douyin.com", data)) == [
        Post(platform="douyin", post_id="61", author="903", time=NEW_YEAR, text="海 #潮", hashtags=["潮"])
    ]


@pytest.mark.parametrize(
    ("platform", "name"),
    [
        ("linkedin.com", "LinkedIn"),
        ("9gag.com", "9gag"),
        ("xiaohongshu.com", "Xiaohongshu"),
        ("secret.example", "this platform"),
    ],
)
def test_other_platforms_are_rejects_that_say_so(platform: str, name: str) -> None:
    """By our name for it; what we do not know is not repeated."""
    found = parsed(item(platform, {"id": "1", "text": "t"}))
    assert (found.items, found.records, len(found.rejects)) == ([], 1, 1)
    (reject,) = found.rejects
    assert (reject.place, json.loads(reject.data)) == ("line 1, data", {"id": "1", "text": "t"})
    assert reject.reason.startswith(name) and "is not yet mapped" in reject.reason and "secret" not in reject.reason


def test_the_platform_that_was_named_is_not_asked(read: Read) -> None:
    """The items say it themselves."""
    raw = Raw("line 1", json.dumps(item("tiktok.com", TIKTOK)).encode())
    found = FORMATS["zeeschuimer"].parse(raw, Context(platform="forum"))
    assert [isinstance(entry, (Post, PlatformAccount)) and entry.platform for entry in found] == ["tiktok", "tiktok"]


def test_an_author_that_4cat_blotted_out_is_none() -> None:
    """Otherwise all posts would be one account's."""
    blotted = {
        "author": dict.fromkeys(("id", "uniqueId", "nickname"), "REDACTED"),
        "authorStats": {"followerCount": "REDACTED"},
    }
    (found,) = parsed(of_4cat("tiktok.com", TIKTOK | blotted)).items
    assert isinstance(found, Post) and (found.author, found.text) == (None, "look #tide #moon")


def test_a_bad_account_beside_a_good_post_is_one_reject() -> None:
    """The post is kept."""
    user = USER | {"core": {"created_at": "c0ffee"}}
    found = parsed(item("twitter.com", TWEET | {"core": {"user_results": {"result": user}}}))
    assert [type(entry).__name__ for entry in found.items] == ["Post"]
    assert [(reject.place, "c0ffee" in reject.reason) for reject in found.rejects] == [("line 1, author", False)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"data": {"id": "1"}, "nav_index": "1:1:1"}, "no source_platform"),
        ({"__import_meta": 5, "id": "1"}, "no source_platform"),
        (item("tiktok.com", {}) | {"data": None}, "data is no object"),
        (item("tiktok.com", {"id": "1", "liveRoomInfo": {}}), "no post"),
        (item("tiktok.com", TIKTOK | {"id": None}), "id is missing"),
        (item("tiktok.com", TIKTOK | {"createTime": "hidden-value"}), "createTime is no time"),
        (item("tiktok.com", TIKTOK | {"desc": ["hidden-value"]}), "desc is no text"),
        (item("tiktok.com", TIKTOK | {"author": ["hidden-value"]}), "author is no id"),
        (item("tiktok-comments", COMMENT | {"cid": ""}), "cid is missing"),
        (item("instagram.com", {"pk": "1", "user": {"pk": "2"}}), "code is missing"),
        (item("instagram.com", {"code": "Ca", "caption": ["hidden-value"]}), "caption is no text"),
        (item("twitter.com", {"__typename": "TweetTombstone", "tombstone": {}, "id": None}), "no post"),
        (item("twitter.com", {"rest_id": "1", "legacy": ["hidden-value"]}), "no post"),
        (item("threads.net", THREAD | {"code": {"a": "hidden-value"}}), "code is no id"),
        (item("truthsocial.com", TRUTH | {"content": {"a": "hidden-value"}}), "content is no text"),
        (item("douyin.com", {"aweme_id": "1", "cell_room": {"rawdata": "{}"}}), "a live stream"),
    ],
)
def test_wrong_items_are_rejects_that_quote_nothing(record: Any, reason: str) -> None:
    """Each says what is wrong and keeps the value to itself."""
    found = parsed(record)
    assert (found.items, len(found.rejects)) == ([], 1)
    assert found.rejects[0].reason.startswith(reason) and "hidden-value" not in found.rejects[0].reason


@pytest.mark.parametrize("shape", [item, of_4cat])
@pytest.mark.parametrize(
    ("platform", "data"),
    [
        ("tiktok.com", TIKTOK),
        ("tiktok-comments", COMMENT | {"id": "8"}),
        ("twitter.com", TWEET),
        ("threads.net", THREAD),
        ("truthsocial.com", TRUTH | {"url": "https://t.example/111", "replies_count": 0}),
        ("linkedin.com", {"id": "1"}),
    ],
)
def test_items_are_told(shape: Any, platform: str, data: dict[str, Any], tmp_path: Path) -> None:
    """In both shapes, whatever the platform's own layout looks like."""
    path = tmp_path / "items.ndjson"
    path.write_text(f"{json.dumps(shape(platform, data))}\n" * 3)
    found = detect(path)
    assert (found.format and found.format.name, found.confidence) == ("zeeschuimer", 0.97)


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"messages": [{"role": "user", "content": "hi"}], "source_platform": "web"}, "messages"),
        ({"data": [{"id": "1", "text": "t", "author_id": "2"}], "meta": {"result_count": 1}}, "x-v2"),
        ({"source_platform": "web", "data": {"id": "1"}}, None),
        (TIKTOK, None),
    ],
)
def test_others_are_not_mistaken_for_items(record: dict[str, Any], name: str | None, tmp_path: Path) -> None:
    """Chats, pages of X's API, and a platform's item without the collection around it."""
    path = tmp_path / "other.jsonl"
    path.write_text(f"{json.dumps(record)}\n" * 3)
    found = detect(path).format
    assert (found and found.name) == name
