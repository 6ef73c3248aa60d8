"""What a message wants looked up: nothing, its question, each of its questions, or once more the last one.

Read by rules, before the search: prepare asks for the look-ups by it, and the extractive model answers by it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.compose import says_unanswered
from agent.small_talk import asks_what_is_known, rejects, small_talk
from knowledge_base.followup import is_complete
from knowledge_base.passage import Utterance
from knowledge_base.words import content_words

MOST_PARTS = 3
LEAST_WORDS = 2  # of a question that stands beside another

_ASKS = (  # how a question opens; "when the client pays" and "how it works" are clauses
    r"(?:how (?:[\w-]+ ){0,3}?(?:can|could|do|does|did|is|are|was|will|would|should|may|must|has|have)\b"
    r"|(?:what|which) (?:[\w-]+ ){0,3}?(?:can|could|do|does|did|is|are|was|will|would|should|may|must|has|have|"
    r"happens?|about|if)\b|what's\b|who (?!knows)\w+|whose \w+"
    r"|(?:when|where|why) (?:can|could|do|does|did|is|are|was|will|would|should|may|must|has|have)\b"
    r"|(?:can|could|do|does|did|is|are|will|would|should|may|must|has|have)(?:n't)? "
    r"(?:i|we|you|it|they|he|she|there|the|an?|my|our|your|this|that|these|those|any|all)\b)"
)
_QUESTION = re.compile(rf"(?:^|[.!?,:;]\s+)(?:(?:and|but|so|also|then|ok(?:ay)?|hi|hello|please),? )*{_ASKS}", re.I)
_BETWEEN = re.compile(
    rf"[?.!]+\s+(?=(?:(?:and|but|or|also|then),? )*{_ASKS})|[,;]?\s+(?:and|but|or) (?=(?:also |then )?{_ASKS})", re.I
)

_CORRECTS = re.compile(
    r"(?:(?:no|nope|sorry|oh|oops|well|actually|wait|hm+|not that),? |(?:no|sorry|oops)[.!] )*"
    r"(?:(?:i (?:actually |really )?(?:meant?|wanted|was (?:asking|talking) about|asked (?:about|for))|"
    r"what i (?:meant|wanted) (?:is|was)|i mean)(?: to (?:ask|say|know)(?: about| for)?)?)[,:]? (?P<meant>.+)",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A question to look up, with what was said before it that may belong to it, oldest first."""

    question: str
    history: tuple[Utterance, ...]


@dataclass(frozen=True, slots=True)
class Intent:
    """What a message wants: `parts` are the questions to look up, none for small talk. `rejects` says that the message
    only finds fault with the last answer; its part is then the question that was answered."""

    parts: tuple[Part, ...]
    rejects: bool = False

    @property
    def asks(self) -> bool:
        """Whether the message itself is a question or tells something."""
        return bool(self.parts) and not self.rejects


def read(message: str, history: Sequence[Utterance]) -> Intent:
    """What a message wants after this history, oldest first."""
    before = _on_the_matter(history)
    last = max((at for at, one in enumerate(before) if one.role == "user"), default=None)
    if rejects(message, history):
        return Intent(() if last is None else (Part(before[last].text, before[:last]),), rejects=True)
    if not message.strip() or small_talk(message, history) is not None or asks_what_is_known(message):
        return Intent(())
    if corrected := _CORRECTS.fullmatch(message.strip()):
        # The answer that missed what was meant says nothing of it.
        return Intent((Part(corrected["meant"], () if last is None else (*_answered(before[:last]), before[last])),))
    return Intent(tuple(_parts(message, _answered(before) or before)))


def _parts(message: str, history: tuple[Utterance, ...]) -> Iterator[Part]:
    questions = _questions(message)
    if len(questions) == 1:
        yield Part(message, history)
        return
    for at, question in enumerate(questions):
        yield Part(question, () if at and is_complete(question) else history)
        history = (*history, Utterance("user", question))


def _questions(message: str) -> list[str]:
    """The questions of a message that asks several; the message alone where any of them would be none."""
    found = [part.strip() for part in _BETWEEN.split(message)]
    whole = 1 < len(found) <= MOST_PARTS and all(
        _QUESTION.search(part) and len(part.split()) >= LEAST_WORDS for part in found
    )
    return found if whole and content_words(found[0]) else [message]


def _on_the_matter(history: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """What was said about a subject: without small talk and complaints, and without the replies to them."""
    kept: list[Utterance] = []
    passed_over = False
    for at, one in enumerate(history):
        if one.role == "user":
            before = history[:at]
            passed_over = small_talk(one.text, before) is not None or rejects(one.text, before)
        if not passed_over:
            kept.append(one)
    return tuple(kept)


def _answered(said: Sequence[Utterance]) -> tuple[Utterance, ...]:
    """What was said without the questions that the documents don't answer: who asks on has come back to the rest."""
    unanswered = {at for at, one in enumerate(said) if one.role == "assistant" and says_unanswered(one.text)}
    return tuple(one for at, one in enumerate(said) if at not in unanswered and at + 1 not in unanswered)
