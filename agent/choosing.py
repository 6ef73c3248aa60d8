"""Chooses what an answer quotes: the likeliest clauses, one by one, until more would dilute the answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from agent.asked import weighed
from agent.candidates import Candidate
from agent.clauses import clauses
from agent.completing import MAX_LIST_WORDS, completed, may_stand
from agent.relevance_features import Floats
from agent.terms import terms

SHORTLIST = 16  # candidates that are considered at all
OTHER_DOCUMENT = 0.5  # how much less likely a sentence of another document than the best one's is
REPEATS = 0.7  # share of the words of a sentence in another one from which it says nothing new
FAR = 0.1  # how likely, relative to the best, something must be to be said beside it
SHARPENED = 2.0  # exponent of the probabilities of clauses: what is likely makes what is less likely unlikelier still
GAP = "..."  # in place of what is left out
LEFT_OUT = 5  # words at least that are left out of a sentence
NEVER = 1e-6  # the least that anything is likely

_RESTRICTS = re.compile(r"(?:(?:and|or|but) )?(?:if|unless|only|except|provided|but|until|when)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"(?:if|when|unless|once|after|before|while|although|because|as|in order|to|for)\b", re.IGNORECASE
)
_OPENS_CONDITION = re.compile(
    r"(?:(?:and|or|but|however|even|only),? )?"
    r"(?:if|unless|when|once|until|after|before|while|except|provided|as soon as|as long as)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """What may be quoted of a candidate: the place of a clause, or None for all of it, and how likely that is."""

    clause: int | None
    words: int
    likely: float


def quotable_parts(
    question: str, query: str, given: Sequence[Candidate], probable: Sequence[Floats], *, alone: bool
) -> list[list[Part]]:
    """What may be quoted of each candidate, with what the trees cannot know of it as a whole.

    What can be left out of a sentence is mostly what was said before: a question that stands alone gets it whole.
    """
    wholes = [max(NEVER, _of_words(one, some)) for one, some in zip(given, probable, strict=True)]
    likely = weighed(question, query, given, wholes, alone=alone)
    if alone:
        return [[Part(None, one.words, fit)] for one, fit in zip(given, likely, strict=True)]
    return [
        _clause_parts(one, some, fit / whole)
        for one, some, fit, whole in zip(given, probable, likely, wholes, strict=True)
    ]


def _of_words(one: Candidate, probable: Floats) -> float:
    """The probability of a candidate's words, from those of its clauses."""
    lengths = [len(text.split()) for text in clauses(one.unit)]
    quoted: float = sum(p * n for p, n in zip(probable.tolist(), lengths, strict=True))
    return quoted / sum(lengths)


def _clause_parts(one: Candidate, probable: Floats, factor: float) -> list[Part]:
    each = zip(clauses(one.unit), probable.tolist(), strict=True)
    return [Part(at, len(text.split()), min(1.0, factor * p) ** SHARPENED) for at, (text, p) in enumerate(each)]


def choose(
    question: str,
    given: Sequence[Candidate],
    parts: Sequence[Sequence[Part]],
    most: int,
    expected: float,
    said: frozenset[str],
) -> list[Candidate]:
    """The parts that make the best answer: as long as each raises the expected F1 of the answer's words.

    With p a part's probability and n its words, that is the sum of p·n over (the answer's words + those of the true
    answer), here the expected length; `most` words at most. `said` are the terms of the conversation.
    """
    best = [max(part.likely for part in some) for some in parts]
    order = sorted(range(len(given)), key=lambda i: -best[i])[:SHORTLIST]
    order = [i for i in order if may_stand(question, given[i], given)]
    least = FAR * max((best[i] for i in order), default=0.0)
    left = [(i, part) for i in order for part in parts[i] if part.likely >= least]
    chosen: dict[int, list[Part]] = {}
    worth = words = 0.0
    while left:
        first = next(iter(chosen), None)
        likelihood, at = max((_likelihood(part, given, i, first), -at) for at, (i, part) in enumerate(left))
        i, part = left.pop(-at)
        if i not in chosen:
            if any(_repeats(given[i], given[other]) for other in chosen):
                continue
            if chosen and _shown(question, [*chosen, i], given) > max(most, MAX_LIST_WORDS):
                continue
        more_worth, more_words = worth + likelihood * part.words, words + part.words
        lowers = more_worth / (more_words + expected) < worth / (words + expected)
        if chosen and (more_words > most or lowers):
            break
        chosen.setdefault(i, []).append(part)
        worth, words = more_worth, more_words
    return [_excerpt(given[i], [part.clause for part in some], said) for i, some in chosen.items()]


def _excerpt(one: Candidate, at: Sequence[int | None], said: frozenset[str]) -> Candidate:
    """A candidate with only some of its clauses, and dots for the others; what belongs together stays together, and a
    few words are not left out."""
    if None in at:
        return one
    parts = clauses(one.unit)
    opened = [place - 1 for place in at if place and _is_news(parts[place - 1], said)]
    kept: list[int] = []
    for place, text in enumerate(parts):
        if place in at or place in opened or (place - 1 in kept and _belongs_to(parts[place - 1], text)):
            kept.append(place)
    runs = [
        (is_kept, " ".join(parts[place] for place in places))
        for is_kept, places in ((key, list(some)) for key, some in groupby(range(len(parts)), key=kept.__contains__))
    ]
    shown = [text if is_kept or len(text.split()) < LEFT_OUT else GAP for is_kept, text in runs]
    if GAP not in shown:
        return one
    before_gap = [after == GAP for after in [*shown[1:], ""]]
    text = " ".join(text.rstrip(" ,;:") if cut else text for text, cut in zip(shown, before_gap, strict=True))
    return replace(one, unit=replace(one.unit, text=text))


def _is_news(clause: str, said: frozenset[str]) -> bool:
    """Whether what follows holds only under a condition that nobody in the conversation has mentioned."""
    return clause.endswith(",") and _OPENS_CONDITION.match(clause) is not None and not terms(clause) & said


def _belongs_to(before: str, after: str) -> bool:
    """Whether a clause must not lose the one that follows it: a condition, or what a condition opens."""
    return _RESTRICTS.match(after) is not None or (before.endswith(",") and _CONDITION.match(before) is not None)


def _shown(question: str, chosen: Sequence[int], given: Sequence[Candidate]) -> int:
    """How many words are shown when some units are chosen."""
    return sum(one.words for one in completed(question, [given[i] for i in chosen], given))


def _likelihood(part: Part, given: Sequence[Candidate], i: int, first: int | None) -> float:
    if first is None:
        return part.likely
    elsewhere = given[i].source.document_id != given[first].source.document_id
    return part.likely * (OTHER_DOCUMENT if elsewhere else 1.0)


def _repeats(one: Candidate, other: Candidate) -> bool:
    first, second = terms(one.unit.text), terms(other.unit.text)
    return len(first & second) > REPEATS * min(len(first), len(second)) if first and second else False
