"""Measures the search on a corpus with judged questions, in a temporary place; no index of the user's is touched.

Documents go in through the same ingest, and questions through the same search, as everywhere else. A document ranks by
its best passage, also when that repeats a passage of another document (which a user would not be shown twice). Beside
the whole search stand its two halves: the same candidates by words alone and by vectors alone.
"""

import math
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from knowledge_base.embeddings import Embedder
from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.fusion import by_document
from knowledge_base.index import VectorIndex
from knowledge_base.ingest import Progress, index_documents
from knowledge_base.metrics import auroc, calibration_error, ndcg, recall, reciprocal_rank
from knowledge_base.passage import Document
from knowledge_base.question_set import Question, QuestionSet, read_question_set
from knowledge_base.repetition import copied
from knowledge_base.retrieve import Ranking, Retriever
from knowledge_base.store import Store

DEPTH = 10
RUN_TAG = "attune"
THREADS = 2

Advance = Callable[[int, int, str], None]
Ranked = list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the questions, 0..1."""

    ndcg: float
    recall: float
    mrr: float

    def as_json(self) -> dict[str, float]:
        return {f"nDCG@{DEPTH}": self.ndcg, f"Recall@{DEPTH}": self.recall, "MRR": self.mrr}


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """How well the confidence tells questions whose documents are there from those whose documents were taken out.

    A question is still answered when another document holds at least half of what was taken out (`copied` says how
    many are): the two measures with `_without_copies` leave these questions out.
    """

    answered: int
    unanswered: int
    copied: int
    auroc: float | None
    calibration_error: float
    auroc_without_copies: float | None
    calibration_error_without_copies: float


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """What an evaluation found. `problems` are oddities of the files that did not stop it."""

    documents: int
    passages: int
    questions: int
    fused: Quality
    words: Quality
    vectors: Quality
    no_answer: NoAnswer | None
    milliseconds: float
    seconds: float
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Only what JSON knows."""
        report: dict[str, Any] = {
            "documents": self.documents,
            "passages": self.passages,
            "questions": self.questions,
            "milliseconds a question": round(self.milliseconds, 2),
            "seconds": round(self.seconds, 1),
            "problems": list(self.problems),
            "fused": self.fused.as_json(),
            "words only": self.words.as_json(),
            "vectors only": self.vectors.as_json(),
        }
        if self.no_answer:
            report["no answer"] = asdict(self.no_answer)
        return report


@dataclass(frozen=True, slots=True)
class _Judged:
    """One question's documents by each way of ranking, best first, and the confidence."""

    fused: Ranked
    words: Ranked
    vectors: Ranked
    confidence: float
    seconds: float


def evaluate_retrieval(
    corpus: Path,
    queries: Path,
    qrels: Path,
    *,
    embedder: Embedder,
    run: Path | None = None,
    limit: int | None = None,
    no_answer: bool = False,
    seed: int = 0,
    progress: Advance | None = None,
) -> RetrievalReport:
    """Measures the search on the files that question_set.py describes.

    `run` receives the ranking as tab-separated lines: query id, Q0, document id, rank, score, tag; also for questions
    that no document of the corpus answers, which are not measured. The first score of each is the confidence.
    `limit` takes that many questions, chosen by `seed`. `no_answer` searches once more in half of the documents, so
    that about half of the questions have no answer. `progress` hears how much is done, of how much, and of what.

    Raises QuestionSetInvalid, IndexUnavailable, EmbeddingsUnavailable; OSError when `run` cannot be written.
    """
    started = time.perf_counter()
    given = read_question_set(corpus, queries, qrels)
    if not given.questions and not run:
        raise QuestionSetInvalid(
            f"No question of {queries} has a relevant document: {qrels} names none of them, or only documents that "
            f"are not in {corpus}. Check that the three files belong together."
        )
    questions = _sample(given.questions, limit, seed)
    remembering = Remembering(embedder) if no_answer else embedder
    unmeasured = given.unjudged if run and limit is None else ()
    with retriever_over(given.documents, remembering, progress) as (retriever, passages, rejected):
        judged = _judge(retriever, [*questions, *unmeasured], progress, "questions")
    if run:
        _write_run(run, [*questions, *unmeasured], judged)
    judged = judged[: len(questions)]
    return RetrievalReport(
        documents=len(given.documents),
        passages=passages,
        questions=len(questions),
        fused=_quality(questions, [one.fused for one in judged]),
        words=_quality(questions, [one.words for one in judged]),
        vectors=_quality(questions, [one.vectors for one in judged]),
        no_answer=_no_answer(given, questions, remembering, seed, progress) if no_answer else None,
        milliseconds=_mean([1000 * one.seconds for one in judged]),
        seconds=time.perf_counter() - started,
        problems=(*given.problems, *rejected),
    )


@contextmanager
def retriever_over(
    documents: Sequence[Document], embedder: Embedder, progress: Advance | None = None
) -> Iterator[tuple[Retriever, int, tuple[str, ...]]]:
    """A search over these documents in a temporary folder, how many passages there are, and what was rejected."""

    def advance(step: Progress) -> None:
        if progress:
            progress(step.files, step.total, "documents")

    with tempfile.TemporaryDirectory(prefix="attune-evaluation-") as folder, Store(Path(folder) / "k.db") as store:
        index = VectorIndex(store, embedder.name, path=Path(folder) / "chroma")
        try:
            report = index_documents(documents, store=store, index=index, embedder=embedder, progress=advance)
            rejected = tuple(f"document {failure.path}: {failure.reason}" for failure in report.failed)
            yield Retriever(store, index, embedder), report.passages, rejected
        finally:
            index.close()


def _sample(questions: Sequence[Question], limit: int | None, seed: int) -> list[Question]:
    if limit is None or limit >= len(questions):
        return list(questions)
    chosen = set(random.Random(seed).sample(range(len(questions)), limit))  # noqa: S311 (a sample, not a secret)
    return [question for number, question in enumerate(questions) if number in chosen]


def _judge(retriever: Retriever, questions: Sequence[Question], progress: Advance | None, name: str) -> list[_Judged]:
    judged: list[_Judged] = []
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for one in pool.map(lambda question: _judged(retriever, question), questions):
            judged.append(one)
            if progress:
                progress(len(judged), len(questions), name)
    return judged


def _judged(retriever: Retriever, question: Question) -> _Judged:
    started = time.perf_counter()
    ranking = retriever.rank(question.text, history=question.history)
    return _Judged(
        fused=_ranked(ranking, ranking.scores()),
        words=_ranked(ranking, np.where(ranking.evidence.words > 0, ranking.evidence.words, -np.inf)),
        vectors=_ranked(ranking, ranking.evidence.cosine),
        confidence=ranking.confidence,
        seconds=time.perf_counter() - started,
    )


def _ranked(ranking: Ranking, scores: NDArray[np.float64]) -> Ranked:
    """The documents by the best of these scores, without those that have none."""
    best = by_document(ranking.candidates, scores)
    return sorted(
        ((id, score) for id, score in best.items() if math.isfinite(score)), key=lambda pair: (-pair[1], pair[0])
    )


def _quality(questions: Sequence[Question], ranked: Sequence[Ranked]) -> Quality:
    pairs = [([id for id, _ in one], question.relevant) for one, question in zip(ranked, questions, strict=True)]
    return Quality(
        ndcg=_mean([ndcg(ids, relevant, DEPTH) for ids, relevant in pairs]),
        recall=_mean([recall(ids, relevant, DEPTH) for ids, relevant in pairs]),
        mrr=_mean([reciprocal_rank(ids, relevant) for ids, relevant in pairs]),
    )


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def _write_run(path: Path, questions: Sequence[Question], judged: Sequence[_Judged]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for question, one in zip(questions, judged, strict=True):
            for rank, (id, score) in enumerate(one.fused, 1):
                file.write(f"{question.id}\tQ0\t{id}\t{rank}\t{score:.6f}\t{RUN_TAG}\n")


# Questions without an answer


def _no_answer(
    given: QuestionSet, questions: Sequence[Question], embedder: Embedder, seed: int, progress: Advance | None
) -> NoAnswer:
    out = taken_out(questions, seed)
    kept = [document for document in given.documents if document.id not in out]
    if not kept:
        raise QuestionSetInvalid("Taking out the documents of half of the questions leaves none to search in.")
    with retriever_over(kept, embedder, progress) as (retriever, _, _):
        judged = _judge(retriever, questions, progress, "questions, half of them without an answer")
    answered = [not out.intersection(question.relevant) for question in questions]
    confidences = [one.confidence for one in judged]
    gone = {document.id: document.text for document in given.documents if document.id in out}
    told = copied(gone, (document.text for document in kept))
    clear = [at for at, question in enumerate(questions) if not told.intersection(question.relevant)]
    clear_confidences, clear_answered = [confidences[at] for at in clear], [answered[at] for at in clear]
    return NoAnswer(
        answered=sum(answered),
        unanswered=len(answered) - sum(answered),
        copied=len(questions) - len(clear),
        auroc=auroc(confidences, answered),
        calibration_error=calibration_error(confidences, answered),
        auroc_without_copies=auroc(clear_confidences, clear_answered),
        calibration_error_without_copies=calibration_error(clear_confidences, clear_answered),
    )


def taken_out(questions: Sequence[Question], seed: int) -> set[str]:
    """Documents that about half of the questions need, so that each question loses all of its documents or none."""
    groups = _groups(questions)
    random.Random(seed).shuffle(groups)  # noqa: S311 (a split, not a secret)
    out: set[str] = set()
    lost = 0
    for documents, count in groups:
        if lost >= len(questions) / 2:
            break
        out |= documents
        lost += count
    return out


def _groups(questions: Sequence[Question]) -> list[tuple[set[str], int]]:
    """Documents that share questions, directly or through others, with the number of those questions."""
    groups: dict[str, tuple[set[str], list[str]]] = {}
    for question in questions:
        merged: tuple[set[str], list[str]] = (set(question.relevant), [question.id])
        for group in {id(group): group for group in map(groups.get, question.relevant) if group}.values():
            merged[0].update(group[0])
            merged[1].extend(group[1])
        groups.update(dict.fromkeys(merged[0], merged))
    unique = {id(group): group for group in groups.values()}
    return [(documents, len(asked)) for documents, asked in unique.values()]


class Remembering:
    """An embedder that embeds no text twice, for the second index over the same documents."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._seen: dict[str, NDArray[np.float32]] = {}

    @property
    def name(self) -> str:
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        return self._embedder.max_tokens

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        missing = [text for text in dict.fromkeys(texts) if text not in self._seen]
        if missing:
            self._seen.update(zip(missing, self._embedder.embed(missing), strict=True))
        rows = [self._seen[text] for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.dimensions), np.float32)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self.embed([text])[0]
        return vector

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return self._embedder.token_spans(text)

    def knows(self, word: str) -> bool:
        return self._embedder.knows(word)
