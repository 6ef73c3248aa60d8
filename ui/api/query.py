"""POST /api/query and /api/query/stream: one turn, whole or as it happens."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import AfterValidator, AliasChoices, BaseModel, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema

from agent.assistant import Turn
from agent.events import Event, Reply
from knowledge_base.passage import Utterance
from ui.api.deps import Name, RateLimited, Text, TheAccess, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import may_answer
from ui.api.turns import turn_events, whole_reply

router = APIRouter(prefix="/api", tags=["query"], dependencies=[Depends(RateLimited(turn=True))])

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

    user_id: Name | None = Field(
        default=None,
        description="Who asks: conversations belong to this id. Needed in open mode; else it is known, and only an "
        "admin may name somebody else",
        examples=["ada"],
    )
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

    def turn(self, user_id: str) -> Turn:
        """The same as a turn of the agent, for this user."""
        history = tuple(Utterance(said.role, said.content) for said in self.chat_history if said.content.strip())
        return Turn(user_id, self.query, self.conversation_id, channel="api", history=history)


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


@router.post(
    "/query",
    operation_id="ask",
    summary="Ask a question",
    responses=may_answer(400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503, 504),
)
async def ask(
    query: Asked,
    assistant: TheAssistant,
    identity: TheIdentity,
    access: TheAccess,
    request: Request,
    _: IdempotencyKey = None,
) -> Reply:
    """Answer a question from the documents, with citations."""
    turn = query.turn(authorised_user(identity, query.user_id))
    return await whole_reply(access, assistant, turn, request)


async def _events(
    query: Asked, assistant: TheAssistant, identity: TheIdentity, access: TheAccess
) -> AsyncIterator[AsyncIterator[Event]]:
    async with turn_events(access, assistant, query.turn(authorised_user(identity, query.user_id))) as events:
        yield events


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
    operation_id="ask_and_stream",
    summary="Ask a question and watch the answer being made",
    response_class=EventSourceResponse,
    response_description=EVENTS,
    responses=may_answer(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
)
async def ask_and_stream(
    events: Annotated[AsyncIterator[Event], Depends(_events)], _: IdempotencyKey = None
) -> AsyncIterable[Annotated[ServerSentEvent, _DescribedAsEvent()]]:
    """The same turn as server-sent events while it happens: one JSON object an event, its `type` also the event's
    name. The last is `reply` or `error`. Closing the connection stops the turn."""
    async for event in events:
        yield ServerSentEvent(event=event.type, data=event)
