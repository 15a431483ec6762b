"""Outputs in the wild: which posts say what the model wrote, as sets.

One prompt gives a batch of outputs, a batch becomes many posts, many platform accounts post them. Posts are compared with
outputs by the runs of words they share (`signals.near_copy`), which survives changed case, cut dashes, mentions, links,
added hashtags and truncation. A match is evidence only as part of a set:

* two or more platform accounts posted from the batch (the outputs one account got in one conversation, or one day);
* the text was not public before the output was written: then it is reported as that, and is no evidence;
* posts under 12 words match only whole, and count only where three or more different ones come from the batch.

p of a match is the chance that any unrelated post of the same length, language and day matches an output as well. The
estimate is simple: among posts of that sort by authors that this account's outputs do not match, and outputs of other
accounts, the share of (post, output) pairs that match, one added, times the number of such posts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import re2

from backlight.normalise import canonical_text, words
from backlight.signals import near_copy

LEAST = 0.5
"""Share of a post's runs that must stand in the output."""

AUTHORS = 2
"""Platform accounts that must have posted from a batch."""

SHORT_SET = 3
"""Different short posts that make a set."""

MATCHES = pa.schema(
    [
        ("interaction", pa.int64()),
        ("account", pa.int64()),
        ("asked", pa.timestamp("us", "UTC")),
        ("post", pa.int64()),
        ("author", pa.int64()),
        ("time", pa.timestamp("us", "UTC")),
        ("edit", pa.string()),
        ("score", pa.float64()),
        ("words", pa.int32()),
        ("verdict", pa.string()),
        ("p", pa.float64()),
    ]
)
"""One match. `edit`: what was changed. `verdict`: counts, public_before, one_author or short."""

_AT_ONCE = 8192
_DASHES = re2.compile(r"[-‐-―−]")
_BANDS = (12, 25, 50)
_FEW_POSTS = 20


@dataclass(frozen=True)
class Output:
    """One answer, in memory only."""

    interaction: int
    account: int
    time: datetime | None
    batch: int
    text: str


def match(outputs: Iterable[Output], posts: pa.Table, *, least: float = LEAST) -> pa.Table:
    """Match outputs to posts and judge each match as part of its set.

    Args:
        outputs: answers of accounts, decrypted in memory, taken a few thousand at a time.
        posts: columns id, author, time, kind, text and language of `tables.POSTS`; reposts repeat others and are left out.
        least: share of a post's runs that must stand in the output.

    Returns:
        Rows of `MATCHES`, by interaction and post.
    """
    rows = [
        row for row in posts.select(["id", "author", "time", "kind", "text", "language"]).to_pylist() if row["kind"] != "repost"
    ]
    prints = [near_copy.fingerprints(row["text"] or "") for row in rows]
    found: list[dict[str, Any]] = []
    compared: dict[int, int] = defaultdict(int)
    if rows:
        for some in _chunks(outputs):
            for output in some:
                compared[output.account] += 1
            found += _pairs(some, rows, prints, least)
    _judge(found)
    _chance(found, rows, compared)
    found.sort(key=lambda one: (one["interaction"], one["post"]))
    return pa.Table.from_pylist([{name: one[name] for name in MATCHES.names} for one in found], schema=MATCHES)


def _chunks(outputs: Iterable[Output]) -> Iterator[list[Output]]:
    stream = iter(outputs)
    while some := list(islice(stream, _AT_ONCE)):
        yield some


def _pairs(
    outputs: Sequence[Output], rows: Sequence[Mapping[str, Any]], prints: Sequence[near_copy.Prints], least: float
) -> list[dict[str, Any]]:
    theirs = [near_copy.fingerprints(output.text) for output in outputs]
    found = []
    for post, output, score in zip(*near_copy.matches(prints, theirs, least), strict=True):
        row, source = rows[post], outputs[output]
        found.append(
            {
                "interaction": source.interaction,
                "account": source.account,
                "asked": source.time,
                "batch": (source.account, source.batch),
                "post": row["id"],
                "author": row["author"],
                "time": row["time"],
                "edit": edit(row["text"], source.text),
                "score": float(score),
                "words": words(row["text"]),
                "short": near_copy.is_exact(prints[post]),
                "said": canonical_text(row["text"]),
                "sort": _sort(row),
            }
        )
    return found


def edit(post: str, output: str) -> str:
    """What happened between output and post: verbatim, dashes, marks, tags_or_links, truncated or reworded."""
    if post.strip() in output:
        return "verbatim"
    if _DASHES.sub("", post).split() and " ".join(_DASHES.sub(" ", post).split()) in " ".join(_DASHES.sub(" ", output).split()):
        return "dashes"
    said, wrote = canonical_text(post), canonical_text(output)
    if post.rstrip().endswith(("…", "...")):
        return "truncated"
    if said and said in wrote:
        plain = "".join(letter for letter in post.casefold() if letter.isalnum())
        return "marks" if plain in "".join(letter for letter in output.casefold() if letter.isalnum()) else "tags_or_links"
    return "reworded"


def _judge(found: Sequence[dict[str, Any]]) -> None:
    """Set each match's verdict from its batch."""
    first: dict[tuple[int, str], datetime] = {}
    batches: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for one in found:
        batches[one["batch"]].append(one)
        key = (one["interaction"], one["said"])
        if one["time"] is not None and (key not in first or one["time"] < first[key]):
            first[key] = one["time"]
    for batch in batches.values():
        for one in batch:
            earliest = first.get((one["interaction"], one["said"]))
            before = earliest is not None and one["asked"] is not None and earliest < one["asked"]
            one["verdict"] = "public_before" if before else ""
        fresh = [one for one in batch if not one["verdict"]]
        enough = len({one["said"] for one in fresh if one["short"]}) >= SHORT_SET
        counting = [one for one in fresh if enough or not one["short"]]
        several = len({one["author"] for one in counting}) >= AUTHORS
        for one in fresh:
            one["verdict"] = "short" if one["short"] and not enough else ("counts" if several else "one_author")


def _sort(row: Mapping[str, Any]) -> tuple[int, str, object]:
    """Length, language and day of a post."""
    length = words(row["text"] or "")
    band = sum(length >= edge for edge in _BANDS)
    return band, row["language"] or "und", row["time"].date() if row["time"] is not None else None


def _chance(found: Sequence[dict[str, Any]], rows: Sequence[Mapping[str, Any]], compared: Mapping[int, int]) -> None:
    """Set p of each match; days with few posts are pooled with the other days of that length and language."""
    of_day: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row in rows:
        band, language, day = _sort(row)
        for key in ((band, language, day), (band, language)):
            of_day[key].append(row["author"])
    authors: dict[int, set[int]] = defaultdict(set)
    for one in found:
        authors[one["account"]].add(one["author"])
    total = sum(compared.values())
    known: dict[tuple[object, ...], float] = {}
    for one in found:
        band, language, day = one["sort"]
        sort = (band, language, day) if len(of_day[band, language, day]) >= _FEW_POSTS else (band, language)
        key = (one["account"], *sort)
        if key not in known:
            own = authors[one["account"]]
            posts = sum(author not in own for author in of_day[sort])
            others = total - compared[one["account"]]
            matched = sum(
                other["account"] != one["account"] and other["author"] not in own and other["sort"][: len(sort)] == sort
                for other in found
            )
            known[key] = min(1.0, max(posts, 1) * (1 + matched) / (1 + posts * others))
        one["p"] = known[key]
