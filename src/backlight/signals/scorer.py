"""Scorers: texts in, bits per behaviour out. A value above 0 speaks for an operator, below 0 against; nothing is a verdict.

`EmbeddingScorer` is the default. `FakeScorer` reads key words and is for tests and demonstrations of what is built on scores.
The heads are linear on the vector of a text; `backlight.signals.train` says how they are fitted, calibrated and measured.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backlight import tables
from backlight.errors import RequestError
from backlight.signals import behaviours as _behaviours
from backlight.signals.embed import LANGUAGES, Embedder, UseEmbedder, windows
from backlight.signals.masking import mask_entities

Bits = npt.NDArray[np.float32]

FLOOR = 0.0
"""Bits above which a behaviour or an innocent role gets a row of its own."""

ROLE = "role:"
"""Begins the signal of an innocent role: role:newsroom."""

CAP = 8.0
"""Bits beyond which no single text speaks, either way: a few hundred examples cannot support more."""

NEEDS_JUDGE = frozenset({"BL-13", "BL-14", "BL-15"})
"""Behaviours that a single document shows in its author's and in a reader's hands alike."""

OPERATOR = "operator"
"""The signal of an operator of any kind."""

BASE = 0.93
"""Share of ordinary turns that add nothing to an account's evidence: what counts is what stands above them."""

DOCUMENT_WINDOWS = 4
_BATCH = 16_384


class Scorer(Protocol):
    """What reads texts.

    Attributes:
        name: which scorer.
        behaviours: ids in the order of the columns of `score`.
        roles: innocent roles in the order of the columns of `read_roles`.
    """

    name: str
    behaviours: tuple[str, ...]
    roles: tuple[str, ...]

    @property
    def version(self) -> str:
        """Changes whenever a text could get another value."""
        ...

    def score(self, texts: Sequence[str]) -> Bits:
        """Bits for each behaviour, (n, behaviours)."""
        ...

    def voices(self, texts: Sequence[str]) -> Bits:
        """Bits for the operator's voice (who runs it) against the observer's (who reports, studies or suffers it), (n,)."""
        ...

    def voice(self, text: str) -> float:
        """The same for one text."""
        ...

    def operators(self, texts: Sequence[str]) -> Bits:
        """Bits for an operator of any kind against everybody else, (n,): what an account's evidence is made of."""
        ...

    def read_roles(self, texts: Sequence[str]) -> Bits:
        """Bits for each innocent role, (n, roles): how much more the text reads like its work than like an operator's."""
        ...

    def passes_lookalikes(self, behaviour: str, language: str) -> bool:
        """Whether it tells the behaviour (or `operator`) from its look-alikes in that language well enough for key 2."""
        ...


@dataclass(frozen=True)
class Heads:
    """Linear heads on the vector of a text, as plain numbers.

    Attributes:
        ids: behaviour ids, the first rows of `weights`.
        roles: innocent roles, the rows after the next, which tells any operator from everybody else; the last row is the
            operator's voice.
        weights: bits per unit of the vector (behaviours + 1 + roles + 1, dim), float32.
        bias: bits, one per row of `weights`, float32.
        fingerprint: hash over the examples and the recipe they were fitted with.
        embedder: hash of the embedder's weights.
        figures: what examples say of them that neither they nor the encoder saw.
    """

    ids: tuple[str, ...]
    roles: tuple[str, ...]
    weights: Bits
    bias: Bits
    fingerprint: str
    embedder: str
    figures: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write as an npz file without pickles."""
        text = {
            "ids": self.ids,
            "roles": self.roles,
            "fingerprint": self.fingerprint,
            "embedder": self.embedder,
            "figures": self.figures,
        }
        body = np.frombuffer(json.dumps(text).encode(), np.uint8)
        np.savez_compressed(path, weights=self.weights, bias=self.bias, about=body)

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> Heads:
        """Read what `save` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            weights, bias = stored["weights"], stored["bias"]
        return cls(
            tuple(about["ids"]), tuple(about["roles"]), weights, bias, about["fingerprint"], about["embedder"], about["figures"]
        )

    def bits(self, vectors: Bits) -> Bits:
        """Bits (n, rows of `weights`), capped, the observer's voice taken off the behaviours."""
        return heard(vectors @ self.weights.T + self.bias, len(self.ids)).astype(np.float32)


def heard(bits: npt.NDArray[Any], behaviours: int) -> npt.NDArray[Any]:
    """Capped bits, with an observer's voice (last column, where below 0) taken off every behaviour (the first columns) and off
    the operator (the next); a performer's adds none. The operator's bits are then the mean of its own and the best behaviour's:
    what all operators have in common, and what one kind of them does.
    """
    out: npt.NDArray[Any] = np.clip(bits, -CAP, CAP)
    acts = np.clip(out[:, : behaviours + 1] + np.minimum(0.0, out[:, -1:]), -CAP, CAP)
    out[:, :behaviours] = acts[:, :behaviours]
    out[:, behaviours] = (acts[:, behaviours] + acts[:, :behaviours].max(1, initial=-CAP)) / 2
    return out


class FakeScorer:
    """A scorer that reads key words and nothing else: deterministic, for tests and for showing what is built on scores.

    Args:
        words: key words by behaviour id; one of them anywhere in the text (any case) gives that behaviour `bits`.
        performer: words that give the operator's voice; a text with none of them gets the observer's.
        bits: the value given when a word is found; without one the value is its negative.
    """

    name = "fake"
    roles: tuple[str, ...] = ()

    def __init__(
        self, words: Mapping[str, Sequence[str]], performer: Sequence[str] = ("our", "we "), bits: float = 4.0
    ) -> None:
        self.behaviours = tuple(sorted(words))
        self._words = {name: [w.casefold() for w in words[name]] for name in self.behaviours}
        self._performer = [w.casefold() for w in performer]
        self._bits = bits

    @property
    def version(self) -> str:
        """Fixed: a fake has no weights."""
        return "fake/1"

    def score(self, texts: Sequence[str]) -> Bits:
        """`bits` where a key word stands, else `-bits`, (n, behaviours)."""
        folded = [text.casefold() for text in texts]
        rows = [[any(w in text for w in self._words[name]) for name in self.behaviours] for text in folded]
        return np.where(np.array(rows, bool).reshape(len(folded), len(self.behaviours)), self._bits, -self._bits).astype(
            np.float32
        )

    def voices(self, texts: Sequence[str]) -> Bits:
        """`bits` where a performer's word stands, else `-bits`, (n,)."""
        return np.array(
            [self._bits if any(w in t.casefold() for w in self._performer) else -self._bits for t in texts], np.float32
        )

    def voice(self, text: str) -> float:
        """The same for one text."""
        return float(self.voices([text])[0])

    def operators(self, texts: Sequence[str]) -> Bits:
        """The best behaviour's bits, (n,)."""
        best: Bits = self.score(texts).max(1, initial=-self._bits)
        return best

    def read_roles(self, texts: Sequence[str]) -> Bits:
        """Nothing: a fake knows no roles, (n, 0)."""
        return np.empty((len(texts), 0), np.float32)

    def passes_lookalikes(self, behaviour: str, language: str) -> bool:
        """Always: a fake is right by definition."""
        return behaviour == OPERATOR or behaviour in self.behaviours


class EmbeddingScorer:
    """The default scorer: one vector per text, one linear head per behaviour, one for the operator's voice.

    Args:
        behaviours: what to score; the shipped behaviours if left out. With others (a user's folder) the heads are fitted
            here, in seconds, and kept in the user's cache by the hash of all examples.
        embedder: what makes the vectors; the shipped heads fit only the default one.
        cache: where fitted heads are kept; `$XDG_CACHE_HOME/backlight` if left out.
    """

    name = "embedding"

    def __init__(
        self,
        behaviours: Mapping[str, _behaviours.Behaviour] | None = None,
        embedder: Embedder | None = None,
        cache: Path | None = None,
    ) -> None:
        self._embedder = embedder or UseEmbedder()
        self.heads = shipped_heads() if behaviours is None and embedder is None else _fitted(behaviours, self._embedder, cache)
        self.behaviours, self.roles = self.heads.ids, self.heads.roles

    @property
    def version(self) -> str:
        """Scorer, examples and recipe, in one short string."""
        return f"embedding/{self.heads.fingerprint[:12]}"

    def score(self, texts: Sequence[str]) -> Bits:
        """Bits for each behaviour, (n, behaviours). Looks at the first 1,000 characters of each text."""
        return self.read(texts)[:, : len(self.behaviours)]

    def read_roles(self, texts: Sequence[str]) -> Bits:
        """Bits for each innocent role, (n, roles)."""
        return self.read(texts)[:, len(self.behaviours) + 1 : -1]

    def operators(self, texts: Sequence[str]) -> Bits:
        """Bits for an operator of any kind against everybody else, look-alikes included, (n,)."""
        out: Bits = self.read(texts)[:, len(self.behaviours)]
        return out

    def read(self, texts: Sequence[str]) -> Bits:
        """Bits for each behaviour, any operator, each role and the operator's voice, (n, behaviours + 1 + roles + 1).

        Whom a text names is masked before (`mask_entities`).
        """
        return self.heads.bits(self._embedder.encode([mask_entities(text) for text in texts]))

    def voices(self, texts: Sequence[str]) -> Bits:
        """Bits for the operator's voice, (n,)."""
        out: Bits = self.read(texts)[:, -1]
        return out

    def voice(self, text: str) -> float:
        """The same for one text."""
        return float(self.voices([text])[0])

    def passes_lookalikes(self, behaviour: str, language: str) -> bool:
        """Whether held-out examples of the behaviour, and of the language, are told from look-alikes well enough."""
        return _passes(self.heads.figures, behaviour, language)


@cache
def shipped_heads() -> Heads:
    """The heads that come with the package; a test holds that they equal a refit."""
    with files("backlight.signals").joinpath("baseline", "heads.npz").open("rb") as file:
        return Heads.load(file)


def passes_lookalikes(behaviour: str, language: str) -> bool:
    """Whether the shipped scorer tells this behaviour from its look-alikes in this language (stored figures)."""
    return _passes(shipped_heads().figures, behaviour, language)


def _passes(figures: Mapping[str, Any], behaviour: str, language: str) -> bool:
    of = figures["operator"] if behaviour == OPERATOR else figures
    named = (of if behaviour == OPERATOR else of["behaviours"].get(behaviour)), of["languages"].get(language)
    return all(figure is not None and bool(figure["passes"]) for figure in named)


def _fitted(behaviours: Mapping[str, _behaviours.Behaviour] | None, embedder: Embedder, cache: Path | None) -> Heads:
    """Heads from the cache, or fitted now and put there."""
    from backlight.signals import train

    data = train.corpus(behaviours)
    home = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "backlight"
    path = home / f"heads-{data.fingerprint[:16]}-{embedder.sha256[:16]}.npz"
    if path.is_file():
        return Heads.load(path)
    heads = train.train(behaviours, embedder)
    home.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.npz")
    heads.save(part)
    part.replace(path)
    return heads


def score_texts(
    rows: Iterable[tuple[int, str, str, str | None]], scorer: Scorer, *, languages: Mapping[int, str] | None = None
) -> pa.Table:
    """Score prompts, instruction and pasted document apart.

    Args:
        rows: (text id, role, instruction, document or None); roles other than `prompt` are passed over. An id counts once.
        scorer: what reads them.
        languages: language of each text id, where known; a text in a language the embedder does not know is left out, so
            that it has no row `scored` and counts as not scored.

    Returns:
        `tables.SIGNALS` rows about texts: `scored` (1.0) once per text, `voice` once per part, a behaviour where its bits pass
        `FLOOR`; of an instruction also `operator`, whatever its bits, and the roles that pass `FLOOR`. A document longer than
        one window gets the mean of the windows' likelihood ratios.
    """
    parts: list[pa.Table] = []
    prompts = ((i, a, b) for i, role, a, b in rows if role == "prompt" and _known(languages, i))
    seen: set[int] = set()
    while batch := list(islice(prompts, _BATCH)):
        fresh = [row for row in batch if not (row[0] in seen or seen.add(row[0]))]  # type: ignore[func-returns-value]
        if fresh:
            parts.append(_score_batch(fresh, scorer))
    return pa.concat_tables(parts) if parts else tables.SIGNALS.empty()


def _known(languages: Mapping[int, str] | None, text: int) -> bool:
    return languages is None or languages.get(text, "und") in LANGUAGES or languages.get(text, "und") == "und"


@dataclass(frozen=True)
class _Parts:
    """The parts of a batch: owner text, part name, and where its windows start among all windows."""

    owners: list[int]
    names: list[str]
    starts: list[int]
    windows: list[str]


def _cut(rows: Sequence[tuple[int, str, str | None]]) -> _Parts:
    parts = _Parts([], [], [], [])
    for text, instruction, document in rows:
        for name, body, most in (("instruction", instruction, 1), ("document", document, DOCUMENT_WINDOWS)):
            if body is not None and body.strip():
                parts.owners.append(text)
                parts.names.append(name)
                parts.starts.append(len(parts.windows))
                parts.windows.extend(windows(body, most))
    return parts


def _score_batch(rows: Sequence[tuple[int, str, str | None]], scorer: Scorer) -> pa.Table:
    parts = _cut(rows)
    texts = list(dict.fromkeys(row[0] for row in rows))
    columns: list[_Column] = [(texts, ["instruction"] * len(texts), ["scored"] * len(texts), np.ones(len(texts)))]
    if parts.owners:
        distinct = list(dict.fromkeys(parts.windows))
        place = {text: i for i, text in enumerate(distinct)}
        index = np.array([place[text] for text in parts.windows])
        bits = _pool(scorer.score(distinct)[index], parts.starts)
        voice = _pool(scorer.voices(distinct)[index][:, None], parts.starts)[:, 0]
        columns.append((parts.owners, parts.names, ["voice"] * len(parts.owners), voice))
        part, behaviour = np.nonzero(bits > FLOOR)
        columns.append(
            (
                [parts.owners[i] for i in part],
                [parts.names[i] for i in part],
                [scorer.behaviours[j] for j in behaviour],
                bits[part, behaviour],
            )
        )
        columns += _of_instructions(parts, scorer)
    return pa.concat_tables([_signals(*column, version=scorer.version) for column in columns])


_Column = tuple[Sequence[int], Sequence[str], Sequence[str], npt.NDArray[np.float64]]


def _of_instructions(parts: _Parts, scorer: Scorer) -> list[_Column]:
    """Rows of what is read of instructions alone: any operator, and innocent roles. What was pasted says nothing of who pasted
    it.
    """
    asked = [i for i, name in enumerate(parts.names) if name == "instruction"]
    owners, windows = [parts.owners[i] for i in asked], [parts.windows[parts.starts[i]] for i in asked]
    if not asked:
        return []
    roles = scorer.read_roles(windows).astype(np.float64)
    row, role = np.nonzero(roles > FLOOR)
    own, named = [owners[i] for i in row], [ROLE + scorer.roles[j] for j in role]
    acts = scorer.operators(windows).astype(np.float64)
    return [
        (owners, ["instruction"] * len(owners), [OPERATOR] * len(owners), acts),
        (own, ["instruction"] * len(own), named, roles[row, role]),
    ]


def _pool(bits: Bits, starts: Sequence[int]) -> npt.NDArray[np.float64]:
    """Per part, the log of the mean likelihood ratio of its windows: any one of them may hold the evidence."""
    ratio = np.exp2(bits.astype(np.float64))
    count = np.diff(np.append(np.array(starts), len(bits)))
    out: npt.NDArray[np.float64] = np.log2(np.add.reduceat(ratio, starts, axis=0) / count[:, None])
    return out


def _signals(
    subjects: Sequence[int], names: Sequence[str], signals: Sequence[str], values: npt.NDArray[np.float64], *, version: str
) -> pa.Table:
    """Rows about texts in the shape of `tables.SIGNALS`."""
    schema = tables.SIGNALS.arrow
    count = len(subjects)
    columns = {
        "subject_kind": pa.repeat(pa.scalar("text"), count),
        "subject": pa.array(subjects, pa.int64()),
        "part": pa.array(names, pa.string()),
        "signal": pa.array(signals, pa.string()),
        "value": pa.array(values, pa.float64()),
        "first": pa.nulls(count, schema.field("first").type),
        "last": pa.nulls(count, schema.field("last").type),
        "rows": pa.nulls(count, schema.field("rows").type),
        "version": pa.repeat(pa.scalar(version), count),
    }
    return pa.table(columns, schema=schema)


def evaluate_scorer(path: Path | str, scorer: Scorer, *, ordinary: Sequence[str] = ()) -> dict[str, Any]:
    """How a scorer does on one labelled set: the shares above 0 and above the cuts that 1% and 5% of ordinary texts pass.

    Args:
        path: JSON lines, plain or gzip, with `text`, `label` (benign or anything else) and, if known, `lang`, `on_topic`.
        scorer: what is measured; it must not have been trained on the set.
        ordinary: ordinary prompts that set the cuts; the set's own benign rows if left out and there are 100.

    Returns:
        `set`, `rows`, `cut_1pc`, `cut_5pc` (None where no ordinary prompts), `labels`: per label `n`, `above_0`, `at_1pc`,
        `at_5pc`; `on_topic`: the same over rows that are not benign and marked; `languages`: benign share above 0.
    """
    rows = _labelled(Path(path))
    best = scorer.score([row["text"] for row in rows]).max(1) if rows else np.empty(0, np.float32)
    label = np.array([row.get("label", "unknown") for row in rows])
    language = np.array([str(row.get("lang", "und"))[:2] for row in rows])
    topic = np.array([bool(row.get("on_topic")) for row in rows], bool) & (label != "benign")
    base = scorer.score(list(ordinary)).max(1) if len(ordinary) else best[label == "benign"]
    cuts = [float(np.quantile(base, q)) for q in (0.99, 0.95)] if len(base) >= 100 else [None, None]
    return {
        "set": Path(path).name,
        "rows": len(rows),
        "scorer": scorer.version,
        "cut_1pc": cuts[0],
        "cut_5pc": cuts[1],
        "labels": {name: _above(best[label == name], cuts) for name in sorted(set(label.tolist()))},
        "on_topic": _above(best[topic], cuts),
        "languages": {
            tag: _above(best[(language == tag) & (label == "benign")], cuts)
            for tag in sorted(set(language[label == "benign"].tolist()))
        },
    }


def _above(values: Bits, cuts: Sequence[float | None]) -> dict[str, float | int | None]:
    shares = [round(float((values > c).mean()), 4) if c is not None and len(values) else None for c in (0.0, *cuts)]
    return {"n": len(values), "above_0": shares[0], "at_1pc": shares[1], "at_5pc": shares[2]}


def _labelled(path: Path) -> list[dict[str, Any]]:
    body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    rows = [json.loads(line) for line in body.decode("utf-8").split("\n") if line.strip()]
    if bad := next((row for row in rows if not isinstance(row, dict) or not isinstance(row.get("text"), str)), None):
        raise RequestError(f"{path.name} holds {str(bad)[:60]!r}", "JSON lines with a field text", "Check the file")
    return rows
