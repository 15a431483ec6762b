"""The spool's frames: torn ends are silent, damage is not."""

from __future__ import annotations

import fcntl
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backlight.errors import RecordError, StoreError
from backlight.sources import Exchange, Message
from backlight.sources.spool import (
    LIMIT,
    MAGIC,
    Sealed,
    decode,
    encode,
    encode_frame,
    exchanges,
    frames,
    hand_over_left,
    pack,
    unpack,
)

PAYLOADS = st.lists(st.binary(max_size=40) | st.sampled_from([b"BLfr", MAGIC, b"BLfr\0\0\0\1"]), max_size=5)


def read(data: bytes) -> list[bytes]:
    return list(frames(io.BytesIO(data)))


@given(PAYLOADS)
def test_frames_come_back(payloads: list[bytes]) -> None:
    """In order, empty ones too, and whatever looks like a mark inside them."""
    assert read(MAGIC + b"".join(map(encode_frame, payloads))) == payloads


@given(PAYLOADS, st.data())
def test_a_torn_end_ends_quietly(payloads: list[bytes], draw: st.DataObject) -> None:
    """Cut anywhere, the whole frames before the cut are read and nothing else happens."""
    data = MAGIC + b"".join(map(encode_frame, payloads))
    cut = draw.draw(st.integers(0, len(data)))
    found = read(data[:cut])
    assert found == payloads[: len(found)]
    assert len(MAGIC + b"".join(map(encode_frame, payloads[: len(found) + 1]))) > cut or found == payloads


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=5), st.data())
def test_damage_before_a_whole_frame_is_an_error_with_its_place(payloads: list[bytes], draw: st.DataObject) -> None:
    """A byte changed in any frame but the last is told with the offset of that frame."""
    framed = [encode_frame(payload) for payload in payloads]
    bad = draw.draw(st.integers(0, len(framed) - 2))
    at = draw.draw(st.integers(0, len(framed[bad]) - 1))
    broken = bytearray(framed[bad])
    broken[at] ^= 1 << draw.draw(st.integers(0, 7))
    offset = len(MAGIC) + sum(map(len, framed[:bad]))
    with pytest.raises(StoreError, match=f"damaged at byte {offset};"):
        read(MAGIC + b"".join([*framed[:bad], bytes(broken), *framed[bad + 1 :]]))


@pytest.mark.parametrize("data", [b"", MAGIC[:3], b"\0" * 5000, MAGIC, MAGIC + b"\0" * 5000])
def test_a_file_that_never_got_a_frame_has_none(data: bytes) -> None:
    """Empty, torn in its first bytes, or zeros that the file system left."""
    assert read(data) == []


def test_another_file_is_no_segment() -> None:
    """It is told, not read as empty."""
    with pytest.raises(RecordError, match="not a spool segment"):
        read(b'{"a":1}\n' * 3)


def test_a_frame_has_a_limit() -> None:
    """Neither is a longer one written, nor is a length over the limit believed."""
    with pytest.raises(ValueError, match="at most"):
        encode_frame(bytes(LIMIT + 1))
    assert read(MAGIC + b"BLfr\xff\xff\xff\xff" + bytes(100)) == []


def test_records_pass_through_the_opener(tmp_path: Path) -> None:
    """Row, account, month and blob reach the vault's `open`; the exchange comes back as it was."""
    exchange = Exchange(record_id="e-1", messages=[Message("user", "hello")], end_user="u", key="k")
    frame = encode_frame(pack(Sealed(-7, 5, 24300, encode(exchange, {"mode": "observe"})[::-1])))
    (tmp_path / "a.spool").write_bytes(MAGIC + frame)
    asked: list[tuple[int, int, int]] = []

    def opener(row: int, account: int, month: int, blob: bytes) -> bytes:
        asked.append((row, account, month))
        return blob[::-1]

    assert list(exchanges(tmp_path / "a.spool", opener)) == [exchange]
    assert asked == [(-7, 5, 24300)]


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version":2,"exchange":{"messages":[]}}', b"\xff", b"[" * 100_000])
def test_what_is_no_record_is_an_error(data: bytes) -> None:
    """So is a record of a newer form."""
    with pytest.raises(RecordError):
        decode(data)
    with pytest.raises(RecordError):
        unpack(data[:9])


def test_segments_of_the_dead_are_handed_over_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    """A lock tells them apart."""
    (tmp_path / "1.open").write_bytes(MAGIC)
    (tmp_path / "2.open").write_bytes(MAGIC)
    with (tmp_path / "2.open").open() as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        assert hand_over_left(tmp_path) == [tmp_path / "1.spool"]
    assert hand_over_left(tmp_path) == [tmp_path / "2.spool"]
