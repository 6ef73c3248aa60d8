"""How sure the search is that the documents answer the question.

A logistic model of a few clues that mean the same on any documents: all are absolute, none is a rank. What convinces
differs with how much was said: of a short question, that one document stands out; of a long conversation, that one
document holds its wording.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from knowledge_base.fusion import Candidates, Evidence, by_document

RIVALS = 9  # other documents that the best one is compared with
BACKGROUND = 0.2  # a score that any text reaches: what a lead is over where there are no rivals to speak of
RELATED = 0.45  # a cosine from which on a text is about the same thing; more of it says little


@dataclass(frozen=True, slots=True)
class Clues:
    """What speaks for an answer; every value within 0..1.

    `lead`: how far the best document's score is above the mean of its best rivals. `cosine`: the highest of any
    passage. `pairs`: the share of the query's pairs of neighbouring words that the best document holds. `length`: how
    much the query says, from 0 for a word to 1 for a long conversation.
    """

    lead: float
    cosine: float
    pairs: float
    length: float


def clues_of(
    candidates: Candidates, evidence: Evidence, length: float, shared_pairs: Callable[[Sequence[int]], float]
) -> Clues:
    """The clues that a finished search gives; all zero when it found nothing.

    `length` is the query's; `shared_pairs` tells for positions of candidates which share of its pairs of words these
    hold together.
    """
    if not len(candidates):
        return Clues(0.0, 0.0, 0.0, 0.0)
    best = candidates.documents[int(evidence.order()[0])]
    ranked = by_document(candidates, evidence.fused)
    rivals = sorted((score for name, score in ranked.items() if name != best), reverse=True)[:RIVALS]
    return Clues(
        lead=max(0.0, ranked[best] - max(BACKGROUND, fmean(rivals) if rivals else 0.0)),
        cosine=max(0.0, float(evidence.cosine.max())),
        pairs=shared_pairs([at for at, name in enumerate(candidates.documents) if name == best]),
        length=length,
    )


# Fitted by benchmarks/fit_search.py, which also says on what.
_INTERCEPT = -6.0
_LEAD, _COSINE, _PAIRS_WHEN_LONG, _LONG = 12.4, 11.1, 4.5, -2.6


def probability(clues: Clues) -> float:
    """The probability, 0..1, that the documents answer the question."""
    evidence = (
        _INTERCEPT
        + _LEAD * clues.lead
        + _COSINE * min(clues.cosine, RELATED)
        + (_PAIRS_WHEN_LONG * clues.pairs + _LONG) * clues.length
    )
    return 1 / (1 + math.exp(-evidence))
