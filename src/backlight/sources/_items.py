"""What a reader yields: the items that become rows. Nothing here is pseudonymous yet; items live in memory only."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

Role = Literal["system", "user", "assistant", "tool"]
Outcome = Literal["complied", "partly", "refused", "blocked", "unknown"]
PostKind = Literal["post", "repost", "reply", "quote"]


class Message(Struct, frozen=True, gc=False, rename={"text": "content", "time": "message_time"}):
    """One message of a chat; its JSON is that of the chat APIs (`role`, `content`), so that it decodes without a copy.

    Attributes:
        role: system, user, assistant or tool.
        text: its text; parts are joined by line breaks, tool calls stand as `name arguments`.
        time: when it was sent, where the format says so for single messages.
    """

    role: Role
    text: str
    time: datetime | None = None


class Exchange(Struct, frozen=True, gc=False, kw_only=True):
    """One request to a model and its answer: one row.

    Attributes:
        record_id: id of the record in its source.
        time: when it was asked, UTC.
        messages: the whole request, history included, oldest first.
        output: the answer's text.
        conversation: session or conversation id, raw.
        end_user: whom the client names as its user, raw.
        user: the host's user, raw.
        key: the API key it came through, as logged (usually hashed).
        organisation: organisation or team, raw; the tenant.
        address: IP address, as logged.
        user_agent: as logged.
        channel: api, web, app or other.
        model: model name as logged.
        outcome: what provider fields say; `unknown` where they say nothing.
        tokens_in: prompt tokens as logged.
        tokens_out: completion tokens as logged.
        answered: whether the record holds an answer.
    """

    record_id: str | None = None
    time: datetime | None = None
    messages: list[Message]
    output: str | None = None
    conversation: str | None = None
    end_user: str | None = None
    user: str | None = None
    key: str | None = None
    organisation: str | None = None
    address: str | None = None
    user_agent: str | None = None
    channel: str | None = None
    model: str | None = None
    outcome: Outcome = "unknown"
    tokens_in: int | None = None
    tokens_out: int | None = None
    answered: bool = True


class Conversation(Struct, frozen=True, gc=False, kw_only=True):
    """A whole chat, the model's turns included; each user turn with its answer is one row.

    Fields as in `Exchange`; `messages` holds the assistant's turns too, so there is no `output`.
    """

    record_id: str | None = None
    time: datetime | None = None
    messages: list[Message]
    conversation: str | None = None
    end_user: str | None = None
    user: str | None = None
    key: str | None = None
    organisation: str | None = None
    address: str | None = None
    user_agent: str | None = None
    channel: str | None = None
    model: str | None = None
    outcome: Outcome = "unknown"


class Post(Struct, frozen=True, gc=False, kw_only=True):
    """One public item by a platform account.

    Attributes:
        platform: x, telegram, ... in lower case.
        post_id: as on the platform.
        author: the platform's id of its author, or the handle where there is none.
        time: when it was published, UTC.
        kind: post, repost, reply or quote.
        parent: post id it answers, quotes or reposts.
        text: as published.
        language: BCP 47 tag as given.
        urls: links as given, expanded where the platform says how.
        hashtags: as given, without the sign, in order; None where the format does not list them apart from the text.
    """

    platform: str
    post_id: str
    author: str | None = None
    time: datetime | None = None
    kind: PostKind = "post"
    parent: str | None = None
    text: str = ""
    language: str | None = None
    urls: list[str] = []
    hashtags: list[str] | None = None


class PlatformAccount(Struct, frozen=True, gc=False, kw_only=True):
    """One statement about a platform account: when it was made, its followers, and as of when that was true."""

    platform: str
    author: str
    created: datetime | None = None
    followers: int | None = None
    as_of: datetime | None = None


class Identifier(Struct, frozen=True, gc=False, kw_only=True):
    """One identifier of an account.

    Attributes:
        account: raw account id.
        key: the key the account lives under, where the file says so (`key/account`).
        kind: ip, device, payment, phone, email, email_domain, user_agent, sign_up or other.
        value: raw value.
        first_seen: UTC.
        last_seen: UTC.
    """

    account: str
    key: str | None = None
    kind: str
    value: str
    first_seen: datetime | None = None
    last_seen: datetime | None = None


Item = Exchange | Conversation | Post | PlatformAccount | Identifier
