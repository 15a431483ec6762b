"""The parts of worlds: dice, names, clocks, payload."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from backlight.worlds import _names
from backlight.worlds._clock import DAY, DAYS, HOURS, Clock, when
from backlight.worlds._dice import Dice
from backlight.worlds._payload import tokens


def test_dice_of_one_path_roll_alike() -> None:
    """Chance depends on the path alone, and the first rolls are known on every Python."""
    assert [Dice(0, "a").between(1, 6) for _ in range(3)] == [Dice(0, "a").between(1, 6)] * 3
    dice = Dice(0, "a")
    assert [dice.between(1, 100) for _ in range(4)] == [94, 36, 1, 87]


@given(st.integers(0, 10_000), st.lists(st.integers(), min_size=1, max_size=20))
def test_shuffled_items_are_the_same_items(seed: int, items: list[int]) -> None:
    """Shuffling loses and adds nothing; a pick is one of the items."""
    dice, shuffled = Dice(seed), list(items)
    dice.shuffle(shuffled)
    assert sorted(shuffled) == sorted(items) and dice.pick(items) in items


def test_a_hashtag_joins_the_words() -> None:
    """Words are joined with capitals; marks vanish."""
    assert _names.hashtag("open gardens, Karo") == "#OpenGardensKaro"
    assert _names.hashtag("卡罗夜市") == "#卡罗夜市"


def test_a_domain_is_reserved() -> None:
    """A firm's domain is its name under .example."""
    assert _names.domain(_names.Name((("ka", "ro", "n"),)), "club") == "karonclub.example"


@given(st.integers(0, 5_000))
def test_phones_are_fictional(seed: int) -> None:
    """Every phone ends in 555-0100 to 555-0199."""
    number = _names.phone(Dice(seed))
    assert len(number) == 12 and number.startswith("+1") and number[5:10] == "55501"


@given(st.integers(0, 5_000), st.sampled_from(sorted(HOURS)), st.sampled_from([-8.0, 0.0, 5.5, 9.0]))
def test_moments_lie_in_the_world(seed: int, hours: str, offset: float) -> None:
    """An act never falls outside the thirty days."""
    assert 0 <= Clock(offset, hours, 0.2).moment(Dice(seed)) <= DAYS * DAY


def test_an_office_works_in_its_own_daytime() -> None:
    """Nine tenths of an office's acts at UTC+9 lie between 6 and 18 local time."""
    clock, dice = Clock(9, "office", 0.0), Dice(5)
    local = [(when(clock.moment(dice)).hour + 9) % 24 for _ in range(500)]
    assert sum(6 <= hour < 18 for hour in local) >= 450


def test_when_counts_from_the_first_monday() -> None:
    """Second 90,061 is one day, one hour, one minute and one second in."""
    assert when(90_061) == datetime(2026, 3, 3, 1, 1, 1, tzinfo=UTC)


def test_tokens_grow_with_script() -> None:
    """Four Latin letters make a token; a Chinese character nearly one."""
    assert tokens("abcdefgh") == 3
    assert tokens("卡罗夜市") == 4
