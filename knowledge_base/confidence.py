"""How sure the search is that the documents answer the question.

A logistic model of four clues that mean the same on any documents: they are absolute (no ranks, no units) and taken
from the whole question, so that one common word or one near vector alone convinces nobody.
"""

import math
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from knowledge_base.fusion import Candidates, Evidence, by_document
from knowledge_base.words import WordScores

RIVALS = 9  # other documents that the best one is compared with
BACKGROUND = 0.2  # a score that any text reaches: what a lead is over where there are no rivals to speak of


@dataclass(frozen=True, slots=True)
class Clues:
    """What speaks for an answer; every value within 0..1.

    `lead`: how far the best document's score is above the mean of its best rivals. `cosine`: the highest of any
    passage. `words`: the share of the question's words, by rarity, that the best passage holds; `pairs`: the share of
    its pairs of neighbouring words that the best document holds.
    """

    lead: float
    cosine: float
    words: float
    pairs: float


def clues_of(candidates: Candidates, evidence: Evidence, scores: WordScores) -> Clues:
    """The clues that a finished search gives; all zero when it found nothing."""
    if not len(candidates):
        return Clues(0.0, 0.0, 0.0, 0.0)
    best = int(evidence.order()[0])
    document = candidates.documents[best]
    ranked = by_document(candidates, evidence.fused)
    rivals = sorted((score for name, score in ranked.items() if name != document), reverse=True)[:RIVALS]
    own_rows = candidates.rows[[name == document for name in candidates.documents]]
    return Clues(
        lead=max(0.0, ranked[document] - max(BACKGROUND, fmean(rivals) if rivals else 0.0)),
        cosine=max(0.0, float(np.max(evidence.cosine))),
        words=scores.word_coverage(candidates.rows[[best]]),
        pairs=scores.pair_coverage(own_rows),
    )


# Fitted by benchmarks/fit_search.py, which also says on what.
_INTERCEPT = -4.0
_LEAD, _COSINE, _WORDS, _PAIRS = 12.0, 3.0, 1.0, 1.0


def probability(clues: Clues) -> float:
    """The probability, 0..1, that the documents answer the question."""
    evidence = _INTERCEPT + _LEAD * clues.lead + _COSINE * clues.cosine + _WORDS * clues.words + _PAIRS * clues.pairs
    return 1 / (1 + math.exp(-evidence))
