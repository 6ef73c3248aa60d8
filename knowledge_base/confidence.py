"""How sure the search is that the documents answer the question.

A logistic model of a few clues that mean the same on any documents: all are absolute, none is a rank. A question alone
convinces when one document stands out, is near in meaning and holds its words. What was said before convinces when one
document holds most of what any document holds of it, and when its title was named.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from knowledge_base.fusion import Candidates, Evidence, by_document
from knowledge_base.words import Held

RIVALS = 9  # other documents that the best one is compared with
BACKGROUND = 0.2  # a score that any text reaches: what a lead is over where there are no rivals to speak of
RELATED = 0.45  # a cosine from which on a text is about the same thing; more of it says little


@dataclass(frozen=True, slots=True)
class Clues:
    """What speaks for an answer; every value within 0..1.

    `lead`: how far the best document's score is above the mean of its best rivals. `cosine`: the highest of any
    passage. `words`: the share of the query's words that the best document holds. `gathered`: of the query's pairs of
    neighbouring words that stand in any document found, the share that the best one holds. `title`: the share of the
    best document's title that the query says. `said`: how much of the query was said before the question, from 0 for a
    question alone to 1 for a long conversation.
    """

    lead: float
    cosine: float
    words: float
    gathered: float
    title: float
    said: float


def clues_of(
    candidates: Candidates,
    evidence: Evidence,
    pairs: Held,
    titles: Mapping[str, float],
    said: float,
) -> Clues:
    """The clues that a finished search gives; all zero when it found nothing.

    `pairs` are the query's, and which candidates hold them; `titles` tells for each document which share of its title
    the query says.
    """
    if not len(candidates):
        return Clues(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    best = candidates.documents[int(evidence.order()[0])]
    ranked = by_document(candidates, evidence.fused)
    in_best = np.array([name == best for name in candidates.documents])
    rivals = sorted((score for name, score in ranked.items() if name != best), reverse=True)[:RIVALS]
    return Clues(
        lead=max(0.0, ranked[best] - max(BACKGROUND, fmean(rivals) if rivals else 0.0)),
        cosine=max(0.0, float(evidence.cosine.max())),
        words=evidence.held.by(in_best) / max(float(evidence.held.worth.sum()), 1e-9),
        gathered=pairs.by(in_best) / max(pairs.anywhere(), 1e-9),
        title=titles[best],
        said=said,
    )


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
_INTERCEPT = -5.6
_LEAD, _COSINE, _WORDS = 10.1, 9.0, 0.6
_SAID, _GATHERED_WHEN_SAID, _TITLE_WHEN_SAID = -12.6, 14.3, 2.9


def probability(clues: Clues) -> float:
    """The probability, 0..1, that the documents answer the question."""
    when_said = _SAID + _GATHERED_WHEN_SAID * clues.gathered + _TITLE_WHEN_SAID * clues.title
    alone = _LEAD * clues.lead + _COSINE * min(clues.cosine, RELATED) + _WORDS * clues.words
    return 1 / (1 + math.exp(-(_INTERCEPT + alone + when_said * clues.said)))
