"""CrowdTangle's CSV exports of Facebook and Instagram."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError
from backlight.sources import FORMATS, Item, PlatformAccount, Post, Raw, detect, records
from backlight.sources.crowdtangle import zoned_time

Read = Callable[[str, Any], list[Item]]
CROWDTANGLE = FORMATS["crowdtangle"]
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
BORN = datetime(2012, 8, 27, 10, 33, 23, tzinfo=UTC)
PAGE = {
    "Page Name": "Tide News",
    "User Name": "tidenews",
    "Facebook Id": "100064000000001",
    "Page Category": "NEWS_SITE",
    "Page Admin Top Country": "NL",
    "Page Description": "News of the sea.",
    "Page Created": "2012-08-27 10:33:23",
    "Likes at Posting": "11,500",
    "Followers at Posting": "12,345",
    "Post Created": "2025-12-31 19:00:00 EST",
    "Post Created Date": "2025-12-31",
    "Post Created Time": "19:00:00",
    "Type": "Link",
    "Total Interactions": "1,972,048",
    "Likes": "12",
    "URL": "https://www.facebook.com/tidenews/posts/858090351333568",
    "Message": "High #tide today, see https://e.example/2",
    "Link": "https://s.example/1",
    "Final Link": "https://e.example/1",
    "Image Text": "TIDE",
    "Link Text": "The tide",
    "Description": "A preview",
    "Overperforming Score (weighted  —  Likes 1x Shares 1x )": "1.5",
}
ACCOUNT = {
    "Account": "Tide News",
    "User Name": "tidenews",
    "Followers at Posting": "12345",
    "Post Created": "2026-01-01 01:00:00 CET",
    "Type": "Photo",
    "Total Interactions": "1,048",
    "Likes": "1,000",
    "Comments": "48",
    "Views": "0",
    "URL": "https://www.instagram.com/p/CAbc_1-2/",
    "Link": "https://www.instagram.com/p/CAbc_1-2/",
    "Photo": "https://cdn.example/p.jpg",
    "Title": "",
    "Description": "High #tide today",
    "Image Text": "",
}
AUTHOR = "100064000000001"


def post(**changes: Any) -> Post:
    given = {
        "platform": "facebook",
        "post_id": "858090351333568",
        "author": AUTHOR,
        "text": "High #tide today, see https://e.example/2",
        "urls": ["https://e.example/1", "https://e.example/2"],
    }
    return Post(time=NEW_YEAR, **(given | changes))


def test_a_row_of_facebook_is_a_post_and_a_statement_about_its_page(read: Read) -> None:
    """The link as it leads comes before those in the text; what a preview or a picture says is no text of the post."""
    followed = PlatformAccount(platform="facebook", author=AUTHOR, created=BORN, followers=12_345, as_of=NEW_YEAR)
    assert read("crowdtangle", PAGE) == [post(), followed]


def test_a_row_of_instagram_has_a_handle_and_a_caption(read: Read) -> None:
    """Its own address and its picture are no links."""
    found, followed = read("crowdtangle", ACCOUNT)
    assert found == post(platform="instagram", post_id="CAbc_1-2", author="tidenews", text="High #tide today", urls=[])
    assert followed == PlatformAccount(platform="instagram", author="tidenews", followers=12_345, as_of=NEW_YEAR)


def test_the_author_of_a_groups_post_is_the_group(read: Read) -> None:
    """Who posted there is not told; 0 followers are none that were counted."""
    url = "https://www.facebook.com/groups/77/permalink/5"
    group = {("Group Name" if k == "Page Name" else k): v for k, v in PAGE.items()} | {"Facebook Id": "77", "URL": url}
    group |= {"Page Created": "", "Followers at Posting": "0", "User Name": ""}
    assert read("crowdtangle", group) == [post(post_id="5", author="77")]


def test_older_exports_have_fewer_columns_and_another_name_for_the_time(read: Read) -> None:
    """Created, and nothing about the page."""
    gone = ("Post Created", "Page Created", "Followers at Posting", "Page Admin Top Country")
    old = {k: v for k, v in PAGE.items() if k not in gone} | {"Created": "2025-12-31 19:00:00 EST"}
    assert read("crowdtangle", old) == [post()]


@pytest.mark.parametrize(
    ("url", "post_id"),
    [
        ("https://www.facebook.com/tidenews/videos/12/", "12"),
        ("https://www.facebook.com/tidenews/photos/a.1/34/?type=3", "34"),
        ("https://www.facebook.com/permalink.php?story_fbid=56&id=100064000000001", "56"),
        ("https://www.facebook.com/photo.php?fbid=78&set=a.1", "78"),
        ("https://www.facebook.com/watch/?v=90", "90"),
        ("https://www.facebook.com/tidenews/posts/pfbid0Abc", "pfbid0Abc"),
    ],
)
def test_the_posts_id_is_in_its_address(read: Read, url: str, post_id: str) -> None:
    """Of whatever form it is."""
    found = read("crowdtangle", PAGE | {"URL": url})[0]
    assert isinstance(found, Post) and found.post_id == post_id


@pytest.mark.parametrize(
    ("link", "urls"),
    [
        ("https://www.facebook.com/tidenews/photos/a.1/2", []),
        ("https://www.facebook.com/100064000000001/videos/2", []),
        ("https://www.facebook.com/TideNews/posts/3", []),
        (PAGE["URL"], []),
        ("", []),
        ("N/A", []),
        ("https://www.facebook.com/other/posts/3", ["https://www.facebook.com/other/posts/3", "https://e.example/2"]),
        ("https://e.example/tidenews/3", ["https://e.example/tidenews/3", "https://e.example/2"]),
        ("http://[broken/3", ["http://[broken/3", "https://e.example/2"]),
    ],
)
def test_links_to_the_page_itself_are_left_out(read: Read, link: str, urls: list[str]) -> None:
    """Under its handle or its id; the links in the text are then found by whoever stores the post."""
    found = read("crowdtangle", PAGE | {"Link": link, "Final Link": ""})[0]
    assert isinstance(found, Post) and found.urls == urls


@pytest.mark.parametrize(
    ("value", "hours"),
    [
        ("2026-01-01 00:00:00", 0),
        ("2026-01-01 00:00:00 UTC", 0),
        ("2026-01-01 00:00:00 EDT", 4),
        ("2026-01-01 00:00:00 CEST", -2),
        ("2026-01-01 00:00:00 nzdt", -13),
        ("2026-01-01 00:00:00 NST", 3.5),
        ("2026-01-01 00:00:00 IST", -5.5),
        ("2026-01-01 00:00:00 GMT+03:00", -3),
        ("2026-01-01 00:00:00 -03", 3),
        ("2026-01-01T00:00:00+01:00", -1),
    ],
)
def test_words_for_zones_are_read(value: str, hours: float) -> None:
    """East of Greenwich the day begins earlier."""
    assert zoned_time(value, "Post Created") == NEW_YEAR + timedelta(hours=hours)


def test_no_time_is_none() -> None:
    """An empty cell was not collected."""
    assert zoned_time("", "Post Created") is zoned_time(None, "Post Created") is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"URL": ""}, "URL is missing"),
        ({"URL": "https://www.facebook.com/permalink.php"}, "the post's id in URL is missing"),
        ({"URL": "http://[broken/3"}, "URL is no address"),
        ({"Facebook Id": "", "User Name": ""}, "Facebook Id or User Name is missing"),
        ({"Facebook Id": "1.00064E+14"}, "Facebook Id was rounded by a spreadsheet"),
        ({"Facebook Id": "100064000000001.0"}, "Facebook Id was rounded by a spreadsheet"),
        ({"Facebook Id": 1.5}, "Facebook Id is no id"),
        ({"Post Created": "2026-01-01 00:00:00 QQT"}, "the zone of Post Created is not known"),
        ({"Post Created": "soon"}, "Post Created is no time"),
        ({"Message": []}, "Message is no text"),
    ],
)
def test_a_wrong_row_is_refused(bad: dict[str, Any], reason: str) -> None:
    """The reason names the column and never its value."""
    with pytest.raises(RecordError, match=reason) as caught:
        CROWDTANGLE.parse(Raw("line 2", json.dumps(PAGE | bad).encode()))
    assert not any(str(value) and str(value) in str(caught.value) for value in bad.values())


def test_a_wrong_day_of_the_page_leaves_the_post() -> None:
    """It is a reject of its own."""
    parsed = CROWDTANGLE.parse_records([Raw("line 2", json.dumps(PAGE | {"Page Created": "long ago"}).encode())])
    assert parsed.items == [post()]
    assert [(r.place, r.reason.partition(";")[0]) for r in parsed.rejects] == [
        ("line 2, the account", "the zone of Page Created is not known")
    ]


def _table(path: Path, *rows: dict[str, str], delimiter: str = ",") -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("row", [PAGE, ACCOUNT], ids=["facebook", "instagram"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_its_files_are_recognised_and_read(tmp_path: Path, row: dict[str, str], delimiter: str) -> None:
    """As they are downloaded, with a byte order mark, or saved once more with semicolons."""
    path = _table(tmp_path / "export.csv", row, row, delimiter=delimiter)
    found = detect(path)
    parsed = CROWDTANGLE.parse_records(records(path, CROWDTANGLE))
    assert found.format is CROWDTANGLE and found.confidence >= 0.9
    assert (len(parsed.items), parsed.rejects) == (4, [])


@pytest.mark.parametrize(
    "header", ["Account,User Name,Balance,Created,URL", "Page Name,URL,Views", "Group Name,User Name,Email,Created,Message"]
)
def test_other_tables_are_not_mistaken(tmp_path: Path, header: str) -> None:
    """Whose columns have some of the same names."""
    path = tmp_path / "other.csv"
    path.write_text(f"{header}\n{','.join('x' for _ in header.split(','))}\n")
    assert detect(path).format is None
