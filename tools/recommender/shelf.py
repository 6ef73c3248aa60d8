"""The catalogue as it is served: arrays in memory, one entry an item, replaced whole when something changes."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tools.recommender.facet_matrix import FacetMatrix, facet_matrix
from tools.recommender.item_weights import Matrix
from tools.recommender.model import Item

PRIOR_LIKES = 10.0
"""How many likes the popularity that the catalogue itself states may stand for."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Items in order, and what ranking asks of them.

    Attributes:
        index: id → place.
        categories: Names; `category` (items,) points into them.
        live: (items,) active and not superseded; expiry is checked against the clock when serving.
        published, expires: (items,) seconds since 1970; NaN and +inf where unknown.
        prior: (items,) likes that the stated popularity stands for.
        vectors: (items, dimensions) unit vectors, or None where nothing embeds.
        twin: (items,) the same number for items with the same title and facets.
    """

    items: tuple[Item, ...]
    index: dict[str, int]
    categories: tuple[str, ...]
    category: NDArray[np.int32]
    facets: FacetMatrix
    live: NDArray[np.bool_]
    published: NDArray[np.float64]
    expires: NDArray[np.float64]
    location: Matrix
    prior: Matrix
    vectors: Matrix | None
    twin: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.items)


def make_shelf(items: Sequence[Item], vectors: Matrix | None = None) -> Shelf:
    """Arrays of these items. `vectors`: (items, dimensions), unit length or zero."""
    categories = {name: place for place, name in enumerate(dict.fromkeys(item.category for item in items))}
    popularity = np.log1p(np.array([item.popularity for item in items], np.float64))
    twins: dict[str, int] = {}
    return Shelf(
        items=tuple(items),
        index={item.id: place for place, item in enumerate(items)},
        categories=tuple(categories),
        category=np.array([categories[item.category] for item in items], np.int32),
        facets=facet_matrix([item.facets for item in items]),
        live=np.array([item.active and item.superseded_by is None for item in items], np.bool_),
        published=np.array([seconds(item.published, np.nan) for item in items], np.float64),
        expires=np.array([seconds(item.expires, np.inf) for item in items], np.float64),
        location=np.array([item.location or (np.nan, np.nan) for item in items], np.float32).reshape(-1, 2),
        prior=(PRIOR_LIKES * popularity / max(popularity.max(initial=0.0), 1e-9)).astype(np.float32),
        vectors=vectors,
        twin=np.array([twins.setdefault(_fingerprint(item), len(twins)) for item in items], np.int32),
    )


def seconds(moment: datetime | None, unknown: float) -> float:
    """Since 1970."""
    if moment is None:
        return unknown
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _fingerprint(item: Item) -> str:
    """The same for items that a reader would take for one: the words of title and text, without case or signs."""
    words = " ".join(re.findall(r"\w+", f"{item.title} {item.text}".casefold()))
    about = "" if item.text else repr(sorted(item.facets.items()))
    return hashlib.sha256(f"{item.category}\n{words}\n{about}".encode()).hexdigest()
