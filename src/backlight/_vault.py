"""The vault: conversation text, raw identities and the bytes of rejects, sealed by zstd and AES-256-GCM.

A sealed item is one format byte, a random 12-byte nonce and the ciphertext with its tag. Format byte, row, account and
month are its associated data, so an item that is moved to another row does not open. The data key is that of the
account and the month (`_keys.KeyStore`); 0 seals what has no account, `REJECTS` the bytes of rejects. Format 1 compresses
without a dictionary, format 2 with the one that ships: prompts become about a seventh smaller.

The dictionary holds pieces of our own published examples and of no user's text, since it lies in the open; it is part of
the format and never changes. `bench/dictionary.py` makes one for a format to come.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from struct import Struct

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from backlight._keys import DataKey, KeyStore
from backlight.errors import StoreError

REJECTS = -1
"""Stands for the account of rejects: whose they are cannot be told, so an erasure takes them all."""

_PLAIN, _FORMAT = 1, 2
_HEAD = bytes([_FORMAT])
_NONCE = 12
_ASSOCIATED = Struct(">Bqqi")
_LIMIT = 1 << 30


class Vault:
    """Seals and opens. Not for several threads at once.

    Args:
        keys: where the data keys lie.
        level: zstd's level.
    """

    def __init__(self, keys: KeyStore, *, level: int = 3) -> None:
        self._keys = keys
        dictionary = zstandard.ZstdCompressionDict(dictionary_of_format_2())
        dictionary.precompute_compress(level=level)
        self._compress = zstandard.ZstdCompressor(dict_data=dictionary).compress
        self._decompress = {
            _PLAIN: zstandard.ZstdDecompressor().decompress,
            _FORMAT: zstandard.ZstdDecompressor(dict_data=dictionary).decompress,
        }

    def seal(self, row: int, account: int, month: int, payload: bytes) -> bytes:
        """Seal one item of this row, account and month (year * 12 + month - 1; 0 for identities)."""
        return self.seal_many([row], [account], [month], [payload])[0]

    def seal_many(
        self, rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], payloads: Sequence[bytes]
    ) -> list[bytes]:
        """Seal many items, each of its row, account and month; data keys that are missing are made and stored first."""
        places = _by_key(rows, accounts, months, payloads)
        keys = self._keys.get(places, create=True)
        nonces = os.urandom(_NONCE * len(payloads))
        pack, compress = _ASSOCIATED.pack, self._compress
        sealed = [b""] * len(payloads)
        for pair, held in places.items():
            (account, month), encrypt = pair, AESGCM(keys[pair]).encrypt
            for n in held:
                nonce = nonces[_NONCE * n : _NONCE * (n + 1)]
                sealed[n] = _HEAD + nonce + encrypt(nonce, compress(payloads[n]), pack(_FORMAT, rows[n], account, month))
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
        places = _by_key(rows, accounts, months, blobs)
        keys = self._keys.get(places, create=False)
        opened: list[bytes | None] = [None] * len(blobs)
        for pair, held in places.items():
            if (key := keys.get(pair)) is not None:
                cipher = AESGCM(key)
                for n in held:
                    opened[n] = self._opened(cipher, blobs[n], rows[n], pair)
        return opened

    def _opened(self, cipher: AESGCM, blob: bytes, row: int, pair: DataKey) -> bytes:
        if not blob or blob[0] not in self._decompress:
            found = blob[:1].hex() or "none"
            raise StoreError(f"row {row} is sealed in format {found}", "format 01 or 02", "use a newer Backlight")
        try:
            packed = cipher.decrypt(blob[1 : 1 + _NONCE], blob[1 + _NONCE :], _ASSOCIATED.pack(blob[0], row, *pair))
            return self._decompress[blob[0]](packed, max_output_size=_LIMIT)
        except (InvalidTag, zstandard.ZstdError, ValueError) as error:
            raise StoreError(f"the sealed item of row {row} is damaged or another row's", "one that its key opens") from error


@cache
def dictionary_of_format_2() -> bytes:
    """The zstd dictionary that ships."""
    return files("backlight").joinpath("vault-2.zdict").read_bytes()


def _by_key(
    rows: Sequence[int], accounts: Sequence[int], months: Sequence[int], items: Sequence[bytes]
) -> dict[DataKey, list[int]]:
    """Positions by data key: a cipher is costly to make and large, so each is made once and let go."""
    if not len(rows) == len(accounts) == len(months) == len(items):
        raise ValueError(
            f"{len(rows)} rows, {len(accounts)} accounts, {len(months)} months and {len(items)} items do not match"
        )
    places: dict[DataKey, list[int]] = {}
    for n, pair in enumerate(zip(accounts, months, strict=True)):
        if (held := places.get(pair)) is None:
            places[pair] = [n]
        else:
            held.append(n)
    return places
