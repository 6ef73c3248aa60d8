"""Which words to say when several runs of clauses may be the answer, each with a probability.

An answer is mostly one run of clauses below one heading. What the trees say of single clauses tells how likely each run
is, by a log-linear model whose few weights benchmarks/fit_relevance.py fits. What is said is what agrees best with all
runs, each as much as it is likely: minimum Bayes risk decoding (Kumar & Byrne 2004, aclanthology.org/N04-1022), with
F-beta of the words (van Rijsbergen 1979) as the agreement.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agent.relevance_features import Floats, Places

FEATURES = ("odds", "least odds", "first odds", "odds before", "odds after", "words", "opens unit", "ends unit")
WEIGHTS = (0.211, 0.551, 0.675, -0.375, -0.238, 0.282, -0.343, 0.248)  # printed by benchmarks/fit_relevance.py
LONGEST = 90  # words of a run
MOST = 30  # runs, the likeliest first, that are looked at
FAR = 0.03  # how likely, relative to the best, the first and the last clause of a run must be
LEAST = 1e-4  # how likely anything is, and how unlikely
OUTSIDE = -5.0  # the log-odds of what is beyond a heading


@dataclass(frozen=True, slots=True)
class Clause:
    """What may be quoted alone: its words, how likely it is, and whose it is: which unit's, and below which heading."""

    words: int
    likely: float
    unit: int
    section: int


@dataclass(frozen=True)
class Spans:
    """Runs of clauses below one heading: (spans,) places of the first and the last one of each."""

    clauses: Sequence[Clause]
    first: Places
    last: Places

    @classmethod
    def of(cls, clauses: Sequence[Clause]) -> "Spans":
        """All runs that may be the answer, of at least one clause in reading order."""
        ends = np.array(list(_runs(clauses)))
        return cls(clauses, ends[:, 0], ends[:, 1])

    @cached_property
    def bounds(self) -> Floats:
        """(clauses + 1,): the words before each clause, and all."""
        return np.cumsum([0.0, *(one.words for one in self.clauses)])

    @cached_property
    def words(self) -> Floats:
        """(spans,) numbers of words."""
        words: Floats = self.bounds[self.last + 1] - self.bounds[self.first]
        return words

    def features(self) -> Floats:
        """(spans, FEATURES)."""
        likely = np.clip([one.likely for one in self.clauses], LEAST, 1 - LEAST)
        odds = np.log(likely / (1 - likely))
        unit = np.array([one.unit for one in self.clauses])
        section = np.array([one.section for one in self.clauses])
        same_unit, same_section = unit[1:] == unit[:-1], section[1:] == section[:-1]
        total = np.append(0.0, np.cumsum(odds))
        columns = {
            "odds": total[self.last + 1] - total[self.first],
            "least odds": np.array([odds[a : b + 1].min() for a, b in zip(self.first, self.last, strict=True)]),
            "first odds": odds[self.first],
            "odds before": np.append(OUTSIDE, np.where(same_section, odds[:-1], OUTSIDE))[self.first],
            "odds after": np.append(np.where(same_section, odds[1:], OUTSIDE), OUTSIDE)[self.last],
            "words": np.log(self.words),
            "opens unit": np.append(1.0, ~same_unit)[self.first],
            "ends unit": np.append(~same_unit, 1.0)[self.last],
        }
        return np.stack([columns[name] for name in FEATURES], axis=1)

    def likeliest(self) -> tuple["Spans", Floats]:
        """The likeliest runs, and (spans,) their probabilities, which add up to 1."""
        score = self.features() @ np.array(WEIGHTS)
        best = np.argsort(-score, kind="stable")[:MOST]
        odds = np.exp(score[best] - score[best[0]])
        return Spans(self.clauses, self.first[best], self.last[best]), odds / odds.sum()


def _runs(clauses: Sequence[Clause]) -> Iterator[tuple[int, int]]:
    """The first and last places of all runs that begin and end with something likely; a long clause is one, too."""
    least = FAR * max(one.likely for one in clauses)
    for first, opening in enumerate(clauses):
        words = 0
        for last, one in enumerate(clauses[first:], first):
            words += one.words
            if opening.likely < least or one.section != opening.section or (words > LONGEST and last > first):
                break
            if one.likely >= least:
                yield first, last


class Agreement:
    """How well the words that are said are expected to agree with the answer, while they are chosen."""

    def __init__(self, clauses: Sequence[Clause], beta: float) -> None:
        """`beta`: how many times as much it counts that the answer is complete as that nothing else is said."""
        self._spans, self._probability = Spans.of(clauses).likeliest()
        self._recall = beta**2
        self._words = np.diff(self._spans.bounds)
        self._free = np.ones(len(clauses), dtype=bool)
        self._said = 0.0
        self._held = np.zeros(len(self._probability))

    def say(self, places: Sequence[int]) -> None:
        """Take clauses into what is said."""
        at = np.array(places)
        self.leave_out(places)
        self._said += self._words[at].sum()
        self._held = self._held + self._shared(at, at).sum(1)

    def leave_out(self, places: Sequence[int]) -> None:
        """Never offer these clauses."""
        self._free[list(places)] = False

    def best_run(self, most: int) -> list[int]:
        """The places of the clauses of the run that agrees best alone; of several clauses at most `most` words."""
        spans = self._spans
        expected = self._expected(self._shared(spans.first, spans.last), spans.words)
        fits = (spans.words <= most) | (spans.first == spans.last)
        best = int(np.where(fits, expected, 0.0).argmax())
        return list(range(spans.first[best], spans.last[best] + 1))

    def next_best(self, most: int) -> int | None:
        """The place of the clause that agrees best beside what is said; None where none makes it better, or that would
        make more than `most` words."""
        places = np.flatnonzero(self._free)
        if not len(places):
            return None
        said = self._said + self._words[places]
        expected = self._expected(self._held[:, None] + self._shared(places, places), said)
        best = int(expected.argmax())
        now = self._expected(self._held[:, None], np.array([self._said]))[0]
        return int(places[best]) if expected[best] > now and said[best] <= most else None

    def _shared(self, first: Places, last: Places) -> Floats:
        """(spans, runs): how many words each of the spans has in common with each run from a first to a last place."""
        bounds, spans = self._spans.bounds, self._spans
        begins = np.maximum(bounds[spans.first][:, None], bounds[first])
        ends = np.minimum(bounds[spans.last + 1][:, None], bounds[last + 1])
        shared: Floats = np.maximum(0.0, ends - begins)
        return shared

    def _expected(self, shared: Floats, said: Floats) -> Floats:
        """(runs,) expected F-beta of words said, of which some are shared with each span."""
        agreement = (1 + self._recall) * shared / (said + self._recall * self._spans.words[:, None])
        expected: Floats = self._probability @ agreement
        return expected
