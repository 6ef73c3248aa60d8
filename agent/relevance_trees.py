"""Boosted decision trees, as benchmarks/fit_relevance.py exports them, read without the library that fitted them."""

from collections.abc import Sequence

import numpy as np

from agent.relevance_features import Floats


class Trees:
    """Boosted decision trees over features, added up to log-odds."""

    def __init__(
        self,
        base: float,
        roots: Sequence[int],
        feature: Sequence[int],
        threshold: Sequence[float],
        right: Sequence[int],
        value: Sequence[float],
    ) -> None:
        """Nodes of all trees in one list, each before its left child, which comes next. A row goes left where its
        feature is at most the threshold. A leaf is its own `right`, and its value is what it adds to the log-odds."""
        self._base = base
        self._roots = np.array(roots)
        self._feature = np.array(feature)
        self._threshold = np.array(threshold)
        self._value = np.array(value)
        self._right = np.array(right)
        self._is_leaf = self._right == np.arange(len(right))

    def predict(self, rows: Floats) -> Floats:
        """(n,) probabilities for (n, features)."""
        at = np.tile(self._roots, len(rows))
        row = np.repeat(np.arange(len(rows)), len(self._roots))
        inside = np.flatnonzero(~self._is_leaf[at])
        while len(inside):
            node = at[inside]
            goes_left = rows[row[inside], self._feature[node]] <= self._threshold[node]
            node = np.where(goes_left, node + 1, self._right[node])
            at[inside] = node
            inside = inside[~self._is_leaf[node]]
        odds = self._base + self._value[at].reshape(len(rows), -1).sum(1)
        probabilities: Floats = 1 / (1 + np.exp(-odds))
        return probabilities
