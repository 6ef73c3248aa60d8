"""What is never inferred about a user: health, religion, politics, sexuality, ethnicity, union membership, children.

The words are data (sensitive.yaml). The comparison errs towards sensitive: what is not learned does no harm.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

WORDS = Path(__file__).parent / "sensitive.yaml"
LONGEST_PHRASE = 4  # words
HARMLESS = "harmless"
ADULT = 18  # years; who says to be younger is a child

_WORD = re.compile(r"\w+")
_AGE = re.compile(
    r"\b(?:i am|i'm|im|we are|ich bin|j'ai|tengo|ho|tenho|ik ben) (?:only |just |erst |pas |solo )?(\d{1,2})"
    r"(?= ?(?:years?|yrs?|yo|y/o|jahre|ans|anos|anni|jaar|and\b|but\b|[,.!?;]|$))",
    re.IGNORECASE,
)
_CHILDS_AGE = re.compile(r"\b(\d{1,2})[- ]?(?:years?|yrs?|months?)[- ]old\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Category:
    """Words, beginnings of words and phrases, as `_plain` writes them."""

    words: frozenset[str]
    beginnings: tuple[str, ...]
    phrases: frozenset[str]

    def holds(self, words: Sequence[str]) -> bool:
        return any(word in self.words or word.startswith(self.beginnings) for word in words) or any(
            phrase in self.phrases for phrase in _phrases(words)
        )


def is_sensitive(text: str) -> bool:
    """The text, or a topic's name, touches one of the categories."""
    return any(
        category.holds(words) for words in [_telling(text)] for category in _categories().values()
    ) or tells_child(text)


def tells_child(text: str) -> bool:
    """Somebody in it is said to be younger than 18; nothing of a message by a child is kept."""
    return any(int(match[1]) < ADULT for pattern in (_AGE, _CHILDS_AGE) for match in pattern.finditer(text))


def categories(text: str) -> tuple[str, ...]:
    """The names of the categories that the text touches."""
    words = _telling(text)
    return tuple(name for name, category in _categories().items() if category.holds(words))


def _telling(text: str) -> list[str]:
    """The words, without harmless phrases."""
    words = _WORD.findall(_plain(text))
    harmless = _harmless()
    kept: list[str] = []
    at = 0
    while at < len(words):
        length = next((n for n in range(LONGEST_PHRASE, 0, -1) if " ".join(words[at : at + n]) in harmless), 0)
        kept.append("") if length else kept.append(words[at])
        at += max(1, length)
    return kept


def _phrases(words: Sequence[str]) -> Iterator[str]:
    for at in range(len(words)):
        for length in range(2, LONGEST_PHRASE + 1):
            yield " ".join(words[at : at + length])


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


@cache
def _data() -> dict[str, list[str]]:
    raw: dict[str, list[object]] = yaml.safe_load(WORDS.read_text("utf-8"))
    return {name: [_plain(str(word)) for word in words] for name, words in raw.items()}


@cache
def _harmless() -> frozenset[str]:
    return frozenset(" ".join(_WORD.findall(phrase)) for phrase in _data()[HARMLESS])


@cache
def _categories() -> dict[str, _Category]:
    return {name: _category(words) for name, words in _data().items() if name != HARMLESS}


def _category(listed: Sequence[str]) -> _Category:
    single = [word for word in listed if " " not in word]
    phrases = [phrase for phrase in listed if " " in phrase]
    return _Category(
        words=frozenset(word for word in single if not word.endswith("*")),
        beginnings=tuple(word[:-1] for word in single if word.endswith("*")),
        # A beginning at the end of a phrase stands for the word and its plural.
        phrases=frozenset(form for phrase in phrases for form in _forms(phrase)),
    )


def _forms(phrase: str) -> list[str]:
    plain = phrase.rstrip("*").strip()
    return [plain, f"{plain}s", f"{plain}ship", f"{plain}resentative"] if phrase.endswith("*") else [plain]
