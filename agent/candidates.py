"""Sources to candidates: the sentences, items, rows and code that an answer may quote."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from knowledge_base.sentences import Unit, units
from tools.sources import Source


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that may be quoted: where it stands, under which heading, and how far below it (0 is the first)."""

    source: Source
    rank: int
    index: int
    unit: Unit
    heading: str
    position: int

    @property
    def words(self) -> int:
        return len(self.unit.text.split())


def candidates(sources: Sequence[Source]) -> list[Candidate]:
    """What may be quoted from sources, best source first: every unit but headings."""
    return [
        Candidate(source, rank, index, unit, heading, position)
        for rank, source in enumerate(sources)
        for index, unit, heading, position in _under_headings(source.text, source.heading)
    ]


@lru_cache(maxsize=2048)
def _under_headings(text: str, heading: str) -> tuple[tuple[int, Unit, str, int], ...]:
    found: list[tuple[int, Unit, str, int]] = []
    position = 0
    for index, unit in enumerate(units(text)):
        if unit.kind == "heading":
            heading, position = unit.text, 0
        else:
            found.append((index, unit, heading, position))
            position += 1
    return tuple(found)
