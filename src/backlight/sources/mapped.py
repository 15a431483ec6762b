"""Anybody's own table: CSV, JSONL, JSON or Parquet with a mapping file that says which column is which field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from backlight.errors import RecordError, RequestError
from backlight.sources._chat import count, ident, messages_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Exchange, Identifier, Item, Message, Outcome, PlatformAccount, Post
from backlight.sources._mapping import Mapping
from backlight.sources._posts import hashtags, kind_of, language_of, links, needed, text_in
from backlight.sources.messages import CHANNELS

_Values = dict[str, Any]


@source(
    name="mapped",
    title="Your own CSV, JSONL, JSON or Parquet, with a mapping file",
    kind="interactions",
    text=True,
    gives=("end_user", "user", "key", "organisation", "address", "user_agent", "conversation", "author", "parent"),
    containers=("csv", "jsonl", "json", "parquet"),
    signature=(Rule(("named with --mapping",), 0.0),),
    rank=99,
    needs_mapping=True,
    about="interactions, posts, identifiers or platform accounts, as the mapping's kind says",
)
def mapped(record: _Values, context: Context) -> Iterable[Item | Flaw]:
    """One record is one item of the mapping's kind.

    Raises:
        RecordError: it has none of the mapped columns, lacks a needed one, or a field cannot be read.
        RequestError: there is no mapping.
    """
    mapping = context.mapping
    if not isinstance(mapping, Mapping):
        raise RequestError("the format mapped was named without a mapping", "a mapping file", "give it with --mapping")
    yield _READ[mapping.kind](mapping.values(record), mapping)


def _exchange(values: _Values, mapping: Mapping) -> Exchange:
    said = messages_of(values.get("messages"))
    system, prompt = text_of(values.get("system")), values.get("prompt")
    if system:
        said = [Message("system", system), *said]
    if prompt is not None:
        said = [*said, Message("user", _text(prompt))]
    output = _text(values["output"]) if "output" in values else None
    if output is None and said and said[-1].role == "assistant":
        output, said = said[-1].text, said[:-1]
    channel = ident(values.get("channel"), "channel")
    return Exchange(
        record_id=ident(values.get("record_id"), "record_id"),
        time=mapping.time(values.get("time"), "time"),
        messages=said,
        output=output or None,
        conversation=ident(values.get("conversation"), "conversation"),
        end_user=ident(values.get("end_user"), "end_user"),
        user=ident(values.get("user"), "user"),
        key=ident(values.get("key"), "key"),
        organisation=ident(values.get("organisation"), "organisation"),
        address=ident(values.get("address"), "address"),
        user_agent=ident(values.get("user_agent"), "user_agent"),
        channel=(channel if channel in CHANNELS else "other") if channel else None,
        model=ident(values.get("model"), "model"),
        outcome=_outcome(values.get("outcome")),
        tokens_in=count(values.get("tokens_in")),
        tokens_out=count(values.get("tokens_out")),
        answered=bool(output),
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) else text_of(value)


def _outcome(value: Any) -> Outcome:
    """The outcome, where the column uses our words."""
    word = value.strip().lower() if isinstance(value, str) else "unknown"
    if word not in get_args(Outcome):
        raise RecordError("outcome is none of ours", ", ".join(get_args(Outcome)))
    return word  # type: ignore[return-value]


def _post(values: _Values, mapping: Mapping) -> Post:
    return Post(
        platform=needed(values.get("platform"), "platform").strip().lower(),
        post_id=needed(values.get("post_id"), "post_id"),
        author=ident(values.get("author"), "author"),
        time=mapping.time(values.get("time"), "time"),
        kind=kind_of(values.get("kind")),
        parent=ident(values.get("parent"), "parent"),
        text=text_in(values.get("text")),
        language=language_of(values.get("language")),
        urls=links(values.get("urls")),
        hashtags=hashtags(values.get("hashtags")),
    )


def _identifier(values: _Values, mapping: Mapping) -> Identifier:
    return Identifier(
        account=needed(values.get("account"), "account"),
        key=ident(values.get("key"), "key"),
        kind=needed(values.get("kind"), "kind").strip().lower(),
        value=needed(values.get("value"), "value"),
        first_seen=mapping.time(values.get("first_seen"), "first_seen"),
        last_seen=mapping.time(values.get("last_seen"), "last_seen"),
    )


def _account(values: _Values, mapping: Mapping) -> PlatformAccount:
    return PlatformAccount(
        platform=needed(values.get("platform"), "platform").strip().lower(),
        author=needed(values.get("author"), "author"),
        created=mapping.time(values.get("created"), "created"),
        followers=count(values.get("followers")),
        as_of=mapping.time(values.get("as_of"), "as_of"),
    )


_READ: dict[str, Any] = {
    "interactions": _exchange,
    "posts": _post,
    "identifiers": _identifier,
    "platform_accounts": _account,
}
