"""Sentences to clauses: the parts of a unit that an answer may quote alone.

A sentence is cut after a comma, a colon or a semicolon, at brackets, and before a word that opens a condition or a new
statement; parts of a word or two stay with what they belong to. Joined by blanks, the clauses of a text are the text.
"""

import re
from functools import lru_cache

from knowledge_base.sentences import Unit

LEAST_WORDS = 3
LONG = 8  # words of a unit from which it may be cut
CONDITION = r"(?:if|when|unless|once|after|before|while|although|because|as|in order|to|for)\b"
"""A regular expression for how a clause opens that says when or why another holds."""

_CUT = re.compile(
    r"(?<=[,;:])\s+|\s+(?=\()|(?<=\))\s+"
    r"|\s+(?=(?:if|unless|because|but|although|(?:and|or) (?:you|we|they|it|your)|Step \d)\b)"
    r"|(?<=[a-z0-9])\s+(?=(?:If|You|We|This|These|When|It|Note|After|Before|Once|To) [a-z])"
)


def clauses(unit: Unit) -> tuple[str, ...]:
    """The clauses of a unit in order; code, rows of tables and short units are one."""
    if unit.kind in ("code", "row", "heading"):
        return (unit.text,)
    return _cut(unit.text)


@lru_cache(maxsize=4096)
def _cut(text: str) -> tuple[str, ...]:
    if "`" in text or len(text.split()) < LONG:
        return (text,)
    parts: list[str] = []
    for part in _CUT.split(text):
        if parts and min(len(parts[-1].split()), len(part.split())) < LEAST_WORDS:
            parts[-1] = f"{parts[-1]} {part}"
        else:
            parts.append(part)
    return tuple(parts)
