"""python -m ui keys create | list | revoke"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

from rich.markup import escape
from rich.table import Table

from agent.knowledge import database_url
from tools.access.keys import ApiKey, KeyStore
from tools.database import now, open_database
from ui.commands.output import messages, print_json, results
from ui.commands.running import new_runner
from ui.configuration import load_settings

T = TypeVar("T")


def create(user_id: str, *, name: str, scopes: Sequence[str], days: int | None, as_json: bool) -> None:
    """Make a key and print it. Raises KeyRejected."""
    key, secret = _with_keys(lambda keys: keys.create(user_id, name=name, scopes=frozenset(scopes), days=days))
    if as_json:
        print_json(_plain(key) | {"key": secret})
        return
    messages().print(f"Key {key.id} of {escape(user_id)}. Keep it now: it cannot be shown again.")
    results().print(escape(secret))


def list_all(*, as_json: bool) -> None:
    """Every key but its secret, the latest first."""
    found = _with_keys(lambda keys: keys.all())
    if as_json:
        print_json([_plain(key) for key in found])
        return
    if not found:
        messages().print("There are no keys. Make one: python -m ui keys create USER")
        return
    table = Table("id", "user", "scopes", "name", "made", "state", box=None)
    for key in found:
        made = f"{key.created_at:%Y-%m-%d %H:%M}"
        table.add_row(key.id, escape(key.user_id), " ".join(sorted(key.scopes)), escape(key.name), made, _state(key))
    results().print(table)


def revoke(key_id: str) -> None:
    """End a key. Raises KeyRejected."""
    _with_keys(lambda keys: keys.revoke(key_id))
    messages().print(f"Key {escape(key_id)} is revoked.")


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if not key.usable(now()):
        return "expired"
    return f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "usable"


def _plain(key: ApiKey) -> dict[str, object]:
    return asdict(key) | {"scopes": sorted(key.scopes)}


def _with_keys(work: Callable[[KeyStore], Awaitable[T]]) -> T:
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def opened() -> T:
        async with open_database(database_url(settings)) as engine:
            return await work(KeyStore(engine))

    with new_runner() as runner:
        return runner.run(opened())
