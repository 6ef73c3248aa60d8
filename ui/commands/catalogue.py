"""python -m ui catalogue load"""

import asyncio
from dataclasses import asdict
from pathlib import Path

import typer
from rich.markup import escape

from agent.knowledge import database_url
from tools.recommender.catalogue import CatalogueStore, Loaded
from ui.commands.output import messages, print_json, results
from ui.configuration import load_settings

DONE_IN_PART = 1


def load(path: Path, *, facets: list[str], category: str, as_json: bool) -> int:
    """Load items; the exit code says whether rows were left out."""
    mapping = dict(_pair(one) for one in facets)
    loaded = asyncio.run(_load(path, mapping, category))
    for row in loaded.rejected:
        messages().print(f"Left out: {escape(str(row))}")
    if as_json:
        print_json(asdict(loaded))
    else:
        facets_read = ", ".join(f"{name} ({column})" for name, column in (loaded.facets or {}).items())
        results().print(
            f"{loaded.added} added, {loaded.changed} changed, {loaded.same} the same, {len(loaded.rejected)} left out; "
            f"facets: {escape(facets_read) or '–'}"
        )
    return DONE_IN_PART if loaded.rejected else 0


async def _load(path: Path, facets: dict[str, str], category: str) -> Loaded:
    from tools.database import open_database

    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(database_url(settings)) as engine:
        return await CatalogueStore(engine).load(path, facets=facets, category=category)


def _pair(text: str) -> tuple[str, str]:
    facet, equals, column = text.partition("=")
    if not (facet and equals and column):
        raise typer.BadParameter(f"Expected FACET=COLUMN, such as genre=genres, got {text!r}.")
    return facet.strip(), column.strip()
