"""Times of records: `normalise.parse_time`, with a short way for what most logs write and an error that names the field."""

from __future__ import annotations

from datetime import UTC, datetime

from backlight.errors import RecordError
from backlight.normalise import parse_time

_FIRST, _LAST = 631_152_000.0, 4_102_444_800.0  # 1990 and 2100: between them a number is seconds
_from_epoch, _from_iso = datetime.fromtimestamp, datetime.fromisoformat


def time_of(value: object, field: str = "time") -> datetime | None:
    """A point in time, UTC; None for nothing (None, an empty string, zero). A time without an offset is taken as UTC.

    Args:
        value: a string, a number or a datetime.
        field: its name, for the error.

    Raises:
        RecordError: it is no time; the value itself is not quoted, since the reason of a reject is kept in plain.
    """
    kind = type(value)
    if kind is float and _FIRST <= value < _LAST:  # type: ignore[operator]
        return _from_epoch(value, UTC)  # type: ignore[arg-type]
    if kind is str and len(value) >= 19 and value[4] == "-":  # type: ignore[arg-type,index]
        try:
            time = _from_iso(value)  # type: ignore[arg-type]
        except ValueError:
            return _other(value, field)
        if 1990 <= time.year < 2099:
            return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return _other(value, field)


def _other(value: object, field: str) -> datetime | None:
    if value is None or value == 0 or (isinstance(value, str) and value.strip() in ("", "0", "0.0")):
        return None
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise _no_time(field)
    time = parse_time(value)
    if time is None:
        raise _no_time(field)
    return time


def _no_time(field: str) -> RecordError:
    return RecordError(f"{field} is no time", "ISO 8601 or a Unix time between 1980 and 2100")
