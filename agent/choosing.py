"""Chooses what an answer quotes: the run of clauses that is likely the answer, and what else makes it better."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from agent.asked import weighed
from agent.candidates import Candidate
from agent.clauses import CONDITION, clauses
from agent.completing import MAX_LIST_WORDS, completed, may_stand
from agent.relevance_features import Floats
from agent.spans import Agreement, Clause
from agent.terms import terms

SHORTLIST = 16  # candidates that are considered at all
REPEATS = 0.7  # share of the words of a sentence in another one from which it says nothing new
GAP = "..."  # in place of what is left out
LEFT_OUT = 5  # words at least that are left out of a sentence
NEVER = 1e-6  # the least that anything is likely
WHOLE = 0.7  # of beta where sentences are quoted whole, and so bring words along that nobody asked for

_RESTRICTS = re.compile(r"(?:(?:and|or|but) )?(?:if|unless|only|except|provided|but|until|when)\b", re.IGNORECASE)
_CONDITION = re.compile(CONDITION, re.IGNORECASE)
_OPENS_CONDITION = re.compile(
    r"(?:(?:and|or|but|however|even|only),? )?"
    r"(?:if|unless|when|once|until|after|before|while|except|provided|as soon as|as long as)\b",
    re.IGNORECASE,
)


def probabilities(
    question: str, query: str, given: Sequence[Candidate], probable: Sequence[Floats], *, alone: bool
) -> list[list[float]]:
    """How likely each part of each candidate is, with what the trees cannot know of it as a whole: each of its clauses,
    or all of it.

    What can be left out of a sentence is mostly what was said before: a question that stands alone gets it whole.
    """
    wholes = [max(NEVER, _of_words(one, some)) for one, some in zip(given, probable, strict=True)]
    likely = weighed(question, query, given, wholes, alone=alone)
    if alone:
        return [[fit] for fit in likely]
    return [
        [min(1.0, p * fit / whole) for p in some.tolist()]
        for some, fit, whole in zip(probable, likely, wholes, strict=True)
    ]


def _of_words(one: Candidate, probable: Floats) -> float:
    """The probability of a candidate's words, from those of its clauses."""
    lengths = [len(text.split()) for text in clauses(one.unit)]
    quoted: float = sum(p * n for p, n in zip(probable.tolist(), lengths, strict=True))
    return quoted / sum(lengths)


def choose(
    question: str,
    given: Sequence[Candidate],
    likely: Sequence[Sequence[float]],
    most: int,
    beta: float,
    said: frozenset[str],
    *,
    whole: bool,
) -> list[Candidate]:
    """The parts that are expected to agree best with the answer, those of the likeliest run first.

    `most` words at most, and `beta` as in `Agreement`; `said` are the terms of the conversation. `whole`: whether each
    candidate is quoted whole, and has one probability.
    """
    some = [i for i in shortlist(likely) if may_stand(question, given[i], given)]
    if not some:
        return []
    parts = in_reading_order(given, likely, some, whole=whole)
    first = {one.unit: at for at, one in reversed(list(enumerate(parts)))}
    chosen: dict[int, list[int]] = {}
    agreement = Agreement(parts, beta * WHOLE if whole else beta)
    for at in _agreed(question, given, parts, agreement, most, whole=whole):
        chosen.setdefault(parts[at].unit, []).append(at - first[parts[at].unit])
    return [
        given[i] if len(places) == len(likely[i]) else _excerpt(given[i], places, said) for i, places in chosen.items()
    ]


def _agreed(
    question: str, given: Sequence[Candidate], parts: Sequence[Clause], agreement: Agreement, most: int, *, whole: bool
) -> list[int]:
    """The places of the likeliest run, and of what makes it better. To whom nothing was said yet, what stands in
    another document breaks the thread: it has to be as likely as what is said."""
    places = agreement.best_run(most)
    agreement.say(places)
    least = max(parts[place].likely for place in places) if whole else 0.0
    while (at := agreement.next_best(most)) is not None:
        unit = parts[at].unit
        units = list(dict.fromkeys(parts[place].unit for place in places))
        told = {given[other].source.document_id for other in units}
        belongs = parts[at].likely >= least or given[unit].source.document_id in told
        if unit in units or (belongs and _adds(question, unit, units, given, most)):
            agreement.say([at])
            places.append(at)
        else:
            agreement.leave_out([place for place, one in enumerate(parts) if one.unit == unit])
    return places


def shortlist(likely: Sequence[Sequence[float]]) -> list[int]:
    """The places of the candidates with the likeliest parts."""
    return sorted(range(len(likely)), key=lambda i: -max(likely[i]))[:SHORTLIST]


def in_reading_order(
    given: Sequence[Candidate], likely: Sequence[Sequence[float]], some: Sequence[int], *, whole: bool = False
) -> list[Clause]:
    """The parts of some candidates in the order of their documents."""
    order = sorted(some, key=lambda i: (given[i].source.document_id, given[i].source.ordinal, i))
    sections: dict[tuple[str, str], int] = {}
    found: list[Clause] = []
    for i in order:
        one = given[i]
        section = sections.setdefault((one.source.passage_id, one.heading), len(sections))
        texts = (one.unit.text,) if whole else clauses(one.unit)
        found += [Clause(len(text.split()), p, i, section) for text, p in zip(texts, likely[i], strict=True)]
    return found


def _adds(question: str, i: int, chosen: Sequence[int], given: Sequence[Candidate], most: int) -> bool:
    """Whether a candidate says something new, and is not too long with what it cannot stand without."""
    if any(_repeats(given[i], given[other]) for other in chosen):
        return False
    shown = completed(question, [given[other] for other in (*chosen, i)], given)
    return sum(one.words for one in shown) <= max(most, MAX_LIST_WORDS)


def _excerpt(one: Candidate, at: Sequence[int], said: frozenset[str]) -> Candidate:
    """A candidate with only some of its clauses, and dots for the others; what belongs together stays together, and a
    few words are not left out."""
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


def _repeats(one: Candidate, other: Candidate) -> bool:
    first, second = terms(one.unit.text), terms(other.unit.text)
    return len(first & second) > REPEATS * min(len(first), len(second)) if first and second else False
