"""Where commands write: results to stdout, everything else to stderr."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# (done, total, what is at work now)
Advance = Callable[[int, int, str], None]


def print_json(value: object) -> None:
    """One JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def results() -> Console:
    """For results, on stdout."""
    return Console(file=sys.stdout, highlight=False, soft_wrap=True)


def messages() -> Console:
    """For everything that is not a result, on stderr."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


@contextmanager
def progress(title: str) -> Generator[Advance, None, None]:
    """A bar on stderr while something long runs; nothing where stderr is not a terminal."""
    console = messages()
    bar = Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[now]}", markup=True),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(title, total=None, now="")

        def advance(done: int, total: int, now: str = "") -> None:
            bar.update(task, completed=done, total=total, now=now.replace("[", r"\["))

        yield advance
