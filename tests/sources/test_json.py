"""JSON of strangers: what is mended, what is refused, and that neither takes the process down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RecordError
from backlight.sources._json import decoder, is_utf8

decode = decoder(Any)
ESCAPES = st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\\\", "\\n", "a", "\\u00e9", "\\uD83D\\uDE00", "\\\\ud83d"])).map(
    "".join
)


@given(ESCAPES)
def test_lone_surrogates_become_replacement_characters(text: str) -> None:
    """As Python decodes the string and then replaces what cannot be encoded; pairs and escaped backslashes stay."""
    data = f'"{text}"'.encode()
    expected = json.loads(data).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert decode(data) == expected


@given(
    st.lists(
        st.sampled_from([b"a", b"\xc3", b"\xa9", b"\xe4\xb8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xc0\x80", b"\xf4\x90"])
    )
)
def test_bytes_are_utf8_where_python_decodes_them(parts: list[bytes]) -> None:
    """Sequences cut short, overlong forms, surrogates and what lies past U+10FFFF are told apart as Python does."""
    data = b"".join(parts)
    try:
        data.decode()
    except UnicodeDecodeError:
        assert not is_utf8(data)
    else:
        assert is_utf8(data)


def test_not_a_number_is_null() -> None:
    """Writers of JSON in several languages put NaN and Infinity into it."""
    assert decode(b'{"cost": NaN, "limit": -Infinity, "text": "NaN"}') == {"cost": None, "limit": None, "text": "NaN"}


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 100_000 + b'"\\ud800"' + b"]" * 100_000,
        b"1" * 100_000,
        b"1e" + b"9" * 100_000,
        b"[" + b"{}," * 2_000_000 + b"{}]",
        b"{" + b",".join(b'"%d":0' % n for n in range(2_000_000)) + b"}",
        b'"\xff"',
        b'{"unread": "\xff"}',
        b"{'a': 1}",
        b"",
        b"\x00",
        b"{} {}",
    ],
    ids=lambda data: f"{data[:9]!r}",
)
def test_a_bomb_is_a_record_error(data: bytes) -> None:
    """Depth, huge numbers, millions of values, bytes that are no UTF-8: each is one reject with a reason."""
    with pytest.raises(RecordError):
        decode(data)


def test_reasons_quote_nothing() -> None:
    """The reason of a reject is kept in plain, so it names places and types only."""
    with pytest.raises(RecordError) as error:
        decoder(dict[str, int])(b'{"secret name": "secret value"}')
    assert "secret" not in str(error.value)
