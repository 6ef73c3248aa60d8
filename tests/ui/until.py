"""Waiting for what happens in the background of a test."""

import asyncio
import time
from collections.abc import Callable


async def until(what: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something to be so; fails when it is not in time."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def quiet(seconds: float = 0.2) -> None:
    """Time in which something would have happened."""
    await asyncio.sleep(seconds)
