"""Bytes of strangers: compression, marks, damage, and what is not opened at all."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest
import zstandard

from backlight.errors import RequestError
from backlight.sources import _streams, open_source
from backlight.sources._streams import Stream, open_file, open_stream

TEXT = b"".join(b'{"n":%d,"pad":"%s"}\n' % (n, b"abc" * (n % 50)) for n in range(5000))
PACKED = {
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress(TEXT),
    "two gzip members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "two zstd frames": zstandard.compress(TEXT[:1000]) + zstandard.compress(TEXT[1000:]),
}


def read_all(data: bytes, size: int = 777) -> tuple[bytes, Stream]:
    stream = open_stream(io.BytesIO(data))
    return b"".join(iter(lambda: stream.read(size), b"")), stream


@pytest.mark.parametrize("name", list(PACKED))
def test_every_packing_gives_the_same_bytes(name: str) -> None:
    """Plain, gzip and zstd read alike, in several members too."""
    data, stream = read_all(PACKED[name])
    assert (data == TEXT, stream.fault) == (True, None)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", [1, 9, 30, 500])
def test_a_cut_file_gives_what_is_whole_and_says_so(name: str, cut: int) -> None:
    """A compressed file that breaks off is read up to there, and the fault is told, not raised."""
    data, stream = read_all(PACKED[name][:-cut])
    assert TEXT.startswith(data)
    assert "breaks off" in str(stream.fault)


def test_a_file_that_is_damaged_from_the_start_is_refused() -> None:
    """There is nothing to read in it, which is not the same as empty."""
    with pytest.raises(RequestError, match="damaged"):
        open_source(io.BytesIO(PACKED["gzip"][:10] + b"\xff" * 50))


def test_a_wrong_check_sum_loses_no_byte_before_it() -> None:
    """What stands before the damage of a gzip file is kept to the last byte."""
    packed = bytearray(PACKED["gzip"])
    packed[-6] ^= 1
    data, stream = read_all(bytes(packed))
    assert (data == TEXT, "damaged" in str(stream.fault)) == (True, True)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_ends_at_the_ratio(pack, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A file that expands beyond what logs do is read no further."""
    monkeypatch.setattr(_streams, "FREE", 1 << 20)
    data, stream = read_all(pack(bytes(64 << 20)), 1 << 20)
    assert len(data) <= 34 << 20
    assert "400-fold" in str(stream.fault)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_go(encoding: str) -> None:
    """UTF-8 with a mark and UTF-16 come out as plain UTF-8."""
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    assert read_all((mark + "naïve 😀\n").encode(encoding))[0] == "naïve 😀\n".encode()


def test_looking_takes_nothing() -> None:
    """`peek` leaves the bytes for `read`."""
    stream = open_stream(io.BytesIO(PACKED["zstd"]))
    assert stream.peek(10) == TEXT[:10]
    assert b"".join(iter(lambda: stream.read(1 << 16), b"")) == TEXT


@pytest.mark.parametrize("name", ["plain", "gzip"])
@pytest.mark.parametrize("size", [3, 70_000])
def test_skipping_is_reading_without_keeping(name: str, size: int, tmp_path: Path) -> None:
    """A skipped stream goes on where reading would have."""
    (tmp_path / "file").write_bytes(PACKED[name])
    with open_stream(tmp_path / "file") as stream:
        stream.skip(size)
        assert stream.read(50) == TEXT[size : size + 50]


@pytest.mark.parametrize("magic", [b"PK\x03\x04rest", b"BZh91", b"\xfd7zXZ\x00"])
def test_containers_that_are_not_opened_are_named(magic: bytes) -> None:
    """A zip file through a pipe, bzip2 and xz are refused with what to do."""
    with pytest.raises(RequestError, match="first"):
        open_stream(io.BytesIO(magic))


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    """Opening a FIFO does not wait for a writer."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(RequestError, match="no regular file"):
            open_file(path)


def test_a_file_that_vanished_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A file that is gone by the time it is opened is told by name."""
    with pytest.raises(RequestError, match=r"gone\.jsonl cannot be opened"):
        open_stream(tmp_path / "gone.jsonl")
