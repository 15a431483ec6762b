"""Outputs in the wild: which posts say what the model wrote, as sets.

One prompt gives a batch of outputs, a batch becomes many posts, many platform accounts post them. Posts are compared with
outputs by the runs of words they share (`signals.near_copy`), which survives changed case, cut dashes, mentions, links,
added hashtags and truncation. A match is evidence only as part of a set, and only where chance does not explain it:

* it was not public before: no earlier post says the same (then it is reported as `public_before`);
* it is somebody's: posts that the outputs of ten or more accounts match are common words (`common`);
* posts under 12 words match only whole, and count only where three or more different ones come from the batch (`short`);
* two or more platform accounts posted from the batch: what one account got in one conversation, or one day (`one_author`);
* sets like the account's are rare (`chance`): where it is unusual, p <= 0.05, but not beyond what so many accounts make by
  accident, it `suggests`: it may tie accounts, whose shared platform accounts are weighed, and is no hard item.

Chance: the null of a batch that some platform accounts posted from is the share of unrelated accounts' batches of that
language that as many posted from, one added; where none reached as many, the Poisson tail at their mean, one match added.
Unrelated is a batch that does not reach two of the same platform accounts: partners must not be each other's chance. It is
asked twice, of all matches and of close ones (four fifths of the runs), since reworded copies are more often chance. An
account with n batches has p = the least, over its j best, of P(Binomial(n, p_j) >= j), times how many it has; then
Benjamini-Hochberg over accounts and both levels. So an account is judged by how unlikely its *set* of matches is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import re2
from scipy.stats import binom, poisson

from backlight.links.chance import benjamini_hochberg
from backlight.normalise import canonical_text, words
from backlight.signals import near_copy

LEAST = 0.5
"""Share of a post's runs that must stand in the output."""

AUTHORS = 2
"""Platform accounts that must have posted from a batch."""

SHORT_SET = 3
"""Different short posts that make a set."""

COMMON = 10
"""Accounts whose outputs match a post, from which its words are common: more than work on one text together."""

LEVELS = (LEAST, 0.8)
"""Shares of a post's runs at which matches are judged: all, and close ones."""

P = Q = 0.05

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
"""One match. `edit`: what was changed, told where it counts. `verdict`: `counts`, or why not. `p`: of the account's set."""

_AT_ONCE = 8192
_DASHES = re2.compile(r"[-‐-―−]")


@dataclass(frozen=True)
class Output:
    """One answer, in memory only.

    Attributes:
        interaction: whose answer it is.
        account: who got it.
        time: when.
        batch: the conversation, or the day where there is none: outputs that are looked at together.
        text: the answer.
        language: of the answer or the prompt.
    """

    interaction: int
    account: int
    time: datetime | None
    batch: int
    text: str
    language: str = "und"


@dataclass
class _Match:
    """One match while it is judged."""

    output: Output
    row: int
    score: float
    edit: str
    verdict: str = ""
    p: float = 1.0


class _Posts:
    """Posts with their fingerprints; reposts repeat others and are left out."""

    def __init__(self, posts: pa.Table) -> None:
        columns = ["id", "author", "time", "kind", "text"]
        self.rows = [row for row in posts.select(columns).to_pylist() if row["kind"] != "repost" and row["text"]]
        self.prints = [near_copy.fingerprints(row["text"]) for row in self.rows]
        self.short = [near_copy.is_exact(prints) for prints in self.prints]
        self._sets: dict[int, frozenset[int]] = {}

    def same(self, one: int, other: int) -> bool:
        """Whether one post says what another says: shares the runs that make a match."""
        own = self._set(one)
        return len(own & self._set(other)) >= LEAST * len(own)

    def _set(self, row: int) -> frozenset[int]:
        if row not in self._sets:
            self._sets[row] = frozenset(self.prints[row].tolist())
        return self._sets[row]


def match(outputs: Iterable[Output], posts: pa.Table, *, least: float = LEAST) -> pa.Table:
    """Match outputs to posts and judge each match as part of its set.

    Args:
        outputs: answers of accounts, decrypted in memory, taken a few thousand at a time.
        posts: columns id, author, time, kind and text of `tables.POSTS`.
        least: share of a post's runs that must stand in the output.

    Returns:
        Rows of `MATCHES`, by interaction and post.
    """
    known = _Posts(posts)
    found: list[_Match] = []
    batches: dict[tuple[int, int], str] = {}
    for some in _chunks(outputs) if known.rows else ():
        batches |= {(output.account, output.batch): output.language for output in some}
        found += _pairs(some, known, least)
    _judge(found, known)
    _chance(found, known, batches)
    found.sort(key=lambda one: (one.output.interaction, known.rows[one.row]["id"]))
    return pa.Table.from_pylist([_row(one, known.rows[one.row]) for one in found], schema=MATCHES)


def _chunks(outputs: Iterable[Output]) -> Iterator[list[Output]]:
    stream = iter(outputs)
    while some := list(islice(stream, _AT_ONCE)):
        yield some


def _pairs(outputs: Sequence[Output], known: _Posts, least: float) -> list[_Match]:
    """Matches of one chunk; what must outlive its texts is told now."""
    theirs = [near_copy.fingerprints(output.text) for output in outputs]
    found = []
    for post, output, score in zip(
        *(column.tolist() for column in near_copy.matches(known.prints, theirs, least)), strict=True
    ):
        source, row = outputs[output], known.rows[post]
        later = source.time is None or row["time"] is None or row["time"] >= source.time
        kept = Output(source.interaction, source.account, source.time, source.batch, "", source.language)
        found.append(_Match(kept, post, score, edit(row["text"], source.text) if later else ""))
    return found


def _row(one: _Match, post: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "interaction": one.output.interaction, "account": one.output.account, "asked": one.output.time, "post": post["id"],
        "author": post["author"], "time": post["time"], "edit": one.edit, "score": one.score, "words": words(post["text"]),
        "verdict": one.verdict, "p": one.p,
    }  # fmt: skip


def edit(post: str, output: str) -> str:
    """What happened between output and post: verbatim, dashes, marks, tags_or_links, truncated or reworded."""
    if post.strip() in output:
        return "verbatim"
    if " ".join(_DASHES.sub(" ", post).split()) in _without_dashes(output):
        return "dashes"
    if post.rstrip().endswith(("…", "...")):
        return "truncated"
    said = canonical_text(post)
    if said and said in _canonical(output):
        return "marks" if _letters(post) in _letters(output) else "tags_or_links"
    return "reworded"


@lru_cache(maxsize=256)
def _without_dashes(text: str) -> str:
    return " ".join(_DASHES.sub(" ", text).split())


@lru_cache(maxsize=256)
def _canonical(text: str) -> str:
    return canonical_text(text)


@lru_cache(maxsize=256)
def _letters(text: str) -> str:
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def _judge(found: Sequence[_Match], known: _Posts) -> None:
    """Set the verdict of matches that are no evidence by themselves, and of batches that are no set."""
    accounts: dict[int, set[int]] = defaultdict(set)
    outputs: dict[int, list[_Match]] = defaultdict(list)
    batches: dict[tuple[int, int], list[_Match]] = defaultdict(list)
    for one in found:
        accounts[one.row].add(one.output.account)
        outputs[one.output.interaction].append(one)
        batches[one.output.account, one.output.batch].append(one)
    for own in outputs.values():
        _public_before(own, known)
    for one in found:
        if not one.verdict and len(accounts[one.row]) >= COMMON:
            one.verdict = "common"
    for batch in batches.values():
        fresh = [one for one in batch if not one.verdict]
        texts = {canonical_text(known.rows[one.row]["text"]) for one in fresh if known.short[one.row]}
        for one in fresh:
            if known.short[one.row] and len(texts) < SHORT_SET:
                one.verdict = "short"
        counting = [one for one in fresh if not one.verdict]
        if len({known.rows[one.row]["author"] for one in counting}) < AUTHORS:
            for one in counting:
                one.verdict = "one_author"


def _public_before(own: Sequence[_Match], known: _Posts) -> None:
    """Earlier posts that an output matches, and later ones that say what an earlier one said."""

    def earlier(one: _Match) -> bool:
        time, asked = known.rows[one.row]["time"], one.output.time
        return time is not None and asked is not None and bool(time < asked)

    before = [one.row for one in own if earlier(one)]
    for one in own:
        if earlier(one) or any(known.same(one.row, row) for row in before[:50]):
            one.verdict = "public_before"


def _chance(found: Sequence[_Match], known: _Posts, batches: Mapping[tuple[int, int], str]) -> None:
    """Set p of each account's set, and the verdict of every match that is left."""
    ids = sorted({account for account, _ in batches})
    levels = [_level(found, known, batches, ids, level) for level in LEVELS]
    q = benjamini_hochberg(np.concatenate([level.p for level in levels]), len(LEVELS) * len(ids)).reshape(len(LEVELS), -1)
    place = {account: n for n, account in enumerate(ids)}
    for one in found:
        if one.verdict:
            continue
        n = place[one.output.account]
        key = (one.output.account, one.output.batch)
        told = [m for m, level in enumerate(LEVELS) if one.score >= level and len(levels[m].authors.get(key, ())) >= AUTHORS]
        one.p = min((float(levels[m].p[n]) for m in told), default=1.0)
        counts = any(q[m, n] <= Q for m in told)
        one.verdict = "counts" if counts else ("suggests" if one.p <= P else "chance")


@dataclass(frozen=True)
class _Level:
    """p of each account at one level, and which platform accounts posted from each batch there."""

    p: npt.NDArray[np.float64]
    authors: Mapping[tuple[int, int], set[int]]


def _level(
    found: Sequence[_Match], known: _Posts, batches: Mapping[tuple[int, int], str], ids: Sequence[int], level: float
) -> _Level:
    authors: dict[tuple[int, int], set[int]] = defaultdict(set)
    for one in found:
        if not one.verdict and one.score >= level:
            authors[one.output.account, one.output.batch].add(known.rows[one.row]["author"])
    reach: dict[str, list[tuple[int, frozenset[int]]]] = defaultdict(list)
    own: dict[int, list[tuple[frozenset[int], str]]] = defaultdict(list)
    for key in sorted(batches):
        reached = frozenset(authors.get(key, ()))
        reach[batches[key]].append((key[0], reached))
        own[key[0]].append((reached, batches[key]))
    of_language = {language: _Reach(rows) for language, rows in reach.items()}
    return _Level(np.array([_of_set(account, own[account], of_language) for account in ids]), dict(authors))


class _Reach:
    """Which platform accounts posted from each batch of one language.

    Args:
        rows: account and platform accounts of each batch.
    """

    def __init__(self, rows: Sequence[tuple[int, frozenset[int]]]) -> None:
        self._all, self._some = len(rows), [row for row in rows if row[1]]
        self._of: dict[int, int] = defaultdict(int)
        for account, _ in rows:
            self._of[account] += 1

    def p(self, account: int, reached: frozenset[int]) -> float:
        """Chance that so many platform accounts posted from a batch, told from unrelated batches of other accounts."""
        unrelated = [len(them) for other, them in self._some if other != account and len(them & reached) < AUTHORS]
        others = self._all - self._of[account]
        above = sum(n >= len(reached) for n in unrelated)
        beyond = float(poisson.sf(len(reached) - 1, (1 + sum(unrelated)) / (1 + others)))
        return max(beyond, (1 + above) / (1 + others)) if above else beyond


def _of_set(account: int, own: Sequence[tuple[frozenset[int], str]], of_language: Mapping[str, _Reach]) -> float:
    """The p of an account: its j best batches against a binomial, the least over j, times how many there are."""
    each = sorted(of_language[language].p(account, reached) for reached, language in own if len(reached) >= AUTHORS)
    if not each:
        return 1.0
    tails = [float(binom.sf(j - 1, len(own), p)) for j, p in enumerate(each, 1)]
    return min(1.0, min(tails) * len(each))
