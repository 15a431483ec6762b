"""The story world: what its files hold and what happens in it."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RequestError
from backlight.normalise import canonical_text, find_urls, registrable_domain
from backlight.worlds import WORLDS, simulate
from backlight.worlds._cast import Cast
from backlight.worlds._dice import Dice
from backlight.worlds._talk import sessions

OPERATIONS = {"plan": 1, "romance": 12, "farm": 5, "approach": 4}
DECOYS = {
    "class": 30, "newsroom": 9, "agency": 14, "brand": 6, "novelists": 8, "researchers": 6, "office": 25, "support": 40,
    "fans": 20, "victims": 10,
}  # fmt: skip
RANGES = [ipaddress.ip_network(n) for n in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
FILES = ("logs.jsonl", "posts.csv", "identifiers.csv", "platform_accounts.csv", "truth.csv")


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    """Two runs with one seed write the same bytes; another seed writes others."""
    for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
        simulate("story", tmp_path / folder, seed=seed, size=0.05)
    for name in FILES:
        first, second, other = ((tmp_path / folder / name).read_bytes() for folder in "abc")
        assert first == second and first != other


def test_sizes_are_as_told(story: Any) -> None:
    """About 600 accounts, 10,000 interactions and 4,000 posts; the summary counts what the files hold."""
    summary = story.summary
    assert (len(story.truth), len(story.log), len(story.table("posts.csv"))) == (
        summary.accounts, summary.interactions, summary.posts,
    )  # fmt: skip
    assert 570 <= summary.accounts <= 640
    assert 9_300 <= summary.interactions <= 10_900
    assert 3_800 <= summary.posts <= 4_300


def test_operations_and_decoys_are_all_there(story: Any) -> None:
    """Each has its stated size in truth.csv, and each of its accounts says something."""
    active = {story.account(record) for record in story.log}
    assert Counter(op for op, _ in story.truth.values() if op) == OPERATIONS
    assert Counter(group for _, group in story.truth.values() if group) == DECOYS
    assert active == set(story.truth)


def test_the_log_has_the_fields_of_the_real_payload(story: Any, shared_payload: dict[str, object]) -> None:
    """Every field of a record stands in a real StandardLoggingPayload, in the same order."""
    real = [field for field in shared_payload if field in story.log[0]]
    assert list(story.log[0]) == real


def test_headers_are_the_plain_forms(story: Any) -> None:
    """The tables begin with the columns of the command-line reference."""
    headers = [(story.folder / name).read_text(encoding="utf-8").split("\n", 1)[0] for name in FILES[1:]]
    assert headers == [
        "platform,post_id,author,created_at,text,url,hashtags,kind,parent,language",
        "account,kind,value,first_seen,last_seen",
        "platform,author,created_at,followers,as_of",
        "account,operation,group",
    ]


def test_requests_repeat_the_conversation(story: Any) -> None:
    """In a conversation each request is the last one, its answer and a new turn."""
    conversations = defaultdict(list)
    for record in story.log:
        conversations[record["trace_id"]].append(record)
    longer = [records for records in conversations.values() if len(records) > 1]
    assert len(longer) > 1000
    for records in longer:
        for before, after in pairwise(records):
            assert after["messages"][:-2] == before["messages"]
            assert after["messages"][-2]["role"] == "assistant"


def test_records_stand_in_order_of_time(story: Any) -> None:
    """The log and the posts run from 2 to 31 March 2026 and never go back."""
    times = [record["startTime"] for record in story.log]
    posts = [row["created_at"] for row in story.table("posts.csv")]
    assert times == sorted(times) and posts == sorted(posts)
    assert min(times) >= "2026-03-02" and max(times) < "2026-04-01"
    assert posts[0] >= "2026-03-02" and posts[-1] < "2026-04-01"


def test_eight_languages_are_spoken(story: Any) -> None:
    """Accounts and posts use eight languages, none less than three per cent."""
    posts = Counter(row["language"] for row in story.table("posts.csv"))
    for counts in (story.summary.tongues, posts):
        assert sorted(counts) == ["ar", "en", "es", "fr", "id", "ja", "ru", "zh"]
        assert min(counts.values()) > 0.02 * sum(counts.values())


def test_refusals_look_as_providers_write_them(story: Any) -> None:
    """A refusal is a text, the refusal field beside empty content, or a filtered choice; one in a hundred is refused."""
    choices = [record["response"]["choices"][0] for record in story.log]
    field = [c for c in choices if c["message"].get("refusal")]
    filtered = [c for c in choices if c["finish_reason"] == "content_filter"]
    assert field and all(c["message"]["content"] is None for c in field)
    assert filtered and all(c["message"]["content"] == "" for c in filtered)
    assert 0.005 < story.summary.refused / len(choices) < 0.03


def test_links_addresses_and_phones_are_reserved_ones(story: Any) -> None:
    """Domains end in .example, addresses lie in documentation ranges, phones are 555-01xx, mail is under .example."""
    texts = [story.asked(record) + " " + story.said(record) for record in story.log]
    texts += [row["text"] + " " + row["url"] for row in story.table("posts.csv")]
    domains = {registrable_domain(url) for text in texts for url in find_urls(text)}
    assert domains and all(str(domain).endswith(".example") for domain in domains)
    addresses = {ipaddress.ip_address(record["requester_ip_address"]) for record in story.log}
    assert all(any(address in network for network in RANGES) for address in addresses)
    for row in story.table("identifiers.csv"):
        assert row["kind"] != "phone" or re.fullmatch(r"\+1[2-9]\d\d55501\d\d", row["value"])
        assert row["kind"] != "email_domain" or row["value"].endswith(".example")
    assert not any("@" in text and re.search(r"\w@\w+\.\w", text) for text in texts)


def test_the_planner_is_refused_and_returns_with_results(story: Any) -> None:
    """The slogan stands in the refused request, in reports two weeks later and in posts of newly made accounts."""
    records = story.of("plan")
    tag = next(w for r in records for w in re.findall(r"#\w+", story.asked(r)))
    times = [datetime.fromisoformat(r["startTime"]) for r in records if tag in story.asked(r)]
    assert times[0].day <= 8 and (times[1] - times[0]).days >= 12 and len({t.date() for t in times[1:]}) >= 3
    authors = {row["author"] for row in story.table("posts.csv") if tag in row["text"] and row["kind"] != "repost"}
    made = [row["created_at"] for row in story.table("platform_accounts.csv") if row["author"] in authors]
    assert len(authors) >= 5 and max(made)[:10] <= "2026-03-20" and min(made)[:10] >= "2026-03-15"


def test_one_farm_prompt_becomes_posts_of_several_accounts(story: Any) -> None:
    """Of the seven items of one answer at least three stand in posts of two accounts or more, within hours."""
    posts = {canonical_text(row["text"]): row for row in story.table("posts.csv")}
    best = 0
    for record in story.of("farm"):
        items = [canonical_text(line.partition(". ")[2]) for line in story.said(record).split("\n") if line[:1].isdigit()]
        found = [posts[item] for item in items if item in posts]
        if len(items) == 7 and len({row["author"] for row in found}) >= 2:
            best = max(best, len(found))
    assert best >= 3


def test_most_turns_of_operators_are_harmless(story: Any) -> None:
    """Seven to eight in ten, give or take, of the operators' requests name nothing of the operation."""
    turns: defaultdict[str, Counter[bool]] = defaultdict(Counter)
    for who in Cast(WORLDS["story"], 0, 0.05).accounts:
        for session in sessions(who, Dice(0, who.raw, "sessions")):
            turns[who.group.name][session.task in who.group.tasks] += session.turns
    share = {name: turns[name][False] / turns[name].total() for name in OPERATIONS}
    assert all(0.67 <= value <= 0.85 for value in share.values()), share


def test_newsroom_pastes_one_document(story: Any) -> None:
    """Most of the nine reporters paste the same leaked paper."""
    pasted = {(story.account(r), story.asked(r).split("\n\n", 1)[1]) for r in story.of("newsroom") if "\n\n" in story.asked(r)}
    leaks = Counter(text for _, text in pasted)
    assert leaks.most_common(1)[0][1] >= 5


def test_support_is_one_key_of_many_end_users(story: Any) -> None:
    """The desk's customers are end users of one key."""
    records = story.of("support")
    assert len({r["metadata"]["user_api_key_hash"] for r in records}) == 1
    assert len({r["end_user"] for r in records}) == 40


def test_another_seed_has_other_names(story: Any, read_world: Callable[..., Any], tmp_path: Path) -> None:
    """No domain of one seed stands in another seed's world."""
    other = read_world(tmp_path, seed=1, size=0.05)
    domains = [{url for r in world.log for url in find_urls(story.asked(r))} for world in (story, other)]
    assert domains[0] and domains[1] and not domains[0] & domains[1]


def test_size_scales_the_background_only(tmp_path: Path) -> None:
    """A small world keeps its operations and decoys whole."""
    summary = simulate("story", tmp_path, seed=3, size=0.05)
    assert dict(summary.operations) == OPERATIONS and dict(summary.decoys) == DECOYS
    assert summary.accounts < 300


@pytest.mark.parametrize("size", [0.0, -1.0, 1000.0])
def test_a_size_out_of_range_is_refused(tmp_path: Path, size: float) -> None:
    """Nothing is written for a size that makes no world."""
    with pytest.raises(RequestError, match="size"):
        simulate("story", tmp_path / "out", size=size)
    assert not (tmp_path / "out").exists()


def test_an_unknown_world_is_refused(tmp_path: Path) -> None:
    """The message names the worlds there are."""
    with pytest.raises(RequestError, match="story"):
        simulate("atlantis", tmp_path)


def test_start_is_a_monday() -> None:
    """Weekends of the clock are weekends of the calendar."""
    assert datetime(2026, 3, 2, tzinfo=UTC).weekday() == 0
