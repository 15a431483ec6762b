"""The export of a Claude account: `conversations.json`, an array of conversations.

    {"uuid": "c-1", "name": .., "created_at": "2026-01-01T00:00:00.000000Z", "account": {"uuid": "a-1"}, "chat_messages": [
        {"uuid": "m-1", "parent_message_uuid": .., "sender": "human", "created_at": .., "text": "Polish this.",
         "content": [{"type": "text", "text": "Polish this."}], "files": [{"file_name": ..}],
         "attachments": [{"file_name": .., "extracted_content": "The whole text of a file or of a long paste."}]}]}

`content` wins over `text`, which repeats its first block or has a placeholder where tools were used. The text of an
attachment was part of what was sent: it stands at the end of its message, marked as a document. Results of tools are the
tool's messages, before the answer they stood in; the answers of a turn are one message. Left out are thinking, empty messages
of anyone but the user, names of files, and the name of the conversation.

Exports that name parents are trees, read as those of ChatGPT are: every way from a root to a leaf is one conversation, the
current one first (the last message's, where the file does not say), all with the same ids, time and model. A message whose
parent is not named follows the one before it. Conversations in which nothing was ever said are in such exports, too: they are
rejects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident, role_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item, Message
from backlight.sources._posts import text_in
from backlight.sources._times import time_of
from backlight.sources.anthropic_messages import pasted, turns_of
from backlight.sources.chatgpt_export import check_flaws, joined, ways

_Dict = dict[str, Any]
_ROOTS = ("00000000-0000-4000-8000-000000000000", "00000000-0000-0000-0000-000000000000")


def _is_chat(record: _Dict) -> bool:
    said = record["chat_messages"]
    return isinstance(said, list) and (not said or (isinstance(said[0], dict) and "sender" in said[0]))


@source(
    name="claude-export",
    title="Claude account export (conversations.json)",
    kind="interactions",
    text=True,
    gives=("user", "conversation"),
    containers=("json", "jsonl"),
    signature=(Rule(("uuid", "chat_messages"), 0.97, where=_is_chat),),
    rank=10,
    about="user by account.uuid; no address, and a model only where the file was not made by the export itself; text of "
    "attachments is read, thinking is left out",
)
def claude_export(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One record is one conversation for each way through it.

    Raises:
        RecordError: it has no message, or too many that cannot be read; messages are each other's parents; or an id or time
            cannot be read.
    """
    messages = record.get("chat_messages")
    if not isinstance(messages, list) or not messages:
        raise RecordError("no messages", "chat_messages: a list of objects with sender and text")
    said: dict[int, list[Message]] = {}
    flaws = []
    for index, message in enumerate(messages):
        try:
            said[index] = _turns(message)
        except RecordError as error:
            flaws.append(Flaw(f"chat_messages {index}", msgspec.json.encode(message), error))
            check_flaws(flaws)
    if not flaws and not any(said.values()):
        raise RecordError("no messages", "chat_messages of which one says something")
    yield from flaws
    yield from _conversations(record, messages, said)


def _conversations(record: _Dict, messages: list[Any], said: dict[int, list[Message]]) -> Iterator[Conversation]:
    account = record.get("account")
    user = ident(account.get("uuid") if isinstance(account, dict) else account, "account")
    own_id, model = ident(record.get("uuid"), "uuid"), ident(record.get("model"), "model")
    time = time_of(record.get("created_at"), "created_at")
    parents, current = _tree(messages, record.get("current_leaf_message_uuid"))
    sizes = {index: sum(len(turn.text) for turn in turns) for index, turns in said.items()}
    for shared, own in ways(parents, current, sizes):
        if any(said.get(index) for index in own):
            turns = joined(turn for index in (*shared, *own) for turn in said.get(index, ()))
            yield Conversation(record_id=own_id, time=time, messages=turns, conversation=own_id, user=user, model=model)


def _tree(messages: list[Any], current: Any) -> tuple[dict[int, int | None], int]:
    """The parent of each message by its place, and the place of the current one."""
    places: dict[str, int] = {}
    for index, message in enumerate(messages):
        if isinstance(message, dict) and isinstance(message.get("uuid"), str):
            places.setdefault(message["uuid"], index)
    parents: dict[int, int | None] = {}
    for index, message in enumerate(messages):
        given = message.get("parent_message_uuid") if isinstance(message, dict) else None
        known = places.get(given) if isinstance(given, str) else None
        before = index - 1 if index and given not in _ROOTS else None
        parents[index] = before if known is None else known
    return parents, places.get(current, len(messages) - 1) if isinstance(current, str) else len(messages) - 1


def _turns(message: Any) -> list[Message]:
    """One message of the export: results of tools apart, the text of attachments with it."""
    if not isinstance(message, dict) or "sender" not in message:
        raise RecordError("a message without a sender", "an object with sender and text")
    role, time = role_of(message["sender"]), time_of(message.get("created_at"), "time of a message")
    turns = turns_of(role, message.get("content"), time)
    if not any(turn.text for turn in turns):
        turns = turns_of(role, text_in(message.get("text")), time)
    documents = _documents(message.get("attachments"))
    if documents:
        said = turns.pop().text if turns[-1].role == role else ""
        turns.append(Message(role, "\n\n".join(filter(None, (said, *documents))), time))
    return [turn for turn in turns if turn.text or turn.role == "user"]


def _documents(attachments: Any) -> list[str]:
    """The texts of files and long pastes."""
    if attachments is None:
        return []
    if not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments):
        raise RecordError("attachments are no list of objects", "objects with extracted_content")
    texts = (text_in(one.get("extracted_content"), "extracted_content") for one in attachments)
    return [pasted(text) for text in texts if text]
