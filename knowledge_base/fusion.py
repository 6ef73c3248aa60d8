"""How vectors and words become one score for a passage.

Both halves are absolute: the cosine, and the words' share of what the query could reach (words.py). So a weighted sum
needs no ranks and no rescaling among the candidates, and a good match looks the same whatever else was found. What the
document's other candidates are about counts a little: it tells pages apart that share a passage's wording.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COSINE_SHARE, WORDS_SHARE, DOCUMENT_SHARE = 0.5, 0.5, 0.1
_WHOLE = COSINE_SHARE + WORDS_SHARE + DOCUMENT_SHARE

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


def fuse(candidates: Candidates, vector: Vector, word_scores: Scores) -> Evidence:
    """Scores the candidates for a unit query vector and for scores of words by row."""
    cosine = (candidates.vectors @ vector).astype(np.float64)
    known = (candidates.rows >= 0) & (candidates.rows < len(word_scores))
    words = np.where(known, word_scores[np.where(known, candidates.rows, 0)], 0.0)
    centre = (candidates.centres @ vector).astype(np.float64)
    parts = COSINE_SHARE * np.maximum(cosine, 0) + WORDS_SHARE * words + DOCUMENT_SHARE * np.maximum(centre, 0)
    return Evidence(cosine, words, parts / _WHOLE)


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
