"""EASE is the same from either side, against its definition; each kind of weight finds what belongs together."""

import numpy as np
from scipy.sparse import csr_array  # type: ignore[import-untyped]

from tests.tools.recommender.data import tasteful_log
from tools.recommender.item_weights import ease, liked_matrix, neighbours, successions
from tools.recommender.log import Log


def by_definition(liked: np.ndarray, ridge: float) -> np.ndarray:
    inverse = np.linalg.inv(liked.T @ liked + ridge * np.eye(liked.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return np.asarray(weights)


def test_ease_from_users_and_from_items_is_what_the_paper_says():
    draw = np.random.default_rng(0)
    for shape in ((15, 40), (60, 20)):
        liked = (draw.random(shape) < 0.3).astype(np.float32)
        liked[0] = 1  # every item is liked by someone
        got = ease(csr_array(liked), ridge=5.0, keep=1000).toarray()
        np.testing.assert_allclose(got, by_definition(liked.astype(float), 5.0), atol=1e-4)


def test_an_item_that_nobody_liked_has_no_weights():
    liked = csr_array(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0]], np.float32))
    weights = ease(liked, ridge=1.0, keep=10).toarray()
    assert not weights[2].any()
    assert not weights[:, 2].any()


def test_neighbours_share_a_genre_and_only_the_largest_are_kept():
    weights = neighbours(liked_matrix(tasteful_log()), shrinkage=5.0, keep=6)
    assert (np.diff(weights.indptr) <= 6).all()
    best = np.array([row.argmax() for row in weights.toarray()])
    assert np.mean(best % 4 == np.arange(80) % 4) > 0.9


def test_what_came_right_after_counts_more_than_what_came_later():
    log = Log(
        ("u",),
        tuple("abcd"),
        np.zeros(4, np.int32),
        np.arange(4, dtype=np.int32),
        np.ones(4, np.bool_),
        np.arange(4, dtype=np.float64),
    )
    weights = successions(log, reach=3, fade=2.0, keep=10).toarray()
    assert weights[0, 1] > weights[0, 2] > weights[0, 3] > 0
