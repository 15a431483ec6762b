"""A quicker forward pass over the same weights: what depends on a piece alone is computed once per distinct piece.

The encoder projects each piece, then slides two convolutions of width 2, 3 and 5 over the text (the package's
`backends/numpy.py` spells it out). Projection and the products inside the first convolution depend on one piece only. In a
batch of a few thousand pieces most occur more than once, so they are computed once and gathered. Same numbers up to the
rounding of float32; a test holds cosine 0.9999 or more to the package.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_BUDGET = 1024
WIDTH = 256
EMBEDDING = 512
ORDERS = ((2, 0), (3, 1), (5, 2))
_LEFT, _RIGHT = 2, 2
_WHOLE = ("proj_W", "proj_b", "ln_g_all", "ln_b_all", "ln_g", "ln_b", "cnn_W", "cnn_b", "d0", "d1", "d2", "d3", "p1", "p3")
_BYWIDTH = ("w1", "b1", "w2", "b2")


@dataclass(frozen=True)
class Tuned:
    """Weights of the encoder that were tuned on our examples (`backlight.signals.tune`); the table of pieces is the package's.

    Attributes:
        weights: by the package's name, float16; those of a convolution by name and width, w1_2.
        held: marks of the examples that were not learnt from, sorted: what may be calibrated and measured on.
    """

    weights: Mapping[str, npt.NDArray[np.float16]]
    held: npt.NDArray[np.uint64]

    @staticmethod
    def of(model: Any) -> dict[str, Floats]:
        """The weights of a loaded model of the package that can be tuned."""
        found = {name: getattr(model, name) for name in _WHOLE}
        return found | {f"{name}_{n}": getattr(model, name)[i] for name in _BYWIDTH for i, (n, _) in enumerate(ORDERS)}

    @staticmethod
    def marks(texts: Iterable[str]) -> npt.NDArray[np.uint64]:
        """Eight bytes of a hash of each text."""
        found = [int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") for text in texts]
        return np.array(found, np.uint64)

    def put(self, model: Any) -> Any:
        """A copy of the package's model with these weights, which shares its table."""
        tuned = copy.copy(model)
        for name in _WHOLE:
            setattr(tuned, name, self.weights[name].astype(np.float32))
        for name in _BYWIDTH:
            setattr(tuned, name, [self.weights[f"{name}_{n}"].astype(np.float32) for n, _ in ORDERS])
        return tuned

    def save(self, path: Path) -> None:
        """Write as an npz file without pickles."""
        arrays: dict[str, Any] = {"held": self.held, **self.weights}
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> Tuned:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            weights = {name: stored[name] for name in stored.files}
        return cls(weights, weights.pop("held"))


class Forward:
    """The encoder over a loaded model of the package.

    Args:
        model: the package's backend, whose weights are read.
        tokenise: text to piece ids, marks of beginning and end included.
    """

    def __init__(self, model: Any, tokenise: Any) -> None:
        self._model = model
        self._tokenise = tokenise
        self._first = [np.ascontiguousarray(w.reshape(n, WIDTH, WIDTH)) for w, (n, _) in zip(model.w1, ORDERS, strict=True)]

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors of length 1, (n, 512); texts go through in batches of up to `_BUDGET` pieces."""
        out = np.empty((len(texts), EMBEDDING), np.float32)
        group: list[list[int]] = []
        count = first = 0
        for i, text in enumerate(texts):
            ids = self._tokenise(text)
            if group and count + len(ids) > _BUDGET:
                out[first:i] = self._batch(group)
                group, count, first = [], 0, i
            group.append(ids)
            count += len(ids)
        if group:
            out[first:] = self._batch(group)
        return out

    def _batch(self, group: list[list[int]]) -> Floats:
        lengths = np.array([len(ids) for ids in group])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        pieces, which = np.unique(np.concatenate([np.array(ids, np.int64) for ids in group]), return_inverse=True)
        place = _windows(starts, lengths)
        embedded, projected = self._per_piece(pieces)
        features = np.empty((len(which), EMBEDDING + WIDTH * len(ORDERS)), np.float32)
        np.take(embedded, which, axis=0, out=features[:, :EMBEDDING])
        of_piece = np.append(which, len(pieces))[place]
        for i in range(len(ORDERS)):
            column = EMBEDDING + i * WIDTH
            self._convolve(i, projected[:, i * WIDTH : (i + 1) * WIDTH], of_piece, place, features[:, column : column + WIDTH])
        return self._finish(features, starts, lengths)

    def _per_piece(self, pieces: Ints) -> tuple[Floats, Floats]:
        """Embedding and normalised projection of each distinct piece."""
        model = self._model
        chunk = pieces % len(model.scale)
        embedded = model.table[pieces].astype(np.float32)
        embedded *= model.scale[chunk, None]
        embedded += model.lo[chunk, None]
        projected = embedded @ model.proj_W + model.proj_b
        projected = _standard(projected, model.eps) * model.ln_g_all + model.ln_b_all
        return embedded, projected

    def _convolve(self, i: int, projected: Floats, of_piece: Ints, place: Ints, out: Floats) -> None:
        """Both convolutions of one width, each with its shortcut, into `out`."""
        model, (n, left) = self._model, ORDERS[i]
        rows = len(out)
        hidden = np.empty((rows + 1, WIDTH), np.float32)
        inner = hidden[:rows]
        inner[:] = model.b1[i]
        gathered = np.empty((rows, WIDTH), np.float32)
        product = np.zeros((len(projected) + 1, WIDTH), np.float32)
        for k in range(n):
            np.matmul(projected, self._first[i][k], out=product[:-1])
            np.take(product, of_piece[:, _LEFT - left + k], axis=0, out=gathered)
            inner += gathered
        np.maximum(inner, 0, out=inner)
        np.take(projected, of_piece[:, _LEFT], axis=0, out=gathered)
        inner += gathered
        hidden[rows] = 0
        columns = place[:, _LEFT - left : _LEFT - left + n]
        second = hidden[columns].reshape(rows, n * WIDTH) @ model.w2[i]
        second += model.b2[i]
        np.maximum(second, 0, out=second)
        np.add(second, inner, out=out)

    def _finish(self, features: Floats, starts: Ints, lengths: Ints) -> Floats:
        """Normalise, sum over each text (the gain after the sum: it is linear), and the dense layers."""
        model = self._model
        count = lengths.astype(np.float32)[:, None]
        total = np.add.reduceat(_standard(features, model.eps), starts, axis=0) * model.ln_g + count * model.ln_b
        mean = (total @ model.cnn_W + count * model.cnn_b) / np.sqrt(count)
        inner = mean @ model.p1 + np.maximum(mean @ model.d0, 0) @ model.d1
        np.maximum(inner, 0, out=inner)
        out = np.tanh(inner @ model.p3 + np.maximum(inner @ model.d2, 0) @ model.d3)
        out /= np.sqrt(np.maximum(np.einsum("ij,ij->i", out, out), model.eps))[:, None]
        return np.asarray(out, np.float32)


def _standard(x: Floats, eps: float) -> Floats:
    """Rows with mean 0 and variance 1, in place."""
    x -= x.mean(axis=1, keepdims=True)
    scale = np.einsum("ij,ij->i", x, x)
    scale /= x.shape[1]
    scale += np.float32(eps)
    x *= (1.0 / np.sqrt(scale))[:, None]
    return x


def _windows(starts: Ints, lengths: Ints) -> Ints:
    """For each piece of a batch the places from two before it to two after; the end of the batch where they leave its text."""
    count = int(lengths.sum())
    place = np.arange(count)[:, None] + np.arange(-_LEFT, _RIGHT + 1)
    inside = (place >= np.repeat(starts, lengths)[:, None]) & (place < np.repeat(starts + lengths, lengths)[:, None])
    out: Ints = np.where(inside, place, count)
    return out
