"""Puts right a slip of the keyboard in a question: both halves of a search are lost on a word that nobody knows.

A word is put right only where the documents hold none of its stem and the embedding model doesn't know it as a word,
and one slip away stands a word that both know. So names and rare words stay as they were written.

Source: Norvig, "How to Write a Spelling Corrector" (2007), norvig.com/spell-correct.html.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from string import ascii_lowercase

from knowledge_base.stopwords import STOP_WORDS

# Shorter words are a slip away from too many others; capitals, paths and options are names.
_WORD = re.compile(r"(?<![\w./@:#-])[a-z]{5,24}(?![\w/@]|[.:'’-]\w)")


Holding = Callable[[Sequence[str]], list[int]]


def corrected(text: str, knows: Callable[[str], bool], holding: Holding) -> str:
    """The text with slips put right.

    `knows` is the embedding model's, `holding` tells how many passages hold each word or another of its stem.
    """
    words = [word for word in dict.fromkeys(_WORD.findall(text)) if word not in STOP_WORDS]
    missing = [word for word, count in zip(words, holding(words), strict=True) if not count]
    meant = {word: _meant(word, knows, holding) for word in missing if not knows(word)}
    return _WORD.sub(lambda match: meant.get(match[0], match[0]), text) if meant else text


def _meant(word: str, knows: Callable[[str], bool], holding: Holding) -> str:
    """The word a slip away that most passages hold; itself when none holds any."""
    near = [one for one in dict.fromkeys(_slips(word)) if knows(one)]
    counts = dict(zip(near, holding(near), strict=True))
    best = max(counts, key=lambda one: counts[one], default=word)
    return best if counts.get(best) else word


def _slips(word: str) -> Iterator[str]:
    """What the word was when one letter was left out, put in, struck for another, or swapped with the next."""
    for at in range(len(word) + 1):
        before, after = word[:at], word[at:]
        yield from (before + letter + after for letter in ascii_lowercase)
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in ascii_lowercase)
        if len(after) > 1:
            yield before + after[1] + after[0] + after[2:]
