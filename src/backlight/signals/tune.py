"""Tunes the encoder on the examples, so that its vectors keep apart what the heads must tell apart.

    python -m backlight.signals.tune        writes baseline/encoder.npz anew; some minutes on two cores

The package's encoder was trained on what texts are about; an operator's request and its look-alike are about the same. So its
convolutions and dense layers (not its table of pieces) learn to tell operators from everybody else, innocent roles from each
other, and behaviours by their topic, from four fifths of the examples (full fine-tuning with AdamW, Loshchilov and Hutter
2019; pieces are dropped at random, Iyyer et al. 2015). Vectors are held near the package's own, so that what the examples do
not cover keeps its place (distillation, Li and Hoiem 2018), and texts that differ only in what must not count (a country, a
name, the quality of the language, the form of the request) are held near each other. The other fifth, near texts and
translations kept together, is never seen here: on it the heads are calibrated and measured.

Needs the extra `train` (JAX, optax); whoever scores does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backlight.signals import train
from backlight.signals._forward import EMBEDDING, ORDERS, WIDTH, Tuned
from backlight.signals.embed import WINDOW, UseEmbedder, package_model
from backlight.signals.masking import mask_entities

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

EPOCHS, BATCH = 6, 64
RATE, HEAD_RATE = 3e-4, 3e-3
WARM_UP = 100
DECAY = 0.01
PIECES_DROPPED, FEATURES_DROPPED = 0.1, 0.2
OTHER_TASKS, KEEP, ALIKE = 1.0, 0.8, 0.2
"""Weight of the tasks beside operators, of staying near the package's vectors, and of what must not count."""

GROUPS, OF_A_GROUP, CHANGED_PIECES = 2, 8, 48
"""Of what must not count, a step sees so many groups, texts of each, and pieces of each text at most."""

HELD_OUT = 1
"""The fold that is not learnt from."""

_SCALE = 8.0
_STEP = 16


def tune(data: train.Corpus, *, say: Callable[[str], None] = print) -> Tuned:
    """Learn from the examples of all folds but one.

    Args:
        data: the examples.
        say: told the loss after each epoch.

    Returns:
        The weights, and which texts were held out.
    """
    import jax
    import optax

    model, tokenise = package_model()
    masked = [mask_entities(text) for text in data.texts]
    plain = UseEmbedder(plain=True).encode(masked)
    held = train.folds(plain.astype(np.float64)) == HELD_OUT
    pieces = [np.array(tokenise(text[:WINDOW]), np.int64) for text in masked]
    targets, swaps = _Targets(data, ~held, plain), _Swaps(data, tokenise)
    rng = np.random.default_rng(0)
    weights = _start(model, targets.columns, rng)
    steps = EPOCHS * -(-int((~held).sum()) // BATCH)
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.multi_transform(
            {"base": _adam(RATE, steps), "head": _adam(HEAD_RATE, steps)},
            {name: "head" if name.startswith("head") else "base" for name in weights},
        ),
    )
    state = optimiser.init(weights)

    def loss(weights: Mapping[str, Any], batch: Mapping[str, Any], key: Any) -> Any:
        return _loss(weights, batch, key, float(model.eps))

    @jax.jit
    def step(weights: Any, state: Any, batch: Any, key: Any) -> Any:
        value, slope = jax.value_and_grad(loss)(weights, batch, key)
        change, state = optimiser.update(slope, state, weights)
        return optax.apply_updates(weights, change), state, value

    key = jax.random.key(0)
    for epoch in range(EPOCHS):
        values = []
        for rows in _batches(rng.permutation(np.flatnonzero(~held)), pieces, rng):
            key, now = jax.random.split(key)
            batch = _batch(rows, pieces, model, targets) | swaps.draw(model, rng)
            weights, state, value = step(weights, state, batch, now)
            values.append(value)
        say(f"epoch {epoch + 1} of {EPOCHS}: loss {float(np.mean([float(v) for v in values])):.3f}")
    learnt = {name: np.asarray(value, np.float16) for name, value in weights.items() if not name.startswith("head")}
    texts = [text for text, out in zip(data.texts, held.tolist(), strict=True) if out]
    return Tuned(learnt, np.unique(Tuned.marks(texts)))


class _Targets:
    """What each text should give: columns operator, roles, behaviours; and the package's vector."""

    def __init__(self, data: train.Corpus, learnt: npt.NDArray[np.bool_], plain: Floats) -> None:
        self.columns = 1 + len(data.roles) + len(data.ids)
        self.of = np.zeros((len(data.texts), self.columns), np.float32)
        self.of[:, 0] = data.operator
        for column, owner in ((1, data.role), (1 + len(data.roles), data.behaviour)):
            rows = np.flatnonzero(owner >= 0)
            self.of[rows, column + owner[rows]] = 1.0
        self.plain = plain
        parts = ((data.operator, 1.0), (data.lookalike, 0.6), (data.benign, 0.4))
        weight = train.shares(*((part & learnt, share) for part, share in parts))
        self.weight = (weight / weight[learnt].mean()).astype(np.float32)


class _Swaps:
    """Groups of texts that differ only in what must not count."""

    def __init__(self, data: train.Corpus, tokenise: Callable[[str], list[int]]) -> None:
        of: dict[tuple[str, str], list[Ints]] = {}
        for change, group, text in data.changes:
            of.setdefault((change, group), []).append(np.array(tokenise(mask_entities(text))[:CHANGED_PIECES], np.int64))
        self._groups = list(of.values())

    def draw(self, model: Any, rng: np.random.Generator) -> dict[str, Floats]:
        """Some texts of some groups, padded to one shape."""
        chosen = []
        for n in rng.choice(len(self._groups), GROUPS, replace=False):
            group = self._groups[n]
            chosen += [group[i] for i in rng.choice(len(group), OF_A_GROUP, replace=len(group) < OF_A_GROUP)]
        embedded, mask = _padded(chosen, len(chosen), CHANGED_PIECES, model)
        return {"swapped": embedded, "swapped_mask": mask}


def _adam(rate: float, steps: int) -> Any:
    import optax

    warm = optax.linear_schedule(0.0, rate, WARM_UP)
    cool = optax.linear_schedule(rate, 0.02 * rate, max(1, steps - WARM_UP))
    return optax.adamw(optax.join_schedules([warm, cool], [WARM_UP]), weight_decay=DECAY)


def _start(model: Any, columns: int, rng: np.random.Generator) -> dict[str, Floats]:
    """The package's weights, and heads near 0."""
    weights = {name: np.asarray(value, np.float32) for name, value in Tuned.of(model).items()}
    weights["head_w"] = rng.normal(0.0, 0.02, (EMBEDDING, columns)).astype(np.float32)
    weights["head_b"] = np.zeros(columns, np.float32)
    return weights


def _batches(order: Ints, pieces: Sequence[Ints], rng: np.random.Generator) -> Iterator[Ints]:
    """Batches of texts of like length, in random order."""
    found = []
    for start in range(0, len(order), 16 * BATCH):
        some = sorted(order[start : start + 16 * BATCH].tolist(), key=lambda row: len(pieces[row]))
        found += [np.array(some[n : n + BATCH]) for n in range(0, len(some), BATCH)]
    yield from (found[n] for n in rng.permutation(len(found)))


def _batch(rows: Ints, pieces: Sequence[Ints], model: Any, targets: _Targets) -> dict[str, Floats]:
    """Padded to few shapes, since each shape is compiled once."""
    chosen = [pieces[row] for row in rows]
    embedded, mask = _padded(chosen, BATCH, -(-max(map(len, chosen)) // _STEP) * _STEP, model)
    padding = BATCH - len(rows)
    return {
        "embedded": embedded,
        "mask": mask,
        "target": np.pad(targets.of[rows], ((0, padding), (0, 0))),
        "plain": np.pad(targets.plain[rows], ((0, padding), (0, 0))),
        "weight": np.pad(targets.weight[rows], (0, padding)),
        "real": np.pad(np.ones(len(rows), np.float32), (0, padding)),
    }


def _padded(texts: Sequence[Ints], count: int, width: int, model: Any) -> tuple[Floats, Floats]:
    """Vectors of the pieces (count, width, 512) and where a piece stands (count, width); rows without a text have one of 0."""
    ids, mask = np.zeros((count, width), np.int64), np.zeros((count, width), np.float32)
    mask[len(texts) :, 0] = 1.0
    for n, text in enumerate(texts):
        ids[n, : len(text)] = text
        mask[n, : len(text)] = 1.0
    chunk = ids % len(model.scale)
    embedded = model.table[ids].astype(np.float32) * model.scale[chunk][..., None] + model.lo[chunk][..., None]
    return embedded.astype(np.float32), mask


def _loss(weights: Mapping[str, Any], batch: Mapping[str, Any], key: Any, eps: float) -> Any:
    import jax
    import optax

    first, second = jax.random.split(key)
    kept = jax.random.bernoulli(first, 1 - PIECES_DROPPED, batch["mask"].shape)
    vectors = encode(weights, batch["embedded"] * kept[..., None], batch["mask"], eps, second)
    logits = vectors * _SCALE @ weights["head_w"] + weights["head_b"]
    apart = optax.sigmoid_binary_cross_entropy(logits, batch["target"])
    count = batch["real"].sum()
    acts = (apart[:, 0] * batch["weight"]).sum() / count
    others = (apart[:, 1:].mean(1) * batch["real"]).sum() / count
    moved = ((1 - (vectors * batch["plain"]).sum(1)) * batch["real"]).sum() / count
    alike = encode(weights, batch["swapped"], batch["swapped_mask"], eps) * _SCALE @ weights["head_w"]
    spread = alike.reshape(GROUPS, OF_A_GROUP, -1).var(1).mean(0)
    return acts + OTHER_TASKS * others + KEEP * moved + ALIKE * (spread[0] + spread[1:].mean())


def encode(weights: Mapping[str, Any], embedded: Any, mask: Any, eps: float, key: Any = None) -> Any:
    """The encoder in JAX, as `_forward.Forward` computes it.

    Args:
        weights: by name, as `Tuned` holds them.
        embedded: vectors of the pieces (texts, pieces, 512), padded.
        mask: 1 where a piece stands (texts, pieces).
        eps: of the normalisations.
        key: drops features at random; none where it is None.

    Returns:
        Vectors of length 1 (texts, 512).
    """
    import jax
    import jax.numpy as jnp

    def standard(x: Any) -> Any:
        x = x - x.mean(-1, keepdims=True)
        return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + eps)

    here = mask[..., None]
    projected = (standard(embedded @ weights["proj_W"] + weights["proj_b"]) * weights["ln_g_all"] + weights["ln_b_all"]) * here
    features = [embedded]
    for i, (n, left) in enumerate(ORDERS):
        own = projected[..., i * WIDTH : (i + 1) * WIDTH]
        inner = (jax.nn.relu(_window(own, n, left) @ weights[f"w1_{n}"] + weights[f"b1_{n}"]) + own) * here
        features.append(jax.nn.relu(_window(inner, n, left) @ weights[f"w2_{n}"] + weights[f"b2_{n}"]) + inner)
    spread = standard(jnp.concatenate(features, -1)) * weights["ln_g"] + weights["ln_b"]
    count = mask.sum(1, keepdims=True)
    mean = ((spread * here).sum(1) @ weights["cnn_W"] + count * weights["cnn_b"]) / jnp.sqrt(count)
    hidden = jax.nn.relu(mean @ weights["p1"] + jax.nn.relu(mean @ weights["d0"]) @ weights["d1"])
    if key is not None:
        hidden = hidden * jax.random.bernoulli(key, 1 - FEATURES_DROPPED, hidden.shape) / (1 - FEATURES_DROPPED)
    out = jnp.tanh(hidden @ weights["p3"] + jax.nn.relu(hidden @ weights["d2"]) @ weights["d3"])
    return out / jnp.sqrt(jnp.maximum((out * out).sum(1, keepdims=True), eps))


def _window(x: Any, n: int, left: int) -> Any:
    """Each piece's neighbourhood of n pieces side by side, zero beyond the text."""
    import jax.numpy as jnp

    padded = jnp.pad(x, ((0, 0), (left, n - 1 - left), (0, 0)))
    return jnp.concatenate([padded[:, k : k + x.shape[1]] for k in range(n)], -1)


def main() -> None:
    """Tune on the shipped examples and write the encoder."""
    tune(train.corpus()).save(Path(__file__).parent / "baseline" / "encoder.npz")


if __name__ == "__main__":
    main()
