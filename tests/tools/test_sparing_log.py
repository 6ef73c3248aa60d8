import asyncio

import pytest

from tools.sparing_log import SparingLog


async def _until_lines(caplog: pytest.LogCaptureFixture, count: int) -> None:
    async with asyncio.timeout(5):
        while len(caplog.records) < count:  # noqa: ASYNC110 - a timer writes the line
            await asyncio.sleep(0.005)


async def test_the_first_is_written_at_once_and_the_rest_are_counted(caplog: pytest.LogCaptureFixture):
    sparing = SparingLog(every=0.05)
    for _ in range(3):
        sparing.warn("no prediction")
        sparing.warn("no next step", TimeoutError())
    assert caplog.messages == ["no prediction"]
    await _until_lines(caplog, 2)
    assert caplog.messages[1] == "in the last 0.05 seconds: 3 times no next step (TimeoutError); 2 times no prediction"


async def test_after_a_quiet_time_the_next_is_written_at_once_again(caplog: pytest.LogCaptureFixture):
    sparing = SparingLog(every=0.02)
    sparing.warn("no prediction")
    await asyncio.sleep(0.1)
    sparing.warn("no next step")
    assert caplog.messages == ["no prediction", "no next step"]


async def test_an_error_is_told_with_its_trace(caplog: pytest.LogCaptureFixture):
    SparingLog().warn("no next step", OSError("the disk is full"))
    assert caplog.messages == ["no next step (OSError)"]
    assert "the disk is full" in caplog.text
