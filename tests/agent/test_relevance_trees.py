"""Decision trees are read as they were fitted."""

import numpy as np

from agent.relevance_trees import Trees


def test_trees_add_up_to_log_odds():
    trees = Trees(
        base=-1.0,
        roots=[0, 3],
        feature=[1, 0, 0, 0],
        threshold=[0.5, 0, 0, 0],
        right=[2, 1, 2, 3],
        value=[0, -2.0, 3.0, 1.0],
    )
    odds = np.array([-1 - 2 + 1, -1 + 3 + 1])
    np.testing.assert_allclose(trees.predict(np.array([[9, 0.5], [9, 0.6]])), 1 / (1 + np.exp(-odds)))
