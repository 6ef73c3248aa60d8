"""python -m ui profile show | export | rebuild | forget"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from agent.knowledge import database_url
from tools.database import open_database
from tools.profile.model import Preference, Profile
from tools.profile.store import ProfileStore
from ui.commands.output import messages, print_json, results
from ui.commands.running import new_runner, with_assistant
from ui.configuration import load_settings

T = TypeVar("T")

BAR_CHARS = 20


def show(user_id: str, *, as_json: bool) -> None:
    """What is known of a user."""
    _present(_with_profiles(lambda store: store.read(user_id)), as_json=as_json)


def export(user_id: str) -> None:
    """Everything that the database holds of a user, by table."""
    print_json(_with_profiles(lambda store: store.export(user_id)))


def rebuild(user_id: str, *, as_json: bool) -> None:
    """Make a profile again from its evidence."""
    _present(_with_profiles(lambda store: store.rebuild(user_id)), as_json=as_json)


def forget(user_id: str, *, sure: bool, as_json: bool) -> None:
    """Delete everything that is held of a user, after asking, and show the counts before and after."""
    if not sure:
        typer.confirm(f"Delete everything that is held of {user_id}, conversations included?", abort=True, err=True)
    forgotten = with_assistant(load_settings(), lambda assistant: assistant.forget(user_id))
    if as_json:
        print_json(asdict(forgotten))
        return
    table = Table(box=None)
    for heading in ("", "before", "after"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, count in forgotten.before.items():
        if count:
            table.add_row(name, str(count), str(forgotten.after[name]))
    results().print(table if table.row_count else f"Nothing was held of {escape(user_id)!r}.")


def _with_profiles(work: Callable[[ProfileStore], Awaitable[T]]) -> T:
    """The database alone: what is asked of a profile needs neither documents nor a model."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)

    async def opened() -> T:
        async with open_database(database_url(settings)) as engine:
            return await work(ProfileStore(engine, half_life_days=settings.profile_half_life_days))

    with new_runner() as runner:
        return runner.run(opened())


def _present(profile: Profile, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(profile))
        return
    if profile.is_empty:
        messages().print(f"Nothing is known of {escape(profile.user_id)!r}.")
        return
    _describe(profile, results())


def _describe(profile: Profile, console: Console) -> None:
    learning = "" if profile.learning else " · learning is off"
    console.print(f"[bold]{escape(profile.user_id)}[/]  [dim]{profile.interactions} interactions{learning}[/]")
    for persona in profile.personas:
        console.print(f"{escape(persona.name)}  [dim]{escape('; '.join(persona.reasons))}[/]")
    _list(console, "Told", [f"{fact.slot}: {fact.value}" for fact in profile.facts])
    for facet in sorted({one.facet for one in profile.preferences}):
        _bars(console, facet, [one for one in profile.preferences if one.facet == facet])
    _list(console, "Tags", [f"{tag.name} ({'typed' if tag.manual else tag.source})" for tag in profile.tags])
    _list(console, "Recent questions", profile.recent_questions)
    _list(console, "Muted", [f"{one.facet}: {one.value}" for one in profile.muted])


def _list(console: Console, title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(f"\n[bold]{title}[/]")
    for line in lines:
        console.print(f"  {escape(line)}")


def _bars(console: Console, facet: str, preferences: Sequence[Preference]) -> None:
    console.print(f"\n[bold]{escape(facet)}[/]")
    for one in preferences:
        bar = ("█" if one.score > 0 else "░") * max(1, round(abs(one.score) * BAR_CHARS))
        console.print(f"  {one.score:+.2f} {bar:{BAR_CHARS}} {escape(one.value)} [dim]×{one.evidence}[/]")
