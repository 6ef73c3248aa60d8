"""Some rows of a sparse matrix, without the checks that make scipy's own indexing slow for a list of ten."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array  # type: ignore[import-untyped]

from tools.recommender.item_weights import Matrix


@dataclass(frozen=True, slots=True)
class Rows:
    """The entries of rows (or of columns, of a matrix by columns), one after the other.

    Attributes:
        row: (entries,) which of the chosen rows.
        column: (entries,) the place across.
        value: (entries,)
        width: How many places there are across.
    """

    row: NDArray[np.int64]
    column: NDArray[np.int32]
    value: Matrix
    width: int

    def summed(self, weights: Matrix) -> Matrix:
        """(width,): the sum of the rows, each times its weight."""
        total = np.bincount(self.column, self.value * weights[self.row], minlength=self.width)
        return np.asarray(total, np.float32)

    def at(self, column: int, rows: int) -> Matrix:
        """(rows,): what the rows hold at one place."""
        here = self.column == column
        result = np.zeros(rows, np.float32)
        result[self.row[here]] = self.value[here]
        return result


def take(matrix: csr_array | csc_array, chosen: NDArray[np.integer]) -> Rows:
    """The chosen rows of a matrix by rows, or columns of a matrix by columns."""
    starts, stops = matrix.indptr[chosen], matrix.indptr[np.asarray(chosen) + 1]
    lengths = (stops - starts).astype(np.int64)
    row = np.repeat(np.arange(len(lengths)), lengths)
    entry = np.arange(len(row)) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    width = matrix.shape[1] if matrix.format == "csr" else matrix.shape[0]
    return Rows(row, matrix.indices[entry], matrix.data[entry], width)
