"""The local model: small boosted trees and a bending linear model, weighed and calibrated by what they did not see.

Five parts of the table are held out in turn. What each model says about the rows that it did not see decides how many
of its trees are kept, how much it counts (weights are not negative), and the calibration; the models of all parts then
vote as one committee. Everything is learned from the rows given to `fit`.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.predictor.columns import Frame
from tools.predictor.encoding import Basis, Encoder, honest_rates, look_up, rates
from tools.predictor.errors import TableInvalid
from tools.predictor.metrics import logistic
from tools.predictor.trees import Trees, flattened, joined

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

PARTS = 5
FEWEST = 10
"""Cases of each label without which nothing is learned."""
FEWEST_GROUPS = 40
"""Of fewer groups, one part could hold nearly all rows of a label."""
SMALL = 3000
"""Tables of fewer rows are divided a second time, because one division of so few rows says little, and
their trees, which are few in the end, take larger steps."""
PULL = 4.0
"""How strongly the weights are drawn to those of equal votes, in cases."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """One kind of boosted trees; `sets` says whether codes are split by set or compared as numbers."""

    name: str
    sets: bool
    leaves: int
    rate: float
    rounds: int
    columns: float
    fewest: int


RECIPES = (
    Recipe("sets", sets=True, leaves=10, rate=0.06, rounds=160, columns=0.5, fewest=30),
    Recipe("numbers", sets=False, leaves=7, rate=0.08, rounds=140, columns=0.4, fewest=15),
)


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """A linear model on a basis of terms."""

    basis: Basis
    weights: Floats
    offset: float

    def scores(self, matrix: Floats) -> Floats:
        """Log-odds."""
        return np.asarray(self.basis.terms(matrix) @ self.weights + self.offset)


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A fitted model. `rates` holds, per held-out part, the rates of categories of many levels."""

    encoder: Encoder
    rates: tuple[tuple[Floats, ...], ...]
    trees: Trees
    linear: tuple[Linear, ...]
    linear_weight: float
    offset: float

    def predict(self, frame: Frame) -> Floats:
        """Calibrated probabilities, one a row. Raises ModelFileInvalid for a frame with other columns."""
        return logistic(self.scores(frame))

    def scores(self, frame: Frame) -> Floats:
        """Calibrated log-odds, one a row."""
        return self.score(self.matrix(frame))

    def matrix(self, frame: Frame) -> Floats:
        """What the trees and the linear models read."""
        codes = self.encoder.rated_codes(frame)
        return np.hstack([self.encoder.encode(frame), *(look_up(codes, tables) for tables in self.rates if tables)])

    def score(self, matrix: Floats) -> Floats:
        """Calibrated log-odds of the rows of `matrix`."""
        total = self.trees.scores(matrix) + self.offset
        if self.linear_weight > 0:
            width = len(self.encoder.names)
            total += self.linear_weight * np.mean(
                [one.scores(_view(matrix, width, part, len(self.encoder.rated))) for part, one in self._parts()], axis=0
            )
        return np.asarray(total)

    def _parts(self) -> Iterator[tuple[int, Linear]]:
        return iter(enumerate(self.linear))


def _view(matrix: Floats, width: int, part: int, rated: int) -> Floats:
    """The columns that the models of one part know: the shared ones and the part's own rates."""
    if not rated:
        return matrix
    own = width + part * rated
    return np.hstack([matrix[:, :width], matrix[:, own : own + rated]])


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One division: training rows with their matrix, held-out rows with theirs."""

    number: int
    train: Floats
    labels: Floats
    held: Indices
    held_matrix: Floats
    tables: tuple[Floats, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Grown:
    """What one recipe made of one part: its trees, where they start, and what each tree adds on held-out rows."""

    part: _Part
    trees: Trees
    start: float
    steps: Floats


def fit(frame: Frame, labels: Floats, *, groups: Sequence[str] | None = None, seed: int = 0) -> Classifier:
    """Learn to tell the rows of label 1, as `fit_and_hold` does."""
    return fit_and_hold(frame, labels, groups=groups, seed=seed)[0]


def fit_and_hold(
    frame: Frame, labels: Floats, *, groups: Sequence[str] | None = None, seed: int = 0
) -> tuple[Classifier, Floats]:
    """A classifier, and what it said about each row while that row was held out, as probabilities.

    Raises TableInvalid for too few cases or no usable column.

    Args:
        frame: Columns of any kind.
        labels: 0 and 1, one a row.
        groups: Rows of one group (a user's) are held out together: they share what came of them, and a model that
            saw one of them would seem to foresee the others.
        seed: The divisions and the draws of columns follow from it.
    """
    _check(labels)
    encoder = Encoder.of(frame)
    parts = _divide(encoder, frame, labels, groups, seed)
    levels = [len(column.levels) for column in encoder.codes]
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, len(parts) * 3)) as pool:
        grown = [[pool.submit(_grow, recipe, part, levels, seed) for part in parts] for recipe in RECIPES]
        basis = None if encoder.rated else Basis.of(encoder.encode(frame), levels)
        linear = [pool.submit(_fit_linear, part, levels, basis) for part in parts]
        return _assemble(
            encoder, labels, [[job.result() for job in jobs] for jobs in grown], [job.result() for job in linear]
        )


def _check(labels: Floats) -> None:
    positive = int(labels.sum())
    if min(positive, len(labels) - positive) < FEWEST:
        raise TableInvalid(
            f"Expected at least {FEWEST} rows of each label to learn from, got {positive} of label 1 and "
            f"{len(labels) - positive} of label 0"
        )


def _divide(encoder: Encoder, frame: Frame, labels: Floats, groups: Sequence[str] | None, seed: int) -> list[_Part]:
    matrix, codes = encoder.encode(frame), encoder.rated_codes(frame)
    levels = [len(column.levels) for column in encoder.rated]
    divisions = [
        held for again in range(2 if len(labels) < SMALL else 1) for held in _divisions(labels, groups, seed + again)
    ]
    return [_part(number, matrix, codes, levels, labels, held, seed) for number, held in enumerate(divisions)]


def _divisions(labels: Floats, groups: Sequence[str] | None, seed: int) -> list[Indices]:
    kinds = sorted(set(groups)) if groups is not None else []
    if groups is None or len(kinds) < FEWEST_GROUPS:
        return divisions_of(labels, PARTS, seed)
    place = dict(zip(kinds, np.random.default_rng(seed).permutation(len(kinds)) % PARTS, strict=True))
    of = np.array([place[group] for group in groups])
    return [np.flatnonzero(of == part) for part in range(PARTS)]


def divisions_of(labels: Floats, parts: int, seed: int) -> list[Indices]:
    """The held-out rows of each of `parts` stratified divisions, in ascending order."""
    draw = np.random.default_rng(seed)
    place = np.empty(len(labels), dtype=np.int64)
    for label in (0.0, 1.0):
        rows = np.flatnonzero(labels == label)
        place[draw.permutation(rows)] = np.arange(len(rows)) % parts
    return [np.flatnonzero(place == part) for part in range(parts)]


def _part(
    number: int, matrix: Floats, codes: Floats, levels: list[int], labels: Floats, held: Indices, seed: int
) -> _Part:
    train = np.setdiff1d(np.arange(len(labels)), held)
    if not levels:
        return _Part(number, matrix[train], labels[train], held, matrix[held], ())
    tables = tuple(rates(codes[train], labels[train], levels))
    own = honest_rates(codes[train], labels[train], levels, divisions_of(labels[train], PARTS, seed + 1))
    held_rates = look_up(codes[held], tables)
    return _Part(
        number, np.hstack([matrix[train], own]), labels[train], held, np.hstack([matrix[held], held_rates]), tables
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Models are grown side by side, a thread each: threads inside them would only wait for one another."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def _grow(recipe: Recipe, part: _Part, levels: Sequence[int], seed: int) -> _Grown:
    from sklearn.ensemble import HistGradientBoostingClassifier

    used = np.arange(part.train.shape[1], dtype=np.int32)
    by_set = used < len(levels) if recipe.sets and levels else None
    hurry = len(part.labels) < SMALL
    rounds = recipe.rounds // (2 if hurry else 1)
    model = HistGradientBoostingClassifier(
        learning_rate=recipe.rate * (2 if hurry else 1),
        max_iter=rounds,
        max_leaf_nodes=recipe.leaves,
        min_samples_leaf=int(np.clip(len(part.labels) // 60, 4, recipe.fewest)),
        max_features=recipe.columns,
        l2_regularization=1.0,
        categorical_features=by_set,
        early_stopping=False,
        random_state=seed * 1000 + part.number,
    )
    with _one_thread():
        model.fit(part.train[:, used], part.labels)
    start = float(model._baseline_prediction.ravel()[0])
    flat = flattened(model, used, 0, rounds)
    return _Grown(part, flat, start, np.cumsum(flat.per_tree(part.held_matrix), axis=1))


def _fit_linear(part: _Part, levels: Sequence[int], basis: Basis | None) -> tuple[_Part, Linear]:
    from sklearn.linear_model import LogisticRegression

    basis = basis or Basis.of(part.train, levels)
    with _one_thread():
        model = LogisticRegression(C=0.1, max_iter=300, tol=1e-3).fit(basis.terms(part.train), part.labels)
    return part, Linear(basis, model.coef_[0].astype(np.float64), float(model.intercept_[0]))


def _assemble(
    encoder: Encoder, labels: Floats, grown: list[list[_Grown]], linear: list[tuple[_Part, Linear]]
) -> tuple[Classifier, Floats]:
    kept = [_rounds(labels, of_recipe) for of_recipe in grown]
    seen = [_held_scores(labels, of_recipe, rounds) for of_recipe, rounds in zip(grown, kept, strict=True)]
    seen.append(_mean_at(labels, [(part.held, one.scores(part.held_matrix)) for part, one in linear]))
    weights, offset = _weigh(np.column_stack(seen), labels)
    held = logistic(np.column_stack(seen) @ weights + offset)
    parts = len(linear)
    width, rated = len(encoder.names), len(encoder.rated)
    trees = []
    for of_recipe, rounds, weight in zip(grown, kept, weights[:-1], strict=True):
        offset += weight * float(np.mean([one.start for one in of_recipe]))
        trees += [
            _own(_first(one.trees, rounds), one.part.number, width, rated).scaled(weight / parts) for one in of_recipe
        ]
    classifier = Classifier(
        encoder,
        tuple(part.tables for part, _ in linear) if rated else ((),),
        joined(trees),
        tuple(one for _, one in linear) if rated else (_mean([one for _, one in linear]),),
        float(weights[-1]),
        offset,
    )
    return classifier, held


def _mean(linear: Sequence[Linear]) -> Linear:
    """One model for all that stand on the same basis: the mean of their scores is a linear model too."""
    weights = np.mean([one.weights for one in linear], axis=0)
    return Linear(linear[0].basis, weights, float(np.mean([one.offset for one in linear])))


def _rounds(labels: Floats, grown: Sequence[_Grown]) -> int:
    """How many trees to keep: as many as say the most about rows that they did not see."""
    losses = np.zeros(grown[0].steps.shape[1])
    for one in grown:
        scores = one.steps + one.start
        losses += (np.logaddexp(0, scores) - labels[one.part.held, None] * scores).sum(axis=0)
    return int(np.argmin(losses)) + 1


def _held_scores(labels: Floats, grown: Sequence[_Grown], rounds: int) -> Floats:
    return _mean_at(labels, [(one.part.held, one.steps[:, rounds - 1] + one.start) for one in grown])


def _mean_at(labels: Floats, scores: Sequence[tuple[Indices, Floats]]) -> Floats:
    """What was said about each row by those that did not see it, on average."""
    total, count = np.zeros(len(labels)), np.zeros(len(labels))
    for rows, said in scores:
        total[rows] += said
        count[rows] += 1
    return np.asarray(total / count)


def _weigh(scores: Floats, labels: Floats) -> tuple[Floats, float]:
    """Weights that are not negative, and an offset, of least log loss (stacking: D. Wolpert 1992, L. Breiman 1996)."""
    from scipy.optimize import minimize  # type: ignore[import-untyped]

    equal = 1 / scores.shape[1]

    def loss(at: Floats) -> tuple[float, Floats]:
        total = scores @ at[:-1] + at[-1]
        away = at[:-1] - equal
        error = logistic(total) - labels
        slope = np.append(scores.T @ error + 2 * PULL * away, error.sum())
        return float((np.logaddexp(0, total) - labels * total).sum() + PULL * (away**2).sum()), slope

    bounds = [(0.0, None)] * scores.shape[1] + [(None, None)]
    found = minimize(
        loss, np.append(np.full(scores.shape[1], equal), 0.0), jac=True, bounds=bounds, method="L-BFGS-B"
    ).x
    return np.asarray(found[:-1]), float(found[-1])


def _first(trees: Trees, rounds: int) -> Trees:
    """The first trees of a model."""
    end = int(trees.starts[rounds]) if rounds < trees.count else len(trees.feature)
    return Trees(
        feature=trees.feature[:end],
        threshold=trees.threshold[:end],
        missing_left=trees.missing_left[:end],
        by_set=trees.by_set[trees.by_set < end],
        sets=trees.sets[:end],
        kept=trees.kept[:end],
        starts=trees.starts[:rounds],
        leaves=trees.leaves[:rounds],
    )


def _own(trees: Trees, part: int, width: int, rated: int) -> Trees:
    """These trees, whose rates stand where the matrix of the whole committee has those of their part."""
    feature = np.where(trees.feature >= width, trees.feature + part * rated, trees.feature).astype(np.int32)
    return Trees(**trees.arrays() | {"feature": feature})
