"""GET /api/starters: questions to begin with."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from ui.api.deps import RateLimited, TheAssistant
from ui.api.problems import may_answer

router = APIRouter(prefix="/api", tags=["query"], dependencies=[Depends(RateLimited())])


class Starters(BaseModel):
    """Good first questions for an empty page."""

    starters: list[str]


@router.get("/starters", operation_id="list_starters", responses=may_answer(401, 429, 503))
async def starters(assistant: TheAssistant) -> Starters:
    """Good first questions about what the documents cover."""
    return Starters(starters=await assistant.starters())
