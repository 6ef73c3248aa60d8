"""Sources as a search finds them, a judge of their clauses, and the answer that both lead to."""

from collections.abc import Mapping, Sequence

import numpy as np

from agent.candidates import Candidate
from agent.clauses import clauses
from agent.compose import compose
from agent.relevance_features import Floats
from knowledge_base.passage import Utterance
from knowledge_base.sentences import Unit
from tools.sources import Found, Source


def source(
    text: str, number: int = 1, document: str = "a.md", heading: str = "Escrow", title: str = "Escrow"
) -> Source:
    return Source(
        number=number,
        title=title,
        heading=heading,
        url=f"https://help.example/{document}",
        quote=text[:40],
        text=text,
        score=0.9,
        topic=None,
        document_id=document,
        passage_id=f"{document}#{number}",
        ordinal=number,
    )


def found(*sources: Source, query: str = "", confidence: float = 0.9, answerable: bool = True) -> Found:
    return Found(query, confidence, answerable, sources)


class Judge:
    """Finds clauses likely that begin with certain words, or that are of a unit that does, and nothing else."""

    def __init__(self, likely: Mapping[str, float]) -> None:
        self.likely = likely

    def __call__(self, question: str, history: Sequence[Utterance], given: Sequence[Candidate]) -> list[Floats]:
        return [self._of(one.unit) for one in given]

    def _of(self, unit: Unit) -> Floats:
        whole = self._at(unit.text, 0.001)
        parts = clauses(unit)
        return np.array([whole, *(self._at(text, whole) for text in parts[1:])])

    def _at(self, text: str, otherwise: float) -> float:
        return next((value for opening, value in self.likely.items() if text.startswith(opening)), otherwise)


def answer(question: str, text: str, likely: Mapping[str, float], heading: str = "Escrow") -> str:
    given = found(source(text, heading=heading), query=question)
    return compose(question, (), given, relevance=Judge(likely)).text
