"""Items by what they are about: a sparse matrix of facet values, weighted by how rare each is, with unit rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array  # type: ignore[import-untyped]

from tools.recommender.model import Facets


@dataclass(frozen=True, slots=True)
class FacetMatrix:
    """`matrix` is (items, values): log(items / items with the value), rows scaled to length 1.

    `columns` says which column a (facet, value) has, the value in lower case; `by_value` is the matrix by columns.
    """

    columns: dict[tuple[str, str], int]
    matrix: csr_array
    by_value: csc_array


def facet_matrix(items: Sequence[Facets]) -> FacetMatrix:
    """The matrix of these items' facets, in their order."""
    columns: dict[tuple[str, str], int] = {}
    rows, places = [], []
    for row, facets in enumerate(items):
        for pair in dict.fromkeys(pairs(facets)):
            rows.append(row)
            places.append(columns.setdefault(pair, len(columns)))
    shape = (len(items), max(len(columns), 1))
    matrix = csr_array((np.ones(len(rows), np.float32), (rows, places)), shape=shape)
    rarity = np.log((len(items) + 1) / np.maximum(np.bincount(places, minlength=shape[1]), 1))
    weighted = (matrix @ diags_array(rarity)).tocsr()
    length = np.sqrt(np.asarray(weighted.power(2).sum(axis=1)).ravel())
    unit = (diags_array(1 / np.maximum(length, 1e-9)) @ weighted).tocsr().astype(np.float32)
    return FacetMatrix(columns, unit, unit.tocsc())


def pairs(facets: Facets) -> Iterable[tuple[str, str]]:
    """(facet, value) of an item, as columns are named: case does not count."""
    return ((facet.casefold(), value.casefold()) for facet, values in facets.items() for value in values)
