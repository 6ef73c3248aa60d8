"""POST /api/query and /api/query/stream: one turn, whole or as it happens."""

import logging
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from agent.assistant import Assistant, Turn
from agent.errors import TurnFailed, TurnRejected
from agent.events import Event, Failed, Reply
from knowledge_base.errors import AttuneError
from knowledge_base.passage import Utterance
from ui.api.deps import Name, Text, TheAssistant
from ui.api.problems import ProblemError, may_answer

log = logging.getLogger(__name__)
router = APIRouter(prefix="/api", tags=["query"])

# Names that other chat interfaces give to the two sides of a conversation.
SIDES = {"agent": "assistant", "bot": "assistant", "human": "user", "customer": "user"}


def _side(role: object) -> object:
    return SIDES.get(role.lower(), role.lower()) if isinstance(role, str) else role


class Said(BaseModel):
    """One earlier message of the conversation."""

    role: Annotated[Literal["user", "assistant"], BeforeValidator(_side)] = Field(
        description="Who said it; agent and bot are read as assistant, human and customer as user"
    )
    content: Text = Field(validation_alias=AliasChoices("content", "text"), description="What was said; or `text`")


def _none_if_blank(text: str | None) -> str | None:
    return text if text and text.strip() else None


class Query(BaseModel):
    """A question of a user."""

    user_id: Name = Field(description="Who asks: conversations belong to this id")
    query: Text = Field(description="The question", examples=["How does escrow work?"])
    chat_history: list[Said] = Field(
        default=[],
        max_length=500,
        description="What was said before, oldest first, for callers that keep the conversation themselves; "
        "not used with a conversation_id",
    )
    conversation_id: Annotated[Text | None, AfterValidator(_none_if_blank)] = Field(
        default=None, max_length=200, description="Continues this conversation; without it a new one starts"
    )

    def turn(self) -> Turn:
        """The same as a turn of the agent."""
        history = tuple(Utterance(said.role, said.content) for said in self.chat_history if said.content.strip())
        return Turn(self.user_id, self.query, self.conversation_id, channel="api", history=history)


Asked = Annotated[
    Query,
    Body(
        openapi_examples={
            "a question": {"value": {"user_id": "ada", "query": "How does escrow work?"}},
            "a follow-up of a caller that keeps the conversation": {
                "value": {
                    "user_id": "ada",
                    "query": "And who pays the fee?",
                    "chat_history": [
                        {"role": "user", "content": "How does escrow work?"},
                        {"role": "assistant", "content": "Money is held until you approve the work."},
                    ],
                }
            },
        }
    ),
]


@router.post("/query", responses=may_answer(400, 404, 413, 415, 422, 500))
async def ask(query: Asked, assistant: TheAssistant) -> Reply:
    """Answer a question from the documents, with citations."""
    try:
        return await assistant.reply(query.turn())
    except TurnFailed as error:
        raise ProblemError(500, str(error)) from error


async def _events(query: Asked, assistant: TheAssistant) -> AsyncIterator[AsyncIterator[Event]]:
    """The turn's events, checked before the response starts, so that a turn that cannot be run gets its status.

    Closed when the response ends, also where the client went away: that stops the turn.
    """
    turn = query.turn()
    await assistant.check(turn)
    async with aclosing(_safely(assistant, turn)) as events:
        yield events


async def _safely(assistant: Assistant, turn: Turn) -> AsyncGenerator[Event, None]:
    """The turn's events; once the response has started an error can only be an event."""
    try:
        async with aclosing(assistant.stream(turn)) as events:
            async for event in events:
                yield event
    except TurnRejected as error:
        yield Failed(code="rejected", message=str(error))
    except AttuneError as error:
        yield Failed(code="unavailable", message=str(error), retryable=True)
    except Exception:  # the boundary: the caller gets an event, the log gets the reason
        log.exception("a streamed turn failed")
        yield Failed(code="internal", message="Something went wrong on our side; please try again.", retryable=True)


class _DescribedAsEvent:
    """Lets the API's description show the union of events in place of their envelope."""

    def __get_pydantic_core_schema__(self, _: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(Event)


EVENTS = (
    "Events whose data is one JSON object, below under Schemas: turn_started, tool_started and tool_finished in pairs, "
    "sources, token for each piece of the answer, notice; then one reply or error."
)


@router.post(
    "/query/stream",
    response_class=EventSourceResponse,
    response_description=EVENTS,
    responses=may_answer(400, 404, 413, 415, 422),
)
async def ask_and_stream(
    events: Annotated[AsyncIterator[Event], Depends(_events)],
) -> AsyncIterable[Annotated[ServerSentEvent, _DescribedAsEvent()]]:
    """The same turn as server-sent events while it happens: one JSON object an event, its `type` also the event's
    name. The last is `reply` or `error`. Closing the connection stops the turn."""
    async for event in events:
        yield ServerSentEvent(event=event.type, data=event)
