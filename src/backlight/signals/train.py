"""Fits the heads of the embedding scorer from the behaviour files and benign prompts, and measures them honestly.

    python -m backlight.signals.train        writes baseline/*.json and heads.npz anew

Method. All examples are embedded by the encoder that was tuned on four fifths of them (`tune`). Heads are fitted on the
same four fifths; on the last fifth, which neither has seen, they are calibrated and measured. Directions along which a text
moves when only its language, a country, a name, the quality of its language or the form of the request is changed
(`baseline/counterfactual.jsonl`) are taken out of the space, so that none of these carries weight of its own (nullspace
projection, Bolukbasi et al. 2016; Ravfogel et al. 2020). One logistic head learns operators against everyone else; each
behaviour's head starts from it and moves towards its own examples (a Gaussian prior around the pooled head: hierarchical
logistic regression). Its look-alikes weigh as much as all other innocent texts. Values become log2-likelihood ratios by
Platt's method on held-out values of the best head (Platt 1999), so what is calibrated is what is used: the best behaviour
of a turn. An observer's voice (who reports, studies or suffers it) takes its bits off every behaviour; a performer's adds
none. Folds keep near texts and translations together.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from importlib.resources import files
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.stats import rankdata

from backlight.signals import behaviours as _behaviours
from backlight.signals._forward import Tuned
from backlight.signals.document import split_document
from backlight.signals.embed import Embedder, UseEmbedder, one_thread, tuned
from backlight.signals.masking import mask_entities
from backlight.signals.scorer import BASE, Heads, heard

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

RECIPE = "6"
"""Changes when the method changes, so that nothing fitted by another method is taken for this one."""

POOLED, OWN = 2e-3, 1e-3
"""Strength of the Gaussian priors of the pooled head and of a behaviour's head around it."""

ROLES = 1e-3
"""The same of a role's head."""

SAME = 0.6
"""Cosine from which two texts may not stand in different folds; by the package's own vectors."""

FOLDS = 5
LANGUAGE_DIRECTIONS = 8
CHANGE_DIRECTIONS = 2
MOST_LOOKALIKES, MOST_BENIGN = 0.12, 0.015
"""Zero is moved up until at most these shares of held-out look-alikes and benign prompts stand above it."""

MOST_TELLING = 0.12
"""The base of what tells lies where at most this share of held-out look-alikes tells of an operator."""

ROLE_BENIGN = 0.05
"""Zero of each role's head is where this share of held-out benign prompts stands above it."""

LEAST_AUROC, MOST_OWN_LOOKALIKES, SHRINK = 0.80, 0.20, 25
"""What a behaviour, or a language, must reach against its look-alikes to count in the second key, once its figures (some 25
examples) are drawn towards the pooled ones with the weight of `SHRINK` examples."""

LEAST_MEASURED = 5
"""Held-out operators and look-alikes below which a behaviour or language counts as not measured."""

_LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Corpus:
    """Every example that a fit sees, one row each.

    Attributes:
        texts: the texts.
        languages: primary tag of each.
        behaviour: index of its behaviour; -1 for benign prompts and for the work of innocent roles.
        role: index of its innocent role; -1 for others.
        operator: whether it violates.
        kinds: said, unsaid, inverted, ordinary or benign.
        ids: behaviour ids in the order of the index.
        roles: innocent roles in the order of theirs.
        changes: texts that differ only in what must not count, with the kind of change and the group they vary.
    """

    texts: tuple[str, ...]
    languages: npt.NDArray[np.str_]
    behaviour: npt.NDArray[np.int64]
    role: npt.NDArray[np.int64]
    operator: Flags
    kinds: npt.NDArray[np.str_]
    ids: tuple[str, ...]
    roles: tuple[str, ...]
    changes: tuple[tuple[str, str, str], ...]

    @cached_property
    def lookalike(self) -> Flags:
        """Rows that are an allowed example of some behaviour, or the work of an innocent role."""
        return ~self.operator & ((self.behaviour >= 0) | (self.role >= 0))

    @cached_property
    def benign(self) -> Flags:
        """Rows that are ordinary prompts."""
        return (self.behaviour < 0) & (self.role < 0)

    def at(self, rows: Flags) -> Corpus:
        """These rows alone."""
        arrays = {name: getattr(self, name)[rows] for name in ("languages", "behaviour", "role", "operator", "kinds")}
        return replace(self, texts=tuple(compress(self.texts, rows.tolist())), **arrays)

    @cached_property
    def fingerprint(self) -> str:
        """Hash over all of it and the recipe."""
        body: list[Any] = [
            RECIPE,
            self.texts,
            self.languages.tolist(),
            self.behaviour.tolist(),
            self.role.tolist(),
            self.operator.tolist(),
            self.kinds.tolist(),
        ]
        return blake2b(json.dumps([*body, self.ids, self.roles, self.changes]).encode(), digest_size=16).hexdigest()


def benign() -> list[dict[str, str]]:
    """The benign prompts of our own writing: `lang`, `subject`, `text`."""
    return _lines("benign.jsonl")


def roles() -> list[dict[str, str]]:
    """Working turns of innocent roles, of our own writing: `lang`, `role`, `text`."""
    return _lines("roles.jsonl")


def _lines(name: str) -> list[dict[str, str]]:
    lines = files("backlight.signals").joinpath("baseline", name).read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def corpus(behaviours: Mapping[str, _behaviours.Behaviour] | None = None) -> Corpus:
    """The examples of these behaviours (the shipped ones if left out) and the benign prompts."""
    chosen = behaviours if behaviours is not None else _behaviours.load()
    ids = tuple(sorted(chosen))
    innocent = roles()
    names = tuple(sorted({row["role"] for row in innocent}))
    rows: list[tuple[str, str, int, int, bool, str]] = []
    for i, name in enumerate(ids):
        rows += [(e.text, e.lang, i, -1, True, e.kind) for e in chosen[name].violating]
        rows += [(e.text, e.lang, i, -1, False, e.kind) for e in chosen[name].allowed]
    # What is read of a turn is its instruction, so of a working turn too.
    rows += [(_asked(row["text"]), row["lang"], -1, names.index(row["role"]), False, "role") for row in innocent]
    rows += [(row["text"], row["lang"], -1, -1, False, "benign") for row in benign()]
    changes = tuple((row["change"], row["group"], row["text"]) for row in _lines("counterfactual.jsonl"))
    texts, languages, behaviour, role, operator, kinds = zip(*rows, strict=True)
    index, of = np.array(behaviour, np.int64), np.array(role, np.int64)
    return Corpus(texts, np.array(languages), index, of, np.array(operator, bool), np.array(kinds), ids, names, changes)


def _asked(text: str) -> str:
    return split_document(text).instruction or text


@dataclass(frozen=True)
class Space:
    """The vectors of a corpus and of its counterfactual texts, and whether the embedder was tuned on the shipped examples."""

    vectors: Floats
    changes: Floats
    tuned: bool = True


def embed(data: Corpus, embedder: Embedder) -> Space:
    """Vectors of everything a fit needs, of masked texts, as a scorer reads them."""
    texts = [*data.texts, *(text for _, _, text in data.changes)]
    both = embedder.encode([mask_entities(text) for text in texts]).astype(np.float64)
    return Space(both[: len(data.texts)], both[len(data.texts) :], isinstance(embedder, UseEmbedder) and not embedder.plain)


def removed(data: Corpus, space: Space, rows: Flags) -> Floats:
    """Orthonormal directions (k, dim) that only language, country, name, quality or form of a text moves along."""
    directions = []
    languages = [tag for tag in np.unique(data.languages) if (data.languages == tag).sum() >= 40]
    means = [np.zeros((0, space.vectors.shape[1]))]
    for part in (data.benign, data.lookalike, data.operator):
        chosen = [one for tag in languages if tag != "en" and (one := rows & part & (data.languages == tag)).any()]
        if not chosen:
            continue
        centre = space.vectors[rows & part].mean(0)
        means += [(space.vectors[one].mean(0) - centre)[None] for one in chosen]
    directions.append(_main(np.concatenate(means), LANGUAGE_DIRECTIONS))
    for change in sorted({kind for kind, _, _ in data.changes}):
        groups = np.array([group if kind == change else "" for kind, group, _ in data.changes])
        spread = [space.changes[groups == g] - space.changes[groups == g].mean(0) for g in np.unique(groups) if g]
        directions.append(_main(np.concatenate(spread), CHANGE_DIRECTIONS))
    _, s, v = np.linalg.svd(np.concatenate(directions), full_matrices=False)
    out: Floats = v[s > 1e-6]
    return out


def _main(rows: Floats, count: int) -> Floats:
    """The first principal directions of rows that are already centred."""
    vectors = np.linalg.eigh(rows.T @ rows).eigenvectors
    out: Floats = vectors[:, ::-1][:, :count].T
    return out


def _logistic(x: Floats, y: Flags, weight: Floats, strength: float, start: Floats) -> Floats:
    """Weights and intercept of a logistic head with a Gaussian prior around `start` (its intercept is free).

    Args:
        x: vectors (n, dim).
        y: labels.
        weight: weight of each row; scaled to sum 1.
        strength: precision of the prior.
        start: weights and intercept to start from and stay near.
    """
    weight = weight / weight.sum()
    sign = np.where(y, -1.0, 1.0)

    def loss(theta: Floats) -> tuple[float, Floats]:
        margin = sign * (x @ theta[:-1] + theta[-1])
        apart = theta[:-1] - start[:-1]
        slope = weight * sign / (1.0 + np.exp(-margin))
        value = float(weight @ np.logaddexp(0.0, margin) + 0.5 * strength * apart @ apart)
        return value, np.append(x.T @ slope + strength * apart, slope.sum())

    found: Floats = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200, "gtol": 1e-5}).x
    return found


def shares(*parts: tuple[Flags, float]) -> Floats:
    """Row weights that give each part its share, spread evenly over the part."""
    weight = np.zeros(len(parts[0][0]))
    for rows, share in parts:
        if rows.any():
            weight[rows] += share / rows.sum()
    return weight


@dataclass(frozen=True)
class Raw:
    """Heads before calibration: a row per behaviour, the pooled head, a row per role, the voice; the last column is the
    intercept.
    """

    heads: Floats

    def values(self, x: Floats) -> Floats:
        """Logits (n, columns)."""
        out: Floats = x @ self.heads[:, :-1].T + self.heads[:, -1]
        return out


def fit_raw(data: Corpus, space: Space, rows: Flags) -> Raw:
    """All heads, from the rows given only."""
    basis = removed(data, space, rows)
    x = space.vectors[rows]
    x = x - (x @ basis.T) @ basis
    operator, alike, plain, owner = data.operator[rows], data.lookalike[rows], data.benign[rows], data.behaviour[rows]
    zero = np.zeros(x.shape[1] + 1)
    pooled = _logistic(x, operator, shares((operator, 1.0), (alike, 0.6), (plain, 0.4)), POOLED, zero)
    heads = []
    for i in range(len(data.ids)):
        own = owner == i
        use = own | ~operator
        weight = shares((own & operator, 1.0), (own & alike, 0.5), (alike & ~own, 0.2), (plain, 0.3))
        heads.append(_logistic(x[use], operator[use], weight[use], OWN, pooled))
    heads.append(pooled)
    for i in range(len(data.roles)):
        own = data.role[rows] == i
        use = own | operator | plain
        heads.append(_logistic(x[use], own[use], shares((own, 1.0), (operator, 0.7), (plain, 0.7))[use], ROLES, zero))
    observer = alike & (data.kinds[rows] == "inverted")
    use = operator | observer
    heads.append(_logistic(x[use], operator[use], shares((operator, 1.0), (observer, 1.0))[use], POOLED, zero))
    theta = np.array(heads)
    theta[:, :-1] -= (theta[:, :-1] @ basis.T) @ basis
    return Raw(theta)


def folds(vectors: Floats) -> npt.NDArray[np.int64]:
    """A fold for each row; texts that are near each other, translations included, share one."""
    near = csr_matrix(vectors @ vectors.T > SAME)
    count, component = connected_components(near, directed=False)
    size = np.bincount(component, minlength=count)
    fold, load = np.zeros(count, np.int64), np.zeros(FOLDS)
    for c in np.argsort(-size, kind="stable"):
        fold[c] = int(load.argmin())
        load[fold[c]] += size[c]
    out: npt.NDArray[np.int64] = fold[component]
    return out


def held_out(data: Corpus, space: Space) -> Flags:
    """Rows that are calibrated and measured on: those that the encoder was not tuned on, and a fold of what it does not know.

    What it does not know are a user's own examples, and all of them with another embedder. Too few to be measured are learnt
    from whole.
    """
    known = np.isin(Tuned.marks(data.texts), Tuned.marks(corpus().texts)) if space.tuned else np.zeros(len(data.texts), bool)
    out: Flags = np.isin(Tuned.marks(data.texts), tuned().held) & known
    if (~known & data.operator).sum() >= FOLDS * LEAST_MEASURED:
        out[~known] = folds(space.vectors[~known]) == 0
    return out


@dataclass(frozen=True)
class Calibration:
    """Logits to bits, one slope and offset per column (behaviours, operator, roles, voice)."""

    slope: Floats
    offset: Floats
    behaviours: int

    def bits(self, logits: Floats) -> Floats:
        """Bits (n, columns), capped."""
        return heard(self.slope * logits + self.offset, self.behaviours)


def calibrate(data: Corpus, logits: Floats) -> Calibration:
    """Platt's method on held-out logits of the best head: operators against look-alikes, the harder innocents.

    Heads are shifted to let the same share of benign prompts through. A margin then moves zero up, so that most look-alikes
    stand below it: the value understates the ratio on purpose. The pooled head keeps its logit, in bits: accounts are compared
    with accounts, so its zero does not matter. A role's head gets a slope by Platt's method too (its work against operators and
    benign prompts) and its zero by `ROLE_BENIGN`.
    """
    count = len(data.ids)
    slope, offset = np.ones(logits.shape[1]) / _LN2, np.zeros(logits.shape[1])
    acts = logits[:, :count]
    shift = np.quantile(acts[data.benign], 0.98, axis=0)
    best = (acts - shift).max(1)
    use = data.operator | data.lookalike
    a, b = _platt(best[use], data.operator[use], shares((data.operator, 1.0), (data.lookalike, 1.0))[use])
    slope[:count], offset[:count] = a / _LN2, (b - a * shift) / _LN2
    observer = data.lookalike & (data.kinds == "inverted")
    use = data.operator | observer
    a, b = _platt(logits[use, -1], data.operator[use], shares((data.operator, 1.0), (observer, 1.0))[use])
    slope[-1], offset[-1] = a / _LN2, b / _LN2
    bits = heard(slope * logits + offset, count)[:, :count].max(1)
    limits = ((data.lookalike, MOST_LOOKALIKES), (data.benign, MOST_BENIGN))
    offset[:count] -= max(0.0, *(float(np.quantile(bits[rows], 1 - most, method="higher")) for rows, most in limits))
    if data.roles:
        works, own = logits[:, count + 1 : -1], data.role >= 0
        shift = np.quantile(works[data.benign], 1 - ROLE_BENIGN, axis=0)
        weight = shares((own, 1.0), (data.operator, 0.5), (data.benign, 0.5))
        use = weight > 0
        a, _ = _platt((works - shift).max(1)[use], own[use], weight[use])
        slope[count + 1 : -1], offset[count + 1 : -1] = a / _LN2, -a * shift / _LN2
    return Calibration(slope, offset, count)


def _platt(values: Floats, y: Flags, weight: Floats) -> tuple[float, float]:
    theta = _logistic(values[:, None], y, weight, 1e-6, np.array([1.0, 0.0]))
    return float(theta[0]), float(theta[1])


def auroc(positive: Floats, negative: Floats) -> float:
    """Chance that a positive stands above a negative, ties half (Mann-Whitney); a half where there are none."""
    if not len(positive) or not len(negative):
        return 0.5
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)].sum()
    return float((ranks - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative)))


def figures(data: Corpus, bits: Floats) -> dict[str, Any]:
    """What held-out examples say: per behaviour, per language, pooled, by kind of example, and for the voice."""
    best = bits[:, : len(data.ids)].max(1)
    cut = float(np.quantile(best[data.benign], 0.99))
    out: dict[str, Any] = {"pooled": _figure(data, best, cut) | {"cut_at_1pc_of_benign": round(cut, 3)}}
    out["pooled"]["passes"] = _passes(out["pooled"], out["pooled"])
    out["behaviours"] = {}
    for i, name in enumerate(data.ids):
        own = data.behaviour == i
        figure = _figure(data, bits[:, i], cut, own | data.benign)
        figure["passes"] = _passes(figure, out["pooled"])
        out["behaviours"][name] = figure
    out["languages"] = {}
    for tag in sorted(np.unique(data.languages[data.operator]).tolist()):
        figure = _figure(data, best, cut, data.languages == tag)
        figure["passes"] = _passes(figure, out["pooled"])
        out["languages"][tag] = figure
    out["kinds"] = {
        kind: {"n": int((data.kinds == kind).sum()), "above_0": _share(best[data.kinds == kind])}
        for kind in ("said", "unsaid", "inverted", "ordinary", "role", "benign")
    }
    out["operator"] = _telling(data, bits)
    out["roles"] = {}
    for i, name in enumerate(data.roles):
        column, own = bits[:, len(data.ids) + 1 + i], data.role == i
        out["roles"][name] = {
            "n": int(own.sum()),
            "auroc_operators": round(auroc(column[own], column[data.operator]), 3),
            "above_0": _share(column[own]),
            "operators_above_0": _share(column[data.operator]),
            "benign_above_0": _share(column[data.benign]),
        }
    observer = data.kinds == "inverted"
    out["voice"] = {
        "auroc": round(auroc(bits[data.operator, -1], bits[observer, -1]), 3),
        "operators_above_0": _share(bits[data.operator, -1]),
        "observers_above_0": _share(bits[observer, -1]),
    }
    return out


def _telling(data: Corpus, bits: Floats) -> dict[str, Any]:
    """Of what evidence is made of: the operator's bits above the base, less the best innocent role's where above 0; in all and
    by language. `above_0` are the shares of texts that tell.
    """
    acts, works = bits[:, len(data.ids)], bits[:, len(data.ids) + 1 : -1]
    apart = acts - works.max(1, initial=0.0)
    base = max(
        float(np.quantile(acts[data.benign], BASE)),
        float(np.quantile(apart[data.lookalike], 1 - MOST_TELLING, method="higher")),
    )
    net = apart - base
    cut = float(np.quantile(net[data.benign], 0.99))
    out = _figure(data, net, cut)
    out |= {"base": round(base, 4), "passes": _passes(out, out), "languages": {}}
    for tag in sorted(np.unique(data.languages[data.operator]).tolist()):
        figure = _figure(data, net, cut, data.languages == tag)
        out["languages"][tag] = figure | {"passes": _passes(figure, out)}
    return out


def _passes(figure: Mapping[str, Any], pooled: Mapping[str, Any]) -> bool:
    """The look-alike test, on figures drawn towards the pooled ones; what was hardly measured does not pass."""
    n = figure["lookalikes"]
    if min(n, figure["operators"]) < LEAST_MEASURED:
        return False
    area, share = ((n * figure[k] + SHRINK * pooled[k]) / (n + SHRINK) for k in ("auroc_lookalikes", "lookalikes_above_0"))
    return bool(area >= LEAST_AUROC and share <= MOST_OWN_LOOKALIKES)


def _share(values: Floats) -> float:
    return round(float((values > 0).mean()), 4) if len(values) else 0.0


def _figure(data: Corpus, values: Floats, cut: float, rows: Flags | None = None) -> dict[str, Any]:
    """Figures of one column over some rows."""
    use = np.ones(len(values), bool) if rows is None else rows
    operator, alike, plain = values[use & data.operator], values[use & data.lookalike], values[use & data.benign]
    return {
        "operators": len(operator),
        "lookalikes": len(alike),
        "benign": len(plain),
        "auroc_lookalikes": round(auroc(operator, alike), 3),
        "auroc_benign": round(auroc(operator, plain), 3),
        "recall_at_1pc": round(_share(operator - cut), 3),
        "lookalikes_at_1pc": round(_share(alike - cut), 3),
        "operators_above_0": _share(operator),
        "lookalikes_above_0": _share(alike),
        "benign_above_0": _share(plain),
    }


def train(behaviours: Mapping[str, _behaviours.Behaviour] | None = None, embedder: Embedder | None = None) -> Heads:
    """Heads for these behaviours, calibrated and measured; a few seconds."""
    return _train(corpus(behaviours), embedder or UseEmbedder())[0]


def _train(data: Corpus, embedder: Embedder) -> tuple[Heads, Corpus, Floats]:
    """The heads, the held-out examples, and their bits."""
    space = embed(data, embedder)
    with one_thread():
        return _fit_all(data, space, embedder.sha256)


def _fit_all(data: Corpus, space: Space, embedder: str) -> tuple[Heads, Corpus, Floats]:
    held = held_out(data, space)
    fitted, rest = fit_raw(data, space, ~held), data.at(held)
    logits = fitted.values(space.vectors[held])
    calibration = calibrate(rest, logits)
    weights = fitted.heads[:, :-1] * calibration.slope[:, None]
    bias = fitted.heads[:, -1] * calibration.slope + calibration.offset
    bits = calibration.bits(logits)
    heads = Heads(
        ids=data.ids,
        roles=data.roles,
        weights=weights.astype(np.float32),
        bias=bias.astype(np.float32),
        fingerprint=data.fingerprint,
        embedder=embedder,
        figures=figures(rest, bits),
    )
    return heads, rest, bits


def main() -> None:
    """Fit on the shipped examples and write the data files of the baseline."""
    from backlight.signals.concern import benign_accounts

    folder = Path(__file__).parent / "baseline"
    (folder / "behaviours.json").write_bytes(_behaviours.parsed())
    heads, rest, bits = _train(corpus(), UseEmbedder())
    heads.save(folder / "heads.npz")
    (folder / "figures.json").write_text(json.dumps(heads.figures, indent=1) + "\n", encoding="utf-8")
    turn = np.clip(bits[:, len(rest.ids)] - heads.figures["operator"]["base"], 0, None)
    work = np.clip(bits[:, len(rest.ids) + 1 : -1], 0, None)
    plain, about = ~rest.operator, {row["text"]: row["subject"] for row in benign()}
    subjects = [about[text] if ordinary else "" for text, ordinary in zip(rest.texts, rest.benign.tolist(), strict=True)]
    some = np.array(subjects, object)[plain].tolist()
    accounts = benign_accounts(turn[plain], work[plain], some, rest.lookalike[plain])
    (folder / "accounts.json").write_text(json.dumps(accounts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
