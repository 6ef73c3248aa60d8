"""What is foreseen of users: /recommend/{user_id} says what to do, /predict shows everything behind it."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from tools.predictor.errors import UserUnknown
from tools.predictor.model import Head
from tools.predictor.policy import Action
from tools.predictor.service import Forecast
from ui.api.deps import Name, RateLimited, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.identity import Identity
from ui.api.problems import FieldError, ProblemError
from ui.api.profile import FINDS, WRITES, PathUser

router = APIRouter(tags=["predictions"], dependencies=[Depends(RateLimited())])

MOST_USERS = 10_000
NONE = "none"

Probability = Annotated[float, Field(ge=0, le=1)]


class ActionRecommended(BaseModel):
    """What to do about a user, and why."""

    user_id: str
    action: Action
    score: Probability | None = Field(description="How strongly; null where too little is known to say")
    source: str = Field(description="kumo, local, prior, or none where nothing could be foreseen")
    explanation: str


class HeadRead(BaseModel):
    """A calibrated probability, and the interval (95 %) in which such cases have been seen to lie."""

    probability: Probability
    low: Probability
    high: Probability
    certain: bool = Field(description="Whether the interval is narrow enough to act on")

    @classmethod
    def of(cls, head: Head, *, certain: bool) -> "HeadRead":
        """As it is told."""
        return cls(probability=head.probability, low=head.low, high=head.high, certain=certain)


class TopicRead(BaseModel):
    """A topic that may come next."""

    topic: str
    probability: Probability


class DecisionRead(BaseModel):
    """`recommended` is taken as `action` only above the operator's threshold."""

    action: Action
    recommended: Action
    score: Probability | None
    because: str
    without: Action = Field(description="What would be done without a prediction")


class PredictionRead(BaseModel):
    """Everything that is foreseen of a user."""

    user_id: str
    source: str = Field(description="kumo, local, prior, or none where nothing could be foreseen")
    version: str
    age: float = Field(ge=0, description="Seconds since it was computed")
    heads: dict[str, HeadRead] = Field(description="engagement_score and resolution_risk")
    next_topics: list[TopicRead]
    next_items: list[str] = Field(description="Where the source ranks items")
    decision: DecisionRead

    @classmethod
    def of(cls, forecast: Forecast) -> "PredictionRead":
        """As it is told."""
        foreseen, decision = forecast.foreseen, forecast.decision
        heads = foreseen.heads.items() if foreseen else ()
        return cls(
            user_id=forecast.user_id,
            source=foreseen.source if foreseen else NONE,
            version=foreseen.version if foreseen else "",
            age=foreseen.age if foreseen else 0,
            heads={name: HeadRead.of(head, certain=name not in decision.abstained) for name, head in heads},
            next_topics=[TopicRead(topic=topic, probability=p) for topic, p in foreseen.next_topics]
            if foreseen
            else [],
            next_items=list(foreseen.next_items) if foreseen else [],
            decision=DecisionRead.model_validate(decision, from_attributes=True),
        )


class PredictionExplained(PredictionRead):
    """Everything that is foreseen of a user, in words too."""

    explanation: str


class UsersAsked(BaseModel):
    """Whom to predict for; other users than oneself only as an admin."""

    user_ids: list[Name] = Field(min_length=1, max_length=MOST_USERS, examples=[["ada", "bob"]])


class Predictions(BaseModel):
    """In the order in which they were asked for, without those who were never seen."""

    predictions: list[PredictionRead]
    unknown: list[str]


@router.get(
    "/recommend/{user_id}", operation_id="recommend_action", summary="Say what to do about a user", responses=FINDS
)
async def recommend_action(user_id: PathUser, assistant: TheAssistant) -> ActionRecommended:
    """For a user who is not asking now: a message, a person, a suggestion, or nothing."""
    try:
        return ActionRecommended.model_validate(await assistant.predictor.recommend(user_id), from_attributes=True)
    except UserUnknown as error:
        raise _unknown(error) from error


@router.get("/predict/{user_id}", operation_id="predict", summary="Foresee what a user needs", responses=FINDS)
async def predict(user_id: PathUser, assistant: TheAssistant) -> PredictionExplained:
    """All heads, with their intervals, source and reasons."""
    try:
        forecast = await assistant.predictor.predict(user_id)
    except UserUnknown as error:
        raise _unknown(error) from error
    explanation = await assistant.predictor.explain(forecast)
    return PredictionExplained(**dict(PredictionRead.of(forecast)), explanation=explanation)


def _unknown(error: UserUnknown) -> ProblemError:
    return ProblemError(404, str(error), [FieldError(field="user_id", message=str(error))])


@router.post("/predict/batch", operation_id="predict_batch", summary="Foresee for many users", responses=WRITES)
async def predict_batch(
    asked: UsersAsked, assistant: TheAssistant, identity: TheIdentity, _: IdempotencyKey = None
) -> Predictions:
    """Each user once. Those who were never seen are named."""
    users = list(dict.fromkeys(asked.user_ids))
    _require_all(identity, users)
    unknown: tuple[str, ...] = ()
    try:
        forecasts = await assistant.predictor.batch(users)
    except UserUnknown as error:
        unknown = error.user_ids
        known = [user for user in users if user not in set(unknown)]
        forecasts = await assistant.predictor.batch(known) if known else []
    return Predictions(predictions=[PredictionRead.of(one) for one in forecasts], unknown=list(unknown))


def _require_all(identity: Identity, users: list[str]) -> None:
    for place, user in enumerate(users):
        authorised_user(identity, user, pointer=f"#/user_ids/{place}")
