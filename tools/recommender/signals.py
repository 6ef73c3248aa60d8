"""What speaks for an item: one score a source of evidence, each on the same scale, for many users at once.

The sources are the user's history seen through item-to-item weights (EASE, item-kNN, succession), what items are about,
what is popular at the user's moment over several spans of time, and how new an item is. `blend.py` finds what each is
worth on this log. Every score uses only what had happened by the user's moment, apart from the weights themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from tools.recommender.facet_matrix import FacetMatrix
from tools.recommender.item_weights import Matrix, ease, liked_matrix, neighbours, successions
from tools.recommender.log import Log

SPANS = (0.003, 0.01, 0.03, 0.1, 0.3)
"""Half-lives of recent popularity, as parts of the span in which nine tenths of the log happened."""
SOURCES = (
    "ease",
    "ease_recent",
    "neighbours",
    "neighbours_recent",
    "succession",
    "succession_recent",
    "content",
    "content_recent",
    "popular",
    *(f"popular_{span:g}" for span in SPANS),
    "popular_facets",
    "new",
    "unseen",
)
FADES = {"": 0.0, "_recent": 5.0}
KEEP = 300
PLACES_BACK = 20


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned from a log: (items, items) weights of each kind."""

    ease: csr_array
    neighbours: csr_array
    succession: csr_array


def learn_weights(log: Log, *, ridge: float = 100.0, keep: int = KEEP) -> Weights:
    """Fit the item-to-item weights on the likes of a log."""
    liked = liked_matrix(log)
    return Weights(
        ease=ease(liked, ridge=ridge, keep=keep),
        neighbours=neighbours(liked, shrinkage=20.0, keep=keep),
        succession=successions(log, reach=PLACES_BACK, fade=10.0, keep=keep),
    )


def histories(log: Log, users: NDArray[np.int64], *, fade: float = 0.0) -> csr_array:
    """(users, items) of what they liked: 1, or exp(−places back / fade) plus a little for the old."""
    rows, columns, weights = [], [], []
    for row, user in enumerate(users):
        events = log.of(int(user))
        items = log.item[events][log.liked[events]]
        rows.append(np.full(len(items), row))
        columns.append(items)
        weights.append(recency(len(items), fade))
    shape = (len(users), len(log.items))
    data = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    history = csr_array(data, shape=shape, dtype=np.float32)
    history.sum_duplicates()
    return history


def recency(events: int, fade: float) -> Matrix:
    """The weight of each of a user's events, oldest first."""
    if not fade:
        return np.ones(events, np.float32)
    back = np.arange(events - 1, -1, -1, dtype=np.float32)
    return np.asarray(np.exp(-back / fade) + 0.05, np.float32)


class Popularity:
    """Likes per item, fading by half-lives, as they stood at one moment after another."""

    def __init__(self, log: Log) -> None:
        likes = log.where(log.liked)
        likes = likes.where(np.argsort(likes.time, kind="stable"))
        self._item, self._time = likes.item, likes.time
        self.items = len(log.items)
        low, high = np.quantile(self._time, (0.05, 0.95)) if len(likes) else (0.0, 1.0)
        self.half_lives = np.array([np.inf, *(max(high - low, 1.0) * span for span in SPANS)])
        self.last = float(self._time[-1]) if len(likes) else 0.0

    def at(self, moments: NDArray[np.float64]) -> Matrix:
        """(moments, half-lives, items): the faded counts at each moment; the first half-life is for ever."""
        counts = np.zeros((len(self.half_lives), self.items))
        result = np.empty((len(moments), *counts.shape), np.float32)
        done, then = 0, self._time[0] if len(self._time) else 0.0
        for place in np.argsort(moments, kind="stable"):
            upto = int(np.searchsorted(self._time, moments[place], side="right"))
            then, done = self._forward(counts, then, done, float(moments[place]), upto)
            result[place] = counts
        return result

    def _forward(
        self, counts: NDArray[np.float64], then: float, done: int, moment: float, upto: int
    ) -> tuple[float, int]:
        if moment > then:
            counts *= np.exp2(-(moment - then) / self.half_lives)[:, None]
            then = moment
        for row, half_life in enumerate(self.half_lives):
            faded = np.exp2(-(then - self._time[done:upto]) / half_life)
            counts[row] += np.bincount(self._item[done:upto], faded, minlength=self.items)
        return then, upto


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What is known of the items beside the log: facets, and when each was published (seconds; NaN: unknown)."""

    facets: FacetMatrix
    published: NDArray[np.float64]


class Scorer:
    """Scores of every source for users of one log."""

    def __init__(self, log: Log, weights: Weights, catalogue: Catalogue) -> None:
        self.log, self.weights, self.catalogue = log, weights, catalogue
        self.popularity = Popularity(log)

    def scores(self, users: NDArray[np.int64], moments: NDArray[np.float64]) -> Matrix:
        """(users, sources, items) in the order of SOURCES; each row has mean 0 and deviation 1."""
        counts = self.popularity.at(moments)
        by_source = {
            **_from_history(self.log, self.weights, self.catalogue.facets, users),
            **_from_counts(counts, self.catalogue, moments),
        }
        return np.stack([standardised(by_source[name]) for name in SOURCES], axis=1)


def _from_history(log: Log, weights: Weights, facets: FacetMatrix, users: NDArray[np.int64]) -> dict[str, Matrix]:
    result: dict[str, Matrix] = {}
    for suffix, fade in FADES.items():
        history = histories(log, users, fade=fade)
        for name in ("ease", "neighbours", "succession"):
            result[name + suffix] = (history @ getattr(weights, name)).toarray()
        result["content" + suffix] = ((history @ facets.matrix) @ facets.matrix.T).toarray()
    return result


def _from_counts(counts: Matrix, catalogue: Catalogue, moments: NDArray[np.float64]) -> dict[str, Matrix]:
    names = ("popular", *(f"popular_{span:g}" for span in SPANS))
    result = {name: np.log(counts[:, row] + 0.01) for row, name in enumerate(names)}
    matrix = catalogue.facets.matrix
    result["popular_facets"] = (matrix @ (matrix.T @ np.log1p(counts[:, 3]).T)).T
    age = np.maximum(moments[:, None] - catalogue.published[None, :], 0) / 86_400
    result["new"] = np.nan_to_num(1 / (1 + age)).astype(np.float32)
    result["unseen"] = (counts[:, 0] == 0).astype(np.float32)
    return result


def standardised(scores: Matrix) -> Matrix:
    """Each row with mean 0 and deviation 1; a row without differences becomes 0."""
    if not scores.size:
        return scores
    centred = scores - scores.mean(axis=-1, keepdims=True)
    return np.asarray(centred / np.maximum(centred.std(axis=-1, keepdims=True), 1e-9), np.float32)
