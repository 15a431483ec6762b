"""Files that want to break the reader: everything is an item or a reject, nothing hangs, nothing leaks out as a traceback."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from backlight.errors import BacklightError
from backlight.sources import FORMATS, Context, Format, Parsed, chunks, detect, open_source, open_stream, records
from backlight.sources._mapping import checked

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
PAGE = {
    "data": [{"id": "1", "text": "t", "author_id": "2", "referenced_tweets": [{"type": "quoted", "id": "3"}]}],
    "includes": {"users": [{"id": "2", "username": "u", "created_at": "2020-01-01T00:00:00Z"}]},
}
MAPPING = checked({"kind": "interactions", "fields": {"prompt": "q", "time": "t.0"}})


def jsonl(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def table(header: str, *row: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header.split(","), *[row] * 4])
    return text.getvalue().encode()


def seeds(payload: Callable[..., dict[str, Any]]) -> list[tuple[Format, bytes]]:
    """A small good file of each format and container."""
    logs = jsonl(payload(), payload(end_user=""), payload(status="failure"))
    found = {
        "litellm": [logs, json.dumps([payload()] * 2, indent=1).encode(), gzip.compress(logs), zstandard.compress(logs)],
        "openai-chat": [jsonl(ASKED, ASKED), json.dumps({"object": "list", "data": [ASKED["response"]]}).encode()],
        "messages": [jsonl(CHAT, CHAT, CHAT)],
        "sharegpt": [json.dumps([SHARE, SHARE]).encode()],
        "x-v2": [
            jsonl(PAGE, PAGE),
            json.dumps(PAGE, indent=2).encode(),
            table("id,text,author_id,entities.urls", "1", "t", "2", "[]"),
        ],
        "4cat": [
            table(
                "id,thread_id,timestamp,body,author,urls", "1", "1", "1704164645", 'two\nlines, "q"', "me", "https://e.example"
            )
        ],
        "posts": [table("platform,post_id,author,created_at,text,url,hashtags", "x", "1", "a", "2024-01-02", "t #T", "", "T")],
        "identifiers": [table("account,kind,value,first_seen,last_seen", "k/a", "ip", "198.51.100.7", "2024-01-02", "")],
        "platform-accounts": [table("platform,author,created_at,followers,as_of", "x", "a", "2024-01-02", "5", "")],
        "mapped": [table("q,t", "why", "2024-01-02"), jsonl({"q": "why", "t": [1.7e9]})],
    }
    assert set(found) == set(FORMATS)
    return [(FORMATS[name], data) for name, files in found.items() for data in files]


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


def read(form: Format, data: bytes) -> tuple[int, Parsed]:
    """Number of records cut, and what they came to; 0 and nothing where the file is refused as a whole."""
    context = Context(mapping=MAPPING)
    try:
        with open_source(io.BytesIO(data)) as opened:
            detect(opened)
            raws = list(records(opened, form))
    except BacklightError:
        return 0, Parsed([], [])
    return len(raws), form.parse_records(raws, context)


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.slow)])
def test_broken_bytes_are_items_or_rejects(payload: Callable[..., dict[str, Any]], seed: int) -> None:
    """Over thousands of damaged files: no other error than ours, every record accounted for, none takes long."""
    rnd = random.Random(seed)
    files = seeds(payload)
    for _ in range(2000 if seed < 3 else 20_000):
        form, data = rnd.choice(files)
        begun = time.perf_counter()
        cut, parsed = read(form, mutated(data, rnd))
        assert parsed.records == cut
        assert len(parsed.items) + len(parsed.rejects) >= cut or form.name in ("x-v2", "openai-chat")
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
        _, slow = read(FORMATS["litellm"], broken)
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


def test_line_separators_and_lone_surrogates_are_text() -> None:
    """U+2028 ends no line, and half an emoji becomes a replacement character."""
    chat = '{"messages":[{"role":"user","content":"one\u2028two \\ud83d"}]}\n'
    parsed = FORMATS["messages"].parse_lines(chat.encode() * 2)
    assert [item.messages[0].text for item in parsed.items] == ["one\u2028two \ufffd"] * 2  # type: ignore[union-attr]


@pytest.mark.slow
def test_damaged_parquet_is_items_or_rejects(tmp_path: Path) -> None:
    """The child may die of it; we do not."""
    pq.write_table(pa.table({"account": ["a"] * 9, "kind": ["ip"] * 9, "value": ["198.51.100.7"] * 9}), tmp_path / "good")
    rnd, good = random.Random(5), (tmp_path / "good").read_bytes()
    for _ in range(40):
        (tmp_path / "bad").write_bytes(b"PAR1" + mutated(good, rnd)[4:])
        raws = list(records(tmp_path / "bad"))
        parsed = FORMATS["identifiers"].parse_records(raws)
        assert len(parsed.items) + len(parsed.rejects) == len(raws) > 0


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
