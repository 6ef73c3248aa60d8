"""Boosted trees as flat arrays: the answer for one user takes a few vector operations instead of a walk per tree.

Each inner node has a mask of the leaves that stay possible when its test fails. The masks of all failed tests of a
tree, combined, leave the exit leaf as their lowest bit (QuickScorer: C. Lucchese et al., SIGIR 2015). The arrays are
all there is to a stored model: nothing in them can run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_LEAVES = 16
_WORDS = 8
"""32-bit words of a set of categories, which has at most 255 members."""
_BLOCK = 400_000
_ALL = np.uint16(0xFFFF)


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Trees of at most 16 leaves. Node arrays are ordered by tree; `starts` is the first node of each.

    `sets` has a row for each node; those of nodes that compare numbers are empty. `leaves` is trees × 16.
    """

    feature: NDArray[np.int32]
    threshold: Floats
    missing_left: NDArray[np.bool_]
    by_set: NDArray[np.int32]
    sets: NDArray[np.uint32]
    kept: NDArray[np.uint16]
    starts: NDArray[np.int64]
    leaves: Floats

    @property
    def count(self) -> int:
        """How many trees there are."""
        return len(self.starts)

    def scores(self, matrix: Floats) -> Floats:
        """The sum over the trees, for each row."""
        rows = max(1, _BLOCK // max(1, len(self.feature)))
        parts = [self.per_tree(matrix[at : at + rows]).sum(axis=1) for at in range(0, len(matrix), rows)]
        return np.concatenate(parts) if parts else np.empty(0)

    def per_tree(self, matrix: Floats) -> Floats:
        """rows × trees: what each tree adds."""
        values = matrix[:, self.feature]
        left = values <= self.threshold
        if len(self.by_set):
            left[:, self.by_set] = self._in_set(values[:, self.by_set])
        left |= np.isnan(values) & self.missing_left
        masks = np.bitwise_and.reduceat(np.where(left, _ALL, self.kept), self.starts, axis=1)
        exits = np.bitwise_count((masks & (~masks + np.uint16(1))) - np.uint16(1))
        return np.asarray(self.leaves[np.arange(self.count), exits])

    def _in_set(self, values: Floats) -> NDArray[np.bool_]:
        codes = np.where(np.isnan(values), 0, values).astype(np.uint32)
        words = self.sets[self.by_set, codes >> 5]
        return np.asarray(((words >> (codes & 31)) & 1).astype(bool) & ~np.isnan(values))

    def scaled(self, factor: float) -> "Trees":
        """The same trees, whose leaves count `factor` times."""
        return Trees(**self.arrays() | {"leaves": self.leaves * factor})

    def arrays(self) -> dict[str, Any]:
        """What is stored."""
        return {name: getattr(self, name) for name in self.__slots__}


def joined(parts: Sequence[Trees]) -> Trees:
    """All trees of several models, as one sum."""
    firsts = np.cumsum([0, *(len(part.feature) for part in parts)])[:-1]
    return Trees(
        feature=np.concatenate([part.feature for part in parts]),
        threshold=np.concatenate([part.threshold for part in parts]),
        missing_left=np.concatenate([part.missing_left for part in parts]),
        by_set=np.concatenate([part.by_set + np.int32(first) for part, first in zip(parts, firsts, strict=True)]),
        sets=np.concatenate([part.sets for part in parts]),
        kept=np.concatenate([part.kept for part in parts]),
        starts=np.concatenate([part.starts + first for part, first in zip(parts, firsts, strict=True)]),
        leaves=np.concatenate([part.leaves for part in parts]),
    )


def flattened(model: Any, features: NDArray[np.int32], first: int, last: int) -> Trees:
    """The trees `first:last` of a fitted HistGradientBoostingClassifier; `features` maps its columns to ours.

    Reads scikit-learn's fitted nodes, which are private there: a test compares the sums with its own.
    """
    return joined([_flat(predictor, features) for (predictor,) in model._predictors[first:last]])


def _flat(predictor: Any, features: NDArray[np.int32]) -> Trees:
    nodes = predictor.nodes
    order, kept, leaves = _walk(nodes)
    inner = nodes[order] if order else nodes[:1]
    by_set = inner["is_categorical"].astype(bool) & ~inner["is_leaf"].astype(bool)
    sets = np.zeros((len(inner), _WORDS), dtype=np.uint32)
    sets[by_set] = predictor.raw_left_cat_bitsets[inner["bitset_idx"][by_set]] if by_set.any() else 0
    return Trees(
        feature=features[inner["feature_idx"]],
        threshold=inner["num_threshold"].astype(np.float64),
        missing_left=inner["missing_go_to_left"].astype(bool),
        by_set=np.flatnonzero(by_set).astype(np.int32),
        sets=sets,
        kept=np.array(kept or [0xFFFF], dtype=np.uint16),
        starts=np.zeros(1, dtype=np.int64),
        leaves=np.pad(np.array(leaves, dtype=np.float64), (0, MAX_LEAVES - len(leaves)))[None, :],
    )


def _walk(nodes: Any) -> tuple[list[int], list[int], list[float]]:
    """Inner nodes, the leaves that each keeps when its test fails, and the leaves' values from left to right."""
    order: list[int] = []
    kept: list[int] = []
    leaves: list[float] = []

    def visit(index: int) -> None:
        node = nodes[index]
        if node["is_leaf"]:
            leaves.append(float(node["value"]))
            return
        at, first = len(order), len(leaves)
        order.append(index)
        kept.append(0)
        visit(int(node["left"]))
        kept[at] = 0xFFFF & ~(((1 << len(leaves)) - 1) & ~((1 << first) - 1))
        visit(int(node["right"]))

    visit(0)
    return order, kept, leaves
