"""Ranking for one user: base score, boost, personalised score, and the terms that each is made of.

    base_score         = the blend of sources, from 0 to 1 over what may be shown, × freshness
    boost_multiplier   = 1 + Σ over facets of factor · how much the user cares for the item's values of that facet
    personalized_score = base_score × boost_multiplier

Everything is arithmetic over arrays of all items; what loops is as long as the user's preferences or the list.
`alpha` says how far the log's blend is trusted for this user: nothing is known of a newcomer, whose list is what is
popular and good.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tools.recommender.facet_matrix import FacetMatrix
from tools.recommender.item_weights import Matrix
from tools.recommender.policy import Policy
from tools.recommender.shelf import Shelf
from tools.recommender.signals import FADES, SOURCES, SPANS, recency, standardised
from tools.recommender.sparse_rows import Rows, take
from tools.recommender.trained import MATRICES, Trained
from tools.recommender.user_state import UserState

ALPHA = 0.5
"""How far the blend is trusted for a user whom nobody asked about."""
HALF_KNOWN = 2.0
"""Likes and preferences after which the blend of the log and what is popular weigh the same."""
NEWCOMER: Mapping[str, float] = {"popular": 1.0, "popular_0.1": 0.5, "new": 0.3}
CONVERSATION = 2.0
LIKE_THIS = 2.0
ADJACENT = 0.25
ADJACENT_TO = 50
"""How many of the last likes, of their rarest values and of the values beside those count as next to them."""
MOST_HOLDERS = 2000
IGNORED = 0.8
LEAST_MULTIPLIER = 0.1
DAY = 86_400.0
EARTH_KM = 6371.0
NEARBY_KM = 5.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a list is for.

    Attributes:
        count: How many.
        category: Only items of it.
        query: (dimensions,) unit vector of what the conversation is about.
        like: An item to find others like.
        near: Latitude and longitude; closer is better, by halves of 5 km.
        only: Only these items.
        leave_out: Not these, such as what the answer has just cited.
        boosted: False measures what boosts add.
    """

    count: int = 10
    category: str | None = None
    query: NDArray[np.float32] | None = None
    like: str | None = None
    near: tuple[float, float] | None = None
    only: frozenset[str] | None = None
    leave_out: frozenset[str] = field(default_factory=frozenset)
    boosted: bool = True


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of all items for one user and wish.

    Attributes:
        allowed: (items,) what may be shown.
        base, multiplier: (items,).
        terms: Source → (items,) what it adds to the blend, in the units of the blend.
        scale: (items,) what one unit of the blend is worth in base score.
        alpha: How far the blend was trusted.
        history: The places of what the user liked, oldest first.
        rows: Name → the entries that the terms are sums of: the rows of the history in each matrix of weights, and its
            facet values as `facets`.
    """

    allowed: NDArray[np.bool_]
    base: Matrix
    multiplier: Matrix
    terms: Mapping[str, Matrix]
    scale: Matrix
    alpha: float
    history: NDArray[np.int64]
    rows: Mapping[str, Rows]

    @property
    def personalized(self) -> Matrix:
        """(items,) base score × boost multiplier."""
        return np.asarray(self.base * self.multiplier, np.float32)


class Ranker:
    """Scores a shelf for users; made anew when the shelf or what was learned changes.

    Args:
        trained: On the shelf's axis.
        now: Seconds since 1970, for what changes slowly.
    """

    def __init__(self, shelf: Shelf, trained: Trained, policy: Policy, *, now: float) -> None:
        self.shelf, self.trained, self.policy = shelf, trained, policy
        self._worth = dict(zip(SOURCES, trained.blend.tolist(), strict=True))
        self._crowd = _crowd(shelf, trained, now)
        self._freshness = _freshness(shelf, policy, now)
        self._crowd_blend = _weighted(self._crowd, self._worth, len(shelf))
        self._newcomer_blend = _weighted(self._crowd, NEWCOMER, len(shelf))

    def scores(self, state: UserState, wish: Wish, *, now: float) -> Scores:
        """Score every item for a user."""
        alpha = personal_alpha(state)
        history = self.history(state)
        rows = self._rows(history)
        terms = self._personal_terms(history, rows, alpha) | self._wish_terms(wish)
        blend = alpha * self._crowd_blend + (1 - alpha) * self._newcomer_blend
        for term in terms.values():
            blend = blend + term
        allowed = self.allowed(state, wish, now=now)
        low, high = _range(blend[allowed])
        damp = self._freshness * self._ignored(state)
        base = np.clip((blend - low) / (high - low), 0, 1) * damp
        if wish.near is not None:
            base = base * _nearness(self.shelf.location, wish.near)
        multiplier = self._multiplier(state) if wish.boosted else np.ones(len(self.shelf), np.float32)
        return Scores(allowed, base, multiplier, terms, damp / (high - low), alpha, history, rows)

    def allowed(self, state: UserState, wish: Wish, *, now: float) -> NDArray[np.bool_]:
        """(items,) what may be shown to this user now: the promises, and what the wish is for."""
        shelf = self.shelf
        allowed = shelf.live & (shelf.expires > now)
        if wish.category is not None:
            known = wish.category in shelf.categories
            allowed &= shelf.category == (shelf.categories.index(wish.category) if known else -1)
        if wish.only is not None:
            only = np.zeros(len(shelf), np.bool_)
            only[self.places(wish.only)] = True
            allowed &= only
        allowed[self.places(state.never | wish.leave_out | (state.met if wish.only is None else frozenset()))] = False
        if wish.like is not None:
            allowed[self.places({wish.like})] = False
        for pair in state.muted:
            allowed[self._with_value(pair)] = False
        return allowed

    def crowd_term(self, source: str, alpha: float, place: int) -> float:
        """What a source that is the same for everyone adds to the blend of one item."""
        worth = alpha * self._worth[source] + (1 - alpha) * NEWCOMER.get(source, 0.0)
        return float(worth * self._crowd[source][place])

    def places(self, ids: frozenset[str] | set[str]) -> list[int]:
        """Where these items stand on the shelf; those that are not there are left out."""
        index = self.shelf.index
        return [index[id] for id in ids if id in index]

    def history(self, state: UserState) -> NDArray[np.int64]:
        """The places of what the user liked, oldest first."""
        index = self.shelf.index
        return np.array([index[id] for id in state.liked if id in index], np.int64)

    def _with_value(self, pair: tuple[str, str]) -> NDArray[np.int32]:
        column = self.shelf.facets.columns.get(pair)
        by_value = self.shelf.facets.by_value
        if column is None:
            return np.zeros(0, np.int32)
        return np.asarray(by_value.indices[by_value.indptr[column] : by_value.indptr[column + 1]])

    def _rows(self, history: NDArray[np.int64]) -> dict[str, Rows]:
        if not len(history):
            return {}
        by_name = {name: take(getattr(self.trained.weights, name), history) for name in MATRICES}
        return by_name | {"facets": take(self.shelf.facets.matrix, history)}

    def _personal_terms(self, history: NDArray[np.int64], rows: Mapping[str, Rows], alpha: float) -> dict[str, Matrix]:
        if not len(history):
            return {}
        found = {f"{name}{suffix}": scores for name, suffix, scores in self._from_history(history, rows)}
        terms = {name: alpha * worth * standardised(found[name]) for name in found if (worth := self._worth[name])}
        return terms | {"adjacent": ADJACENT * alpha * standardised(self._adjacent(history))}

    def _from_history(self, history: NDArray[np.int64], rows: Mapping[str, Rows]) -> list[tuple[str, str, Matrix]]:
        weights = {suffix: recency(len(history), fade) for suffix, fade in FADES.items()}
        result = []
        for name in MATRICES:
            result += [(name, suffix, rows[name].summed(weight)) for suffix, weight in weights.items()]
        facets, about = self.shelf.facets, rows["facets"]
        values = [about.summed(weight) for weight in weights.values()]
        holds = _Holders(facets, np.unique(about.column))
        return [*result, *(("content", suffix, holds.of(value)) for suffix, value in zip(weights, values, strict=True))]

    def _adjacent(self, history: NDArray[np.int64]) -> Matrix:
        """(items,): values that stand beside those of the history in the same items, and that it has none of."""
        facets = self.shelf.facets
        own = np.unique(take(facets.matrix, history[-ADJACENT_TO:]).column)
        holders = np.diff(facets.by_value.indptr)
        near = np.unique(take(facets.by_value, own[np.argsort(holders[own])[:ADJACENT_TO]]).column)[:MOST_HOLDERS]
        beside = take(facets.matrix, near).summed(np.ones(len(near), np.float32))
        beside[own] = 0
        nearest = np.argsort(-beside)[:ADJACENT_TO] if len(beside) < MOST_HOLDERS else _largest(beside, ADJACENT_TO)
        return _Holders(facets, nearest[beside[nearest] > 0]).of(beside)

    def _wish_terms(self, wish: Wish) -> dict[str, Matrix]:
        terms: dict[str, Matrix] = {}
        if wish.query is not None and self.shelf.vectors is not None:
            terms["conversation"] = CONVERSATION * standardised(self.shelf.vectors @ wish.query)
        if wish.like is not None and wish.like in self.shelf.index:
            terms["like_this"] = LIKE_THIS * standardised(self._like(self.shelf.index[wish.like]))
        return terms

    def _like(self, place: int) -> Matrix:
        """(items,): how much like one item, by what they are about and by who liked both."""
        facets, weights = self.shelf.facets.matrix, self.trained.weights
        one, only = np.ones(1, np.float32), np.array([place])
        like = standardised(np.asarray(facets @ take(facets, only).summed(one), np.float32))
        like = like + standardised(take(weights.neighbours, only).summed(one))
        if self.shelf.vectors is not None:
            like = like + standardised(self.shelf.vectors @ self.shelf.vectors[place])
        return like

    def _ignored(self, state: UserState) -> Matrix:
        damp = np.ones(len(self.shelf), np.float32)
        for id, times in (state.ignored or {}).items():
            if id in self.shelf.index:
                damp[self.shelf.index[id]] = IGNORED**times
        return damp

    def _multiplier(self, state: UserState) -> Matrix:
        multiplier = np.ones(len(self.shelf), np.float32)
        for facet, factor in self.policy.boosts.items():
            cares = {pair: score for pair, score in (state.prefers or {}).items() if pair[0] == facet}
            if cares:
                multiplier += factor * self._cares(cares)
        return np.maximum(multiplier, LEAST_MULTIPLIER)

    def _cares(self, cares: Mapping[tuple[str, str], float]) -> Matrix:
        """(items,) from −1 to 1: the strongest liking and the strongest dislike of an item's values, added."""
        most, least = np.zeros(len(self.shelf), np.float32), np.zeros(len(self.shelf), np.float32)
        for pair, score in cares.items():
            places = self._with_value(pair)
            side, pick = (most, np.maximum) if score > 0 else (least, np.minimum)
            side[places] = pick(side[places], np.float32(np.clip(score, -1, 1)))
        return np.asarray(most + least, np.float32)


def personal_alpha(state: UserState) -> float:
    """From 0 for a stranger towards 1: how far what is known of the user is exploited."""
    return state.known / (state.known + HALF_KNOWN)


def _crowd(shelf: Shelf, trained: Trained, now: float) -> dict[str, Matrix]:
    """Source → (items,) standardised scores that are the same for everyone."""
    counts = trained.counts + shelf.prior[None, :]
    names = ("popular", *(f"popular_{span:g}" for span in SPANS))
    scores = {name: np.log(counts[row] + 0.01) for row, name in enumerate(names)}
    matrix = shelf.facets.matrix
    scores["popular_facets"] = matrix @ (matrix.T @ np.log1p(counts[3]))
    age = np.maximum(now - shelf.published, 0) / DAY
    scores["new"] = np.nan_to_num(1 / (1 + age))
    scores["unseen"] = (trained.counts[0] == 0).astype(np.float32)
    return {name: standardised(np.asarray(one, np.float32)) for name, one in scores.items()}


def _freshness(shelf: Shelf, policy: Policy, now: float) -> Matrix:
    """(items,) 1 when new, halving towards the floor; 1 where the age or the half-life is unknown."""
    half_lives = np.array([policy.half_lives.get(name, np.inf) for name in shelf.categories] or [np.inf])
    age = np.maximum(now - shelf.published, 0) / DAY
    fresh = np.exp2(-age / half_lives[shelf.category])
    kept = policy.freshness_floor + (1 - policy.freshness_floor) * fresh
    return np.asarray(np.nan_to_num(kept, nan=1.0), np.float32)


def _weighted(scores: Mapping[str, Matrix], worth: Mapping[str, float], size: int) -> Matrix:
    total = np.zeros(size, np.float32)
    for name, one in scores.items():
        if worth.get(name):
            total += np.float32(worth[name]) * one
    return total


class _Holders:
    """The items that hold some facet values."""

    def __init__(self, facets: FacetMatrix, values: NDArray[np.int64]) -> None:
        self._values, self._rows = values, take(facets.by_value, values)

    def of(self, worth: Matrix) -> Matrix:
        """(items,): the sum of what their values are worth; `worth` is (values,)."""
        return self._rows.summed(worth[self._values])


def _largest(scores: Matrix, count: int) -> NDArray[np.int64]:
    return np.argpartition(-scores, count)[:count]


def _range(scores: Matrix) -> tuple[float, float]:
    if not len(scores):
        return 0.0, 1.0
    low, high = float(scores.min()), float(scores.max())
    return (low, high) if high - low > 1e-9 else (low - 1.0, high)


def _nearness(location: Matrix, near: tuple[float, float]) -> Matrix:
    """(items,): ½ to the power of the distance over 5 km; 0 where the place is unknown. Haversine."""
    there, here = np.radians(location), np.radians(np.array(near, np.float32))
    half = np.sin((there - here) / 2) ** 2
    chord = half[:, 0] + np.cos(there[:, 0]) * np.cos(here[0]) * half[:, 1]
    distance = 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(chord, 0, 1)))
    return np.asarray(np.nan_to_num(np.exp2(-distance / NEARBY_KM)), np.float32)
