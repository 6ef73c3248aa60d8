"""What is worth a user's time: /api/recommendations, /recommend for a title, /results for what was shown."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from tools.recommender.model import TITLE_CHARS
from tools.recommender.service import LikeThis
from tools.recommender.suggestion import Personalization, Suggestion, SuggestionList
from ui.api.deps import Name, RateLimited, Text, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.identity import Identity
from ui.api.problems import FieldError, ProblemError
from ui.api.profile import READS, WRITES, PathUser

router = APIRouter(tags=["recommendations"], dependencies=[Depends(RateLimited())])

FIRST = 3
MOST = 100
MOST_RANKED = 500


class BoostRead(BaseModel):
    """A value of the item that the user cares for: how much, and what that adds to the multiplier."""

    facet: str
    value: str
    preference: float = Field(ge=-1, le=1)
    boost: float


class ReasonRead(BaseModel):
    """`share` is the part of the score's positive terms that the reason stands for."""

    kind: str
    text: str
    share: float


class SuggestionRead(BaseModel):
    """An item, why it is here, and how its score came about: base_score × boost_multiplier."""

    id: str
    title: str
    url: str | None
    category: str
    explanation: str = Field(examples=["Because of your interest in Escrow."])
    score: float = Field(description="The personalised score")
    base_score: float
    personalized_score: float
    boost_multiplier: float
    boost_details: list[BoostRead]
    match: str = Field(description="The boost in words; empty where there is none", examples=["+34 % match"])
    reasons: list[ReasonRead]

    @classmethod
    def of(cls, one: Suggestion) -> "SuggestionRead":
        """The suggestion as it is told."""
        return cls.model_validate(one.as_json())


class PersonalizationRead(BaseModel):
    """What the profile did to a list; besides, `top_<facet>` names the value that the user cares for most."""

    model_config = ConfigDict(extra="allow", json_schema_extra={"additionalProperties": {"type": "string"}})

    applied: bool
    alpha_adjusted: bool
    original_alpha: float
    personalized_alpha: float
    persona: str | None

    @classmethod
    def of(cls, personalization: Personalization) -> "PersonalizationRead":
        """As it is told."""
        return cls.model_validate(personalization.as_json())


class RecommendationsAsked(BaseModel):
    """For whom, how many, and of which category."""

    user_id: Name | None = Field(default=None, description="For whom; needed in open mode only", examples=["ada"])
    count: int = Field(default=FIRST, ge=1, le=MOST)
    category: Name | None = Field(default=None, description="Only items of this category", examples=["article"])


class Recommendations(BaseModel):
    """Best first. A user who was never seen gets good first reads."""

    user_id: str
    recommendations: list[SuggestionRead]
    personalization: PersonalizationRead


class Analysis(BaseModel):
    """What a title was taken for: the item of that very title, of one that holds it, or of one that is written nearly
    so; `match` "none" ranks by what the words mean."""

    match: Literal["exact", "part", "close", "none"]
    item_id: str | None
    title: str | None
    category: str | None
    facets: dict[str, list[str]]

    @classmethod
    def of(cls, found: LikeThis) -> "Analysis":
        """As it is told."""
        item = found.match.item
        return cls(
            match=found.match.how,
            item_id=item.id if item else None,
            title=item.title if item else None,
            category=item.category if item else None,
            facets={name: list(values) for name, values in item.facets.items()} if item else {},
        )


class LikeRead(BaseModel):
    """An item like the one that was named."""

    id: str
    title: str = Field(serialization_alias="Title")
    url: str | None
    category: str
    base_score: float
    personalized_score: float
    boost_multiplier: float
    boost_details: list[BoostRead]
    match: str
    explanation: str


class LikeThisRead(BaseModel):
    """Items like one that was named, ranked for the user."""

    query: str
    analysis: Analysis
    personalization: PersonalizationRead
    recommendations: list[LikeRead]


class ShownRead(BaseModel):
    """A place in a list that the user was shown; `probability` is how likely the item was to be in it."""

    model_config = ConfigDict(from_attributes=True)

    list_id: str
    item_id: str
    position: int
    score: float
    probability: float
    place: str = Field(description="Where the list was shown")
    outcome: str | None = Field(description="opened, saved, rated, finished, dismissed or ignored; null until then")
    shown_at: datetime


class Results(BaseModel):
    """The newest first."""

    user_id: str
    results: list[ShownRead]


class ToRank(BaseModel):
    """Items to be put in the order that suits the user."""

    user_id: Name | None = Field(default=None, description="For whom; needed in open mode only", examples=["ada"])
    item_ids: list[Name] = Field(min_length=1, max_length=MOST_RANKED, examples=[["escrow", "milestones"]])


class Ranked(BaseModel):
    """Best first. `left_out` may not be shown: finished, dismissed, rated low, muted, expired, or a twin of another."""

    user_id: str
    results: list[SuggestionRead]
    unknown: list[str] = Field(description="Items that the catalogue does not have")
    left_out: list[str]
    personalization: PersonalizationRead


@router.post(
    "/api/recommendations",
    operation_id="recommend_content",
    summary="Suggest what to read next",
    responses=WRITES,
)
async def recommend(
    assistant: TheAssistant, identity: TheIdentity, asked: RecommendationsAsked | None = None, _: IdempotencyKey = None
) -> Recommendations:
    """The best for a user, with the reasons."""
    asked = asked or RecommendationsAsked()
    user_id = _named_user(identity, asked.user_id)
    listed = await assistant.recommender.recommend(user_id, count=asked.count, category=asked.category, place="api")
    return Recommendations(
        user_id=user_id,
        recommendations=[SuggestionRead.of(one) for one in listed.suggestions],
        personalization=PersonalizationRead.of(listed.personalization),
    )


def _named_user(identity: Identity, named: str | None) -> str:
    """As `authorised_user`, but whoever names nobody is answered 400 here."""
    if named is None and identity.is_open:
        wrong = FieldError(field="user_id", message="Field required", pointer="#/user_id")
        raise ProblemError(400, "user_id: Field required", [wrong])
    return authorised_user(identity, named)


def _user_or_stranger(
    identity: TheIdentity,
    user_id: Annotated[
        Name | None, Query(description="For whom; the caller where they sign in, else a stranger")
    ] = None,
) -> str | None:
    return None if user_id is None and identity.is_open else authorised_user(identity, user_id, pointer=None)


UserOrStranger = Annotated[str | None, Depends(_user_or_stranger)]


@router.get(
    "/recommend", operation_id="recommend_like", summary="Suggest items like one that is named", responses=READS
)
async def recommend_like(
    title: Annotated[Text, Query(min_length=1, max_length=TITLE_CHARS, examples=["How escrow works"])],
    user_id: UserOrStranger,
    assistant: TheAssistant,
    top_n: Annotated[int, Query(ge=1, le=MOST)] = 10,
) -> LikeThisRead:
    """Titles may be written from memory: a part of one, or nearly so."""
    found = await assistant.recommender.like(title, user_id=user_id, count=top_n)
    return LikeThisRead(
        query=found.query,
        analysis=Analysis.of(found),
        personalization=PersonalizationRead.of(found.listed.personalization),
        recommendations=[LikeRead.model_validate(one.as_json()) for one in found.listed.suggestions],
    )


@router.get("/results/{user_id}", operation_id="list_results", summary="List what was shown", responses=READS)
async def list_results(
    user_id: PathUser, assistant: TheAssistant, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Results:
    """What was suggested to a user, and what became of it."""
    shown = await assistant.recommender.results(user_id, limit=limit)
    return Results(user_id=user_id, results=[ShownRead.model_validate(one) for one in shown])


@router.post(
    "/results/re-rank",
    operation_id="rerank_results",
    summary="Put items in the user's order",
    responses=WRITES,
)
async def rerank(ranking: ToRank, assistant: TheAssistant, identity: TheIdentity, _: IdempotencyKey = None) -> Ranked:
    """Rank results of your own search, say."""
    user_id = authorised_user(identity, ranking.user_id)
    wanted = list(dict.fromkeys(ranking.item_ids))
    known = await assistant.recommender.catalogue.get(wanted)
    listed = await assistant.recommender.rerank(user_id, [one for one in wanted if one in known])
    return _ranked(user_id, wanted, known.keys(), listed)


def _ranked(user_id: str, wanted: list[str], known: Collection[str], listed: SuggestionList) -> Ranked:
    kept = {one.item.id for one in listed.suggestions}
    return Ranked(
        user_id=user_id,
        results=[SuggestionRead.of(one) for one in listed.suggestions],
        unknown=[one for one in wanted if one not in known],
        left_out=[one for one in wanted if one in known and one not in kept],
        personalization=PersonalizationRead.of(listed.personalization),
    )
