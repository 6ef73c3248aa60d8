"""Whatever a rung does, the turn gets the next one's prediction in time, and the log says why."""

import asyncio
import logging
import time
from collections.abc import Sequence

import pytest

from tools.predictor.errors import NotReady
from tools.predictor.history import History
from tools.predictor.ladder import Ladder
from tools.predictor.model import ENGAGEMENT, Asked, Foreseen, Head, Source, wilson
from tools.predictor.prior import PriorRung

ASKED = [Asked(History("ann"), {"channel": "api"}, 0.0)]


class Faulty:
    """A rung that does as it is told: a probability, an exception, or seconds to wait."""

    source: Source = "local"

    def __init__(self, does: object) -> None:
        self.does, self.calls = does, 0

    async def predict(self, asked: Sequence[Asked]) -> list[Foreseen]:
        self.calls += 1
        if isinstance(self.does, BaseException):
            raise self.does
        if self.does == "hang":
            while True:
                try:
                    await asyncio.sleep(10)
                except asyncio.CancelledError:
                    await asyncio.sleep(0.3)
                    raise
        if self.does == "none":
            return []
        p = float(str(self.does))
        return [Foreseen("local", "v1", {ENGAGEMENT: Head(p, p, p)}) for _ in asked]


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (RuntimeError("boom"), "RuntimeError: boom"),
        (KeyError("user"), "KeyError"),
        ("nan", "between 0 and 1, got nan"),
        ("1.7", "between 0 and 1, got 1.7"),
        ("-0.1", "got -0.1"),
        ("none", "expected 1 predictions, got 0"),
    ],
)
async def test_a_rung_at_fault_is_passed_over_in_time(does: object, says: str, caplog: pytest.LogCaptureFixture):
    ladder = Ladder([Faulty(does), PriorRung()], deadline=0.15)
    began = time.perf_counter()
    found = await ladder.predict(ASKED)
    assert time.perf_counter() - began < 1
    assert found is not None
    assert found[0].source == "prior"
    assert says in caplog.text
    assert says in found[0].notes[0]


async def test_rungs_that_come_too_late_share_one_line_of_the_log(caplog: pytest.LogCaptureFixture):
    ladder = Ladder([Faulty("hang"), PriorRung()], deadline=0.1)
    for _ in range(2):
        began = time.perf_counter()
        found = await ladder.predict(ASKED)
        assert time.perf_counter() - began < 1
        assert found is not None
        assert found[0].source == "prior"
        assert "local: no answer within" in found[0].notes[0]
    assert caplog.messages == ["the local predictor was passed over: no answer in time"]


async def test_a_good_rung_is_used(caplog: pytest.LogCaptureFixture):
    found = await Ladder([Faulty("0.6"), PriorRung()]).predict(ASKED)
    assert found is not None
    assert (found[0].source, found[0].heads[ENGAGEMENT].probability, found[0].notes) == ("local", 0.6, ())
    assert caplog.text == ""


async def test_a_rung_that_keeps_failing_is_left_alone():
    rung = Faulty(RuntimeError("down"))
    ladder = Ladder([rung, PriorRung()], failures=3, cooldown=60)
    for _ in range(10):
        assert await ladder.predict(ASKED)
    assert rung.calls == 3


async def test_a_rung_that_is_not_ready_is_no_failure(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    rung = Faulty(NotReady("nothing yet"))
    ladder = Ladder([rung, PriorRung()], failures=2)
    for _ in range(5):
        await ladder.predict(ASKED)
    assert (rung.calls, caplog.text) == (5, "")


async def test_without_any_answer_there_is_none():
    assert await Ladder([Faulty("nan")]).predict(ASKED) is None


def test_a_rate_of_few_cases_is_uncertain():
    narrow, wide = wilson(0.3, 1000), wilson(0.3, 10)
    assert narrow[1] - narrow[0] < 0.06 < 0.4 < wide[1] - wide[0]
    assert wilson(0.0, 50)[0] == 0
    assert wilson(1.0, 50)[1] == 1
    assert wilson(0.5, 0) == (0, 1)
