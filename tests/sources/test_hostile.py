"""Files that want to break the reader: everything is an item or a reject, nothing hangs, nothing leaks out as a traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from backlight.errors import BacklightError
from backlight.sources import FORMATS, Context, Format, Parsed, Raw, chunks, detect, open_source, open_stream, records
from backlight.sources._mapping import checked

TURNS = [{"role": "user", "content": "é😀"}, {"role": "assistant", "content": "yo"}]
CHAT = {
    "id": "c",
    "created_at": "2026-01-02T03:04:05",
    "messages": [{"role": "user", "content": [{"type": "text", "value": "é😀"}]}],
}
SHARE = {
    "conversations": [
        {"from": "human", "value": 'a \\ " b'},
        {"from": "function_call", "value": "{}"},
        {"from": "gpt", "value": "c"},
    ]
}
ASKED = {
    "request": {"user": "u", "messages": CHAT["messages"]},
    "response": {"choices": [{"message": {"content": "yo"}}], "created": 1.7e9},
}
COMPLETION = {"id": "r", "object": "chat.completion", "model": "m", "choices": [{"message": TURNS[1]}], "created": 1.7e9}
PAGE = {
    "data": [{"id": "1", "text": "t", "author_id": "2", "referenced_tweets": [{"type": "quoted", "id": "3"}]}],
    "includes": {"users": [{"id": "2", "username": "u", "created_at": "2020-01-01T00:00:00Z"}]},
}
ITEM_4CAT = {
    "id": "1",
    "thread_id": "1",
    "timestamp": "1704164645",
    "body": 'two\nlines, "q"',
    "author": "me",
    "urls": "https://e.example",
}
NODES = {
    "a": {"id": "a", "parent": None, "children": ["b"], "message": None},
    "b": {"parent": "a", "children": ["c", "d"], "message": {"author": {"role": "user"}, "content": {"parts": ["é"]}}},
    "c": {"parent": "b", "children": [], "message": {"author": {"role": "assistant"}, "content": {"parts": ["yo"]}}},
    "d": {
        "parent": "b",
        "children": [],
        "message": {"author": {"role": "tool"}, "content": {"text": "1"}, "create_time": 1.7e9},
    },
}
CLAUDE = {
    "uuid": "c",
    "account": {"uuid": "a"},
    "created_at": "2026-01-01T00:00:00Z",
    "chat_messages": [
        {"uuid": "1", "sender": "human", "text": "é", "content": [{"type": "text", "text": "é"}], "attachments": []},
        {"uuid": "2", "sender": "assistant", "text": "yo", "parent_message_uuid": "1"},
    ],
}
CROWDTANGLE = {
    "Page Name": "P", "User Name": "p", "Facebook Id": "10", "Page Created": "2012-08-27 10:33:23",
    "Followers at Posting": "1,234", "Post Created": "2025-12-31 19:00:00 EST", "URL": "https://www.facebook.com/p/posts/85",
    "Message": "High #tide", "Link": "https://e.example/1",
}  # fmt: skip
HELICONE = {
    "request_id": "r", "request_created_at": "2026-01-01 00:00:00.000", "request_user_id": "u", "prompt_tokens": 12,
    "request_properties": {"Helicone-Session-Id": "s", "ip": "198.51.100.7"}, "response_status": 200,
    "request_body": {"model": "m", "messages": TURNS[:1]}, "response_body": COMPLETION,
}  # fmt: skip
LANGFUSE = {
    "id": "o", "trace_id": "t", "type": "GENERATION", "parent_observation_id": "", "start_time": "2026-01-01 00:00:00.000000",
    "metadata": {"ip": "198.51.100.7"}, "input": json.dumps({"messages": TURNS[:1]}), "output": TURNS[1],
    "usage_details": {"input": 12, "output": 3}, "user_id": "u", "session_id": "s",
}  # fmt: skip
LC = {"lc": 1, "type": "constructor", "id": ["langchain", "HumanMessage"], "kwargs": {"content": "é"}}
LANGSMITH = {
    "id": "r", "run_type": "llm", "start_time": "2026-01-01T00:00:00.000000", "session_id": "p", "prompt_tokens": 12,
    "inputs": {"messages": [[LC]]}, "outputs": {"generations": [[{"text": "yo"}]]}, "error": None,
    "extra": {"metadata": {"user_id": "u", "thread_id": "t"}},
}  # fmt: skip
SPEND = {
    "request_id": "r", "call_type": "acompletion", "api_key": "k", "spend": 0.1, "startTime": "2026-01-01 00:00:00.500000",
    "model": "m", "user": "o", "end_user": "u", "metadata": '{"user_agent": "c/1"}', "messages": "{}", "status": "success",
    "proxy_server_request": json.dumps({"messages": TURNS[:1]}), "response": json.dumps(COMPLETION), "prompt_tokens": 10,
}  # fmt: skip
LIBRARY = {
    "id": "12", "creation_time": "2026-01-01T00:00:00+00:00", "content_type": "links", "lang": "nl", "text": "High tide",
    "mcl_url": "https://www.facebook.com/x/facebook/entity/12", "post_owner.id": "13", "statistics.views": "14",
    "link_attachment.link": "https://e.example/1", "shared_post_id": "", "hashtags": '["tide"]',
}  # fmt: skip
HISTORY = {
    "currentId": "b",
    "messages": {
        "a": {"id": "a", "parentId": None, "childrenIds": ["b", "c"], "timestamp": 1.7e9} | TURNS[0],
        "b": {"id": "b", "parentId": "a", "childrenIds": [], "model": "m"} | TURNS[1],
        "c": {"id": "c", "parentId": "a", "childrenIds": [], "originalContent": "yo!"} | TURNS[1],
    },
}
WEBUI = {"id": "c", "user_id": "u", "created_at": 1_767_225_600, "chat": {"models": ["m"], "history": HISTORY, "messages": []}}
WEBUI_AUDIT = {
    "timestamp": 1_767_225_600, "user": {"id": "u", "email": "one@e.example"}, "audit_level": "METADATA", "verb": "POST",
    "request_uri": "https://e.example/api/v1/chats/new", "source_ip": "192.0.2.7", "user_agent": "B/1",
}  # fmt: skip
WEBUI_SIGN_IN = WEBUI_AUDIT | {
    "user": {}, "request_uri": "https://e.example/api/v1/auths/signin",
    "response_object": '{"id":"u","email":"a@e.example","na',
}  # fmt: skip
TELEGRAM = {
    "id": 7, "type": "message", "date_unixtime": "1767225600", "from_id": "channel1",
    "text": ["see ", {"type": "bold", "text": "!"}],
    "text_entities": [{"type": "hashtag", "text": "#Tide"}], "reply_to_message_id": 5,
}  # fmt: skip
MADE = {"id": 1, "type": "service", "date_unixtime": "1767225600", "actor_id": "channel1", "action": "create_channel"}
CHANNEL = {"name": "N", "type": "public_channel", "id": 1, "messages": [MADE, TELEGRAM]}
WILDCHAT = {
    "conversation_hash": "9f", "model": "m", "timestamp": "2023-04-09T00:05:00+00:00", "hashed_ip": "4c",
    "header": {"user-agent": "B/1"},
    "conversation": [turn | {"turn_identifier": 1, "toxic": False, "redacted": False} for turn in TURNS],
}  # fmt: skip
TIKTOK = {
    "id": "73", "desc": "look #tide", "createTime": "1767225600", "author": {"id": "9", "uniqueId": "one"},
    "authorStats": {"followerCount": 5}, "textExtra": [{"hashtagName": "tide"}], "textLanguage": "en",
}  # fmt: skip
COLLECTED = {"nav_index": "1:4:0", "item_id": "73", "timestamp_collected": 1_767_225_600_000, "source_platform": "tiktok.com"}
CLAUDE_SAID = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "yo"}],
    "stop_reason": "end_turn",
}
CLAUDE_ASKED = {"model": "m", "max_tokens": 64, "system": "s", "messages": TURNS[:1], "metadata": {"user_id": "u"}}
BLUESKY = {
    "$type": "app.bsky.feed.post", "text": "Look #tide", "createdAt": "2026-01-01T01:00:00+01:00", "langs": ["en"],
    "facets": [{"index": {"byteStart": 5}, "features": [{"tag": "tide"}]}],
}  # fmt: skip
JETSTREAM = {
    "did": "did:plc:a", "time_us": 1_767_225_605_000_000, "kind": "commit",
    "commit": {"operation": "create", "collection": "app.bsky.feed.post", "rkey": "3k", "record": BLUESKY},
}  # fmt: skip
VIEW = {
    "uri": "at://did:plc:a/app.bsky.feed.post/3k", "record": BLUESKY, "indexedAt": "2026-01-01T00:00:05.000Z",
    "author": {"did": "did:plc:a", "createdAt": "2025-01-01T00:00:00.000Z"},
}  # fmt: skip
AUDIT = {
    "object": "organization.audit_log", "id": "audit_log-1", "type": "login.succeeded", "effective_at": 1_767_225_600,
    "actor": {"type": "session", "session": {"user": {"id": "u", "email": "a@e.example"}, "ip_address": "198.51.100.7"}},
}  # fmt: skip
AUDIT_COLUMNS = {
    "id": "audit_log-1", "type": "login.succeeded", "effective_at": 1_767_225_600, "actor.type": "session",
    "actor.session.user.id": "u", "actor.session.ip_address": "198.51.100.7",
}  # fmt: skip
RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1_767_225_600, "model": "m", "usage": {"input_tokens": 9},
    "output": [{"type": "reasoning", "summary": []}, {"type": "message", "role": "assistant", "content": [{"text": "yo"}]}],
}  # fmt: skip
RESPONSES = {
    "request": {"model": "m", "instructions": "s", "input": "é", "conversation": {"id": "c"}, "safety_identifier": "u"},
    "response": RESPONSE,
}
GENAI = {
    "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "user.id": "u", "gen_ai.usage.input_tokens": 21,
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "é"}]}]),
    "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "yo"}]}]),
}  # fmt: skip
SPAN = {
    "traceId": "5b", "spanId": "ee", "parentSpanId": "", "startTimeUnixNano": "1767225600250000000",
    "attributes": [
        {"key": key, "value": {"intValue": "21"} if value == 21 else {"stringValue": value}} for key, value in GENAI.items()
    ],
}  # fmt: skip
OTLP = {"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [{"scope": {}, "spans": [SPAN]}]}]}
COMMENT = {
    "kind": "youtube#comment", "id": "Ugx",
    "snippet": {"videoId": "v", "textOriginal": "I <3 it", "authorChannelId": {"value": "UC"},
                "publishedAt": "2026-01-01T00:00:00Z"},
}  # fmt: skip
THREAD = {
    "kind": "youtube#commentThread", "id": "Ugx", "snippet": {"videoId": "v", "topLevelComment": COMMENT},
    "replies": {"comments": [COMMENT | {"id": "Ugx.9"}]},
}  # fmt: skip
COMMENT_COLUMNS = {
    "COMMENT_ID": "z1",
    "AUTHOR": "One",
    "DATE": "2013-11-07T06:20:48",
    "CONTENT": "hey, look\ufeff",
    "CLASS": "1",
}
LMSYS = {"conversation_id": "c", "model": "m", "conversation": TURNS, "turn": 1, "language": "English", "redacted": False}
VOTE = {
    "question_id": "q", "model_a": "m", "model_b": "n", "judge": "arena_user_1", "conversation_a": TURNS,
    "conversation_b": TURNS, "anony": True, "tstamp": 1_682_351_591.5,
}  # fmt: skip
STATUS = {
    "id": "110", "created_at": "2026-01-01T00:00:00.000Z", "visibility": "public", "language": "en", "reblog": None,
    "uri": "https://s.example/users/one/statuses/110", "content": '<p>See <a href="https://e.example">e</a> &amp; #tide</p>',
    "account": {"id": "7", "acct": "one", "url": "https://s.example/@one", "created_at": "2025-01-01", "followers_count": 3},
    "tags": [{"name": "tide"}],
}  # fmt: skip
SUBMISSION = {
    "id": "1abc", "name": "t3_1abc", "author": "one", "created_utc": 1_767_225_600, "subreddit": "tea", "title": "Which?",
    "selftext": "Mine &amp; yours", "is_self": True, "url": "https://e.example/two",
}  # fmt: skip
REDDIT = {
    "id": "kxyz", "author": "two", "created_utc": "1767225600", "subreddit": "tea", "body": "An old one.", "link_id": "t3_1abc",
    "parent_id": "t1_kabc",
}  # fmt: skip
LISTING = {"kind": "Listing", "data": {"children": [{"kind": "t3", "data": SUBMISSION}, {"kind": "t1", "data": REDDIT}]}}
POST = {"platform": "x", "post_id": "1", "author": "a", "created_at": "2024-01-02", "text": "t #T", "url": "", "hashtags": "T"}
IDENTIFIER = {"account": "k/a", "kind": "ip", "value": "198.51.100.7", "first_seen": "2024-01-02", "last_seen": ""}
ACCOUNT = {"platform": "x", "author": "a", "created_at": "2024-01-02", "followers": "5", "as_of": ""}
GOOD: dict[str, list[dict[str, Any]]] = {
    "openai-chat": [ASKED, ASKED, {"object": "list", "data": [COMPLETION]}],
    "messages": [CHAT, CHAT, CHAT],
    "sharegpt": [SHARE, SHARE],
    "x-v2": [PAGE, PAGE],
    "4cat": [ITEM_4CAT],
    "4cat-ndjson": [ITEM_4CAT, {"key": "0", "total": 1, "returned": 1, "items": [ITEM_4CAT | {"timestamp": 1_704_164_645}]}],
    "chatgpt-export": [{"id": "c", "title": "t", "create_time": 1.7e9, "current_node": "c", "mapping": NODES}],
    "claude-export": [CLAUDE],
    "crowdtangle": [CROWDTANGLE],
    "helicone": [HELICONE, {"data": [HELICONE], "error": None}],
    "langfuse": [LANGFUSE, LANGFUSE],
    "langsmith": [LANGSMITH, {"runs": [LANGSMITH | {"child_runs": [LANGSMITH]}]}],
    "litellm-spend": [SPEND, {"data": [SPEND]}],
    "meta-content-library": [LIBRARY],
    "open-webui": [WEBUI],
    "open-webui-audit": [WEBUI_AUDIT, WEBUI_SIGN_IN],
    "telegram": [CHANNEL, {"about": "a", "chats": {"about": "b", "list": [CHANNEL]}}, TELEGRAM],
    "wildchat": [WILDCHAT],
    "zeeschuimer": [COLLECTED | {"data": TIKTOK}, TIKTOK | {"__import_meta": COLLECTED}],
    "anthropic-messages": [{"request": CLAUDE_ASKED, "response": CLAUDE_SAID}, CLAUDE_SAID],
    "bluesky": [JETSTREAM, VIEW, {"thread": {"post": VIEW, "replies": [{"post": VIEW}]}}, {"feed": [{"post": VIEW}]}],
    "openai-audit": [AUDIT, {"object": "list", "data": [AUDIT]}],
    "openai-responses": [RESPONSES, {"object": "list", "data": [RESPONSE]}],
    "otel-genai": [OTLP, SPAN | {"attributes": GENAI}],
    "youtube-comments": [THREAD, {"kind": "youtube#commentThreadListResponse", "items": [THREAD]}],
    "lmsys": [LMSYS, VOTE],
    "mastodon": [STATUS, STATUS | {"reblog": STATUS}, {"statuses": [STATUS], "accounts": []}],
    "reddit": [SUBMISSION, REDDIT, LISTING],
    "posts": [POST],
    "identifiers": [IDENTIFIER],
    "platform-accounts": [ACCOUNT],
    "mapped": [{"q": "why", "t": [1.7e9]}],
}
"""Records of each format, shortened from its own tests; litellm's are those of the fixture `payload`."""
ROWS: dict[str, dict[str, Any]] = {
    "openai-audit": AUDIT_COLUMNS,
    "youtube-comments": COMMENT_COLUMNS,
    "x-v2": {"id": "1", "text": "t", "author_id": "2", "public_metrics.like_count": "1", "entities.urls": "[]"},
    "mapped": {"q": "why", "t": "2024-01-02"},
}
"""Rows of tables, where they are other than the first record."""
MAPPING = checked({"kind": "interactions", "fields": {"prompt": "q", "time": "t.0"}})


def jsonl(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def table(row: dict[str, Any]) -> bytes:
    text = io.StringIO(newline="")
    cells = [value if isinstance(value, str) else json.dumps(value) for value in row.values()]
    csv.writer(text).writerows([list(row), *[cells] * 4])
    return text.getvalue().encode()


def seeds(payload: Callable[..., dict[str, Any]]) -> list[tuple[Format, bytes]]:
    """A small good file of each format and container that is no database."""
    logs = [payload(), payload(end_user=""), payload(status="failure")]
    assert {"litellm", *GOOD} == set(FORMATS)
    found = [(FORMATS["litellm"], pack(jsonl(*logs))) for pack in (gzip.compress, zstandard.compress)]
    for name, form in FORMATS.items():
        good = GOOD.get(name, logs)
        ways: dict[str, list[bytes]] = {
            "jsonl": [jsonl(*good)],
            "json": [json.dumps(good, indent=1).encode(), json.dumps(good[-1], indent=2).encode()],
            "csv": [table(ROWS.get(name, good[0]))],
        }
        found += [(form, data) for container in form.containers for data in ways.get(container, [])]
    return found


def databases() -> list[tuple[Format, str]]:
    """Formats that come in files of tables, with the container."""
    return [(form, kind) for form in FORMATS.values() for kind in form.containers if kind in ("parquet", "sqlite")]


def database(form: Format, kind: str, path: Path) -> bytes:
    """A small good file of tables."""
    row = ROWS.get(form.name, GOOD[form.name][0])
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([row] * 9), path)
        return path.read_bytes()
    cells = [value if isinstance(value, (str, int)) else json.dumps(value) for value in row.values()]
    base = sqlite3.connect(path)
    base.execute(f"CREATE TABLE {form.tables[0]} ({', '.join(row)})")
    base.executemany(f"INSERT INTO {form.tables[0]} VALUES ({', '.join('?' * len(row))})", [cells] * 9)
    base.commit()
    base.close()
    return path.read_bytes()


NASTY = [
    *(b"\x00", b"\xff", b'"', b"\\", b"[", b"{", b"]", b"}", b",", b"\n", b"\r", b":", b"-", b"true", b"null", b"NaN", b"{}"),
    *(
        b"\xe2\x80\xa8",
        b"\\ud800",
        b"1e999",
        b"9" * 400,
        b"[" * 3000,
        b'"a":',
        b"\xef\xbb\xbf",
        b'""',
        b"0",
        b"[[[[[[[[1]]]]]]]]",
    ),
]


def mutated(data: bytes, rnd: random.Random) -> bytes:
    """The file with one to five changes: bytes, nasty pieces, gaps, repeats, an early end."""
    out = bytearray(data)
    for _ in range(rnd.choice([1, 1, 2, 5])):
        at, piece, way = rnd.randrange(len(out) + 1), rnd.choice(NASTY), rnd.random()
        if way < 0.3 and at < len(out):
            out[at] = rnd.randrange(256)
        elif way < 0.5:
            out[at:at] = piece
        elif way < 0.7:
            del out[at : at + rnd.choice([1, 2, 10, 100])]
        elif way < 0.8:
            out[at:at] = out[at // 2 : at // 2 + 50]
        elif way < 0.95:
            out[at : at + len(piece)] = piece
        else:
            del out[at:]
    return bytes(out)


def read(form: Format, data: bytes | Path) -> tuple[list[Raw], list[Parsed]]:
    """The records cut, and what each came to; nothing where the file is refused as a whole."""
    context = Context(mapping=MAPPING)
    try:
        with open_source(io.BytesIO(data) if isinstance(data, bytes) else data) as opened:
            detect(opened)
            raws = list(records(opened, form))
    except BacklightError:
        return [], []
    return raws, [form.parse_records([raw], context) for raw in raws]


PAGES = {
    "x-v2": ("data", "meta", "errors", "includes"),  # a page of what was not found has no data at all
    "openai-chat": ("data",),
    "openai-responses": ("data",),
    "litellm-spend": ("data",),
    "helicone": ("data",),
    "langfuse": ("data", "traces"),
    "langsmith": ("runs", "items", "data"),
    "4cat-ndjson": ("items",),
    "youtube-comments": ("items",),
    "mastodon": ("statuses", "ancestors", "descendants"),
}
"""Formats whose pages may be empty, with the fields of a page."""
SIDE = ("openai-audit", "open-webui-audit", "otel-genai", "bluesky")
"""Formats with records about something else: actions of nobody known, spans that call no model, likes."""


def silent(form: Format, raw: Raw) -> bool:
    """Whether a record may come to nothing at all: it is whole, and there is nothing in it that its format reads."""
    record = json.loads(raw.data)
    if form.name in PAGES:
        fields = [record[name] for name in PAGES[form.name] if name in record]
        return bool(fields) and not any(isinstance(field, list) and field for field in fields)
    if form.name == "reddit":
        return record.get("data") == [] or record["data"]["children"] == [] or b'"more"' in raw.data
    return form.name in SIDE or (form.name == "telegram" and b'"message"' not in raw.data)


def test_seeds_are_good(payload: Callable[..., dict[str, Any]]) -> None:
    """Before they are damaged each is told, and every record of it gives items only."""
    found = seeds(payload)
    assert {(form.name, open_source(io.BytesIO(data)).kind) for form, data in found} == {
        (form.name, kind) for form in FORMATS.values() for kind in form.containers if kind not in ("parquet", "sqlite")
    }
    for form, data in found:
        assert form.needs_mapping or detect(io.BytesIO(data)).format is form
        raws, parts = read(form, data)
        assert raws and all(part.items and not part.rejects for part in parts), form.name


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_broken_bytes_are_items_or_rejects(payload: Callable[..., dict[str, Any]], seed: int) -> None:
    """Over thousands of damaged files: no other error than ours, every record accounted for, none takes long."""
    rnd = random.Random(seed)
    files = seeds(payload)
    for _ in range(2000 if seed < 3 else 20_000):
        form, data = rnd.choice(files)
        begun = time.perf_counter()
        for raw, parsed in zip(*read(form, mutated(data, rnd)), strict=True):
            assert parsed.records == 1
            assert parsed.items or parsed.rejects or silent(form, raw)
            assert all(reject.place and reject.reason for reject in parsed.rejects)
        assert time.perf_counter() - begun < 20


def test_lines_are_read_alike_one_by_one_and_in_chunks(payload: Callable[..., dict[str, Any]]) -> None:
    """The way for speed and the way for any container agree on items and on the places of rejects."""
    rnd = random.Random(4)
    data = jsonl(payload(), payload(end_user=""), payload(status="failure"))
    for _ in range(300):
        broken = mutated(data, rnd)
        if open_source(io.BytesIO(broken)).layout != "jsonl":
            continue
        slow = FORMATS["litellm"].parse_records(read(FORMATS["litellm"], broken)[0])
        fast = [FORMATS["litellm"].parse_lines(chunk) for chunk in chunks(open_stream(io.BytesIO(broken)), 500)]
        assert [item for part in fast for item in part.items] == slow.items
        assert [(r.place, r.reason) for part in fast for r in part.rejects] == [(r.place, r.reason) for r in slow.rejects]


@pytest.mark.parametrize("name", ["litellm", "messages", "x-v2", "openai-chat", "sharegpt", "posts", "mapped"])
@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"messages":' + b'{"messages":' * 50_000 + b"1" + b"}" * 50_001,
        b'{"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"messages":[' + b"{}," * 1_500_000 + b"{}]}",
        b'{"startTime":' + b"9" * 10_000 + b"}",
        b'{"text":"\x00","id":1}',
        b'{"id":"\xff"}',
        b"\x00" * 1000,
        b"null",
        b'"text"',
    ],
    ids=lambda line: f"{line[:14]!r}",
)
def test_bombs_are_one_reject_each(name: str, line: bytes) -> None:
    """Between two other lines, so that what follows is seen to be read."""
    parsed = FORMATS[name].parse_lines(b"{}\n" + line + b"\n{}\n", Context(mapping=MAPPING))
    assert (parsed.records, [reject.place for reject in parsed.rejects]) == (3, ["line 1", "line 2", "line 3"])


@pytest.mark.parametrize(
    ("name", "record", "items"),
    [
        ("x-v2", {"data": [{"id": "1", "text": "t", "referenced_tweets": [{"type": {}, "id": "3"}]}]}, 1),
        ("reddit", {"kind": "Listing", "data": ""}, 0),
        ("reddit", {"kind": "Listing"}, 0),
        ("open-webui-audit", WEBUI_AUDIT | {"user": 0}, 0),
        ("open-webui-audit", WEBUI_AUDIT | {"user": []}, 0),
    ],
)
def test_values_of_another_type_are_neither_lost_nor_fatal(name: str, record: dict[str, Any], items: int) -> None:
    """Where an object or a list or a text should be."""
    parsed = FORMATS[name].parse_lines(jsonl(record))
    assert (len(parsed.items), len(parsed.rejects)) == (items, 1 - items)


@pytest.mark.parametrize("name", ["langsmith", "helicone"])
def test_what_is_decoded_but_too_deep_to_be_read_is_a_reject(name: str) -> None:
    """A reader stands deeper itself than the decoder, and would run out of levels when it writes what is wrong."""
    good = json.dumps(GOOD[name][0])
    for value, depth in product(re.finditer('(?<=: )"[^"]*"', good), range(900, 1000)):
        deep = good[: value.start()] + "[" * depth + "]" * depth + good[value.end() :]
        parsed = FORMATS[name].parse_lines(deep.encode())
        assert parsed.records == 1 and (parsed.items or parsed.rejects)


def test_line_separators_and_lone_surrogates_are_text() -> None:
    """U+2028 ends no line, and half an emoji becomes a replacement character."""
    chat = '{"messages":[{"role":"user","content":"one\u2028two \\ud83d"}]}\n'
    parsed = FORMATS["messages"].parse_lines(chat.encode() * 2)
    assert [item.messages[0].text for item in parsed.items] == ["one\u2028two \ufffd"] * 2  # type: ignore[union-attr]


@pytest.mark.slow
@pytest.mark.parametrize(("form", "kind"), [pytest.param(*pair, id=f"{pair[0].name}-{pair[1]}") for pair in databases()])
def test_damaged_tables_are_items_or_rejects(tmp_path: Path, form: Format, kind: str) -> None:
    """The child may die of it; we do not."""
    good = database(form, kind, tmp_path / "good")
    raws, parts = read(form, tmp_path / "good")
    assert len(raws) == 9 and all(part.items and not part.rejects for part in parts)
    assert form.needs_mapping or detect(tmp_path / "good").format is form
    rnd, kept = random.Random(5), 4 if kind == "parquet" else 16  # bytes that tell the container
    for _ in range(5 if form.name != "identifiers" and kind == "parquet" else 40):
        (tmp_path / "bad").write_bytes(good[:kept] + mutated(good, rnd)[kept:])
        raws, parts = read(form, tmp_path / "bad")
        assert all(part.items or part.rejects or silent(form, raw) for raw, part in zip(raws, parts, strict=True))
        assert form.name != "identifiers" or all(len(part.items) + len(part.rejects) == 1 for part in parts)
        assert raws or kind == "sqlite"  # a table of another name is none that is read


@pytest.mark.slow
def test_a_line_of_a_gigabyte_is_rejected_in_little_memory(tmp_path: Path) -> None:
    """Its place, length and first bytes are kept; the lines around it are read."""
    with (tmp_path / "log").open("wb") as file:
        file.write(jsonl(CHAT) + b'{"x":"')
        file.seek(1 << 30, 1)
        file.write(b'"}\n' + jsonl(CHAT))
    code = (
        "import sys;from backlight.sources import *;"
        "p=FORMATS['messages'].parse_records(records(sys.argv[1]));"
        "q=[FORMATS['messages'].parse_lines(c) for c in chunks(open_stream(sys.argv[1]))];"
        "print([(r.place,r.length,len(r.data)) for r in p.rejects],len(p.items),sum(len(x.items) for x in q),"
        "next(int(x.split()[1])>>10 for x in open('/proc/self/status') if x.startswith('VmHWM')))"
    )  # ru_maxrss would begin at the peak of the process that started this one
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "log"], capture_output=True, text=True, check=True)
    said, memory = done.stdout.rsplit(maxsplit=1)
    assert said == f"[('line 2', {(1 << 30) + 9}, 4096)] 2 2"
    assert int(memory) < 400  # megabytes


def test_a_file_that_grows_or_vanishes_while_it_is_read_ends_well(tmp_path: Path) -> None:
    """What was open stays readable; what is gone is an error of ours."""
    (tmp_path / "log").write_bytes(jsonl(CHAT) * 3)
    opened = open_source(tmp_path / "log")
    (tmp_path / "log").unlink()
    assert len(list(records(opened))) == 3
    with pytest.raises(BacklightError):
        list(records(tmp_path / "log"))
    opened.stream.close()
