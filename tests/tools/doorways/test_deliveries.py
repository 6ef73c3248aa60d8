"""Each event is served once, by whichever process is first, and again when that one failed."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now
from tools.doorways.deliveries import DeliveryStore
from tools.doorways.tables import delivered_events


async def served() -> bool:
    return True


async def test_an_event_is_served_once_however_often_it_comes(engine: AsyncEngine) -> None:
    stores = [DeliveryStore(engine) for _ in range(4)]
    calls = 0

    async def serve() -> bool:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        return True

    ran = await asyncio.gather(*(store.serve_once("e1", serve) for store in stores for _ in range(3)))
    assert (sum(ran), calls) == (1, 1)
    assert not await stores[0].serve_once("e1", serve)
    assert await stores[0].serve_once("e2", serve)


async def test_an_event_that_was_not_served_is_served_when_it_comes_again(engine: AsyncEngine) -> None:
    store = DeliveryStore(engine)

    async def refused() -> bool:
        return False

    async def broken() -> bool:
        raise RuntimeError("broken")

    assert await store.serve_once("e", refused)
    with pytest.raises(RuntimeError, match="broken"):
        await store.serve_once("e", broken)
    assert await store.serve_once("e", served)
    assert not await store.serve_once("e", served)


async def test_a_cancelled_event_is_let_go(engine: AsyncEngine) -> None:
    store = DeliveryStore(engine)
    task = asyncio.create_task(store.serve_once("e", asyncio.Event().wait))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await store.serve_once("e", served)


async def test_a_long_answer_keeps_its_claim(engine: AsyncEngine) -> None:
    first, second = DeliveryStore(engine, lease=1), DeliveryStore(engine, lease=1)
    tried = []

    async def slowly() -> bool:
        for _ in range(3):
            await asyncio.sleep(0.5)
            tried.append(await second.serve_once("e", served))
        return True

    assert await first.serve_once("e", slowly)
    assert tried == [False, False, False]


async def test_the_claim_of_a_process_that_died_runs_out(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        values = {"key": "e", "claim": "dead", "claimed_at": now() - timedelta(seconds=31), "served": False}
        await connection.execute(delivered_events.insert().values(values))
    assert await DeliveryStore(engine, lease=30).serve_once("e", served)


async def test_old_events_are_forgotten(engine: AsyncEngine) -> None:
    early = DeliveryStore(engine, clock=lambda: now() - timedelta(days=3))
    assert await early.serve_once("old", served)
    assert await DeliveryStore(engine).serve_once("new", served)
    async with engine.connect() as connection:
        count = (await connection.execute(select(func.count()).select_from(delivered_events))).scalar()
    assert count == 1
