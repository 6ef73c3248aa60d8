"""How good the extractive answers are: `python -m benchmarks.answers --data DIR [--set NAME] [--json]`.

Answers every question of the set (doc2dial below --data or ATTUNE_EVAL_DATA) that has a gold answer, after its history,
and prints token F1 and recall, words per answer and the share of claims with a valid citation, beside the bars.

agent/relevance.json was fitted to these same questions: what `python -m benchmarks.fit_relevance` prints for documents
never seen is what to expect of other documents.
"""

import argparse
import json
import os
from pathlib import Path

from agent.evaluation import AnswersReport, evaluate_answers
from benchmarks.retrieval import Figure
from knowledge_base.embeddings import MiniLmEmbedder

F1 = 0.40
RECALL = 0.65
WORDS = 80


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("ATTUNE_EVAL_DATA"))
    parser.add_argument("--set", default="doc2dial", help="the folder below --data")
    parser.add_argument("--limit", type=int, help="only the first so many questions")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    folder = Path(options.data, options.set) if options.data else None
    if folder is None or not folder.is_dir():
        parser.exit(2, f"{folder or 'No folder given'}: nothing to measure. Name the folder above it with --data.\n")
    files = (folder / name for name in ("corpus.jsonl", "queries.jsonl", "qrels.tsv"))
    measured = figures(options.set, evaluate_answers(*files, embedder=MiniLmEmbedder(), limit=options.limit))
    if options.json:
        print(json.dumps({figure.name: figure.value for figure in measured}, indent=2))
    else:
        print(*measured, sep="\n")


def figures(name: str, report: AnswersReport) -> list[Figure]:
    """What was measured, beside its bars."""
    return [
        Figure(f"{name}: token F1, of {report.questions}", report.f1, F1),
        Figure(f"{name}: token recall", report.recall, RECALL),
        Figure(f"{name}: words per answer", report.words, WORDS, at_most=True),
        Figure(f"{name}: share of claims with a valid citation", report.cited, 1.0),
        Figure(f"{name}: share answered", report.answered),
    ]


if __name__ == "__main__":
    main()
