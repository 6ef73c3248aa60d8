"""The questions in this folder, and folders of Markdown pages, as question sets."""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from knowledge_base import loaders
from knowledge_base.passage import Document
from knowledge_base.question_set import Question, QuestionSet

HERE = Path(__file__).parent
ARTICLES = HERE.parent / "knowledge_base" / "articles"


def json_lines(name: str) -> list[dict[str, Any]]:
    """The rows of a .jsonl file of this folder."""
    return [json.loads(line) for line in (HERE / name).read_text("utf-8").splitlines() if line.strip()]


def page_questions(name: str) -> list[Question]:
    """Questions of `NAME_questions.jsonl`; those that no page answers have no relevant document."""
    return [
        Question(row["id"], row["question"], (), {row["page"]: 1.0} if row["page"] else {})
        for row in json_lines(f"{name}_questions.jsonl")
    ]


def page_set(folder: Path, questions: Sequence[Question]) -> QuestionSet:
    """The pages below a folder, by their path in it, with the questions that one of them answers."""
    asked = tuple(question for question in questions if question.relevant)
    return QuestionSet(tuple(pages(folder)), asked)


def pages(folder: Path) -> list[Document]:
    """Every Markdown page below a folder; its id is the path in it."""
    found = []
    for path in sorted(folder.rglob("*.md")):
        place = path.relative_to(folder).as_posix()
        found.append(loaders.load(path.read_bytes(), PurePosixPath(place), id=place, source=place))
    return found
