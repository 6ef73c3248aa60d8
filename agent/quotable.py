"""What may be quoted of the sources found."""

import re
from collections.abc import Sequence

from agent.asked import paragraph
from agent.candidates import Candidate, candidates
from tools.sources import Source

TO_AN_AI = re.compile(
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


def quotable(question: str, sources: Sequence[Source]) -> list[Candidate]:
    """What may be quoted. A paragraph that speaks to an AI instead of the reader is left out, unless that is what the
    question is about."""
    given = candidates(sources)
    if _ABOUT_AI.search(question):
        return given
    poisoned = {paragraph(one) for one in given if TO_AN_AI.search(one.unit.text)}
    return [one for one in given if paragraph(one) not in poisoned] if poisoned else given
