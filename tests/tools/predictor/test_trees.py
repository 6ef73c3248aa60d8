"""The flat trees say what scikit-learn's own trees say: with gaps, with sets of categories, with values never seen."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from tools.predictor.trees import MAX_LEAVES, flattened, joined


@pytest.mark.parametrize("leaves", [2, 7, MAX_LEAVES])
def test_the_same_scores_as_scikit_learn(leaves: int):
    draw = np.random.default_rng(leaves)
    matrix = draw.normal(size=(600, 5))
    matrix[:, 0] = draw.integers(0, 70, 600)
    matrix[draw.random(matrix.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(matrix[:, 0]) % 3 + matrix[:, 1] > 1).astype(float)
    model = HistGradientBoostingClassifier(
        max_iter=20, max_leaf_nodes=leaves, categorical_features=[0], min_samples_leaf=5, random_state=0
    ).fit(matrix, labels)
    trees = flattened(model, np.arange(5, dtype=np.int32), 0, 20)
    matrix[:5, 1:] *= 1e6
    expected = model.decision_function(matrix) - model._baseline_prediction.ravel()[0]
    np.testing.assert_allclose(trees.scores(matrix), expected, atol=1e-9)
    np.testing.assert_allclose(
        joined([trees.scaled(0.5), trees.scaled(0.5)]).scores(matrix[:3]), expected[:3], atol=1e-9
    )


def test_a_tree_that_never_split_adds_its_one_leaf():
    model = HistGradientBoostingClassifier(max_iter=1, min_samples_leaf=50).fit(
        np.zeros((60, 1)), np.repeat([0.0, 1.0], 30)
    )
    trees = flattened(model, np.arange(1, dtype=np.int32), 0, 1)
    assert trees.scores(np.array([[np.nan], [5.0]])) == pytest.approx([0, 0])
