"""What was said before, as far as it belongs to the question: follow-ups take it along, a new subject leaves it behind.

No model is called. A question continues the conversation when its words point back ("and for teams?", "why?"), or when
what it finds alone is no better than what the conversation is about. It starts a new subject when it finds something
good on its own, far from that, or when it can be understood alone and its own answer is clear.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge_base.passage import Utterance
from knowledge_base.words import content_words

HISTORY_WEIGHT = 0.7  # of a sentence said before, beside the question's 1
MAX_UTTERANCES = 12
MAX_UTTERANCE_CHARS = 1_000
MAX_QUERY_CHARS = 400
SHORT_WORDS = 4
COMPLETE_WORDS = 2  # content words of a question that has a subject of its own
CLEAR_LEAD = 0.15  # of a question's own document over that of the conversation, from which it may be another subject
CLEAR_ANSWER = 0.7  # the confidence of such a question alone from which it is one

_MARKER = re.compile(r"\s*\[\^?\d+(?:\s*[,-]\s*\d+)*\]")
_POINTS_BACK = re.compile(
    r"\b(?:it|its|this|that|these|those|they|them|their|theirs|there|one|ones|he|she|him|her|same|also|too|else|then(?!\W*$)|"
    r"instead|other|others|another|both|either|neither|former|latter|such)\b",
    re.IGNORECASE,
)
_OPENS_AS_REPLY = re.compile(
    r"\s*(?:and|but|or|so|also|what about|how about|what if|what else|why|why not|how come|how so|how much|how long|"
    r"how many|how often|since when|until when|which one|yes|no|nope|yeah|yep|sure|ok|okay|not|thanks|thank you|really|"
    r"even if|only if|except|instead|i do|i don.?t|i did|i didn.?t|i have|i haven.?t|i am|i.m|for (?!example))\b",
    re.IGNORECASE,
)
_MAY_STAND_ALONE = re.compile(r"\W*how (?:much|long|many|often)\b", re.IGNORECASE)
_ASKS_WHICH = re.compile(r"\W*(?:what|which) (?:\w+ )+(?:is|are) there\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells a follow-up from a new subject; every value within 0..1.

    `lead`: how much better the question alone scores its best document than the document that the conversation is
    about. `overlap`: the share of the question's words, by rarity, that were said before. `nearness`: the highest
    cosine to anything said before. `own`: the best cosine that the question alone reaches. `reply`: whether it opens
    like a reply; `short`: whether it has at most four words and no subject; `complete`: whether it can be understood
    alone; `named`: whether it asks which of something there are.
    """

    lead: float
    overlap: float
    nearness: float
    own: float
    reply: bool
    short: bool
    complete: bool
    named: bool = False


# A logistic model of a new subject, fitted by benchmarks/fit_search.py on conversations that stay on a subject, and
# on opening questions put after somebody else's conversation.
_INTERCEPT = -3.9
_LEAD, _OVERLAP, _NEARNESS, _OWN, _REPLY, _SHORT = 12.1, -2.0, -3.2, 5.7, -1.1, -2.2

ALIEN = 0.3  # a cosine below this to everything: nobody talks about that here, neither the documents nor these two
HEARD = 0.3  # an overlap from which somebody did
DOUBT, CERTAINTY = 0.6, 0.85  # of a new subject: what was said counts in full below the first, not at all above
NAMED_CERTAINTY = 0.75  # of one that asks which of something there are


def continuation(signals: Signals) -> float:
    """How much of what was said before belongs to the question: 0 for a new subject, up to 1."""
    if signals.complete and max(signals.own, signals.nearness) < ALIEN and signals.overlap < HEARD:
        return 0.0
    evidence = (
        _INTERCEPT
        + _LEAD * signals.lead
        + _OVERLAP * signals.overlap
        + _NEARNESS * signals.nearness
        + _OWN * signals.own
        + _REPLY * signals.reply
        + _SHORT * signals.short
    )
    new_subject = 1 / (1 + math.exp(-evidence))
    certainty = NAMED_CERTAINTY if signals.named else CERTAINTY
    return min(1.0, max(0.0, (certainty - new_subject) / (certainty - DOUBT)))


def may_be_another_subject(signals: Signals) -> bool:
    """Whether a question starts a new subject if what it finds alone answers it (CLEAR_ANSWER): who asks a whole
    question that another document answers has left the conversation, however near its words are."""
    return (signals.complete or signals.named) and signals.lead >= CLEAR_LEAD


def opens_as_reply(question: str) -> bool:
    """Whether the question begins like an answer or a follow-up: "and …", "what about …", "yes"."""
    return _OPENS_AS_REPLY.match(question) is not None


def names_subject(question: str) -> bool:
    """Whether it asks which of something there are: a word is enough to say of what."""
    return _ASKS_WHICH.match(question) is not None


def is_short(question: str) -> bool:
    """Whether it says too little to have a subject of its own; "which plans are there?" has one."""
    return len(question.split()) <= SHORT_WORDS and not is_complete(question) and not names_subject(question)


def points_back(question: str) -> bool:
    """Whether it holds a word that stands for something said before."""
    return _POINTS_BACK.search(question) is not None


def recent(history: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """The last utterances with words in them, each bounded, without citation markers; oldest first."""
    said = (Utterance(one.role, _bounded(_MARKER.sub("", one.text))) for one in history[-MAX_UTTERANCES:])
    return tuple(one for one in said if one.text)


def is_complete(question: str) -> bool:
    """Whether the question can be understood without what was said before."""
    has_subject = len(content_words(question)) >= COMPLETE_WORDS
    leans = opens_as_reply(question) and _MAY_STAND_ALONE.match(question) is None
    return has_subject and not leans and not points_back(question)


def readable(question: str, said: Sequence[Utterance]) -> str:
    """The question in a form that can be read alone: a follow-up after what it follows up."""
    if is_complete(question):
        return question
    asked = _asked_by_assistant(said[-1])
    if asked is None:
        asked = next((one.text for one in reversed(said) if one.role == "user" and is_complete(one.text)), None)
    if asked is None or asked == question:
        return question
    room = max(0, MAX_QUERY_CHARS - len(question) - 1)
    return f"{_shortened(asked, room)} {question}".strip()


def _asked_by_assistant(last: Utterance) -> str | None:
    """The question that the assistant ended on."""
    if last.role == "user" or not last.text.endswith("?"):
        return None
    return re.split(r"(?<=[.!?])\s+|\n+", last.text)[-1]


def _bounded(text: str) -> str:
    return _shortened(" ".join(text.split()), MAX_UTTERANCE_CHARS)


def _shortened(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words."""
    if len(text) <= limit:
        return text
    return text[: limit + 1].rpartition(" ")[0] or text[:limit]
