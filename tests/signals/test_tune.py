"""Tuning: the encoder that learns is the encoder that scores, and what is held out is never learnt from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from backlight.signals import train, tune
from backlight.signals._forward import Tuned
from backlight.signals.embed import UseEmbedder, package_model

if os.environ.get("CI") != "true":
    pytest.importorskip("jax", reason="tuning needs the extra train")


def padded(texts: list[str]) -> dict[str, Any]:
    """A batch as `tune` makes it."""
    model, tokenise = package_model()
    pieces = [np.array(tokenise(text), np.int64) for text in texts]
    data = train.corpus().at(np.arange(len(train.corpus().texts)) < len(texts))
    targets = tune._Targets(data, np.ones(len(texts), bool), np.zeros((len(texts), 512), np.float32))
    return tune._batch(np.arange(len(texts)), pieces, model, targets)


def test_the_encoder_that_learns_is_the_one_that_scores() -> None:
    """Short, long and odd texts, padded together: the package's vectors."""
    texts = ["A cat sleeps.", "猫が寝ている。", "", "one two three " * 40, "!"]
    model, _ = package_model()
    batch = padded(texts)
    vectors = np.asarray(tune.encode(Tuned.of(model), batch["embedded"], batch["mask"], float(model.eps)))[: len(texts)]
    assert np.einsum("ij,ij->i", vectors, model.encode(texts)).min() >= 0.9999


def test_padding_is_not_learnt_from() -> None:
    """Rows that only fill a batch have no weight and no target."""
    batch = padded(["a", "b", "c"])
    assert batch["real"].sum() == 3 and batch["weight"][3:].sum() == 0 and batch["target"][3:].sum() == 0


@pytest.mark.slow
def test_what_is_held_out_is_never_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch over 400 examples: every batch is of other folds, the held-out texts are marked, and the weights moved."""
    whole = train.corpus()
    data = whole.at(np.random.default_rng(0).permutation(len(whole.texts)) < 400)
    fold = train.folds(UseEmbedder(plain=True).encode(list(data.texts)).astype(np.float64))
    seen: list[int] = []
    batches = tune._batches

    def spied(*args: Any) -> Iterator[Any]:
        for rows in batches(*args):
            seen.extend(rows.tolist())
            yield rows

    monkeypatch.setattr(tune, "_batches", spied)
    monkeypatch.setattr(tune, "EPOCHS", 1)
    said: list[str] = []
    found = tune.tune(data, say=said.append)
    assert sorted(seen) == np.flatnonzero(fold != tune.HELD_OUT).tolist()
    held = [text for text, f in zip(data.texts, fold.tolist(), strict=True) if f == tune.HELD_OUT]
    assert set(found.held.tolist()) == set(Tuned.marks(held).tolist()) and said[0].startswith("epoch 1 of 1: loss ")
    model, _ = package_model()
    assert np.abs(found.weights["p3"] - Tuned.of(model)["p3"]).max() > 1e-4
