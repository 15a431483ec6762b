"""What the records of a run hold, what therefore cannot be found, and which setting or log option would change it.

A field is `present` (with its share), `absent` (the format has a place for it and no record fills it) or `not collected`
(the format has no place for it). Neither of the last two ever counts for or against anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backlight.tables import LEVELS

State = Literal["present", "absent", "not collected"]


@dataclass(frozen=True)
class Field:
    """A field that coverage speaks of.

    Attributes:
        name: as in the JSON.
        title: for people.
        missing: what cannot be found without it.
        remedy: what would change that.
    """

    name: str
    title: str
    missing: str
    remedy: str


FIELDS: dict[str, Field] = {
    f.name: f
    for f in (
        Field(
            "account",
            "an account",
            "nothing can be told of single accounts; only groups of posts can be found",
            "log an id of whoever asks: user, safety_identifier, or an x-litellm-end-user-id header",
        ),
        Field(
            "end_user",
            "an end user",
            "people behind one key are seen as one account; a key that many share is a pool and is never scored as one person",
            "let clients send `user` or `safety_identifier`; LiteLLM also takes x-litellm-end-user-id or user_header_mappings",
        ),
        Field(
            "prompt",
            "the text of the request",
            "no behaviour, skeleton, document or entity can be found; accounts link by address, device and rhythm only",
            "in LiteLLM set store_prompts_in_spend_logs: true or log by a callback; in OpenTelemetry capture message content",
        ),
        Field(
            "output",
            "the text of the answer",
            "answers cannot be matched to posts, and refusals show only where a field says so",
            "log responses too: store_prompts_in_spend_logs: true in LiteLLM, gen_ai.output.messages in OpenTelemetry",
        ),
        Field(
            "address",
            "an IP address",
            "accounts that share a place cannot be linked by it",
            "in LiteLLM set use_x_forwarded_for: true; behind a proxy pass X-Forwarded-For; or give an identifiers file",
        ),
        Field(
            "user_agent",
            "a user agent",
            "accounts that use one rare tool cannot be linked by it",
            "log the header; LiteLLM puts it among request_tags unless that is switched off",
        ),
        Field(
            "time",
            "a time",
            "no rhythm, order, watch or period can be told; each row counts as one undated act",
            "export the time of each request in ISO 8601 with its zone; a time without zone is read as UTC",
        ),
        Field(
            "key",
            "an API key",
            "end users of different keys that carry one id cannot be told apart",
            "log the key's hash (user_api_key_hash in LiteLLM); map it with --mapping",
        ),
        Field(
            "tenant",
            "an organisation or team",
            "tenants cannot be excluded, and colleagues are harder to tell from a crew",
            "log the team or organisation id (user_api_key_org_id, user_api_key_team_id in LiteLLM)",
        ),
        Field(
            "conversation",
            "a conversation id",
            "turns of one conversation are joined by their repeated history only",
            "log a session or trace id (litellm_session_id in LiteLLM)",
        ),
    )
}

_GIVEN_AS = {
    "account": ("end_user", "user", "key", "organisation", "address"),
    "prompt": ("text",),
    "output": ("text",),
    "tenant": ("organisation",),
    "time": ("time",),
}


@dataclass
class Coverage:
    """Counts of a run, added chunk by chunk.

    Attributes:
        counts: exchanges (rows) and posts, exchanges that hold a field by its name, and by level of account (`level:NAME`).
        gives: fields that the formats read have a place for.
    """

    counts: dict[str, int] = field(default_factory=dict)
    gives: set[str] = field(default_factory=set)

    def add(self, counts: Mapping[str, int]) -> None:
        """Add the counts of a chunk."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count

    def expect(self, gives: Iterable[str]) -> None:
        """Say which fields a format has a place for."""
        self.gives.update(gives)

    @property
    def rows(self) -> int:
        """Exchanges that were read."""
        return self.counts.get("rows", 0)

    @property
    def posts(self) -> int:
        """Posts that were read."""
        return self.counts.get("posts", 0)

    def state(self, name: str) -> State:
        """Whether a field is present, absent or not collected."""
        if self.counts.get(name, 0):
            return "present"
        return "absent" if name == "time" or self.gives & set(_GIVEN_AS.get(name, (name,))) else "not collected"

    def share(self, name: str) -> float:
        """The share of exchanges that hold a field, 0 to 1."""
        return self.counts.get(name, 0) / self.rows if self.rows else 0.0

    def as_dict(self) -> dict[str, Any]:
        """As `ingest --json` prints it."""
        levels = {level: self.counts.get(f"level:{level}", 0) / self.rows for level in LEVELS} if self.rows else {}
        fields = (
            {name: {"share": round(self.share(name), 4), "state": self.state(name)} for name in FIELDS} if self.rows else {}
        )
        lacking = [FIELDS[name] for name in fields if self.share(name) < _ENOUGH]
        return {
            "exchanges": self.rows,
            "posts": self.posts,
            "levels": {level: round(share, 4) for level, share in levels.items()},
            "fields": fields,
            "cannot_find": [
                {"field": f.name, "share": fields[f.name]["share"], "what": f.missing, "change": f.remedy} for f in lacking
            ],
            "words": words(self),
        }


_ENOUGH = 0.5


def words(coverage: Coverage) -> list[str]:
    """The coverage in sentences, one a line: what is there, what cannot be found, what would change it."""
    said = []
    if coverage.posts and not coverage.rows:
        said.append(
            "Posts alone: coordinated groups of platform accounts can be found, candidates cannot; ingest model logs for those."
        )
    if not coverage.rows:
        return said
    held = [f"{f.title} {coverage.share(f.name):.0%}" for f in FIELDS.values() if coverage.counts.get(f.name)]
    said.append(f"Of {coverage.rows:,} exchanges, these hold " + ", ".join(held) + "." if held else "No field is filled.")
    levels = [(level, coverage.counts.get(f"level:{level}", 0)) for level in LEVELS]
    said.append(
        "Accounts stand at the level of " + ", ".join(f"{_level(n)} {c / coverage.rows:.0%}" for n, c in levels if c) + "."
    )
    said += [_lack(coverage, f) for f in FIELDS.values() if coverage.share(f.name) < _ENOUGH]
    return said


def _lack(coverage: Coverage, lacking: Field) -> str:
    title = lacking.title[0].upper() + lacking.title[1:]
    states = {
        "present": f"{title} stands in {coverage.share(lacking.name):.1%} only",
        "absent": f"{title} is never filled",
        "not collected": f"{title} is not collected",
    }
    return f"{states[coverage.state(lacking.name)]}: {lacking.missing}. To change it: {lacking.remedy}."


def _level(level: str) -> str:
    return "nobody" if level == "none" else level.replace("_", " ")
