"""How likely each clause of the passages found is part of the answer: a few features, read by small decision trees.

The trees are fitted by benchmarks/fit_relevance.py to conversations whose answers are marked in their documents;
agent/relevance.json holds them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from agent.candidates import Candidate
from agent.clauses import clauses
from agent.relevance_features import CLAUSE, FEATURES, TINY, Floats, Layout, Places, Reading
from agent.relevance_trees import Trees
from knowledge_base.passage import Utterance

TREES = Path(__file__).with_suffix(".json")
READ = 20  # candidates, the likeliest first, whose clauses are looked at
UNREAD = 0.5  # of the probability of the others

AROUND = (
    "likely",
    "likely of best",
    "likely of all",
    "likely before",
    "likely after",
    "likely two before",
    "likely two after",
    "likely in passage",
    "likely in document",
    "likely under heading",
    "place",
    "best",
    "all",
)


def relevance(
    question: str, history: Sequence[Utterance], given: Sequence[Candidate], *, ranker: "Ranker | None" = None
) -> list[Floats]:
    """For each candidate, (clauses,) probabilities that each of its clauses is part of the answer to the question after
    this history."""
    if not given:
        return []
    return (ranker or _ranker()).predict(Reading(question, history, given))


@dataclass(frozen=True, slots=True)
class Ranker:
    """Trees that look at each candidate alone, and trees that look at its clauses and also know what the first ones
    think of the candidates around it (stacking; Wolpert 1992). Answers are runs of text, so a sentence between two
    likely ones is likely; and they are often half a sentence."""

    first: Trees
    second: Trees

    def predict(self, reading: Reading) -> list[Floats]:
        """For each candidate, (clauses,) probabilities."""
        rows = reading.features()
        likely = self.first.predict(rows)
        near = nearest(likely)
        owner, of_clauses = reading.clause_features(near)
        read = self.second.predict(beside(rows, likely, reading.given, owner, of_clauses))
        edges = np.searchsorted(owner, near, side="right")[:-1]
        found = dict(zip(near.tolist(), np.split(read, edges), strict=True))
        return [
            found[i] if i in found else np.full(len(clauses(one.unit)), UNREAD * likely[i])
            for i, one in enumerate(reading.given)
        ]


def nearest(likely: Floats) -> Places:
    """The places of the likeliest candidates, in order."""
    return np.sort(np.argsort(-likely, kind="stable")[:READ])


def beside(rows: Floats, likely: Floats, given: Sequence[Candidate], owner: Places, of_clauses: Floats) -> Floats:
    """(clauses, FEATURES + AROUND + CLAUSE): what is known of each clause, its unit, and what is around that."""
    return np.hstack([np.hstack([rows, around(likely, given)])[owner], of_clauses])


def around(likely: Floats, given: Sequence[Candidate]) -> Floats:
    """(candidates, AROUND) of probabilities: a candidate's own, beside its neighbours' and everybody's."""
    layout = Layout(given)
    before, after = layout.previous(likely), layout.next(likely)
    sections: dict[tuple[int, str], int] = {}
    section = np.array([sections.setdefault((one.rank, one.heading), len(sections)) for one in given])
    total, best = likely.sum() + TINY, likely.max() + TINY
    columns = {
        "likely": likely,
        "likely of best": likely / best,
        "likely of all": likely / total,
        "likely before": before,
        "likely after": after,
        "likely two before": layout.previous(before),
        "likely two after": layout.next(after),
        "likely in passage": np.bincount(layout.passage, likely)[layout.passage] / total,
        "likely in document": np.bincount(layout.document, likely)[layout.document] / total,
        "likely under heading": np.bincount(section, likely)[section] / total,
        "place": np.minimum(np.argsort(np.argsort(-likely, kind="stable"), kind="stable"), 10).astype(float),
        "best": np.full(len(given), best),
        "all": np.full(len(given), total),
    }
    return np.stack([columns[name] for name in AROUND], axis=1)


@lru_cache(maxsize=1)
def _ranker() -> Ranker:
    given = json.loads(TREES.read_text("utf-8"))
    if given["features"] != [*FEATURES, *AROUND, *CLAUSE]:
        raise ValueError(f"{TREES.name} was fitted to other features. Run: python -m benchmarks.fit_relevance")
    return Ranker(Trees(**given["first"]), Trees(**given["second"]))
