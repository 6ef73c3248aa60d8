"""python -m ui search"""

from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from agent.errors import EmptyMessage
from agent.knowledge import open_knowledge
from knowledge_base.passage import Hit, SearchResult
from ui.commands.output import print_json, results
from ui.configuration import load_settings


def run(question: str, *, limit: int, as_json: bool) -> None:
    """Search as a turn would, and show the passages with their scores. Raises EmptyMessage."""
    if not question.strip():
        raise EmptyMessage("The question is empty: expected words to look for.")
    with open_knowledge(load_settings()) as knowledge:
        result = knowledge.search(question, limit=limit)
    if as_json:
        print_json(asdict(result))
    else:
        _show(result, results())


def _show(result: SearchResult, console: Console) -> None:
    verdict = "the documents answer this" if result.answerable else "the documents may not answer this"
    console.print(f"[bold]{escape(result.query)}[/]  [dim]confidence {result.confidence:.2f}: {verdict}[/]")
    for rank, hit in enumerate(result.hits, 1):
        _show_hit(rank, hit, console)


def _show_hit(rank: int, hit: Hit, console: Console) -> None:
    passage = hit.passage
    place = " › ".join((passage.title, *passage.heading_path))
    scores = f"score {hit.score:.3f} · vector {_score(hit.vector_score)} · words {_score(hit.lexical_score)}"
    console.print(
        f"\n[bold]{rank}. {escape(place)}[/]\n[dim]{scores} · {escape(passage.url or passage.document_id)}[/]"
    )
    console.print(escape(passage.text))


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
