"""What a person needs to take over: what is wrong, what was tried, and what it rests on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tools.predictor.words import asks_for_person

QUESTION_CHARS = 500
STEPS = 8


@dataclass(frozen=True, slots=True)
class Said:
    """An exchange of the conversation, as it goes into a packet; `rating` is -1, 1, or None."""

    question: str
    answer: str
    answered: bool
    sources: Sequence[str] = ()
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Packet:
    """A conversation in the words of its user.

    Attributes:
        summary: The question that is open, and how it went so far.
        steps: What was tried: each earlier question with what the answer began with, and what the reader thought.
        sources: Titles of what the answers rested on, each once.
    """

    summary: str
    steps: tuple[str, ...]
    sources: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """For a message: plain lines."""
        parts = [self.summary]
        if self.steps:
            parts += ["", "Tried:", *(f"- {step}" for step in self.steps)]
        if self.sources:
            parts += ["", "Sources shown:", *(f"- {source}" for source in self.sources)]
        return "\n".join(parts)


def packet(question: str, earlier: Sequence[Said]) -> Packet:
    """The packet of a conversation that ends with `question`; `earlier` in the order of the conversation."""
    unanswered = sum(not said.answered for said in earlier)
    disliked = sum(said.rating == -1 for said in earlier)
    asked = "; then: ".join(_short(one, QUESTION_CHARS) for one in _open_questions(question, earlier))
    found = [f"Asks: {asked}", f"{len(earlier)} earlier questions in this conversation"]
    found += [f"{unanswered} of them without an answer in the documents"] if unanswered else []
    found += [f"{disliked} answers were not helpful"] if disliked else []
    sources = dict.fromkeys(source for said in earlier for source in said.sources)
    return Packet(". ".join(found) + ".", tuple(_step(said) for said in earlier[-STEPS:]), tuple(sources))


def _open_questions(question: str, earlier: Sequence[Said]) -> list[str]:
    """What a person is to deal with. Who asks only now for one wants help with the last question on a subject."""
    if not asks_for_person(question):
        return [question]
    on_a_subject = [one.question for one in earlier if one.sources or not one.answered]
    return [*on_a_subject[-1:], question]


def _step(said: Said) -> str:
    outcome = "no answer found" if not said.answered else _short(said.answer, 160)
    thought = {-1: " (not helpful)", 1: " (helpful)"}.get(said.rating or 0, "")
    return f"{_short(said.question, 160)} → {outcome}{thought}"


def _short(text: str, chars: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= chars else line[: chars - 1].rstrip() + "…"
