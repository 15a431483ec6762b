"""JSON of strangers: bounded, and tolerant of the two ways in which real logs break the standard.

Lone surrogates (`\\ud83d` without its other half, left by cutting a string in the middle of an emoji) become U+FFFD, and
`NaN` and `Infinity` become null. Everything else that is not JSON is an error of that record.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pyarrow as pa

from backlight.errors import RecordError

MAX_VALUES = 2_000_000
_LARGE = 4 << 20


def decoder(kind: Any) -> Callable[[bytes], Any]:
    """A function that decodes one record into `kind`, raising RecordError where it cannot.

    Numbers in fields of text become text, and text in fields of numbers is read, as CSV needs it.
    """
    typed = msgspec.json.Decoder(kind)

    def decode(data: bytes) -> Any:
        check_size(data)
        try:
            if not data.isascii():
                data.decode()  # the decoder looks at texts that it keeps only
            return typed.decode(data)
        except msgspec.ValidationError as error:
            raise RecordError(_words(error), "another type there") from None
        except UnicodeDecodeError as error:
            raise RecordError(f"byte {error.start} is not UTF-8", "UTF-8") from None
        except RecursionError:
            raise too_deep() from None
        except msgspec.DecodeError as error:
            return _again(data, typed, error)

    return decode


def too_deep() -> RecordError:
    """What is said of a record that has too many levels to be decoded, or to be read."""
    return RecordError("nested too deeply", "fewer than 500 levels")


def is_utf8(data: bytes) -> bool:
    """Whether bytes are UTF-8: what decoding them would say, at several times its speed."""
    if data.isascii():
        return True
    ends = pa.py_buffer(struct.pack("=qq", 0, len(data)))
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def check_size(data: bytes) -> None:
    """Refuses a record that would take far more memory decoded than as text.

    Raises:
        RecordError: it has more than two million values.
    """
    if len(data) > _LARGE and data.count(b"{") + data.count(b"[") + data.count(b'":') + data.count(b",") // 8 > MAX_VALUES:
        raise RecordError("more than two million values in one record", "one exchange, post or page a record")


def dict_of(value: Any) -> dict[str, Any]:
    """A decoded object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """A decoded list; an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The objects in a decoded list; other entries are left out."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _again(data: bytes, typed: msgspec.json.Decoder[Any], error: msgspec.DecodeError) -> Any:
    """A second try for what some writers of JSON get wrong."""
    if not any(mark in data for mark in (b"\\u", b"NaN", b"Infinity")):
        raise RecordError(_words(error), "one JSON object") from None
    try:
        return typed.decode(mended(data))
    except msgspec.ValidationError as second:
        raise RecordError(_words(second), "another type there") from None
    except (ValueError, RecursionError):
        raise RecordError(_words(error), "one JSON object") from None


def mended(data: bytes) -> bytes:
    """The same JSON without lone surrogates and without NaN and Infinity.

    Raises:
        ValueError: something else is wrong with it.
    """
    value = json.loads(data, parse_constant=lambda _: None)
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def _words(error: Exception) -> str:
    """The library's message: it names types, fields of ours and offsets, never a value."""
    return str(error).replace("`", "").replace("$", "record")


def first_of(place: dict[str, Any], *names: str) -> Any:
    """The first value under one of the names that is neither null nor an empty text."""
    return next((place[name] for name in names if place.get(name) not in (None, "")), None)
