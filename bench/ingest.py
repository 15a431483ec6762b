"""Ingest of a LiteLLM log against DuckDB's own reading of the same file: records/s, MB/s, memory, and the ratio.

    python bench/ingest.py [--size 2GB] [--seed 0] [--runs 3] [--keep FILE]

The file is made first: 12,000 accounts and more, conversations of several turns whose requests repeat their history, in
five scripts of invented words. Then DuckDB (typed `read_json` into a persistent table, checkpointed) and Backlight
(pseudonyms, vault, rejects, de-duplication, commit records) take turns, each in a process of its own. Memory is the
proportional set size summed over all processes of a run, sampled every 50 ms. The bars: 0.5 and 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

RATIO, MEMORY = 0.5, 1e9
_SYLLABLES = {
    "latin": [a + b for a in "bdfgklmnprstv" for b in "aeiou"],
    "cyrillic": [a + b for a in "бвгдзклмнпрст" for b in "аеиоу"],
    "arabic": list("بتجحدرسشعفقكلمنهوي"),
    "han": [chr(code) for code in range(0x4E00, 0x4E00 + 400)],
    "kana": [chr(code) for code in range(0x3042, 0x308D)],
}
_MODELS = ("large-1", "large-2", "small-1", "small-2")


def _sentences(rng: random.Random, script: str, count: int) -> list[str]:
    """Sentences of invented words in one script."""
    sign, gap = ("。", "") if script in ("han", "kana") else (". ", " ")
    words = ["".join(rng.choices(_SYLLABLES[script], k=rng.randint(1, 4))) for _ in range(3000)]
    return [gap.join(rng.choices(words, k=rng.randint(6, 18))).capitalize() + sign for _ in range(count)]


class _Chat:
    """One conversation while it goes on."""

    __slots__ = ("account", "messages", "number", "texts")

    def __init__(self, number: int, account: int, texts: list[str], system: str | None) -> None:
        self.number, self.account, self.texts = number, account, texts
        self.messages: list[dict[str, str]] = [{"role": "system", "content": system}] if system else []


def records(seed: int) -> Iterator[bytes]:
    """LiteLLM payloads, one line each, without end."""
    rng = random.Random(seed)
    pools = [_sentences(rng, script, 8000) for script in _SYLLABLES]
    systems = [None, None, *("".join(rng.choices(pools[0], k=rng.randint(2, 12))) for _ in range(40))]
    encode = msgspec.json.Encoder().encode
    open_chats: list[_Chat] = []
    clock, count, chats = 1_767_225_600.0, 0, 0
    while True:
        if len(open_chats) < 400 or rng.random() < 0.35:
            account = int(min(rng.paretovariate(0.9) * 40, 1e9)) % 14_000
            chats += 1
            open_chats.append(_Chat(chats, account, pools[account % len(pools)], systems[account % len(systems)]))
        at = rng.randrange(len(open_chats))
        chat = open_chats[at]
        clock += rng.expovariate(2.0)
        chat.messages.append({"role": "user", "content": "".join(rng.choices(chat.texts, k=rng.randint(1, 4)))})
        answer = "".join(rng.choices(chat.texts, k=rng.randint(2, 8)))
        count += 1
        yield encode(_payload(count, chat, answer, clock, rng)) + b"\n"
        chat.messages.append({"role": "assistant", "content": answer})
        if rng.random() < 0.35 or len(chat.messages) > 24:
            open_chats[at] = open_chats[-1]
            open_chats.pop()


def _payload(count: int, chat: _Chat, answer: str, clock: float, rng: random.Random) -> dict[str, object]:
    account, model = chat.account, _MODELS[chat.account % 4]
    address = f"198.{18 + account % 2}.{account // 250 % 250}.{account % 250}"
    key = f"{account % 300:064x}"
    return {
        "id": f"chatcmpl-{count:012x}", "trace_id": f"trace-{chat.number:010x}", "call_type": "acompletion", "cache_hit": None,
        "stream": True, "status": "success", "custom_llm_provider": "openai", "saved_cache_cost": 0.0,
        "startTime": clock, "endTime": clock + 2.5, "completionStartTime": clock + 0.5, "response_time": 2.5, "model": model,
        "metadata": {
            "user_api_key_hash": key, "user_api_key_alias": None, "user_api_key_team_id": f"team-{account % 40}",
            "user_api_key_org_id": None, "user_api_key_user_id": f"owner-{account % 300}", "user_api_key_team_alias": None,
            "user_api_key_user_email": None, "spend_logs_metadata": None, "requester_ip_address": address,
            "requester_metadata": {}, "user_api_key_end_user_id": f"user-{account}", "prompt_management_metadata": None,
            "applied_guardrails": [], "mcp_tool_call_metadata": None, "vector_store_request_metadata": None,
            "guardrail_information": None, "usage_object": None,
        },
        "cache_key": None, "response_cost": 0.000225, "total_tokens": 30, "prompt_tokens": 10 * len(chat.messages),
        "completion_tokens": len(answer) // 4, "request_tags": [f"User-Agent: client/{account % 7}.{account % 3}"],
        "end_user": f"user-{account}", "api_base": "https://upstream.example/v1", "model_group": model, "model_id": None,
        "requester_ip_address": address, "messages": chat.messages,
        "response": {
            "id": f"chatcmpl-{count:012x}", "created": int(clock), "model": model, "object": "chat.completion",
            "system_fingerprint": None,
            "choices": [
                {
                    "finish_reason": "stop", "index": 0,
                    "message": {"content": answer, "role": "assistant", "tool_calls": None, "function_call": None},
                }
            ],
            "usage": {"completion_tokens": len(answer) // 4, "prompt_tokens": 10, "total_tokens": 30},
        },
        "model_parameters": {"temperature": rng.randint(0, 10) / 10, "stream": True},
        "hidden_params": {
            "model_id": None, "cache_key": None, "api_base": "https://upstream.example/v1", "response_cost": 0.000225,
            "additional_headers": {}, "litellm_overhead_time_ms": 1.25, "batch_models": None, "litellm_model_name": model,
        },
        "model_map_information": {"model_map_key": model, "model_map_value": {}}, "error_str": None,
        "error_information": {"error_code": "", "error_class": "", "llm_provider": "", "traceback": "", "error_message": ""},
        "response_cost_failure_debug_info": None, "guardrail_information": None,
    }  # fmt: skip


def make(path: Path, size: int, seed: int) -> int:
    """Write the log; returns its records."""
    written = count = 0
    with path.open("wb") as out:
        for line in records(seed):
            out.write(line)
            written, count = written + len(line), count + 1
            if written >= size:
                return count
    return count


_COLUMNS = """{
    id: 'VARCHAR', trace_id: 'VARCHAR', call_type: 'VARCHAR', status: 'VARCHAR', "startTime": 'DOUBLE', model: 'VARCHAR',
    metadata: 'STRUCT(user_api_key_hash VARCHAR, user_api_key_team_id VARCHAR, user_api_key_org_id VARCHAR,
        user_api_key_user_id VARCHAR, user_api_key_end_user_id VARCHAR, requester_ip_address VARCHAR)',
    prompt_tokens: 'BIGINT', completion_tokens: 'BIGINT', request_tags: 'VARCHAR[]', end_user: 'VARCHAR',
    requester_ip_address: 'VARCHAR', messages: 'STRUCT(role VARCHAR, content VARCHAR)[]',
    response: 'STRUCT(choices STRUCT(finish_reason VARCHAR, message STRUCT(content VARCHAR))[])'
}"""


def duckdb_child(path: Path, folder: Path) -> None:
    """The baseline: DuckDB reads the file into a persistent table and checkpoints."""
    import duckdb

    con = duckdb.connect(str(folder / "baseline.duckdb"))
    con.execute("SET preserve_insertion_order = false")
    source = f"read_json('{path}', format = 'newline_delimited', columns = {_COLUMNS})"
    con.execute(f"CREATE TABLE log AS SELECT * FROM {source}")
    con.execute("CHECKPOINT")
    print(json.dumps({"stored": con.execute("SELECT count(*) FROM log").fetchone()[0]}))  # type: ignore[index]


def backlight_child(path: Path, folder: Path) -> None:
    """Ours: ingest into a new workspace."""
    from backlight.ingest import ingest
    from backlight.workspace import Workspace

    with Workspace.open(folder / "workspace", create=True) as ws:
        report = ingest(ws, [str(path)], format="litellm")
    print(
        json.dumps({name: sum(row[name] for row in report.as_dict()["files"]) for name in ("stored", "repeated", "rejected")})
    )


class Run(NamedTuple):
    """One run: seconds, processor seconds over all its processes, peak memory in bytes, what it counted."""

    seconds: float
    processor: float
    peak: int
    counts: dict[str, int]


def measure(what: str, path: Path, bytecode: Path) -> Run:
    """One run in a process of its own, process start included."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, __file__, "--child", what, "--file", str(path), "--folder", folder]
        environment = _environment(bytecode) | {"XDG_CONFIG_HOME": f"{folder}/config"}
        started, peak = time.perf_counter(), 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            while not ended:
                peak = max(peak, _memory(process.pid))
                time.sleep(0.05)
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
            seconds = time.perf_counter() - started
            process.returncode = os.waitstatus_to_exitcode(status)
            out = process.stdout.read() if process.stdout else b"{}"
        if process.returncode:
            raise SystemExit(f"{what} ended with {process.returncode}")
        return Run(seconds, usage.ru_utime + usage.ru_stime, peak, json.loads(out))


def _environment(bytecode: Path) -> dict[str, str]:
    """With a folder for compiled modules, which an installed program has too, even where the caller's has none."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | {"PYTHONPYCACHEPREFIX": str(bytecode)}


def _memory(pid: int) -> int:
    """Proportional set size of a process and all below it, in bytes."""
    total = 0
    for entry in (pid, *_below(pid)):
        try:
            lines = Path(f"/proc/{entry}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return total


def _below(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*children, *(below for child in children for below in _below(child))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="2GB", help="of the log, such as 200MB")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="make the log here and keep it, or use it if it is there")
    parser.add_argument("--child", choices=("duckdb", "backlight"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        (duckdb_child if given.child == "duckdb" else backlight_child)(given.file, given.folder)
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-ingest-"))
    try:
        path = given.keep or folder / "log.jsonl"
        if not path.exists():
            number, unit = float(given.size.rstrip("KMGB")), given.size.lstrip("0123456789.").upper()
            make(path, int(number * {"MB": 1e6, "GB": 1e9}[unit]), given.seed)
        _compare(path, given.runs, folder / "bytecode")
    finally:
        shutil.rmtree(folder)


def _compare(path: Path, runs: int, bytecode: Path) -> None:
    warm = [sys.executable, "-c", "import duckdb, backlight.ingest; from backlight.workspace import Workspace"]
    subprocess.run(warm, env=_environment(bytecode), check=True)
    size, done = path.stat().st_size, dict[str, list[Run]](duckdb=[], backlight=[])
    print(f"{path.name}: {size / 1e6:,.0f} MB")
    for _ in range(runs):
        for what, held in done.items():
            run = measure(what, path, bytecode)
            held.append(run)
            print(
                f"  {what:9} {run.seconds:7.2f} s  {run.counts['stored'] / run.seconds:9,.0f} records/s"
                f"  {size / 1e6 / run.seconds:6,.0f} MB/s  {run.processor:6.1f} s of processor  {run.peak / 1e6:6,.0f} MB"
                f"  {run.counts}",
                flush=True,
            )
    ratios = [theirs.seconds / ours.seconds for theirs, ours in zip(done["duckdb"], done["backlight"], strict=True)]
    ratio, memory = statistics.median(ratios), max(run.peak for run in done["backlight"])
    print(f"ratio {ratio:.2f}, median of {runs} pairs (bar {RATIO}: {'met' if ratio >= RATIO else 'not met'})")
    print(f"memory {memory / 1e6:,.0f} MB (bar {MEMORY / 1e6:,.0f}: {'met' if memory < MEMORY else 'not met'})")


if __name__ == "__main__":
    main()
