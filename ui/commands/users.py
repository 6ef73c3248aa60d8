"""python -m ui users load"""

import asyncio
from dataclasses import asdict
from pathlib import Path

from rich.markup import escape

from agent.knowledge import database_url
from agent.settings import Settings
from tools.database import open_database
from tools.predictor.users import UsersRead, UserStore, read_users
from ui.commands.output import messages, print_json, results
from ui.commands.running import new_runner
from ui.configuration import load_settings

ALL_LOADED, SOME_LEFT_OUT = 0, 1


def load(path: Path, *, as_json: bool) -> int:
    """Load what is known of users; further columns become features. The exit code says whether rows were left out.

    Raises UsersInvalid, TableInvalid.
    """
    settings = load_settings()
    with new_runner() as runner:
        read = runner.run(_load(settings, path))
    if as_json:
        print_json({"users": len(read.users), "failed": [asdict(row) for row in read.failed]})
    else:
        _show(read)
    return SOME_LEFT_OUT if read.failed else ALL_LOADED


def _show(read: UsersRead) -> None:
    """The counts on one line, then each row that was left out with the reason."""
    failed = f", [red]{len(read.failed):,} failed[/]" if read.failed else ""
    results().print(f"Users: {len(read.users):,} loaded{failed}")
    for row in read.failed:
        messages().print(f"[red]  line {row.line}[/]: {escape(row.reason)}")


async def _load(settings: Settings, path: Path) -> UsersRead:
    read = await asyncio.to_thread(read_users, path)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(database_url(settings)) as engine:
        await UserStore(engine).load(read.users)
    return read
