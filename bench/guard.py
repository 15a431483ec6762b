"""Requests a second and latency of the guard on loopback, beside the upstream asked directly, in one run.

Run: `python bench/guard.py [--seconds 10] [--clients 32] [--refuse 0.01]`. Upstream, guard and clients are processes of
their own. The client is a plain asyncio one (raw sockets, keep-alive, closed loop): it shares the cores with the guard, so
the figures are lower bounds of what a guard on a core of its own would do. The scripted upstream answers at once; its own
rate is printed and bounds what can be measured. Policy: observe, with the fake scorer (key words, no model), and a rule
that refuses the stated share of requests, each fsynced before it is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from backlight.guard import ScriptedUpstream, Step, app, running
from backlight.policy import builtin
from backlight.signals.scorer import FakeScorer
from backlight.workspace import Workspace

TEXT = "Please shorten this note on the opening hours of the library, and keep the tone friendly. " * 8
REFUSING = """
  - rule: refused
    mode: refuse
    when: instruction.scores["BL-01"] >= 3.0
    reason_public: I can't help with this.
"""


def upstream(pipe: Connection) -> None:
    with running(ScriptedUpstream([Step(text="It opens at nine. " * 20)], keep=0)) as url:
        pipe.send(url)
        pipe.recv()


def guard(pipe: Connection, folder: str, target: str, scored: bool) -> None:
    policy = Path(folder) / "policy.yaml"
    policy.write_text(builtin("observe").read_text(encoding="utf-8") + REFUSING, encoding="utf-8")
    scorer = FakeScorer({"BL-01": ["covert plan"], "BL-13": ["results of the campaign"]}) if scored else None
    with Workspace.create(Path(folder) / "ws") as ws:
        gateway = app(ws, upstream=f"{target}/v1", policy=policy, scorer=scorer)
        with running(gateway) as url:
            begun = resource.getrusage(resource.RUSAGE_SELF)
            pipe.send(url)
            pipe.recv()
        used = resource.getrusage(resource.RUSAGE_SELF)
        asked = sum(gateway.counts[mode] for mode in ("allow", "observe", "warn", "refuse"))
        spent = (used.ru_utime + used.ru_stime - begun.ru_utime - begun.ru_stime) / max(asked, 1) * 1e3
        kept = {"cpu_ms_a_request": round(spent, 2), "rss_mb": used.ru_maxrss // 1024}
        pipe.send(kept | {"counts": dict(gateway.counts), "recorder": dict(gateway.recorder.counts)})


def request(text: str, stream: bool) -> bytes:
    body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": text}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"content-length:" in lower:
        await reader.readexactly(int(lower.split(b"content-length:")[1].split(b"\r\n")[0]))
        return
    while size := int(await reader.readuntil(b"\r\n"), 16):
        await reader.readexactly(size + 2)
    await reader.readexactly(2)


async def client(host: str, port: int, bodies: list[bytes], until: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    number = id(reader) % len(bodies)
    while time.perf_counter() < until:
        start = time.perf_counter()
        writer.write(bodies[number % len(bodies)])
        await answer(reader)
        times.append(time.perf_counter() - start)
        number += 1
    writer.close()


async def load(url: str, clients: int, seconds: float, refuse: float, stream: bool) -> dict[str, float]:
    host, port = url.removeprefix("http://").split(":")
    share = round(1 / refuse) if refuse else 0
    bodies = [request(TEXT, stream)] * max(share - 1, 1) + ([request(f"a covert plan {TEXT}", stream)] if share else [])
    times: list[float] = []
    await asyncio.gather(*(client(host, int(port), bodies, time.perf_counter() + 1, []) for _ in range(clients)))
    start = time.perf_counter()
    await asyncio.gather(*(client(host, int(port), bodies, start + seconds, times) for _ in range(clients)))
    times.sort()
    spent = time.perf_counter() - start
    return {"req_s": len(times) / spent, "p50_ms": times[len(times) // 2] * 1e3, "p99_ms": times[int(len(times) * 0.99)] * 1e3}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--refuse", type=float, default=0.01)
    told = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=upstream, args=(theirs,))
    process.start()
    target = ours.recv()
    print(f"{os.cpu_count()} cores shared by upstream, guard and {told.clients} clients; {told.seconds:g} s each; one pass")
    shapes = (("1 client", 1, False), ("plain", told.clients, False), ("streamed", told.clients, True))
    for name, clients, stream in shapes:
        show(f"upstream alone, {name}", asyncio.run(load(target, clients, told.seconds, 0, stream)))
    for scored in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CONFIG_HOME"] = str(Path(folder) / "config")
            mine, its = spawn.Pipe()
            guarded = spawn.Process(target=guard, args=(its, folder, target, scored))
            guarded.start()
            url = mine.recv()
            kind = "fake scorer" if scored else "no scorer"
            for name, clients, stream in (
                ("1 client", 1, False),
                ("plain", told.clients, False),
                ("streamed", told.clients, True),
            ):
                show(f"guard, {kind}, {name}", asyncio.run(load(url, clients, told.seconds, told.refuse, stream)))
            mine.send(None)
            print(f"  {mine.recv()}")
            guarded.join(30)
    ours.send(None)
    process.join(30)


def show(name: str, figures: dict[str, float]) -> None:
    print(
        f"{name:40} {figures['req_s']:8.0f} req/s   p50 {figures['p50_ms']:7.2f} ms   p99 {figures['p99_ms']:7.2f} ms",
        flush=True,
    )


if __name__ == "__main__":
    main()
