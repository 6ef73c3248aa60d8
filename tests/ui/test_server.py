"""Taking the port, and what an orderly end waits for."""

import asyncio
import socket

import pytest
from starlette.types import Message, Receive, Scope, Send

from agent.errors import SettingsError
from ui.server import KEPT_OPEN, RunningRequests, bind


def test_holds_the_port_from_the_start() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(SettingsError, match=f"--port {port + 1}"):
            bind("127.0.0.1", port)
        with socket.create_connection(("127.0.0.1", port), timeout=1) as early:
            assert early.getpeername()[1] == port


def test_a_port_can_be_taken_again_at_once() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
    with bind("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


class Held:
    """An application whose requests last until it is told to let them go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.go.wait()


async def receive() -> Message:
    raise AssertionError("nothing is read")


async def send(message: Message) -> None:
    raise AssertionError("nothing is sent")


async def test_waits_for_running_requests() -> None:
    held = Held()
    requests = RunningRequests(held)
    assert await requests.wait(0.01)
    running = [asyncio.create_task(requests({"type": "http", "path": "/api/query"}, receive, send)) for _ in range(2)]
    await asyncio.sleep(0)
    assert not await requests.wait(0.01)
    held.go.set()
    assert await requests.wait(1)
    await asyncio.gather(*running)


async def test_does_not_wait_for_open_tabs() -> None:
    requests = RunningRequests(Held())
    tab = asyncio.create_task(requests({"type": "http", "path": f"{KEPT_OPEN}abc"}, receive, send))
    await asyncio.sleep(0)
    assert await requests.wait(0.01)
    tab.cancel()
