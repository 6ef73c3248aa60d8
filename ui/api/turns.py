"""Running a turn for a client on the network: one that goes away stops it, and none lasts for ever."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from fastapi import Request

from agent.assistant import Assistant, Turn
from agent.errors import TurnFailed, TurnRejected
from agent.events import WENT_WRONG, Event, Failed, Reply
from knowledge_base.errors import AttuneError
from ui.api.access import Access
from ui.api.problems import ProblemError

log = logging.getLogger(__name__)


@asynccontextmanager
async def turn_events(access: Access, assistant: Assistant, turn: Turn) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a turn that was checked, so that one that cannot be run gets its status before a response starts.
    Closed when the response ends, also where the client went away: that stops the turn, and keeps what was said.

    Raises:
        TurnRejected: as Assistant.check does.
        ProblemError: 429, too many answers are being written for this user.
    """
    async with access.streams.slot(turn.user_id):
        await assistant.check(turn)
        async with aclosing(_safely(assistant, turn, access.turn_timeout)) as events:
            yield events


async def _safely(assistant: Assistant, turn: Turn, seconds: float) -> AsyncGenerator[Event, None]:
    """The turn's events; once the response has started an error can only be an event."""
    try:
        async with aclosing(assistant.stream(turn)) as events:
            async for event in _until(events, asyncio.get_running_loop().time() + seconds):
                yield event
    except TimeoutError:
        yield Failed(code="timeout", message=f"The answer took longer than {seconds:g} s and was stopped.")
    except TurnRejected as error:
        yield Failed(code="rejected", message=str(error))
    except AttuneError as error:
        yield Failed(code="unavailable", message=str(error), retryable=True)
    except Exception:  # the boundary: the caller gets an event, the log gets the reason
        log.exception("a streamed turn failed")
        yield WENT_WRONG


async def _until(events: AsyncGenerator[Event], deadline: float) -> AsyncIterator[Event]:
    """The events up to a time of the loop's clock. Where it runs out the turn is stopped where it stands, which keeps
    what it had said."""
    while True:
        async with asyncio.timeout_at(deadline):
            try:
                event = await anext(events)
            except StopAsyncIteration:
                return
        yield event


@asynccontextmanager
async def turn_on_page(access: Access, user_id: str) -> AsyncIterator[None]:
    """Room for a turn that is asked on the chat page, whose users have no more than those of the API.

    Raises:
        TurnRejected: too many questions, or answers that are being written; the message says when to ask again.
    """
    left = await access.limits.hit(f"user:{user_id}", "the page", turn=True)
    if left is not None and not left.admitted:
        raise TurnRejected(f"These were many questions in a short time. Ask again in {left.seconds} s.")
    async with AsyncExitStack() as room:
        try:
            await room.enter_async_context(access.streams.slot(user_id))
        except ProblemError as error:
            raise TurnRejected(str(error)) from error
        yield


async def whole_reply(access: Access, assistant: Assistant, turn: Turn, request: Request) -> Reply:
    """The turn's reply. A client that hangs up stops the turn.

    Raises:
        TurnRejected: as Assistant.check does.
        ProblemError: 429 too many at once, 500 the turn broke, 503 a part is unavailable, 504 it took too long.
    """
    running = asyncio.ensure_future(_reply(access, assistant, turn))
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({running, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise ProblemError(499, "The client went away.")
        return await running
    finally:
        for task in (running, leaving):
            task.cancel()
        await asyncio.wait({running, leaving})


async def _reply(access: Access, assistant: Assistant, turn: Turn) -> Reply:
    async with access.streams.slot(turn.user_id):
        try:
            async with asyncio.timeout(access.turn_timeout):
                return await assistant.reply(turn)
        except TimeoutError as error:
            raise ProblemError(504, f"The answer took longer than {access.turn_timeout:g} s.") from error
        except TurnFailed as error:
            raise ProblemError(500, str(error)) from error


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
