"""Addresses of cryptocurrencies, told by their own checksums, so that a random string is not one.

base58check (Bitcoin, Litecoin, Dogecoin, Tron), bech32 and bech32m (BIP 173, BIP 350), Ethereum (EIP-55 where it has
capitals and small letters; without them it carries no checksum and is taken as it is).
"""

from __future__ import annotations

from hashlib import sha256

import re2

_CANDIDATE = re2.compile(
    r"\b(?:0x[0-9a-fA-F]{40}|(?:bc1|ltc1|BC1|LTC1)[0-9a-zA-Z]{11,87}|[13LMDTA9][1-9A-HJ-NP-Za-km-z]{25,34})\b"
)
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VERSIONS = frozenset((0x00, 0x05, 0x30, 0x32, 0x1E, 0x16, 0x41))
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_MOST = 64
_LEAST_TOKEN = 26


def find(text: str) -> list[str]:
    """Wallet addresses of a text, in order, in the form to compare (bech32 and hexadecimal in small letters)."""
    if max(map(len, text.split()), default=0) < _LEAST_TOKEN:
        return []
    found = (match.group(0) for _, match in zip(range(_MOST), _CANDIDATE.finditer(text), strict=False))
    return [value for candidate in found if (value := _canonical(candidate))]


def _canonical(candidate: str) -> str | None:
    if candidate.startswith("0x"):
        return candidate.lower() if _ethereum(candidate[2:]) else None
    if candidate[:3].lower() == "bc1" or candidate[:4].lower() == "ltc1":
        return candidate.lower() if candidate in (candidate.lower(), candidate.upper()) and _bech32(candidate.lower()) else None
    return candidate if _base58check(candidate) else None


def _base58check(address: str) -> bool:
    number = 0
    for sign in address:
        number = number * 58 + _BASE58.index(sign)
    if number.bit_length() > 200:
        return False
    raw = number.to_bytes(25, "big")
    return raw[0] in _BASE58_VERSIONS and sha256(sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _bech32(address: str) -> bool:
    prefix, _, data = address.rpartition("1")
    if len(address) > 90 or len(data) < 6 or any(sign not in _BECH32 for sign in data):
        return False
    values = [ord(sign) >> 5 for sign in prefix] + [0] + [ord(sign) & 31 for sign in prefix] + [_BECH32.index(s) for s in data]
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check in (1, 0x2BC830A3)


def _ethereum(digits: str) -> bool:
    if digits in (digits.lower(), digits.upper()):
        return digits.strip("0") != ""
    wanted = _keccak256(digits.lower().encode()).hex()
    return all(sign.isdigit() or sign.isupper() == (int(nibble, 16) >= 8) for sign, nibble in zip(digits, wanted, strict=False))


# ---------------------------------------------------------------- Keccak-256 as Ethereum uses it (padding 0x01, not SHA-3's)

_WORD = (1 << 64) - 1
_ROTATIONS = ((0, 36, 3, 41, 18), (1, 44, 10, 45, 2), (62, 6, 43, 15, 61), (28, 55, 25, 21, 56), (27, 20, 39, 8, 14))
_RATE = 136


def _round_constants() -> list[int]:
    constants, state = [], 1
    for _ in range(24):
        value = 0
        for j in range(7):
            value |= (state & 1) << (1 << j) - 1
            state = state << 1 ^ (0x171 if state >> 7 else 0)
        constants.append(value)
    return constants


_CONSTANTS = _round_constants()


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> 64 - by) & _WORD if by else value


def _permute(a: list[list[int]]) -> list[list[int]]:
    for constant in _CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = _rotate(a[x][y] ^ d[x], _ROTATIONS[x][y])
        a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y] & _WORD) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def _keccak256(message: bytes) -> bytes:
    """Keccak-256 (Bertoni et al. 2011) of up to 135 bytes, which is all that an address needs."""
    block = bytearray(message + b"\x01" + bytes(_RATE - 1 - len(message)))
    block[-1] |= 0x80
    state = [[0] * 5 for _ in range(5)]
    for n in range(_RATE // 8):
        state[n % 5][n // 5] = int.from_bytes(block[8 * n : 8 * n + 8], "little")
    state = _permute(state)
    return b"".join(state[n][0].to_bytes(8, "little") for n in range(4))
