"""Suggestions measured on a log: two splits, four baselines, and the blend that the log itself chose.

- `user`: the last part of each user's likes by time is the test.
- `time`: everything after the moment that the first part (80 % unless said otherwise) of the likes precede.

Users with five or more likes in train are measured; all items that they did not like in train are ranked; nDCG@10,
Recall@10 and the part of the catalogue that the first ten use. The blend also leaves out what a user had rated low
by then, as it does when it serves; the row "EASE, low ratings left out" shows what that alone is worth.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from tools.recommender.blend import Pool, find_blend, join
from tools.recommender.catalogue_file import ItemsRead, read_items, read_rows
from tools.recommender.errors import LogTooSmall, RecommenderError
from tools.recommender.facet_matrix import facet_matrix
from tools.recommender.item_weights import Matrix, ease, liked_matrix, neighbours
from tools.recommender.log import Log, LogRead, read_log
from tools.recommender.signals import SOURCES, SPANS, Catalogue, Popularity, Scorer, learn_weights

Split = Literal["user", "time"]
SPLITS: Mapping[str, Split] = {"user": "user", "time": "time"}
Advance = Callable[[int, int, str], None]

DEPTH = 10
LEAST_LIKES = 5
BATCH = 256
POOLED = 100
VALIDATED = 800
LISTED = 100


@dataclass(frozen=True, slots=True)
class Parts:
    """A log cut in two.

    Attributes:
        train: What is known; low ratings that came before the cut included.
        users: (users,) who is measured.
        moments: (users,) when they are measured: what happened later is not known.
        wanted: For each of them the items that they went on to like.
    """

    train: Log
    users: NDArray[np.int64]
    moments: NDArray[np.float64]
    wanted: tuple[NDArray[np.int32], ...]


def cut(log: Log, split: Split, holdout: float) -> Parts:
    """Cut a log in train and test. Raises LogTooSmall when nobody can be measured."""
    ends = _ends_by_user(log, holdout) if split == "user" else _ends_by_time(log, holdout)
    likes = np.flatnonzero(log.liked)
    tested = np.zeros(len(log), np.bool_)
    tested[likes] = ~ends.known
    later = ~log.liked & (log.time > ends.moment[log.user])
    train = log.where(~tested & ~later)
    train = train.where(train.liked | ~np.isin(_pairs(train), _pairs(log.where(tested))))
    test = log.where(tested)
    return _measured(train, test, ends.moment)


@dataclass(frozen=True, slots=True)
class _Ends:
    known: NDArray[np.bool_]
    moment: NDArray[np.float64]


def _ends_by_user(log: Log, holdout: float) -> _Ends:
    likes = log.where(log.liked)
    count = np.bincount(likes.user, minlength=len(log.users))
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    kept = np.floor(count * (1 - holdout) + 1e-9).astype(np.int64)
    known = np.arange(len(likes)) - start[likes.user] < kept[likes.user]
    moment = np.full(len(log.users), -np.inf)
    np.maximum.at(moment, likes.user[known], likes.time[known])
    return _Ends(known, moment)


def _ends_by_time(log: Log, holdout: float) -> _Ends:
    likes = log.where(log.liked)
    last = np.sort(likes.time)[max(int(len(likes) * (1 - holdout)) - 1, 0)] if len(likes) else 0.0
    return _Ends(likes.time <= last, np.full(len(log.users), last))


def _pairs(log: Log) -> NDArray[np.int64]:
    return log.user.astype(np.int64) * len(log.items) + log.item


def _measured(train: Log, test: Log, moment: NDArray[np.float64]) -> Parts:
    test = test.where(~np.isin(_pairs(test), _pairs(train.where(train.liked))))
    likes = np.bincount(train.user[train.liked], minlength=len(train.users))
    users = np.flatnonzero((likes >= LEAST_LIKES) & (np.bincount(test.user, minlength=len(train.users)) > 0))
    if not len(users):
        raise LogTooSmall(
            f"Expected users with {LEAST_LIKES} likes before the cut and one after it; there is none among "
            f"{len(train.users)} users with {len(train) + len(test)} events. Give a longer log or another --holdout."
        )
    wanted = tuple(np.unique(test.item[test.of(int(user))]) for user in users)
    return Parts(train, users, moment[users], wanted)


@dataclass(frozen=True, slots=True)
class Measured:
    """How good lists were: means over users, and the part of the catalogue that the first ten use."""

    ndcg: float
    recall: float
    coverage: float

    def as_json(self) -> dict[str, float]:
        """By the names that the command prints."""
        return {f"nDCG@{DEPTH}": self.ndcg, f"Recall@{DEPTH}": self.recall, "coverage": self.coverage}


def measure(lists: NDArray[np.int64], parts: Parts) -> Measured:
    """Measure (users, 10 or more) items, best first."""
    first = lists[:, :DEPTH]
    discount = 1 / np.log2(np.arange(2, DEPTH + 2))
    hits = np.stack([np.isin(row, wanted) for row, wanted in zip(first, parts.wanted, strict=True)])
    size = np.array([len(wanted) for wanted in parts.wanted])
    ideal = np.cumsum(discount)[np.minimum(size, DEPTH) - 1]
    return Measured(
        ndcg=float(((hits * discount[: hits.shape[1]]).sum(axis=1) / ideal).mean()),
        recall=float((hits.sum(axis=1) / size).mean()),
        coverage=len(np.unique(first[first >= 0])) / len(parts.train.items),
    )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured, the weights that were chosen, and the lists of the blend by user id."""

    measured: Mapping[str, Measured]
    weights: Mapping[str, float]
    parts: Parts
    lists: NDArray[np.int64]

    def runs(self) -> Iterator[tuple[str, list[str]]]:
        """(user, items best first) of everyone who was measured."""
        log = self.parts.train
        for user, row in zip(self.parts.users, self.lists, strict=True):
            yield log.users[user], [log.items[item] for item in row if item >= 0]


def read_evaluation_files(items: Path, interactions: Path) -> tuple[LogRead, Catalogue, ItemsRead]:
    """A log and its catalogue from files. Raises CatalogueUnreadable."""
    found = read_items(items)
    read = read_log(read_rows(interactions), [item.id for item in found.items])
    published = np.array([item.published.timestamp() if item.published else np.nan for item in found.items])
    return read, Catalogue(facet_matrix([item.facets for item in found.items]), published), found


def evaluate(
    log: Log, catalogue: Catalogue, *, split: Split, holdout: float, progress: Advance | None = None
) -> Evaluation:
    """Choose the blend on train alone, then measure it and the baselines on test."""
    tell = progress or (lambda _done, _total, _what: None)
    parts = cut(log, split, holdout)
    tell(0, 4, "baselines")
    measured = _baselines(parts)
    tell(1, 4, "choosing the blend")
    weights = choose_weights(parts.train, catalogue, split=split, holdout=holdout)
    tell(2, 4, "training")
    scorer = Scorer(parts.train, learn_weights(parts.train), catalogue)
    tell(3, 4, "measuring")
    lists = blended_lists(scorer, parts, weights)
    measured = {"Attune": measure(lists, parts), **measured}
    tell(4, 4, "done")
    return Evaluation(measured, dict(zip(SOURCES, weights.tolist(), strict=True)), parts, lists)


def choose_weights(train: Log, catalogue: Catalogue, *, split: Split, holdout: float) -> NDArray[np.float32]:
    """The blend that does best on a slice of train, held out as the test is. Too small a log: popularity, then EASE."""
    try:
        parts = cut(train, split, holdout)
    except LogTooSmall:
        return np.array([{"popular": 1.0, "ease": 0.5}.get(name, 0.0) for name in SOURCES], np.float32)
    scorer = Scorer(parts.train, learn_weights(parts.train), catalogue)
    return find_blend(_pool(scorer, _some(parts, VALIDATED)), len(train.items))


def _some(parts: Parts, most: int) -> Parts:
    if len(parts.users) <= most:
        return parts
    chosen = np.sort(np.random.default_rng(0).choice(len(parts.users), most, replace=False))
    wanted = tuple(parts.wanted[one] for one in chosen)
    return Parts(parts.train, parts.users[chosen], parts.moments[chosen], wanted)


def _batches(parts: Parts) -> Iterator[slice]:
    return (slice(start, start + BATCH) for start in range(0, len(parts.users), BATCH))


def _pool(scorer: Scorer, parts: Parts) -> Pool:
    pools = []
    for batch in _batches(parts):
        scores = scorer.scores(parts.users[batch], parts.moments[batch])
        seen = histories_seen(parts.train, parts.users[batch])
        pools.append(_pool_of(scores, seen, parts.wanted[batch]))
    return join(pools)


def _pool_of(scores: Matrix, seen: NDArray[np.bool_], wanted: Sequence[NDArray[np.int32]]) -> Pool:
    worth = np.zeros(seen.shape, np.bool_)
    for source in range(scores.shape[1]):
        allowed = np.where(seen, np.float32(-np.inf), scores[:, source])
        some = np.argpartition(-allowed, min(POOLED, allowed.shape[1] - 1), axis=1)[:, :POOLED]
        np.put_along_axis(worth, some, True, axis=1)
    worth &= ~seen
    width = int(worth.sum(axis=1).max())
    items = np.argsort(~worth, axis=1, kind="stable")[:, :width].astype(np.int32)
    inside = np.take_along_axis(worth, items, axis=1)
    hits = np.stack([np.isin(row, some) for row, some in zip(items, wanted, strict=True)]) & inside
    return Pool(
        scores=np.ascontiguousarray(np.take_along_axis(scores, items[:, None, :], axis=2).transpose(0, 2, 1)),
        items=np.where(inside, items, np.int32(-1)),
        hits=hits.astype(np.float32),
        wanted=np.array([len(some) for some in wanted]),
    )


def histories_seen(log: Log, users: NDArray[np.int64], *, liked_only: bool = False) -> NDArray[np.bool_]:
    """(users, items): what each has met in the log."""
    seen = np.zeros((len(users), len(log.items)), np.bool_)
    for row, user in enumerate(users):
        events = log.of(int(user))
        seen[row, log.item[events][log.liked[events]] if liked_only else log.item[events]] = True
    return seen


def blended_lists(scorer: Scorer, parts: Parts, weights: NDArray[np.float32]) -> NDArray[np.int64]:
    """(users, items) best first, without what they have met."""

    def score(batch: slice) -> Matrix:
        scores = scorer.scores(parts.users[batch], parts.moments[batch])
        return np.asarray(np.einsum("usi,s->ui", scores, weights), np.float32)

    return _lists(parts, score, liked_only=False)


def _lists(parts: Parts, score: Callable[[slice], Matrix], *, liked_only: bool) -> NDArray[np.int64]:
    rows = []
    for batch in _batches(parts):
        scores = score(batch).copy()
        scores[histories_seen(parts.train, parts.users[batch], liked_only=liked_only)] = -np.inf
        rows.append(_best(scores, LISTED))
    return np.concatenate(rows)


def _best(scores: Matrix, depth: int) -> NDArray[np.int64]:
    """(users, depth) items, best first; −1 where nothing is left."""
    depth = min(depth, scores.shape[1])
    some = np.argpartition(-scores, depth - 1, axis=1)[:, :depth]
    order = np.take_along_axis(some, np.argsort(-np.take_along_axis(scores, some, 1), axis=1, kind="stable"), 1)
    return np.where(np.isfinite(np.take_along_axis(scores, order, 1)), order, -1)


def _baselines(parts: Parts) -> dict[str, Measured]:
    """Popularity, recent popularity (the half-life that suits train best is not chosen: one tenth of it), kNN, EASE."""
    train = parts.train
    liked = liked_matrix(train)
    own = liked[parts.users]
    popular = np.bincount(train.item[train.liked], minlength=len(train.items)).astype(np.float32)
    measured = {
        "popularity": measure(_lists(parts, lambda batch: _repeated(popular, parts, batch), liked_only=True), parts),
        "recent popularity": measure(_recent(parts), parts),
        "item-kNN": measure(_through(parts, own, neighbours(liked, shrinkage=20.0, keep=200), liked_only=True), parts),
    }
    weights = ease(liked, ridge=100.0, keep=len(train.items))
    measured["EASE"] = measure(_through(parts, own, weights, liked_only=True), parts)
    measured["EASE, low ratings left out"] = measure(_through(parts, own, weights, liked_only=False), parts)
    return measured


def _repeated(scores: Matrix, parts: Parts, batch: slice) -> Matrix:
    return np.tile(scores, (len(parts.users[batch]), 1))


def _recent(parts: Parts) -> NDArray[np.int64]:
    popularity = Popularity(parts.train)
    column = 1 + SPANS.index(0.03)
    return _lists(parts, lambda batch: popularity.at(parts.moments[batch])[:, column], liked_only=True)


def _through(parts: Parts, own: csr_array, weights: csr_array, *, liked_only: bool) -> NDArray[np.int64]:
    return _lists(parts, lambda batch: (own[batch] @ weights).toarray(), liked_only=liked_only)


def split_named(name: str) -> Split:
    """`user` or `time`. Raises RecommenderError."""
    if name in SPLITS:
        return SPLITS[name]
    raise RecommenderError(f"Expected --split user or --split time, got {name[:40]!r}.")


def as_json(evaluation: Evaluation, read: LogRead, found: ItemsRead) -> dict[str, Any]:
    """What the command prints."""
    return {
        "users": len(evaluation.parts.users),
        "items": len(found.items),
        "events": len(read.log),
        "rows left out": len(found.rejected) + len(read.rejected),
        "events repeated": read.repeated,
        "facets": ", ".join(sorted(found.facets)),
        "blend": ", ".join(f"{name} {value:.2f}" for name, value in evaluation.weights.items() if value),
        **{name: measured.as_json() for name, measured in evaluation.measured.items()},
    }
