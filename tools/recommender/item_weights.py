"""Item-to-item weights from the log, in closed form: what speaks for an item, given the items before.

- EASE: H. Steck, "Embarrassingly shallow autoencoders for sparse data" (WWW 2019): ridge regression of each item on all
  others with a zero diagonal, from one inverse. Where there are fewer users than items the inverse is taken on the
  users' side (Woodbury), which gives the same weights.
- Item-kNN: cosine of the items' columns, shrunk where they rest on few users.
- Succession: how often an item came shortly before or after another in somebody's history.

Matrices are float32; rows are the items of the history, columns those that they speak for. For serving each row keeps
its largest weights.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, lapack  # type: ignore[import-untyped]
from scipy.sparse import coo_array, csr_array, diags_array, vstack  # type: ignore[import-untyped]

from tools.recommender.log import Log

Matrix = NDArray[np.float32]

BLOCK = 512


def liked_matrix(log: Log) -> csr_array:
    """(users, items), 1 where the user liked the item."""
    user, item = log.user[log.liked], log.item[log.liked]
    matrix = csr_array((np.ones(len(user), np.float32), (user, item)), shape=(len(log.users), len(log.items)))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def ease(liked: csr_array, *, ridge: float, keep: int) -> csr_array:
    """(items, items) EASE weights with ridge λ, the `keep` of each row that are largest in size."""
    used = np.flatnonzero(np.asarray(liked.sum(axis=0)).ravel())
    some = liked[:, used]
    rows = _ease_by_users(some, ridge) if some.shape[0] < some.shape[1] else _ease_by_items(some, ridge)
    return _widened([_largest(block, keep) for block in rows], used, liked.shape[1])


def _ease_by_items(liked: csr_array, ridge: float) -> Iterator[Matrix]:
    gram = (liked.T @ liked).toarray().astype(np.float32, copy=False, order="F")
    gram[np.diag_indices_from(gram)] += ridge
    upper, failed = lapack.spotrf(gram, lower=False, overwrite_a=True, clean=True)
    inverse, failed = lapack.spotri(upper, lower=False, overwrite_c=True) if not failed else (upper, failed)
    if failed:
        raise ArithmeticError(f"The Gram matrix is not positive definite (LAPACK says {failed}); raise the ridge.")
    scale = -1 / np.diag(inverse)
    for start in range(0, len(scale), BLOCK):  # only the upper triangle holds the inverse
        stop = min(start + BLOCK, len(scale))
        block = np.concatenate([inverse[:start, start:stop].T, inverse[start:stop, start:]], axis=1)
        square = block[:, start:stop]
        square[:] = np.triu(square) + np.triu(square, 1).T
        block *= scale[None, :]
        block[np.arange(stop - start), np.arange(start, stop)] = 0
        yield block


def _ease_by_users(liked: csr_array, ridge: float) -> Iterator[Matrix]:
    kernel = (liked @ liked.T).toarray().astype(np.float32, copy=False)
    kernel[np.diag_indices_from(kernel)] += ridge
    solved = cho_solve(cho_factor(kernel, overwrite_a=True), liked.toarray(), overwrite_b=True, check_finite=False)
    scale = 1 / (1 - np.asarray(liked.multiply(solved).sum(axis=0)).ravel())
    columns = liked.T.tocsr()
    for start in range(0, columns.shape[0], BLOCK):
        block = np.asarray(columns[start : start + BLOCK] @ solved, np.float32) * scale[None, :].astype(np.float32)
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        yield block


def neighbours(liked: csr_array, *, shrinkage: float, keep: int) -> csr_array:
    """(items, items) shrunk cosines, the `keep` largest of each row."""
    columns = liked.T.tocsr()
    length = np.sqrt(np.asarray(liked.sum(axis=0)).ravel()).astype(np.float32)
    blocks = []
    for start in range(0, columns.shape[0], BLOCK):
        block = (columns[start : start + BLOCK] @ liked).toarray()
        block /= length[start : start + BLOCK, None] * length[None, :] + shrinkage
        block[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        blocks.append(_largest(block, keep))
    return vstack(blocks, format="csr")


def successions(log: Log, *, reach: int, fade: float, keep: int, prior: float = 5.0) -> csr_array:
    """(items, items): how much more than by chance two items stand within `reach` places in somebody's history.

    A pair at distance d counts exp(−d / fade); the sum is divided by the row's popularity and by the root of the
    column's, each with `prior` events added.
    """
    likes = log.where(log.liked)
    count = np.bincount(likes.item, minlength=len(log.items)).astype(np.float32)
    total = csr_array((len(log.items), len(log.items)), dtype=np.float32)
    for distance in range(1, reach + 1):
        same = likes.user[distance:] == likes.user[:-distance]
        before, after = likes.item[:-distance][same], likes.item[distance:][same]
        weight = np.full(len(before), np.exp(-distance / fade), np.float32)
        total = total + coo_array((weight, (before, after)), shape=total.shape).tocsr()
    total = total + total.T
    total = diags_array(1 / (count + prior)) @ total @ diags_array(1 / np.sqrt(count + prior))
    total.setdiag(0)
    return _largest_sparse(total.tocsr().astype(np.float32), keep)


def _largest(block: Matrix, keep: int) -> csr_array:
    """The `keep` entries of each row that are largest in size."""
    if block.shape[1] <= keep:
        return csr_array(block)
    columns = np.argpartition(-np.abs(block), keep, axis=1)[:, :keep]
    columns.sort(axis=1)
    values = np.take_along_axis(block, columns, axis=1)
    rows = np.arange(0, columns.size + 1, keep)
    matrix = csr_array((values.ravel(), columns.ravel().astype(np.int32), rows), shape=block.shape)
    matrix.eliminate_zeros()
    return matrix


def _largest_sparse(matrix: csr_array, keep: int) -> csr_array:
    blocks = [_largest(matrix[at : at + BLOCK].toarray(), keep) for at in range(0, matrix.shape[0], BLOCK)]
    return vstack(blocks, format="csr")


def _widened(blocks: list[csr_array], used: NDArray[np.int64], size: int) -> csr_array:
    """The weights among the `used` items, in the places of all."""
    small = vstack(blocks, format="coo") if blocks else coo_array((0, 0), dtype=np.float32)
    rows, columns = small.coords
    return csr_array((small.data, (used[rows], used[columns])), shape=(size, size), dtype=np.float32)
