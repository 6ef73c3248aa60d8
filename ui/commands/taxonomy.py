"""python -m ui taxonomy load"""

from dataclasses import asdict
from pathlib import Path

from agent.knowledge import database_url
from agent.settings import Settings
from tools.database import open_database
from tools.profile.taxonomy import Taxonomy, TaxonomyLoaded, read_taxonomy
from ui.commands.output import print_json, results
from ui.commands.running import new_runner
from ui.configuration import load_settings


def load(path: Path, *, as_json: bool) -> None:
    """Add and change entries as a YAML file says. Raises TaxonomyInvalid, which names every entry that is wrong."""
    settings = load_settings()
    with new_runner() as runner:
        loaded = runner.run(_load(settings, path))
    if as_json:
        print_json(asdict(loaded))
    else:
        results().print(f"Taxonomy: {loaded.added} added, {loaded.changed} changed, {loaded.unchanged} unchanged")


async def _load(settings: Settings, path: Path) -> TaxonomyLoaded:
    entries = read_taxonomy(path)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(database_url(settings)) as engine:
        return await Taxonomy(engine).load(entries)
