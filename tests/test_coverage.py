"""What the records hold, what therefore cannot be found, what would change it."""

from __future__ import annotations

import pytest

from backlight.coverage import FIELDS, Coverage, words


def coverage(gives: tuple[str, ...] = (), **counts: int) -> Coverage:
    """Coverage of these counts."""
    made = Coverage()
    made.expect(gives)
    made.add(counts)
    return made


def test_counts_of_chunks_add_up() -> None:
    """Shares are of all exchanges, over all chunks."""
    made = coverage(rows=3, address=3)
    made.add({"rows": 1, "address": 0})
    assert (made.rows, made.share("address"), made.share("time")) == (4, 0.75, 0.0)


@pytest.mark.parametrize(
    ("gives", "held", "state"),
    [(("address",), 1, "present"), (("address",), 0, "absent"), ((), 0, "not collected"), ((), 1, "present")],
)
def test_a_field_is_present_absent_or_not_collected(gives: tuple[str, ...], held: int, state: str) -> None:
    """Absent has a place in the format and is never filled; not collected has none."""
    assert coverage(gives, rows=4, address=held).state("address") == state


def test_text_and_account_stand_under_other_names_in_formats() -> None:
    """A format that holds text can hold prompts; one that holds a key can hold an account."""
    made = coverage(("text", "key"), rows=2)
    assert [made.state(name) for name in ("prompt", "output", "account", "end_user")] == ["absent"] * 3 + ["not collected"]


def test_what_half_of_the_records_lack_is_named_with_its_remedy() -> None:
    """What cannot be found, and the setting that would change it."""
    held = dict.fromkeys(FIELDS, 4) | {"prompt": 1}
    (lack,) = coverage(("text",), rows=4, **held).as_dict()["cannot_find"]
    assert (lack["field"], lack["share"]) == ("prompt", 0.25)
    assert "store_prompts_in_spend_logs" in lack["change"]


def test_the_words_say_shares_levels_and_what_is_lacking() -> None:
    """One sentence each."""
    made = coverage(("text", "key"), rows=4, key=4, account=4, **{"level:key": 3, "level:none": 1})
    said = words(made)
    assert said[0] == "Of 4 exchanges, these hold an account 100%, an API key 100%."
    assert said[1] == "Accounts stand at the level of key 75%, nobody 25%."
    assert said[2].startswith("An end user is not collected: people behind one key are seen as one account")
    assert any(line.startswith("The text of the request is never filled") for line in said)


def test_posts_alone_give_groups_and_never_candidates() -> None:
    """And it says so; nothing is said of fields that posts do not have."""
    made = coverage(posts=7)
    assert made.as_dict()["fields"] == {}
    assert words(made) == [
        "Posts alone: coordinated groups of platform accounts can be found, candidates cannot; ingest model logs for those."
    ]


def test_every_field_has_a_remedy() -> None:
    """Nobody is told what is missing without being told what to do."""
    assert all(f.title and f.missing and f.remedy for f in FIELDS.values())
