"""Reddit: Pushshift's records, Reddit's listings, tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Item, PlatformAccount, Post, Raw, detect, open_source, records

Read = Callable[[str, Any], list[Item]]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
TEXT_LINK = "https://e.example/two"
SUBMISSION = {
    "id": "1abc",
    "name": "t3_1abc",
    "author": "one",
    "author_fullname": "t2_one",
    "created_utc": 1_767_225_600,
    "subreddit": "tea",
    "title": "Which kettle?",
    "selftext": "Mine leaks.",
    "is_self": True,
    "url": "https://www.reddit.com/r/tea/comments/1abc/which_kettle/",
    "permalink": "/r/tea/comments/1abc/which_kettle/",
    "num_comments": 2,
}
COMMENT = {
    "id": "kxyz",
    "author": "two",
    "created_utc": "1767225600",
    "subreddit": "tea",
    "body": "An old one.",
    "link_id": "t3_1abc",
    "parent_id": "t1_kabc",
    "retrieved_on": 1_767_230_000,
}


def submission(**changes: Any) -> Post:
    """The post that SUBMISSION is, changed."""
    given = {"post_id": "t3_1abc", "author": "one", "text": "Which kettle?\n\nMine leaks."} | changes
    return Post(platform="reddit", time=NEW_YEAR, **given)


def comment(**changes: Any) -> Post:
    """The post that COMMENT is, changed."""
    given = {"post_id": "t1_kxyz", "author": "two", "text": "An old one.", "parent": "t1_kabc"} | changes
    return Post(platform="reddit", time=NEW_YEAR, kind="reply", **given)


def listing(*things: Any) -> dict[str, Any]:
    """A page of Reddit's API."""
    return {"kind": "Listing", "data": {"after": None, "dist": len(things), "children": list(things)}}


def thing(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    """One thing of a listing."""
    return {"kind": kind, "data": data | more}


def test_a_submission_and_a_comment(read: Read) -> None:
    """Both are called by their full names, as parents are; seconds may be a text."""
    assert read("reddit", SUBMISSION) == [submission()]
    assert read("reddit", COMMENT) == [comment()]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"author": "[deleted]", "selftext": "[removed]"}, {"author": None, "text": "Which kettle?"}),
        ({"author": None, "title": "[deleted by user]", "selftext": None}, {"author": None, "text": ""}),
        ({"title": "A &amp; B", "selftext": "&lt;3 &amp;lt;"}, {"text": "A & B\n\n<3 &lt;"}),
        ({"name": None}, {}),
        ({"id": "t3_1abc", "name": ""}, {}),
        ({"created_utc": 1_767_225_600.0}, {}),
        ({"crosspost_parent": "t3_1zzz"}, {"kind": "repost", "parent": "t3_1zzz"}),
    ],
)
def test_what_a_submission_may_be(read: Read, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """Placeholders are nobody and nothing; entities are turned back; a crosspost is a repost."""
    assert read("reddit", SUBMISSION | changes) == [submission(**expected)]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://e.example/?a=1&amp;b=2", ["https://e.example/?a=1&b=2", TEXT_LINK]),
        ("https://www.reddit.com/r/other/comments/1def/x/", ["https://www.reddit.com/r/other/comments/1def/x/", TEXT_LINK]),
        ("https://www.reddit.com/r/tea/comments/1abc/which_kettle/", []),
        ("https://www.reddit.com/gallery/1abc", []),
        ("https://i.redd.it/picture.jpg", []),
        ("/r/other/comments/1def/x/", []),
        (None, []),
    ],
)
def test_a_submission_leads_somewhere_else_or_nowhere(read: Read, url: str | None, expected: list[str]) -> None:
    """Own pages and pictures are no links; with a link, those of the text stand after it."""
    (found,) = read("reddit", SUBMISSION | {"is_self": False, "url": url, "selftext": f"[see]({TEXT_LINK})"})
    assert isinstance(found, Post)
    assert found.urls == expected


def test_what_a_crosspost_shows_is_no_link(read: Read) -> None:
    """Its address is that of the submission it shows."""
    url = "https://www.reddit.com/r/other/comments/1zzz/x/"
    (found,) = read("reddit", SUBMISSION | {"is_self": False, "url": url, "crosspost_parent": "t3_1zzz"})
    assert found == submission(kind="repost", parent="t3_1zzz")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"parent_id": None}, {"parent": "t3_1abc"}),
        ({"name": "t1_kxyz", "id": None}, {}),
        ({"author": "[deleted]", "body": "[deleted]"}, {"author": None, "text": ""}),
        ({"title": ""}, {}),
        ({"link_title": "Which kettle?", "replies": ""}, {}),
    ],
)
def test_what_a_comment_may_be(read: Read, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    """It answers another comment, else the submission."""
    assert read("reddit", COMMENT | changes) == [comment(**expected)]


def test_the_day_an_account_was_made(read: Read) -> None:
    """Where the record says it, and the account is still somebody."""
    made = {"author_created_utc": "1735689600"}
    fact = PlatformAccount(platform="reddit", author="two", created=datetime(2025, 1, 1, tzinfo=UTC))
    assert read("reddit", COMMENT | made) == [comment(), fact]
    assert read("reddit", COMMENT | made | {"author": "[deleted]"}) == [comment(author=None)]


def test_listings_are_read_with_their_answers(read: Read) -> None:
    """However deep; comments that a listing only counts are not there."""
    deep = thing("t1", COMMENT, id="k3", replies="")
    inner = thing("t1", COMMENT, id="k2", replies=listing(deep, thing("more", {"count": 9, "children": ["k9"]})))
    page = listing(thing("t3", SUBMISSION), thing("t1", COMMENT, replies=listing(inner)), thing("t1", COMMENT, id="k4"))
    expected = [comment(), comment(post_id="t1_k2"), comment(post_id="t1_k3"), comment(post_id="t1_k4")]
    assert read("reddit", page) == [submission(), *expected]
    assert read("reddit", page["data"]["children"][1]) == expected[:3]


def test_pages_of_pushshift_are_read(read: Read) -> None:
    """Submissions and comments in `data`."""
    assert read("reddit", {"data": [SUBMISSION, COMMENT], "metadata": {}}) == [submission(), comment()]


def test_a_bad_thing_in_a_page_is_one_reject() -> None:
    """Its answers are read all the same."""
    bad = thing("t1", COMMENT, id=None, replies=listing(thing("t1", COMMENT)))
    page = listing(bad, thing("t5", {"id": "2q"}), 7)
    for value, items, places in (
        (page, [comment()], ["line 1, thing 0", "line 1, thing 2", "line 1, thing 3"]),
        ({"data": [{}, SUBMISSION]}, [submission()], ["line 1, data 0"]),
    ):
        parsed = FORMATS["reddit"].parse_records([Raw("line 1", json.dumps(value).encode())])
        assert (parsed.items, [reject.place for reject in parsed.rejects]) == (items, places)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"id": "1", "author": "secret"},
        SUBMISSION | {"id": None, "name": None},
        SUBMISSION | {"created_utc": "secret"},
        SUBMISSION | {"title": ["secret"]},
        {"id": "1", "link_id": "secret"},
        COMMENT | {"author": {"name": "secret"}},
        COMMENT | {"author_created_utc": "secret"},
    ],
)
def test_wrong_records_are_rejects(record: dict[str, Any]) -> None:
    """The reason holds nothing of the record."""
    with pytest.raises(RecordError) as error:
        FORMATS["reddit"].parse(Raw("line 1", json.dumps(record).encode()))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (json.dumps(SUBMISSION), "reddit"),
        (json.dumps(COMMENT), "reddit"),
        (json.dumps([listing(thing("t3", SUBMISSION)), listing(thing("t1", COMMENT))]), "reddit"),
        (json.dumps(thing("t1", COMMENT)), "reddit"),
        (json.dumps({"data": [COMMENT]}), "reddit"),
        ("id,author,created_utc,subreddit,body,parent_id\nk1,one,1767225600,tea,hello,t3_1abc\n", "reddit"),
        (json.dumps(listing(thing("t5", {"display_name": "tea"}))), None),
        (json.dumps({"messages": [{"role": "user", "content": "Hi"}]}), "messages"),
        ("id,thread_id,timestamp,subreddit,body,author\n1,1,2026-01-01,tea,hello,one\n", "4cat"),
        ("id,title,selftext,created_utc\n1,a,b,1767225600\n", None),
    ],
)
def test_reddit_is_told(tmp_path: Path, text: str, name: str | None) -> None:
    """Records, listings, tables; not a list of subreddits, nor 4CAT's tables of Reddit."""
    path = tmp_path / "file"
    path.write_text(text)
    found = detect(path)
    assert (found.format and found.format.name) == name
    assert name is None or found.confidence >= 0.8


@pytest.mark.shared
def test_real_tables_of_2013(shared_data: Path) -> None:
    """Nine tables of a thousand submissions without authors; 7,987 of them link to something."""
    form, found = FORMATS["reddit"], []
    for path in sorted((shared_data / "posts" / "reddit_2013").glob("*.csv")):
        with open_source(path) as opened:
            assert detect(opened).format is form
            parsed = form.parse_records(records(opened, form))
        assert (parsed.rejects, len(parsed.items)) == ([], 1000)
        found += [item for item in parsed.items if isinstance(item, Post)]
    assert len(found) == len({item.post_id for item in found}) == 9000
    assert {item.author for item in found} == {None} and {item.kind for item in found} == {"post"}
    assert min(item.time for item in found if item.time).year >= 2008
    assert sum(bool(item.urls) for item in found) == 7987
