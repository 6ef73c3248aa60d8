"""Puts the turns of one conversation in order; turns of different conversations run side by side."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class InOrder:
    """One lock per busy conversation, dropped when its last turn leaves. First come, first served."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def turn_of(self, conversation_id: str) -> AsyncIterator[None]:
        """Wait until the turns of this conversation that came before are done. An empty id never waits."""
        if not conversation_id:
            yield
            return
        lock, waiting = self._locks.get(conversation_id, (asyncio.Lock(), 0))
        self._locks[conversation_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            self._leave(conversation_id)

    def _leave(self, conversation_id: str) -> None:
        lock, waiting = self._locks.pop(conversation_id)
        if waiting > 1:
            self._locks[conversation_id] = (lock, waiting - 1)

    def __len__(self) -> int:
        return len(self._locks)
