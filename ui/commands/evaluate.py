"""python -m ui evaluate retrieval | answers: on question sets, in a place of their own, with the configured parts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from agent.knowledge import configured_embedder
from ui.commands.output import print_json, progress, results
from ui.configuration import load_settings


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


def _show(report: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(report)
        return
    for line in _lines(report):
        results().print(line)


def _lines(report: Mapping[str, Any]) -> list[str | Table]:
    """Single values one a line, then one table of the groups, whose columns are their measures."""
    groups = {name: value for name, value in report.items() if isinstance(value, Mapping)}
    single = [f"{name}: {_number(value)}" for name, value in report.items() if name not in groups]
    return [*single, _table(groups)] if groups else [*single]


def _table(groups: Mapping[str, Mapping[str, Any]]) -> Table:
    measures = list(dict.fromkeys(measure for group in groups.values() for measure in group))
    table = Table("", *measures, box=None)
    for name, group in groups.items():
        table.add_row(escape(name), *(_number(group.get(measure)) for measure in measures))
    return table


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "–" if value is None else escape(str(value))
