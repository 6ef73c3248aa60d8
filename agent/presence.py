"""Who is at work: a user's turns run side by side; forgetting that user waits for them, and holds new ones back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Presence:
    """Each user's running turns. Nothing is kept of users without one."""

    def __init__(self) -> None:
        self._turns: dict[str, set[asyncio.Event]] = {}
        self._held: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def turn_of(self, user_id: str) -> AsyncIterator[None]:
        """A turn of this user; it begins once nobody is alone with them."""
        await self._wait(user_id)
        ended = asyncio.Event()
        self._turns.setdefault(user_id, set()).add(ended)
        try:
            yield
        finally:
            ended.set()
            self._leave(user_id, ended)

    @asynccontextmanager
    async def alone_with(self, user_id: str) -> AsyncIterator[None]:
        """No turn of this user runs in here. Never enter it from inside such a turn: it would wait for itself."""
        await self._wait(user_id)
        over = self._held[user_id] = asyncio.Event()
        try:
            for ended in tuple(self._turns.get(user_id, ())):
                await ended.wait()
            yield
        finally:
            del self._held[user_id]
            over.set()

    async def _wait(self, user_id: str) -> None:
        while (over := self._held.get(user_id)) is not None:
            await over.wait()

    def _leave(self, user_id: str, ended: asyncio.Event) -> None:
        turns = self._turns[user_id]
        turns.remove(ended)
        if not turns:
            del self._turns[user_id]

    def __len__(self) -> int:
        return len(self._turns) + len(self._held)
