"""How sure the search is that the documents answer the question.

A logistic model of a few clues that mean the same on any documents: all are absolute, none is a rank. What convinces
differs with how much was said: of a short question, that one document stands out; of a long conversation, that one
document holds its wording, that the others don't, and that its title was named.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from knowledge_base.fusion import Candidates, Evidence, by_document

RIVALS = 9  # other documents that the best one is compared with
BACKGROUND = 0.2  # a score that any text reaches: what a lead is over where there are no rivals to speak of
RELATED = 0.45  # a cosine from which on a text is about the same thing; more of it says little


@dataclass(frozen=True, slots=True)
class Clues:
    """What speaks for an answer; every value within 0..1.

    `lead`: how far the best document's score is above the mean of its best rivals. `cosine`: the highest of any
    passage. `pairs`: the share of the query's pairs of neighbouring words that the best document holds. `own_pairs`:
    how far that is above the mean of its rivals. `title`: the share of the best document's title that the query says.
    `length`: how much the query says, from 0 for a word to 1 for a long conversation.
    """

    lead: float
    cosine: float
    pairs: float
    own_pairs: float
    title: float
    length: float


def clues_of(
    candidates: Candidates,
    evidence: Evidence,
    length: float,
    shared: Mapping[str, float],
    titles: Mapping[str, float],
) -> Clues:
    """The clues that a finished search gives; all zero when it found nothing.

    `length` is the query's; `shared` tells for each document which share of the query's pairs of words it holds, and
    `titles` which share of its title the query says.
    """
    if not len(candidates):
        return Clues(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    best = candidates.documents[int(evidence.order()[0])]
    ranked = by_document(candidates, evidence.fused)
    rivals = sorted((name for name in ranked if name != best), key=lambda name: (-ranked[name], name))[:RIVALS]
    rival_score = fmean(ranked[name] for name in rivals) if rivals else 0.0
    rival_pairs = fmean(shared[name] for name in rivals) if rivals else 0.0
    return Clues(
        lead=max(0.0, ranked[best] - max(BACKGROUND, rival_score)),
        cosine=max(0.0, float(evidence.cosine.max())),
        pairs=shared[best],
        own_pairs=max(0.0, shared[best] - rival_pairs),
        title=titles[best],
        length=length,
    )


def shared_by_document(
    documents: Sequence[str], held: NDArray[np.bool_], worth: NDArray[np.float64]
) -> dict[str, float]:
    """For each document the share of the query's pairs, by their `worth` (pairs,), that its passages hold together.
    `held` (pairs, passages) tells which pair stands in which passage; `documents` are the passages'."""
    total = float(worth.sum())
    numbers = {document: number for number, document in enumerate(dict.fromkeys(documents))}
    if not total:
        return dict.fromkeys(numbers, 0.0)
    together = np.zeros((len(worth), len(numbers)), np.bool_)
    for at, document in enumerate(documents):
        together[:, numbers[document]] |= held[:, at]
    return dict(zip(numbers, (worth @ together / total).tolist(), strict=True))


def said_of_titles(titles: Mapping[str, Set[str]], said: Collection[str]) -> dict[str, float]:
    """For each document the share of its title that was said, by how few of the other titles hold a word. `titles` are
    the stems of the documents' titles, `said` those of the query."""
    holding = Counter(stem for stems in titles.values() for stem in stems)
    worth = {stem: math.log(1 + len(titles) / count) for stem, count in holding.items()}
    return {
        document: sum(worth[stem] for stem in stems if stem in said) / max(sum(worth[stem] for stem in stems), 1e-9)
        for document, stems in titles.items()
    }


# Fitted by benchmarks/fit_search.py, which also says on what.
_INTERCEPT = -5.2
_LEAD, _COSINE = 9.6, 9.7
_LONG, _TITLE_WHEN_LONG, _PAIRS_WHEN_LONG, _OWN_PAIRS_WHEN_LONG = -4.4, 1.4, 2.2, 9.7


def probability(clues: Clues) -> float:
    """The probability, 0..1, that the documents answer the question."""
    when_long = (
        _LONG + _TITLE_WHEN_LONG * clues.title + _PAIRS_WHEN_LONG * clues.pairs + _OWN_PAIRS_WHEN_LONG * clues.own_pairs
    )
    evidence = _INTERCEPT + _LEAD * clues.lead + _COSINE * min(clues.cosine, RELATED) + when_long * clues.length
    return 1 / (1 + math.exp(-evidence))
