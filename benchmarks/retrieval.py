"""How well and how fast the search finds: `python -m benchmarks.retrieval --data DIR --pages DIR [--json]`.

- SciFact and Doc2Dial (below --data or ATTUNE_EVAL_DATA): nDCG@10 of the whole search, of words and of vectors alone;
  and how well the confidence tells questions whose documents were taken out of the corpus (AUROC).
- actualbudget_questions.jsonl over the product pages in --pages (or ATTUNE_EVAL_PAGES): the right page first.
- demo_questions.jsonl, demo_conversations.jsonl and off_topic.py over the demo articles: the right page first, for
  follow-ups and changes of subject too, and what has no answer recognised.
- the time of a search in 1,000 passages.

--random-profiles gives every document one of ten topics and every question a reader who likes each topic by chance, and
measures what preferences cost the ranking of the corpora with judged questions, instead of the parts above.

Parts whose folder is missing are named and left out. All of it takes a quarter of an hour on two cores, most of it to
embed SciFact; --only NAME runs one part.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from statistics import fmean, median, quantiles

import numpy as np
from numpy.typing import NDArray

from benchmarks.off_topic import OFF_TOPIC
from benchmarks.pages import write_pages
from benchmarks.question_files import ARTICLES, json_lines, page_questions, pages
from knowledge_base.embeddings import Embedder, MiniLmEmbedder
from knowledge_base.evaluation import DEPTH, NoAnswer, Remembering, evaluate_retrieval, retriever_over
from knowledge_base.fusion import by_document
from knowledge_base.metrics import auroc, ndcg
from knowledge_base.passage import Utterance
from knowledge_base.question_set import Question, read_question_set
from knowledge_base.retrieve import Retriever

GENERATED_PAGES = 700  # of a passage each, beside about 300 passages of the demo articles
REPLY_WORDS = 80
CORPUS_FILES = ("corpus.jsonl", "queries.jsonl", "qrels.tsv")
TOPICS = tuple(f"topic {number}" for number in range(10))
MOST_LOST = 0.005  # of nDCG@10, through preferences that have nothing to do with the question


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, and the least (or, for times, the most) that it should be."""

    name: str
    value: float
    bar: float | None = None
    at_most: bool = False

    def __str__(self) -> str:
        if self.bar is None:
            return f"{self.name:64} {self.value:8.3f}"
        missed = self.value > self.bar if self.at_most else self.value < self.bar
        return (
            f"{self.name:64} {self.value:8.3f}   "
            f"({'at most' if self.at_most else 'at least'} {self.bar:g}{': MISSED' if missed else ''})"
        )


Part = Callable[[argparse.Namespace, Remembering], Iterator[Figure]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ATTUNE_EVAL_DATA"))
    parser.add_argument("--pages", type=Path, default=os.environ.get("ATTUNE_EVAL_PAGES"))
    parser.add_argument("--only", choices=list(PARTS))
    parser.add_argument("--random-profiles", action="store_true")
    parser.add_argument("--json", action="store_true")
    run(parser.parse_args(), MiniLmEmbedder())


def run(options: argparse.Namespace, embedder: Embedder) -> None:
    """Runs the parts that were asked for, and prints each figure as soon as it is known."""
    remembering = Remembering(embedder)
    found: list[Figure] = []
    parts = RANDOM_PROFILES if options.random_profiles else PARTS
    for name in [options.only] if options.only else parts:
        for figure in parts[name](options, remembering):
            found.append(figure)
            if not options.json:
                print(figure, flush=True)
    if options.json:
        print(json.dumps({figure.name: figure.value for figure in found}, indent=2))


def _folder(given: Path | str | None, option: str, *parts: str) -> Path | None:
    """The folder if it is there; says what is missing if not."""
    folder = Path(given, *parts) if given else None
    if folder and folder.is_dir():
        return folder
    print(f"Left out: {folder or 'no folder given'}. Name the folder with {option}.")
    return None


# Corpora with judged questions


def _scifact(options: argparse.Namespace, embedder: Remembering) -> Iterator[Figure]:
    yield from _corpus(options, embedder, "scifact", bar=0.72, no_answer_bar=None)


def _doc2dial(options: argparse.Namespace, embedder: Remembering) -> Iterator[Figure]:
    yield from _corpus(options, embedder, "doc2dial", bar=0.87, no_answer_bar=0.9)


def _corpus(
    options: argparse.Namespace, embedder: Remembering, name: str, *, bar: float, no_answer_bar: float | None
) -> Iterator[Figure]:
    folder = _folder(options.data, "--data", name)
    if folder is None:
        return
    report = evaluate_retrieval(*(folder / file for file in CORPUS_FILES), embedder=embedder, no_answer=True)
    yield Figure(f"{name}: nDCG@10", report.fused.ndcg, max(bar, report.words.ndcg, report.vectors.ndcg))
    yield Figure(f"{name}: nDCG@10, words only", report.words.ndcg)
    yield Figure(f"{name}: nDCG@10, vectors only", report.vectors.ndcg)
    yield Figure(f"{name}: Recall@10", report.fused.recall)
    yield Figure(f"{name}: MRR", report.fused.mrr)
    yield Figure(f"{name}: milliseconds a question, two at a time", report.milliseconds)
    if report.no_answer and report.no_answer.auroc is not None:
        yield from _no_answer(name, report.no_answer, no_answer_bar)


def _no_answer(name: str, found: NoAnswer, bar: float | None) -> Iterator[Figure]:
    """A page of which half stands in another page too is not gone when it is taken out: so every figure twice."""
    yield Figure(f"{name}: answered against not, AUROC", found.auroc or 0.0, bar)
    yield Figure(f"{name}: answered against not, ECE", found.calibration_error)
    yield Figure(f"{name}: without an answer, of which another page has a copy", found.copied / found.unanswered)
    yield Figure(f"{name}: answered against not, without copies, AUROC", found.auroc_without_copies or 0.0, bar)
    yield Figure(f"{name}: answered against not, without copies, ECE", found.calibration_error_without_copies)


# Corpora with judged questions and readers with preferences


def _random_profiles(name: str) -> Part:
    def measured(options: argparse.Namespace, embedder: Remembering) -> Iterator[Figure]:
        folder = _folder(options.data, "--data", name)
        if folder is None:
            return
        given = read_question_set(*(folder / file for file in CORPUS_FILES))
        chance = random.Random(0)  # noqa: S311 (chance preferences, not a secret)
        documents = [replace(document, topic=chance.choice(TOPICS)) for document in given.documents]
        with retriever_over(documents, embedder) as (retriever, _, _):
            pairs = [_with_and_without(retriever, question, chance) for question in given.questions]
        plain, liked = (fmean(values) for values in zip(*pairs, strict=True))
        yield Figure(f"{name}: nDCG@10", plain)
        yield Figure(f"{name}: nDCG@10, readers with random preferences", liked, plain - MOST_LOST)

    return measured


def _with_and_without(retriever: Retriever, question: Question, chance: random.Random) -> tuple[float, float]:
    """nDCG@10 for nobody in particular, and for a reader who likes every topic by chance."""
    ranking = retriever.rank(question.text, history=question.history)
    prefer = {topic: chance.random() for topic in TOPICS}

    def measured(scores: NDArray[np.float64]) -> float:
        best = by_document(ranking.candidates, scores)
        return ndcg(sorted(best, key=lambda document: (-best[document], document)), question.relevant, DEPTH)

    return measured(ranking.scores()), measured(ranking.liked(prefer))


# Pages and questions of our own


def _product_pages(options: argparse.Namespace, embedder: Remembering) -> Iterator[Figure]:
    folder = _folder(options.pages, "--pages")
    if folder is None:
        return
    with retriever_over(pages(folder), embedder) as (retriever, _, _):
        asked = page_questions("actualbudget")
        first = [_first_page(retriever, question.text) in question.relevant for question in asked]
    yield Figure(f"product pages: right page first, of {len(first)}", sum(first), len(first))


def _demo(__: argparse.Namespace, embedder: Remembering) -> Iterator[Figure]:
    with retriever_over(pages(ARTICLES), embedder) as (retriever, _, _):
        yield from _demo_questions(retriever)
        yield from _demo_conversations(retriever)


def _demo_questions(retriever: Retriever) -> Iterator[Figure]:
    asked = page_questions("demo")
    results = [(question, retriever.search(question.text)) for question in asked]
    answerable = [(question, result) for question, result in results if question.relevant]
    first = sum(result.hits[0].passage.document_id in question.relevant for question, result in answerable)
    yield Figure(f"demo: right page first, of {len(answerable)}", first)
    confidences = [result.confidence for _, result in results]
    yield Figure("demo: answered against not, AUROC", auroc(confidences, [bool(q.relevant) for q in asked]) or 0.0)
    yield Figure(f"demo: taken for answerable, of {len(answerable)}", sum(r.answerable for _, r in answerable))
    without = [result for question, result in results if not question.relevant]
    yield Figure(f"demo: recognised as not answerable, of {len(without)}", sum(not r.answerable for r in without))
    refused = sum(not retriever.search(text).answerable for text in OFF_TOPIC)
    yield Figure(f"demo: off topic recognised, of {len(OFF_TOPIC)}", refused)


def _demo_conversations(retriever: Retriever) -> Iterator[Figure]:
    rows = json_lines("demo_conversations.jsonl")
    for kind, group in groupby(rows, key=lambda row: str(row["kind"])):
        good = [_is_good(retriever, row["said"], row["question"], row["page"], kind) for row in group]
        yield Figure(f"demo conversations: {kind}, of {len(good)}", sum(good))


def _is_good(retriever: Retriever, said: Sequence[str], question: str, page: str | None, kind: str) -> bool:
    """A follow-up finds its page, a new subject finds what it finds alone, and off topic is not answerable."""
    result = retriever.search(question, history=_conversation(retriever, said))
    if kind == "new subject":
        return result.hits == retriever.search(question).hits
    if page is None:
        return not result.answerable
    return bool(result.hits) and result.hits[0].passage.document_id == page


def _conversation(retriever: Retriever, questions: Sequence[str]) -> list[Utterance]:
    """The questions, each answered with the first words of the best passage."""
    said: list[Utterance] = []
    for question in questions:
        hits = retriever.search(question, history=said).hits
        said.append(Utterance("user", question))
        if hits:
            said.append(Utterance("assistant", " ".join(hits[0].passage.text.split()[:REPLY_WORDS])))
    return said


def _first_page(retriever: Retriever, question: str) -> str | None:
    hits = retriever.search(question).hits
    return hits[0].passage.document_id if hits else None


# Speed


def _speed(__: argparse.Namespace, ___: Remembering) -> Iterator[Figure]:
    """Every question is new to the search and is embedded; what was said before it was searched when it was said."""
    with tempfile.TemporaryDirectory() as folder:
        write_pages(Path(folder), count=GENERATED_PAGES)
        documents = [*pages(ARTICLES), *pages(Path(folder))]
    with retriever_over(documents, MiniLmEmbedder()) as (retriever, count, _):
        for question in page_questions("actualbudget"):
            retriever.search(question.text)
        alone = [_milliseconds(retriever, question.text, []) for question in page_questions("demo")]
        later = [
            _milliseconds(retriever, row["question"], _conversation(retriever, row["said"]))
            for row in json_lines("demo_conversations.jsonl")
        ]
    yield Figure(f"a question in {count} passages, p50 ms", median(alone), 12, at_most=True)
    yield Figure(f"a question in {count} passages, p95 ms", quantiles(alone, n=20)[-1])
    yield Figure(f"after a conversation in {count} passages, p50 ms", median(later), 20, at_most=True)
    yield Figure(f"after a conversation in {count} passages, p95 ms", quantiles(later, n=20)[-1])


def _milliseconds(retriever: Retriever, question: str, history: Sequence[Utterance]) -> float:
    started = time.perf_counter()
    retriever.search(question, history=history)
    return 1000 * (time.perf_counter() - started)


PARTS: dict[str, Part] = {
    "demo": _demo,
    "speed": _speed,
    "product-pages": _product_pages,
    "doc2dial": _doc2dial,
    "scifact": _scifact,
}
RANDOM_PROFILES: dict[str, Part] = {name: _random_profiles(name) for name in ("doc2dial", "scifact")}


if __name__ == "__main__":
    main()
