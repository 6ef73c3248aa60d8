"""The words of a source that an answer rests on: what is highlighted when a reader opens it."""

import re
from collections.abc import Sequence
from itertools import pairwise

from knowledge_base.sentences import Unit, units
from tools.sources import Source

SUPPORT = 0.5
"""The share of a sentence's words that one claim of the answer must hold for the sentence to be quoted."""
QUOTE_CHARS = 600
_WORD = re.compile(r"\w+")


def quote(source: Source, answer: str) -> str:
    """The part of `source.text`, verbatim, that the answer repeats or paraphrases most closely.

    Sentences of the source are compared with those sentences of the answer that cite it, by the words they share. The
    best run of neighbouring sentences is quoted; where nothing is alike, the quote that the source came with stays.
    """
    claims = [_words(unit.text) for unit in units(_citing(answer, source.number))]
    candidates = [unit for unit in units(source.text) if unit.kind != "heading"]
    supported = [_support(unit, claims) for unit in candidates]
    if not supported or max(supported) < SUPPORT:
        return source.quote
    first, last = _best_run(supported)
    return source.text[candidates[first].start : candidates[last].end][:QUOTE_CHARS]


def _citing(answer: str, number: int) -> str:
    """The lines of the answer that carry the marker."""
    marker = f"[{number}]"
    return "\n".join(line for line in answer.splitlines() if marker in line)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _support(unit: Unit, claims: Sequence[set[str]]) -> float:
    words = _words(unit.text)
    return max((len(words & claim) / len(words) for claim in claims), default=0.0) if words else 0.0


def _best_run(supported: Sequence[float]) -> tuple[int, int]:
    """First and last of the neighbours that are all supported and together most; the earliest among equals."""
    edges = [-1, *(place for place, share in enumerate(supported) if share < SUPPORT), len(supported)]
    runs = [(before + 1, after - 1) for before, after in pairwise(edges) if after - before > 1]
    return max(runs, key=lambda run: sum(supported[run[0] : run[1] + 1]))
