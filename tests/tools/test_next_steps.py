"""Offers beside an answer: a slow or broken recommender costs the offer and nothing else."""

import asyncio
from typing import Any, cast

import pytest

from tools.next_steps import SECONDS, NextSteps
from tools.recommender.service import Recommender
from tools.turn import TurnContext


class Offering:
    """A recommender that waits until it may go on, and then fails if it was told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go_on = asyncio.Event()
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.noted_lists: list[object] = []
        self._error = error

    async def offers(self, user_id: str, *_: Any, **__: Any) -> object:
        self.asked.append(user_id)
        await self.go_on.wait()
        self.ended.append(user_id)
        if self._error:
            raise self._error
        return object()

    def noted(self, listed: object) -> None:
        self.noted_lists.append(listed)


def turn() -> TurnContext:
    return TurnContext(user_id="ada", conversation_id="c1", channel="api", question="How does escrow work?")


async def test_a_late_offer_is_left_out_of_the_answer_and_waited_for_at_the_end():
    recommender = Offering()
    next_steps = NextSteps(cast(Recommender, recommender))
    async with asyncio.timeout(SECONDS + 5):
        assert await next_steps.after(turn(), leave_out=set()) == []
    assert (recommender.asked, recommender.ended) == (["ada"], [])
    recommender.go_on.set()
    await next_steps.aclose()
    assert recommender.ended == ["ada"]
    assert recommender.noted_lists == []


async def test_turns_without_an_offer_share_one_line_of_the_log(caplog: pytest.LogCaptureFixture):
    recommender = Offering(OSError("the disk is full"))
    next_steps = NextSteps(cast(Recommender, recommender))
    await asyncio.gather(*(next_steps.after(turn(), leave_out=set()) for _ in range(3)))
    recommender.go_on.set()
    await next_steps.aclose()
    assert len(recommender.ended) == 3
    assert caplog.messages == ["no next step for a turn: it took longer than 100 ms"]


async def test_a_fault_costs_the_offer_and_is_told_with_its_trace(caplog: pytest.LogCaptureFixture):
    recommender = Offering(OSError("the disk is full"))
    recommender.go_on.set()
    assert await NextSteps(cast(Recommender, recommender)).after(turn(), leave_out=set()) == []
    assert caplog.messages == ["no next step for a turn (OSError)"]
    assert "the disk is full" in caplog.text
