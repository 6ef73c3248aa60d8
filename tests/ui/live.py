"""A real server on a loopback port, in this process: what an in-process client cannot show (streams, lost clients)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ui.server import Server, bind


@asynccontextmanager
async def serving(app: FastAPI, *, patience: float = 2) -> AsyncIterator[tuple[str, Server]]:
    """The address of the running application, and its server; `patience` is the grace of running turns, in seconds."""
    socket = bind("127.0.0.1", 0)
    server = Server(app, patience=patience)
    task = asyncio.create_task(server.serve(sockets=[socket]))
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}", server
    finally:
        server.should_exit = True
        await task
