"""/api/v1/taxonomies: the words that users and articles are tagged with."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from tools.profile.model import CATEGORIES
from ui.api.deps import RateLimited, TheAssistant
from ui.api.problems import may_answer

router = APIRouter(prefix="/api/v1/taxonomies", tags=["taxonomies"], dependencies=[Depends(RateLimited())])


class EntryRead(BaseModel):
    """A word that users and articles can be tagged with."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    category: str
    description: str
    examples: list[str]
    is_active: bool
    parents: list[str]
    related: list[str]


class Entries(BaseModel):
    """Every entry in use."""

    entries: list[EntryRead]


class ByCategory(BaseModel):
    """The entries in use, by category."""

    categories: dict[str, list[EntryRead]]


@router.get("/", operation_id="list_taxonomy", responses=may_answer(401, 429, 503))
async def list_taxonomy(assistant: TheAssistant) -> Entries:
    """Every entry in use, by category and name."""
    return Entries(entries=[EntryRead.model_validate(one) for one in await assistant.taxonomy.entries()])


@router.get("/by_category/", operation_id="list_taxonomy_by_category", responses=may_answer(401, 429, 503))
async def list_taxonomy_by_category(assistant: TheAssistant) -> ByCategory:
    """The same, sorted into the five categories."""
    entries = await assistant.taxonomy.entries()
    return ByCategory(
        categories={
            category: [EntryRead.model_validate(one) for one in entries if one.category == category]
            for category in CATEGORIES
        }
    )
