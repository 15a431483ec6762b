"""The lake's tables with their columns, units and keys; the layers and their families.

Ids are int64. Identities (`account`, `key`, ...) and text hashes are keyed, so nobody without the workspace's keys can
test a guess. Times are UTC with microseconds. No column holds conversation text or a raw identity; those are in `vault`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

if TYPE_CHECKING:
    import ibis.expr.types as ir

Type = Literal["int64", "int32", "float64", "bool", "string", "binary", "timestamp", "date", "array<int64>", "array<string>"]

_ARROW: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "array<int64>": pa.list_(pa.int64()),
    "array<string>": pa.list_(pa.string()),
}
_IBIS: dict[str, str] = {name: name for name in _ARROW} | {"timestamp": "timestamp('UTC', 6)"}


@dataclass(frozen=True)
class Column:
    """One column: its name, type, meaning and unit."""

    name: str
    type: Type
    about: str


@dataclass(frozen=True)
class Table:
    """One table of the lake: its columns, what a row is, and the columns that may carry min/max statistics."""

    name: str
    row: str
    columns: tuple[Column, ...]
    stats: tuple[str, ...] = ()

    @cached_property
    def arrow(self) -> pa.Schema:
        """The schema as Arrow writes it."""
        return pa.schema([(c.name, _ARROW[c.type]) for c in self.columns])

    def unbound(self) -> ir.Table:
        """The table as an unbound Ibis expression, to be run by an engine."""
        import ibis  # here, since ingest's workers read schemas and never need its half second and 50 MB

        return ibis.table({c.name: _IBIS[c.type] for c in self.columns}, name=self.name)

    def empty(self) -> pa.Table:
        """No rows, the right columns."""
        return self.arrow.empty_table()

    def rows(self, rows: list[dict[str, object]]) -> pa.Table:
        """Rows given as dictionaries, checked against the schema; a column that is left out is null."""
        return pa.Table.from_pylist(rows, schema=self.arrow)


def _table(name: str, row: str, columns: str, stats: tuple[str, ...] = ()) -> Table:
    parsed = []
    for line in columns.strip().splitlines():
        column, kind, about = line.split(maxsplit=2)
        parsed.append(Column(column, kind, about))  # type: ignore[arg-type]
    return Table(name, row, tuple(parsed), stats)


INTERACTIONS = _table(
    "interactions",
    "one exchange with a model",
    """
    id int64 the row: first 8 bytes of `digest`
    digest binary 16-byte keyed digest of source kind, source record id and canonical record; the idempotency key
    chain int64 keyed hash of the conversation up to and including this answer; finds history that later requests repeat
    from_history bool seen only inside a later request, so `time` is that request's (not later than)
    source string name of the format it was read from
    account int64 the lowest vouched identity; null where the record has none
    level string end_user, user, key, organisation, address or none
    key int64 the API key it came through; null if not collected
    tenant int64 organisation or team; null if not collected
    conversation int64 session or conversation id, keyed; null if not collected
    turn int32 which user turn of the conversation, from 0
    time timestamp when it was asked; null if not collected
    day date day of `time`, UTC
    channel string api, web, app or other; null if not collected
    model string model name as logged
    prompt int64 keyed hash of the last user message; null where the log has no text
    system int64 keyed hash of the system prompt; null if absent
    output int64 keyed hash of the answer; null if absent
    outcome string what provider fields say: complied, partly, refused, blocked or unknown
    tokens_in int64 prompt tokens as logged
    tokens_out int64 completion tokens as logged
    """,
    ("id", "account", "time", "day"),
)
ACCOUNTS = _table(
    "accounts",
    "one account, at first sight",
    """
    account int64 the pseudonym
    digest binary 16-byte keyed digest of level, key and raw id
    level string end_user, user, key, organisation or address
    key int64 the key it lives under; null for keys and above
    tenant int64 organisation or team; null if not collected
    source string name of the format it was first read from
    first_seen timestamp time of its first record; null if not collected
    """,
    ("account", "first_seen"),
)
TEXTS = _table(
    "texts",
    "one distinct prompt, system prompt or output; the text itself is in the vault",
    """
    text int64 keyed hash of the text as logged
    digest binary 16-byte keyed digest of the same
    role string prompt, system or output
    chars int32 length in characters
    words int32 length in words (characters / 2 in scripts without spaces)
    language string BCP 47 primary tag, or und
    language_score float64 0 to 1
    exact int64 keyed hash of the canonical text (case, space, punctuation, links and mentions folded); null under 12 words
    skeleton int64 keyed hash of the instruction with names, numbers, links and quotes masked; null if too short to tell
    document int64 keyed hash of the pasted document's canonical text; null if nothing was pasted
    document_words int32 length of the pasted document in words
    instruction_words int32 length of the instruction in words
    outcome string of an output, what its text says: complied, partly, refused or unknown; null otherwise
    version string version of the code that described it
    """,
    ("text",),
)
ENTITIES = _table(
    "entities",
    "one mention of an entity in one text",
    """
    text int64 the text
    kind string hashtag, domain, url, handle, wallet, email, phone, name or slogan
    object int64 keyed hash of the canonical value
    quoted bool stands in quotation marks or in a pasted document
    """,
    ("text", "object"),
)
IDENTIFIERS = _table(
    "identifiers",
    "one identifier of an account, from records or from an identifiers file; read as min and max",
    """
    account int64 the account
    kind string address, address_net, device, payment, phone, email, email_domain, user_agent, sign_up or other
    value int64 keyed hash
    first_seen timestamp null if not collected
    last_seen timestamp null if not collected
    source string name of the format it was read from
    """,
    ("account", "value"),
)
POSTS = _table(
    "posts",
    "one public item by a platform account",
    """
    id int64 the row: first 8 bytes of `digest`
    digest binary 16-byte keyed digest of platform, post id and canonical record
    platform string x, telegram, ... in lower case
    post_id string as on the platform
    author int64 pseudonym of the platform account
    time timestamp null if not collected
    day date day of `time`, UTC
    kind string post, repost, reply or quote
    parent string post id it answers or reposts; null otherwise
    text string public text, as published
    language string BCP 47 primary tag as given or told by us
    urls array<string> links, normalised
    domains array<string> their registrable domains
    hashtags array<string> case folded, without the sign, in order
    source string name of the format it was read from
    """,
    ("id", "author", "time", "day"),
)
PLATFORM_ACCOUNTS = _table(
    "platform_accounts",
    "one statement about a platform account",
    """
    author int64 pseudonym of the platform account
    platform string as in posts
    created timestamp when the account was made; null if not collected
    followers int64 null if not collected
    as_of timestamp when this was true
    source string name of the format it was read from
    """,
    ("author", "created"),
)
ACTIONS = _table(
    "actions",
    "(actor, layer, object, time): everything that can link two actors",
    """
    actor int64 account, or platform account
    actor_kind string account or platform
    layer string see LAYERS
    object int64 keyed hash; equal objects are comparable within a layer
    time timestamp null where only the fact is known
    day date day of `time`
    row int64 interaction, post or identifier row that shows it
    """,
    ("actor", "object", "time", "day"),
)
SIGNALS = _table(
    "signals",
    "one value about a text or an account",
    """
    subject_kind string text or account
    subject int64 text or account
    part string instruction, document, output or period
    signal string a behaviour id (BL-04), scored, concern, own_concern, ...
    value float64 see the method page of the signal
    first timestamp start of the period; null for texts
    last timestamp end of the period; null for texts
    rows array<int64> the interactions that speak most for it
    version string version of the scorer
    """,
    ("subject",),
)
LINKS = _table(
    "links",
    "two actors tied by one layer",
    """
    a int64 the smaller actor id
    b int64 the larger actor id
    kind string account or platform
    layer string see LAYERS
    family string see FAMILIES
    objects int32 distinct objects shared
    acts int32 occasions counted, at most two per object
    p float64 chance under the null named in `null_model`
    q float64 Benjamini-Hochberg over all pairs, layers and windows tried
    null_model string activity or synchrony
    tie_bits float64 log2 of how much likelier than for strangers
    contrast_bits float64 the same against the best innocent explanation
    explanation string the best innocent explanation
    evidence array<int64> the shared objects, strongest first
    """,
    ("a", "b"),
)
GROUPS = _table(
    "groups",
    "a crowd on one object, or a group of coordinated posts",
    """
    id string stable id
    kind string crowd or coordinated
    layer string see LAYERS
    object int64 the crowded object; null for coordinated groups
    actors array<int64> its actors
    first timestamp of the acts
    last timestamp of the acts
    beyond array<string> nulls that it is beyond: activity, synchrony
    """,
)
CANDIDATES = _table(
    "candidates",
    "one candidate, or cohort, of one investigation, as the JSON that `candidates --json` prints",
    """
    id string stable id, minted once in the ledger
    run string the investigation
    kind string candidate or cohort
    status string new, in_review, confirmed or dismissed
    core array<int64> core members
    associated array<int64> associated members
    body string JSON, see the reference page of candidates
    """,
)
FLAGS = _table(
    "flags",
    "something for a person to look at; never an accusation",
    """
    id string stable id
    account int64 whom it concerns
    reason string watch, operation_paper, wild_output, rare_entity, pool, name_variant or own_concern
    behaviours array<string> behaviour ids
    first timestamp time of the first of its rows
    last timestamp time of the last of its rows
    rows array<int64> interactions to read
    """,
)
WATCHES = _table(
    "watches",
    "what a refusal leaves behind",
    """
    id string stable id
    account int64 who was refused
    cause int64 the refused interaction
    objects array<int64> rare entities and documents it listens for
    kinds array<string> kind of each object
    set_at timestamp when it was set
    expires timestamp when it ends
    fired_by array<int64> interactions that fired it, with the operator's voice
    innocent array<int64> interactions that matched without it
    """,
)
LEADS = _table(
    "leads",
    "one exact object given from outside, with its source and reason",
    """
    id string stable id
    kind string hashtag, domain, handle, wallet, image or text
    object int64 keyed hash of the canonical value
    source string who gave it
    grade string Admiralty code, such as B2
    reason string why it is looked for
    """,
)
REJECTS = _table(
    "rejects",
    "one record that could not become a row; its bytes are in the vault",
    """
    id int64 keyed hash of place and bytes
    place string file (keyed hash) and position: line, element or row
    length int64 bytes
    digest binary 16-byte keyed digest of the bytes
    reason string what was wrong and what was expected
    source string name of the format it was read as
    """,
)
VAULT = _table(
    "vault",
    "one sealed item: conversation text, a raw identity or the bytes of a reject",
    """
    row int64 the interaction, account, post author or reject it belongs to
    kind string exchange, identity, author or reject
    account int64 whose data key seals it; 0 where none is known, -1 for rejects
    month int32 year * 12 + month - 1 of the record; 0 for identities
    blob binary zstd with the dictionary that ships, then AES-256-GCM; row, account and month are associated data
    """,
    ("row", "account", "month"),
)
RUNS = _table(
    "runs",
    "one investigation",
    """
    id string stable id
    data_version int64 the commit record it read
    started timestamp when it began
    settings string JSON
    seed int64 seed of every random choice
    code string Backlight's version
    summary string JSON: counts, coverage, timings of the steps
    """,
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        INTERACTIONS, ACCOUNTS, TEXTS, ENTITIES, IDENTIFIERS, POSTS, PLATFORM_ACCOUNTS, ACTIONS, SIGNALS, LINKS,
        GROUPS, CANDIDATES, FLAGS, WATCHES, LEADS, REJECTS, VAULT, RUNS,
    )
}  # fmt: skip

FAMILIES: dict[str, str] = {
    "what": "what they ask, paste and get: prompts, skeletons, documents, outputs, entities",
    "wild": "what they publish: posts, platform accounts, sites",
    "when": "when they act: hours, synchrony",
    "where": "where they act from: address, device, user agent",
    "pays": "who pays: payment, phone, e-mail, sign-up",
    "known": "a graded lead, or overlap with a confirmed operation; never alone",
}


@dataclass(frozen=True)
class Layer:
    """A kind of object that can link two actors.

    Attributes:
        name: as in the `layer` column.
        family: its cause; layers of one family count once.
        about: what sharing an object means.
        window: seconds within which two acts on one object count as one tie; None counts them whenever they happened.
    """

    name: str
    family: str
    about: str
    window: int | None = None


LAYERS: dict[str, Layer] = {
    layer.name: layer
    for layer in (
        Layer("prompt", "what", "sent the same prompt, canonical text"),
        Layer("skeleton", "what", "sent prompts of one skeleton: the same instruction with other names and numbers"),
        Layer("document", "what", "pasted the same document"),
        Layer("output", "what", "got the same output"),
        Layer("entity", "what", "named the same rare entity"),
        Layer("wild_output", "wild", "got outputs that stand in posts of the same platform accounts"),
        Layer("url", "wild", "posted the same link", 60),
        Layer("domain", "wild", "posted links to the same domain", 60),
        Layer("hashtags", "wild", "posted the same sequence of three or more hashtags", 60),
        Layer("repost", "wild", "reposted the same post", 60),
        Layer("reply", "wild", "replied to the same post", 60),
        Layer("post_text", "wild", "posted the same canonical text", 86400),
        Layer("hours", "when", "active in the same unusual hours"),
        Layer("address", "where", "used the same exact IPv4 address or IPv6 /64"),
        Layer("address_net", "where", "used the same IPv4 /24"),
        Layer("device", "where", "used the same device"),
        Layer("user_agent", "where", "used the same rare user agent"),
        Layer("payment", "pays", "paid with the same means"),
        Layer("phone", "pays", "gave the same phone"),
        Layer("email", "pays", "gave the same e-mail"),
        Layer("sign_up", "pays", "signed up by the same unusual way"),
        Layer("lead", "known", "touched the same graded lead"),
        Layer("operation", "known", "touched an object of the same confirmed operation"),
    )
}

LEVELS = ("end_user", "user", "key", "organisation", "address", "none")
OUTCOMES = ("complied", "partly", "refused", "blocked", "unknown")

_PREFIX = {
    "account": "acc",
    "platform": "plt",
    "key": "key",
    "tenant": "ten",
    "interaction": "int",
    "object": "obj",
    "post": "pst",
}
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford base 32: no i, l, o, u


def show_id(kind: str, number: int) -> str:
    """An id as people see it, such as `acc-1a2b3c4d5e6f7`: prefix of its kind and 13 base-32 digits."""
    digits = "".join(_ALPHABET[(number >> shift) & 31] for shift in range(60, -1, -5))
    return f"{_PREFIX[kind]}-{digits}"


def parse_id(shown: str) -> tuple[str, int]:
    """The kind and number behind `show_id`.

    Raises:
        ValueError: it is no such id.
    """
    prefix, _, digits = shown.strip().lower().partition("-")
    kinds = {prefix: kind for kind, prefix in _PREFIX.items()}
    if prefix not in kinds or len(digits) != 13 or any(d not in _ALPHABET for d in digits):
        raise ValueError(f"{shown!r} is not an id of Backlight, such as acc-0000000000001")
    number = 0
    for digit in digits:
        number = number << 5 | _ALPHABET.index(digit)
    return kinds[prefix], number
