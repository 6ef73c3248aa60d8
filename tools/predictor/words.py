"""How alike two questions are, and whether one asks for a person: in words, without a model."""

import re

WordSet = frozenset[str]

SAME = 0.6
"""Questions that share so much of their words ask the same again (Jaccard)."""
_WORD = re.compile(r"\w+")
# fmt: off
_EMPTY = frozenset((
    "a", "an", "and", "are", "can", "could", "do", "does", "for", "from", "have", "how", "i", "in", "is", "it",
    "me", "my", "of", "on", "or", "please", "the", "this", "to", "what", "when", "where", "which", "who", "why",
    "will", "with", "would", "you", "your", "hello", "hi", "thanks", "still", "again",
))
# fmt: on
_PERSON = re.compile(
    r"\b(?:speak|talk|chat|connect|transfer|escalate|put me through)\b.{0,30}"
    r"\b(?:human|person|someone|somebody|agent|representative|rep|manager|supervisor|operator|staff|people)\b"
    r"|\b(?:real|actual|live|human)\s+(?:human|person|agent|being|support|operator)\b"
    r"|^\W*who (?:do|can|could|should) i (?:talk|speak|turn) to\W*$"
    r"|\b(?:need|want|get)\s+(?:a|an|me a)\s+(?:human|person|representative|manager|supervisor)\b"
)  # of small letters: to ignore case costs more than twice as much, and a turn asks this of sixty questions


def word_set(text: str) -> WordSet:
    """The words that carry meaning; all of them where none does."""
    words = frozenset(_WORD.findall(text.lower()))
    return words - _EMPTY or words


def likeness(first: WordSet, second: WordSet) -> float:
    """The share of their words that both have, 0 to 1."""
    return len(first & second) / len(first | second) if first and second else 0.0


def asks_for_person(text: str) -> bool:
    """Whether somebody would rather be helped by a person."""
    return bool(_PERSON.search(text.lower()))
