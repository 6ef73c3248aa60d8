"""/api/conversations: a user's conversations, listed, read and deleted."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict

from agent.events import Reply
from ui.api.deps import AuthorisedUser, RateLimited, Text, TheAssistant
from ui.api.problems import may_answer

router = APIRouter(prefix="/api", tags=["conversations"], dependencies=[Depends(RateLimited())])

ConversationId = Annotated[Text, Path(max_length=200)]


class ConversationLine(BaseModel):
    """One conversation in the list."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    exchanges: int


class Conversations(BaseModel):
    """The latest first."""

    conversations: list[ConversationLine]


class ExchangeRead(BaseModel):
    """A question and its reply; `rating` is -1, 1 or null."""

    model_config = ConfigDict(from_attributes=True)

    message_id: str
    question: str
    reply: Reply
    created_at: datetime
    rating: int | None


class Transcript(BaseModel):
    """A conversation from its beginning."""

    conversation_id: str
    exchanges: list[ExchangeRead]


@router.get("/conversations", operation_id="list_conversations", responses=may_answer(401, 403, 422, 429, 503))
async def list_conversations(
    user_id: AuthorisedUser, assistant: TheAssistant, limit: Annotated[int, Query(ge=1, le=200)] = 50
) -> Conversations:
    """This user's conversations, the latest first."""
    found = await assistant.conversations(user_id, limit=limit)
    return Conversations(conversations=[ConversationLine.model_validate(one) for one in found])


@router.get(
    "/conversations/{conversation_id}",
    operation_id="read_conversation",
    responses=may_answer(401, 403, 404, 422, 429, 503),
)
async def read_conversation(
    conversation_id: ConversationId, user_id: AuthorisedUser, assistant: TheAssistant
) -> Transcript:
    """Every exchange of a conversation, in order."""
    exchanges = await assistant.transcript(user_id, conversation_id)
    return Transcript(
        conversation_id=conversation_id, exchanges=[ExchangeRead.model_validate(one) for one in exchanges]
    )


@router.delete(
    "/conversations/{conversation_id}",
    operation_id="delete_conversation",
    status_code=204,
    responses=may_answer(401, 403, 404, 422, 429, 503),
)
async def delete_conversation(
    conversation_id: ConversationId, user_id: AuthorisedUser, assistant: TheAssistant
) -> None:
    """Remove a conversation for good."""
    await assistant.delete_conversation(user_id, conversation_id)
