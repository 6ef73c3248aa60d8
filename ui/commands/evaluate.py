"""python -m ui evaluate …: on question sets and logs, your own index untouched, with the configured parts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from agent.knowledge import configured_embedder
from ui.commands.output import messages, print_json, progress, results
from ui.configuration import load_settings

REJECTED_SHOWN = 20
"""How many of the rows that were left out are named."""


def retrieval(corpus: Path, queries: Path, qrels: Path, *, run: Path | None, as_json: bool) -> None:
    """Measure the search, and words and vectors alone beside it; `run` receives the ranking."""
    from knowledge_base.evaluation import evaluate_retrieval

    embedder = configured_embedder(load_settings())
    with progress("Evaluating") as advance:
        report = evaluate_retrieval(corpus, queries, qrels, embedder=embedder, run=run, progress=advance)
    _show(report.as_json(), as_json=as_json)


def answers(corpus: Path, queries: Path, qrels: Path, *, answers: Path | None, as_json: bool) -> None:
    """Measure the replies against the gold answers; `answers` receives each of them."""
    from agent.evaluation import evaluate_answers

    embedder = configured_embedder(load_settings())
    with progress("Evaluating") as advance:
        report = evaluate_answers(corpus, queries, qrels, embedder=embedder, answers=answers, progress=advance)
    _show(report.as_json(), as_json=as_json)


def topics(train: Path, test: Path, *, shots: int, predictions: Path | None, as_json: bool) -> None:
    """Measure topic inference from a few examples each; `predictions` receives what the first draw says."""
    from tools.profile.topic_evaluation import evaluate_topics

    embedder = configured_embedder(load_settings())
    with progress("Evaluating") as advance:
        report = evaluate_topics(train, test, shots=shots, embedder=embedder, predictions=predictions, progress=advance)
    _show(report.as_json(), as_json=as_json)


def predict(data: Path, target: str, *, drop: Sequence[str], predictions: Path | None, as_json: bool) -> None:
    """Measure the predictor's local model on a table; `predictions` receives what it said out of fold."""
    from tools.predictor.evaluation import evaluate_predictions

    with progress("Evaluating") as advance:
        report = evaluate_predictions(data, target, drop=drop, predictions=predictions, progress=advance)
    _show(report.as_json(), as_json=as_json)


def recommend(items: Path, interactions: Path, *, split: str, holdout: float, run: Path | None, as_json: bool) -> None:
    """Measure the suggestions on a log; `run` receives each measured user's list."""
    from tools.recommender.evaluation import as_json as report_of
    from tools.recommender.evaluation import evaluate, read_evaluation_files, split_named

    chosen = split_named(split)
    read, catalogue, found = read_evaluation_files(items, interactions)
    for rejected in (found.rejected, read.rejected):
        for row in rejected[:REJECTED_SHOWN]:
            messages().print(f"Left out: {escape(str(row))}")
    with progress("Evaluating") as advance:
        evaluation = evaluate(read.log, catalogue, split=chosen, holdout=holdout, progress=advance)
    if run:
        lines = (json.dumps({"user": user, "items": listed}, ensure_ascii=False) for user, listed in evaluation.runs())
        run.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    _show(report_of(evaluation, read, found), as_json=as_json)


def _show(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    for line in _lines(report):
        results().print(line)


def _lines(report: Mapping[str, Any]) -> list[str | Table]:
    """Single values one a line, then one table of the groups, whose columns are their measures."""
    nested = {name: value for name, value in report.items() if isinstance(value, Mapping)}
    single = [f"{name}: {_number(value)}" for name, value in report.items() if name not in nested]
    groups = dict(group for name, value in nested.items() for group in _groups(name, value))
    return [*single, _table(groups)] if groups else [*single]


def _groups(name: str, value: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """A group of measures, or the groups of which it is made."""
    return value.items() if all(isinstance(one, Mapping) for one in value.values()) else [(name, value)]


def _table(groups: Mapping[str, Mapping[str, Any]]) -> Table:
    measures = list(dict.fromkeys(measure for group in groups.values() for measure in group))
    table = Table("", *measures, box=None)
    for name, group in groups.items():
        table.add_row(escape(name), *(_number(group.get(measure)) for measure in measures))
    return table


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else escape(str(value))
