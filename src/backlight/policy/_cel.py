"""CEL on cel-expr-python (Google's C++ runtime): typed compilation, the checked syntax tree, evaluation.

Variables are declared by their full dotted name, so a misspelt one does not compile. The tree comes from the
serialised `cel.expr.CheckedExpr` (github.com/google/cel-spec, `proto/cel/expr/{checked,syntax}.proto`), read here
without a protobuf runtime; a sub-expression is evaluated by putting it into the same envelope.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import re2
from cel_expr_python import cel

from backlight.policy._variables import VARIABLES

NodeKind = Literal["const", "ident", "select", "call", "list", "struct", "comprehension"]
_KINDS: Final[dict[int, NodeKind]] = {
    3: "const", 4: "ident", 5: "select", 6: "call", 7: "list", 8: "struct", 9: "comprehension",
}  # fmt: skip
_EXPR, _TYPE_URL = 4, b"type.googleapis.com/cel.expr.CheckedExpr"
_LOGIC: Final = frozenset({"_&&_", "_||_", "!_", "_?_:_"})
_DEPTH = 64


class CelError(ValueError):
    """An expression does not compile; `line` and `column` count from 1 inside the expression."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line, self.column = line, column


@dataclass(frozen=True)
class Node:
    """One node of the checked tree.

    Attributes:
        kind: which of the seven forms.
        name: function, identifier or field; empty otherwise.
        value: of a constant.
        children: operands in order (target first); of a comprehension: range, start, condition, step, result.
        bound: names a comprehension binds for its inner expressions.
        raw: the serialised `Expr`.
    """

    kind: NodeKind
    name: str
    value: str | bytes | int | float | bool | None
    children: tuple[Node, ...]
    bound: tuple[str, ...]
    raw: bytes

    @property
    def logic(self) -> bool:
        """Whether this node joins truth values: and, or, not, choice."""
        return self.kind == "call" and self.name in _LOGIC

    def walk(self) -> Iterator[Node]:
        """This node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def variables(self, bound: frozenset[str] = frozenset()) -> frozenset[str]:
        """Declared variables it reads; names bound by a comprehension are not variables."""
        if self.kind == "ident":
            return frozenset() if self.name in bound or self.name not in VARIABLES else frozenset({self.name})
        inner = bound.union(self.bound)
        outer = [child.variables(bound) for child in self.children[:1]]  # the range of a comprehension is outside it
        return frozenset().union(*outer, *(child.variables(inner) for child in self.children[1:]))

    def canonical(self) -> str:
        """The tree as text without positions: equal for expressions that differ in white space only."""
        inner = ",".join(child.canonical() for child in self.children)
        return f"{self.kind}:{self.name}:{'' if self.value is None else repr(self.value)}:{self.bound}({inner})"


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of a protobuf message: number and value (varints as int, the rest as bytes)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        size = {1: 8, 5: 4}.get(wire)
        if size is None:
            size, at = _varint(data, at)
        yield number, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _field(number: int, data: bytes) -> bytes:
    """One length-delimited protobuf field."""
    size, head = len(data), bytearray([number << 3 | 2])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def _constant(data: bytes) -> str | bytes | int | float | bool | None:
    for number, value in _fields(data):
        if number == 2:
            return bool(value)
        if number in (3, 4) and isinstance(value, int):
            return value - (1 << 64) if number == 3 and value >= 1 << 63 else value
        if number == 5 and isinstance(value, bytes):
            return float(struct.unpack("<d", value)[0])
        if number in (6, 7) and isinstance(value, bytes):
            return value.decode() if number == 6 else value
    return None


def _node(raw: bytes, depth: int = 0) -> Node:
    """Decode one serialised `Expr`."""
    if depth > _DEPTH:
        raise CelError(f"nested deeper than {_DEPTH}")
    for number, body in _fields(raw):
        kind = _KINDS.get(number)
        if kind is None or isinstance(body, int):
            continue
        if kind == "const":
            return Node(kind, "", _constant(body), (), (), raw)
        return _inner(kind, list(_fields(body)), raw, depth + 1)
    return Node("const", "", None, (), (), raw)


def _inner(kind: NodeKind, fields: list[tuple[int, int | bytes]], raw: bytes, depth: int) -> Node:
    def below(*numbers: int) -> tuple[Node, ...]:
        found = [(number, value) for number, value in fields if number in numbers and isinstance(value, bytes)]
        return tuple(_node(value, depth) for _, value in sorted(found, key=lambda pair: numbers.index(pair[0])))

    def text(wanted: int) -> str:
        return next((value.decode() for number, value in fields if number == wanted and isinstance(value, bytes)), "")

    if kind == "ident":
        return Node(kind, text(1), None, (), (), raw)
    if kind == "select":
        tested = any(number == 3 and value for number, value in fields)
        return Node(kind, text(2), tested or None, below(1), (), raw)
    if kind == "call":
        return Node(kind, text(2), None, below(1, 3), (), raw)
    if kind == "list":
        return Node(kind, "", None, below(1), (), raw)
    if kind == "comprehension":
        bound = tuple(name for name in (text(1), text(3), text(8)) if name)
        return Node(kind, "", None, below(2, 4, 5, 6, 7), bound, raw)
    entries = [list(_fields(value)) for number, value in fields if number == 2 and isinstance(value, bytes)]
    parts = [value for entry in entries for number, value in entry if number in (3, 4) and isinstance(value, bytes)]
    return Node(kind, text(1), None, tuple(_node(part, depth) for part in parts), (), raw)


@cache
def _types() -> dict[str, Any]:
    kinds = cel.Type
    return {
        "string": kinds.STRING,
        "bool": kinds.BOOL,
        "int": kinds.INT,
        "double": kinds.DOUBLE,
        "scores": kinds.Map(kinds.STRING, kinds.DOUBLE),
    }


@cache
def environment() -> Any:
    """The one CEL environment, with every variable of `VARIABLES` declared."""
    return cel.NewEnv(variables={name: _types()[variable.kind] for name, variable in VARIABLES.items()})


class Expression:
    """One compiled expression.

    Args:
        source: CEL text.

    Raises:
        CelError: it does not parse, names an undeclared variable, mixes types, or holds a broken pattern.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        try:
            self._compiled = environment().compile(source)
        except RuntimeError as error:
            raise _located(str(error)) from None
        self.kind: str = self._compiled.return_type().name()
        envelope = next(value for number, value in _fields(self._compiled.serialize()) if number == 2)
        assert isinstance(envelope, bytes)
        self._checked = envelope
        self.tree = _node(next(value for number, value in _fields(envelope) if number == _EXPR and isinstance(value, bytes)))
        _check_patterns(self.tree)

    def evaluate(self, data: Mapping[str, object]) -> object:
        """The value over the variables in `data`, or an `Failure` saying why there is none."""
        return _run(self._compiled, data)

    def part(self, node: Node, data: Mapping[str, object]) -> object:
        """The value of one node of the tree, evaluated by the same runtime."""
        rest = b"".join(_field(n, value) for n, value in _fields(self._checked) if n != _EXPR and isinstance(value, bytes))
        any_message = _field(1, _TYPE_URL) + _field(2, rest + _field(_EXPR, node.raw))
        return _run(environment().deserialize(any_message), data)


@dataclass(frozen=True)
class Failure:
    """An expression had no value."""

    reason: str


def _run(compiled: Any, data: Mapping[str, object]) -> object:
    try:
        value = compiled.eval(data=data)
        if value.type().name() == "ERROR":
            return Failure(str(value.value()))
        return value.plain_value()
    except (RuntimeError, TypeError, UnicodeError) as error:  # what the binding raises for values it cannot convert
        return Failure(str(error))


def _located(message: str) -> CelError:
    """Read place and text out of the compiler's message `INVALID_ARGUMENT: ERROR: <input>:1:8: text`."""
    first = message.splitlines()[0] if message else "does not compile"
    found = re2.search(r"<input>:(\d+):(\d+): (.*)", first)
    if not found:
        return CelError(first)
    return CelError(found.group(3).removesuffix(" (in container '')"), int(found.group(1)), int(found.group(2)))


def _check_patterns(tree: Node) -> None:
    options = re2.Options()
    options.log_errors = False
    for node in tree.walk():
        if node.kind == "call" and node.name == "matches" and isinstance(node.children[-1].value, str):
            try:
                re2.compile(node.children[-1].value, options)
            except re2.error as error:
                reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
                raise CelError(f"broken pattern in matches(): {reason}") from None
