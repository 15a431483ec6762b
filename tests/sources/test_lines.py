"""Lines end at a line feed and nowhere else; chunks are whole lines; nothing is lost."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.sources import Chunk, chunks, open_stream
from backlight.sources._lines import lines

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b'{"x":1}', b"\r", b"\xe2\x80\xa8", b"\x00", b"\x0b", b"\x1c", b"\x85"])).map(
    b"".join
)


def cut(data: bytes, size: int, **options: int) -> list[Chunk]:
    return list(chunks(open_stream(io.BytesIO(data)), size, **options))


@given(TEXTS, st.integers(1, 9))
def test_chunks_are_the_file(data: bytes, size: int) -> None:
    """Put behind each other they are the file, each but the last ends with a line, offsets and lines add up."""
    found = cut(data, size)
    assert b"".join(chunk.data for chunk in found) == data
    assert all(chunk.data.endswith(b"\n") for chunk in found[:-1])
    for chunk in found:
        assert (chunk.offset, chunk.line) == (data.index(chunk.data, chunk.offset), data[: chunk.offset].count(b"\n") + 1)


@given(TEXTS, st.integers(1, 9))
def test_lines_are_what_splitting_at_line_feeds_gives(data: bytes, size: int) -> None:
    """Other characters that Unicode calls line ends are text."""
    found = [line.data.removesuffix(b"\n") for line in lines(open_stream(io.BytesIO(data)), size=size)]
    assert found == (data.removesuffix(b"\n").split(b"\n") if data else [])


@given(TEXTS, st.integers(1, 9), st.data())
def test_reading_goes_on_after_any_chunk(data: bytes, size: int, draw: st.DataObject) -> None:
    """A restart at the end of a chunk gives the chunks that followed it."""
    found = cut(data, size)
    if found:
        index = draw.draw(st.integers(0, len(found) - 1))
        chunk = found[index]
        rest = cut(data, size, start=chunk.offset + chunk.length, line=chunk.next_line)
        assert b"".join(c.data for c in rest) == b"".join(c.data for c in found[index + 1 :])
        assert not rest or rest[0].line == chunk.next_line


def test_a_line_that_is_too_long_comes_as_its_beginning() -> None:
    """It has its place, its whole length, its first bytes and a reason; the lines around it are whole."""
    found = cut(b"first\n" + b"x" * 9000 + b"\nlast\n", 1000, limit=5000)
    assert [(c.line, c.length, len(c.data)) for c in found] == [(1, 6, 6), (2, 9001, 4096), (3, 5, 5)]
    assert str(found[1].wrong) == "a line of 9001 bytes; expected at most 5000"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_long_last_line_is_rejected_with_or_without_its_end(end: bytes) -> None:
    """The end of the file ends it too."""
    found = cut(b"x" * 9000 + end, 1000, limit=5000)
    assert [(c.line, c.length) for c in found] == [(1, 9000 + len(end))]


def test_damage_is_the_last_chunk() -> None:
    """A compressed file that breaks off ends with a chunk that says so."""
    import gzip

    found = cut(gzip.compress(b"a\nb\n")[:-4], 100)
    assert [(c.data, c.wrong is None) for c in found] == [(b"a\nb\n", True), (b"", False)]
