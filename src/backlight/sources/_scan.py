"""Cuts a JSON array, or objects one after the other, into its elements without decoding them.

Quotes, backslashes and brackets of a megabyte are found by table lookup; whether one stands inside a string is the parity
of the quotes before it, its depth a running sum. So memory is bounded by one element, and a deep one costs no stack.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from backlight.errors import RecordError
from backlight.sources._format import KEEP, Raw
from backlight.sources._streams import Readable

_BUFFER = 1 << 20
_QUOTE, _SLASH, _OPEN, _CLOSE, _COMMA = 1, 2, 3, 4, 5
_TABLE = np.zeros(256, np.uint8)
for _kind, _characters in ((_QUOTE, b'"'), (_SLASH, b"\\"), (_OPEN, b"[{"), (_CLOSE, b"]}"), (_COMMA, b",")):
    _TABLE[list(_characters)] = _kind


class Scanner:
    """Finds where elements end.

    Args:
        depth: at which commas separate elements: 1 inside an array. 0: elements end with their last bracket.
    """

    def __init__(self, depth: int) -> None:
        self.level, self.depth = depth, depth
        self._in_string = self._escaped = False

    def ends(self, data: bytes) -> tuple[list[int], int | None]:
        """Where elements end in the next bytes.

        Returns:
            The index after the last byte of each element (of an array: of its comma or closing bracket), and the index of
            the array's closing bracket if it is here; what stands after that bracket is not looked at.
        """
        kinds = _TABLE[np.frombuffer(data, np.uint8)]
        at = np.flatnonzero(kinds)
        kind = kinds[at]
        quote = (kind == _QUOTE) & ~self._after_backslash(at, kind, len(data))
        quotes = np.cumsum(quote) + int(self._in_string)
        outside = (quotes & 1 == 0) & ~quote
        change = (outside & (kind == _OPEN)).astype(np.int64) - (outside & (kind == _CLOSE))
        depth = self.depth + np.cumsum(change)
        if self.level == 0 and depth.size and depth.min() < 0:
            depth = depth - np.minimum(np.minimum.accumulate(depth), 0)  # brackets closed that were never opened
        if len(at):
            self._in_string, self.depth = bool(quotes[-1] & 1), int(depth[-1])
        closed = outside & (kind == _CLOSE) & (depth == 0)
        if self.level == 0:
            return (at[closed] + 1).tolist(), None
        last = int(at[closed][0]) if closed.any() else None
        commas = at[outside & (kind == _COMMA) & (depth == 1)]
        return (commas[commas < last] if last is not None else commas).tolist(), last

    def _after_backslash(self, at: npt.NDArray[np.int64], kind: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.bool_]:
        """Which of the found characters are escaped; remembers whether the next piece begins escaped."""
        slashes = at[kind == _SLASH]
        first_escaped, self._escaped = self._escaped, False
        if first_escaped and slashes.size and slashes[0] == 0:
            slashes = slashes[1:]
        if slashes.size:
            starts = np.flatnonzero(np.diff(slashes, prepend=-2) != 1)
            lengths = np.diff(np.append(starts, slashes.size))
            escaped = slashes[starts + lengths - 1][lengths % 2 == 1] + 1
            self._escaped = bool(escaped.size and escaped[-1] == size)
        else:
            escaped = slashes
        marks = np.zeros(size + 1, np.bool_)
        marks[escaped] = True
        result = marks[at]
        if first_escaped and at.size and at[0] == 0:
            result[0] = True
        return result


class _Element:
    """The element being gathered: its bytes, or only its length and first bytes once it is too long."""

    def __init__(self, limit: int) -> None:
        self.limit, self.length = limit, 0
        self._parts: list[bytes] = []

    def add(self, part: bytes) -> None:
        self.length += len(part)
        if self.length <= self.limit:
            self._parts.append(part)
        elif len(self._parts) != 1 or len(self._parts[0]) > KEEP:
            self._parts = [b"".join(self._parts)[:KEEP] or part[:KEEP]]

    def take(self) -> tuple[bytes, int]:
        data, length = b"".join(self._parts), self.length
        self._parts, self.length = [], 0
        return data, length


def elements(stream: Readable, *, array: bool, limit: int) -> Iterator[Raw]:
    """The elements of an array, or objects one after the other, in order.

    Args:
        stream: begins with the array's bracket, or with the first object; white space before it is left out.
        array: whether it is an array.
        limit: bytes of the longest element; a longer one comes as `wrong`.
    """
    number, element = 0, _Element(limit)
    data = _first_bytes(stream)
    if array:
        data = data[1:] or stream.read(_BUFFER)
    scanner = Scanner(1 if array else 0)
    while data:
        ends, last = scanner.ends(data)
        start = 0
        for end in ends if last is None else [*ends, last]:
            element.add(data[start:end])
            start = end + 1 if array else end
            raw = _element(element, number + 1, empty_is_wrong=array and not (end == last and number == 0))
            if raw is not None:
                number += 1
                yield raw
        if last is not None:
            yield from _after(data[start:], stream, number, limit)
            return
        element.add(data[start:])
        data = stream.read(_BUFFER)
    yield from _unfinished(element, number + 1, array)


def _first_bytes(stream: Readable) -> bytes:
    data = b""
    while not data and (part := stream.read(_BUFFER)):
        data = part.lstrip()
    return data


def _element(element: _Element, number: int, *, empty_is_wrong: bool) -> Raw | None:
    data, length = element.take()
    if length > element.limit:
        return Raw(
            f"element {number}", data[:KEEP], length, RecordError(f"an element of {length} bytes", f"at most {element.limit}")
        )
    if not data or data.isspace():
        return Raw(f"element {number}", b"", 0, RecordError("an empty element", "a JSON value")) if empty_is_wrong else None
    return Raw(f"element {number}", data.replace(b"\n", b" ").strip(), length)  # no valid string holds a line end


def _unfinished(element: _Element, number: int, array: bool) -> Iterator[Raw]:
    """What is left at the end of the file; the decoder tells whether it is whole."""
    raw = _element(element, number, empty_is_wrong=False)
    if raw is not None:
        yield raw
    elif array:
        yield Raw(f"element {number}", b"", 0, RecordError("the file ends before its array does", "a closing bracket"))


def _after(rest: bytes, stream: Readable, number: int, limit: int) -> Iterator[Raw]:
    """What stands after the array: nothing, or one reject."""
    kept = rest.strip()
    length = len(kept)
    while part := stream.read(_BUFFER):
        part = part if kept else part.lstrip()
        length += len(part)
        kept = kept or part
    if kept:
        wrong = RecordError("something stands after the end of the array", "one array a file")
        yield Raw(f"after element {number}", kept[:KEEP], length, wrong)
