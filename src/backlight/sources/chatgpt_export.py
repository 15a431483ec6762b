"""The export of a ChatGPT account: `conversations.json`, an array of conversations, each a tree of messages.

    {"id": "c-1", "title": .., "create_time": 1767225600.25, "default_model_slug": .., "current_node": "n2", "mapping": {
        "n1": {"parent": null, "children": ["n2"], "message": null},
        "n2": {"parent": "n1", "children": [], "message": {
            "author": {"role": "user", "name": null}, "create_time": 1767225601.5, "recipient": "all",
            "content": {"content_type": "text", "parts": ["Hello"]}, "metadata": {"model_slug": ..}}}}}

Branches. An edited question or a regenerated answer forks the tree. Every way from the root to a leaf is one conversation:
first the way through `current_node`, which is what the user saw last, then the others. All have the ids, the time and the
model of the first, so that turns they share are stored once. A leaf that adds no message gives none. Where the ways of one
tree would repeat more than eight million characters, those that are left hold only what they have of their own.

Messages. All answers of a turn (text, calls of tools as `recipient arguments`) are one message, after what the tools gave. A
hidden message, custom instructions and memory were neither typed nor shown: they stand as the system's. Left out are empty
messages of anyone but the user (placeholders), thoughts and their recap, which are no part of what was answered, and the
title. Pictures, sound and files give no text; what was said aloud stands as its transcript. Content of kinds that are not
known gives the text in its usual fields. The account is not in the file but in the `user.json` beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ident, role_of, text_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item, Message
from backlight.sources._json import dict_of
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_Node = TypeVar("_Node", bound=Hashable)

REPEATED = 8 << 20
"""Characters of messages that the ways of one tree may repeat; a message counts a hundred more than it has."""

FLAWS = 1000
"""Messages of one record that may be unreadable before it is the record that is."""

_INNER = ("thoughts", "reasoning_recap")
_HIDDEN = ("is_visually_hidden_from_conversation", "is_user_system_message")
_CONTEXT = ("user_editable_context", "model_editable_context")
_TEXTS = ("parts", "text", "result", "summary", "user_profile", "user_instructions", "model_set_context", "content")
_ABOUT = ("about_user_message", "about_model_message")


def _is_tree(record: _Dict) -> bool:
    mapping = record["mapping"]
    nodes = list(islice(mapping.values(), 8)) if isinstance(mapping, dict) else []
    return any(isinstance(node, dict) and "message" in node and ("parent" in node or "children" in node) for node in nodes)


@source(
    name="chatgpt-export",
    title="ChatGPT account export (conversations.json)",
    kind="interactions",
    text=True,
    gives=("conversation",),
    containers=("json", "jsonl"),
    signature=(
        Rule(("mapping", "current_node"), 0.97, where=_is_tree),
        Rule(("mapping", "title|create_time"), 0.95, where=_is_tree),
    ),
    rank=10,
    about="no account in the file (the user.json beside it names it) and no address: such chats can be read and scored, but "
    "not linked; every branch of a conversation is read",
)
def chatgpt_export(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One record is one conversation for each leaf of its tree.

    Raises:
        RecordError: it has no message, or too many that cannot be read; messages are each other's parents; or an id or time
            cannot be read.
    """
    mapping = record.get("mapping")
    if not isinstance(mapping, dict) or not mapping:
        raise RecordError("no messages", "mapping: an object of nodes")
    said: dict[str, Message] = {}
    flaws = []
    for index, (name, node) in enumerate(mapping.items()):
        try:
            message = _message(node)
            if message is not None:
                said[name] = message
        except RecordError as error:
            flaws.append(Flaw(f"mapping {index}", msgspec.json.encode(node), error))
            check_flaws(flaws)
    if not said and not flaws:
        raise RecordError("no messages", "a node with a message that says something")
    yield from flaws
    yield from _conversations(record, mapping, said)


def check_flaws(flaws: list[Flaw]) -> None:
    """Gives a record up.

    Raises:
        RecordError: more than a thousand of its messages cannot be read.
    """
    if len(flaws) > FLAWS:
        raise RecordError(f"more than {FLAWS} messages that cannot be read; the last: {flaws[-1].wrong}")


def _conversations(record: _Dict, mapping: _Dict, said: dict[str, Message]) -> Iterator[Conversation]:
    own_id = ident(record.get("conversation_id") or record.get("id"), "id")
    time, model = time_of(record.get("create_time"), "create_time"), ident(record.get("default_model_slug"), "model")
    sizes = {name: len(message.text) for name, message in said.items()}
    for number, (shared, own) in enumerate(ways(_parents(mapping), record.get("current_node"), sizes)):
        model = model if number else _model(mapping, own) or model
        if any(name in said for name in own):
            messages = joined(said[name] for name in (*shared, *own) if name in said)
            yield Conversation(record_id=own_id, time=time, messages=messages, conversation=own_id, model=model)


# ---------------------------------------------------------------- the tree


def _parents(mapping: _Dict) -> dict[str, str | None]:
    """The parent of each node, by what it says itself, or else by whose child it is."""
    nodes = {name: node if isinstance(node, dict) else {} for name, node in mapping.items()}
    told: _Dict = {}
    for name, node in nodes.items():
        children = node.get("children")
        told |= {child: name for child in children if isinstance(child, str)} if isinstance(children, list) else {}
    given = {name: node["parent"] if "parent" in node else told.get(name) for name, node in nodes.items()}
    return {name: parent if isinstance(parent, str) else None for name, parent in given.items()}


def ways(
    parents: Mapping[_Node, _Node | None], current: Any, sizes: Mapping[_Node, int]
) -> Iterator[tuple[list[_Node], list[_Node]]]:
    """Every way through a tree of messages, from a root to a leaf: what the way before it has too, and what it has alone.

    Args:
        parents: parent of each node; one that is no node makes a root.
        current: a node; the way through it comes first.
        sizes: characters of each node. Once `REPEATED` are given again, what ways have in common is left out.

    Raises:
        RecordError: nodes are each other's parents.
    """
    below = _children(parents, current)
    stack = [(node, 0) for node in reversed(below.get(None, []))]
    way: list[_Node] = []
    sums: list[int] = []
    shared = reached = repeated = 0
    while stack:
        node, depth = stack.pop()
        del way[depth:], sums[depth:]
        shared, reached = min(shared, depth), reached + 1
        sums.append((sums[-1] if sums else 0) + sizes.get(node, 0) + 100)
        way.append(node)
        stack += [(child, depth + 1) for child in reversed(below.get(node, []))]
        if node not in below:
            repeated += sums[shared - 1] if shared else 0
            yield way[:shared] if repeated <= REPEATED else [], way[shared:]
            shared = len(way)
    if reached < len(parents):
        raise RecordError("messages are each other's parents", "a tree")


def _children(parents: Mapping[_Node, _Node | None], current: Any) -> dict[_Node | None, list[_Node]]:
    """The nodes below each node, and below None the roots; of several the one that leads to `current` is first."""
    below: dict[_Node | None, list[_Node]] = {}
    for child, parent in parents.items():
        below.setdefault(parent if parent in parents else None, []).append(child)
    leading: set[Any] = set()
    node: Any = current if isinstance(current, (str, int)) else None
    while node in parents and node not in leading:
        leading.add(node)
        node = parents[node]
    for nodes in below.values():
        if len(nodes) > 1:
            nodes.sort(key=lambda node: node not in leading)
    return below


def joined(messages: Iterable[Message]) -> list[Message]:
    """The messages of a way, with all answers of a turn as one message at its end."""
    found: list[Message] = []
    answers: list[Message] = []
    for message in messages:
        if message.role == "assistant":
            answers.append(message)
            continue
        if message.role == "user":
            found += _one(answers)
            answers = []
        found.append(message)
    return found + _one(answers)


def _one(answers: list[Message]) -> list[Message]:
    if len(answers) < 2:
        return answers
    return [Message("assistant", "\n\n".join(answer.text for answer in answers), answers[0].time)]


# ---------------------------------------------------------------- messages


def _message(node: Any) -> Message | None:
    """The message of a node, or None where there is none or it says nothing."""
    message = node.get("message") if isinstance(node, dict) else node
    if isinstance(node, dict) and message is None:
        return None
    if not isinstance(message, dict) or not isinstance(message.get("author"), dict):
        raise RecordError("a message without an author", "an object with author and content")
    role, content, meta = role_of(message["author"].get("role")), message.get("content"), dict_of(message.get("metadata"))
    kind = dict_of(content).get("content_type")
    if kind in _INNER:
        return None
    text = _text(content) or _joined_fields(meta.get("user_context_message_data"), _ABOUT)
    recipient = message.get("recipient")
    if role == "assistant" and isinstance(recipient, str) and recipient not in ("", "all"):
        text = f"{recipient} {text}".strip()
    if role != "tool" and (kind in _CONTEXT or any(meta.get(mark) is True for mark in _HIDDEN)):
        role = "system"
    time = time_of(message.get("create_time"), "time of a message")
    return Message(role, text, time) if text or role == "user" else None


def _text(content: Any) -> str:
    """The text in a message's content, whatever its kind."""
    return _joined_fields(content, _TEXTS) if isinstance(content, dict) else text_of(content)


def _joined_fields(fields: Any, names: tuple[str, ...]) -> str:
    return "\n".join(filter(None, (text_of(dict_of(fields).get(name)) for name in names)))


def _model(mapping: _Dict, way: list[str]) -> str | None:
    """The model of the last answer on a way."""
    for name in reversed(way):
        message = dict_of(dict_of(mapping[name]).get("message"))
        model = dict_of(message.get("metadata")).get("model_slug")
        if isinstance(model, str) and model and dict_of(message.get("author")).get("role") == "assistant":
            return model
    return None
