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
from ui.loopback import require_safe_address
from ui.server import Server, bind, freeze_garbage


def run(host: str | None, port: int | None, paths: Sequence[Path], *, articles: bool) -> None:
    """Take the port, bring the index up to date where asked, and serve until a signal.

    Raises:
        SettingsError: the address cannot be served on, or the port is taken.
    """
    settings = load_settings(host=host, port=port)
    require_safe_address(settings)
    set_up_logging()
    console = messages()
    with bind(settings.host, settings.port) as listener:
        importing = _import_the_rest()
        sources = [*([settings.articles] if articles else []), *paths]
        if sources:
            _ingest(settings, sources, console)
        importing.join()
        _serve(settings, listener, console, demo=articles)


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


def _serve(settings: Settings, listener: socket, console: Console, *, demo: bool) -> None:
    from ui.commands.running import new_runner

    with new_runner() as runner:
        runner.run(_serving(settings, listener, console, demo=demo))


async def _serving(settings: Settings, listener: socket, console: Console, *, demo: bool) -> None:
    from agent.build import open_assistant
    from tools.profile.taxonomy import DEMO
    from ui.app import create_app

    def ready() -> None:
        freeze_garbage()
        console.print(
            f"{settings.title} answers at [bold]{_url(listener)}[/] (API: {_url(listener)}/docs). Ctrl-C stops it."
        )

    async with open_assistant(settings) as assistant:
        if demo:
            await assistant.taxonomy.seed(DEMO)
        app = create_app(settings, assistant=assistant)
        await Server(app, stall=settings.stall_timeout, when_ready=ready).serve(sockets=[listener])


def _url(listener: socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
