"""The vault: conversation text, raw identities and the bytes of rejects, sealed by zstd and AES-256-GCM.

A sealed item is one format byte, a random 12-byte nonce and the ciphertext with its tag. Format byte, row, account and
month are its associated data, so an item that is moved to another row does not open. The data key is that of the
account and the month (`_keys.KeyStore`); account 0 seals rejects, which belong to nobody. Format 1 compresses without a
dictionary.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backlight._keys import DataKey, KeyStore
from backlight.errors import StoreError

REJECTS = 0
"""The account whose data keys seal rejects."""

_FORMAT = 1
_HEAD = bytes([_FORMAT])
_NONCE = 12
_ASSOCIATED = Struct(">Bqqi")
_LIMIT = 1 << 30
_CIPHERS = 1024


class Vault:
    """Seals and opens. Not for several threads at once.

    Args:
        keys: where the data keys lie.
        level: zstd's level.
    """

    def __init__(self, keys: KeyStore, *, level: int = 3) -> None:
        self._keys = keys
        self._compress = zstandard.ZstdCompressor(level=level).compress
        self._decompress = zstandard.ZstdDecompressor().decompress
        self._cipher = lru_cache(_CIPHERS)(AESGCM)

    def seal(self, row: int, account: int, month: int, payload: bytes) -> bytes:
        """Seal one item of this row, account and month (year * 12 + month - 1; 0 for identities)."""
        return self.seal_many([row], [account], [month], [payload])[0]

    def seal_many(
        self, rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], payloads: Sequence[bytes]
    ) -> list[bytes]:
        """Seal many items, each of its row, account and month; data keys that are missing are made and stored first."""
        pairs = _pairs(rows, accounts, months, payloads)
        keys = self._keys.get(pairs, create=True)
        nonces = os.urandom(_NONCE * len(pairs))
        pack, compress, cipher = _ASSOCIATED.pack, self._compress, self._cipher
        sealed = [b""] * len(pairs)
        for n in _by_key(pairs):
            nonce, pair = nonces[_NONCE * n : _NONCE * (n + 1)], pairs[n]
            sealed[n] = _HEAD + nonce + cipher(keys[pair]).encrypt(nonce, compress(payloads[n]), pack(_FORMAT, rows[n], *pair))
        return sealed

    def open(self, row: int, account: int, month: int, blob: bytes) -> bytes:
        """Open one item.

        Raises:
            StoreError: its data key was erased, or the item is damaged or another row's.
        """
        payload = self.open_many([row], [account], [month], [blob])[0]
        if payload is None:
            raise StoreError(f"the data key of row {row} was erased", "an item whose key still exists")
        return payload

    def open_many(
        self, rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], blobs: Sequence[bytes]
    ) -> list[bytes | None]:
        """Open many items; None stands for one whose data key was erased.

        Raises:
            StoreError: an item is damaged or another row's.
        """
        pairs = _pairs(rows, accounts, months, blobs)
        keys = self._keys.get(pairs, create=False)
        opened: list[bytes | None] = [None] * len(pairs)
        for n in _by_key(pairs):
            key = keys.get(pairs[n])
            if key is not None:
                opened[n] = self._opened(key, blobs[n], rows[n], _ASSOCIATED.pack(_FORMAT, rows[n], *pairs[n]))
        return opened

    def _opened(self, key: bytes, blob: bytes, row: int, associated: bytes) -> bytes:
        if blob[:1] != _HEAD:
            found = blob[:1].hex() or "none"
            raise StoreError(f"row {row} is sealed in format {found}", f"format {_FORMAT:02x}", "use a newer Backlight")
        try:
            packed = self._cipher(key).decrypt(blob[1 : 1 + _NONCE], blob[1 + _NONCE :], associated)
            return self._decompress(packed, max_output_size=_LIMIT)
        except (InvalidTag, zstandard.ZstdError, ValueError) as error:
            raise StoreError(f"the sealed item of row {row} is damaged or another row's", "one that its key opens") from error


def _pairs(rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], items: Sequence[bytes]) -> list[DataKey]:
    if not len(rows) == len(accounts) == len(months) == len(items):
        raise ValueError(
            f"{len(rows)} rows, {len(accounts)} accounts, {len(months)} months and {len(items)} items do not match"
        )
    return list(zip(accounts, months, strict=True))


def _by_key(pairs: Sequence[DataKey]) -> list[int]:
    """Positions in order of their data keys: a cipher is costly to make and large, so each is made once and let go."""
    return sorted(range(len(pairs)), key=pairs.__getitem__)
