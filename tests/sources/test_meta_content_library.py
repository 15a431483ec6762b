"""Meta Content Library's posts of Facebook and Instagram."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Context, Item, Post, Raw, detect, records

Read = Callable[[str, Any], list[Item]]
LIBRARY = FORMATS["meta-content-library"]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = "https://www.facebook.com/transparency-tools/content-library/dataset/9"
COMMON = {
    "content_type": "links",
    "creation_time": "2026-01-01T00:00:00+00:00",
    "id": "120000000000000007",
    "is_branded_content": "false",
    "lang": "nl",
    "modified_time": "2026-01-02T00:00:00+00:00",
    "multimedia": "[]",
    "post_owner.type": "page",
    "post_owner.id": "120000000000000001",
    "post_owner.name": "Tide News",
    "post_owner.username": "tidenews",
    "statistics.comment_count": "3",
    "statistics.like_count": "12",
    "statistics.views": "1400",
    "text": "High tide today, see https://e.example/2",
}
FACEBOOK = COMMON | {
    "mcl_url": f"{PAGE}/facebook/entity/120000000000000007",
    "link_attachment.link": "https://e.example/1",
    "link_attachment.name": "The tide",
    "shared_post_id": "",
    "statistics.share_count": "2",
    "surface.id": "120000000000000001",
    "surface.type": "page",
}
INSTAGRAM = COMMON | {
    "content_type": "reels",
    "mcl_url": f"{PAGE}/instagram/entity/120000000000000007",
    "post_owner.type": "creator",
    "hashtags": '["tide","moon"]',
}


def post(**changes: Any) -> Post:
    given = {
        "platform": "facebook",
        "post_id": "120000000000000007",
        "author": "120000000000000001",
        "text": "High tide today, see https://e.example/2",
        "language": "nl",
        "urls": ["https://e.example/1", "https://e.example/2"],
    }
    return Post(time=NEW_YEAR, **(given | changes))


def test_a_row_of_facebook_is_a_post(read: Read) -> None:
    """The attached link comes before those in the text."""
    assert read("meta-content-library", FACEBOOK) == [post()]


def test_a_row_of_instagram_lists_its_hashtags(read: Read) -> None:
    """Where the text holds them too, they are looked for there, where they stand in their order."""
    listed = post(platform="instagram", urls=[], hashtags=["tide", "moon"])
    assert read("meta-content-library", INSTAGRAM) == [listed]
    assert read("meta-content-library", INSTAGRAM | {"hashtags": "tide, moon"}) == [listed]
    (found,) = read("meta-content-library", INSTAGRAM | {"text": "#moon and #tide"})
    assert found == post(platform="instagram", urls=[], text="#moon and #tide")


@pytest.mark.parametrize(("text", "kind"), [("Look at this.", "quote"), ("", "repost"), (" \n", "repost")])
def test_a_shared_post_is_a_quote_or_a_repost(read: Read, text: str, kind: str) -> None:
    """By whether the one who shared it said something."""
    row = FACEBOOK | {"shared_post_id": "120000000000000005", "text": text, "link_attachment.link": ""}
    assert read("meta-content-library", row) == [post(kind=kind, parent="120000000000000005", text=text, urls=[])]


def test_names_with_dots_may_be_objects(read: Read) -> None:
    """As the interface gives them, with lists that are lists and ids that are numbers."""
    row: dict[str, Any] = {key: value for key, value in INSTAGRAM.items() if "." not in key}
    row |= {"id": 120_000_000_000_000_007, "post_owner": {"id": "120000000000000001", "type": "creator"}}
    row |= {"statistics": {"views": 1400}, "hashtags": ["tide", "moon"], "link_attachment": None}
    assert read("meta-content-library", row) == [post(platform="instagram", urls=[], hashtags=["tide", "moon"])]


def test_an_owner_without_an_id_is_known_by_the_handle(read: Read) -> None:
    """And one without either is nobody."""
    found = [
        read("meta-content-library", FACEBOOK | {"post_owner.id": ""} | more)[0] for more in ({}, {"post_owner.username": ""})
    ]
    assert found == [post(author="tidenews"), post(author=None)]


@pytest.mark.parametrize(
    ("row", "platform"),
    [
        (COMMON | {"mcl_url": f"{PAGE}/threads/entity/7"}, "threads"),
        (FACEBOOK | {"mcl_url": ""}, "facebook"),
        (COMMON | {"surface.id": ""}, "facebook"),
        (INSTAGRAM | {"mcl_url": ""}, "instagram"),
        (INSTAGRAM | {"mcl_url": "", "surface.id": "", "statistics.share_count": ""}, "instagram"),
        (COMMON | {"mcl_url": f"{PAGE}/7", "hashtags": ""}, "instagram"),
        (COMMON, "other"),
    ],
)
def test_the_platform_is_told_by_the_address_or_the_columns(read: Read, row: dict[str, str], platform: str) -> None:
    """A table of both platforms has the columns of both; that all of it lies on facebook.com says nothing."""
    found = read("meta-content-library", row)[0]
    assert isinstance(found, Post) and found.platform == platform


def test_a_platform_that_was_named_is_taken_where_nothing_tells() -> None:
    """And nowhere else."""
    named = Context(platform="facebook")
    items = [LIBRARY.parse(Raw("line 2", json.dumps(row).encode()), named)[0] for row in (COMMON, INSTAGRAM)]
    assert [item.platform for item in items if isinstance(item, Post)] == ["facebook", "instagram"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"id": ""}, "id is missing"),
        ({"id": "1.2E+17"}, "id was rounded by a spreadsheet"),
        ({"id": 1.2e17}, "id is no id"),
        ({"post_owner.id": "120000000000000001.0"}, "post_owner.id was rounded by a spreadsheet"),
        ({"shared_post_id": "1.2e+17"}, "shared_post_id was rounded by a spreadsheet"),
        ({"creation_time": "soon"}, "creation_time is no time"),
        ({"text": ["a"]}, "text is no text"),
    ],
)
def test_a_wrong_row_is_refused(bad: dict[str, Any], reason: str) -> None:
    """An id that was rounded would make one of many."""
    with pytest.raises(RecordError, match=reason):
        LIBRARY.parse(Raw("line 2", json.dumps(FACEBOOK | bad).encode()))


@pytest.mark.parametrize("row", [FACEBOOK, INSTAGRAM], ids=["facebook", "instagram"])
def test_its_downloads_are_recognised_and_read(tmp_path: Path, row: dict[str, str]) -> None:
    """With their byte order mark, and texts of many lines."""
    path = tmp_path / "download.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerows([row, row | {"text": 'Two lines,\nand "a word".'}])
    found = detect(path)
    parsed = LIBRARY.parse_records(records(path, LIBRARY))
    assert found.format is LIBRARY and found.confidence >= 0.9
    assert [item.text for item in parsed.items if isinstance(item, Post)] == [row["text"], 'Two lines,\nand "a word".']
    assert parsed.rejects == []


@pytest.mark.parametrize(
    "record",
    [
        {"id": "1", "creation_time": "2026-01-01", "text": "a", "author": "b"},
        {"id": "1", "text": "a", "author_id": "2", "public_metrics": {"like_count": 1}},
        {"id": "1", "creation_time": "2026-01-01", "messages": [{"role": "user", "content": "a"}]},
    ],
)
def test_others_are_not_mistaken(tmp_path: Path, record: dict[str, Any]) -> None:
    """Posts of other sources, and chats."""
    path = tmp_path / "other.jsonl"
    path.write_text(json.dumps(record) + "\n")
    assert detect(path).format is not LIBRARY
