"""Measures against values worked out by hand, and against scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from knowledge_base.metrics import auroc, calibration_error, ndcg, recall, reciprocal_rank


def test_ndcg_of_a_worked_example():
    # Gains 3, 2, 3, 0, 1, 2 at ranks 1 to 6, the textbook example, with all six relevant documents known.
    relevant = {"a": 3.0, "b": 2.0, "c": 3.0, "e": 1.0, "f": 2.0}
    gained = 3 + 2 / math.log2(3) + 3 / 2 + 0 + 1 / math.log2(6) + 2 / math.log2(7)
    ideal = 3 + 3 / math.log2(3) + 2 / 2 + 2 / math.log2(5) + 1 / math.log2(6)
    assert ndcg(list("abcdef"), relevant, 6) == pytest.approx(gained / ideal)
    assert ndcg(list("abcdef"), relevant, 6) == pytest.approx(0.961, abs=5e-4)


def test_depth_bounds_what_is_seen_and_what_is_ideal():
    relevant = {"a": 1.0, "b": 1.0, "c": 1.0}
    assert ndcg(["a", "x"], relevant, 1) == 1
    assert ndcg(["x", "a"], relevant, 1) == 0
    assert ndcg(["x", "a"], {"a": 1.0}, 10) == pytest.approx(1 / math.log2(3))
    assert recall(["a", "x", "b"], relevant, 2) == pytest.approx(1 / 3)
    assert recall(["a", "b"], {}, 2) == ndcg(["a"], {}, 2) == 0


def test_reciprocal_rank():
    assert reciprocal_rank(["x", "y", "a"], {"a": 1.0, "z": 1.0}) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x"], {"a": 1.0}) == 0


def test_auroc_of_a_worked_example():
    assert auroc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]) == pytest.approx(0.75)
    assert auroc([0.5, 0.5], [True, False]) == 0.5
    assert auroc([0.5, 0.6], [True, True]) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_agrees_with_scikit_learn(pairs: list[tuple[int, bool]]):
    scores, labels = [float(score) for score, _ in pairs], [label for _, label in pairs]
    if len(set(labels)) == 2:
        assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_calibration_error():
    labels = [True, False] * 50
    assert calibration_error([0.5] * 100, labels) == pytest.approx(0)
    assert calibration_error([0.9] * 100, labels) == pytest.approx(0.4)
    chance = np.random.default_rng(0)
    sure = chance.uniform(size=5_000)
    assert calibration_error(sure.tolist(), (chance.uniform(size=5_000) < sure).tolist()) < 0.03
