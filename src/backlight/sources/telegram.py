"""Telegram Desktop's JSON export (`result.json`): one channel or group, or the chats of a whole account.

One chat::

    {"name": "Tide News", "type": "public_channel", "id": 1001, "messages": [
      {"id": 7, "type": "message", "date": "2026-01-01T01:00:00", "date_unixtime": "1767225600",
       "from": "Tide News", "from_id": "channel1001", "reply_to_message_id": 5,
       "text": ["Read ", {"type": "text_link", "text": "this", "href": "https://example.com/"}],
       "text_entities": [{"type": "plain", "text": "Read "}, ..]}]}

An account is `{"about": .., "personal_information": .., "chats": {"list": [<chat>, ..]}, "left_chats": {"list": [..]}}`.

What is read. A post is public, so only chats of the types `public_channel`, `public_supergroup` and `public_group` are
read. Of an account, private correspondence is left out by the name of its type, without a word for each chat:
`personal_chat`, `bot_chat`, `saved_messages`, `replies`, `verification_codes`, `private_group`, `private_supergroup`,
`private_channel`; its messages are not even decoded. So are the account's own profile, contacts and sessions. A chat of a
type that nobody knows is one reject, and so is a private chat that was exported alone; no byte of either is kept.

Messages count within their chat, so a post's id is `chat-message`. `date` is the clock of the computer that exported,
without its offset; `date_unixtime` (since 2021) is preferred. A forwarded message is a repost; which message it was is not
told, so it has no parent. Service messages (joined, pinned, renamed) are no posts; the one that opens a channel says when it
was made. Those of the type `unsupported` hold nothing but an id and are left out. Pictures, files, places and contacts hold
no text; a poll's question and answers are text.

One record may have 64 MB and two million values, which is some eighty thousand messages. A larger export is cut into lines
first, each a chat with one message, which keeps the type of the chat::

    jq -c '{type, id} as $chat | .messages[] | $chat + {messages: [.]}' result.json
    jq -c '.chats.list[] | select(.type | startswith("public"))
      | {type, id} as $chat | .messages[] | $chat + {messages: [.]}' result.json

Messages cut out alone (`jq -c '.messages[]'`) do not say what chat they stood in. Those of channels are read, and whoever
cuts them out vouches that they are public; those of people may be anything, so each is a reject of which nothing is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Item, PlatformAccount, Post, PostKind
from backlight.sources._json import dicts_of
from backlight.sources._posts import needed
from backlight.sources._times import time_of

_PUBLIC = ("public_channel", "public_supergroup", "public_group")
_PRIVATE = (
    "personal_chat",
    "bot_chat",
    "saved_messages",
    "replies",
    "verification_codes",
    "private_group",
    "private_supergroup",
    "private_channel",
)
_MESSAGES = ("message", "service", "unsupported")
_PEERS = ("user", "chat", "channel")  # in the order of the numbers in the upper half of an old numeric id
_LOWER = 0xFFFFFFFF
_ABSENT = msgspec.Raw(b"")


class _Message(msgspec.Struct, gc=False):
    """A message; what nobody reads is skipped by the decoder."""

    id: Any = None
    type: Any = None
    date: Any = None
    date_unixtime: Any = None
    from_id: Any = None
    actor_id: Any = None
    action: Any = None
    forwarded_from: Any = msgspec.UNSET  # null where the name is hidden
    forwarded_from_id: Any = msgspec.UNSET
    reply_to_message_id: Any = None
    reply_to_peer_id: Any = None
    text: Any = None
    text_entities: Any = None
    poll: Any = None
    inline_bot_buttons: Any = None


class _Record(_Message, gc=False):
    """A chat, an account's chats, or a message alone. Messages stay bytes, so that one is decoded at a time."""

    messages: msgspec.Raw = _ABSENT
    chats: msgspec.Raw = _ABSENT
    left_chats: msgspec.Raw = _ABSENT
    about: Any = None


class _Chat(msgspec.Struct, gc=False):
    id: Any = None
    type: Any = None
    messages: msgspec.Raw = _ABSENT


class _Chats(msgspec.Struct, gc=False):
    each: list[msgspec.Raw] = msgspec.field(name="list")


def _is_chat(record: dict[str, Any]) -> bool:
    """Other services have public channels too; in Telegram a chat's id is a number."""
    return record["type"] in _PUBLIC + _PRIVATE and type(record["id"]) is int


_message = msgspec.json.Decoder(_Message).decode
_chat = msgspec.json.Decoder(_Chat).decode
_chats = msgspec.json.Decoder(_Chats).decode
_listed = msgspec.json.Decoder(list[msgspec.Raw]).decode


@source(
    name="telegram",
    title="Telegram Desktop export (result.json): a public channel or group, or an account's",
    kind="posts",
    text=True,
    gives=("author", "time", "url", "hashtags", "parent", "created"),
    containers=("json", "jsonl"),
    signature=(
        Rule(("type", "id", "messages"), 0.97, where=_is_chat),
        Rule(("about", "chats.about|left_chats.about", "chats.list|left_chats.list"), 0.97),
        Rule(("about", "personal_information.user_id", "personal_information.phone_number"), 0.95),
        Rule(("about", "contacts.about|frequent_contacts.about|sessions.about", "contacts.list|frequent_contacts.list"), 0.95),
        Rule(("id", "date_unixtime", "from_id|actor_id", "text_entities"), 0.95, where=lambda r: r.get("type") in _MESSAGES),
    ),
    rank=10,
    record=_Record,
    about="private chats are not read; an export over 64 MB or two million values is cut into lines first: "
    "jq -c '{type, id} as $chat | .messages[] | $chat + {messages: [.]}'",
)
def telegram(record: _Record, context: Context) -> Iterator[Item | Flaw]:
    """A chat or an account gives the posts of its public chats; a message alone gives one.

    Raises:
        RecordError: it is none of these, or a message alone cannot be read.
    """
    if record.messages is not _ABSENT:
        if record.type not in _PUBLIC:
            yield _unread("the chat", record.type)
        else:
            yield from _posts_of(record.id, record.type, record.messages, "messages")
    elif record.chats is not _ABSENT or record.left_chats is not _ABSENT:
        yield from _account(record)
    elif record.type in _MESSAGES:
        yield from _alone(record)
    elif record.about is not None:
        yield Flaw("the export", b"", RecordError("an account's export without its chats", "chats.list"))
    else:
        raise RecordError("neither a chat nor an account nor a message", "messages, or chats.list, of Telegram Desktop")


def _account(record: _Record) -> Iterator[Item | Flaw]:
    for field in ("chats", "left_chats"):
        data = getattr(record, field)
        if data is _ABSENT:
            continue
        try:
            chats = _chats(data).each
        except msgspec.ValidationError:
            yield Flaw(field, b"", RecordError("the chats are no list", "an object with list"))
            continue
        for index, chat in enumerate(chats):
            yield from _one_of_many(chat, f"{field} {index}")


def _one_of_many(data: msgspec.Raw, where: str) -> Iterator[Item | Flaw]:
    """A chat of an account: nothing if it is private."""
    try:
        chat = _chat(data)
    except msgspec.ValidationError:
        yield Flaw(where, b"", RecordError("no object", "a chat"))
        return
    if chat.type not in _PUBLIC:
        if chat.type not in _PRIVATE:
            yield _unread(where, chat.type)
        return
    try:
        yield from _posts_of(chat.id, chat.type, chat.messages, f"{where}, messages")
    except RecordError as error:
        yield Flaw(where, b"", error)


def _unread(where: str, kind: Any) -> Flaw:
    """What is said of a chat that is not read; of the chat itself nothing is kept."""
    wrong = "a private chat, which is not read" if kind in _PRIVATE else "a chat of a type that is not known, which is not read"
    return Flaw(where, b"", RecordError(wrong, "a public channel or group"))


def _posts_of(chat_id: Any, kind: str, data: msgspec.Raw, where: str) -> Iterator[Item | Flaw]:
    """The messages of a public chat, each on its own: a wrong one is a flaw."""
    old = type(chat_id) is int and chat_id >> 32 == _PEERS.index("channel")
    chat = needed(chat_id & _LOWER if old else chat_id, "id of the chat")
    try:
        messages = _listed(data)
    except msgspec.DecodeError:
        raise RecordError("messages are no list", "the messages of a chat") from None
    itself = f"channel{chat}" if kind == "public_channel" else None
    for index, message in enumerate(messages):
        try:
            yield from _read(_decoded(message), chat, itself)
        except RecordError as error:
            yield Flaw(f"{where} {index}", bytes(message), error)


def _decoded(data: msgspec.Raw) -> _Message:
    try:
        return _message(data)
    except msgspec.ValidationError:
        raise RecordError("no object", "a message") from None


def _alone(message: _Message) -> Iterator[Item | Flaw]:
    """A message without its chat: a channel's is read, a person's might be private."""
    author = _peer(message.actor_id if message.type == "service" else message.from_id, "from_id")
    if author is not None and author.startswith("channel"):
        yield from _read(message, author.removeprefix("channel"), None)
    elif message.type == "message":
        wrong = RecordError(
            "a message that does not say what chat it is from", "a channel's, or lines with type, id and messages"
        )
        yield Flaw("the message", b"", wrong)


def _read(message: _Message, chat: str, itself: str | None) -> Iterator[Item]:
    """A post; or when a channel was made, of the service message that says so.

    Args:
        message: the message.
        chat: id of its chat.
        itself: the channel as an author, for messages of old exports that name none.
    """
    if message.type != "message":
        if message.type not in _MESSAGES:
            raise RecordError("a message of a type that is not known", " or ".join(_MESSAGES))
        yield from _made(message, itself)
        return
    kind, parent = _kind(message, chat)
    entities = _entities(message)
    yield Post(
        platform="telegram",
        post_id=f"{chat}-{needed(message.id, 'id')}",
        author=_peer(message.from_id, "from_id") or itself,
        time=_time(message),
        kind=kind,
        parent=parent,
        text=_text(message),
        urls=_urls(message, entities or []),
        hashtags=None if entities is None else [tag.lstrip("#＃") for tag in _of_type(entities, "hashtag", "text")],
    )


def _made(message: _Message, itself: str | None) -> Iterator[Item]:
    """The channel's beginning; other service messages tell of nothing that was published."""
    actor = _peer(message.actor_id, "actor_id") or itself
    if message.type == "service" and message.action == "create_channel" and actor and actor.startswith("channel"):
        yield PlatformAccount(platform="telegram", author=actor, created=_time(message))


def _time(message: _Message) -> Any:
    return time_of(message.date_unixtime or message.date, "date_unixtime" if message.date_unixtime else "date")


def _kind(message: _Message, chat: str) -> tuple[PostKind, str | None]:
    if message.forwarded_from is not msgspec.UNSET or message.forwarded_from_id is not msgspec.UNSET:
        return "repost", None
    answered = ident(message.reply_to_message_id, "reply_to_message_id")
    if answered is None:
        return "post", None
    elsewhere = _peer(message.reply_to_peer_id, "reply_to_peer_id")  # a reply may answer a message of another chat
    return "reply", f"{_bare(elsewhere) if elsewhere else chat}-{answered}"


def _bare(peer: str) -> str:
    return next((peer.removeprefix(name) for name in _PEERS if peer.startswith(name)), peer)


def _peer(value: Any, field: str) -> str | None:
    """`user1`, `chat1`, `channel1`; exports before 2021 have a number whose upper half says which of them."""
    if type(value) is int and 0 < value < len(_PEERS) << 32:
        return f"{_PEERS[value >> 32]}{value & _LOWER}"
    return ident(value, field)


def _text(message: _Message) -> str:
    """What was written, then a poll's question and answers, a line each."""
    lines = [_joined(message.text_entities if message.text is None else message.text)]
    if isinstance(message.poll, dict):
        answers = message.poll.get("answers")
        lines += [_joined(message.poll.get("question"))]
        lines += [_joined(answer.get("text")) for answer in dicts_of(answers)]
    return "\n".join(filter(None, lines))


def _joined(text: Any) -> str:
    """A text, or the pieces of one: strings, and objects with type and text.

    Raises:
        RecordError: it is neither.
    """
    pieces = [text] if isinstance(text, str) else [] if text is None else text
    if not isinstance(pieces, list):
        raise RecordError("the text is no text", "a text or a list of its pieces")
    pieces = [piece.get("text") if isinstance(piece, dict) else piece for piece in pieces]
    if not all(isinstance(piece, str) for piece in pieces):
        raise RecordError("a piece of the text is no text", "a text, or an object with type and text")
    return "".join(pieces)


def _entities(message: _Message) -> list[dict[str, Any]] | None:
    """The typed pieces of a text; None where the export has none (before 2022 a plain text stands alone)."""
    for pieces in (message.text, message.text_entities):
        if isinstance(pieces, list):
            return dicts_of(pieces)
    return None


def _urls(message: _Message, entities: list[dict[str, Any]]) -> list[str]:
    """Links in the text, shown and hidden in their order, then those of the buttons below it."""
    shown, hidden = ("link", "text"), ("text_link", "href")
    found = [link for entity in entities for kind in (shown, hidden) for link in _of_type([entity], *kind)]
    rows = message.inline_bot_buttons
    buttons = [button for row in (rows if isinstance(rows, list) else []) for button in dicts_of(row)]
    return found + _of_type(buttons, "url", "data")


def _of_type(entities: list[dict[str, Any]], kind: str, field: str) -> list[str]:
    values = [entity.get(field) for entity in entities if entity.get("type") == kind]
    return [value for value in values if isinstance(value, str) and value]
