"""Keyed hashes: the ids of the lake. Without the workspace's hash key nobody can confirm a guess.

blake2b with a key (RFC 7693, section 2.9), personalised by kind, so that equal values of two kinds never collide on
purpose. An id is the first 8 bytes of the 16-byte digest with the sign bit cleared; the digest is kept beside ids that
decide whether a record is a duplicate.
"""

from __future__ import annotations

from hashlib import blake2b

MASK = (1 << 63) - 1


def number(digest: bytes) -> int:
    """The int64 id that stands for a digest."""
    return int.from_bytes(digest[:8], "big") & MASK


class Hasher:
    """Keyed hashes of values by kind.

    Args:
        key: 16 to 64 secret bytes.
    """

    def __init__(self, key: bytes) -> None:
        if not 16 <= len(key) <= 64:
            raise ValueError(f"a hash key has 16 to 64 bytes, not {len(key)}")
        self._key = key
        self._kinds: dict[str, blake2b] = {}

    def digest(self, kind: str, value: str | bytes) -> bytes:
        """The 16-byte keyed digest of a value of this kind (at most 16 ASCII characters)."""
        base = self._kinds.get(kind)
        if base is None:
            base = self._kinds[kind] = blake2b(key=self._key, digest_size=16, person=kind.encode("ascii"))
        state = base.copy()
        state.update(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value)
        return state.digest()

    def id(self, kind: str, value: str | bytes) -> int:
        """The int64 id of a value of this kind."""
        return number(self.digest(kind, value))
