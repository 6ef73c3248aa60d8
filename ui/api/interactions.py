"""/interaction: what users do, as applications report it, one by one or in batches; and what it adds up to."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from tools.profile.activity import Activity
from tools.profile.model import Facets, Interaction
from ui.api.actions import Action, act, check_rows, checked, once, require_item
from ui.api.deps import Name, RateLimited, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import FieldError
from ui.api.profile import READS, WRITES, EvidenceRead, PathUser

router = APIRouter(prefix="/interaction", tags=["interactions"], dependencies=[Depends(RateLimited())])

MOST_ROWS = 1000
COUNTED_ITEMS = 200
PER_FACET = 10


class ActionRecorded(BaseModel):
    """What came of it; neither is true where the user switched learning off."""

    recorded: bool
    repeated: bool = Field(description="It was recorded before, and is not counted again")
    learned: list[EvidenceRead]


class ActionBatch(BaseModel):
    """At most 1,000 rows; each is as for POST /interaction. Rows that are wrong are named, and the others are kept."""

    user_id: Name | None = Field(default=None, description="Who did it, where a row does not say", examples=["ada"])
    interactions: list[Any] = Field(
        min_length=1,
        max_length=MOST_ROWS,
        examples=[[{"type": "click", "item_id": "escrow"}, {"type": "rate", "item_id": "escrow", "rating": 9}]],
    )


class RejectedRow(BaseModel):
    """A row that was left out; `index` counts from 0."""

    index: int
    errors: list[FieldError]


class BatchRecorded(BaseModel):
    """What became of the rows: the four add up to all of them."""

    recorded: int
    repeated: int = Field(description="Recorded before, or twice in this batch")
    not_kept: int = Field(description="Of users who switched learning off")
    rejected: list[RejectedRow]


class InteractionRead(BaseModel):
    """An entry of the log."""

    id: int
    type: str
    item_id: str | None
    rating: float | None
    metadata: dict[str, Any]
    keywords: list[str]
    at: datetime | None
    idempotency_key: str | None

    @classmethod
    def of(cls, id: int, done: Interaction) -> "InteractionRead":
        """As it is told."""
        return cls(
            id=id,
            type=done.type,
            item_id=done.item_id,
            rating=done.rating,
            metadata=dict(done.metadata),
            keywords=list(done.keywords),
            at=done.at,
            idempotency_key=done.key,
        )


class Interactions(BaseModel):
    """The newest first."""

    user_id: str
    interactions: list[InteractionRead]


class ItemCount(BaseModel):
    """How often something was done to an item, and when last."""

    item_id: str
    count: int
    last_at: datetime


class Aggregate(BaseModel):
    """What a user's log adds up to."""

    user_id: str
    total: int
    by_type: dict[str, int] = Field(examples=[{"click": 3, "question": 2}])
    average_rating: float | None
    first_at: datetime | None
    last_at: datetime | None
    items: list[ItemCount] = Field(description="Those that most was done to, at most 200")
    by_facet: dict[str, dict[str, int]] = Field(
        description="Facet → value → how often those items were about it, ten values each",
        examples=[{"topic": {"Escrow": 3}}],
    )


@router.post("", operation_id="report_action", summary="Report what a user did", status_code=201, responses=WRITES)
async def report_action(
    action: Action, assistant: TheAssistant, identity: TheIdentity, _: IdempotencyKey = None
) -> ActionRecorded:
    """The profile learns from it, and the user's next list keeps to it."""
    user_id, done = authorised_user(identity, action.user_id), once(checked(action))
    await require_item(assistant, done)
    recorded = await assistant.recommender.act(user_id, [done])
    return ActionRecorded(
        recorded=bool(recorded.recorded),
        repeated=bool(recorded.repeated),
        learned=[EvidenceRead.model_validate(one) for one in recorded.evidence],
    )


@router.post(
    "/batch",
    operation_id="report_actions",
    summary="Report what users did",
    status_code=201,
    responses=WRITES,
)
async def report_actions(
    batch: ActionBatch, assistant: TheAssistant, identity: TheIdentity, _: IdempotencyKey = None
) -> BatchRecorded:
    """Rows that are wrong are reported by their index; the rest is kept, each user's rows in one transaction."""
    if batch.user_id is not None:
        authorised_user(identity, batch.user_id)
    found = await check_rows(assistant, identity, batch.interactions, user_id=batch.user_id)
    recorded, repeated = await act(assistant, found.rows)
    return BatchRecorded(
        recorded=recorded,
        repeated=repeated,
        not_kept=len(found.rows) - recorded - repeated,
        rejected=[RejectedRow(index=index, errors=errors) for index, errors in sorted(found.wrong.items())],
    )


@router.get("/{user_id}", operation_id="list_actions", summary="List what a user did", responses=READS)
async def list_actions(
    user_id: PathUser, assistant: TheAssistant, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Interactions:
    """The log of a user."""
    found = await assistant.profiles.interactions(user_id, limit)
    return Interactions(user_id=user_id, interactions=[InteractionRead.of(id, done) for id, done in found])


@router.get("/aggregate/{user_id}", operation_id="aggregate_actions", summary="Count what a user did", responses=READS)
async def aggregate_actions(user_id: PathUser, assistant: TheAssistant) -> Aggregate:
    """How often a user did what, to which items, and what those are about; of a stranger, zeros."""
    found = await assistant.profiles.activity(user_id, items=COUNTED_ITEMS)
    facets = await assistant.recommender.catalogue.facets_of([one.item_id for one in found.items])
    return Aggregate(
        user_id=user_id,
        total=found.total,
        by_type=dict(found.by_type),
        average_rating=found.average_rating,
        first_at=found.first_at,
        last_at=found.last_at,
        items=[ItemCount(item_id=one.item_id, count=one.count, last_at=one.last_at) for one in found.items],
        by_facet=_by_facet(found, facets),
    )


def _by_facet(found: Activity, facets: Mapping[str, Facets]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found.items:
        for facet, values in facets.get(one.item_id, {}).items():
            counts[facet].update(dict.fromkeys(values, one.count))
    return {facet: dict(of.most_common(PER_FACET)) for facet, of in counts.items()}
