"""CrowdTangle's CSV exports: Facebook pages, Facebook groups and Instagram. The service closed in 2024; its archives remain.

Columns of Facebook, among some forty (groups have `Group Name` first)::

    Page Name, User Name, Facebook Id, Page Category, Page Admin Top Country, Page Description, Page Created,
    Likes at Posting, Followers at Posting, Post Created, Type, Total Interactions, URL, Message, Link, Final Link, ..

and of Instagram::

    Account, User Name, Followers at Posting, Post Created, Type, Total Interactions, URL, Link, Photo, Title, Description, ..

The text is `Message`, of Instagram `Description` (its caption). What a link's preview says and what was read out of pictures
(`Link Text`, `Description`, `Image Text`) is left out: the author did not write it. The post's id is the one in its `URL`. Each
row also says when its page was made and how many followed it at that moment.

`Post Created` ends with a word for the zone of the dashboard's owner (`2020-04-16 09:48:29 EDT`). Where one word names several
zones it is taken as CST: Chicago, IST: India, BST: Britain, AST: the Atlantic; a word that is not known is a reject, never a
guess. Numbers have commas (`1,972,048`). Ids that a spreadsheet rounded (`1.00064E+14`) are rejects: many accounts would become
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit

import msgspec

from backlight.errors import RecordError
from backlight.normalise import find_urls
from backlight.sources._chat import count, ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post
from backlight.sources._posts import needed, text_in
from backlight.sources._times import time_of

_Row = dict[str, Any]
_ZONES = {
    "Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "TRT": 3, "WAT": 1, "CAT": 2, "SAST": 2, "EAT": 3, "IDT": 3, "GST": 4, "PKT": 5, "IST": 5.5,
    "NPT": 5.75, "MMT": 6.5, "ICT": 7, "WIB": 7, "WITA": 8, "WIT": 9, "SGT": 8, "MYT": 8, "PHT": 8, "HKT": 8, "JST": 9,
    "KST": 9, "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "NST": -3.5,
    "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
    "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3, "BRST": -2, "ART": -3, "UYT": -3, "CLT": -4, "CLST": -3,
    "BOT": -4, "VET": -4, "PET": -5, "COT": -5, "ECT": -5,
}  # fmt: skip
_BY_QUERY = ("story_fbid", "fbid", "v")
_NOT_AN_ACCOUNT = ("groups", "p", "reel", "tv", "watch", "events")


@source(
    name="crowdtangle",
    title="CrowdTangle CSV export (Facebook pages and groups, Instagram)",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "created", "followers"),
    containers=("csv", "parquet", "jsonl", "json"),
    signature=(
        Rule(("Page Name|Group Name", "Facebook Id|User Name", "Post Created|Created", "URL", "Message"), 0.97),
        Rule(("Account", "User Name", "Followers at Posting", "Post Created|Created", "URL", "Description"), 0.97),
    ),
    rank=10,
    about="shares are not told from posts; the author of a group's post is the group; "
    "of zone words with several meanings (CST, IST, BST, AST) the commonest is taken",
)
def crowdtangle(record: _Row, context: Context) -> Iterator[Item | Flaw]:
    """One row is one post, and one statement about the account that published it.

    Raises:
        RecordError: the address or the author is missing, or a field is of a kind that cannot be read.
    """
    platform = "instagram" if "Account" in record and "Facebook Id" not in record else "facebook"
    url, author = needed(record.get("URL"), "URL"), _author(record)
    text = _text(record, platform)
    time = zoned_time(_either(record, "Post Created", "Created"), "Post Created")
    yield Post(
        platform=platform,
        post_id=_post_id(url),
        author=author,
        time=time,
        text=text,
        urls=_links(record, url, text),
    )
    try:
        yield from _account(record, platform, author, time)
    except RecordError as error:
        yield Flaw("the account", msgspec.json.encode({"Page Created": record.get("Page Created")}), error)


def _account(record: _Row, platform: str, author: str, time: datetime | None) -> Iterator[PlatformAccount]:
    created = zoned_time(record.get("Page Created"), "Page Created")
    followers = _number(record.get("Followers at Posting")) or None  # 0 stands for not known
    if created is not None or followers is not None:
        yield PlatformAccount(platform=platform, author=author, created=created, followers=followers, as_of=time)


def _author(record: _Row) -> str:
    """The page's id; a handle where there is none, as on Instagram."""
    return needed(unrounded(record.get("Facebook Id"), "Facebook Id") or record.get("User Name"), "Facebook Id or User Name")


def unrounded(value: Any, field: str) -> str | None:
    """An id that no spreadsheet and no table of floats has rounded.

    Raises:
        RecordError: it was, or is no id.
    """
    found = ident(value, field)
    if found is not None and ("E+" in found.upper() or (found.endswith(".0") and found[:-2].isdigit())):
        raise RecordError(f"{field} was rounded by a spreadsheet", "the file as it was exported")
    return found


def _text(record: _Row, platform: str) -> str:
    if platform == "facebook":
        return text_in(record.get("Message"), "Message")
    return text_in(_either(record, "Description", "Title"), "Description")


def _either(record: _Row, *names: str) -> Any:
    return next((record[name] for name in names if record.get(name) not in (None, "")), None)


def _number(value: Any) -> int | None:
    return count(value.replace(",", "").strip() if isinstance(value, str) else value)


def zoned_time(value: Any, field: str) -> datetime | None:
    """A time with a word for its zone behind it; without one it is UTC.

    Raises:
        RecordError: it is no time, or nobody knows the word.
    """
    stamp, _, zone = value.strip().rpartition(" ") if isinstance(value, str) else ("", "", "")
    if zone[:4] in ("GMT+", "GMT-"):
        zone = zone[3:]
    if zone[:1] in ("+", "-"):
        return time_of(stamp + zone, field)
    if not stamp or not zone[:1].isalpha():
        return time_of(value, field)
    hours = _ZONES.get(zone.upper())
    if hours is None:
        raise RecordError(f"the zone of {field} is not known", "a word such as UTC, EDT or CEST")
    time = time_of(stamp, field)
    return None if time is None else time - timedelta(hours=hours)


def _split(link: str) -> SplitResult:
    try:
        return urlsplit(link[:2048])
    except ValueError:
        raise RecordError("URL is no address", "the post's address") from None


def _segments(link: SplitResult) -> list[str]:
    return [segment for segment in link.path.split("/") if segment]


def _post_id(url: str) -> str:
    """The id in a post's address: of `permalink.php` and its like in the query, else the last part of the path."""
    parts = _split(url)
    try:
        query = parse_qs(parts.query, max_num_fields=50)
    except ValueError:
        query = {}
    last = next((segment for segment in reversed(_segments(parts)) if not segment.endswith(".php")), None)
    return needed(next((query[name][0] for name in _BY_QUERY if name in query), last), "the post's id in URL")


def _links(record: _Row, url: str, text: str) -> list[str]:
    """The link of the post as it leads, then those in its text; nothing where the link is the post's own address or picture.

    With an empty list those in the text are found later all the same.
    """
    link = _either(record, "Final Link", "Link")
    if not isinstance(link, str) or "://" not in link or _is_own(link, url, record):
        return []
    return [link, *find_urls(text)]


def _is_own(link: str, url: str, record: _Row) -> bool:
    """Whether a link leads to the account itself, where its posts and pictures are."""
    if link == url:
        return True
    try:
        there, here = _split(link), _split(url)
    except RecordError:
        return False
    own = {str(record.get("User Name")).lower(), str(record.get("Facebook Id")).lower(), _account_in(here)}
    return there.netloc.lower() == here.netloc.lower() and _account_in(there) in own


def _account_in(link: SplitResult) -> str:
    segments = [segment.lower() for segment in _segments(link) if segment.lower() not in _NOT_AN_ACCOUNT]
    return segments[0] if segments else ""
