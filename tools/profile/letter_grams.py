"""How alike two texts are spelt: cosines of their letter n-grams, weighted by how rare these are.

Beside sentence embeddings this catches what they blur: names, codes, numbers, the one word that tells two topics apart.
Grams stay within words, as in Cavnar & Trenkle, "N-gram-based text categorization" (1994); counts are damped and
weighted by inverse document frequency, as in Salton & Buckley, "Term-weighting approaches in automatic text retrieval"
(1988).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHORTEST, LONGEST = 2, 5  # letters of a gram
MOST_WORDS = 200  # of a text; the rest says little more, and a pasted document may not cost more

Floats = NDArray[np.float64]
_WORD = re.compile(r"\w+")


class LetterGrams:
    """The grams of a set of texts, and how alike any text is to each of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        counted = [_grams(text) for text in texts]
        frequency = Counter(gram for counts in counted for gram in counts)
        self._number = {gram: number for number, gram in enumerate(frequency)}
        self._rarity = np.array([math.log((1 + len(texts)) / (1 + count)) + 1 for count in frequency.values()])
        self._rows = [self._row(counts) for counts in counted]
        # Which texts hold a gram, gram after gram: those of gram g lie from starts[g] to starts[g + 1].
        columns = np.concatenate([columns for columns, _ in self._rows] or [np.empty(0, np.intp)])
        order = np.argsort(columns, kind="stable")
        self._starts = np.searchsorted(columns[order], np.arange(len(frequency) + 1))
        self._holders = np.repeat(np.arange(len(texts)), [len(columns) for columns, _ in self._rows])[order]
        self._weights = np.concatenate([values for _, values in self._rows] or [np.empty(0)])[order]

    def among_themselves(self) -> Floats:
        """(n, n): the cosines of the texts with each other."""
        return np.stack([self._against(*row) for row in self._rows])

    def against(self, text: str) -> Floats:
        """(n,): the cosine of this text with each of the texts, 0..1."""
        return self._against(*self._row(_grams(text)))

    def _against(self, columns: NDArray[np.intp], values: Floats) -> Floats:
        starts, counts = self._starts[columns], self._starts[columns + 1] - self._starts[columns]
        shifts = np.repeat(starts - np.cumsum(counts) + counts, counts)
        found = np.arange(len(shifts)) + shifts
        weights = np.repeat(values, counts) * self._weights[found]
        return np.bincount(self._holders[found], weights, minlength=len(self._rows)).astype(np.float64)

    def _row(self, counts: Counter[str]) -> tuple[NDArray[np.intp], Floats]:
        """The known grams of a text and their weights, of length one together."""
        known = [(self._number[gram], count) for gram, count in counts.items() if gram in self._number]
        if not known:
            return np.empty(0, np.intp), np.empty(0)
        columns = np.array([number for number, _ in known], np.intp)
        values = (1 + np.log([count for _, count in known])) * self._rarity[columns]
        return columns, values / np.linalg.norm(values)


def _grams(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for word in _WORD.findall(text.casefold())[:MOST_WORDS]:
        padded = f" {word} "
        for length in range(SHORTEST, LONGEST + 1):
            if len(padded) <= length:
                found[padded] += 1
                break
            found.update(padded[at : at + length] for at in range(len(padded) - length + 1))
    return found
