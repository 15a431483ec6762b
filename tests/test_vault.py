from __future__ import annotations

import struct
from collections.abc import Iterator
from hashlib import sha256

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backlight._keys import KeyFolder, KeyStore, key_folder
from backlight._vault import REJECTS, Vault, dictionary_of_format_2
from backlight.errors import StoreError

ID = "0123456789abcdef0123456789abcdef"
MONTH = 2026 * 12


@pytest.fixture
def store() -> Iterator[KeyStore]:
    folder = KeyFolder(key_folder(ID))
    folder.create(ID)
    with KeyStore(folder) as opened:
        yield opened


@pytest.fixture
def vault(store: KeyStore) -> Vault:
    return Vault(store)


def test_opens_what_it_sealed(vault: Vault) -> None:
    """The same bytes come back."""
    assert vault.open(1, 7, MONTH, vault.seal(1, 7, MONTH, b"a blue kite")) == b"a blue kite"


def test_sealed_bytes_show_nothing(vault: Vault) -> None:
    """Neither the text nor equal texts can be told from the sealed bytes."""
    one, two = vault.seal_many([1, 2], [7, 7], [MONTH, MONTH], [b"a blue kite", b"a blue kite"])
    assert b"kite" not in one and one != two


def test_sealed_size_is_the_text_and_29_bytes(vault: Vault) -> None:
    """Format 2, nonce 12, tag 16: 29 bytes around the compressed text; a text of one letter compresses far below 1 kB."""
    assert len(vault.seal(1, 7, MONTH, b"a" * 10_000)) < 29 + 40


@pytest.mark.parametrize(("row", "account", "month"), [(2, 7, MONTH), (1, 8, MONTH), (1, 7, MONTH + 1)])
def test_an_item_moved_to_another_place_does_not_open(vault: Vault, row: int, account: int, month: int) -> None:
    """Row, account and month are authenticated."""
    vault.seal_many([1, 1], [8, 7], [MONTH, MONTH + 1], [b"", b""])
    blob = vault.seal(1, 7, MONTH, b"a blue kite")
    with pytest.raises(StoreError, match="damaged or another row's"):
        vault.open(row, account, month, blob)


@given(at=st.integers(0, 10_000), flip=st.integers(1, 255))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_does_not_open(vault: Vault, at: int, flip: int) -> None:
    """Any one of them, the format byte included."""
    blob = bytearray(vault.seal(1, 7, MONTH, b"a blue kite"))
    blob[at % len(blob)] ^= flip
    with pytest.raises(StoreError):
        vault.open(1, 7, MONTH, bytes(blob))


@pytest.mark.parametrize("blob", [b"", b"\x01", b"\x02short", b"\x03" + bytes(40)])
def test_bytes_that_were_never_sealed_are_told(vault: Vault, blob: bytes) -> None:
    """Too short, or of another format: a StoreError."""
    vault.seal(1, 7, MONTH, b"")
    with pytest.raises(StoreError, match="row 1"):
        vault.open(1, 7, MONTH, blob)


def test_an_erased_key_is_told_by_open_and_marked_by_open_many(store: KeyStore, vault: Vault) -> None:
    """One item raises; many give None for the erased ones."""
    blobs = vault.seal_many([1, 2], [7, 8], [MONTH, MONTH], [b"seven", b"eight"])
    store.delete_account(7)
    assert vault.open_many([1, 2], [7, 8], [MONTH, MONTH], blobs) == [None, b"eight"]
    with pytest.raises(StoreError, match="erased"):
        vault.open(1, 7, MONTH, blobs[0])


def test_opening_makes_no_key(store: KeyStore, vault: Vault) -> None:
    """Only sealing does."""
    vault.open_many([1], [7], [MONTH], [b""])
    assert store.count() == 0


def test_rejects_have_an_account_of_their_own(store: KeyStore, vault: Vault) -> None:
    """Account 0 belongs to nobody; erasing an account leaves rejects."""
    blob = vault.seal(1, REJECTS, MONTH, b"\xff broken")
    store.delete_account(7)
    assert vault.open(1, REJECTS, MONTH, blob) == b"\xff broken"


@given(
    items=st.lists(
        st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 5), st.integers(0, 3), st.binary(max_size=300)), max_size=20
    )
)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_come_back_in_their_order(vault: Vault, items: list[tuple[int, int, int, bytes]]) -> None:
    """Whatever rows, accounts, months and bytes."""
    rows, accounts, months, payloads = ([item[n] for item in items] for n in range(4))
    blobs = vault.seal_many(rows, accounts, months, payloads)  # type: ignore[arg-type]
    assert vault.open_many(rows, accounts, months, blobs) == payloads  # type: ignore[arg-type]


def test_lists_of_different_lengths_are_refused(vault: Vault) -> None:
    """A row without a payload is a mistake of the caller."""
    with pytest.raises(ValueError, match="2 rows, 2 accounts, 2 months and 1 items"):
        vault.seal_many([1, 2], [7, 7], [MONTH, MONTH], [b""])


def test_the_dictionary_of_a_format_never_changes() -> None:
    """What was sealed with it opens with these very bytes alone."""
    assert sha256(dictionary_of_format_2()).hexdigest() == "c69c8140378d77789e095319a0c81e0c2e022037574fdea983f53445f6798f1f"


def test_a_short_text_becomes_smaller_than_without_a_dictionary(vault: Vault) -> None:
    """A prompt of 92 bytes that the examples do not hold: 29 bytes around less than zstd alone makes of it."""
    text = b"Please translate the following message into Spanish and keep the tone friendly and informal."
    assert len(vault.seal(1, 7, MONTH, text)) - 29 < 0.8 * len(zstandard.compress(text))


def test_opens_what_format_1_sealed(store: KeyStore, vault: Vault) -> None:
    """An item of a workspace from before the dictionary, put together by hand."""
    vault.seal(1, 7, MONTH, b"")
    key = store.get([(7, MONTH)], create=False)[7, MONTH]
    sealed = AESGCM(key).encrypt(bytes(12), zstandard.compress(b"a blue kite"), struct.pack(">Bqqi", 1, 1, 7, MONTH))
    assert vault.open(1, 7, MONTH, b"\x01" + bytes(12) + sealed) == b"a blue kite"
