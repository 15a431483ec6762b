"""The gateway: a bare ASGI application in front of an OpenAI-compatible server.

Chat completions are read, judged and recorded; the bytes that go to the upstream are the bytes that came. Every other
path passes through unread. What the client gets under allow and observe is what the upstream said, header by header;
records are made after the answer, except that a refusal is on disk before it is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sqlite3
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from backlight.errors import PolicyError, RequestError
from backlight.guard import openai_chat as chat
from backlight.guard import server
from backlight.guard._forward import BrokenOff, Forwarder, Reply, Unreachable
from backlight.guard.decide import AccountState, Decision, Request, decide
from backlight.guard.identity import OWN, Identity, headers_of, identify, peer_of
from backlight.guard.judges import Full, Judges
from backlight.guard.memory import Entry, Memory, RefusedBy
from backlight.guard.reading import Reader
from backlight.guard.recorder import Recorder, Unrecorded
from backlight.guard.settings import Peer, Settings
from backlight.guard.spool import Record, Sealer, Spool
from backlight.hashing import MASK, Hasher
from backlight.normalise import Pseudonyms
from backlight.policy import Policy, PolicyHolder, builtin
from backlight.sources._items import Exchange

if TYPE_CHECKING:
    from backlight.signals.scorer import Scorer

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

log = logging.getLogger("backlight.guard")
_JSON = (b"content-type", b"application/json")
_UNAVAILABLE = "The service is not available right now. Please try again later."


class Home(Protocol):
    """What the guard needs of a workspace."""

    @property
    def path(self) -> Path:
        """Its folder."""
        ...

    @property
    def hasher(self) -> Hasher:
        """Keyed hashes of texts and entities."""
        ...

    @property
    def pseudonyms(self) -> Pseudonyms:
        """Pseudonyms of identities."""
        ...

    @property
    def vault(self) -> Sealer:
        """Seals what goes to the spool."""
        ...


class Answered(Exception):
    """A request is answered by the guard itself: status, body, headers."""

    def __init__(self, status: int, body: bytes, headers: Headers | None = None) -> None:
        super().__init__(status)
        self.status, self.body = status, body
        self.headers = headers if headers is not None else [_JSON]


class Turn(Struct):
    """One judged request on its way; `stream` reads its answer as it passes, `recorded` says that its refusal is on disk."""

    request: Request
    decision: Decision
    asked: chat.Chat
    body: bytes
    user_agent: str | None
    peer: Peer | None
    stream: chat.StreamReader | None = None
    recorded: bool = False


def app(
    workspace: Home,
    *,
    upstream: str | Settings,
    policy: str | Path | PolicyHolder | None = None,
    scorer: Scorer | None = None,
    reader: Reader | None = None,
) -> Gateway:
    """A gateway that keeps its memory and spool in a workspace.

    Args:
        workspace: an open workspace.
        upstream: URL of the model's server, or all settings.
        policy: a policy file, or its holder; the default policy observes and refuses nothing.
        scorer: reads the texts; without one, rules that read scores are left out.
        reader: reads turns; the project's own by default.

    Raises:
        PolicyError: the policy does not load.
        RequestError: the policy needs a scorer, or one that gives other signals.
    """
    settings = upstream if isinstance(upstream, Settings) else Settings(upstream)
    holder = policy if isinstance(policy, PolicyHolder) else PolicyHolder(policy or builtin("observe"))
    return Gateway(workspace, settings, holder, scorer, reader or Reader(workspace.hasher, limit=settings.judged_limit))


def serve(
    workspace: Home,
    *,
    upstream: str | Settings,
    policy: str | Path | PolicyHolder | None = None,
    scorer: Scorer | None = None,
    host: str = "127.0.0.1",
    port: int = 8080,
) -> None:
    """Serve a guard until the process is told to stop; SIGHUP reads the policy file again.

    Args:
        workspace: an open workspace.
        upstream: URL of the model's server, or all settings.
        policy: a policy file; the default policy observes and refuses nothing.
        scorer: reads the texts; the project's own by default.
        host: address to listen on.
        port: port to listen on.

    Raises:
        PolicyError: the policy does not load.
        RequestError: the policy and the scorer do not fit, or the address cannot be listened on.
    """
    if scorer is None:
        from backlight.signals.scorer import EmbeddingScorer

        scorer = EmbeddingScorer()
    gateway = app(workspace, upstream=upstream, policy=policy, scorer=scorer)
    before = signal.signal(signal.SIGHUP, lambda *_: gateway.reload())
    try:
        server.serve(gateway, host, port)
    finally:
        signal.signal(signal.SIGHUP, before)


class Gateway:
    """The ASGI application; see `app`.

    Attributes:
        counts: requests by what became of them, faults included.
        policies: holder of the policy; `policies.reload()` reads its file again.
    """

    def __init__(self, home: Home, settings: Settings, policies: PolicyHolder, scorer: Scorer | None, reader: Reader) -> None:
        _check_scorer(policies.policy, scorer)
        self.settings, self.policies, self.scorer = settings, policies, scorer
        self.counts: Counter[str] = Counter()
        self._pseudonyms, self._reader = home.pseudonyms, reader
        self.memory = Memory(home.path / "guard" / "memory.sqlite")
        spool = Spool(
            home.path / "spool", home.vault, segment_bytes=settings.segment_bytes, segment_seconds=settings.segment_seconds
        )
        self.recorder = Recorder(spool, self.memory, group_seconds=settings.group_seconds, pending_bytes=settings.pending_bytes)
        self._judges = Judges(settings.judges, settings.queue)
        self._forwarder = Forwarder(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the ASGI protocol."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "lifespan.shutdown":
            await asyncio.to_thread(self.warm)
            await send({"type": "lifespan.startup.complete"})
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    def warm(self) -> None:
        """Load what the first request would otherwise wait for: models of language, the scorer, the compiled rules."""
        instruction, _, language, _ = self._reader.read("Please polish this text.")
        identity = Identity(key=0, account=0, level="none", vouched=False, source="none")
        request = Request(id="0", time=0.0, identity=identity, instruction=instruction, language=language)
        self._reader.outcome("Certainly, here it is.")
        with contextlib.suppress(Exception):  # a scorer that fails is met, and counted, at each request
            decide(request, AccountState(), self.policies.policy, self.scorer)

    def reload(self) -> bool:
        """Read the policy file again; returns whether it loaded and fits the scorer. If not, the last good one stays."""
        before = self.policies.policy
        if not self.policies.reload():
            log.error("the policy was not loaded, %s goes on: %s", before.id, self.policies.failed)
            return False
        try:
            _check_scorer(self.policies.policy, self.scorer)
        except RequestError as error:
            self.policies.policy, self.policies.failed = before, PolicyError(error.wrong, error.expected, error.todo)
            log.error("the policy was not loaded, %s goes on: %s", before.id, error)
            return False
        log.info("policy %s is loaded", self.policies.policy.id)
        return True

    async def close(self) -> None:
        """Write what waits, hand the spool over and let go of the upstream."""
        await self._forwarder.close()
        self._judges.close()
        await asyncio.to_thread(self.recorder.close)
        self.memory.close()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            headers = _headers(scope)
            if is_chat(scope):
                await self._chat(scope, headers, receive, send)
            else:
                await self._pass(scope, receive, send)
        except Answered as answer:
            self.counts[f"answered {answer.status}"] += 1
            await _respond(send, answer.status, answer.headers, answer.body)
        except BrokenOff:
            self.counts["upstream broke off"] += 1
            raise  # the server closes the connection: no end is invented
        except Unreachable as error:
            self.counts["upstream unreachable"] += 1
            status = 504 if error.slow else 502
            await _respond(send, status, [_JSON], chat.error(_UNAVAILABLE, "upstream_unreachable", "server_error"))

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a path through that is not judged."""
        if not self.settings.pass_through:
            raise Answered(404, chat.error("Unknown path.", None))
        self.counts["passed through"] += 1
        async with self._forwarder.open(scope, _stream_of(receive)) as reply:
            await _start(send, reply.status, _without_own(reply.headers))
            async for piece in reply.pieces():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _chat(self, scope: Scope, headers: dict[str, str], receive: Receive, send: Send) -> None:
        body = await self._body(headers, receive)
        try:
            read = chat.parse(body)
        except RequestError as error:
            raise Answered(400, chat.error(f"We could not read your request: {error}", None)) from None
        client = scope.get("client")
        peer = peer_of(headers, client[0] if client else None, self.settings.peers)
        identity = identify(headers, peer, read.body, self._pseudonyms)
        decision, request = await self._judge(read, identity)
        turn = Turn(request, decision, read, body, headers.get("user-agent"), peer)
        if not self.recorder.healthy:
            self._fail("spool")
        self.counts[decision.mode] += 1
        if decision.mode == "refuse":
            await self._refuse(turn, send)
        else:
            await self._answer(turn, scope, receive, send)

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        """The whole body, within its limits.

        Raises:
            Answered: it is too large, too slow, compressed, or its sender has gone.
        """
        limit = self.settings.body_limit
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Answered(415, chat.error("Compressed request bodies are not supported.", None))
        if int(headers.get("content-length", "0")) > limit:
            raise Answered(413, chat.error(f"The request body is larger than {limit} bytes.", None))
        parts, size = [], 0
        try:
            async with asyncio.timeout(self.settings.body_timeout):
                async for piece in _stream_of(receive):
                    size += len(piece)
                    if size > limit:
                        raise Answered(413, chat.error(f"The request body is larger than {limit} bytes.", None))
                    parts.append(piece)
        except TimeoutError:
            raise Answered(408, chat.error("The request body took too long.", None)) from None
        return b"".join(parts)

    async def _judge(self, read: chat.Chat, identity: Identity) -> tuple[Decision, Request]:
        """Read and decide, in a thread where there is something to score or to split.

        Raises:
            Answered: it could not be judged, and the policy fails closed.
        """
        now, event = time.time(), uuid.uuid4().hex
        conversation = self._pseudonyms.conversation(f"{identity.key}/{read.conversation}") if read.conversation else None
        state = self._remembered(identity, now, conversation)
        policy = self.policies.policy

        def judge(scorer: Scorer | None) -> tuple[Decision, Request]:
            instruction, document, language, objects = self._reader.read(read.turn)
            request = Request(
                id=event, time=now, identity=identity, instruction=instruction, document=document, language=language,
                model=read.model, stream=read.stream, n_messages=len(read.messages), turns=read.turns,
                conversation=conversation, objects=objects,
            )  # fmt: skip
            return decide(request, state, policy, scorer), request

        try:
            if self.scorer is None and len(read.turn) < _INLINE:
                return judge(None)
            return await self._judges.run(lambda: judge(self.scorer))
        except Full:
            self._fail("queue")
        except Exception as error:  # a scorer is code of others: whatever it raises is a fault of judging
            self._fail(f"judge {type(error).__name__}")
        bare = Request(id=event, time=now, identity=identity, instruction="", model=read.model, conversation=conversation)
        return decide(bare, state, policy, None), bare

    def _remembered(self, identity: Identity, now: float, conversation: int | None) -> AccountState:
        """What is remembered of the account; nothing, and a fault, where the memory cannot be read."""
        try:
            return self.memory.state(identity.account, identity.key, now, conversation)
        except sqlite3.Error:
            self._fail("memory")
            return AccountState()

    def _fail(self, what: str) -> None:
        """Count a fault; under a policy that fails closed, answer that the service is not available.

        Raises:
            Answered: the policy fails closed.
        """
        closed = self.policies.policy.fail == "closed"
        self.counts[f"failed {'closed' if closed else 'open'}: {what}"] += 1
        if closed:
            retry = [_JSON, (b"retry-after", b"5")]
            raise Answered(503, chat.error(_UNAVAILABLE, "service_unavailable", "server_error"), retry)

    async def _refuse(self, turn: Turn, send: Send) -> None:
        """Refuse, once the refusal is on disk."""
        answer = chat.Answer(turn.decision.public_text, "blocked", stated="blocked")
        try:
            await self.recorder.durable(*self._kept(turn, answer, "guard"), self.settings.record_timeout)
        except Unrecorded:
            # Unrecorded, a refusal is never answered: open still says that it is refused, but as an error of the service.
            self.counts["refusals not recorded"] += 1
            self._fail("record")
            raise Answered(503, chat.error(_UNAVAILABLE, "service_unavailable", "server_error")) from None
        text, shown = turn.decision.public_text or "", _shown(turn)
        if self.settings.refusal == "error":
            await _respond(send, 400, [_JSON, *shown], chat.refusal_error(text))
        elif turn.request.stream:
            body = chat.refusal_stream(turn.request.id, int(turn.request.time), turn.request.model, text)
            headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"), *shown]
            await _respond(send, 200, headers, body)
        else:
            body = chat.refusal(turn.request.id, int(turn.request.time), turn.request.model, text)
            await _respond(send, 200, [_JSON, *shown], body)

    async def _answer(self, turn: Turn, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the upstream answer, and stop it when the client goes away."""
        gone = asyncio.ensure_future(_gone(receive))
        work = asyncio.ensure_future(self._forward(turn, scope, send))
        try:
            await asyncio.wait({gone, work}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                self.counts["client gone"] += 1
                work.cancel()
            await work
        except asyncio.CancelledError:
            if not work.cancelled():
                work.cancel()
                raise
        finally:
            gone.cancel()

    async def _forward(self, turn: Turn, scope: Scope, send: Send) -> None:
        answer = chat.Answer()
        accepted = False
        try:
            async with self._forwarder.open(scope, turn.body, readable=True) as reply:
                accepted = reply.status < 400
                headers = [*_without_own(reply.headers), *_shown(turn)]
                if reply.is_stream:
                    answer = await self._stream(turn, reply, headers, send)
                else:
                    answer = await self._whole(turn, reply, headers, send)
        finally:  # also where the upstream broke off or the client has gone: with what was seen
            if turn.stream is not None:
                answer = self._judged(turn.stream.answer())
            if not turn.recorded:
                by: RefusedBy = "model" if answer.outcome in ("refused", "blocked") else ""
                self.recorder.put(*self._kept(turn, answer, by, accepted=accepted))

    async def _whole(self, turn: Turn, reply: Reply, headers: Headers, send: Send) -> chat.Answer:
        """Pass on an answer in one piece; a large one, or one that cannot be read, as it comes."""
        data = await self._bounded(reply, headers, send)
        if data is None:
            self.counts["answers not read"] += 1
            return chat.Answer()
        answer = self._judged(chat.read_answer(reply.status, data))
        await self._refused_by_model(turn, answer)
        if turn.decision.mode == "warn" and turn.asked.plain and reply.status < 400:
            data = chat.warned(data, turn.decision.public_text or "")
            headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
            headers.append((b"content-length", b"%d" % len(data)))
        await _respond(send, reply.status, headers, data, length=False)
        return answer

    async def _bounded(self, reply: Reply, headers: Headers, send: Send) -> bytes | None:
        """The whole answer; None where it is too long or compressed, and has been passed on as it came.

        Raises:
            Unreachable: it broke off before anything was passed on.
        """
        limit = self.settings.answer_limit * 8 if reply.readable else -1
        held, started = bytearray(), False
        try:
            async for piece in reply.pieces():
                held += piece
                if started or len(held) > limit:
                    if not started:
                        await _start(send, reply.status, headers)
                    started = True
                    await send({"type": "http.response.body", "body": bytes(held), "more_body": True})
                    held.clear()
        except BrokenOff as error:
            if started:
                raise
            raise Unreachable(str(error), slow=error.slow) from None
        if not started:
            return bytes(held)
        await send({"type": "http.response.body", "body": bytes(held)})
        return None

    async def _stream(self, turn: Turn, reply: Reply, headers: Headers, send: Send) -> chat.Answer:
        """Pass on events as they come; the last ones of a refusal wait until it is on disk."""
        turn.stream = reader = chat.StreamReader(self.settings.answer_limit)
        warner = chat.Warner(turn.decision.public_text or "") if turn.decision.mode == "warn" and turn.asked.plain else None
        told = False
        await _start(send, reply.status, headers)
        async for piece in reply.pieces():
            reader.feed(piece)
            if reader.done and not told:
                told = True
                await self._refused_by_model(turn, self._judged(reader.answer()))
            await send({"type": "http.response.body", "body": warner.feed(piece) if warner else piece, "more_body": True})
        answer = self._judged(reader.answer())
        if not told:
            await self._refused_by_model(turn, answer)
        await send({"type": "http.response.body", "body": warner.rest() if warner else b""})
        return answer

    def _judged(self, answer: chat.Answer) -> chat.Answer:
        """The answer, its outcome told from its text where its fields say nothing."""
        if answer.outcome != "unknown" or not answer.text:
            return answer
        return msgspec.structs.replace(answer, outcome=self._reader.outcome(answer.text))

    async def _refused_by_model(self, turn: Turn, answer: chat.Answer) -> None:
        """A refusal by the model is remembered like one of ours, before it is answered."""
        if answer.outcome not in ("refused", "blocked"):
            return
        self.counts["refused by model"] += 1
        turn.recorded = True
        try:
            await self.recorder.durable(*self._kept(turn, answer, "model", accepted=True), self.settings.record_timeout)
        except Unrecorded:
            self.counts["refusals not recorded"] += 1  # the model has refused; nothing is let through by saying so

    def _kept(
        self, turn: Turn, answer: chat.Answer, refused_by: RefusedBy, *, accepted: bool = False
    ) -> tuple[Entry, Record, int]:
        """What memory and spool keep of a turn, and its size in memory."""
        request, decision, identity = turn.request, turn.decision, turn.request.identity
        entry = Entry(
            event=decision.event, refused_by=refused_by, objects=decision.watch,
            watch_days=decision.watch_days if refused_by or decision.concern else 0, accepted=accepted,
        )  # fmt: skip
        exchange = Exchange(
            record_id=request.id, time=_utc(request.time), messages=turn.asked.messages, output=answer.text,
            conversation=turn.asked.conversation, end_user=identity.raw_user, key=identity.raw_key, user_agent=turn.user_agent,
            channel="api", model=request.model or None, outcome=answer.stated, tokens_in=answer.tokens_in,
            tokens_out=answer.tokens_out, answered=answer.text is not None,
        )  # fmt: skip
        event = msgspec.to_builtins(decision.event) | {"refused_by": refused_by, "outcome": answer.outcome}
        record = Record(row=row_of(request.id), account=identity.account, time=request.time, exchange=exchange, guard=event)
        return entry, record, len(turn.body) + len(answer.text or "") + 1024


_INLINE = 20_000
"""Characters of a turn up to which it is read without a thread where nothing is scored."""


def is_chat(scope: Scope) -> bool:
    """Whether this is a request for a chat completion, however the path is spelt: some servers fold what others do not."""
    if scope["method"] != "POST":
        return False
    path = scope["path"]
    for _ in range(3):
        path = unquote(path)
    parts: list[str] = []
    for part in path.replace("\\", "/").casefold().split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part.partition(";")[0].strip())
    return parts[-2:] == ["chat", "completions"]


def row_of(event: str) -> int:
    """The int64 row of an event id."""
    return int(event[:16], 16) & MASK


def _check_scorer(policy: Policy, scorer: Scorer | None) -> None:
    if scorer is None:
        if policy.needs_scorer and policy.fail == "closed":
            raise RequestError(f"policy {policy.id} reads scores and fails closed, but there is no scorer", "a scorer")
        return
    missing = policy.unknown_signals({*scorer.behaviours, "concern", "voice"})
    if missing:
        raise RequestError(f"policy {policy.id} reads {', '.join(missing)}", f"signals that scorer {scorer.name} gives")


def _shown(turn: Turn) -> Headers:
    """The decision, for a listed peer that is to see it; for anyone else nothing."""
    if turn.peer is None or not turn.peer.decisions:
        return []
    shown = {"decision": turn.decision.mode, "policy": turn.decision.event.policy, "event": turn.request.id}
    return [(f"{OWN}{name}".encode(), value.encode()) for name, value in shown.items()]


def _headers(scope: Scope) -> dict[str, str]:
    """Headers by name, unless they contradict each other.

    Raises:
        Answered: they do: a length and a transfer encoding, or a name that must stand once stands twice.
    """
    try:
        headers = headers_of(scope["headers"])
    except RequestError as error:
        raise Answered(400, chat.error(f"We could not read your request: {error}", None)) from None
    if not (scope.get("raw_path") or b"/").startswith(b"/"):  # `@host` or `http://host` would lead elsewhere
        raise Answered(400, chat.error("We could not read your request: its target is not a path", None))
    if "transfer-encoding" in headers and "content-length" in headers:
        raise Answered(400, chat.error("We could not read your request: it has two lengths", None))
    return headers


def _without_own(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if not name.lower().startswith(OWN.encode())]


async def _stream_of(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise Answered(499, b"", [])  # nobody reads it
        if event.get("body"):
            yield event["body"]
        if not event.get("more_body"):
            return


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _start(send: Send, status: int, headers: Headers) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _respond(send: Send, status: int, headers: Headers, body: bytes, *, length: bool = True) -> None:
    measured = [(b"content-length", b"%d" % len(body))] if length else []
    with contextlib.suppress(OSError):  # the client has gone
        await _start(send, status, [*headers, *measured])
        await send({"type": "http.response.body", "body": body})


def _utc(when: float) -> Any:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(when, UTC)
