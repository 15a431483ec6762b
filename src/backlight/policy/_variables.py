"""What a rule may read: every variable with its type, meaning, neutral value and whether it is evidence.

A variable is *evidence* when it speaks of what was asked: the scores, the words, or a watch that came back in the
operator's voice. Language, country, links, counters and identity are not: a refusal may weigh them, never rest on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["string", "bool", "int", "double", "scores"]
Value = str | bool | int | float | Mapping[str, float]

SIGNALS: Final = (*(f"BL-{n:02d}" for n in range(1, 31)), "concern", "voice")
"""Keys of every scores map: the behaviours, the strongest of them (`concern`) and the operator's voice."""


@dataclass(frozen=True)
class Variable:
    """One variable: its CEL type, what it means, and whether it is evidence.

    Attributes:
        name: as written in a rule, such as `account.refusals_24h`.
        kind: CEL type; `scores` is map(string, double) with the keys of `SIGNALS`.
        about: meaning and unit, as the reference page prints it.
        evidence: speaks of what was asked, so that a refusal may rest on it.
        neutral: what it is in an example that does not give it.
    """

    name: str
    kind: Kind
    about: str
    evidence: bool = False
    neutral: Value = ""


def _scores(name: str, about: str) -> Variable:
    return Variable(name, "scores", about, evidence=True, neutral=dict.fromkeys(SIGNALS, 0.0))


VARIABLES: Final[dict[str, Variable]] = {
    variable.name: variable
    for variable in (
        _scores("scores", "the higher score of instruction and document, by signal; bits, 0 is neutral"),
        _scores("instruction.scores", "scores of what is asked, without the pasted document"),
        _scores("document.scores", "scores of the pasted document; all 0 where nothing was pasted"),
        Variable("request.text", "string", "the instruction of the new turn", evidence=True),
        Variable("request.document", "string", "the pasted document of the new turn; empty if none", evidence=True),
        Variable("request.has_document", "bool", "a document was pasted", neutral=False),
        Variable("request.language", "string", "BCP 47 primary tag of the instruction, or und", neutral="en"),
        Variable("request.country", "string", "country code as given by a listed peer; empty if none"),
        Variable("request.model", "string", "model asked for"),
        Variable("request.stream", "bool", "a streamed answer is asked for", neutral=False),
        Variable("request.n_messages", "int", "messages in the request, history included", neutral=1),
        Variable("request.n_chars", "int", "characters of the new turn", neutral=0),
        Variable("account.vouched", "bool", "the host, or a listed peer, vouches for the identity", neutral=True),
        Variable("account.level", "string", "end_user, key or none", neutral="key"),
        Variable("account.age_days", "double", "days since the guard first saw the account", neutral=100.0),
        Variable("account.requests_24h", "int", "requests of the last 24 hours", neutral=0),
        Variable("account.requests_30d", "int", "requests of the last 30 days", neutral=0),
        Variable("account.refusals_24h", "int", "refusals of the last 24 hours, the guard's and the model's", neutral=0),
        Variable("account.refusals_30d", "int", "the same over 30 days", neutral=0),
        Variable("account.linked", "bool", "tied to a confirmed operation by the nightly run", neutral=False),
        Variable("key.refusals_24h", "int", "refusals under the whole key in the last 24 hours", neutral=0),
        Variable("key.refusals_30d", "int", "the same over 30 days", neutral=0),
        Variable("watch.hit", "bool", "a rare entity or document of an earlier refusal is in this turn", neutral=False),
        Variable("watch.voice", "bool", "the same, and the writer speaks as the operator", evidence=True, neutral=False),
        Variable("watch.objects", "int", "watched objects found in this turn", neutral=0),
        Variable("watch.age_days", "double", "days since the oldest matching watch was set; 0 without one", neutral=0.0),
        Variable("conversation.turns", "int", "user messages in the request, history included", neutral=1),
        Variable("conversation.refusals", "int", "remembered refusals of this conversation in 30 days", neutral=0),
    )
}
