"""Bytes of strangers: opened only if they are a regular file, decompressed as they are read, bounded, without a mark.

A stream never raises in the middle: where the file is damaged it ends, and `fault` says why, so that what was read before
is kept and the rest is one reject.
"""

from __future__ import annotations

import codecs
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from backlight.errors import RecordError, RequestError
from backlight.sources._bounds import FREE, RATIO
from backlight.sources._zip import on_disk, open_member

HEAD = 4 << 20
"""Bytes that detection looks at."""

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_UNREADABLE = {
    b"PK\x03\x04": "a zip file inside another file; unpack it first",
    b"BZh": "a bzip2 file; unpack it first",
    b"\xfd7zXZ\x00": "an xz file; unpack it first",
}
_PIECE = 1024  # compressed bytes given to zstd at once: one may become 32 KB, so 1 KB stays under 32 MB
_COMPRESSED = 1 << 16
_READ = 1 << 20


class Readable(Protocol):
    """Anything with `read(n) -> bytes`."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; empty at the end."""


class Source(Readable, Protocol):
    """What containers are cut from: bytes that may end early with a `fault`."""

    fault: RecordError | None


class Stream:
    """A file or standard input as plain UTF-8 bytes.

    Attributes:
        size: bytes in the file, for progress; 0 where unknown.
        fault: why it ended early; None while all is well.
        compression: gzip, zstd, zip or empty.
    """

    def __init__(self, raw: BinaryIO, *, size: int = 0, zipped: bool = False) -> None:
        self.raw, self.size, self.compression = raw, size, "zip" if zipped else ""
        self._packed = size if zipped else None
        self.fault: RecordError | None = None
        self._taken = self._given = 0
        self._buffer = b""
        self._front = self.magic = raw.read(16) or b""
        self._more: Callable[[int], bytes] = self._opened()
        self._buffer = self._without_mark(self._pull(4))

    def read(self, size: int) -> bytes:
        """At most `size` bytes, fewer only at the end."""
        parts, have = [], 0
        while have < size:
            part = self._buffer or self._pull(max(size - have, 1))
            if not part:
                break
            parts.append(part[: size - have])
            self._buffer = part[size - have :]
            have += len(parts[-1])
        return b"".join(parts)

    def peek(self, size: int = HEAD) -> bytes:
        """The next bytes, without taking them."""
        self._buffer = self.read(size) + self._buffer
        return self._buffer[:size]

    def skip(self, size: int) -> None:
        """Leaves out `size` bytes: by seeking where the file is plain, else by reading."""
        held = len(self._buffer) + len(self._front)
        if size >= held and self._more == self._read_raw and self.raw.seekable():
            self.raw.seek(size - held, os.SEEK_CUR)
            self._buffer = self._front = b""
            return
        while size > 0 and (part := self.read(min(size, _READ))):
            size -= len(part)

    def close(self) -> None:
        """Closes the file."""
        self.raw.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_raw(self, size: int) -> bytes:
        if self._front:
            part, self._front = self._front[:size], self._front[size:]
        else:
            part = self.raw.read(size) or b""
        self._taken += len(part)
        return part

    def _opened(self) -> Callable[[int], bytes]:
        for magic, what in _UNREADABLE.items():
            if self.magic.startswith(magic):
                raise RequestError(f"this is {what}", "JSON, CSV or Parquet, plain or compressed with gzip or zstd")
        if not self.magic.startswith((_GZIP, _ZSTD)):
            return self._read_raw
        self.compression = "gzip" if self.magic.startswith(_GZIP) else "zstd"
        parts = (_gunzip if self.compression == "gzip" else _unzstd)(self._read_raw)
        return lambda size: next(parts, b"")

    def _pull(self, size: int) -> bytes:
        """The next bytes of the file, decompressed; empty at its end or where it is damaged."""
        if self.fault is not None:
            return b""
        try:
            part = self._more(size)
        except (_Damaged, OSError) as error:
            self.fault = RecordError(
                f"the file {error if isinstance(error, _Damaged) else 'can no longer be read'}", "a whole file"
            )
            return b""
        self._given += len(part)
        packed = self._taken if self._packed is None else self._packed
        if self.compression and self._given > FREE and self._given > packed * RATIO:
            self.fault = RecordError(f"the compressed file expands more than {RATIO}-fold", "no decompression bomb")
            return b""
        return part

    def _without_mark(self, head: bytes) -> bytes:
        """The head without a byte order mark; UTF-16 is turned into UTF-8 from here on."""
        if head.startswith(codecs.BOM_UTF8):
            return head[3:]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            decode = codecs.getincrementaldecoder("utf-16")("replace").decode
            inner, first = self._more, [head]

            def more(size: int) -> bytes:
                while data := first.pop() if first else inner(max(size, 2)):
                    if part := decode(data).encode("utf-8", "replace"):
                        return part
                return decode(b"", True).encode("utf-8", "replace")

            self._more = more
            return b""
        return head


class _Damaged(Exception):
    """A compressed file is not whole."""


def _gunzip(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """gzip, member after member, never more than `_READ` bytes at a time."""
    inflate, inside = zlib.decompressobj(31), False
    while piece := read(_COMPRESSED):
        while piece:
            before = inflate.copy()
            try:
                part, inside = inflate.decompress(piece, _READ), True
            except zlib.error:
                yield from _up_to_the_damage(before, piece)
                raise _Damaged("is damaged: its gzip data or check sum is wrong") from None
            if part:
                yield part
            piece = inflate.unconsumed_tail
            if inflate.eof:
                piece = inflate.unused_data.lstrip(b"\0")
                inflate, inside = zlib.decompressobj(31), bool(piece)
    if inside:
        raise _Damaged("breaks off inside its gzip data")


def _up_to_the_damage(inflate: zlib._Decompress, piece: bytes) -> Iterator[bytes]:
    for index in range(len(piece)):
        try:
            part = inflate.decompress(piece[index : index + 1], _READ)
        except zlib.error:
            return
        if part:
            yield part


def _unzstd(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """zstd, frame after frame; unlike the library's reader it notices a file that ends inside a frame."""
    import zstandard

    new = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj
    frame, inside = new(), False
    while piece := read(_PIECE):
        while piece:
            try:
                part, inside = frame.decompress(piece), True
            except zstandard.ZstdError:
                raise _Damaged("is damaged: its zstd data or check sum is wrong") from None
            if part:
                yield part
            piece = b""
            if frame.eof:
                piece, frame, inside = frame.unused_data, new(), False
    if inside:
        raise _Damaged("breaks off inside its zstd data")


def open_file(path: Path | str) -> BinaryIO:
    """A regular file, opened without waiting for anybody.

    Raises:
        RequestError: it is a folder, a pipe, a device, it may not be read, or it is gone.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise RequestError(f"{Path(path).name} cannot be opened: {error.strerror}", "a file that can be read") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise RequestError(f"{Path(path).name} is no regular file", "a file", "send a pipe through standard input, as `-`")
    return os.fdopen(handle, "rb", buffering=0)


def open_stream(source: Path | str | BinaryIO) -> Stream:
    """A file by its path, or a binary file object such as `sys.stdin.buffer`, as a `Stream`.

    Raises:
        RequestError: see `open_file`; or it is a container that Backlight does not open.
    """
    if not isinstance(source, (str, Path)):
        return Stream(source)
    path = Path(source)
    try:
        member = open_member(path)
    except OSError as error:
        raise RequestError(f"{path.name[:80]} cannot be opened: {error.strerror}", "a file that can be read") from error
    raw = open_file(path) if member is None else member
    try:
        return Stream(raw, size=on_disk(path).stat().st_size, zipped=member is not None)
    except OSError as error:
        raw.close()
        raise RequestError(f"{path.name} cannot be read: {error}", "a file that can be read") from error
    except BaseException:
        raw.close()
        raise
