"""An answer quoted from the passages that were found: question and sources in, Markdown with citations out.

Nothing is invented: every sentence is one of a source, cleaned of inline markup, and followed by the number of that
source; dots stand for clauses that are left out. What is likely part of the answer (agent/relevance.py) is chosen
clause by clause until more would dilute it, completed to what can stand alone (a list with the sentence that introduces
it, all the steps of a procedure, code with its explanation), and put in the order of the document.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from agent.asked import asks, asks_for_all, compares, names_language, paragraph, stands_alone, weighed
from agent.clauses import clauses
from agent.relevance import Candidate, Floats, candidates, relevance, terms
from agent.small_talk import small_talk
from knowledge_base.passage import Utterance
from tools.sources import Found, Source, linked

__all__ = ["Answer", "compose", "follow_ups", "unanswered"]

MAX_LIST_WORDS = 160
MAX_STEPS = 12
MAX_ROWS = 6  # of a table that is shown whole
MAX_TABLE_WORDS = 80
MAX_COMPARED_WORDS = 240  # of a table that compares what is asked for
SHORTLIST = 16  # candidates that are considered at all
OTHER_DOCUMENT = 0.5  # how much less likely a sentence of another document than the best one's is
REPEATS = 0.7  # share of the words of a sentence in another one from which it says nothing new
QUOTED_CONFIDENCE = 0.15  # below the threshold of an answer, the nearest is still quoted from here on
NEAREST = 3
FAR = 0.1  # how likely, relative to the best, something must be to be said beside it
SHARPENED = 2.0  # exponent of the probabilities of clauses: what is likely makes what is less likely unlikelier still
EXPECTED = 3.6  # factor of the expected length where they are
GAP = "..."  # in place of what is left out
LEFT_OUT = 5  # words at least that are left out of a sentence
NEVER = 1e-6  # the least that anything is likely
MIN_WORDS = 3  # of a sentence that says something alone


@dataclass(frozen=True, slots=True)
class Length:
    """How long an answer may be, before lists are completed, and how long one is expected to be: see `_chosen`."""

    most: int
    expected: int


USUAL, SHORT, LONG = Length(110, 32), Length(45, 8), Length(180, 70)
QUOTED = Length(45, 26)  # of an answer that may not be one

NO_ANSWER = "The documents don't answer this."
NEAREST_ARTICLES = "I found nothing that answers this; the nearest articles are:"
NOT_SURE = "This comes nearest, but it may not be what you asked:"
ASK_OTHERWISE = "Try other words, or name the feature or the document that it is about."


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said, the numbers of the sources it rests on, and whether that answers the question."""

    text: str
    numbers: tuple[int, ...] = ()
    answered: bool = True


Relevance = Callable[[str, Sequence[Utterance], Sequence[Candidate]], Sequence[Floats]]


def compose(
    question: str,
    history: Sequence[Utterance],
    found: Found | None,
    *,
    length: Length = USUAL,
    relevance: Relevance = relevance,
) -> Answer:
    """The answer to a question after a conversation, from what one or more searches found.

    `relevance` gives each clause of each candidate the probability that it is part of the answer.
    """
    reply = small_talk(question, history)
    if reply is not None:
        return Answer(reply)
    if found is None or not found.sources:
        return Answer(f"{NO_ANSWER} {ASK_OTHERWISE}", answered=False)
    given = _quotable(question, found.sources)
    if not given:
        return unanswered(found.sources)
    alone = stands_alone(question, history, found.query, given)
    probable = relevance(question, history, given)
    parts = _parts(question, found.query or question, given, probable, alone=alone)
    wanted = length if found.answerable else QUOTED
    expected = wanted.expected * (1.0 if alone else EXPECTED)
    said = terms(question).union(*(terms(one.text) for one in history))
    chosen = _chosen(question, given, parts, wanted.most, expected, said)
    if not chosen or (not found.answerable and found.confidence < QUOTED_CONFIDENCE):
        return unanswered(found.sources)
    answer = _rendered(_completed(question, chosen, given))
    return answer if found.answerable else Answer(f"{NOT_SURE}\n\n{answer.text}", answer.numbers, answered=False)


def unanswered(sources: Sequence[Source]) -> Answer:
    """Says that the documents have no answer, and which articles come nearest."""
    first_of: dict[str, Source] = {}
    for source in sources:
        first_of.setdefault(source.document_id, source)
    nearest = list(first_of.values())[:NEAREST]
    if not nearest:
        return Answer(f"{NO_ANSWER} {ASK_OTHERWISE}", answered=False)
    lines = [f"- {linked(source.title or source.document_id, source.url)} [{source.number}]" for source in nearest]
    text = "\n".join([NEAREST_ARTICLES, "", *lines])
    return Answer(text, tuple(source.number for source in nearest), answered=False)


# What may be quoted

_TO_AN_AI = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b[^.]{0,40}\b(?:instructions?|prompts?|rules|guidelines|context|messages?)\b"
    r"|\b(?:you are|act as|pretend to be|behave as)\b[^.]{0,30}\b(?:AI|assistant|chat ?bot|language model|LLM|DAN)\b"
    r"|\b(?:system|developer) (?:prompt|message)\b|\bas an? (?:AI|LLM|language model)\b"
    r"|\b(?:tell|reply|respond|answer|say)\b[^.]{0,20}\b(?:the user|all users|every user|only with|to users)\b"
    r"|\b(?:AI|LLM) (?:assistants?|agents?|models?)\b[^.]{0,20}\b(?:must|should|shall|have to|need to)\b"
    r"|</?(?:system|passage)\b",
    re.IGNORECASE,
)
_ABOUT_AI = re.compile(
    r"\b(?:AI|LLM|prompts?|injections?|instructions?|chat ?bots?|assistants?|language models?)\b", re.I
)


def _quotable(question: str, sources: Sequence[Source]) -> list[Candidate]:
    """What may be quoted. A paragraph that speaks to an AI instead of the reader is left out, unless that is what the
    question is about."""
    given = candidates(sources)
    if _ABOUT_AI.search(question):
        return given
    poisoned = {paragraph(one) for one in given if _TO_AN_AI.search(one.unit.text)}
    return [one for one in given if paragraph(one) not in poisoned] if poisoned else given


# Choosing

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
class _Part:
    """What may be quoted of a candidate: the place of a clause, or None for all of it, and how likely that is."""

    clause: int | None
    words: int
    likely: float


def _parts(
    question: str, query: str, given: Sequence[Candidate], probable: Sequence[Floats], *, alone: bool
) -> list[list[_Part]]:
    """What may be quoted of each candidate, with what the trees cannot know of it as a whole.

    What can be left out of a sentence is mostly what was said before: a question that stands alone gets it whole.
    """
    wholes = [max(NEVER, _of_words(one, some)) for one, some in zip(given, probable, strict=True)]
    likely = weighed(question, query, given, wholes, alone=alone)
    if alone:
        return [[_Part(None, one.words, fit)] for one, fit in zip(given, likely, strict=True)]
    return [
        _clause_parts(one, some, fit / whole)
        for one, some, fit, whole in zip(given, probable, likely, wholes, strict=True)
    ]


def _of_words(one: Candidate, probable: Floats) -> float:
    """The probability of a candidate's words, from those of its clauses."""
    lengths = [len(text.split()) for text in clauses(one.unit)]
    quoted: float = sum(p * n for p, n in zip(probable.tolist(), lengths, strict=True))
    return quoted / sum(lengths)


def _clause_parts(one: Candidate, probable: Floats, factor: float) -> list[_Part]:
    each = zip(clauses(one.unit), probable.tolist(), strict=True)
    return [_Part(at, len(text.split()), min(1.0, factor * p) ** SHARPENED) for at, (text, p) in enumerate(each)]


def _chosen(
    question: str,
    given: Sequence[Candidate],
    parts: Sequence[Sequence[_Part]],
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
    order = [i for i in order if _may_stand(question, given[i], given)]
    least = FAR * max((best[i] for i in order), default=0.0)
    left = [(i, part) for i in order for part in parts[i] if part.likely >= least]
    chosen: dict[int, list[_Part]] = {}
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
    return sum(one.words for one in _completed(question, [given[i] for i in chosen], given))


def _may_stand(question: str, one: Candidate, given: Sequence[Candidate]) -> bool:
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


def _likelihood(part: _Part, given: Sequence[Candidate], i: int, first: int | None) -> float:
    if first is None:
        return part.likely
    elsewhere = given[i].source.document_id != given[first].source.document_id
    return part.likely * (OTHER_DOCUMENT if elsewhere else 1.0)


def _repeats(one: Candidate, other: Candidate) -> bool:
    first, second = terms(one.unit.text), terms(other.unit.text)
    return len(first & second) > REPEATS * min(len(first), len(second)) if first and second else False


# Completing

_WANTS_CODE = re.compile(
    r"\b(?:code|commands?|examples?|samples?|snippets?|scripts?|config\w*|syntax|json|yaml|curl|requests?|headers?|"
    r"payload|queries|query|\w+file|install|docker|api|sdk|webhooks?|environment variables?)\b",
    re.IGNORECASE,
)
_OPENS_VERDICT = re.compile(r"(?:Yes|No)\b[,:;–—]")
_LEANS_BACK = re.compile(
    r"(?:It|This|That|These|Those|They|Then|Otherwise|However|But|Also|Instead|If so|If not|To do (?:this|that|so))\b"
)


def _completed(question: str, chosen: Sequence[Candidate], given: Sequence[Candidate]) -> list[Candidate]:
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
        yield from _rest_of_table(question, one, siblings)
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
    if asks_for_all(question) and sum(other.words for other in items) <= MAX_TABLE_WORDS:
        yield from items
    elif numbered and len({other.unit.item for other in items}) <= MAX_STEPS:
        yield from _within(items, MAX_LIST_WORDS)
    else:
        yield from (other for other in items if other.unit.item == one.unit.item and other.index < one.index)


def _rest_of_code(question: str, one: Candidate, given: Sequence[Candidate]) -> Iterator[Candidate]:
    """The other code under the same heading, which may go on over several passages."""
    places = [
        other for other in given if (other.source.document_id, other.heading) == (one.source.document_id, one.heading)
    ]
    yield from _within([other for other in places if names_language(question, other)], MAX_LIST_WORDS)


def _rest_of_table(question: str, one: Candidate, siblings: Sequence[Candidate]) -> Iterator[Candidate]:
    """The other rows of a small table, unless the question names this one."""
    rows = [other for other in siblings if other.unit.block == one.unit.block]
    if compares(question):
        yield from _within(rows, MAX_COMPARED_WORDS)
        return
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


# Writing

_END = re.compile(r"([.!?…。！？]+[\"'”’)\]]*)$")


def _rendered(parts: Sequence[Candidate]) -> Answer:
    blocks: list[str] = []
    for _, run in groupby(parts, key=_run_key):
        blocks.append(_block(list(run), parts))
    numbers = dict.fromkeys(one.source.number for one in parts)
    return Answer("\n\n".join(block for block in blocks if block), tuple(numbers))


def _run_key(one: Candidate) -> tuple[int, str, int]:
    """What is written together: the sentences of a passage in a paragraph, a list, a table, a block of code."""
    kind = one.unit.kind
    shape = "list" if kind in ("item", "row") or (kind == "code" and one.unit.item >= 0) else kind
    return one.source.number, shape, one.unit.block if shape != "sentence" else -1


def _block(run: Sequence[Candidate], parts: Sequence[Candidate]) -> str:
    kind = run[0].unit.kind
    if kind == "code":
        return "\n\n".join(_code(one, parts) for one in run)
    if kind == "sentence":
        return " ".join(_sentence(one, parts) for one in run)
    return "\n".join(_list_lines(run, parts))


def _code(one: Candidate, parts: Sequence[Candidate]) -> str:
    """Code, below its heading and its citation where no sentence of the answer introduces it."""
    introduced = any(other.source is one.source and other.unit.kind != "code" for other in parts)
    return one.unit.text if introduced else f"{cite(f'{one.heading}:', one.source.number)}\n\n{one.unit.text}"


def _sentence(one: Candidate, parts: Sequence[Candidate]) -> str:
    """A sentence with its citation; one that only announces a list leaves it to the items."""
    announces = one.unit.text.endswith((":", "："))
    carried = any(
        other.source is one.source and other.unit.lead_in == one.index and other.unit.kind != "code" for other in parts
    )
    text = _row(one.unit.text) if one.unit.kind == "row" else one.unit.text
    return text if announces and carried else cite(text, one.source.number)


_FIRST_CELL = re.compile(r"[^:;–]{1,40}: ([^;]+); (?=[^;]+: )")


def _row(text: str) -> str:
    """A row opened by its first cell: "Plan: Team; Price: €49" is "Team – Price: €49"."""
    return _FIRST_CELL.sub(r"\1 – ", text, count=1) if _FIRST_CELL.match(text) else text


def cite(text: str, number: int) -> str:
    """The sentence with its citation before the mark that ends it: "It is free [1]."."""
    end = re.search(r"[:：;,]$", text) or _END.search(text)
    if end is None:
        return f"{text} [{number}]"
    return f"{text[: end.start()].rstrip()} [{number}]{end[0].lstrip()}"


def _list_lines(run: Sequence[Candidate], parts: Sequence[Candidate]) -> Iterator[str]:
    """Items with their own markers. Numbers that do not follow each other would be counted anew by a renderer, so
    then every item gets a bullet; where one is written twice ("1. 1. 1."), Markdown counts on, and so does this."""
    ordinals = [int(one.unit.marker[:-1]) for one in run if one.unit.marker[:1].isdigit() and one.unit.depth == 0]
    in_sequence = all(after - before in (0, 1) for before, after in pairwise(ordinals))
    number = ordinals[0] if ordinals else 1
    shallowest = min(one.unit.depth for one in run)
    for _, group in groupby(run, key=lambda one: one.unit.item):
        item = list(group)
        marker = item[0].unit.marker or "-"
        if marker[:1].isdigit() and not (in_sequence and len(ordinals) > 1):
            marker = "-"
        elif marker[:1].isdigit() and item[0].unit.depth == 0:
            marker, number = f"{number}.", number + 1
        indent = "   " * (item[0].unit.depth - shallowest)
        text = " ".join(_sentence(one, parts) for one in item if one.unit.kind != "code")
        yield f"{indent}{marker} {text}"
        for one in item:
            if one.unit.kind == "code":
                yield "\n" + "\n".join(f"{indent}   {line}" for line in one.unit.text.splitlines()) + "\n"


# What to ask next

_NOT_A_QUESTION = re.compile(
    r"(?:overview|introduction|intro|summary|questions?|faqs?|notes?|examples?|more|see also|related|other|details|"
    r"general|instructions|getting started|background|conclusion|limitations?|known issues|what if…?|and then\??)\W*$",
    re.IGNORECASE,
)
_ASKING = ("how", "what", "when", "where", "who", "why", "which")
_IS_ASKED = re.compile(  # "How long does it take" asks; "How escrow protects a payment" is a clause
    r"\w+ (?:\w+ )?(?:can|could|do|does|did|is|are|am|was|were|will|would|should|may|must|has|have)\b", re.IGNORECASE
)
_VERBS = """
    accept access activate add adjust apply approve archive ask assign authenticate avoid backup block boost
    build buy calculate cancel change check choose clear close compare complete configure confirm connect
    contact convert copy create customize deactivate decline delete deploy disable dispute download edit enable
    end enter export extend file fill filter find fix fund generate get give handle hide hire host import
    increase install integrate invite join keep leave link list lock log make manage merge migrate modify
    monitor move open order organize pause pay post prepare prevent protect publish read receive recover reduce
    refund register remove rename renew replace report request reset resolve restart restore resume retry return
    review revoke rotate run save schedule search secure select send set share sign solve sort split start stop store
    submit subscribe switch sync test track transfer troubleshoot turn unlock unsubscribe update upgrade upload
    use validate verify view withdraw write
"""
_IMPERATIVE = frozenset(_VERBS.split())
MAX_FOLLOW_UPS = 3
MAX_HEADING_CHARS = 70


def follow_ups(
    question: str, sources: Sequence[Source], used_numbers: Sequence[int], asked: Sequence[str]
) -> list[str]:
    """Up to three questions that the passages found, but not used, would answer; none that was asked before.

    `as_question` says how a heading becomes one.
    """
    used = {source.document_id for source in sources if source.number in used_numbers}
    order = sorted(sources, key=lambda source: (source.number in used_numbers, source.document_id not in used))
    said = [terms(text) for text in [*asked, question]]
    found: list[str] = []
    for heading in dict.fromkeys(heading for source in order for heading in _headings(source, used_numbers)):
        about = terms(heading)
        if len(found) == MAX_FOLLOW_UPS:
            break
        if about and not any(len(about & other) >= 0.75 * len(about) for other in said):
            found.append(as_question(heading))
            said.append(about)
    return found


def _headings(source: Source, used_numbers: Sequence[int]) -> list[str]:
    inside = list(dict.fromkeys(one.heading for one in candidates([source])))
    headings = inside if source.number not in used_numbers else inside[1:]
    return [heading for heading in headings if _is_telling(heading)]


def _is_telling(heading: str) -> bool:
    plain = heading.strip()
    return (
        3 < len(plain) <= MAX_HEADING_CHARS
        and plain[0].isalnum()
        and not plain.endswith(("…", ":", ","))
        and not _NOT_A_QUESTION.fullmatch(plain)
        and not _TO_AN_AI.search(plain)
        and len(terms(plain)) >= 1
    )


def as_question(heading: str) -> str:
    """A heading or a title as something that a reader could ask: "How do I …?" for an imperative, else as it is."""
    plain = re.sub(r"^\d+(?:\.\d+)*[.)]?\s+", "", " ".join(heading.replace("`", "").split())).rstrip(".")
    if plain.endswith("?"):
        return plain
    first, _, rest = plain.partition(" ")
    if first.lower() == "how" and rest.lower().startswith("to "):
        return f"How do I {rest[3:]}?"
    if first.lower() in _ASKING:
        return f"{plain}?" if _IS_ASKED.match(plain) else f"Explain {first.lower()} {rest}"
    if first.lower().rstrip(",") in _IMPERATIVE and rest:
        return "How do I " + re.sub(r"\byour\b", "my", f"{first.lower()} {rest}?")
    return plain
