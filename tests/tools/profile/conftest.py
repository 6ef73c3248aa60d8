"""Profile stores whose clock the test sets."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.profile.model import FactTold, Interaction, Learned, Lessons, Signal, TagSeen
from tools.profile.store import ProfileStore


@dataclass
class Clock:
    """The time, which goes on only when a test says so."""

    time: datetime = datetime(2026, 11, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def sleep(self, days: float) -> None:
        self.time += timedelta(days=days)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(engine: AsyncEngine, clock: Clock) -> ProfileStore:
    return ProfileStore(engine, clock=clock)


Teach = Callable[..., Awaitable[Learned]]


@pytest.fixture
def teach(engine: AsyncEngine, store: ProfileStore) -> Teach:
    """One message of a user with what it teaches, in a transaction of its own."""

    async def said(
        message_id: str,
        *signals: Signal,
        user: str = "ada",
        tags: Sequence[TagSeen] = (),
        facts: Sequence[FactTold] = (),
        text: str = "a question",
    ) -> Learned:
        asked = Interaction("question", metadata={"text": text})
        async with engine.begin() as connection:
            return await store.learn(connection, user, asked, Lessons(signals, tags, facts), message_id=message_id)

    return said
