"""Opens what commands work with, in the order and on the event loop that they need."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agent.assistant import Assistant
from agent.build import open_assistant
from agent.settings import Settings

T = TypeVar("T")


def new_runner() -> asyncio.Runner:
    """An event loop as the server has it: uvloop, but on Windows, where there is none."""
    if sys.platform == "win32":
        return asyncio.Runner()
    import uvloop

    return asyncio.Runner(loop_factory=uvloop.new_event_loop)


def with_assistant(settings: Settings, work: Callable[[Assistant], Awaitable[T]]) -> T:
    """Open the assistant, do this work, close it."""

    async def opened() -> T:
        async with open_assistant(settings) as assistant:
            return await work(assistant)

    with new_runner() as runner:
        return runner.run(opened())


@contextmanager
def assistant_on(runner: asyncio.Runner, settings: Settings) -> Iterator[Assistant]:
    """An assistant that stays open between several runs of this runner, as a terminal needs it."""
    opening = open_assistant(settings)
    assistant = runner.run(opening.__aenter__())
    try:
        yield assistant
    finally:
        runner.run(opening.__aexit__(None, None, None))
