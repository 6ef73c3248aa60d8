"""How vectors and words become one score for a passage.

Both halves are absolute: the cosine, and the words' share of what the query could reach (words.py). So a weighted sum
needs no ranks and no rescaling among the candidates, and a good match looks the same whatever else was found. A short
question seldom says what it wants in the documents' words, so there the cosine decides; the more a query says, the more
its words do: a vector is a middle of everything that was said. What the document's other candidates are about, and
which of the query's words they hold, counts a little: it tells pages apart that share a passage's wording, and finds
the page that holds in several places what was asked for in one breath.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowledge_base.words import Held

# Chosen on Doc2Dial, SciFact and users' questions on the documentation of three products: each of them gains.
SHORT_COSINE_SHARE, LONG_COSINE_SHARE = 0.63, 0.1  # of the cosine; the rest is the words'
LONG = 0.5  # length of a query from which on the cosine counts least
CENTRE_SHARE = 0.2  # of the document's middle, beside the two
GATHERED_SHARE = 0.2  # of the words that the document's candidates hold together, beside those of the passage

Vector = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that some search found. `rows` are theirs in the word scores, -1 for none; `vectors` (n, dimensions)
    are unit rows, or zeros where there is none; `numbers[i]` counts the documents, the same for all passages of one;
    `centres[i]` is the middle of the vectors of passage i's document."""

    ids: tuple[str, ...]
    documents: tuple[str, ...]
    rows: NDArray[np.int64]
    vectors: Vector
    numbers: NDArray[np.intp]
    centres: Vector

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for each candidate: the cosine, the words' share, and both in one score; all within 0..1, except
    that a cosine may be negative. `held` tells which of the query's words each candidate holds."""

    cosine: Scores
    words: Scores
    fused: Scores
    held: Held

    def order(self) -> NDArray[np.intp]:
        """Positions of the candidates, best first; equal scores keep the candidates' order."""
        return np.argsort(-self.fused, kind="stable")


def gather(ids: Sequence[str], documents: Sequence[str], rows: Sequence[int], vectors: Vector) -> Candidates:
    """Candidates from columns of equal length."""
    known = {document: number for number, document in enumerate(dict.fromkeys(documents))}
    numbers = np.array([known[document] for document in documents], np.intp)
    centres = _centres(numbers, vectors)
    return Candidates(tuple(ids), tuple(documents), np.array(rows, np.int64), vectors, numbers, centres)


def fuse(candidates: Candidates, vector: Vector, word_scores: Scores, held: Held, length: float = 0.0) -> Evidence:
    """Scores the candidates for a unit query vector and for scores of words by row.

    `held` tells which of the query's words each candidate holds, `length` how much the query says, from 0 for a word to
    1 for a long conversation.
    """
    cosine = (candidates.vectors @ vector).astype(np.float64)
    known = (candidates.rows >= 0) & (candidates.rows < len(word_scores))
    words = np.where(known, word_scores[np.where(known, candidates.rows, 0)], 0.0)
    centre = (candidates.centres @ vector).astype(np.float64)
    share = SHORT_COSINE_SHARE + (LONG_COSINE_SHARE - SHORT_COSINE_SHARE) * min(1.0, length / LONG)
    said = words + GATHERED_SHARE * _gathered(candidates.numbers, held)
    parts = share * np.maximum(cosine, 0) + (1 - share) * said + CENTRE_SHARE * np.maximum(centre, 0)
    return Evidence(cosine, words, parts / (1 + (1 - share) * GATHERED_SHARE + CENTRE_SHARE), held)


def by_document(candidates: Candidates, scores: Scores) -> dict[str, float]:
    """The best score of each document's candidates."""
    best: dict[str, float] = {}
    for document, score in zip(candidates.documents, scores.tolist(), strict=True):
        best[document] = max(score, best.get(document, score))
    return best


def _gathered(numbers: NDArray[np.intp], held: Held) -> Scores:
    """(n,): for each candidate the share of the query's words that its document's candidates hold together."""
    if not len(numbers):
        return np.zeros(0)
    order, starts = _groups(numbers)
    together = np.logical_or.reduceat(held.places.T[order], starts)
    shares: Scores = (together @ held.worth)[numbers] / max(float(held.worth.sum()), 1e-9)
    return shares


def _centres(numbers: NDArray[np.intp], vectors: Vector) -> Vector:
    """(n, dimensions): for each candidate the mean of its document's vectors, of length one."""
    if not len(numbers):
        return vectors
    order, starts = _groups(numbers)
    sums = np.add.reduceat(vectors[order], starts, axis=0)
    centres: Vector = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))[numbers]
    return centres


def _groups(numbers: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The candidates in the order of their documents, and where each document begins in it."""
    order = np.argsort(numbers, kind="stable")
    return order, np.searchsorted(numbers[order], np.arange(int(numbers.max()) + 1))
