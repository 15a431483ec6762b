"""Anybody's own table, by a mapping file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backlight.errors import RecordError, RequestError
from backlight.sources import FORMATS, Context, Exchange, Identifier, Item, Message, PlatformAccount, Post, Raw, load_mapping

MAPPING = """
kind: interactions
fields:
  time: made
  end_user: customer.id
  prompt: question
  output: answers.0.text
  tokens_in: usage.in
constants: {channel: web}
time_format: "%d.%m.%Y %H:%M"
time_zone: Europe/Oslo
"""


def load(text: str, folder: Path) -> Context:
    (folder / "m.yaml").write_text(text, encoding="utf-8")
    return Context(mapping=load_mapping(folder / "m.yaml"))


def read(record: dict[str, Any], context: Context) -> list[Item]:
    return FORMATS["mapped"].parse(Raw("line 2", json.dumps(record).encode()), context)


def test_columns_and_dotted_paths_become_fields(tmp_path: Path) -> None:
    """A time in the mapping's format and zone, constants beside them."""
    record = {
        "made": "01.07.2026 12:30",
        "customer": {"id": 5},
        "question": "Why?",
        "answers": [{"text": "So."}],
        "usage.in": "7",
    }
    expected = Exchange(
        time=datetime(2026, 7, 1, 10, 30, tzinfo=UTC),
        end_user="5",
        messages=[Message("user", "Why?")],
        output="So.",
        channel="web",
        tokens_in=7,
    )
    assert read(record, load(MAPPING, tmp_path)) == [expected]


def test_a_list_of_messages_may_be_mapped(tmp_path: Path) -> None:
    """Its last answer is the output."""
    context = load("kind: interactions\nfields: {messages: chat}", tmp_path)
    chat = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    assert read({"chat": chat}, context) == [Exchange(messages=[Message("user", "Why?")], output="So.")]


@pytest.mark.parametrize(
    ("mapping", "record", "expected"),
    [
        (
            "kind: posts\nfields: {post_id: n, author: who, text: t, hashtags: tags}\nconstants: {platform: Forum}",
            {"n": 3, "who": "a", "t": "hi", "tags": "#x y"},
            Post(platform="forum", post_id="3", author="a", text="hi", hashtags=["x", "y"]),
        ),
        (
            "kind: identifiers\nfields: {account: a, value: v}\nconstants: {kind: phone}",
            {"a": "a/b", "v": "+47 000"},
            Identifier(account="a/b", kind="phone", value="+47 000"),
        ),
        (
            "kind: platform_accounts\nfields: {platform: p, author: a, followers: f}",
            {"p": "X", "a": "1", "f": 3},
            PlatformAccount(platform="x", author="1", followers=3),
        ),
    ],
)
def test_other_kinds_are_mapped_too(tmp_path: Path, mapping: str, record: dict[str, Any], expected: Item) -> None:
    """Posts, identifiers and platform accounts."""
    assert read(record, load(mapping, tmp_path)) == [expected]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is no mapping"),
        ("- a", "is no mapping"),
        ("kind: [", r"is no YAML \(line"),
        ("kind: posts\nkind: posts", "is no YAML"),
        ("kind: letters\nfields: {a: b}", "names no kind"),
        ("kind: posts\nfields: {post_id: a, platfrom: b}", "unknown keys: platfrom"),
        ("kind: posts\nfields: {post_id: a}\nextra: 1", "unknown keys: extra"),
        ("kind: posts\nfields: {post_id: a}", "lacks platform"),
        ("kind: interactions\nfields: {}", "lacks fields"),
        ("kind: interactions\nfields: {time: [a]}", "no table of names"),
        ("kind: interactions\nfields: {time: a}\ntime_zone: Moon/Crater", "time_zone"),
        ("kind: interactions\nfields: {time: a}\ntime_format: '%Q'", "time_format"),
        ("kind: !!python/object:os.system x", "is no YAML"),
        ("# " + "x" * 70_000, "longer than"),
    ],
)
def test_a_wrong_mapping_is_refused_before_anything_is_read(tmp_path: Path, text: str, reason: str) -> None:
    """Unknown keys above all, since a slip of the pen would silently lose a field."""
    with pytest.raises(RequestError, match=reason):
        load(text, tmp_path)


@pytest.mark.parametrize(
    ("record", "reason"),
    [({"other": 1}, "none of the columns"), ({"made": "1.1.26", "question": "a"}, "time is not written as time_format says")],
)
def test_a_record_that_does_not_fit_is_a_reject(tmp_path: Path, record: dict[str, Any], reason: str) -> None:
    """So that a mapping for another file shows at once."""
    with pytest.raises(RecordError, match=reason):
        read(record, load(MAPPING, tmp_path))


def test_without_a_mapping_nothing_is_read() -> None:
    """It is the request that is wrong, not each record."""
    with pytest.raises(RequestError, match="without a mapping"):
        read({"a": 1}, Context())
