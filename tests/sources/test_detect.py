"""Formats are told from the content, with a stated confidence, or not at all."""

from __future__ import annotations

import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RequestError, UnknownFormat
from backlight.sources import FORMATS, Context, Format, Item, Rule, detect, format_named, open_source, records, source
from backlight.sources._detect import closed

CHAT = {"messages": [{"role": "user", "content": "Hello"}]}


def jsonl(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def told(data: bytes) -> tuple[str | None, float, str]:
    found = detect(io.BytesIO(data))
    return found.format.name if found.format else None, found.confidence, found.container


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (jsonl(CHAT, CHAT), "jsonl"),
        (b"\xef\xbb\xbf" + jsonl(CHAT), "jsonl"),
        (json.dumps([CHAT, CHAT], indent=2).encode(), "json"),
        (json.dumps(CHAT, indent=2).encode(), "json"),
        (gzip.compress(jsonl(CHAT), mtime=0), "jsonl"),
        (zstandard.compress(json.dumps([CHAT]).encode()), "json"),
        (jsonl(CHAT).decode().encode("utf-16"), "jsonl"),
    ],
    ids=["lines", "byte order mark", "array", "object", "gzip", "zstd", "utf-16"],
)
def test_containers_are_told_apart_by_content(data: bytes, container: str) -> None:
    """JSONL, an array, one object over many lines; packed or with a mark."""
    assert told(data) == ("messages", 0.85, container)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("platform,post_id,author,created_at,text,url,hashtags", "posts"),
        ("platform;author;created_at;followers;as_of", "platform-accounts"),
        ("account\tkind\tvalue\tfirst_seen\tlast_seen", "identifiers"),
        ("id,thread_id,timestamp,unix_timestamp,subject,body,author", "4cat"),
        ("id,conversation_id,author_id,text,referenced_tweets.quoted.id,public_metrics.like_count", "x-v2"),
        ("account,operation,group", None),
        ("id,title,selftext,created_utc", None),
    ],
)
def test_tables_are_told_by_their_header(header: str, name: str | None) -> None:
    """Whatever the delimiter."""
    row = "".join("1" if c.isalnum() or c in "_." else c for c in header)
    assert told(f"{header}\n{row}\n".encode())[0] == name


def test_specific_formats_come_before_generic_ones(payload: Callable[..., dict[str, Any]]) -> None:
    """A LiteLLM payload has messages too, and is still a LiteLLM payload."""
    assert told(jsonl(payload()))[:2] == ("litellm", 0.99)
    assert list(FORMATS).index("litellm") < list(FORMATS).index("openai-chat") < list(FORMATS).index("messages")


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"request": {"body": {"messages": []}}, "response": {}}, "openai-chat"),
        ({"request": json.dumps(CHAT), "response": "{}"}, "openai-chat"),
        ({"request": {"body": json.dumps(CHAT)}, "response": {"body": ""}}, "openai-chat"),
        ({"request": {"body": "a=1"}, "response": {"status": 200}}, None),
        ({"object": "list", "data": [{"object": "chat.completion", "choices": []}]}, "openai-chat"),
        ({"object": "list", "data": [{"object": "model", "choices": []}]}, None),
        (
            {"request_id": "1", "call_type": "x", "api_key": "k", "spend": 0, "messages": "{}", "metadata": "{}"},
            "litellm-spend",
        ),
        ({"chat_messages": [{"text": "a", "sender": "human"}], "uuid": "u"}, "claude-export"),
        ({"conversation_hash": "h", "model": "m", "conversation": [{"role": "user", "content": "a"}]}, "wildchat"),
        ({"conversation_hash": "h", "conversation": [{"role": "user", "content": "a"}]}, None),
    ],
)
def test_kin_are_told_from_each_other(record: dict[str, Any], name: str | None) -> None:
    """HTTP logs of other services, other lists of the same API, and formats that come later are not mistaken."""
    assert told(jsonl(record))[0] == name


@pytest.mark.parametrize("chats", [0, 4, 10, 16, 19])
def test_a_log_of_both_openai_apis_has_one_format(chats: int) -> None:
    """Whatever their shares, the reader that takes both reads it."""
    said, answer = {"model": "m", "messages": CHAT["messages"]}, {"object": "chat.completion", "choices": []}
    chat = {"request": said, "response": answer}
    other = {"request": {"model": "m", "input": "Hello"}, "response": {"object": "response", "output": []}}
    assert told(jsonl(*[chat] * chats, *[other] * (20 - chats)))[0] == "openai-responses"


def test_records_that_nobody_is_sure_of_do_not_add_up() -> None:
    """A line of some batch file is half of either API's, and so of none."""
    line = {"custom_id": "a", "method": "POST", "body": {"z": 1}, "x": 1}
    assert told(jsonl(*[line] * 5))[0] is None


@pytest.mark.parametrize(("good", "name"), [(19, "messages"), (15, None)])
def test_a_majority_decides_and_doubt_does_not(good: int, name: str | None) -> None:
    """Of twenty records a few may be odd; under 80% there is no format, but two guesses."""
    data = jsonl(*[CHAT] * good) + b"{torn\n" * (20 - good)
    assert told(data)[:2] == (name, round(0.85 * good / 20, 3))


def test_an_unknown_file_has_two_guesses_and_an_error_that_names_them() -> None:
    """With the fields that were seen, and what to do."""
    found = detect(io.BytesIO(jsonl({"id": 1, "call_type": "x", "messages": [], "startTime": 1})))
    assert (found.format, len(found.guesses), found.guesses[0][0]) == (None, 2, "litellm")
    error = found.error("some.log")
    assert isinstance(error, UnknownFormat)
    assert str(error).startswith(
        "some.log is in no known format: fields id, call_type, messages, startTime; expected perhaps litellm ("
    )


@pytest.mark.parametrize(
    "data", [b"", b"\n \n", b"\x00" * 5000, b"just some words\nand more\n", b"[[[[", b'{"a":', b"\xff\xfe\x00"]
)
def test_junk_has_no_format(data: bytes) -> None:
    """Nor does it raise."""
    assert told(data)[0] is None


def test_a_record_longer_than_the_head_is_told_by_its_beginning() -> None:
    """A page of many megabytes on one line, or over many."""
    page = {"data": [{"id": str(n), "text": "hello", "author_id": "1"} for n in range(90_000)], "meta": {}}
    assert told(json.dumps(page).encode()) == ("x-v2", 0.97, "jsonl")
    assert told(json.dumps(page, indent=1).encode())[0] == "x-v2"


def _set(record: dict[str, Any], steps: list[str], last: int, value: Any) -> None:
    """Puts a value at a path, whose steps from number `last` on are one key with dots and brackets in its name."""
    place: Any = record
    for step in steps[:last]:
        inner = place.setdefault(step.removesuffix("[]"), [{}] if step.endswith("[]") else {})
        place = inner[0] if isinstance(inner, list) and inner else inner
        if not isinstance(place, dict):
            return
    place[".".join(steps[last:])] = value


_ODD = {"type": [], "body": [], "role": {}, "kind": {}, "object": {}, "children": [None], "output": [None], "messages": [None]}
_TORN = ("{", '[{"role":"x","content":', '{"messages":[{"role":')
_ANYTHING = st.sampled_from([None, True, 0, 10**400, 0.5, "", "list", *_TORN, [], {}, [None], [[]], [{}], [_ODD], _ODD])


@pytest.mark.parametrize("name", [form.name for form in FORMATS.values() if any(rule.where for rule in form.signature)])
@given(draw=st.data())
def test_no_rule_fails_on_names_with_dots_and_brackets(name: str, draw: st.DataObject) -> None:
    """Tables have columns such as `data[].object`: a rule's paths are there then, though not the list that it asks about."""
    rule = draw.draw(st.sampled_from([rule for rule in FORMATS[name].signature if rule.where]))
    record: dict[str, Any] = {}
    for path in rule.fields:
        steps = draw.draw(st.sampled_from(path.split("|"))).replace("*", ".x").split(".")
        _set(record, steps, draw.draw(st.integers(0, len(steps) - 1)), draw.draw(_ANYTHING))
    assert 0 <= rule.share(record) <= 1
    detect(io.BytesIO(jsonl(record)))


@given(
    st.recursive(
        st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    ),
    st.data(),
)
def test_a_cut_value_is_closed(value: Any, draw: st.DataObject) -> None:
    """The beginning of a list or object, cut anywhere after its first member, is JSON again."""
    data = json.dumps({"first": 1, "rest": value}).encode()
    at = draw.draw(st.integers(len(b'{"first": 1, '), len(data)))
    assert json.loads(closed(data[:at]))["first"] == 1


def test_a_container_that_a_format_does_not_have_is_refused() -> None:
    """A CSV is no LiteLLM log, whatever `--format` says."""
    with pytest.raises(RequestError, match="litellm does not come as csv"):
        list(records(io.BytesIO(b"a,b\n1,2\n"), FORMATS["litellm"]))
    with pytest.raises(RequestError, match="there is no format lite"):
        format_named("lite")


def test_every_format_says_what_it_gives() -> None:
    """Enough for a table of sources: title, kind, text, link fields, containers, rules."""
    for form in FORMATS.values():
        assert form.title and form.gives and form.containers and form.rules
    assert len({form.name for form in FORMATS.values()}) == len(FORMATS)


def test_a_format_is_one_function() -> None:
    """A new one needs nothing but its decorator; a name is taken once."""
    try:

        @source(
            name="shape", title="An example", kind="interactions", text=False, gives=("user",), containers=("jsonl",),
            signature=(Rule(("shape.side",), 0.9),), rank=50,
        )  # fmt: skip
        def shape(record: dict[str, Any], context: Context) -> list[Item]:
            return []

        assert told(jsonl({"shape": {"side": 1}}))[:2] == ("shape", 0.9)
        with pytest.raises(ValueError, match="two formats"):
            source(name="shape", title="", kind="posts", text=False, gives=(), containers=(), signature=(), rank=1)(shape)
    finally:
        FORMATS.pop("shape", None)


_SUBREDDITS = ("China", "argentina", "conspiracy", "de", "france", "japan", "korea", "russia", "serendipity")
EXPECTED = {
    "kura_mtbench_conversations.jsonl": ("messages", {"Conversation": 1000}),
    "llamafactory_v1_messages.jsonl": ("messages", {"Conversation": 500}),
    "sharegpt_fastchat_dummy.json": ("sharegpt", {"Conversation": 500}),
    "sharegpt_toolcall_zh.json": ("sharegpt", {"Conversation": 300}),
    "litellm_standard_logging_payload.json": ("litellm", {"Exchange": 1}),
    "ObservatoryTeam.jsonl": ("x-v2", {"Post": 218, "PlatformAccount": 110}),
    "brexit.jsonl": ("x-v2", {"Post": 100, "PlatformAccount": 177}),
    "kpop.jsonl": ("x-v2", {"Post": 100, "PlatformAccount": 112}),
    "media_policy_violation_on.jsonl": ("x-v2", {"Post": 100, "PlatformAccount": 46}),
    "noflat.jsonl": ("x-v2", {"Post": 100, "PlatformAccount": 178}),
    "users.jsonl": ("x-v2", {"PlatformAccount": 96}),
    "withheld.jsonl": ("x-v2", {"Post": 215, "PlatformAccount": 591}),
    "chatgpt_export_example.json": ("chatgpt-export", {"Conversation": 2}),
    "litellm_spend_logs_payload.json": ("litellm-spend", {"Exchange": 1}),
    "post_record.json": ("bluesky", {"Post": 1}),
    "thread_view_post_with_embed_media.json": ("bluesky", {"Post": 1, "PlatformAccount": 1}),
    "statuses.jsonl": ("mastodon", {"Post": 133, "PlatformAccount": 155}),
    **{f"{name}.csv": ("reddit", {"Post": 1000}) for name in _SUBREDDITS},
}
"""What each third-party file is; every other one is of a format that is not read yet."""


@pytest.mark.shared
def test_third_party_files_are_told_without_an_error(shared_data: Path) -> None:
    """Every file whose format is read is recognised and read whole; no other is mistaken for one."""
    files = [path for path in shared_data.rglob("*") if path.is_file() and path.suffix not in (".md", ".parquet")]
    wrong = []
    for path in sorted(files):
        with open_source(path) as opened:
            form = detect(opened).format
            parsed = form.parse_records(records(opened, form)) if form else None
        counts = dict(Counter(type(item).__name__ for item in parsed.items)) if parsed else {}
        expected = EXPECTED.get(path.name, (None, {}))
        if (form and form.name, counts, parsed.rejects if parsed else []) != (*expected, []):
            wrong.append((path.name, form and form.name, counts))
    assert wrong == [] and len(files) > 60


@pytest.mark.shared
@pytest.mark.slow
def test_third_party_tables_are_no_logs(shared_data: Path) -> None:
    """Edge lists and domain lists in Parquet are mistaken for nothing."""
    found: list[Format | None] = [detect(path).format for path in sorted(shared_data.rglob("*.parquet"))]
    assert set(found) == {None}
