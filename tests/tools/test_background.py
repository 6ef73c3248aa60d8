import asyncio

import pytest

from tools.background import Background


async def test_what_is_kept_is_waited_for_with_what_it_starts():
    background, done = Background(), []

    async def second() -> None:
        await asyncio.sleep(0.01)
        done.append("second")

    async def first() -> None:
        background.keep(second(), "the second")
        done.append("first")

    background.keep(first(), "the first")
    await background.idle()
    assert done == ["first", "second"]


async def test_a_failure_is_logged_with_its_name_and_reaches_who_waits(caplog: pytest.LogCaptureFixture):
    background = Background()

    async def fail() -> None:
        raise OSError("the disk is full")

    task = background.keep(fail(), "noting what was shown")
    with pytest.raises(OSError, match="the disk is full"):
        await task
    await background.idle()
    assert "noting what was shown failed" in caplog.text
    assert "the disk is full" in caplog.text


async def test_a_task_that_was_started_elsewhere_can_be_kept():
    async def seven() -> int:
        return 7

    task = asyncio.ensure_future(seven())
    assert await Background().keep(task, "counting") == 7


async def test_who_stops_waiting_stops_nothing():
    background, go_on, done = Background(), asyncio.Event(), []

    async def work() -> None:
        await go_on.wait()
        done.append("work")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.wait({background.keep(work(), "the work")})
    go_on.set()
    await background.idle()
    assert done == ["work"]


async def test_closing_stops_what_takes_too_long_and_logs_no_failure(caplog: pytest.LogCaptureFixture):
    background, ended = Background(), []

    async def work(seconds: float) -> None:
        try:
            await asyncio.sleep(seconds)
        finally:
            ended.append(seconds)

    background.keep(work(0.01), "short")
    long = background.keep(work(60), "long")
    await background.aclose(patience=0.5)
    assert ended == [0.01, 60]
    assert long.cancelled()
    assert caplog.text == ""


async def test_closing_where_nothing_runs_is_nothing():
    await Background().aclose(patience=60)
