"""Measures the extractive answers on questions with gold answers, through the real search, in a temporary place.

Token recall and F1 are those of SQuAD (Rajpurkar et al. 2016, arXiv:1606.05250): lower case, no punctuation, no
articles, the overlap of the two bags of words. Citation markers are not words and do not count.
"""

import json
import re
import string
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from agent.citations import cited, without_markers
from agent.compose import compose
from knowledge_base.embeddings import Embedder
from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.evaluation import Advance, retriever_over
from knowledge_base.question_set import Question, read_question_set
from knowledge_base.retrieve import Retriever
from knowledge_base.sentences import claim_bearing, units
from tools.sources import SourceRegister

THREADS = 2
PASSAGES = 6
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """Means over the questions that have a gold answer; all but `words` and the counts lie in 0..1."""

    questions: int
    f1: float
    recall: float
    words: float
    answered: float
    cited: float
    seconds: float
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "questions": self.questions,
            "token F1": self.f1,
            "token recall": self.recall,
            "words per answer": self.words,
            "share answered": self.answered,
            "share of claims with a valid citation": self.cited,
            "seconds": round(self.seconds, 1),
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class _Scored:
    id: str
    answer: str
    sources: list[str]
    answered: bool
    confidence: float
    f1: float
    recall: float
    words: int
    claims: int
    cited: int


def evaluate_answers(
    corpus: Path,
    queries: Path,
    qrels: Path,
    *,
    embedder: Embedder,
    answers: Path | None = None,
    limit: int | None = None,
    progress: Advance | None = None,
) -> AnswersReport:
    """Answers every question that has a gold `answer`, after its `history`, and scores the reply against it.

    `answers` receives a line of JSON a question: id, answer, sources (document ids in the order cited), answered,
    confidence. `limit` takes the first so many questions.

    Raises QuestionSetInvalid when no question has an answer, and as evaluate_retrieval does.
    """
    started = time.perf_counter()
    given = read_question_set(corpus, queries, qrels)
    questions = [question for question in given.questions if question.answer][:limit]
    if not questions:
        raise QuestionSetInvalid(f"No question of {queries} has an answer: expected the field `answer` with its text.")
    with retriever_over(given.documents, embedder, progress) as (retriever, _, rejected):
        scored = _score_all(questions, lambda question: _score(retriever, question), progress)
    if answers:
        _write(answers, scored)
    return AnswersReport(
        questions=len(scored),
        f1=fmean(one.f1 for one in scored),
        recall=fmean(one.recall for one in scored),
        words=fmean(one.words for one in scored),
        answered=fmean(one.answered for one in scored),
        cited=sum(one.cited for one in scored) / max(1, sum(one.claims for one in scored)),
        seconds=time.perf_counter() - started,
        problems=(*given.problems, *rejected),
    )


def _score_all(
    questions: Sequence[Question], score: Callable[[Question], _Scored], progress: Advance | None
) -> list[_Scored]:
    scored: list[_Scored] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for one in pool.map(score, questions):
            scored.append(one)
            if progress:
                progress(len(scored), len(questions), "questions")
    return scored


def _score(retriever: Retriever, question: Question) -> _Scored:
    register = SourceRegister()
    found = register.register(retriever.search(question.text, history=question.history, limit=PASSAGES))
    answer = compose(question.text, question.history, found)
    f1, recall, words = token_scores(answer.text, question.answer or "")
    claims = [line for line in answer.text.splitlines() if any(claim_bearing(unit.text) for unit in units(line))]
    valid = {source.number for source in register.all()}
    return _Scored(
        id=question.id,
        answer=answer.text,
        sources=list(dict.fromkeys(source.document_id for source in register.named(cited(answer.text)))),
        answered=answer.answered,
        confidence=found.confidence,
        f1=f1,
        recall=recall,
        words=words,
        claims=len(claims),
        cited=sum(bool(set(cited(line)) & valid) for line in claims),
    )


def token_scores(answer: str, truth: str) -> tuple[float, float, int]:
    """Token F1 and token recall of an answer against the true one, and how many words it has."""
    plain = without_markers(answer)
    said, gold = tokens(plain), tokens(truth)
    common = sum((Counter(said) & Counter(gold)).values())
    f1 = 2 * common / (len(said) + len(gold)) if common else 0.0
    return f1, common / len(gold) if gold else 0.0, len(plain.split())


def tokens(text: str) -> list[str]:
    """The words that SQuAD's measures compare."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _write(path: Path, scored: Sequence[_Scored]) -> None:
    kept = ("id", "answer", "sources", "answered", "confidence")
    with path.open("w", encoding="utf-8") as file:
        for one in scored:
            row = asdict(one)
            file.write(json.dumps({name: row[name] for name in kept}, ensure_ascii=False) + "\n")
