"""The decision: a pure function of the request, what is remembered of its account, the policy and the scorer.

Instruction and pasted document are scored apart: to polish a report is harmless, the report is the evidence. Each turn
is judged on its own; what is remembered enters only as counters and watches that a rule may read, and by the policy's
own check no rule can refuse on those alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from backlight.guard.identity import Identity
from backlight.policy import ACTIONS, MODES, SIGNALS, Action, Outcome, Policy, Rule

if TYPE_CHECKING:
    from backlight.signals.scorer import Scorer

DecisionMode = Literal["allow", "observe", "warn", "refuse"]
DAY = 86_400.0
VOICE_CUT = 0.0
"""Bits above which a turn is in the operator's voice."""


class Object(Struct, frozen=True, gc=False):
    """Something a watch can listen for: its kind (hashtag, domain, handle, document, ...) and its keyed hash."""

    kind: str
    id: int


class Watch(Struct, frozen=True, kw_only=True):
    """What a refusal left behind.

    Attributes:
        id: stable id.
        account: who was refused.
        cause: event id of the refusal.
        objects: keyed hashes it listens for.
        set_at: epoch seconds.
        expires: epoch seconds.
        strength: refusal, or the weaker concern.
    """

    id: str
    account: int
    cause: str
    objects: frozenset[int]
    set_at: float
    expires: float
    strength: str = "refusal"


class AccountState(Struct, frozen=True, kw_only=True):
    """What is remembered of an account when it asks; all zero for one never seen.

    Attributes:
        first_seen: epoch seconds; None if this is its first request.
        requests_24h: requests of the last 24 hours, and so on.
        conversation_refusals: remembered refusals of this conversation in 30 days.
        linked: tied to a confirmed operation.
        watches: its watches that have not expired.
    """

    first_seen: float | None = None
    requests_24h: int = 0
    requests_30d: int = 0
    refusals_24h: int = 0
    refusals_30d: int = 0
    key_refusals_24h: int = 0
    key_refusals_30d: int = 0
    conversation_refusals: int = 0
    linked: bool = False
    watches: tuple[Watch, ...] = ()


class Request(Struct, frozen=True, kw_only=True):
    """One request as it is judged: its new turn, never its history.

    Attributes:
        id: event id.
        time: epoch seconds.
        identity: who asks.
        instruction: what is asked, without what is pasted.
        document: what is pasted; None if nothing.
        language: BCP 47 primary tag of the instruction, or und.
        model: model asked for.
        stream: whether a streamed answer is asked for.
        n_messages: messages in the request.
        turns: user messages in the request.
        conversation: pseudonym of the conversation; None if not given.
        objects: entities and document of the new turn.
    """

    id: str
    time: float
    identity: Identity
    instruction: str
    document: str | None = None
    language: str = "und"
    model: str = ""
    stream: bool = False
    n_messages: int = 1
    turns: int = 1
    conversation: int | None = None
    objects: tuple[Object, ...] = ()


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of a decision: no text, no raw id.

    Attributes:
        id: event id.
        time: epoch seconds.
        key: pseudonym of the key.
        account: pseudonym of the account.
        level: of the account.
        vouched: whether somebody vouches for it.
        claimed: pseudonym of an id nobody vouches for.
        mode: what the client met.
        rule: the rule that decided.
        action: what is proposed to people.
        fired: all rules that fired, in order.
        errors: rules that could not tell, with the reason.
        policy: name@version.
        digest: of the policy file.
        scored: whether the scores are real.
        scores: bits above 0 by signal, rounded to 2 digits.
        language: of the instruction.
        conversation: pseudonym of the conversation.
        hits: ids of the watches that matched.
        voice: whether they matched in the operator's voice.
    """

    id: str
    time: float
    key: int
    account: int
    level: str
    vouched: bool
    mode: DecisionMode
    policy: str
    digest: str
    scored: bool
    claimed: int | None = None
    rule: str | None = None
    action: str | None = None
    fired: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    scores: dict[str, float] = {}
    language: str = "und"
    conversation: int | None = None
    hits: tuple[str, ...] = ()
    voice: bool = False


class Decision(Struct, frozen=True, kw_only=True):
    """What to do with a request.

    Attributes:
        mode: allow, observe (both are answered alike), warn or refuse.
        rule: the rule that decided; None where none fired.
        action: what is proposed to people behind the answer: the weightiest of all rules that fired.
        event: what is kept.
        public_text: what a client may read when it is warned or refused.
        watch: what a watch of this turn should listen for; a refusal, the model's too, sets one.
        watch_days: for how long.
        hits: watches that matched.
        concern: an answered request that people are to look at for what it says: it sets the weaker watch.
    """

    mode: DecisionMode
    rule: str | None
    action: Action | Literal["flag"] | None
    event: Event
    public_text: str | None = None
    watch: tuple[Object, ...] = ()
    watch_days: int = 0
    hits: tuple[str, ...] = ()
    concern: bool = False


def decide(request: Request, state: AccountState, policy: Policy, scorer: Scorer | None) -> Decision:
    """Decide on one request. Reads no clock, writes nothing: the same arguments give the same decision.

    Args:
        request: the new turn and who asks.
        state: what is remembered of the account.
        policy: a loaded policy.
        scorer: reads the texts; without one, rules that read scores are left out and the event says so.
    """
    parts = _scores(request, scorer)
    hits, found = _hits(request, state)
    voice = bool(hits) and scorer is not None and parts["scores"]["voice"] > VOICE_CUT
    context = _context(request, state, parts, hits, found, voice)
    outcomes = policy.outcomes(context, scored=scorer is not None)
    said = [outcome for outcome in outcomes if outcome.fires or outcome.error is not None]
    best = max(said, key=lambda outcome: MODES.index(outcome.mode), default=None)  # the first of equals
    mode: DecisionMode = best.mode if best else "allow"
    rule = best.rule if best else None
    action = _action(said, request.identity)
    event = Event(
        id=request.id, time=request.time, key=request.identity.key, account=request.identity.account,
        level=request.identity.level, vouched=request.identity.vouched, claimed=request.identity.claimed,
        mode=mode, rule=rule.name if rule else None, action=action,
        fired=tuple(outcome.rule.name for outcome in said if outcome.fires),
        errors=tuple((outcome.rule.name, outcome.error) for outcome in said if outcome.error is not None),
        policy=policy.id, digest=policy.digest, scored=scorer is not None,
        scores={name: round(bits, 2) for name, bits in parts["scores"].items() if bits > 0},
        language=request.language, conversation=request.conversation,
        hits=tuple(watch.id for watch in hits), voice=voice,
    )  # fmt: skip
    return Decision(
        mode=mode, rule=event.rule, action=action, event=event, public_text=_public(rule, mode, request.language),
        watch=request.objects, watch_days=policy.watch_days, hits=event.hits,
        concern=mode in ("observe", "warn") and any(outcome.fires and outcome.rule.of_concern for outcome in said),
    )  # fmt: skip


def _public(rule: Rule | None, mode: DecisionMode, language: str) -> str | None:
    return rule.text(language) if rule and mode in ("warn", "refuse") else None


def _action(said: list[Outcome], identity: Identity) -> Action | Literal["flag"] | None:
    """The weightiest action of all rules that fired; a ban is never proposed for an id that nobody vouches for."""
    if not said:
        return None
    proposed: list[Action] = [outcome.rule.action for outcome in said if outcome.fires]
    action: Action = max(proposed, key=ACTIONS.index, default="record")
    return "flag" if action == "propose_ban" and not identity.vouched else action


def _scores(request: Request, scorer: Scorer | None) -> dict[str, dict[str, float]]:
    """Bits by part and signal: instruction, document, and the higher of both as `scores`; absent parts are neutral."""
    neutral = dict.fromkeys(SIGNALS, 0.0)
    texts = {"instruction": request.instruction, "document": request.document or ""}
    present = [part for part, text in texts.items() if text.strip()]
    parts = dict.fromkeys(texts, neutral)
    if scorer is not None and present:
        judged = [texts[part] for part in present]
        rows, voices = scorer.score(judged), scorer.voices(judged)
        for part, row, voice in zip(present, rows.tolist(), voices.tolist(), strict=True):
            bits = dict(zip(scorer.behaviours, row, strict=True))
            known = {name: value for name, value in bits.items() if name in neutral}
            parts[part] = neutral | known | {"concern": max(row, default=0.0), "voice": voice}
    if len(present) == 1:
        return {**parts, "scores": parts[present[0]]}
    both = zip(parts["instruction"].items(), parts["document"].values(), strict=True)
    return {**parts, "scores": {name: max(one, other) for (name, one), other in both}}


def _hits(request: Request, state: AccountState) -> tuple[list[Watch], set[int]]:
    """Watches of the account that have not expired and listen for something in this turn; and what was found."""
    named = {thing.id for thing in request.objects}
    hits = [watch for watch in state.watches if watch.expires > request.time and not named.isdisjoint(watch.objects)]
    return hits, {thing for watch in hits for thing in named & watch.objects}


def _context(
    request: Request,
    state: AccountState,
    parts: Mapping[str, dict[str, float]],
    hits: list[Watch],
    found: set[int],
    voice: bool,
) -> dict[str, Any]:
    """A value for every variable of the policy page."""
    age = 0.0 if state.first_seen is None else max(0.0, request.time - state.first_seen) / DAY
    return {
        "scores": parts["scores"],
        "instruction.scores": parts["instruction"],
        "document.scores": parts["document"],
        "request.text": _valid(request.instruction),
        "request.document": _valid(request.document or ""),
        "request.has_document": request.document is not None,
        "request.language": request.language,
        "request.country": _valid(request.identity.country),
        "request.model": _valid(request.model),
        "request.stream": request.stream,
        "request.n_messages": request.n_messages,
        "request.n_chars": len(request.instruction) + len(request.document or ""),
        "account.vouched": request.identity.vouched,
        "account.level": request.identity.level,
        "account.age_days": age,
        "account.requests_24h": state.requests_24h,
        "account.requests_30d": state.requests_30d,
        "account.refusals_24h": state.refusals_24h,
        "account.refusals_30d": state.refusals_30d,
        "account.linked": state.linked,
        "key.refusals_24h": state.key_refusals_24h,
        "key.refusals_30d": state.key_refusals_30d,
        "watch.hit": bool(hits),
        "watch.voice": voice,
        "watch.objects": len(found),
        "watch.age_days": max((max(0.0, request.time - watch.set_at) / DAY for watch in hits), default=0.0),
        "conversation.turns": request.turns,
        "conversation.refusals": state.conversation_refusals,
    }


def _valid(text: str) -> str:
    """The text as CEL's binding takes it: no lone surrogates, and no NUL, which it would read as the end of the text."""
    text = text.replace("\0", "\ufffd")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
