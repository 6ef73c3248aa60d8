"""From scores to a list: the best of every source merged, near-duplicates collapsed, some variety, one place to try."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyversity import Strategy, diversify

from tools.recommender.item_weights import Matrix
from tools.recommender.ranking import Ranker, Scores

POOL = 100
"""The best by personalised score that a list is chosen from; longer lists take as many more."""
ALIKE = 0.97
"""The cosine of two items' vectors from which a reader would take them for one."""
TRIED = 20
"""How many places further down the one that is tried may come from."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Places on the shelf, best first, and the probability with which each was shown in this list."""

    places: tuple[int, ...]
    probabilities: tuple[float, ...]


def choose(ranker: Ranker, scores: Scores, count: int, *, explore: float, draw: np.random.Generator) -> Choice:
    """A list of `count` items at most. A newcomer's is the plain order: nothing forced, nothing tried."""
    personalized = np.where(scores.allowed, scores.personalized, np.float32(-np.inf))
    pool = _pool(personalized, scores, count)
    pool = pool[~_repeats(ranker, pool)]
    if not scores.alpha:
        return Choice(tuple(pool[:count].tolist()), (1.0,) * len(pool[:count]))
    order = _varied(ranker, pool, personalized[pool], count)
    return _with_one_tried(order, pool, count, explore, draw)


def _pool(personalized: Matrix, scores: Scores, count: int) -> NDArray[np.int64]:
    """The best of all and the best of each source, in order of score."""
    places = np.union1d(_best(personalized, POOL + 2 * count), _best_of_each(scores))
    places = places[np.isfinite(personalized[places])]
    return places[np.argsort(-personalized[places], kind="stable")]


def _best_of_each(scores: Scores) -> NDArray[np.int64]:
    """The best item of every source, so that none is drowned by the others."""
    best = [int(np.argmax(np.where(scores.allowed, term, -np.inf))) for term in scores.terms.values()]
    return np.array(best, np.int64)


def _best(scores: Matrix, count: int) -> NDArray[np.int64]:
    if len(scores) <= count:
        return np.arange(len(scores))
    return np.argpartition(-scores, count)[:count]


def _repeats(ranker: Ranker, pool: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(pool,) whether something better in the pool says the same."""
    shelf = ranker.shelf
    twins = shelf.twin[pool]
    alike = twins[:, None] == twins[None, :]
    if shelf.vectors is not None:
        vectors = shelf.vectors[pool]
        alike |= vectors @ vectors.T >= ALIKE
    return np.asarray(np.triu(alike, 1).any(axis=0))


def _varied(ranker: Ranker, pool: NDArray[np.int64], scores: Matrix, count: int) -> NDArray[np.int64]:
    """Maximal marginal relevance: each next item is good and unlike those before (Carbonell & Goldstein, 1998)."""
    if len(pool) <= 2 or not ranker.policy.diversity:
        return pool[:count]
    spread = np.ptp(scores)
    relevance = (scores - scores.min()) / (spread if spread > 0 else 1)
    chosen = diversify(
        _about(ranker, pool), relevance, min(count, len(pool)), strategy=Strategy.MMR, diversity=ranker.policy.diversity
    )
    return pool[np.asarray(chosen.indices, np.int64)]


def _about(ranker: Ranker, pool: NDArray[np.int64]) -> Matrix:
    """(pool, …) what tells items apart: their vectors, else the facet values that the pool has."""
    if ranker.shelf.vectors is not None:
        return ranker.shelf.vectors[pool]
    rows = ranker.shelf.facets.matrix[pool]
    columns = np.unique(rows.indices)
    if not len(columns):
        return np.ones((len(pool), 1), np.float32)
    dense = np.zeros((len(pool), len(columns)), np.float32)
    row = np.repeat(np.arange(len(pool)), np.diff(rows.indptr))
    dense[row, np.searchsorted(columns, rows.indices)] = rows.data
    return dense


def _with_one_tried(
    order: NDArray[np.int64], pool: NDArray[np.int64], count: int, explore: float, draw: np.random.Generator
) -> Choice:
    """With probability `explore` the last place goes to one of the next best, each as likely."""
    others = pool[~np.isin(pool, order)][:TRIED]
    places, sure = order.tolist(), [1.0] * len(order)
    if len(order) < max(count, 2) or not len(others) or not explore:
        return Choice(tuple(places), tuple(sure))
    sure[-1] = 1 - explore
    if draw.random() < explore:
        places[-1], sure[-1] = int(draw.choice(others)), explore / len(others)
    return Choice(tuple(places), tuple(sure))
