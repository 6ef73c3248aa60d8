"""An answer quoted from the passages that were found: question and sources in, Markdown with citations out.

Nothing is invented: every sentence is one of a source, cleaned of inline markup, and followed by the number of that
source; dots stand for clauses that are left out. Each clause has a probability to be part of the answer
(agent/relevance.py). The clauses that agree best with what the answer may be are chosen (agent/spans.py), completed to
what can stand alone (a list with the sentence that introduces it, all the steps of a procedure, code with its
explanation), and put in the order of the document.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from agent.asked import MIN_TERMS, stands_alone
from agent.candidates import Candidate, candidates
from agent.choosing import choose, probabilities
from agent.completing import completed
from agent.quotable import quotable
from agent.relevance import relevance
from agent.relevance_features import Floats
from agent.small_talk import small_talk
from agent.terms import terms
from agent.writing import written
from knowledge_base.passage import Utterance
from tools.sources import Found, Source, article_line

QUOTED_CONFIDENCE = 0.15  # below the threshold of an answer, the nearest is still quoted from here on
NEAREST = 3
NEAR = 0.5  # of the best score, from which an article is offered after a complaint
MOSTLY = 0.5  # of the words of an answer
CLEARLY_MORE = 2  # times as many of the question's own words
QUOTED_SHARE = 0.7  # of the words of a sentence in an answer, from which the answer quoted it


@dataclass(frozen=True, slots=True)
class Length:
    """How long an answer may be, before lists are completed, and how much more it counts that it is complete than that
    it says nothing else: see `choose`."""

    most: int
    beta: float


USUAL, SHORT, LONG = Length(110, 1.7), Length(45, 0.9), Length(180, 2.5)
QUOTED = Length(45, 1.7)  # of an answer that may not be one

NO_ANSWER = "The documents don't answer this."
NEAREST_ARTICLES = "I found nothing that answers this; the nearest articles are:"
NOT_SURE = "This comes nearest, but it may not be what you asked:"
ASK_OTHERWISE = "Try other words, or name the feature or the document that it is about."


def says_unanswered(reply: str) -> bool:
    """Whether a reply in a transcript is one that told the user that the documents hold no answer."""
    return reply.startswith((NO_ANSWER, NEAREST_ARTICLES, NOT_SURE))


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
    given = quotable(question, found.sources)
    if not given:
        return unanswered(found.sources)
    if found.alone:
        history = ()
    alone = stands_alone(question, history, found.query, given)
    probable = relevance(question, history, given)
    wanted = length if found.answerable else QUOTED
    said = terms(question).union(*(terms(one.text) for one in history))

    def chosen_of(at: Sequence[int], *, alone: bool) -> list[Candidate]:
        some = [given[i] for i in at]
        likely = probabilities(question, found.query or question, some, [probable[i] for i in at], alone=alone)
        return choose(question, some, likely, wanted.most, wanted.beta, said, whole=alone)

    chosen = chosen_of(range(len(given)), alone=alone)
    if not alone and (news := _news(question, chosen, given, history)):
        chosen = chosen_of(news, alone=True)
    if not chosen or (not found.answerable and found.confidence < QUOTED_CONFIDENCE):
        return unanswered(found.sources)
    quoted = completed(question, chosen, given)
    text, numbers = written(quoted), tuple(dict.fromkeys(one.source.number for one in quoted))
    return Answer(text, numbers) if found.answerable else Answer(f"{NOT_SURE}\n\n{text}", numbers, answered=False)


def _news(
    question: str, chosen: Sequence[Candidate], given: Sequence[Candidate], history: Sequence[Utterance]
) -> list[int]:
    """Where an answer would mostly say again what was said: the places of all that was not, if any of that holds
    clearly more of the question's own words."""
    told = [terms(one.text) for one in history if one.role == "assistant"]
    if sum(one.words for one in chosen if _was_told(one, told)) < MOSTLY * sum(one.words for one in chosen):
        return []
    news = [at for at, one in enumerate(given) if not _was_told(one, told)]
    asked = terms(question)

    def held(some: Iterable[Candidate]) -> int:
        return max((len(asked & (terms(one.unit.text) | terms(one.heading))) for one in some), default=0)

    return news if held(given[at] for at in news) > CLEARLY_MORE * held(chosen) else []


def _was_told(one: Candidate, told: Sequence[frozenset[str]]) -> bool:
    unit = terms(one.unit.text)
    return any(len(unit & answer) > QUOTED_SHARE * len(unit) for answer in told)


def unanswered(sources: Sequence[Source]) -> Answer:
    """Says that the documents have no answer, and which articles come nearest."""
    nearest = _listed(sources)
    if not nearest.numbers:
        return Answer(f"{NO_ANSWER} {ASK_OTHERWISE}", answered=False)
    return replace(nearest, text=f"{NEAREST_ARTICLES}\n\n{nearest.text}")


def others(sources: Sequence[Source], told: Sequence[str]) -> Answer:
    """The articles that come nearest, but for those that earlier answers quoted; no numbers where there are none."""
    said = [terms(text) for text in told]
    long = (one for one in candidates(sources) if len(terms(one.unit.text)) >= MIN_TERMS)
    quoted = {one.source.document_id for one in long if _was_told(one, said)}
    best = max((source.score for source in sources), default=0.0)
    return _listed([one for one in sources if one.document_id not in quoted and one.score >= NEAR * best])


def _listed(sources: Sequence[Source]) -> Answer:
    """Links to the articles of some sources, the first few."""
    first_of: dict[str, Source] = {}
    for source in sources:
        first_of.setdefault(source.document_id, source)
    nearest = list(first_of.values())[:NEAREST]
    return Answer("\n".join(map(article_line, nearest)), tuple(source.number for source in nearest), answered=False)
