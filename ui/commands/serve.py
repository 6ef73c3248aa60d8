"""python -m ui serve"""

import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from socket import socket

from rich.console import Console

from agent.settings import Settings
from ui.commands.output import messages
from ui.configuration import load_settings
from ui.logs import set_up_logging
from ui.loopback import require_loopback
from ui.server import Server, bind, freeze_garbage


def run(host: str | None, port: int | None, paths: Sequence[Path], *, articles: bool) -> None:
    """Take the port, bring the index up to date where asked, and serve until a signal.

    Raises:
        SettingsError: the address cannot be served on, or the port is taken.
    """
    settings = load_settings(host=host, port=port)
    require_loopback(settings.host)
    set_up_logging()
    console = messages()
    with bind(settings.host, settings.port) as listener:
        importing = _import_the_rest()
        sources = [*([settings.articles] if articles else []), *paths]
        if sources:
            _ingest(settings, sources, console)
        importing.join()
        _serve(settings, listener, console)


def _import_the_rest() -> threading.Thread:
    """Import what only the server needs while the ingest runs: much of both is waiting or outside of Python."""

    def load() -> None:
        for name in ("agent.build", "ui.app", "ui.gradio_app.page"):
            import_module(name)

    thread = threading.Thread(target=load, name="imports", daemon=True)
    thread.start()
    return thread


def _ingest(settings: Settings, sources: Sequence[Path], console: Console) -> None:
    from ui.commands.ingest import ingest, show

    show(ingest(settings, sources), console)


def _serve(settings: Settings, listener: socket, console: Console) -> None:
    from ui.commands.running import new_runner

    with new_runner() as runner:
        runner.run(_serving(settings, listener, console))


async def _serving(settings: Settings, listener: socket, console: Console) -> None:
    from agent.build import open_assistant
    from ui.app import create_app

    def ready() -> None:
        freeze_garbage()
        console.print(
            f"{settings.title} answers at [bold]{_url(listener)}[/] (API: {_url(listener)}/docs). Ctrl-C stops it."
        )

    async with open_assistant(settings) as assistant:
        app = create_app(settings, assistant=assistant)
        await Server(app, when_ready=ready).serve(sockets=[listener])


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
