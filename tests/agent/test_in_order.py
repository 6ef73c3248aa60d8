"""Turns of one conversation run one after the other; others are not held up."""

import asyncio

from agent.in_order import InOrder


async def test_turns_of_one_conversation_run_in_the_order_they_came():
    queue, seen = InOrder(), []

    async def turn(number: int) -> None:
        async with queue.turn_of("a"):
            seen.append(("start", number))
            await asyncio.sleep(0)
            seen.append(("end", number))

    await asyncio.gather(*(turn(number) for number in range(5)))
    assert seen == [(edge, number) for number in range(5) for edge in ("start", "end")]


async def test_another_conversation_does_not_wait():
    queue = InOrder()
    async with queue.turn_of("a"), asyncio.timeout(1), queue.turn_of("b"):
        assert len(queue) == 2
    assert len(queue) == 0


async def test_a_new_conversation_without_an_id_never_waits():
    queue = InOrder()
    async with queue.turn_of(""), asyncio.timeout(1), queue.turn_of(""):
        assert len(queue) == 0


async def test_a_cancelled_waiter_leaves_nothing_behind():
    queue = InOrder()
    async with queue.turn_of("a"):
        waiter = asyncio.create_task(_enter(queue, "a"))
        await asyncio.sleep(0)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
    assert len(queue) == 0


async def _enter(queue: InOrder, conversation_id: str) -> None:
    async with queue.turn_of(conversation_id):
        pass
