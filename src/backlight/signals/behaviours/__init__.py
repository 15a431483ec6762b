"""What operators are seen to do: one YAML file per behaviour, read by people, scorers and judges alike.

A file holds the id, version, name, definition, typology, the ids of DISARM and of the operations kill chain, examples that
violate, examples that are allowed (the innocent look-alikes), and what would change the judgement. A user adds a behaviour
by writing such a file into a folder of their own. A behaviour is never a verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import re2
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from backlight.errors import RequestError

TYPOLOGY = ("influence", "fraud", "approach", "repression", "content_farm", "account_trade")
KINDS = ("said", "unsaid", "inverted", "ordinary")
_ID = re2.compile(r"[A-Z]{2,8}-[0-9]{2,4}")
_TAG = re2.compile(r"[a-z]{2,3}")
_LARGEST = 1_000_000


class Example(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One text that shows a behaviour, or a look-alike that is allowed.

    Attributes:
        lang: BCP 47 primary tag.
        text: what somebody would send, or a pasted document where `note` says so.
        kind: `said` (it says that something is hidden), `unsaid` (it does not), `inverted` (innocent, full of the vocabulary
            of concealment), `ordinary` (innocent, same subject).
        note: who writes, or that the text is a document.
    """

    lang: str
    text: str
    kind: str = "unsaid"
    note: str = ""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One behaviour as its file states it."""

    id: str
    version: int
    name: str
    definition: str
    typology: tuple[str, ...]
    violating: tuple[Example, ...]
    allowed: tuple[Example, ...]
    what_would_change: str
    disarm: tuple[str, ...] = ()
    kill_chain: tuple[str, ...] = ()
    needs_judge: bool = False


def load(folder: Path | str | None = None) -> dict[str, Behaviour]:
    """The shipped behaviours, and those of the user's folder, by id and in order of id.

    Args:
        folder: a folder with further `*.yaml` files; an id that ships already is replaced by the user's file.

    Raises:
        RequestError: a file does not fit the form; the message names the file and the field.
    """
    found = dict(_shipped())
    if folder is not None:
        paths = sorted(Path(folder).glob("*.yaml"))
        if not paths:
            raise RequestError(f"no behaviour file in {folder}", "files named like BL-31.yaml", "Check the folder")
        found |= _by_id(paths)
    return dict(sorted(found.items()))


def fingerprint(behaviours: Mapping[str, Behaviour]) -> str:
    """Hash over everything the behaviours say; what was fitted from them carries it."""
    body = msgspec.json.encode([behaviours[name] for name in sorted(behaviours)], order="deterministic")
    return blake2b(body, digest_size=16).hexdigest()


@cache
def _shipped() -> Mapping[str, Behaviour]:
    paths = sorted((f for f in files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    stored = msgspec.json.decode(files("backlight.signals").joinpath("baseline", "behaviours.json").read_bytes(), type=_Parsed)
    if stored.source == _source(paths):
        return {behaviour.id: behaviour for behaviour in stored.behaviours}
    return _by_id(paths)


class _Parsed(msgspec.Struct, frozen=True):
    """The shipped files as read before, with the hash of their bytes: reading YAML takes seconds, this milliseconds."""

    source: str
    behaviours: tuple[Behaviour, ...]


def _source(paths: Sequence[Traversable]) -> str:
    state = blake2b(digest_size=16)
    for path in paths:
        state.update(path.read_bytes())
    return state.hexdigest()


def parsed() -> bytes:
    """What `baseline/behaviours.json` holds, made anew from the files."""
    paths = sorted((f for f in files(__name__).iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return msgspec.json.encode(_Parsed(_source(paths), tuple(_by_id(paths).values())), order="deterministic")


def _by_id(paths: Sequence[Traversable]) -> dict[str, Behaviour]:
    found: dict[str, Behaviour] = {}
    for path in paths:
        behaviour = _read(path)
        if behaviour.id in found:
            raise RequestError(f"{path.name}: the id {behaviour.id} stands in two files", "one file per id", "Rename one")
        found[behaviour.id] = behaviour
    return found


def _read(path: Traversable) -> Behaviour:
    text = path.read_text(encoding="utf-8")
    if len(text) > _LARGEST:
        raise RequestError(f"{path.name} has {len(text):,} characters", f"at most {_LARGEST:,}", "Split or shorten it")
    reader = YAML(typ="safe", pure=True)
    reader.version = (1, 2)
    try:
        raw: Any = reader.load(text)
    except YAMLError as error:
        raise RequestError(f"{path.name} is not YAML: {str(error).splitlines()[0]}", "YAML 1.2") from error
    try:
        behaviour = msgspec.convert(raw, Behaviour)
    except msgspec.ValidationError as error:
        fields = ", ".join(Behaviour.__struct_fields__)
        raise RequestError(f"{path.name}: {error}", f"only the fields {fields}", "Correct the file") from error
    _check(path.name, behaviour)
    return behaviour


def _check(name: str, behaviour: Behaviour) -> None:
    """Refuse values that have the right type and no meaning."""
    if not _ID.fullmatch(behaviour.id):
        raise RequestError(f"{name}: the id {behaviour.id!r} has no such form", "an id such as BL-31", "Rename it")
    if not behaviour.typology or (other := set(behaviour.typology) - set(TYPOLOGY)):
        wrong = ", ".join(sorted(other)) if behaviour.typology else "nothing"
        raise RequestError(f"{name}: typology holds {wrong}", f"some of {', '.join(TYPOLOGY)}", "Correct the file")
    if not behaviour.violating or not behaviour.allowed:
        raise RequestError(f"{name}: no examples", "at least one violating and one allowed text", "Add some")
    for example in (*behaviour.violating, *behaviour.allowed):
        if example.kind not in KINDS:
            raise RequestError(f"{name}: kind {example.kind!r}", f"one of {', '.join(KINDS)}", "Correct the example")
        if not _TAG.fullmatch(example.lang) or not example.text.strip():
            raise RequestError(f"{name}: an example in {example.lang!r}", "a language tag such as en, and a text")
