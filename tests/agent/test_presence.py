"""Forgetting a user waits for their turns and holds new ones back; nobody else is held up."""

import asyncio

import pytest

from agent.presence import Presence


async def test_turns_of_one_user_run_side_by_side():
    presence = Presence()
    async with presence.turn_of("ada"), asyncio.timeout(1), presence.turn_of("ada"):
        assert len(presence) == 1
    assert len(presence) == 0


async def test_being_alone_waits_for_running_turns_and_holds_new_ones_back():
    presence, seen = Presence(), []
    release = asyncio.Event()

    async def turn(name: str, until: asyncio.Event | None = None) -> None:
        async with presence.turn_of("ada"):
            seen.append(f"{name} begins")
            if until:
                await until.wait()
            seen.append(f"{name} ends")

    async def alone() -> None:
        async with presence.alone_with("ada"):
            seen.append("alone")
            await asyncio.sleep(0)
            seen.append("no longer alone")

    first = asyncio.create_task(turn("first", release))
    await asyncio.sleep(0)
    forgetting = asyncio.create_task(alone())
    await asyncio.sleep(0)
    second = asyncio.create_task(turn("second"))
    await asyncio.sleep(0)
    async with asyncio.timeout(1), presence.turn_of("bob"):
        seen.append("bob is not held up")
    release.set()
    await asyncio.gather(first, forgetting, second)
    assert seen == [
        "first begins",
        "bob is not held up",
        "first ends",
        "alone",
        "no longer alone",
        "second begins",
        "second ends",
    ]
    assert len(presence) == 0


async def test_giving_up_on_being_alone_lets_turns_begin_again():
    presence = Presence()
    async with presence.turn_of("ada"):
        waiting = asyncio.create_task(_alone(presence))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with asyncio.timeout(1), presence.turn_of("ada"):
            pass
    assert len(presence) == 0


async def test_two_who_want_to_be_alone_come_one_after_the_other():
    presence = Presence()
    async with asyncio.timeout(1):
        await asyncio.gather(_alone(presence), _alone(presence))
    assert len(presence) == 0


async def _alone(presence: Presence) -> None:
    async with presence.alone_with("ada"):
        await asyncio.sleep(0)
