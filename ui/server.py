"""Runs the application: one process, uvloop, a port that is taken before anything slow starts, and an end that lets
running turns finish."""

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from agent.errors import SettingsError
from ui.connections import STALL, connections

log = logging.getLogger(__name__)

LOOP: Literal["auto", "uvloop"] = "auto" if sys.platform == "win32" else "uvloop"
PATIENCE = 20.0  # seconds that running turns get when the server is told to stop
BACKLOG = 128
# Gradio's page keeps this request open as long as its tab is open: nothing to wait for.
KEPT_OPEN = "/gradio_api/heartbeat/"


def bind(host: str, port: int) -> socket.socket:
    """A socket that holds the port, and queues early visitors, while the rest is still starting.

    Raises:
        SettingsError: the port is taken, or the address is not one of this machine.
    """
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind)
    try:
        if sys.platform != "win32":  # there it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Expected a free port, but {host}:{port} cannot be used: {error.strerror}. "
            f"Stop what holds it, or choose another: --port {port + 1}"
        ) from error
    return listener


class RunningRequests:
    """Counts the requests that an orderly end waits for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(KEPT_OPEN):
            await self._app(scope, receive, send)
            return
        self._running += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def wait(self, seconds: float) -> bool:
        """Whether all of them ended within this time."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            return False
        return True


class Server(uvicorn.Server):
    """uvicorn with an end that lets running turns finish, and that returns instead of raising the signal again."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        patience: float = PATIENCE,
        stall: float = STALL,
        when_ready: Callable[[], None] = lambda: None,
    ) -> None:
        """`patience` is how long running requests may go on after a signal, `stall` how long the API waits on a client
        that takes nothing; both in seconds."""
        self._requests = RunningRequests(app)
        self._patience = patience
        self._when_ready = when_ready
        super().__init__(_config(self._requests, stall))

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell who waits for it."""
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no new connections, let running requests end, hang up on the rest, then close the application."""
        for server in self.servers:
            server.close()
        if not await self._requests.wait(self._patience):
            log.warning("stopped running requests", extra={"after_seconds": self._patience})
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Stop on SIGINT and SIGTERM. The application's owner closes what it opened, so nothing may kill it then."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _config(app: ASGIApp, stall: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop=LOOP,
        http=connections(stall=stall),
        ws="none",
        log_config=None,
        access_log=False,  # it would show parameters, which name users
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def freeze_garbage() -> None:
    """Keep what start-up made out of every later collection: it lives as long as the process."""
    gc.collect()
    gc.freeze()
