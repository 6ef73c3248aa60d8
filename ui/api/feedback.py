"""POST /api/feedback: what a reader thought of an answer."""

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from agent.errors import ConversationNotFound
from ui.api.deps import Name, RateLimited, Text, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import FieldError, ProblemError, may_answer

router = APIRouter(prefix="/api", tags=["feedback"], dependencies=[Depends(RateLimited())])


class Feedback(BaseModel):
    """A rating of one answer; a later one replaces it."""

    user_id: Name | None = Field(default=None, description="Whose answer; needed in open mode only", examples=["ada"])
    message_id: Name
    rating: Literal[-1, 0, 1] = Field(description="1 helpful, -1 not helpful, 0 withdraws an earlier rating")
    comment: Text = Field(default="", max_length=2_000)


@router.post(
    "/feedback",
    operation_id="rate",
    summary="Rate an answer",
    status_code=204,
    responses=may_answer(400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
)
async def rate(feedback: Feedback, assistant: TheAssistant, identity: TheIdentity, _: IdempotencyKey = None) -> None:
    """Keep a rating with the message."""
    user_id = authorised_user(identity, feedback.user_id)
    try:
        await assistant.rate(user_id, feedback.message_id, feedback.rating, feedback.comment)
    except ConversationNotFound as error:
        wrong = FieldError(field="message_id", message=str(error), pointer="#/message_id")
        raise ProblemError(404, str(error), [wrong]) from error
