"""Writers of one database do not fail each other, and none is forgotten in the queue."""

import asyncio
from contextlib import suppress

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.conversations import ConversationStore
from tools.database import conversations


async def count(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(select(func.count()).select_from(conversations))).scalar() or 0)


async def write(engine: AsyncEngine, name: str, *, pause: float = 0.0) -> None:
    store = ConversationStore(engine)
    async with engine.begin() as connection:
        await store.append(connection, "ada", name, f"m-{name}", question="How?", reply="{}", channel="api")
        await asyncio.sleep(pause)


async def test_many_writers_all_come_through(engine: AsyncEngine):
    await asyncio.gather(*(write(engine, str(number), pause=0.002) for number in range(100)))
    assert await count(engine) == 100


async def test_writers_that_are_cancelled_in_the_queue_let_the_others_go_on(engine: AsyncEngine):
    first = asyncio.create_task(write(engine, "first", pause=0.3))
    await asyncio.sleep(0.1)
    tasks = [asyncio.create_task(write(engine, str(number))) for number in range(10)]
    await asyncio.sleep(0.1)
    for task in tasks[::2]:
        task.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    assert await count(engine) >= 1 + sum(one is None for one in done) >= 6


async def test_a_writer_that_fails_lets_the_others_go_on(engine: AsyncEngine):
    for _ in range(3):
        with suppress(ZeroDivisionError):
            async with engine.begin() as connection:
                await ConversationStore(engine).append(
                    connection, "ada", "lost", "m", question="How?", reply="{}", channel="api"
                )
                raise ZeroDivisionError
    await asyncio.wait_for(write(engine, "last"), 5)
    assert await count(engine) == 1
