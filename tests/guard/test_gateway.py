"""The gateway end to end on loopback: what passes, what is refused, what is recorded, what fails how."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from backlight.errors import PolicyError, RequestError
from backlight.guard import Peer, Step, app
from backlight.policy import builtin
from backlight.signals.scorer import FakeScorer
from backlight.workspace import Workspace

Start = Callable[..., Any]
DEMO = builtin("demo")
WARN = "- {rule: r, mode: warn, when: 'scores[\"BL-01\"] >= 3.0', reason_public: Careful.}\n"
LOCAL = Peer("local", networks=("127.0.0.0/8",), identity_header="x-user", vouches=frozenset({"user"}), decisions=True)


def waited(condition: Callable[[], object]) -> bool:
    """Whether the condition holds within five seconds."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return bool(condition())


def raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are and read until the server closes."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65_536):
            parts.append(part)
    return b"".join(parts)


def test_the_upstream_gets_the_bytes_that_came(guarded: Start) -> None:
    """Unknown fields, spacing, order and escapes reach the upstream byte for byte; so do path and query."""
    g = guarded(DEMO)
    body = b'{ "x_new":{"deep":[1.50,1e3]}, "messages" : [{"role":"user","content":"weather \\u00e9"}],"model":"m" }'
    status, _, data = g.send(body, path="/v1/chat/completions?beta=1&x=%2F", headers={"x-custom": "kept"})
    seen = g.upstream.seen[0]
    assert (status, json.loads(data)["choices"][0]["message"]["content"]) == (200, "It will be sunny.")
    assert (seen.body, seen.path, seen.query) == (body, b"/v1/chat/completions", b"beta=1&x=%2F")
    assert {(b"x-custom", b"kept"), (b"authorization", b"Bearer sk-test")} <= set(seen.headers)


def test_the_client_gets_the_bytes_that_the_upstream_sent(guarded: Start) -> None:
    """Plain and streamed, an answer through the guard is the upstream's own, header by header."""
    g = guarded(DEMO, script=[Step(text="It will be sunny.", extra=(("x_new", {"a": [1, 2]}),))])
    place = g.gateway.settings.upstream
    for stream in (False, True):
        body = {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "weather"}]}
        through = g.send(body)
        url, g.url = g.url, place.removesuffix("/v1")
        direct = g.send(body)
        g.url = url
        assert through == direct


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/models"), ("POST", "/v1/embeddings"), ("DELETE", "/v1/files/f%2F1"), ("PUT", "/other?a=b"), ("GET", "/v1")],
)
def test_every_other_path_passes_untouched(guarded: Start, method: str, path: str) -> None:
    """Method, path as spelt, query, headers and body pass, and so does the answer."""
    g = guarded()
    status, headers, data = g.send(b"\x00\xff any bytes" if method != "GET" else b"", path=path, method=method)
    seen = g.upstream.seen[0]
    spelt = path if path.startswith("/v1") else f"/v1{path}"
    assert (status, dict(headers)["x-upstream"], data) == (200, "scripted", seen.body or b"ok")
    assert (seen.method, seen.path + (b"?" + seen.query if seen.query else b"")) == (method, spelt.encode())


def test_paths_that_are_not_judged_can_be_closed(guarded: Start) -> None:
    """With pass_through off, only chat completions reach the upstream."""
    g = guarded(pass_through=False)
    assert (g.send(b"{}", path="/v1/completions")[0], g.ask("weather")["object"], len(g.upstream.seen)) == (
        404,
        "chat.completion",
        1,
    )


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/",
        "/v1//chat//completions",
        "/v1/chat/./completions",
        "/v1/x/../chat/completions",
        "/v1/chat%2Fcompletions",
        "/v1/chat/%63ompletions",
        "/v1/%2563hat/completions",
        "/V1/Chat/Completions",
        "/chat/completions",
        "/v1/chat/completions;x=1",
        "/v1/chat\\completions",
    ],
)
def test_another_spelling_of_the_path_is_judged_all_the_same(guarded: Start, path: str) -> None:
    """Servers fold paths in many ways; what one of them could read as a chat completion is judged."""
    g = guarded(DEMO)
    _, _, data = g.send({"messages": [{"role": "user", "content": "a covert plan"}]}, path=path)
    assert (json.loads(data)["choices"][0]["finish_reason"], g.upstream.seen) == ("content_filter", [])


def test_a_refusal_never_reaches_the_upstream_and_is_recorded(guarded: Start) -> None:
    """The refused request stands in memory and spool with its event; the model never sees it."""
    g = guarded(DEMO)
    event = g.ask("a covert plan for #RareTagOfThisTest")["id"].removeprefix("chatcmpl-")
    assert (g.upstream.seen, g.gateway.memory.refusals(), g.gateway.memory.watch_counts().watches) == ([], {event: "guard"}, 1)
    record = g.stop()[0]
    assert (record.exchange.record_id, record.exchange.outcome, record.guard["rule"]) == (event, "blocked", "planning-request")
    assert record.exchange.messages[0].text == "a covert plan for #RareTagOfThisTest"


@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_by_the_model_is_remembered_like_one_of_ours(guarded: Start, stream: bool) -> None:
    """Most refusals are the model's own: when the client has it, it is on disk and listens for what was rare."""
    g = guarded()
    g.send({"stream": stream, "messages": [{"role": "user", "content": "cannot: plan with #RareTagOfThisTest"}]})
    assert (list(g.gateway.memory.refusals().values()), g.gateway.memory.watch_counts().watches) == (["model"], 1)
    record = g.stop()[0]
    assert (record.exchange.outcome, record.exchange.output, record.guard["refused_by"]) == (
        "refused",
        "I cannot help with that.",
        "model",
    )


def test_a_refusal_in_the_models_own_words_is_told_by_its_text(guarded: Start) -> None:
    """Without a refusal field the text says it."""
    g = guarded(script=[Step(text="I'm sorry, but I can't help with that request.")])
    g.ask("something")
    assert list(g.gateway.memory.refusals().values()) == ["model"]


def test_an_answered_request_is_recorded_whole(guarded: Start) -> None:
    """History, answer, outcome, tokens, model and user agent go to the spool; the key only as its hash."""
    g = guarded()
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "weather"}]
    g.send({"model": "m", "messages": messages, "metadata": {"conversation_id": "c"}}, headers={"user-agent": "client/1"})
    exchange = g.stop()[0].exchange
    assert [(m.role, m.text) for m in exchange.messages] == [("system", "s"), ("user", "weather")]
    assert (exchange.output, exchange.model, exchange.conversation, exchange.user_agent) == (
        "It will be sunny.",
        "m",
        "c",
        "client/1",
    )
    assert (exchange.tokens_in, exchange.tokens_out, exchange.answered, len(exchange.key or "")) == (10, 5, True, 64)


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_tells_allow_from_observe_and_watch(guarded: Start, stream: bool) -> None:
    """Status, headers and body are byte-equal whether nothing fires, a rule observes, or a watch is hit."""
    g = guarded(script=[Step("refuse me", refusal="No."), Step(text="It will be sunny.")])
    g.ask("refuse me #RareTagOfThisTest")
    asked = ["hello there", "a covert plan", "our campaign #RareTagOfThisTest"]
    answers = [g.send({"stream": stream, "messages": [{"role": "user", "content": text}]}) for text in asked]
    assert answers[0] == answers[1] == answers[2]
    modes = {record.exchange.messages[0].text: (record.guard["mode"], bool(record.guard.get("hits"))) for record in g.stop()}
    assert [modes[text] for text in asked] == [("allow", False), ("observe", False), ("allow", True)]


def test_only_a_named_peer_is_shown_the_decision(guarded: Start) -> None:
    """Others see no header of ours, neither one of the guard nor one that the upstream made up."""
    shown = guarded(DEMO, peers=(LOCAL,))
    hidden = guarded(DEMO)
    told = [
        {
            k: v
            for k, v in g.send({"messages": [{"role": "user", "content": "a covert plan"}]})[1]
            if k.startswith("x-backlight")
        }
        for g in (shown, hidden)
    ]
    assert (told[0]["x-backlight-decision"], told[0]["x-backlight-policy"], len(told[0]["x-backlight-event"])) == (
        "refuse",
        "demo@1",
        32,
    )
    assert told[1] == {}


def test_headers_of_ours_never_reach_the_upstream(guarded: Start) -> None:
    """A peer's token stays between the peer and the guard."""
    g = guarded(peers=(Peer("p", token="t0ken"),))
    headers = {"x-backlight-peer": "t0ken", "connection": "x-secret", "x-secret": "1", "te": "trailers"}
    g.ask("weather", headers=headers)
    names = {name for name, _ in g.upstream.seen[0].headers}
    assert not names & {b"x-backlight-peer", b"x-secret", b"te"}


def test_framing_a_victim_by_user_leaves_nothing_on_the_victim(guarded: Start, ws: Workspace) -> None:
    """An attacker with a key of its own sends another's `user`: refusals, watches and flags stay on the attacker's key."""
    g = guarded(DEMO)
    for _ in range(3):
        g.ask("a covert plan with #RareTagOfThisTest", user="victim", safety_identifier="victim", headers={
            "authorization": "Bearer attacker", "x-user": "victim", "x-forwarded-for": "10.0.0.1", "x-backlight-user": "victim"
        })  # fmt: skip
    from hashlib import sha256

    def raw_key(secret: str) -> str:
        return sha256(secret.encode()).hexdigest()

    accounts = [ws.pseudonyms.account("end_user", "victim", key=raw_key(key))[0] for key in ("attacker", "victims-host")]
    accounts.append(ws.pseudonyms.account("user", "victim")[0])
    states = [g.gateway.memory.state(account, ws.pseudonyms.key(raw_key("victims-host")), time.time()) for account in accounts]
    assert [(s.refusals_30d, s.watches, s.requests_30d, s.key_refusals_30d) for s in states] == [(0, (), 0, 0)] * 3
    attacker = ws.pseudonyms.account("key", raw_key("attacker"))[0]
    assert g.gateway.memory.state(attacker, ws.pseudonyms.key(raw_key("attacker")), time.time()).refusals_24h == 3
    assert {flag.key for flag in g.gateway.memory.flags()} == {ws.pseudonyms.key(raw_key("attacker"))}


def test_a_listed_peer_names_its_end_users(guarded: Start) -> None:
    """Refusals of one end user stand on that one, not on the next under the same key."""
    g = guarded(DEMO, peers=(LOCAL,))
    g.ask("a covert plan", headers={"x-user": "one"})
    g.ask("weather", user="two")
    levels = [(r.guard["level"], r.exchange.end_user, r.guard["mode"]) for r in g.stop()]
    assert levels == [("end_user", "one", "refuse"), ("end_user", "two", "allow")]


@pytest.mark.parametrize("stream", [False, True])
def test_a_warned_request_is_answered_with_the_public_text_before_it(guarded: Start, stream: bool) -> None:
    """Warn answers; the text stands before the content."""
    g = guarded(WARN, script=[Step(text="It will be sunny.")])
    status, _, data = g.send({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "a covert plan"}]})
    if stream:
        chunks = [json.loads(line[6:]) for line in data.decode().splitlines() if line.startswith("data: {")]
        text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    else:
        text = json.loads(data)["choices"][0]["message"]["content"]
    assert (status, text, data.endswith(b"data: [DONE]\n\n")) == (200, "Careful.\n\nIt will be sunny.", stream)


def test_the_hard_form_of_a_refusal(guarded: Start) -> None:
    """HTTP 400 with code content_filter, streamed or not."""
    g = guarded(DEMO, refusal="error")
    status, _, data = g.send({"stream": True, "messages": [{"role": "user", "content": "a covert plan"}]})
    error = json.loads(data)["error"]
    assert (status, error["code"], error["type"], error["param"]) == (400, "content_filter", "invalid_request_error", None)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b'{"messages": [], "messages": []}', {}, 400),
        (b'{"messages": []}', {"content-encoding": "gzip"}, 415),
        (b"x" * 2_000, {}, 413),
    ],
)
def test_a_body_that_cannot_be_judged_is_answered_and_not_passed(
    guarded: Start, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Not JSON, two meanings, compressed or too large: an error in the client's form, and the model never sees it."""
    g = guarded(body_limit=1_000)
    got, _, data = g.send(body, headers=headers)
    assert (got, "message" in json.loads(data)["error"], g.upstream.seen) == (status, True, [])


def test_a_chunked_body_over_the_limit_is_cut_off(guarded: Start) -> None:
    """Without a length the guard counts, and stops reading."""
    g = guarded(body_limit=1_000)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = raw(g.url, head + b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n")
    assert (answer.split(b"\r\n")[0], g.upstream.seen) == (b"HTTP/1.1 413 Request Entity Too Large", [])


def test_a_slow_body_is_given_up(guarded: Start) -> None:
    """A client that never finishes its body does not hold a place for ever."""
    g = guarded(body_timeout=0.2)
    place = urlsplit(g.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


EVIL = b'{"messages":[{"role":"user","content":"a covert plan"}]}'


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nContent-Length: 60\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/models HTTP/1.1\r\nHost: h\r\nContent-Length: +0\r\n\r\n",
        b"GET /v1/models\r\nX: y HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: h\r\nX: a\x00b\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nAuthorization: b\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_requests_with_two_lengths_or_broken_headers_are_refused(guarded: Start, head: bytes) -> None:
    """Nothing that two servers could read differently reaches the upstream, nor does a request hidden behind it."""
    g = guarded(DEMO)
    hidden = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(EVIL) + EVIL
    answer = raw(g.url, head + hidden)
    assert (answer[:12], [seen for seen in g.upstream.seen if b"covert" in seen.body]) == (b"HTTP/1.1 400", [])


@pytest.mark.parametrize("target", [b"@127.0.0.1:9/x", b"http://127.0.0.1:9/v1/models", b"*", b"127.0.0.1:9", b":9@h/x"])
def test_a_target_that_is_no_path_leads_nowhere(guarded: Start, target: bytes) -> None:
    """No spelling of the target sends a request, and the key in it, to another server than the upstream."""
    g = guarded(upstream="http://127.0.0.1:9")
    answer = raw(g.url, b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")


def test_an_answer_beyond_the_limit_passes_as_it_comes(guarded: Start) -> None:
    """A very long answer is passed on whole, is not held, and is counted as not read."""
    g = guarded(script=[Step(text="x" * 300_000)], answer_limit=100)
    assert len(g.ask("anything")["choices"][0]["message"]["content"]) == 300_000
    assert (g.stop()[0].exchange.output, g.gateway.counts["answers not read"]) == (None, 1)


def test_a_header_cannot_be_injected_into_the_upstream(guarded: Start) -> None:
    """A value with an escaped line break stays one value."""
    g = guarded()
    g.send(b"", path="/v1/models?x=%0d%0aX-Injected:%201", method="GET", headers={"x-a": "1%0d%0aX-Injected: 1"})
    assert b"x-injected" not in {name.lower() for name, _ in g.upstream.seen[0].headers}


@pytest.mark.parametrize(
    ("step", "status"), [(Step(status=429, text="slow down", code="rate_limit"), 429), (Step(status=500), 500)]
)
def test_errors_of_the_upstream_pass(guarded: Start, step: Step, status: int) -> None:
    """An error is the upstream's, not ours, and no answer is recorded."""
    g = guarded(script=[step])
    got, _, data = g.send({"messages": [{"role": "user", "content": "x"}]})
    assert (got, json.loads(data)["error"]["message"]) == (status, step.text)
    assert g.stop()[0].exchange.answered is False


def test_an_upstream_that_is_down_is_a_502(guarded: Start) -> None:
    """Chat completions and other paths alike; the error says nothing about the inside."""
    g = guarded(upstream="http://127.0.0.1:9/v1")
    codes = [g.send({"messages": []}, path=path)[0] for path in ("/v1/chat/completions", "/v1/models")]
    assert (codes, g.gateway.counts["upstream unreachable"]) == ([502, 502], 2)


def test_an_upstream_that_is_silent_is_a_504(guarded: Start) -> None:
    """The time-out of the upstream's silence."""
    g = guarded(script=[Step(delay=2)], read_timeout=0.2)
    assert g.send({"messages": [{"role": "user", "content": "x"}]})[0] == 504


def test_a_stream_that_breaks_off_ends_early_for_the_client_too(guarded: Start) -> None:
    """What came is passed on, no end is invented, and the request is recorded with what was seen."""
    g = guarded(script=[Step(text="one two", break_off=True)])
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        g.send({"stream": True, "messages": [{"role": "user", "content": "x"}]})
    assert (g.stop()[0].exchange.answered, g.gateway.counts["upstream broke off"]) == (True, 1)


def test_a_client_that_goes_away_stops_the_upstream(guarded: Start) -> None:
    """The upstream's answer is dropped, and the request is recorded."""
    g = guarded(script=[Step(text="a " * 40, delay=0.05)])
    place = urlsplit(g.url)
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "x"}]}).encode()
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        connection.recv(10)
    assert waited(lambda: g.gateway.counts["client gone"] == 1)
    assert waited(lambda: g.gateway.recorder.counts["recorded"] == 1)


class Broken(FakeScorer):
    """A scorer that fails."""

    def score(self, texts: Any) -> Any:
        """Fails."""
        raise ValueError("broken")


@pytest.mark.parametrize(("fail", "status", "asked"), [("open", 200, 1), ("closed", 503, 0)])
def test_a_scorer_that_fails_meets_the_policys_fail(guarded: Start, fail: str, status: int, asked: int) -> None:
    """Open answers, closed does not; both are counted."""
    g = guarded(fail=fail, scorer=Broken({"BL-01": ["x"]}))
    got, headers, _ = g.send({"messages": [{"role": "user", "content": "x"}]})
    assert (got, len(g.upstream.seen), g.gateway.counts[f"failed {fail}: judge ValueError"]) == (status, asked, 1)
    assert dict(headers).get("retry-after") == ("5" if fail == "closed" else None)


@pytest.mark.parametrize(("fail", "status"), [("open", 200), ("closed", 503)])
def test_a_full_queue_meets_the_policys_fail(guarded: Start, fail: str, status: int) -> None:
    """More requests than may wait for a judge are answered or not as the policy says."""
    g = guarded(fail=fail)
    g.gateway._judges._room = 0
    assert g.send({"messages": [{"role": "user", "content": "x"}]})[0] == status
    assert g.gateway.counts[f"failed {fail}: queue"] == 1


@pytest.mark.parametrize(("fail", "status", "modes"), [("open", 200, 1), ("closed", 503, 0)])
def test_a_full_disk_meets_the_policys_fail(
    guarded: Start, monkeypatch: pytest.MonkeyPatch, fail: str, status: int, modes: int
) -> None:
    """After a failed write requests are answered or not as the policy says, and every record that is lost is counted."""
    g = guarded(fail=fail, group_seconds=0.0)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(g.gateway.recorder.spool, "append", full)
    monkeypatch.setattr("backlight.guard.recorder._RETRY", 60.0)
    g.ask("weather")
    assert waited(lambda: g.gateway.recorder.counts["lost"] == 1)
    got = g.send({"messages": [{"role": "user", "content": "x"}]})[0]
    assert (got, g.gateway.counts[f"failed {fail}: spool"], len(g.upstream.seen)) == (status, 1, 1 + modes)


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_refusal_that_cannot_be_recorded_is_not_answered_and_not_let_through(
    guarded: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fail: str
) -> None:
    """Neither a refusal that is not on disk nor the plan itself goes out: the client meets an error of the service."""
    path = tmp_path / "refusing.yaml"
    path.write_text(DEMO.read_text(encoding="utf-8").replace("fail: open", f"fail: {fail}"), encoding="utf-8")
    g = guarded(path)

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(g.gateway.recorder.spool, "append", full)
    got = g.send({"messages": [{"role": "user", "content": "a covert plan"}]})[0]
    assert (got, g.upstream.seen, g.gateway.counts["refusals not recorded"], g.gateway.memory.refusals()) == (503, [], 1, {})


@pytest.mark.parametrize(("fail", "status"), [("open", 200), ("closed", 503)])
def test_a_memory_that_cannot_be_read_meets_the_policys_fail(guarded: Start, fail: str, status: int) -> None:
    """The guard goes on, or stops answering, as the policy says."""
    g = guarded(fail=fail)
    g.gateway.memory._read.execute("PRAGMA query_only=OFF")
    g.gateway.memory._write.execute("ALTER TABLE refusals RENAME TO lost")
    assert g.send({"messages": [{"role": "user", "content": "x"}]})[0] == status
    assert g.gateway.counts[f"failed {fail}: memory"] == 1


def test_no_text_key_or_raw_id_is_readable_on_disk(guarded: Start, ws: Workspace) -> None:
    """Canaries in prompt, document, answer, key, ids and headers: no byte of them in memory, spool or their logs."""
    g = guarded(DEMO, peers=(LOCAL,), script=[Step(text="CANARY answer")])
    for text in ("CANARY hello", "a covert plan CANARY #CANARYtag https://canary.example/CANARY"):
        headers = {"authorization": "Bearer CANARY-key", "x-user": "CANARY-user", "user-agent": "CANARY-agent"}
        g.ask(text, user="CANARY-claimed", metadata={"conversation_id": "CANARY-conversation"}, headers=headers)
    g.gateway.recorder.flush()
    live = [file.read_bytes() for folder in ("spool", "guard") for file in (ws.path / folder).iterdir()]
    assert len(g.stop()) == 2
    after = [file.read_bytes() for folder in ("spool", "guard") for file in (ws.path / folder).iterdir()]
    data = b"".join(live + after).lower()
    assert (b"canary" in data, len(data) > 1_000) == (False, True)


def test_a_policy_and_a_scorer_must_fit(ws: Workspace, tmp_path: Path) -> None:
    """A guard does not start on signals that its scorer does not give, nor fail closed without a scorer."""
    path = tmp_path / "p.yaml"
    path.write_text("name: p\nversion: 1\nfail: closed\nrules:\n- {rule: r, mode: observe, when: 'scores[\"BL-09\"] > 1.0'}\n")
    with pytest.raises(RequestError, match="BL-09"):
        app(ws, upstream="http://127.0.0.1:9", policy=path, scorer=FakeScorer({"BL-01": ["x"]}))
    with pytest.raises(RequestError, match="fails closed"):
        app(ws, upstream="http://127.0.0.1:9", policy=path)


def test_a_bad_reload_changes_nothing_for_the_client(guarded: Start, tmp_path: Path) -> None:
    """The last good policy goes on refusing, and says why the new one was not taken."""
    path = tmp_path / "live.yaml"
    path.write_bytes(DEMO.read_bytes())
    g = guarded(path)
    path.write_text("rules: [")
    assert (g.gateway.reload(), type(g.gateway.policies.failed)) == (False, PolicyError)
    assert g.ask("a covert plan")["choices"][0]["finish_reason"] == "content_filter"


def test_websockets_are_closed(guarded: Start) -> None:
    """What cannot be judged is not opened."""
    g = guarded()
    head = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-key": "eA==", "sec-websocket-version": "13"}
    status, _, _ = g.send(b"", path="/v1/realtime", method="GET", headers=head)
    assert (status, b"upgrade" in {name for name, _ in g.upstream.seen[-1].headers} if g.upstream.seen else False) == (
        200,
        False,
    )
