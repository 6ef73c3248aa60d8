"""A turn in the background: batches by the clock, stopped, left alone, or broken."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from agent.events import Event, Token
from ui.gradio_app.running import RunningTurn


class Talk:
    """Says words, and notes how it ended."""

    def __init__(self, words: int, pause: float = 0, breaks: bool = False) -> None:
        self._words, self._pause, self._breaks = words, pause, breaks
        self.said = 0
        self.closed = False

    async def events(self) -> AsyncGenerator[Event]:
        try:
            for number in range(self._words):
                await asyncio.sleep(self._pause)
                self.said += 1
                yield Token(text=f"{number} ")
            if self._breaks:
                raise LookupError("broken")
        finally:
            self.closed = True


async def gathered(running: RunningTurn, pause: float = 0.0) -> list[list[Event]]:
    return [batch async for batch in running.batches(pause)]


def words(batches: list[list[Event]]) -> str:
    return "".join(event.text for batch in batches for event in batch if isinstance(event, Token))


async def test_all_events_come_in_order() -> None:
    assert words(await gathered(RunningTurn(Talk(50).events()))) == "".join(f"{number} " for number in range(50))


async def test_a_fast_turn_changes_the_page_seldom() -> None:
    batches = await gathered(RunningTurn(Talk(200, pause=0.001).events()), pause=0.1)
    assert len(batches[0]) == 1
    assert len(batches) < 20
    assert words(batches).count(" ") == 200


async def test_an_empty_turn_ends() -> None:
    assert await gathered(RunningTurn(Talk(0).events())) == []


async def test_what_the_turn_raises_comes_after_what_it_said() -> None:
    batches = RunningTurn(Talk(1, breaks=True).events()).batches(0)
    assert words([await anext(batches)]) == "0 "
    with pytest.raises(LookupError):
        await anext(batches)


async def test_stopping_closes_the_turn_before_it_returns() -> None:
    talk = Talk(1_000, pause=0.002)
    running = RunningTurn(talk.events())
    batches = running.batches(0)
    await anext(batches)
    await running.stop()
    assert talk.closed
    assert running.stopped
    rest = [batch async for batch in batches]
    assert words(rest).count(" ") < 999


async def test_stopping_twice_or_after_the_end_does_nothing() -> None:
    running = RunningTurn(Talk(1).events())
    await gathered(running)
    await running.stop()
    await running.stop()
    assert not running.stopped


async def test_a_turn_that_is_left_goes_on_to_its_end() -> None:
    talk = Talk(20, pause=0.002)
    running = RunningTurn(talk.events())
    batches = running.batches(0)
    await anext(batches)
    running.leave()
    assert [batch async for batch in batches] == []
    assert not talk.closed
    while not talk.closed:  # noqa: ASYNC110 - the turn has no event for it
        await asyncio.sleep(0.005)
    assert talk.said == 20


async def test_a_turn_that_breaks_after_it_was_left_disturbs_nobody() -> None:
    talk = Talk(3, pause=0.002, breaks=True)
    running = RunningTurn(talk.events())
    running.leave()
    assert await gathered(running) == []
    await asyncio.sleep(0.05)
    assert talk.closed


async def test_the_room_is_given_back_when_the_turn_has_ended_even_if_nobody_watches() -> None:
    given_back = asyncio.Event()
    room = AsyncExitStack()
    room.callback(given_back.set)
    running = RunningTurn(Talk(3, pause=0.01).events(), room)
    watching = running.batches(0)
    await anext(watching)
    running.leave()
    assert [batch async for batch in watching] == []
    assert not given_back.is_set()
    async with asyncio.timeout(1):
        await given_back.wait()
