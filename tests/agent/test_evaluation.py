"""Answers are measured through the real search and the real extractive model, on a question set that is made here."""

import json
from pathlib import Path
from typing import Any

import pytest

from agent.evaluation import evaluate_answers, tokens
from knowledge_base.embeddings import MiniLmEmbedder
from knowledge_base.errors import QuestionSetInvalid

CORPUS = [
    {
        "id": "doc one",
        "title": "Escrow",
        "text": "Escrow holds money. The client has 7 days to approve the work. Then the money is released.",
    },
    {"id": "doc two", "title": "Parking", "text": "Cars may stand in the yard. The gate of the yard closes at ten."},
]
QUESTION = {"id": "q1", "text": "How many days has the client to approve the work?"}


Files = tuple[Path, Path, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return tmp_path / "corpus", tmp_path / "queries", tmp_path / "qrels"


def _write(files: Files, question: dict[str, Any]) -> None:
    corpus, queries, qrels = files
    corpus.write_text("\n".join(map(json.dumps, CORPUS)))
    queries.write_text(json.dumps(question))
    qrels.write_text("query-id\tdoc-id\trelevance\nq1\tdoc one\t1\n")


def test_a_reply_is_scored_against_the_gold_answer(files: Files, tmp_path: Path):
    _write(files, QUESTION | {"answer": "The client has 7 days to approve the work."})
    report = evaluate_answers(*files, embedder=MiniLmEmbedder(), answers=tmp_path / "answers")
    assert report.questions == 1
    assert report.recall == 1
    assert report.cited == 1
    assert 0 < report.f1 <= 1
    row = json.loads((tmp_path / "answers").read_text())
    assert row["id"] == "q1"
    assert "7 days" in row["answer"]
    assert row["sources"][0] == "doc one"


def test_questions_without_answers_cannot_be_scored(files: Files):
    _write(files, QUESTION)
    with pytest.raises(QuestionSetInvalid, match="answer"):
        evaluate_answers(*files, embedder=MiniLmEmbedder())


def test_words_are_compared_as_squad_does():
    assert tokens("The U.S. has a 7-day rule, an old one.") == ["us", "has", "7day", "rule", "old", "one"]
