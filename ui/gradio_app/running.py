"""A turn at work in the background of the page: its events in batches, a stop from elsewhere, an end in every case."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from agent.events import Event, TurnStarted

_left_alone: set[asyncio.Task[None]] = set()  # the loop itself holds tasks only weakly


class RunningTurn:
    """Takes a turn's events as they come, so that the page is changed by the clock and not by the token. `room` is what
    the turn was given to run in; it is given back when the turn has ended, whoever still watches."""

    def __init__(self, events: AsyncGenerator[Event], room: AsyncExitStack | None = None) -> None:
        self._came: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._take(events, room or AsyncExitStack()))
        self.conversation_id: str | None = None  # until the turn says it
        self.left = False
        self.stopped = False

    async def _take(self, events: AsyncGenerator[Event], room: AsyncExitStack) -> None:
        try:
            async with room, aclosing(events):
                async for event in events:
                    if isinstance(event, TurnStarted):
                        self.conversation_id = event.conversation_id
                    self._came.put_nowait(event)
        finally:
            self._came.put_nowait(None)

    async def batches(self, pause: float) -> AsyncIterator[list[Event]]:
        """The events in order, the first at once and then at most one batch every `pause` seconds, until the turn has
        ended, was stopped or was left. What the turn raises is raised at the end."""
        clock, due, event = asyncio.get_running_loop(), 0.0, await self._came.get()
        while event is not None:
            await asyncio.sleep(max(0.0, due - clock.time()))
            due, batch = clock.time() + pause, [event]
            while not self._came.empty() and (event := self._came.get_nowait()) is not None:
                batch.append(event)
            if self.left:
                return
            yield batch
            if event is not None:
                event = await self._came.get()
        if not self.left and not self.stopped:
            await self._task

    async def stop(self) -> None:
        """End the turn; when this returns, what it had said is kept."""
        self.stopped = self.stopped or not self._task.done()
        self._task.cancel()
        await self.ended()

    async def ended(self, seconds: float | None = None) -> None:
        """Wait until the turn has ended and is kept, for so long at most."""
        await asyncio.wait([self._task], timeout=seconds)

    def leave(self) -> None:
        """Stop watching and let the turn finish by itself; its answer will be in the transcript."""
        self.left = True
        _left_alone.add(self._task)
        self._task.add_done_callback(_forget)
        self._came.put_nowait(None)


def _forget(task: asyncio.Task[None]) -> None:
    _left_alone.discard(task)
    if not task.cancelled():
        task.exception()  # taken, since nobody is there to show it to; the agent has logged its reason
