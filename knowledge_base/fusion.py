"""How vectors and words become one score for a passage.

Both halves are absolute: the cosine, and the words' share of what the query could reach (words.py). So a weighted sum
needs no ranks and no rescaling among the candidates, and a good match looks the same whatever else was found. The more
a query says, the more its words decide: a vector is a middle of everything that was said. What the document's other
candidates are about counts a little: it tells pages apart that share a passage's wording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SHORT_COSINE_SHARE, LONG_COSINE_SHARE = 0.5, 0.2  # of the cosine; the rest is the words'
DOCUMENT_SHARE = 0.1  # beside the two

Vector = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Passages that some search found. `rows` are theirs in the word scores, -1 for none; `vectors` (n, dimensions)
    are unit rows, or zeros where there is none; `centres[i]` is the middle of the vectors of passage i's document."""

    ids: tuple[str, ...]
    documents: tuple[str, ...]
    rows: NDArray[np.int64]
    vectors: Vector
    centres: Vector

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for each candidate: the cosine, the words' share, and both in one score; all within 0..1, except
    that a cosine may be negative."""

    cosine: Scores
    words: Scores
    fused: Scores

    def order(self) -> NDArray[np.intp]:
        """Positions of the candidates, best first; equal scores keep the candidates' order."""
        return np.argsort(-self.fused, kind="stable")


def gather(ids: Sequence[str], documents: Sequence[str], rows: Sequence[int], vectors: Vector) -> Candidates:
    """Candidates from columns of equal length."""
    return Candidates(tuple(ids), tuple(documents), np.array(rows, np.int64), vectors, _centres(documents, vectors))


def fuse(candidates: Candidates, vector: Vector, word_scores: Scores, length: float = 0.0) -> Evidence:
    """Scores the candidates for a unit query vector and for scores of words by row.

    `length` is how much the query says, from 0 for a word to 1 for a long conversation.
    """
    cosine = (candidates.vectors @ vector).astype(np.float64)
    known = (candidates.rows >= 0) & (candidates.rows < len(word_scores))
    words = np.where(known, word_scores[np.where(known, candidates.rows, 0)], 0.0)
    centre = (candidates.centres @ vector).astype(np.float64)
    share = SHORT_COSINE_SHARE + (LONG_COSINE_SHARE - SHORT_COSINE_SHARE) * length
    parts = share * np.maximum(cosine, 0) + (1 - share) * words + DOCUMENT_SHARE * np.maximum(centre, 0)
    return Evidence(cosine, words, parts / (1 + DOCUMENT_SHARE))


def by_document(candidates: Candidates, scores: Scores) -> dict[str, float]:
    """The best score of each document's candidates."""
    best: dict[str, float] = {}
    for document, score in zip(candidates.documents, scores.tolist(), strict=True):
        best[document] = max(score, best.get(document, score))
    return best


def _centres(documents: Sequence[str], vectors: Vector) -> Vector:
    """(n, dimensions): for each candidate the mean of its document's vectors, of length one."""
    if not documents:
        return vectors
    numbers = {document: number for number, document in enumerate(dict.fromkeys(documents))}
    group = np.array([numbers[document] for document in documents])
    by_group = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[by_group], np.arange(len(numbers)))
    sums = np.add.reduceat(vectors[by_group], starts, axis=0)
    centres: Vector = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9))[group]
    return centres
