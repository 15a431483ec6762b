"""YAML 1.2 with line numbers, and a schema that refuses what it does not know.

A policy is read as ruamel.yaml's round-trip tree, which builds plain data only and remembers where each key stands.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from backlight.errors import PolicyError

_BYTES: Final = 1 << 20
_NODES: Final = 50_000


@dataclass(frozen=True)
class Place:
    """A place in a policy file; prints as `name:line:column`."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def problem(place: Place, wrong: str, expected: str = "", todo: str = "") -> PolicyError:
    """A PolicyError that says where."""
    return PolicyError(f"{place}: {wrong}", expected, todo)


def read(path: Path) -> CommentedMap:
    """The document's tree.

    Raises:
        PolicyError: it cannot be read, is not YAML 1.2, repeats a key, or is larger than a policy can be.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}", "a policy file") from None
    place = Place(path.name)
    if len(data) > _BYTES:
        raise problem(place, f"the file has {len(data)} bytes", f"at most {_BYTES}")
    try:
        tree = YAML(typ="rt").load(data.decode("utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        where = Place(path.name, mark.line + 1, mark.column + 1) if mark else place
        raise problem(where, f"not YAML: {error.problem}", "YAML 1.2") from None
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise problem(place, f"not YAML: {type(error).__name__}", "YAML 1.2 in UTF-8") from None
    if not isinstance(tree, CommentedMap):
        raise problem(place, "the document is not a mapping", "name, version, fail, rules")
    _bounded(tree, place)
    return tree


def _bounded(tree: object, place: Place) -> None:
    """Refuse trees that aliases have made larger than their text."""
    waiting, seen = [tree], 0
    while waiting:
        node = waiting.pop()
        seen += 1
        if seen > _NODES:
            raise problem(place, f"more than {_NODES} values, aliases counted", "a policy of ordinary size")
        if isinstance(node, CommentedMap):
            waiting.extend(node.values())
        elif isinstance(node, CommentedSeq):
            waiting.extend(node)


def at(tree: Mapping[str, Any], key: str, file: str) -> Place:
    """Where a key's value stands (or the key, or the mapping, as far as is known)."""
    marks = getattr(tree, "lc", None)
    if marks is None:
        return Place(file)
    found = (marks.data or {}).get(key)
    if found:
        return Place(file, found[2] + 1, found[3] + 1)
    return Place(file, (marks.line or 0) + 1, (marks.col or 0) + 1)


def keys(tree: Mapping[str, Any], known: Collection[str], file: str) -> None:
    """Refuse keys that the schema does not know, with the nearest that it does."""
    for key in tree:
        if key not in known:
            where = at(tree, key, file)
            marks = tree.lc.data.get(key) if hasattr(tree, "lc") and tree.lc.data else None
            where = Place(file, marks[0] + 1, marks[1] + 1) if marks else where
            raise problem(where, f"unknown key {key!r}", f"one of {', '.join(known)}", guess(str(key), known))


def guess(word: str, known: Collection[str]) -> str:
    """`did you mean X?`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def plain(value: object) -> object:
    """The value without ruamel's wrappers."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
