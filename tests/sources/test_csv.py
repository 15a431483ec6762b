"""CSV is read strictly: every row is a record or a reject with its place."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.sources import _csv, open_stream
from backlight.sources._csv import rows
from backlight.sources._format import Raw

CELLS = st.text(st.sampled_from('a",;\n\r\t é😀\u2028\x00'), max_size=6)


def read(data: bytes, limit: int = 1 << 20) -> list[Raw]:
    return list(rows(open_stream(io.BytesIO(data)), limit=limit))


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6), st.sampled_from(",;\t|"))
def test_what_a_writer_wrote_is_read(table: list[tuple[str, str]], delimiter: str) -> None:
    """Quotes, delimiters, line ends and NULs inside cells come back."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("one", "two"), *table])
    found = read(text.getvalue().encode())
    assert [tuple(json.loads(raw.data).values()) for raw in found] == table


def test_a_row_has_the_number_of_its_first_line() -> None:
    """Cells over several lines are one row."""
    found = read(b'a,b\r\n1,"x\r\ny"\r\n\r\n2,z\r\n')
    assert [(raw.place, raw.data) for raw in found] == [
        ("line 2", b'{"a":"1","b":"x\\r\\ny"}'),
        ("line 5", b'{"a":"2","b":"z"}'),
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"only one", "a row of 1 cells; expected 2, as in the header"),
        (b"1,2,3", "a row of 3 cells; expected 2, as in the header"),
        (b'1,"x"y', "a row that is no CSV; expected quoted cells with doubled quotation marks inside"),
        (b"1,\xff", "a cell is not UTF-8; expected UTF-8"),
    ],
)
def test_a_bad_row_is_one_reject_and_the_next_is_read(bad: bytes, reason: str) -> None:
    """The reject keeps place, bytes and reason."""
    wrong, good = read(b"a,b\n" + bad + b"\n5,6\n")
    assert (wrong.place, wrong.data, str(wrong.wrong)) == ("line 2", bad + b"\n", reason)
    assert good.data == b'{"a":"5","b":"6"}'


def test_no_line_of_a_broken_cell_poses_as_a_row() -> None:
    """A file that ends inside a quoted cell is one reject from there, though the cell's text looks like rows."""
    found = read(b'a,b\n1,"text\n2,forged\n3,forged\n')
    assert [(raw.place, str(raw.wrong)) for raw in found] == [
        ("lines 2 to 4", "the file ends inside a quoted cell; expected a closed quotation mark")
    ]


def test_a_cell_without_end_stops_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell over the limit is a reject, and nothing after it is guessed at."""
    monkeypatch.setattr(_csv, "MAX_CELL", 1000)
    found = read(b'a,b\n1,2\n1,"' + b"x" * 2000 + b'"\n3,4\n')
    assert [str(raw.wrong)[:40] for raw in found] == ["None", "a cell of more than 1000 bytes; the rest"]


def test_a_line_over_the_limit_is_a_reject() -> None:
    """It is told with its whole length; reading goes on after it."""
    found = read(b"a,b\n1," + b"x" * 9000 + b"\n3,4\n", limit=5000)
    assert [(raw.place, raw.length, raw.wrong is None) for raw in found] == [("line 2", 9003, False), ("line 3", 4, True)]


@pytest.mark.parametrize("data", [b"", b"\n\n", b"a,b", b"a,b\n"])
def test_no_rows_is_no_record(data: bytes) -> None:
    """A header alone, or nothing at all, gives nothing."""
    assert read(data) == []
