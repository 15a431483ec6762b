"""Times as logs write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RecordError
from backlight.sources._times import time_of

MOMENT = datetime(2025, 1, 24, 9, 20, 46, 847371, UTC)
TIMES = st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    "value",
    [
        "2025-01-24 09:20:46.847371",
        "2025-01-24T09:20:46.847371Z",
        "2025-01-24T11:20:46.847371+02:00",
        1737710446.847371,
        "1737710446.847371",
        1737710446847371,
        MOMENT,
        MOMENT.replace(tzinfo=None),
        MOMENT.astimezone(timezone(timedelta(hours=-5))),
    ],
)
def test_one_moment_in_many_writings(value: object) -> None:
    """ISO 8601 with and without offset, Unix times of any unit, and datetimes agree."""
    assert time_of(value) == MOMENT


@given(TIMES)
def test_units_of_unix_times_are_told_apart(time: datetime) -> None:
    """Seconds, milliseconds and microseconds of a time between 1990 and 2100 give that time."""
    micros = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert time_of(micros) == time
    assert time_of(micros // 1000) == time.replace(microsecond=time.microsecond // 1000 * 1000)
    assert time_of(micros // 1_000_000) == time.replace(microsecond=0)


@given(TIMES, st.sampled_from(["T", " "]))
def test_written_times_come_back(time: datetime, separator: str) -> None:
    """What isoformat writes is read, as UTC where no offset stands."""
    assert time_of(time.isoformat(separator)) == time_of(time.replace(tzinfo=None).isoformat(separator)) == time


@pytest.mark.parametrize("value", [None, "", " ", 0, 0.0, "0"])
def test_nothing_is_no_time(value: object) -> None:
    """Empty and zero mean that it was not set."""
    assert time_of(value) is None


@pytest.mark.parametrize(
    "value", ["yesterday", 12, -5, 10**400, float("nan"), float("inf"), True, [], "9" * 400, "0001-01-01 00:00:00"]
)
def test_what_is_no_time_is_told_without_being_quoted(value: object) -> None:
    """The error names the field, not the value."""
    with pytest.raises(RecordError, match=r"^startTime is no time; expected ISO 8601"):
        time_of(value, "startTime")


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=30)))
def test_anything_else_is_a_time_or_an_error(value: object) -> None:
    """No value brings it down."""
    try:
        found = time_of(value)
    except RecordError:
        return
    assert found is None or 1980 <= found.year < 2101
