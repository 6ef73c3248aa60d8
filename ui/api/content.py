"""GET /content: the catalogue in the order that suits a user, in pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tools.recommender.errors import CursorInvalid
from ui.api.deps import Name, RateLimited, TheAssistant
from ui.api.problems import FieldError, ProblemError
from ui.api.profile import READS
from ui.api.recommendations import MOST, PersonalizationRead, SuggestionRead, UserOrStranger

router = APIRouter(prefix="/content", tags=["recommendations"], dependencies=[Depends(RateLimited())])

STRANGER = ""
"""Nobody's id: the list of somebody of whom nothing is known."""


class ContentPage(BaseModel):
    """A part of the ranked catalogue, best first."""

    content: list[SuggestionRead]
    next_cursor: str | None = Field(description="Send it as `cursor` for what follows; null at the end")
    personalization: PersonalizationRead


@router.get("", operation_id="list_content", summary="Browse the catalogue in the user's order", responses=READS)
async def list_content(
    user_id: UserOrStranger,
    assistant: TheAssistant,
    category: Annotated[Name | None, Query(description="Only items of this category", examples=["article"])] = None,
    cursor: Annotated[Name | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 20,
) -> ContentPage:
    """What may be shown to the user, at most the best 500; without a user, as a stranger sees it."""
    try:
        page = await assistant.recommender.page(user_id or STRANGER, category=category, cursor=cursor, limit=limit)
    except CursorInvalid as error:
        raise ProblemError(422, f"cursor: {error}", [FieldError(field="cursor", message=str(error))]) from error
    return ContentPage(
        content=[SuggestionRead.of(one) for one in page.listed.suggestions],
        next_cursor=page.next_cursor,
        personalization=PersonalizationRead.of(page.listed.personalization),
    )
