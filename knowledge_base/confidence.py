"""How sure the search is that the documents answer the question."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clues:
    best: float


def probability(clues: Clues) -> float:
    return clues.best
