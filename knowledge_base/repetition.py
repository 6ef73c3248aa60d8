"""Texts that repeat another one, word for word or nearly: a reader gains nothing from the second.

Source: shingles: Broder, "On the resemblance and containment of documents" (1997).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

NEAR_COSINE = 0.9  # below this, passages are not compared word by word
NEAR_OVERLAP = 0.8  # share of the shingles of the two that both hold
COPIED = 0.5  # share of a text's shingles, from which on a text that holds them tells the same
SHINGLE = 4  # words

_WORD = re.compile(r"[^\W_]+")


def distinct(texts: Sequence[str], vectors: NDArray[np.float32], order: Iterable[int]) -> Iterator[int]:
    """The positions of `order` whose texts repeat none before them. `vectors` (n, dimensions) are the texts' unit
    vectors."""
    kept: list[int] = []
    shingles: dict[int, frozenset[str]] = {}
    for at in map(int, order):
        alike = [
            other for other, cosine in zip(kept, vectors[kept] @ vectors[at], strict=True) if cosine >= NEAR_COSINE
        ]
        shingles.update((one, _shingles(texts[one])) for one in ([at, *alike] if alike else []) if one not in shingles)
        if not any(_overlap(shingles[at], shingles[other]) >= NEAR_OVERLAP for other in alike):
            kept.append(at)
            yield at


def copied(texts: Mapping[str, str], others: Iterable[str]) -> set[str]:
    """The keys of the texts of which one of the others holds at least half."""
    shingles = {key: _shingles(text) for key, text in texts.items()}
    holders: defaultdict[str, list[str]] = defaultdict(list)
    for key, held in shingles.items():
        for shingle in held:
            holders[shingle].append(key)
    found: set[str] = set()
    for other in others:
        shared = Counter(key for shingle in _shingles(other) if shingle in holders for key in holders[shingle])
        found.update(key for key, count in shared.items() if count >= COPIED * len(shingles[key]))
    return found


def _shingles(text: str) -> frozenset[str]:
    words = _WORD.findall(text.casefold())
    return frozenset(" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1)))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, len(one | other))
