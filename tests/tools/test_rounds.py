import asyncio
import logging

import pytest

from tools import rounds
from tools.rounds import Rounds


async def _until(done: asyncio.Event) -> None:
    async with asyncio.timeout(5):
        await done.wait()


async def test_the_work_is_done_again_and_again_until_closed():
    done, counted = asyncio.Event(), 0

    async def work() -> None:
        nonlocal counted
        counted += 1
        if counted == 3:
            done.set()

    working = Rounds(work, every=0, name="counting")
    working.start()
    await _until(done)
    await working.aclose()
    seen = counted
    await asyncio.sleep(0.02)
    assert counted == seen >= 3


async def test_closing_lets_the_round_under_way_finish():
    begun, finished = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await asyncio.sleep(0.05)
        finished.set()

    working = Rounds(work, every=60, name="writing")
    working.start()
    await _until(begun)
    await working.aclose()
    assert finished.is_set()


async def test_a_round_that_takes_too_long_is_cancelled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rounds, "PATIENCE", 0.01)
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    working = Rounds(work, every=60, name="hanging")
    working.start()
    await _until(begun)
    await working.aclose()
    assert cancelled.is_set()


async def test_a_round_that_fails_is_logged_and_the_next_one_tried(caplog: pytest.LogCaptureFixture):
    again, rounds_done = asyncio.Event(), 0

    async def work() -> None:
        nonlocal rounds_done
        rounds_done += 1
        if rounds_done == 1:
            raise OSError("the disk is full")
        again.set()

    working = Rounds(work, every=0, name="the model is learned")
    with caplog.at_level(logging.ERROR):
        working.start()
        await _until(again)
        await working.aclose()
    assert "the model is learned: this round failed" in caplog.text
    assert "the disk is full" in caplog.text


async def test_the_first_round_can_wait_and_closing_before_it_is_quick():
    async def work() -> None:
        raise AssertionError("not yet")

    working = Rounds(work, every=60, name="later", first=60)
    working.start()
    async with asyncio.timeout(1):
        await working.aclose()


async def test_closing_what_was_never_started_is_nothing():
    async def work() -> None:
        raise AssertionError("never")

    await Rounds(work, every=1, name="idle").aclose()
