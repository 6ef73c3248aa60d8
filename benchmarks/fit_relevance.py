"""Fits agent/relevance.json: `python -m benchmarks.fit_relevance --data DIR [--check]`.

DIR holds corpus.jsonl, queries.jsonl with `answer`, and qrels.tsv; doc2dial is the set that the trees were made with.

What is fitted is the share of each unit's words that the true answer holds, as the probability that one of its words
belongs there: a unit that is half quoted counts half. Words count where they stand in the answer in the same order, in
runs of a few, so that common words alone make no answer. The first trees learn this of units, the second of clauses.
The weights of agent/spans.py are fitted to what the trees say of documents that they have never seen, and printed.

The trees are fitted to everything and written (--check leaves that out). Then the questions are split by document, and
every part is answered by trees that have seen no document of it: those are the figures to believe. It takes about ten
minutes on two cores.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from sklearn.ensemble import HistGradientBoostingClassifier

from agent.candidates import Candidate, candidates
from agent.choosing import in_reading_order, shortlist
from agent.clauses import clauses
from agent.compose import compose
from agent.evaluation import PASSAGES, THREADS, token_scores, tokens
from agent.relevance import AROUND, TREES, Ranker, beside, nearest, relevance
from agent.relevance_features import CLAUSE, FEATURES, Floats, Places, Reading
from agent.relevance_trees import Trees
from agent.spans import FEATURES as SPAN_FEATURES
from agent.spans import Spans
from knowledge_base.embeddings import MiniLmEmbedder
from knowledge_base.evaluation import retriever_over
from knowledge_base.passage import Utterance
from knowledge_base.question_set import Question, QuestionSet, read_question_set
from tools.sources import Found, SourceRegister

PARTS = 4
RUN = 3  # words in a row that count as quoted
FIRST: dict[str, Any] = {
    "max_iter": 300,
    "max_leaf_nodes": 15,
    "learning_rate": 0.08,
    "min_samples_leaf": 20,
    "l2_regularization": 1.0,
    "max_features": 0.6,
    "random_state": 0,
    "early_stopping": False,
}
SECOND = FIRST | {
    "max_iter": 150,
    "learning_rate": 0.06,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "max_features": 0.5,
}
DECIMALS = 4
NEAR = 0.3  # F1 with the answer from which the nearest run counts as it
REGULARIZATION = 1e-3

Exported = dict[str, Any]
Score = tuple[float, float, int]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what the search found for it: the features of each candidate and of each clause, whose clause it
    is, and how much of them is quoted."""

    question: Question
    found: Found
    possible: Sequence[Candidate]
    rows: Floats
    quoted: Floats
    owner: Places
    clause_rows: Floats
    clause_quoted: Floats


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="report only; leave agent/relevance.json as it is")
    options = parser.parse_args()
    given = read_question_set(*(options.data / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv")))
    fitting = Fitting(make_examples(given))
    fitted = fitting.everything()
    ranker = ranker_of(fitted)
    report("documents seen", fitting.examples, [clauses_by(ranker, one) for one in fitting.examples])
    if not options.check:
        write(fitted, TREES)
    unseen = fitting.unseen()
    report("documents never seen", fitting.examples, unseen)
    print("agent/spans.py: WEIGHTS =", tuple(span_weights(fitting.examples, unseen).round(3).tolist()))


def report(name: str, examples: Sequence[Example], probable: Sequence[Sequence[Floats]]) -> None:
    scores = [scored(one, some) for one, some in zip(examples, probable, strict=True)]
    f1, recall, words = (fmean(column) for column in zip(*scores, strict=True))
    print(f"{name:24} F1 {f1:.3f}   recall {recall:.3f}   words {words:.1f}   of {len(scores)} questions", flush=True)


# Examples


def make_examples(given: QuestionSet) -> list[Example]:
    """Every question that has an answer, searched as a turn searches."""
    asked = [question for question in given.questions if question.answer]
    with retriever_over(given.documents, MiniLmEmbedder()) as (retriever, _, _), ThreadPoolExecutor(THREADS) as pool:

        def example(question: Question) -> Example | None:
            hits = retriever.search(question.text, history=question.history, limit=PASSAGES)
            return make_example(question, SourceRegister().register(hits))

        return [one for one in pool.map(example, asked) if one]


def make_example(question: Question, found: Found) -> Example | None:
    """None where nothing was found."""
    possible = candidates(found.sources)
    if not possible:
        return None
    reading = Reading(question.text, question.history, possible)
    words = [quoted_words(one, question) for one in possible]
    return Example(
        question,
        found,
        possible,
        reading.features(),
        np.array([_share(of_unit) for of_unit in words]),
        *reading.clause_features(range(len(possible))),
        np.array([share for one, of_unit in zip(possible, words, strict=True) for share in _by_clause(one, of_unit)]),
    )


def quoted_words(one: Candidate, question: Question) -> list[bool]:
    """Which words of a unit the answer holds in the same order, if it is of a document that answers."""
    words, answer = tokens(one.unit.text), tokens(question.answer or "")
    held = [False] * len(words)
    if one.source.document_id in question.relevant:
        for run in SequenceMatcher(None, words, answer, autojunk=False).get_matching_blocks():
            if run.size >= min(RUN, len(words)):
                held[run.a : run.a + run.size] = [True] * run.size
    return held


def _by_clause(one: Candidate, held: Sequence[bool]) -> Iterator[float]:
    words = iter(held)
    for text in clauses(one.unit):
        yield _share(list(islice(words, len(tokens(text)))))


def _share(held: Sequence[bool]) -> float:
    return sum(held) / len(held) if held else 0.0


# Fitting


class Fitting:
    """Fits the trees to examples or to those of some parts, each part once.

    The second trees learn from what the first ones think of documents that those have never seen, as it will be.
    """

    def __init__(self, examples: Sequence[Example]) -> None:
        self.examples = examples
        self.part = parts([one.question for one in examples])
        self._first: dict[frozenset[int], Exported] = {}

    def everything(self) -> Exported:
        return self._without(frozenset())

    def unseen(self) -> list[Sequence[Floats]]:
        """What trees that have seen no document that answers it say of the clauses of each example."""
        rankers = [ranker_of(self._without(frozenset({number}))) for number in range(PARTS)]
        return [clauses_by(rankers[at], one) for one, at in self._placed()]

    def _without(self, left_out: frozenset[int]) -> Exported:
        kept = [number for number in range(PARTS) if number not in left_out]
        blind = {number: Trees(**self._first_without(left_out | {number})) for number in kept}
        second = [_clauses_read(one, blind[at]) for one, at in self._placed() if at in blind]
        return {"first": self._first_without(left_out), "second": fit(second, SECOND)}

    def _first_without(self, left_out: frozenset[int]) -> Exported:
        if left_out not in self._first:
            self._first[left_out] = fit(
                [(one.rows, one.quoted) for one, at in self._placed() if at not in left_out], FIRST
            )
        return self._first[left_out]

    def _placed(self) -> Iterator[tuple[Example, int]]:
        return zip(self.examples, self.part, strict=True)


def _clauses_read(one: Example, first: Trees) -> tuple[Floats, Floats]:
    """What the second trees are told of the clauses that they read, and how much of each is quoted."""
    likely = first.predict(one.rows)
    read = np.isin(one.owner, nearest(likely))
    rows = beside(one.rows, likely, one.possible, one.owner[read], one.clause_rows[read])
    return rows, one.clause_quoted[read]


def ranker_of(fitted: Exported) -> Ranker:
    return Ranker(Trees(**fitted["first"]), Trees(**fitted["second"]))


def parts(questions: Sequence[Question]) -> list[int]:
    """(questions,) numbers below PARTS of about the same size; questions that share a document share the number."""
    leader: dict[str, str] = {}

    def root(document: str) -> str:
        while leader.setdefault(document, document) != document:
            document = leader[document]
        return document

    for question in questions:
        first, *others = question.relevant
        for other in others:
            leader[root(other)] = root(first)
    groups = [root(next(iter(question.relevant))) for question in questions]
    sizes = sorted({group: groups.count(group) for group in set(groups)}.items(), key=lambda pair: (-pair[1], pair[0]))
    filled, number = [0] * PARTS, dict[str, int]()
    for group, size in sizes:
        number[group] = int(np.argmin(filled))
        filled[number[group]] += size
    return [number[group] for group in groups]


def fit(examples: Sequence[tuple[Floats, Floats]], settings: dict[str, Any]) -> Exported:
    """The trees that tell, from rows of features, the share that is quoted."""
    rows = np.concatenate([some for some, _ in examples])
    share = np.concatenate([quoted for _, quoted in examples])
    some, not_all = share > 0, share < 1
    both = np.concatenate([rows[some], rows[not_all]])
    labels = np.repeat([1, 0], [some.sum(), not_all.sum()])
    weights = np.concatenate([share[some], 1 - share[not_all]])
    model = HistGradientBoostingClassifier(**settings).fit(both, labels, sample_weight=weights)
    return exported(model)


def exported(model: HistGradientBoostingClassifier) -> Exported:
    """The model's trees as the arguments of agent.relevance_trees.Trees."""
    columns: dict[str, list[Any]] = {"roots": [], "feature": [], "threshold": [], "right": [], "value": []}
    for (predictor,) in model._predictors:  # (scikit-learn has no public way to read its trees)
        columns["roots"].append(len(columns["right"]))
        _add(predictor.nodes, 0, columns)
    return {"base": round(float(model._baseline_prediction.item()), DECIMALS), **columns}


def _add(nodes: NDArray[Any], at: int, columns: dict[str, list[Any]]) -> None:
    """Append a node, then all that is on its left, then all that is on its right."""
    node, place = nodes[at], len(columns["right"])
    leaf = bool(node["is_leaf"])
    columns["feature"].append(0 if leaf else int(node["feature_idx"]))
    columns["threshold"].append(0.0 if leaf else float(node["num_threshold"]))  # exact: it may equal a feature's value
    columns["value"].append(round(float(node["value"]), DECIMALS) if leaf else 0.0)
    columns["right"].append(place)
    if not leaf:
        _add(nodes, int(node["left"]), columns)
        columns["right"][place] = len(columns["right"])
        _add(nodes, int(node["right"]), columns)


def write(fitted: Exported, path: Path) -> None:
    path.write_text(
        json.dumps({"features": [*FEATURES, *AROUND, *CLAUSE], **fitted}, separators=(",", ":")) + "\n", "utf-8"
    )


# Runs


def span_weights(examples: Sequence[Example], probable: Sequence[Sequence[Floats]]) -> Floats:
    """(FEATURES of agent/spans.py,) under which the runs of clauses nearest to the answers are likeliest."""
    runs = [run for one, some in zip(examples, probable, strict=True) if (run := _runs(one, some)) is not None]

    def loss(weights: Floats) -> tuple[float, Floats]:
        total, slope = 0.0, np.zeros(len(weights))
        for features, nearest_one in runs:
            score = features @ weights
            odds = np.exp(score - score.max())
            probability = odds / odds.sum()
            total -= float(np.log((probability * nearest_one).sum()))
            slope += (probability - nearest_one / nearest_one.sum()) @ features
        shrink = REGULARIZATION * len(runs)
        return total + shrink * float(weights @ weights), slope + 2 * shrink * weights

    found: Floats = minimize(loss, np.zeros(len(SPAN_FEATURES)), jac=True, method="L-BFGS-B").x
    return found


def _runs(example: Example, probable: Sequence[Floats]) -> tuple[Floats, Floats] | None:
    """The features of the runs that may be the answer, and (spans,) 1.0 where one is as near to it as any; None where
    none is near."""
    likely = [some.tolist() for some in probable]
    parts = in_reading_order(example.possible, likely, shortlist(likely))
    quoted = np.split(example.clause_quoted, np.flatnonzero(np.diff(example.owner)) + 1)
    spans = Spans.of(parts)
    of_parts = np.concatenate([quoted[unit] for unit in dict.fromkeys(one.unit for one in parts)])
    held = np.append(0.0, np.cumsum(of_parts * np.diff(spans.bounds)))
    answer = len(tokens(example.question.answer or ""))
    f1 = 2 * (held[spans.last + 1] - held[spans.first]) / (spans.words + answer)
    return (spans.features(), (f1 == f1.max()).astype(float)) if f1.max() >= NEAR else None


# Scoring


def clauses_by(ranker: Ranker, example: Example) -> list[Floats]:
    """What a ranker says of the clauses of each candidate."""
    question = example.question
    return relevance(question.text, question.history, example.possible, ranker=ranker)


def scored(example: Example, probable: Sequence[Floats]) -> Score:
    """Token F1, token recall and the number of words of the answer that these probabilities of clauses lead to."""
    question = example.question
    known = {(one.rank, one.index): some for one, some in zip(example.possible, probable, strict=True)}

    def of(_: str, __: Sequence[Utterance], given: Sequence[Candidate]) -> list[Floats]:
        return [known[one.rank, one.index] for one in given]

    answer = compose(question.text, question.history, example.found, relevance=of)
    return token_scores(answer.text, question.answer or "")


if __name__ == "__main__":
    main()
