"""python -m ui users load"""

from pathlib import Path

from agent.knowledge import database_url
from agent.settings import Settings
from tools.database import open_database
from tools.predictor.users import UserStore, read_users
from ui.commands.output import print_json, results
from ui.commands.running import new_runner
from ui.configuration import load_settings


def load(path: Path, *, as_json: bool) -> None:
    """Load what is known of users; further columns become features. Raises UsersInvalid, TableInvalid."""
    settings = load_settings()
    with new_runner() as runner:
        loaded = runner.run(_load(settings, path))
    if as_json:
        print_json({"users": loaded})
    else:
        results().print(f"Users: {loaded} loaded")


async def _load(settings: Settings, path: Path) -> int:
    users = read_users(path)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(database_url(settings)) as engine:
        return await UserStore(engine).load(users)
