"""What the logs of traces share: values in their many layouts, read as what was asked, what was answered, and by whom.

What was said may be written in many ways: chat messages, LangChain's messages as objects (`lc`, `kwargs`), stored (`type`,
`data`) or flat (`type`, `content`), lists in lists, prompts, `generations`, the provider's own request and response. Three
kinds of entries among messages are nobody's words and are left out: definitions of tools, hidden reasoning, references to
items elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

from backlight.errors import RecordError
from backlight.sources._chat import ROLES, Answer, answer_of, message_of, text_of
from backlight.sources._format import Flaw
from backlight.sources._items import Item, Message, Outcome
from backlight.sources._json import check_size, dict_of, first_of

_Dict = dict[str, Any]


def each(entries: list[Any], where: str, read: Callable[[Any], Iterable[Item | Flaw]]) -> Iterator[Item | Flaw]:
    """What `read` gives for each entry of a list; a flaw for one that it cannot read.

    Args:
        entries: the list.
        where: what the list is called, for the place of a flaw.
        read: gives the items of one entry.
    """
    for index, entry in enumerate(entries):
        place = f"{where} {index}"
        try:
            for found in read(entry):
                yield Flaw(f"{place}, {found.where}", found.data, found.wrong) if isinstance(found, Flaw) else found
        except RecordError as error:
            yield _flaw(place, entry, error)


def _flaw(where: str, entry: Any, error: RecordError) -> Flaw:
    return Flaw(where, msgspec.json.encode(entry), error)


def loaded(value: Any, depth: int = 0) -> Any:
    """The value behind JSON in a string, or in a string in a string; any other text stays as it is.

    Raises:
        RecordError: it has too many values.
    """
    if depth > 2 or not isinstance(value, str) or value[:1] not in ("{", "[", '"'):
        return value
    data = value.encode("utf-8", "replace")
    check_size(data)
    try:
        inner = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return value
    return loaded(inner, depth + 1)


def object_of(value: Any, field: str) -> _Dict:
    """An object that may be JSON in a string, or a list of pairs as Parquet's maps become; empty for nothing.

    Raises:
        RecordError: it is something else.
    """
    value = loaded(value)
    if value is None or value == "":
        return {}
    if isinstance(value, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in value):
        value = {pair[0]: pair[1] for pair in value if isinstance(pair[0], str)}
    if not isinstance(value, dict):
        raise RecordError(f"{field} is no object", "an object")
    return value


class Metadata:
    """What an application wrote beside a call, and who and where by it: names are compared without case and signs.

    Attributes:
        end_user: whom it names as its user.
        conversation: session, thread or conversation.
        address: of a chain of proxies the first.
        user_agent: as logged.
    """

    def __init__(self, *places: Any, above: Metadata | None = None) -> None:
        """Takes objects, JSON in strings or nothing, the weightiest first.

        Args:
            places: the metadata.
            above: metadata of what this call is a part of; says what these places do not.

        Raises:
            RecordError: one of them is something else.
        """
        self._values: dict[str, str] = {}
        for place in places:
            self._add(object_of(place, "metadata"), 0)
        self._values = {**above._values, **self._values} if above else self._values
        self.end_user = self.plain("user_id", "end_user_id", "end_user", "user", "langgraph_auth_user_id")
        self.conversation = self.plain("helicone_session_id", "session_id", "thread_id", "conversation_id", "chat_id")
        forwarded = self.plain("ip", "ip_address", "client_ip", "client_address", "remote_addr", "x_forwarded_for")
        self.address = (forwarded or "").partition(",")[0].strip() or None
        self.user_agent = self.plain("user_agent", "user_agent_original", "http_user_agent")

    def plain(self, *names: str) -> str | None:
        """The text or whole number under the first of the names that has one."""
        known = self._values
        return next((known[key] for name in names if (key := _folded(name)) in known), None) if known else None

    def _add(self, place: _Dict, depth: int) -> None:
        for name, value in place.items():
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if isinstance(value, str) and value:
                self._values.setdefault(_folded(name[:64]), value)
        for name in ("attributes", "headers") if depth == 0 else ():
            inner = loaded(place.get(name))
            if isinstance(inner, dict):
                self._add(inner, depth + 1)


_SIGNS = str.maketrans("", "", "-_. ")


@lru_cache(4096)
def _folded(name: str) -> str:
    """A short name without case and signs."""
    return name.lower().translate(_SIGNS)


# ---------------------------------------------------------------- what was asked

_ASKED = ("messages", "input", "inputs", "prompt", "prompts", "contents", "message", "question", "query", "text", "content")
_SYSTEM = ("system", "instructions", "system_instruction", "systemInstruction")
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def asked(value: Any) -> tuple[list[Message], list[Flaw]]:
    """The messages in what was asked, and a flaw for each that cannot be read.

    A value in which no messages are found, such as the arguments of a function, is one message: its text or its JSON.

    Args:
        value: messages in any layout, an object with messages, a text, JSON in a string, or anything else.
    """
    data = loaded(value)
    entries = _entries(data, 0)
    if entries is None:
        return [Message("user", value if isinstance(value, str) else _json(data))], []
    messages: list[Message] = []
    flaws: list[Flaw] = []
    for index, entry in enumerate(entries):
        try:
            messages += _messages(entry)
        except RecordError as error:
            flaws.append(_flaw(f"message {index}", entry, error))
    return messages, flaws


def _entries(data: Any, depth: int) -> list[Any] | None:
    """The messages as they stand, lists in lists made one; None where there are none in it."""
    if data in _NOTHING:
        return []
    if isinstance(data, str):
        return [data]
    if isinstance(data, list):
        return _listed(data, "user")
    if not isinstance(data, dict) or depth > 3:
        return None
    if _is_message(data):
        return [data]
    if "lc" in data and isinstance(data.get("kwargs"), dict):
        return _entries(data["kwargs"], depth + 1)
    for name in _ASKED:
        found = None if data.get(name) in _NOTHING else _entries(data[name], depth + 1)
        if found is not None:
            return _system(data) + found
    return _arguments(data, depth) if "args" in data and data.keys() <= {"args", "kwargs"} else None


def _listed(data: list[Any], role: str) -> list[Any] | None:
    """The messages in a list, lists in it made one with it; parts of one message are that message."""
    flat: list[Any] = []
    for entry in data:
        flat += entry if isinstance(entry, list) and not _is_pair(entry) else [entry]
    if all(isinstance(entry, str) for entry in flat) or any(map(_is_message, flat)):
        return flat
    if any(isinstance(entry, dict) and entry.get("type") in ("text", "input_text", "output_text") for entry in flat):
        return [{"role": role, "content": flat}]
    return None


def _system(data: _Dict) -> list[Any]:
    said = first_of(data, *_SYSTEM) or first_of(dict_of(data.get("config")), *_SYSTEM)
    said = said.get("parts") if isinstance(said, dict) else said
    return [{"role": "system", "content": said}] if said and isinstance(said, (str, list)) else []


def _arguments(data: _Dict, depth: int) -> list[Any] | None:
    """What a traced function was called with, where it is texts or one value that holds messages."""
    args, kwargs = data["args"], data.get("kwargs")
    if kwargs or not isinstance(args, list):
        return _entries(kwargs, depth + 1) if not args and isinstance(kwargs, dict) else None
    if all(isinstance(arg, str) for arg in args):
        return ["\n".join(args)]
    return _entries(args[0], depth + 1) if len(args) == 1 else None


# ---------------------------------------------------------------- one message

_SPEAKERS = ("human", "ai", "system", "tool", "function")
_KINDS = {f"{name}{end}": name for name in _SPEAKERS for end in ("", "message", "messagechunk")}
_SILENT = ("reasoning", "item_reference")
_CALLS = ("tool_use", "server_tool_use", "tool_call", "function_call", "function")
_RESULTS = ("tool_result", "tool_call_response", "function_response")


def _is_item(kind: str) -> bool:
    """Whether it is a kind of entry that stands among messages without a role: a call, its result, hidden reasoning."""
    return kind in _SILENT or kind.endswith(("_call", "_call_output"))


def _is_message(entry: Any) -> bool:
    if isinstance(entry, list):
        return _is_pair(entry)
    if not isinstance(entry, dict):
        return False
    kind = _kind(entry)
    return "role" in entry or kind in _KINDS or ("type" in entry and _is_item(kind))


def _is_pair(entry: list[Any]) -> bool:
    """Whether it is a message in the short form that LangChain takes: role and text."""
    return len(entry) == 2 and isinstance(entry[0], str) and isinstance(entry[1], str) and entry[0].lower() in ROLES


def _kind(entry: _Dict) -> str:
    """What an entry calls itself: the class of an object of LangChain's, else its type."""
    if isinstance(entry.get("function"), dict) and "role" not in entry:
        return "function_call"
    names = entry.get("id") if "lc" in entry else None
    kind = names[-1] if isinstance(names, list) and names else entry.get("type")
    kind = kind if isinstance(kind, str) else ""
    return kind.lower() if kind.lower() in _KINDS else kind


def _fields(entry: _Dict) -> _Dict:
    """The fields of a message, wherever LangChain puts them."""
    inner = entry.get("kwargs") if "lc" in entry else entry.get("data") if "content" not in entry else None
    return inner if isinstance(inner, dict) and "role" not in entry else entry


def _messages(entry: Any) -> list[Message]:
    """One message in any of the layouts; none for what is nobody's words, two where a user's turn carries tools' results.

    Raises:
        RecordError: it is no message.
    """
    if isinstance(entry, list) and _is_pair(entry):
        entry = {"role": entry[0], "content": entry[1]}
    if isinstance(entry, str):
        return [Message("user", entry)]
    if not isinstance(entry, dict):
        raise RecordError("a message that is no object", "an object with role or type, and content")
    fields, kind = _fields(entry), _kind(entry)
    role = fields.get("role", _KINDS.get(kind))
    if _defines_a_tool(fields) or (role is None and kind in _SILENT):
        return []
    if role is None and not _is_item(kind):
        raise RecordError("a message without a role", "an object with role or type, and content")
    return _spoken(fields, role, [_part(fields)] if role is None else _parts(fields))


def _spoken(fields: _Dict, role: Any, parts: list[tuple[str, Any]]) -> list[Message]:
    """The message of these parts; results of tools are a tool's, and calls a model's, whoever sends them."""
    texts = {kind: [text for found, text in parts if found == kind and text] for kind in ("said", "call", "result")}
    messages = [message_of({"role": "tool", "content": "\n".join(texts["result"])})] if texts["result"] else []
    calls = _calls(fields) or texts["call"]
    refusal = fields.get("refusal") or dict_of(fields.get("additional_kwargs")).get("refusal")
    if messages and not (texts["said"] or calls or refusal):
        return messages
    if texts["call"] and not texts["said"] and not messages:
        role = "assistant"
    when = {name: fields[name] for name in ("created_at", "timestamp") if name in fields}
    said = {"role": role, "content": "\n".join(texts["said"]), "tool_calls": calls, "refusal": refusal}
    return [*messages, message_of(said | when)]


def _defines_a_tool(fields: _Dict) -> bool:
    """Whether it is a tool that the model may use, which some tracers write among the messages."""
    content = fields.get("content")
    return isinstance(content, dict) and content.get("type") == "function" and isinstance(content.get("function"), dict)


def _parts(fields: _Dict) -> list[tuple[str, Any]]:
    content = fields.get("content")
    content = fields.get("parts") if content in _NOTHING else content
    content = content.get("parts", content) if isinstance(content, dict) else content
    if fields.get("role", fields.get("type")) == "tool" and not _holds_calls(content):
        return [("said", _text(content))]
    return [_part(part) for part in content] if isinstance(content, list) else [("said", text_of(content))]


def _holds_calls(content: Any) -> bool:
    return isinstance(content, list) and any(isinstance(p, dict) and _part(p)[0] != "said" for p in content)


def _part(part: Any) -> tuple[str, Any]:
    """A part of a message: said, a call as chat completions write it, or the text of a result."""
    if not isinstance(part, dict):
        return "said", text_of(part)
    kind = part["type"] if isinstance(part.get("type"), str) else ""
    for name in ("function_call", "functionCall", "function_response", "functionResponse", "function"):
        if isinstance(part.get(name), dict):
            kind, part = ("function_response" if "esponse" in name else "function_call"), part[name]
            break
    if kind in _RESULTS or kind.endswith("_call_output"):
        return "result", _text(first_of(part, "content", "output", "result", "response"))
    if kind in _CALLS or kind.endswith("_call"):
        given = first_of(part, "arguments", "args", "input", "action")
        return "call", {"function": {"name": part.get("name") or kind, "arguments": given}}
    return "said", text_of(part)


def _calls(fields: _Dict) -> list[_Dict]:
    """The tool calls of a message as chat completions write them."""
    more = dict_of(fields.get("additional_kwargs"))
    calls = fields.get("tool_calls") or more.get("tool_calls")
    given = fields.get("function_call") or more.get("function_call")
    calls = [{"function": given}] if given and not calls else calls
    found = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [c if "function" in c else {"function": {"name": c.get("name"), "arguments": c.get("args")}} for c in found]


# ---------------------------------------------------------------- what was answered

_TOLD = ("output", "message", "content", "text", "answer", "response", "result", "completion", "generation")
_BESIDE = ("response_metadata", "additional_kwargs", "prompt_feedback", "promptFeedback")
_ENDED = ("finish_reason", "finishReason", "stop_reason", "stopReason", "block_reason", "blockReason")
_FILTERED = ("content_filter", "content_filtered", "guardrail_intervened", "safety", "prohibited_content", "blocklist", "spii")
_BLOCKED = ("content_filter", "content_policy", "contentpolicy", "content management policy")


def answer_in(value: Any, *, free: bool = True) -> tuple[Answer, list[Flaw]]:
    """What `told` finds; where it cannot be read, nothing and a flaw."""
    try:
        return told(value, free=free), []
    except RecordError as error:
        return Answer(None, "unknown"), [_flaw("output", value, error)]


def told(value: Any, *, free: bool = True) -> Answer:
    """The answer in a value: its text, and its outcome by the provider's fields.

    Args:
        value: a text, a provider's response, messages, generations, JSON in a string, or anything else.
        free: whether a value in which none of these is found is an answer, by its text or its JSON.

    Raises:
        RecordError: what is said in it is no text.
    """
    data = loaded(value)
    found = _told(data, 0)
    if found is None:
        found = Answer((value if isinstance(value, str) else _json(data)) if free else None, "unknown")
    return found


def blocked_by(error: Any) -> Outcome:
    """Blocked where the words of an error are those of a provider's content filter; other errors say nothing."""
    words = error[:20_000].lower() if isinstance(error, str) else ""
    return "blocked" if any(mark in words for mark in _BLOCKED) else "unknown"


def _told(data: Any, depth: int) -> Answer | None:
    if data in _NOTHING or isinstance(data, str):
        return Answer(data or None, "unknown")
    if isinstance(data, list):
        return _last(_listed(data, "assistant"))
    if not isinstance(data, dict) or depth > 3:
        return None
    if isinstance(data.get("choices"), list) or (data.get("object") == "response" and isinstance(data.get("output"), list)):
        return answer_of(data)
    for name in ("generations", "candidates"):
        if isinstance(data.get(name), list):
            return _generated(data[name], data)
    if _is_message(data) or isinstance(dict_of(data.get("content")).get("parts"), list):
        return _generated([data], {})
    if isinstance(data.get("messages"), list):
        return _last(_listed(data["messages"], "assistant"))
    inner = next((data[name] for name in ("kwargs", *_TOLD) if data.get(name) not in _NOTHING), None)
    return None if inner is None else _told(inner, depth + 1)


def _last(entries: list[Any] | None) -> Answer | None:
    """Texts, or messages: of those, the model's after the last of the user, since a list may begin with what was asked."""
    if entries is None:
        return None
    if all(isinstance(entry, str) for entry in entries):
        return Answer("\n\n".join(filter(None, entries)) or None, "unknown")
    texts: list[str] = []
    places: list[_Dict] = []
    for entry in entries:
        for message in _messages(entry):
            if message.role == "user":
                texts, places = [], []
            elif message.role == "assistant":
                texts.append(message.text)
                places.append(_fields(entry) if isinstance(entry, dict) else {})
    return Answer("\n\n".join(filter(None, texts)) or None, _outcome(places))


def _generated(entries: list[Any], whole: _Dict) -> Answer:
    """Generations of LangChain, candidates of Gemini, or one message; several are joined."""
    texts: list[str] = []
    places: list[_Dict] = [whole]
    for entry in (part for found in entries for part in (found if isinstance(found, list) else [found])):
        if not isinstance(entry, dict):
            texts.append(text_of(entry))
            continue
        inner = entry if "role" in entry else dict_of(entry.get("message")) or dict_of(entry.get("content")) or entry
        if not _is_message(inner) and ("parts" in inner or "content" in inner):
            inner = {"role": "assistant"} | inner
        said = [message.text for message in _messages(inner)] if _is_message(inner) else []
        texts.append("\n".join(filter(None, said)) or text_of(entry.get("text")))
        places += [entry, dict_of(entry.get("generation_info") or entry.get("generationInfo")), _fields(inner)]
    return Answer("\n\n".join(filter(None, texts)) or None, _outcome(places))


def _outcome(places: Iterable[_Dict]) -> Outcome:
    """Refused or blocked, by what providers write beside an answer."""
    refused = blocked = False
    for place in places:
        for fields in (place, *(dict_of(place[name]) for name in _BESIDE if name in place)):
            ended = first_of(fields, *_ENDED)
            ended = ended.lower() if isinstance(ended, str) else ""
            refused |= ended == "refusal" or bool(fields.get("refusal"))
            blocked |= ended in _FILTERED
    return "refused" if refused else "blocked" if blocked else "unknown"


def _text(value: Any) -> str:
    """A text or parts with text; anything else as JSON."""
    try:
        text = text_of(value)
    except RecordError:
        text = ""
    return text or ("" if value in _NOTHING else _json(value))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
