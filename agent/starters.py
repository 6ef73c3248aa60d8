"""Good first questions for an empty page, made of what the documents are about."""

from collections.abc import Sequence

from agent.next_questions import as_question
from knowledge_base.store import Outline

STARTERS = 4


def starters(outlines: Sequence[Outline]) -> list[str]:
    """Up to four, each from another topic; short ones that ask something are preferred."""
    titles: dict[str, str] = {}
    for outline in sorted(outlines, key=_readiness):
        titles.setdefault(outline.topic or outline.document_id, outline.title)
    return [as_question(title) for title in titles.values()][:STARTERS]


def _readiness(outline: Outline) -> tuple[bool, bool, int, str]:
    """Smaller is better. Titles that list or explain ("Fees: …", "Rates, hours and scope") make clumsy questions."""
    question = as_question(outline.title)
    return not question.endswith("?"), any(mark in question for mark in ":,()"), len(question), outline.document_id
