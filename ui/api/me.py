"""/api/v1/me: the caller's own tags, what personalises their answers, and what they do."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from tools.profile.model import Interaction, InteractionType
from ui.api.deps import AuthorisedUser, Name, RateLimited, TheAssistant
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import FieldError, ProblemError, may_answer
from ui.api.profile import READS, WRITES, FactRead, PersonaRead, PreferenceRead, TagRead
from ui.api.reported import Metadata, Past

router = APIRouter(prefix="/api/v1/me", tags=["me"], dependencies=[Depends(RateLimited())])

TOP = 5
MOST_TAGS = 100


class Personalization(BaseModel):
    """What changes the caller's replies."""

    user_id: str
    learning: bool
    personas: list[PersonaRead]
    facts: list[FactRead]
    top: dict[str, list[PreferenceRead]] = Field(description="The strongest preferences by facet")
    tags: list[str]


class Tags(BaseModel):
    """The caller's tags."""

    tags: list[TagRead]


class NewTag(BaseModel):
    """A tag that the caller adds."""

    name: Name = Field(examples=["payments"])


class NewTags(BaseModel):
    """Tags that the caller adds together."""

    names: list[Name] = Field(min_length=1, max_length=MOST_TAGS)


class TagIds(BaseModel):
    """Tags that the caller removes together."""

    ids: list[Annotated[int, Field(ge=1, le=2**53)]] = Field(min_length=1, max_length=MOST_TAGS)


class Deleted(BaseModel):
    """How many were removed."""

    deleted: int


class NewInteraction(BaseModel):
    """Something the caller did, as an application reports it."""

    type: InteractionType
    item_id: Name | None = None
    rating: float | None = Field(default=None, ge=0, le=10, description="Needed with type 'rate'")
    metadata: Metadata = Field(default={}, description="JSON values, at most 10,000 characters")
    keywords: list[Name] = Field(default=[], max_length=50)
    at: Past | None = Field(default=None, description="When; now unless given")
    idempotency_key: Name | None = Field(default=None, description="The same key is counted once")


class InteractionRecorded(BaseModel):
    """Whether the interaction counts."""

    recorded: bool = Field(description="False where learning is off, or the key was seen before")


@router.get("/personalization/", operation_id="my_personalization", responses=READS)
async def my_personalization(user_id: AuthorisedUser, assistant: TheAssistant) -> Personalization:
    """What is known of the caller that changes a reply."""
    profile = await assistant.profiles.read(user_id)
    facets = dict.fromkeys(one.facet for one in profile.preferences)
    return Personalization(
        user_id=user_id,
        learning=profile.learning,
        personas=[PersonaRead.model_validate(one) for one in profile.personas],
        facts=[FactRead.model_validate(one) for one in profile.facts],
        top={facet: [PreferenceRead.model_validate(one) for one in profile.top(facet, TOP)] for facet in facets},
        tags=[tag.name for tag in profile.tags],
    )


@router.get("/tags/", operation_id="my_tags", responses=READS)
async def my_tags(user_id: AuthorisedUser, assistant: TheAssistant) -> Tags:
    """The caller's tags."""
    return await _tags(assistant, user_id)


@router.get("/tags/manual/", operation_id="my_manual_tags", responses=READS)
async def my_manual_tags(user_id: AuthorisedUser, assistant: TheAssistant) -> Tags:
    """The tags that the caller made."""
    return await _tags(assistant, user_id, manual=True)


@router.get("/tags/auto_generated/", operation_id="my_inferred_tags", responses=READS)
async def my_inferred_tags(user_id: AuthorisedUser, assistant: TheAssistant) -> Tags:
    """The tags that were inferred."""
    return await _tags(assistant, user_id, manual=False)


async def _tags(assistant: TheAssistant, user_id: str, *, manual: bool | None = None) -> Tags:
    profile = await assistant.profiles.read(user_id)
    return Tags(tags=[TagRead.model_validate(tag) for tag in profile.tags if manual in (None, tag.manual)])


@router.post("/tags/", operation_id="add_tag", status_code=201, responses=WRITES)
async def add_tag(tag: NewTag, user_id: AuthorisedUser, assistant: TheAssistant, _: IdempotencyKey = None) -> TagRead:
    """Add a tag; one that is there already stays as it is."""
    (added,) = await assistant.profiles.add_tags(user_id, [tag.name])
    return TagRead.model_validate(added)


@router.post("/tags/bulk_create/", operation_id="add_tags", status_code=201, responses=WRITES)
async def add_tags(tags: NewTags, user_id: AuthorisedUser, assistant: TheAssistant, _: IdempotencyKey = None) -> Tags:
    """Add several tags, all or none."""
    added = await assistant.profiles.add_tags(user_id, tags.names)
    return Tags(tags=[TagRead.model_validate(tag) for tag in added])


@router.delete("/tags/bulk_delete/", operation_id="remove_tags", responses=WRITES)
async def remove_tags(tags: TagIds, user_id: AuthorisedUser, assistant: TheAssistant) -> Deleted:
    """Take tags away; ids of no tag of the caller's are passed over."""
    return Deleted(deleted=await assistant.profiles.remove_tags(user_id, tags.ids))


@router.delete(
    "/tags/{tag_id:int}/",
    operation_id="remove_tag",
    status_code=204,
    responses=may_answer(401, 403, 404, 422, 429, 503),
)
async def remove_tag(
    tag_id: Annotated[int, Path(ge=1, le=2**53)], user_id: AuthorisedUser, assistant: TheAssistant
) -> None:
    """Take a tag away, and undo what speaks for it."""
    if not await assistant.profiles.remove_tags(user_id, [tag_id]):
        raise ProblemError(404, f"There is no tag {tag_id} of this user.")


@router.post("/interactions/", operation_id="record_interaction", status_code=201, responses=WRITES)
async def record_interaction(
    done: NewInteraction, user_id: AuthorisedUser, assistant: TheAssistant, _: IdempotencyKey = None
) -> InteractionRecorded:
    """Report something that the caller did; what its item is about gains or loses by it."""
    recorded = await assistant.recommender.act(user_id, [interaction_of(done)])
    return InteractionRecorded(recorded=bool(recorded.recorded))


def interaction_of(done: NewInteraction) -> Interaction:
    """The report as the log keeps it. Raises ProblemError 422 with the field that is wrong."""
    if done.type == "rate" and done.rating is None:
        raise _wrong("rating", "Expected a rating from 0 to 10 with type 'rate'")
    return Interaction(
        done.type, done.item_id, done.rating, done.metadata, done.keywords, done.at, done.idempotency_key
    )


def _wrong(field: str, message: str) -> ProblemError:
    return ProblemError(422, f"{field}: {message}", [FieldError(field=field, message=message, pointer=f"#/{field}")])
