"""JSON arrays and objects are cut as the json module would read them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.sources import _scan
from backlight.sources._format import Raw
from backlight.sources._scan import elements

TRICKY = st.text(st.sampled_from('"\\[]{},:\n é😀\u2028a'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TRICKY, inner, max_size=3),
    max_leaves=12,
)
STYLES = st.sampled_from([{}, {"indent": 1}, {"ensure_ascii": False}, {"separators": (",", ":")}])


def cut(data: bytes, *, array: bool = True, limit: int = 1 << 20, buffer: int = 1 << 20) -> list[Raw]:
    before, _scan._BUFFER = _scan._BUFFER, buffer
    try:
        return list(elements(io.BytesIO(data), array=array, limit=limit))
    finally:
        _scan._BUFFER = before


@given(st.lists(VALUES, max_size=5), STYLES, st.integers(1, 40))
def test_an_array_is_its_elements(values: list[Any], style: dict[str, Any], buffer: int) -> None:
    """Whatever stands in strings and wherever a buffer ends."""
    found = cut(json.dumps(values, **style).encode() + b"\n", buffer=buffer)
    assert [json.loads(raw.data) for raw in found] == values
    assert [raw.place for raw in found] == [f"element {n + 1}" for n in range(len(values))]


@given(st.lists(st.dictionaries(TRICKY, VALUES, max_size=3), min_size=1, max_size=4), STYLES, st.integers(1, 40))
def test_objects_one_after_the_other_are_cut_too(values: list[Any], style: dict[str, Any], buffer: int) -> None:
    """Objects over many lines need no array around them."""
    found = cut("\n".join(json.dumps(value, **style) for value in values).encode(), array=False, buffer=buffer)
    assert [json.loads(raw.data) for raw in found if raw.data] == values


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_torn_array_gives_its_whole_elements(values: list[Any], draw: st.DataObject) -> None:
    """Of a file cut anywhere, the elements before the cut are read, and one thing at most is wrong."""
    data = json.dumps(values).encode()
    at = draw.draw(st.integers(1, len(data) - 1))
    good, wrong = [], 0
    for raw in cut(data[:at]):
        try:
            good.append(json.loads(raw.data) if raw.wrong is None else 1 / 0)
        except (ValueError, ZeroDivisionError):
            wrong += 1
    assert wrong <= 1
    assert good[:-1] == values[: max(len(good) - 1, 0)]


def test_no_element_has_a_line_end() -> None:
    """A record is one line, so that it can be handed on as JSONL."""
    assert [raw.data for raw in cut(b'[\n {\n  "a": 1\n }\n]')] == [b'{   "a": 1  }']


def test_an_element_that_is_too_long_is_told_and_skipped() -> None:
    """Its length is counted, its first bytes are kept, the next element is read."""
    found = cut(b'["' + b"x" * 9998 + b'",7]', limit=5000, buffer=1000)
    assert [(raw.length, len(raw.data)) for raw in found] == [(10000, 4096), (1, 1)]


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"[]", []),
        (b"[ ] \n", []),
        (b"[1,,2]", ["", "an empty element; expected a JSON value", ""]),
        (b"[1,", ["", "the file ends before its array does; expected a closing bracket"]),
        (b"[1] garbage", ["", "something stands after the end of the array; expected one array a file"]),
    ],
)
def test_what_is_wrong_around_elements_is_one_reject(data: bytes, reasons: list[str]) -> None:
    """Gaps, missing ends and trailing bytes are told once each."""
    assert [str(raw.wrong or "") for raw in cut(data)] == reasons


def test_brackets_that_were_never_opened_hide_nothing() -> None:
    """After stray closing brackets the next object is found again."""
    found = cut(b']]}} {"a":1}\n{"b":2}', array=False)
    assert [raw.data for raw in found][-1] == b'{"b":2}'


def test_depth_costs_nothing() -> None:
    """A hundred thousand brackets are one element."""
    deep = b"[" * 100_000 + b"]" * 100_000
    assert [raw.length for raw in cut(b"[" + deep + b",1]")] == [200_000, 1]
