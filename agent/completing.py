"""What a quoted unit cannot stand without: a list with the sentence that introduces it, all the steps of a procedure,
code with its explanation; and whether a unit can be understood by who sees nothing around it."""

import re
from collections.abc import Iterator, Sequence

from agent.asked import asks, asks_for_all, compares, names_language
from agent.candidates import Candidate
from agent.terms import terms

MAX_LIST_WORDS = 160
MAX_STEPS = 12
MAX_ROWS = 6  # of a table that is shown whole
MAX_TABLE_WORDS = 80
MAX_COMPARED_WORDS = 240  # of a table that compares what is asked for, or is asked for as a whole
MIN_WORDS = 3  # of a sentence that says something alone

_WANTS_CODE = re.compile(
    r"\b(?:code|commands?|examples?|samples?|snippets?|scripts?|config\w*|syntax|json|yaml|curl|requests?|headers?|"
    r"payload|queries|query|\w+file|install|docker|api|sdk|webhooks?|environment variables?)\b",
    re.IGNORECASE,
)
_OPENS_VERDICT = re.compile(r"(?:Yes|No)\b[,:;–—]")
_LEANS_BACK = re.compile(
    r"(?:It|This|That|These|Those|They|Then|Otherwise|However|But|Also|Instead|If so|If not|To do (?:this|that|so))\b"
)


def completed(question: str, chosen: Sequence[Candidate], given: Sequence[Candidate]) -> list[Candidate]:
    """What was chosen, with what it cannot stand without (that is whole), in the order in which it is to be read."""
    kept = {(one.source.number, one.index): one for one in chosen}
    for one in chosen:
        for other in _companions(question, one, given):
            kept[other.source.number, other.index] = other
    best: dict[str, int] = {}
    for one in chosen:
        best.setdefault(one.source.document_id, len(best))
    return sorted(
        kept.values(), key=lambda one: (best.get(one.source.document_id, 0), one.source.ordinal, one.rank, one.index)
    )


def _companions(question: str, one: Candidate, given: Sequence[Candidate]) -> Iterator[Candidate]:
    siblings = [other for other in given if other.source is one.source]
    unit = one.unit
    if unit.lead_in is not None:
        yield from (other for other in siblings if other.index == unit.lead_in)
    if names_language(question, one):
        yield from _rest_of_code(question, one, given)
    elif unit.kind == "row":
        yield from _rest_of_table(question, one, given)
    elif unit.item >= 0:
        yield from _rest_of_list(question, one, siblings)
    elif _LEANS_BACK.match(unit.text):
        yield from (other for other in siblings if _is_next(other, one))
    if _is_verdict(one):
        yield from (other for other in siblings if _is_next(one, other))
    announced = [other for other in siblings if other.unit.lead_in == one.index]
    code = [other for other in siblings if other.unit.kind == "code" and _follows(other, one, siblings)]
    if unit.text.endswith((":", "：")):
        yield from _within(announced, MAX_LIST_WORDS)
    elif code and _WANTS_CODE.search(question):
        yield code[0]


def _follows(code: Candidate, one: Candidate, siblings: Sequence[Candidate]) -> bool:
    """Whether code stands right after a sentence, or after the rest of its paragraph."""
    before = next((other for other in siblings if other.index == code.unit.lead_in), None)
    return before is not None and before.unit.block == one.unit.block and before.unit.item == one.unit.item


def _rest_of_list(question: str, one: Candidate, siblings: Sequence[Candidate]) -> Iterator[Candidate]:
    """All the steps where it is one of several, since half of a procedure misleads; else the beginning of its item."""
    items = [other for other in siblings if other.unit.block == one.unit.block and other.unit.kind in ("item", "code")]
    numbered = one.unit.depth == 0 and any(other.unit.marker[:1].isdigit() for other in items)
    if asks_for_all(question) or (numbered and len({other.unit.item for other in items}) <= MAX_STEPS):
        yield from _within(items, MAX_LIST_WORDS)
    else:
        yield from (other for other in items if other.unit.item == one.unit.item and other.index < one.index)


def _rest_of_code(question: str, one: Candidate, given: Sequence[Candidate]) -> Iterator[Candidate]:
    """The other code under the same heading, which may go on over several passages."""
    places = [other for other in given if _place(other) == _place(one)]
    yield from _within([other for other in places if names_language(question, other)], MAX_LIST_WORDS)


def _place(one: Candidate) -> tuple[str, str]:
    """The document and the heading that a unit stands under; both may go on over several passages."""
    return one.source.document_id, one.heading


def _rest_of_table(question: str, one: Candidate, given: Sequence[Candidate]) -> Iterator[Candidate]:
    """The other rows of a small table, unless the question names this one; of any table where all of it is asked for,
    also those that stand in other passages under the same heading."""
    if compares(question) or asks_for_all(question):
        rows = [other for other in given if other.unit.kind == "row" and _place(other) == _place(one)]
        yield from _within(sorted(rows, key=lambda other: (other.source.ordinal, other.index)), MAX_COMPARED_WORDS)
        return
    rows = [other for other in given if other.source is one.source and other.unit.block == one.unit.block]
    is_small = len(rows) <= MAX_ROWS and sum(other.words for other in rows) <= MAX_TABLE_WORDS
    name = re.split(r"; | – ", one.unit.text, maxsplit=1)[0]
    if is_small and not terms(name) & terms(question):
        yield from rows


def _within(some: Sequence[Candidate], most: int) -> Iterator[Candidate]:
    words = 0
    for one in some:
        words += one.words
        if words > most:
            break
        yield one


def may_stand(question: str, one: Candidate, given: Sequence[Candidate]) -> bool:
    """Whether a reader who sees nothing around a unit would understand it.

    "Yes." is the answer to its heading, so it stands only where that is what the reader asked; and so does what leans
    back on it.
    """
    if one.unit.kind == "code":
        return names_language(question, one)
    if one.unit.text.endswith("?") or (one.unit.text.endswith((":", "：")) and not _announces(one, given)):
        return False
    if _is_verdict(one) or _OPENS_VERDICT.match(one.unit.text):
        return asks(question, one.heading) or not one.heading.endswith("?")
    if not _LEANS_BACK.match(one.unit.text):
        return True
    before = _before(one, given)
    return before is None or not _is_verdict(before) or asks(question, one.heading)


def _announces(one: Candidate, given: Sequence[Candidate]) -> bool:
    """Whether what a unit announces was found as well."""
    return any(other.source is one.source and other.unit.lead_in == one.index for other in given)


def _is_verdict(one: Candidate) -> bool:
    """Whether a unit is "Yes.", "No." or another word or two that say nothing alone."""
    return one.unit.kind == "sentence" and one.words < MIN_WORDS and not one.unit.text.endswith((":", "："))


def _before(one: Candidate, given: Sequence[Candidate]) -> Candidate | None:
    """The sentence before a unit in its paragraph."""
    return next((other for other in given if _is_next(other, one)), None)


def _is_next(one: Candidate, other: Candidate) -> bool:
    """Whether the other follows one in the same paragraph."""
    return other.source is one.source and other.index == one.index + 1 and other.unit.block == one.unit.block
