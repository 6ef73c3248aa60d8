"""Texts as the stems of the words that say what they are about."""

import re
from functools import lru_cache
from itertools import pairwise

from knowledge_base.stopwords import STOP_WORDS

_WORD = re.compile(r"[^\W_]+")
_SUFFIX = re.compile(r"(?:ations?|ingly|ments?|ings?|ies|ied|ions?|ers?|ed|es|ly|s|e|y)$")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without a common English ending; at least three letters stay."""
    match = _SUFFIX.search(word, 3) if len(word) > 3 else None
    return word[: match.start()] if match else word


@lru_cache(maxsize=8_192)
def terms(text: str) -> frozenset[str]:
    """The stems of the words that say what a text is about."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


@lru_cache(maxsize=8_192)
def pairs(text: str) -> frozenset[tuple[str, str]]:
    """The words that follow each other, unchanged."""
    return frozenset(pairwise(_WORD.findall(text.lower())))
