"""What one message teaches about the user who wrote it: topics asked about, likings and dislikes said, facts told.

Only the user's own words are evidence (speech.py). The sources that grounded the answer say how much a topic mattered,
but never alone: a topic counts when the words point to it too. Sensitive things (sensitive.py) and what the user muted
are left out.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from tools.profile.model import FactTold, Lessons, Muted, Signal, TagSeen, key_of
from tools.profile.sensitive import is_sensitive, tells_child
from tools.profile.speech import Clause, Speech, own_speech
from tools.profile.told import read_told
from tools.profile.topics import SURE, TopicModel, Vector

TOPIC = "topic"
ASKED = 0.5  # the weight of a topic that was asked about, times its relevance
TURNED_DOWN = -0.3  # as much as taking an item off one's list
SUPPORT, SUPPORTED = 0.15, 3  # the words speak for a source's topic: among so many best ones, from this probability on
TAGGED = 0.6  # the relevance from which on a topic is a tag too
MOST_TOPICS = 3  # of one message
TELLING_CHARS = 4  # a shorter message ("ok", "why?") has no topic of its own

EmbedOne = Callable[[str], Vector]
"""A text to its unit vector."""

_LIKING = re.compile(
    r"\b(?:(?:i'm|i am|we're|we are)(?: \w+)? "
    r"(?:interested in|into|curious about|keen on|passionate about|fond of|fans? of|an? (?:\w+ )?fan of|"
    r"learning(?: about)?|working on)|"
    r"(?:i|we)(?: really| also| absolutely| mostly)? (?:love|like|enjoy|adore|care about|speciali[sz]e in|work with)|"
    r"(?:ich )?interessiere mich|m'intéresse|me interesan?|mi interessano?|me interesso|interesseer me)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Relevant:
    """A topic that the message is about, 0..1."""

    topic: str
    relevance: float


def lessons_of(
    message: str,
    vector: Vector | None,
    *,
    model: TopicModel,
    grounding: Sequence[tuple[str, float]] = (),
    replies: Sequence[str] = (),
    muted: Collection[Muted] = (),
    embed: EmbedOne | None = None,
) -> Lessons:
    """What the message teaches; CPU work of a few milliseconds, and a bounded part of a long message only.

    Args:
        vector: The message's, of length one, as the turn's search has it; None when there is none.
        grounding: Topics of the sources that the answer rests on, each with its relevance, 0..1.
        replies: Earlier answers of the assistant, whose words may come back in the message.
        embed: Makes the vector of the user's own words where these are not the whole message. Without it such a
            message teaches only topics that it names.
    """
    speech = own_speech(message, replies=replies)
    if any(map(tells_child, speech.sentences)):
        return Lessons()
    allowed = _Allowed(muted)
    told = read_told(speech)
    asked = told.subject
    whole = speech.whole and len(asked) == len(speech.clauses)
    found = _topics(asked, vector if whole else None, model, grounding, embed)
    relevant = [one for one in found if allowed(TOPIC, one.topic)]
    quote = _quote(asked)
    liked = any(_LIKING.search(clause.text) for clause in asked)
    return Lessons(
        signals=(
            *(Signal(TOPIC, one.topic, round(ASKED * one.relevance, 4), quote) for one in relevant),
            *(
                one
                for one in _turned_down(speech, model, {one.topic for one in relevant}, embed)
                if allowed(TOPIC, one.value)
            ),
        ),
        tags=(
            *(
                TagSeen(one.topic, round(one.relevance if liked else ASKED * one.relevance, 4), quote)
                for one in relevant
                if (liked or one.relevance >= TAGGED) and allowed("tag", one.topic)
            ),
            *(TagSeen(f"Pays by {way}", 0.9, said) for way, said in told.payments if allowed("tag", f"Pays by {way}")),
        ),
        facts=tuple(fact for fact in told.facts if _may_be_told(fact, allowed)),
    )


class _Allowed:
    """Whether something may be learned: it is neither muted nor sensitive."""

    def __init__(self, muted: Collection[Muted]) -> None:
        self._muted = {(key_of(one.facet), key_of(one.value)) for one in muted}

    def __call__(self, facet: str, value: str) -> bool:
        return (key_of(facet), key_of(value)) not in self._muted and not is_sensitive(value)


def _may_be_told(fact: FactTold, allowed: _Allowed) -> bool:
    return allowed(fact.slot, fact.value)


def _quote(asked: Sequence[Clause]) -> str:
    """The sentences, each once."""
    return " ".join(dict.fromkeys(clause.sentence for clause in asked))


def _topics(
    asked: Sequence[Clause],
    vector: Vector | None,
    model: TopicModel,
    grounding: Sequence[tuple[str, float]],
    embed: EmbedOne | None,
) -> list[_Relevant]:
    """The most relevant first. Words decide whether a topic counts, sources how much. `vector` is that of the words."""
    text = " ".join(clause.text for clause in asked)
    if len(text) < TELLING_CHARS:
        return []
    own = vector if vector is not None or embed is None else embed(text)
    guesses = model.rank(text, own) if own is not None else ()
    said = {guess.topic: guess.probability for guess in guesses}
    spoken_for = {guess.topic for guess in guesses[:SUPPORTED] if guess.probability >= SUPPORT}
    found: dict[str, float] = {topic: chance for topic, chance in said.items() if chance >= SURE}
    for topic, relevance in grounding:
        known = said.get(topic, 0.0)
        if topic in spoken_for or names(text, topic):
            found[topic] = max(found.get(topic, 0.0), known, (known + min(1.0, max(0.0, relevance))) / 2)
    ranked = sorted(found.items(), key=lambda pair: -pair[1])[:MOST_TOPICS]
    return [_Relevant(topic, min(1.0, relevance)) for topic, relevance in ranked]


def _turned_down(speech: Speech, model: TopicModel, asked: Collection[str], embed: EmbedOne | None) -> Iterator[Signal]:
    """Topics that the user said they don't care for. What they ask about all the same is not among them."""
    done: set[str] = set()
    for clause in speech.clauses:
        if not clause.against or is_sensitive(clause.sentence):
            continue
        for topic in _against(clause.text, model, embed):
            if topic not in asked and topic not in done:
                done.add(topic)
                yield Signal(TOPIC, topic, TURNED_DOWN, clause.sentence)


def _against(text: str, model: TopicModel, embed: EmbedOne | None) -> list[str]:
    named = [topic for topic in model.names if names(text, topic)]
    if named or embed is None:
        return named
    return [guess.topic for guess in model.infer(text, embed(text))[:1]]


def names(text: str, topic: str) -> bool:
    """Every word of the topic's name stands in the text, whatever its ending."""
    stems = {_stem(word) for word in re.findall(r"\w+", text.casefold())}
    wanted = [_stem(word) for word in re.findall(r"\w+", topic.casefold()) if word not in _SMALL]
    return bool(wanted) and all(word in stems for word in wanted)


_SMALL = frozenset({"and", "or", "the", "of", "a", "an", "in", "for", "to", "with", "your"})


def _stem(word: str) -> str:
    """Good enough to make tax of taxes and invoice of invoicing."""
    for ending in ("ing", "es", "s", "ed", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
