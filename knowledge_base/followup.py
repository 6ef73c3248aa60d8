"""What was said before, as far as it belongs to the question: follow-ups take it along, a new subject leaves it behind.

No model is called. A question continues the conversation when its words point back ("and for teams?", "why?"), or when
what it finds alone is no better than what the conversation is about. It starts a new subject when it finds something
good on its own, far from that, or when it can be understood alone, or is another document's title, and its own answer
is clear. A question whose rare words the conversation's document lacks must convince alone.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from knowledge_base.passage import Utterance
from knowledge_base.stopwords import TALK_WORDS
from knowledge_base.words import content_words

HISTORY_WEIGHT = 0.7  # of a sentence said before, beside the question's 1
MAX_UTTERANCES = 12
MAX_UTTERANCE_CHARS = 1_000
MAX_QUERY_CHARS = 400
SHORT_WORDS = 4
COMPLETE_WORDS = 2  # content words of a question that has a subject of its own
CLEAR_LEAD = 0.15  # of a question's own document over that of the conversation, from which it may be another subject
CLEAR_ANSWER = 0.7  # the confidence of such a question alone from which it is one
TITLED_LEAD, TITLED_ANSWER = 0.1, 0.8  # the same two, of a question that is all in the other document's title
LACKING = 1.0  # of what is asked for, above which it must convince without what was said before
RARE = 0.5  # of the rarity of a word that stands nowhere, from which a word can be lacking
NEVER = 2.0  # a confidence that nothing reaches

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
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TELLS = re.compile(r"\W*(?:yes|no|nope|yeah|yep|i|we|my|our)\b(?!.*\?\s*$)", re.IGNORECASE | re.DOTALL)
_ASKS_FOR_LIST = re.compile(
    r"\A\W*(?:(?:no|ok|okay|and|then|now|please),? )*(?:(?:can|could) you )?(?:please )?"
    r"(?:(?:list|name|enumerate|show|give|tell)(?: me)?(?: (?:a|the)(?: full| complete)? list of)?(?: all| every)|"
    r"list(?: me)?(?= the| your| my)|(?:show|give|tell)(?: me)? (?:a|the)(?: full| complete)? list of)"
    r"(?: of)?(?: the| your| my)? (?=\w)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Signals:
    """What tells a follow-up from a new subject; every value within 0..1.

    `lead`: how much better the question alone scores its best document than the document that the conversation is
    about. `overlap`: the share of the question's words, by rarity, that were said before. `nearness`: the highest
    cosine to anything said before. `own`: the best cosine that the question alone reaches. `reply`: whether it opens
    like a reply; `short`: whether it has at most four words and no subject; `complete`: whether it can be understood
    alone; `named`: whether it asks which of something there are; `tells`: whether it tells something of the user;
    `titled`: whether the title of its own best document says all of it, and that of the conversation's does not.
    """

    lead: float
    overlap: float
    nearness: float
    own: float
    reply: bool
    short: bool
    complete: bool
    named: bool = False
    tells: bool = False
    titled: bool = False


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


def needed_alone(signals: Signals) -> float:
    """The confidence from which what a question finds alone makes it a new subject, however near its words are: who
    asks what another document answers has left the conversation, with a whole question or with that document's name."""
    if (signals.complete or signals.named) and signals.lead >= CLEAR_LEAD:
        return CLEAR_ANSWER
    return TITLED_ANSWER if signals.titled and not signals.tells and signals.lead >= TITLED_LEAD else NEVER


def opens_as_reply(question: str) -> bool:
    """Whether the question begins like an answer or a follow-up: "and …", "what about …", "yes"."""
    return _OPENS_AS_REPLY.match(question) is not None


def names_subject(question: str) -> bool:
    """Whether it asks which of something there are: a word is enough to say of what."""
    return _ASKS_WHICH.match(question) is not None or _ASKS_FOR_LIST.match(question) is not None


def tells(question: str) -> bool:
    """Whether it asks nothing, but begins with what the user has or does, as an answer or an explanation would."""
    return _TELLS.match(question) is not None


def searched(question: str) -> str:
    """The question as it is looked up: "list all plans" is about plans, and not about lists."""
    return _ASKS_FOR_LIST.sub("", question, count=1)


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


def asked_for(question: str) -> frozenset[str]:
    """The words, in lower case, that say what the last question of a message is about; none where it tells something,
    which people do in words of their own."""
    if tells(question):
        return frozenset()
    sentences = _SENTENCE_END.split(question.strip())
    asked = next((one for one in reversed(sentences) if one.endswith("?")), sentences[-1])
    return frozenset(word.lower() for word in content_words(asked)) - TALK_WORDS


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
