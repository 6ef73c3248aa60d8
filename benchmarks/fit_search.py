"""Fits the coefficients of knowledge_base/followup.py and confidence.py: `python -m benchmarks.fit_search --data DIR`.

DIR holds doc2dial/ and scifact/ (corpus.jsonl, queries.jsonl, qrels.tsv). Prints the coefficients, and how well a model
that is fitted on one set does on the others.

A new subject: opening questions of conversations, put after a conversation about another document, against questions
that continue their own conversation. Confidence: questions whose documents are there, against questions whose documents
were taken out (unless another document holds half of one), and against what nobody's documents answer (off_topic.py).
How much each set counts is WORTH: conversations are what the agent has most of, and the demo's questions are few.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.off_topic import OFF_TOPIC
from benchmarks.question_files import ARTICLES, page_questions, page_set
from knowledge_base.confidence import RELATED, Clues
from knowledge_base.embeddings import MiniLmEmbedder
from knowledge_base.evaluation import Remembering, retriever_over, taken_out
from knowledge_base.followup import Signals
from knowledge_base.metrics import auroc, calibration_error
from knowledge_base.question_set import Question, QuestionSet, read_question_set
from knowledge_base.repetition import copied

SEEDS = (0, 1)
QUESTIONS = 1_000  # of each set and seed
CONVERSATIONS = 600
OFF_TOPIC_SHARE = 0.2  # of what has no answer
WORTH = {"doc2dial": 1000, "scifact (train)": 400, "demo articles": 300}

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows of features, whether each is a positive, and how much each counts."""

    features: Rows
    positive: NDArray[np.bool_]
    weights: Rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    fit_all(parser.parse_args().data, Remembering(MiniLmEmbedder()))


def fit_all(data: Path, embedder: Remembering) -> None:
    doc2dial = read_question_set(*(data / "doc2dial" / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")))
    scifact = read_question_set(
        *(data / "scifact" / name for name in ("corpus.jsonl", "queries.train.jsonl", "qrels.train.tsv"))
    )
    print("A new subject: intercept, then lead, overlap, nearness, own, reply, short")
    _print_fit({"doc2dial": _subjects(doc2dial, embedder)})
    sets = {
        "doc2dial": doc2dial,
        "scifact (train)": scifact,
        "demo articles": page_set(ARTICLES, page_questions("demo")),
    }
    print("Confidence: intercept, then lead, cosine, words, then what was said before: 1, gathered, title")
    _print_fit({name: _confidences(given, embedder, WORTH[name]) for name, given in sets.items()})


def _print_fit(samples: dict[str, Sample]) -> None:
    everything = _joined(list(samples.values()))
    for trained, sample in [*samples.items(), ("all of them", everything)]:
        model = LogisticRegression(C=100, max_iter=10_000).fit(sample.features, sample.positive, sample.weights)
        print(f"  fitted on {trained}: {model.intercept_[0]:.2f}", *(f"{value:.2f}" for value in model.coef_[0]))
        for name, tested in samples.items():
            sure = [float(value) for value in model.predict_proba(tested.features)[:, 1]]
            labels = [bool(value) for value in tested.positive]
            print(f"    on {name}: AUROC {auroc(sure, labels):.3f}, ECE {calibration_error(sure, labels):.3f}")


def _joined(samples: Sequence[Sample]) -> Sample:
    columns = ("features", "positive", "weights")
    return Sample(*(np.concatenate([getattr(one, column) for one in samples]) for column in columns))


# A new subject


def _subjects(given: QuestionSet, embedder: Remembering) -> Sample:
    chance = random.Random(0)  # noqa: S311 (a sample, not a secret)
    continuing = [question for question in given.questions if len(question.history) >= 2]
    opening = [question for question in given.questions if not question.history]
    rows: list[tuple[float, ...]] = []
    labels: list[bool] = []
    with retriever_over(given.documents, embedder) as (retriever, _, _):
        for question in chance.sample(continuing, min(CONVERSATIONS, len(continuing))):
            rows.append(_signal_features(retriever.signals(question.text, question.history)))
            labels.append(False)
            stranger = chance.choice(opening)
            if not stranger.relevant.keys() & question.relevant.keys():
                rows.append(_signal_features(retriever.signals(stranger.text, question.history)))
                labels.append(True)
    return Sample(np.array(rows), np.array(labels), np.full(len(rows), 1000 / len(rows)))


def _signal_features(signals: Signals) -> tuple[float, ...]:
    return tuple(float(value) for value in astuple(signals)[:-4])  # the last belong to rules, not to the model


# Confidence


def _confidences(given: QuestionSet, embedder: Remembering, worth: float) -> Sample:
    rows: list[tuple[float, ...]] = []
    kinds: list[str] = []
    for seed in SEEDS:
        out = taken_out(given.questions, seed)
        for lost in (out, {document.id for document in given.documents} - out):
            kept = [document for document in given.documents if document.id not in lost]
            gone = {document.id: document.text for document in given.documents if document.id in lost}
            told = copied(gone, (document.text for document in kept))
            asked = [one for one in _some(given.questions, seed) if not told.intersection(one.relevant)]
            with retriever_over(kept, embedder) as (retriever, _, _):
                for question in asked:
                    ranking = retriever.rank(question.text, history=question.history)
                    rows.append(_clue_features(ranking.clues))
                    kinds.append("unanswered" if lost.intersection(question.relevant) else "answered")
                rows.extend(_clue_features(retriever.rank(text).clues) for text in OFF_TOPIC)
                kinds.extend("off topic" for _ in OFF_TOPIC)
    shares = {"answered": 0.5, "unanswered": 0.5 * (1 - OFF_TOPIC_SHARE), "off topic": 0.5 * OFF_TOPIC_SHARE}
    weights = [worth * shares[kind] / kinds.count(kind) for kind in kinds]
    return Sample(np.array(rows), np.array([kind == "answered" for kind in kinds]), np.array(weights))


def _some(questions: Sequence[Question], seed: int) -> Sequence[Question]:
    if len(questions) <= QUESTIONS // 2:
        return questions
    return random.Random(seed).sample(questions, QUESTIONS // 2)  # noqa: S311 (a sample, not a secret)


def _clue_features(clues: Clues) -> tuple[float, ...]:
    said = clues.said
    return (clues.lead, min(clues.cosine, RELATED), clues.words, said, clues.gathered * said, clues.title * said)


if __name__ == "__main__":
    main()
