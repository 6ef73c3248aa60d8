"""GET /api/starters: questions to begin with."""

from fastapi import APIRouter
from pydantic import BaseModel

from ui.api.deps import TheAssistant

router = APIRouter(prefix="/api", tags=["query"])


class Starters(BaseModel):
    """Good first questions for an empty page."""

    starters: list[str]


@router.get("/starters")
async def starters(assistant: TheAssistant) -> Starters:
    """Good first questions about what the documents cover."""
    return Starters(starters=await assistant.starters())
