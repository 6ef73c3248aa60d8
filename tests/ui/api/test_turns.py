"""Turns of the chat page and of the API come out of the same purse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from agent.errors import TurnRejected
from agent.settings import Settings
from ui.api.access import Access
from ui.api.problems import ProblemError
from ui.api.turns import turn_on_page


@pytest.fixture
async def access(settings: Settings) -> AsyncIterator[Access]:
    access = Access(settings.model_copy(update={"max_streams": 2, "turn_rate_limit": "4/minute"}))
    yield access
    await access.aclose()


async def test_the_page_writes_as_many_answers_at_once_as_the_api(access: Access):
    async with AsyncExitStack() as running:
        await running.enter_async_context(turn_on_page(access, "ada"))
        await running.enter_async_context(access.streams.slot("ada"))
        with pytest.raises(TurnRejected, match="2 answers are being written"):
            await running.enter_async_context(turn_on_page(access, "ada"))
        await running.enter_async_context(turn_on_page(access, "bob"))
    async with AsyncExitStack() as running:
        for _ in range(2):
            await running.enter_async_context(access.streams.slot("ada"))
        with pytest.raises(ProblemError, match="2 answers"):
            await running.enter_async_context(access.streams.slot("ada"))


async def test_the_page_takes_so_many_questions_a_minute(access: Access):
    for _ in range(4):
        async with turn_on_page(access, "ada"):
            pass
    with pytest.raises(TurnRejected, match=r"Ask again in \d+ s"):
        async with turn_on_page(access, "ada"):
            pass
    async with turn_on_page(access, "bob"):
        pass
