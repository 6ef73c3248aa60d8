"""What each source of evidence is worth on this log, found on a slice of it held out in the same way as the test.

A blend is a weighted sum of standardised scores. The search starts from the best single source, so that no blend is
chosen that does worse on the held-out slice than a source alone, and climbs one weight at a time. Its objective is
nDCG at 10 and at 30, evenly: the longer list makes the choice steadier. Then weights move toward lists that use more of
the catalogue, as long as that costs next to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.recommender.item_weights import Matrix

STEPS = (-1.0, -0.5, -0.25, -0.1, 0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5)
DEPTHS = (10, 30)
ROUNDS = 4
STARTS = 2
SURE = 0.7
"""A weight moves for a gain of so many standard errors (over the users, paired), not for noise."""
COVERAGE_COSTS = 0.02
"""What wider lists may cost: this part of the objective."""
COVERED = 0.12
"""How much of the catalogue the lists of the held-out users should use."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The items worth ranking for held-out users, and which of them they went on to like.

    Attributes:
        scores: (users, items in the pool, sources); −inf nowhere.
        items: (users, items in the pool) which items; −1 pads.
        hits: (users, items in the pool) 1 where the user went on to like it.
        wanted: (users,) how many they went on to like, in the pool or not.
    """

    scores: Matrix
    items: NDArray[np.int32]
    hits: Matrix
    wanted: NDArray[np.int64]


def join(pools: Sequence[Pool]) -> Pool:
    """One pool of several, padded to the widest."""
    width = max(pool.items.shape[1] for pool in pools)

    def padded(array: NDArray[Any], fill: float) -> NDArray[Any]:
        spare = [(0, 0), (0, width - array.shape[1])] + [(0, 0)] * (array.ndim - 2)
        return np.pad(array, spare, constant_values=fill)

    return Pool(
        scores=np.concatenate([padded(pool.scores, 0) for pool in pools]),
        items=np.concatenate([padded(pool.items, -1) for pool in pools]),
        hits=np.concatenate([padded(pool.hits, 0) for pool in pools]),
        wanted=np.concatenate([pool.wanted for pool in pools]),
    )


def find_blend(pool: Pool, catalogue_size: int) -> NDArray[np.float32]:
    """(sources,) the weights that do best on the pool."""
    search = _Search(pool, catalogue_size)
    singles = np.eye(pool.scores.shape[2], dtype=np.float32)
    worth = [search.quality(search.total(single)).mean() for single in singles]
    starts = np.argsort(worth)[::-1][:STARTS]
    climbed = [search.climb(singles[start]) for start in starts]
    best = max(climbed, key=lambda weights: float(search.quality(search.total(weights)).mean()))
    return search.widen(best)


class _Search:
    def __init__(self, pool: Pool, catalogue_size: int) -> None:
        self._pool, self._size = pool, catalogue_size
        self._absent = np.where(pool.items < 0, np.float32(-1e9), np.float32(0))
        self._counted = pool.wanted > 0
        self._discount = (1 / np.log2(np.arange(2, max(DEPTHS) + 2))).astype(np.float32)
        ideal = np.cumsum(self._discount)
        self._ideal = {depth: ideal[np.clip(pool.wanted, 1, depth) - 1] for depth in DEPTHS}

    def total(self, weights: NDArray[np.float32]) -> Matrix:
        return np.asarray(self._pool.scores @ weights + self._absent)

    def first(self, total: Matrix, depth: int) -> NDArray[np.int64]:
        depth = min(depth, total.shape[1])
        some = np.argpartition(-total, depth - 1, axis=1)[:, :depth]
        return np.take_along_axis(some, np.argsort(-np.take_along_axis(total, some, 1), axis=1), 1)

    def quality(self, total: Matrix) -> Matrix:
        """(users,) of each user's list."""
        hits = np.take_along_axis(self._pool.hits, self.first(total, max(DEPTHS)), 1)
        gains = hits * self._discount[: hits.shape[1]]
        parts = [(gains[:, :depth].sum(axis=1) / self._ideal[depth])[self._counted] for depth in DEPTHS]
        return np.asarray(np.mean(parts, axis=0), np.float32)

    def coverage(self, total: Matrix) -> float:
        shown = np.take_along_axis(self._pool.items, self.first(total, min(DEPTHS)), 1)
        return len(np.unique(shown[shown >= 0])) / self._size

    def climb(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        best = self.quality(self.total(weights))
        for _ in range(ROUNDS):
            before = best
            for source in range(len(weights)):
                weights, best = self._best_step(weights, source, best)
            if best is before:
                break
        return weights

    def _best_step(self, weights: NDArray[np.float32], source: int, best: Matrix) -> tuple[NDArray[np.float32], Matrix]:
        total, column = self.total(weights), self._pool.scores[:, :, source]
        found = [self.quality(total + (step - weights[source]) * column) for step in STEPS]
        place = int(np.argmax([one.mean() for one in found]))
        if not _surely_better(found[place], best):
            return weights, best
        return _replaced(weights, source, STEPS[place]), found[place]

    def widen(self, weights: NDArray[np.float32]) -> NDArray[np.float32]:
        """Move weights toward wider lists while that costs next to nothing."""
        floor = self.quality(self.total(weights)).mean() * (1 - COVERAGE_COSTS)
        covered = self.coverage(self.total(weights))
        while covered < COVERED:
            options = [
                (self.coverage(total), moved)
                for moved in self._moves(weights)
                if self.quality(total := self.total(moved)).mean() >= floor
            ]
            best = max(options, key=lambda option: option[0], default=(0.0, weights))
            if best[0] <= covered * 1.01:
                break
            covered, weights = best
        return weights

    def _moves(self, weights: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [
            _replaced(weights, source, float(weights[source]) + change)
            for source in range(len(weights))
            for change in (-0.25, -0.1, 0.1, 0.25)
        ]


def _surely_better(new: Matrix, old: Matrix) -> bool:
    gain = new - old
    return bool(gain.mean() > SURE * gain.std() / np.sqrt(len(gain)) + 1e-6)


def _replaced(weights: NDArray[np.float32], source: int, value: float) -> NDArray[np.float32]:
    changed = weights.copy()
    changed[source] = value
    return changed
