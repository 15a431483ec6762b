"""The guard's spool as files: append-only segments of checksummed frames, each holding one sealed exchange.

A segment is 8 bytes of magic and then frames. A frame is a mark (`BLfr`), the payload's length (4 bytes, big endian), a
16-byte BLAKE2b digest of length and payload, and the payload. A process that dies while it writes leaves a torn frame at
the end, which was never acknowledged: reading stops before it. A frame that does not match its digest although whole
frames follow it is damage, and an error with its place.

A payload is row, account and month (two int64 and an int32, big endian), then the sealed item of the vault. Opened, it is
one JSON document, `SpoolRecord`. A segment is written as `NAME.open`, renamed to `NAME.spool` when it is full or handed
over, and deleted by whoever has committed its rows.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

import msgspec

from backlight.errors import RecordError, StoreError
from backlight.sources._items import Exchange
from backlight.sources._streams import Readable

MAGIC = b"BLSPOOL1"
SUFFIX = ".spool"
OPEN_SUFFIX = ".open"
MARK = b"BLfr"
LIMIT = 1 << 26
"""The longest payload, in bytes."""

_LENGTH = Struct(">I")
_PLACE = Struct(">qqi")
_DIGEST = 16
HEAD = len(MARK) + _LENGTH.size + _DIGEST
_READ = 1 << 20

Open = Callable[[int, int, int, bytes], bytes]
"""`Vault.open`: row, account, month and sealed item to plain bytes."""


class Sealed(NamedTuple):
    """The payload of a frame: what the vault needs to open the item, and the item."""

    row: int
    account: int
    month: int
    blob: bytes


class SpoolRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One opened record.

    Attributes:
        version: of this form.
        exchange: the exchange, as every reader yields it.
        guard: the guard's event: id, mode, rule, policy, behaviours, watch; holds no text.
    """

    version: int = 1
    exchange: Exchange
    guard: dict[str, Any] = {}


_decode = msgspec.json.Decoder(SpoolRecord).decode


def encode_frame(payload: bytes) -> bytes:
    """One frame.

    Raises:
        ValueError: the payload is longer than `LIMIT`.
    """
    if len(payload) > LIMIT:
        raise ValueError(f"a frame holds at most {LIMIT} bytes, not {len(payload)}")
    length = _LENGTH.pack(len(payload))
    return MARK + length + _digest(length, payload) + payload


def frames(stream: Readable) -> Iterator[bytes]:
    """The payloads of a segment in order; stops before a torn frame at the end.

    Raises:
        RecordError: it does not begin with the magic of a segment; an empty one has no frames.
        StoreError: it is damaged in the middle; the message says at which byte.
    """
    offset, data = len(MAGIC), _at_least(stream, b"", len(MAGIC))
    if not data.startswith(MAGIC):
        if not any(data) or MAGIC.startswith(data):  # empty, torn inside its first bytes, or never written out
            return
        raise RecordError("not a spool segment", f"a file that begins with {MAGIC.decode()}")
    data = data[len(MAGIC) :]
    while True:
        data = _at_least(stream, data, HEAD)
        end = _end(data)
        if end:
            data = _at_least(stream, data, end)
        payload = _payload(data, end)
        if payload is None:
            if _frame_follows(stream, data):
                raise StoreError(
                    f"the spool is damaged at byte {offset}", "a frame that matches its digest", "keep the segment"
                )
            return
        yield payload
        offset, data = offset + end, data[end:]


def _at_least(stream: Readable, data: bytes, size: int) -> bytes:
    parts, have = [data], len(data)
    while have < size and (part := stream.read(max(size - have, _READ))):
        parts.append(part)
        have += len(part)
    return b"".join(parts) if len(parts) > 1 else data


def _end(data: bytes) -> int:
    """Where the frame ends that begins here; 0 if none does."""
    if len(data) < HEAD or not data.startswith(MARK):
        return 0
    (length,) = _LENGTH.unpack_from(data, len(MARK))
    return HEAD + length if length <= LIMIT else 0


def _payload(data: bytes, end: int) -> bytes | None:
    """The payload of the frame that begins here, if it is whole."""
    if not end or len(data) < end:
        return None
    start = len(MARK) + _LENGTH.size
    payload = data[HEAD:end]
    return payload if _digest(data[len(MARK) : start], payload) == data[start:HEAD] else None


def _frame_follows(stream: Readable, data: bytes) -> bool:
    """Whether any whole frame stands behind a broken one."""
    while True:
        at = data.find(MARK, 1)
        if at < 0:
            data = _at_least(stream, data[-len(MARK) :], len(MARK) + 1)
            if len(data) <= len(MARK):
                return False
            continue
        data = _at_least(stream, data[at:], HEAD)
        end = _end(data)
        data = _at_least(stream, data, end)
        if _payload(data, end) is not None:
            return True


def _digest(length: bytes, payload: bytes) -> bytes:
    state = blake2b(length, digest_size=_DIGEST)
    state.update(payload)
    return state.digest()


def pack(sealed: Sealed) -> bytes:
    """The payload of a frame."""
    return _PLACE.pack(sealed.row, sealed.account, sealed.month) + sealed.blob


def unpack(payload: bytes) -> Sealed:
    """The inverse of `pack`.

    Raises:
        RecordError: it is shorter than its head.
    """
    if len(payload) < _PLACE.size:
        raise RecordError(f"a spool record of {len(payload)} bytes", f"at least {_PLACE.size}")
    row, account, month = _PLACE.unpack_from(payload)
    return Sealed(row, account, month, payload[_PLACE.size :])


def encode(exchange: Exchange, guard: dict[str, Any]) -> bytes:
    """The plain bytes of one record, to be sealed."""
    return msgspec.json.encode(SpoolRecord(exchange=exchange, guard=guard))


def decode(data: bytes) -> SpoolRecord:
    """One record from its plain bytes.

    Raises:
        RecordError: it is not one, or of a newer form.
    """
    try:
        record = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not a spool record ({error})", "one JSON document of this form") from None
    if record.version != 1:
        raise RecordError(f"a spool record of form {record.version}", "form 1", "use a newer Backlight")
    return record


def segments(folder: Path) -> list[Path]:
    """Segments of a spool folder that were handed over, oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def hand_over_left(folder: Path) -> list[Path]:
    """Hands over the segments that dead processes left open; a living writer holds a lock on its own.

    Returns:
        The segments handed over, under their new names.
    """
    done = []
    for path in sorted(folder.glob(f"*{OPEN_SUFFIX}")):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            done.append(path.rename(path.with_suffix(SUFFIX)))
        except (BlockingIOError, FileNotFoundError):  # alive, or handed over by somebody else just now
            continue
        finally:
            os.close(handle)
    return done


def records(path: Path, open_: Open) -> Iterator[SpoolRecord]:
    """The records of a segment in order.

    Args:
        path: the segment.
        open_: opens a sealed item; see `Open`. What it raises goes to the caller.
    """
    with path.open("rb") as stream:
        for payload in frames(stream):
            yield decode(open_(*unpack(payload)))


def exchanges(path: Path, open_: Open) -> Iterator[Exchange]:
    """The exchanges of a segment in order: what ingest stores."""
    for record in records(path, open_):
        yield record.exchange
