"""Passages that repeat another one, word for word or nearly: a reader gains nothing from the second.

Source: shingles: Broder, "On the resemblance and containment of documents" (1997).
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from knowledge_base.passage import Passage

NEAR_COSINE = 0.9  # below this, passages are not compared word by word
NEAR_OVERLAP = 0.8  # share of the shingles of the two that both hold
SHINGLE = 4  # words

_WORD = re.compile(r"[^\W_]+")


def distinct(passages: Sequence[Passage], vectors: NDArray[np.float32], order: Iterable[int], limit: int) -> list[int]:
    """The first `limit` positions of `order` whose passages repeat none before them."""
    kept: list[int] = []
    shingles: dict[int, frozenset[str]] = {}
    for at in map(int, order):
        if len(kept) == limit:
            break
        alike = [other for other in kept if vectors[at] @ vectors[other] >= NEAR_COSINE]
        if alike:
            shingles.update((one, _shingles(passages[one].text)) for one in (at, *alike) if one not in shingles)
        if not any(_overlap(shingles[at], shingles[other]) >= NEAR_OVERLAP for other in alike):
            kept.append(at)
    return kept


def _shingles(text: str) -> frozenset[str]:
    words = _WORD.findall(text.casefold())
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1)))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))
