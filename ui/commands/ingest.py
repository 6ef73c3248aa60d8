"""python -m ui ingest, and the ingest before serving"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agent.knowledge import open_knowledge
from agent.settings import Settings
from knowledge_base.ingest import IngestReport, Progress
from knowledge_base.ingest import ingest as bring_up_to_date
from ui.commands.output import messages, print_json, progress, results
from ui.configuration import load_settings

ALL_READ, SOME_NOT_READ = 0, 1


def run(paths: Sequence[Path], *, as_json: bool, rebuild: bool, prune: bool, only: bool) -> int:
    """Ingest and show the report; the exit code says whether every file could be read."""
    report = ingest(load_settings(), paths, rebuild=rebuild, prune=prune, only=only)
    if as_json:
        print_json(report.as_json())
    else:
        show(report, results(), failures=messages())
    return SOME_NOT_READ if report.failed else ALL_READ


def ingest(
    settings: Settings, paths: Sequence[Path], *, rebuild: bool = False, prune: bool = True, only: bool = False
) -> IngestReport:
    """Bring the knowledge base of these settings up to date, behind a progress bar. Raises as the library does."""
    with open_knowledge(settings) as knowledge, progress("Indexing") as advance:

        def show_progress(now: Progress) -> None:
            advance(now.files, now.total, f"{now.embedded:,} passages embedded")

        return bring_up_to_date(
            paths,
            store=knowledge.store,
            index=knowledge.index,
            embedder=knowledge.embedder,
            progress=show_progress,
            prune=prune,
            only=only,
            rebuild=rebuild,
        )


def show(report: IngestReport, console: Console, *, failures: Console | None = None) -> None:
    """The counts on one line, then each file that could not be read with the reason."""
    counts = {name: getattr(report, name) for name in ("added", "updated", "unchanged", "removed")}
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do"
    failed = f", [red]{len(report.failed):,} failed[/]" if report.failed else ""
    console.print(f"Documents: {said}{failed} · {report.passages:,} passages · {report.seconds:.1f} s")
    for failure in report.failed:
        (failures or console).print(f"[red]  {escape(failure.path)}[/]: {escape(failure.reason)}")
