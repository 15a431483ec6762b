"""When people write: hours of the day in some time zone, weekdays and weekends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from backlight.worlds._dice import Dice

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAYS = 30
DAY = 86400.0

# Hours of a local day with how many acts fall into each of: 6-9, 9-12, 12-14, 14-18, 18-21, 21-24, 0-2.
_BLOCKS = ((6, 9), (9, 12), (12, 14), (14, 18), (18, 21), (21, 24), (24, 26))
HOURS: dict[str, tuple[float, ...]] = {
    "office": (0.05, 0.38, 0.14, 0.38, 0.04, 0.01, 0.0),
    "late": (0.0, 0.05, 0.15, 0.3, 0.28, 0.18, 0.04),
    "leisure": (0.1, 0.1, 0.1, 0.15, 0.28, 0.24, 0.03),
    "school": (0.05, 0.28, 0.12, 0.25, 0.18, 0.12, 0.0),
}
ZONES: dict[str, tuple[float, ...]] = {
    "en": (-8, -5, -5, 0, 0, 5.5, 8, 10),
    "zh": (8,),
    "ru": (3, 3, 5, 7),
    "es": (-6, -5, -3, 1, 1),
    "ja": (9,),
    "id": (7, 7, 8),
    "ar": (1, 2, 3, 3),
    "fr": (1, 1, 0, -5),
}


@dataclass(frozen=True)
class Clock:
    """One account's habit.

    Attributes:
        offset: hours ahead of UTC.
        hours: a name of `HOURS`.
        weekend: how much of a weekday's activity a Saturday or Sunday sees.
        shift: the account's own habit, in hours.
    """

    offset: float
    hours: str
    weekend: float
    shift: float = 0.0

    def moment(self, dice: Dice, day: float | None = None) -> float:
        """Seconds from the world's start to one act; `day` fixes the local day.

        Acts that would fall outside the world's days are drawn again, at most eight times, then moved inside.
        """
        second = 0.0
        for _ in range(8):
            chosen = self._day(dice) if day is None else int(day)
            low, high = dice.weighted(_BLOCKS, HOURS[self.hours])
            second = chosen * DAY + (dice.span(low, high) + self.shift - self.offset) * 3600
            if 0 <= second < DAYS * DAY - 3 * 3600:
                break
        return min(max(second, 60 * dice.span(1, 50)), DAYS * DAY - 3 * 3600)

    def _day(self, dice: Dice) -> int:
        for _ in range(20):
            day = dice.between(0, DAYS - 1)
            if day % 7 < 5 or dice.chance(self.weekend):
                return day
        return 0


def when(seconds: float) -> datetime:
    """The UTC time, to the microsecond, of a moment given in seconds from the world's start."""
    return START + timedelta(microseconds=round(seconds * 1e6))
