"""Open WebUI: chats exported as JSON by a user or by the administrator for all users, or rows of its table `chat`.

    {"id": "c-1", "user_id": "u-1", "title": "..", "created_at": 1767225600, "updated_at": 1767225660, "chat": {
       "models": ["model-a"], "params": {"system": ".."}, "messages": [..],
       "history": {"currentId": "m-2", "messages": {
         "m-1": {"id": "m-1", "parentId": null, "childrenIds": ["m-2"], "role": "user", "content": "..", "timestamp": ..},
         "m-2": {"id": "m-2", "parentId": "m-1", "childrenIds": [], "role": "assistant", "content": "..", "model": ".."}}}}}

The messages are a tree. The way from its root to `currentId` is the chat as its user last saw it, and one conversation with
the chat's id. Every other leaf (an answer that was made again, a question that was changed, the answer of a second model) is
a conversation of its own with the id `chat/leaf`. It holds what no conversation before it holds, after the question that it
answers: no turn is counted twice, but the turns before a fork stand in the chat's main conversation only. So are texts that
were replaced (`originalContent`) and answers merged from those of several models (`merged`), as `chat/message/original` and
`chat/message/merged`. Where another person writes on in a chat, as messages with a user of their own say, a conversation of
that person begins.

`messages` beside `history` repeats the main way, and is read only where there is no history. `chat` may be JSON in a text, as
the table keeps it; exports of the first versions hold the chat itself without a row around it. Older versions made a copy of
each chat that was shared, in the name of `shared-..`: it is read too, but that is no user. A conversation's model is that of
its last answer. Of `output`, where an answer has no other text, messages and calls are read; errors, files, pictures, sources
and ratings are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import answer_of, ident, loaded, noted, text_of, turn_of
from backlight.sources._format import Context, Flaw, Rule, source
from backlight.sources._items import Conversation, Item, Message
from backlight.sources._json import dict_of
from backlight.sources._times import time_of

_Dict = dict[str, Any]
_SHARED = "shared-"


class _Node(msgspec.Struct):
    """One message in its tree.

    Attributes:
        parent: name of the one before it.
        message: what is said; None where nothing of it can be read, so that the way through it is kept.
        author: user who wrote it, where it says so itself.
        model: model that answered.
        others: texts that stood or stand in its place: `original`, `merged`.
    """

    parent: str | None
    message: Message | None
    author: str | None = None
    model: str | None = None
    others: list[tuple[str, Message]] = []


_Nodes = dict[str, _Node]
_Run = tuple[str | None, list[str]]


def _is_row(record: _Dict) -> bool:
    """Whether a row holds its chat as JSON in a text."""
    chat = record["chat"]
    return isinstance(chat, str) and chat.startswith("{") and '"history"' in chat and '"messages"' in chat


@source(
    name="open-webui",
    title="Open WebUI chat export, with all branches",
    kind="interactions",
    text=True,
    gives=("user", "conversation"),
    containers=("json", "jsonl", "csv", "sqlite"),
    tables=("chat",),
    signature=(
        Rule(("chat.history.messages",), 0.97, unless=("stats",)),
        Rule(("id", "user_id", "chat"), 0.95, where=_is_row),
        Rule(("history.messages", "history.currentId"), 0.92),
        Rule(("user_id", "chat.models", "chat.messages[].role", "chat.messages[].content"), 0.9),
    ),
    rank=10,
    about="no address or user agent (its audit log has them); what goes through its API is no chat and is missing",
)
def open_webui(record: _Dict, context: Context) -> Iterable[Item | Flaw]:
    """One chat is one conversation, and one more for each other branch.

    Raises:
        RecordError: it has no messages that can be read, or a field of the chat is of a kind that cannot be read.
    """
    chat = loaded(record.get("chat", record))
    if not isinstance(chat, dict):
        raise RecordError("no chat", "chat: an object with history")
    nodes, flaws = _nodes(chat)
    if not any(node.message for node in nodes.values()):
        raise flaws[0].wrong if flaws else RecordError("a chat without messages", "chat.history.messages")
    conversations = _Conversations(record, chat)
    yield from flaws
    yield from conversations.of(nodes, dict_of(chat.get("history")).get("currentId"))


def _nodes(chat: _Dict) -> tuple[_Nodes, list[Flaw]]:
    """The messages by name, and a flaw for each that is wrong."""
    nodes: _Nodes = {}
    flaws: list[Flaw] = []
    for index, (name, parent, message) in enumerate(_listed(chat)):
        nodes[name], flaw = _node(message, parent, f"message {index}")
        noted(flaws, flaw)
    return nodes, flaws


def _listed(chat: _Dict) -> Iterator[tuple[str, str | None, Any]]:
    """Name, name of the parent, and message: of the history, else of the plain list."""
    history = dict_of(chat.get("history")).get("messages")
    if isinstance(history, dict) and history:
        for name, message in history.items():
            parent = dict_of(message).get("parentId")
            yield name, parent if isinstance(parent, str) else None, message
        return
    messages = chat.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else []):
        yield str(index), str(index - 1) if index else None, message


def _node(given: Any, parent: str | None, where: str) -> tuple[_Node, Flaw | None]:
    """One message as a node; a wrong one keeps its place with what can be read of it."""
    message, flaw = turn_of(given, where)
    node, fields = _Node(parent, message), dict_of(given)
    if message is None:
        return node, flaw
    try:
        if not message.text and fields.get("output"):
            text = answer_of({"output": fields["output"]}).text or ""
            node.message = message = Message(message.role, text, message.time)
        node.author = ident(fields.get("user_id") or dict_of(fields.get("user")).get("id"), "user of a message")
        node.model = ident(fields.get("selectedModelId") or fields.get("model"), "model of a message")
        node.others = _others(fields, message)
    except RecordError as error:
        flaw = flaw or Flaw(where, msgspec.json.encode(given), error)
    return node, flaw


def _others(fields: _Dict, message: Message) -> list[tuple[str, Message]]:
    texts = (("original", fields.get("originalContent")), ("merged", dict_of(fields.get("merged")).get("content")))
    return [
        (name, Message(message.role, text, message.time))
        for name, said in texts
        if (text := text_of(said)) and text != message.text
    ]


class _Conversations:
    """What the conversations of one chat have in common."""

    def __init__(self, record: _Dict, chat: _Dict) -> None:
        owner = ident(record.get("user_id"), "user_id")
        models = chat.get("models")
        system = text_of(dict_of(chat.get("params")).get("system") or chat.get("system"))
        self.id = ident(record.get("id"), "id")
        self.owner = None if owner and owner.startswith(_SHARED) else owner
        self.time = time_of(record.get("created_at") or chat.get("timestamp"), "created_at")
        self.model = models[0] if isinstance(models, list) and len(models) == 1 and isinstance(models[0], str) else None
        self.system = [Message("system", system)] if system else []

    def of(self, nodes: _Nodes, current: Any) -> Iterator[Conversation]:
        """The main conversation, those of other branches, and those of texts that were replaced or merged."""
        for number, path in enumerate(_paths(nodes, current)):
            for place, (author, names) in enumerate(self._runs(nodes, path)):
                said = [node for name in names if (node := nodes[name]).message]
                if said:
                    yield self._one(None if number == place == 0 else names[-1], author, said)
        for name, node in nodes.items():
            for kind, message in node.others:
                asked = nodes.get(node.parent or "")
                question = [asked] if asked and _is_user(asked) and message.role != "user" else []
                author = (question[0] if question else node).author or self.owner
                yield self._one(f"{name}/{kind}", author, [*question, _Node(None, message, model=node.model)])

    def _runs(self, nodes: _Nodes, path: list[str]) -> list[_Run]:
        """A path, cut where another person writes on."""
        runs: list[_Run] = []
        for name in path:
            node = nodes[name]
            author = (node.author or self.owner) if _is_user(node) or not runs else runs[-1][0]
            if not runs or author != runs[-1][0]:
                runs.append((author, []))
            runs[-1][1].append(name)
        return runs

    def _one(self, branch: str | None, author: str | None, said: list[_Node]) -> Conversation:
        name = "/".join(filter(None, (self.id, branch))) or None
        models = [node.model for node in said if node.model]
        return Conversation(
            record_id=name,
            time=self.time,
            messages=[*self.system, *(node.message for node in said if node.message)],
            conversation=name,
            user=author,
            model=models[-1] if models else self.model,
        )


def _paths(nodes: _Nodes, current: Any) -> Iterator[list[str]]:
    """The main way first, then those to other leaves; each message is told once, but for the question before a fork.

    Where `currentId` is missing or leads nowhere, the last leaf is the main one. What hangs in a circle comes last.
    """
    children: dict[str | None, list[str]] = {}
    for name, node in nodes.items():
        children.setdefault(node.parent, []).append(name)
    leaves = [name for name in nodes if name not in children]
    main = [_tip(children, current)] if isinstance(current, str) and current in nodes else leaves[-1:]
    told: set[str] = set()
    for end in (*main, *leaves, *nodes):
        path: list[str] = []
        at: str | None = end
        while at is not None and at in nodes and at not in told:
            told.add(at)
            path.append(at)
            at = nodes[at].parent
        if path and at in nodes and at not in path and _is_user(nodes[at]) and not _is_user(nodes[path[-1]]):
            path.append(at)
        if path:
            yield path[::-1]


def _tip(children: dict[str | None, list[str]], name: str) -> str:
    """The leaf below a message, by the last child each time."""
    seen = {name}
    while (below := children.get(name)) and below[-1] not in seen:
        name = below[-1]
        seen.add(name)
    return name


def _is_user(node: _Node) -> bool:
    return node.message is not None and node.message.role == "user"
