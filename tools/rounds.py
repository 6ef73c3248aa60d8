"""Work that goes on in the background, again and again, and ends where nothing is lost: between two rounds."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

PATIENCE = 3.0
"""Seconds that closing waits for the round under way."""

log = logging.getLogger(__name__)


class Rounds:
    """Does one piece of work every so many seconds.

    A round that fails is logged, and the next one tries again. Closing lets the round under way finish, since a query
    that is cancelled costs its database connection; one that takes longer than `PATIENCE` is cancelled after all.

    Args:
        work: One round.
        every: Seconds from the end of a round to the next.
        name: What the work does, as in "the articles are followed"; for the log.
        first: Seconds until the first round.
    """

    def __init__(self, work: Callable[[], Awaitable[object]], *, every: float, name: str, first: float = 0.0) -> None:
        self._work, self._every, self._name, self._first = work, every, name, first
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._task = asyncio.create_task(self._go_on(), name=self._name)

    async def aclose(self) -> None:
        """End after the round under way; nothing to do where none was started."""
        self._closing.set()
        if self._task is None:
            return
        _, late = await asyncio.wait({self._task}, timeout=PATIENCE)
        if late:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _go_on(self) -> None:
        pause = self._first
        while not await self._closed_within(pause):
            try:
                await self._work()
            except Exception:  # the boundary of a background task: what it keeps up to date stays as it was
                log.exception("%s: this round failed, the next is in %.0f s", self._name, self._every)
            pause = self._every

    async def _closed_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._closing.wait()
        except TimeoutError:
            return False
