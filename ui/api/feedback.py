"""POST /api/feedback: what a reader thought of an answer."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from agent.errors import ConversationNotFound
from ui.api.deps import Name, Text, TheAssistant
from ui.api.problems import FieldError, ProblemError, may_answer

router = APIRouter(prefix="/api", tags=["feedback"])


class Feedback(BaseModel):
    """A rating of one answer; a later one replaces it."""

    user_id: Name
    message_id: Name
    rating: Literal[-1, 0, 1] = Field(description="1 helpful, -1 not helpful, 0 withdraws an earlier rating")
    comment: Text = Field(default="", max_length=2_000)


@router.post("/feedback", status_code=204, responses=may_answer(400, 404, 413, 415, 422))
async def rate(feedback: Feedback, assistant: TheAssistant) -> None:
    """Keep a rating with the message."""
    try:
        await assistant.rate(feedback.user_id, feedback.message_id, feedback.rating, feedback.comment)
    except ConversationNotFound as error:
        wrong = FieldError(field="message_id", message=str(error), pointer="#/message_id")
        raise ProblemError(404, str(error), [wrong]) from error
