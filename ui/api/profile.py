"""/profile: what is known of a user, why, and how they correct, take away or forget it."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from tools.profile.model import Facets, Interaction, Preference, Profile
from ui.api.deps import Name, RateLimited, TheAssistant, TheIdentity, authorised_user
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import ProblemError, may_answer

router = APIRouter(prefix="/profile", tags=["profile"], dependencies=[Depends(RateLimited())])

READS = may_answer(401, 403, 422, 429, 503)
FINDS = may_answer(401, 403, 404, 422, 429, 503)
WRITES = may_answer(400, 401, 403, 409, 413, 415, 422, 429, 503)
PER_FACET = 10


def _user_of_path(identity: TheIdentity, user_id: Annotated[Name, Path(examples=["ada"])]) -> str:
    return authorised_user(identity, user_id, pointer=None)


PathUser = Annotated[str, Depends(_user_of_path)]


class _Value(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class PreferenceRead(_Value):
    """How much the user cares for a value of a facet, faded to now."""

    value: str
    score: float = Field(ge=-1, le=1)
    evidence: int = Field(description="How many entries of the ledger speak of it")
    updated_at: datetime


class TagRead(_Value):
    """A word from the taxonomy that the user is tagged with, and how sure that is."""

    id: int
    name: str
    manual: bool
    source: str
    confidence: float
    interactions: int
    category: str | None
    updated_at: datetime


class FactRead(_Value):
    """What the user told of themselves."""

    slot: str
    value: str
    quote: str = Field(description="The user's own words")
    evidence_id: int
    told_at: datetime


class PersonaRead(_Value):
    """A name for what the user prefers, and what it was given for."""

    name: str
    reasons: list[str]


class MutedRead(_Value):
    """What shall not be used of the user any more."""

    facet: str
    value: str


class Counts(BaseModel):
    """How much is held of the user."""

    interactions: int
    preferences: int
    tags: int
    facts: int


class ProfileRead(BaseModel):
    """Everything that is used of a user; of a stranger, nothing."""

    user_id: str
    preferences: dict[str, list[PreferenceRead]] = Field(description="The strongest by facet")
    tags: list[TagRead]
    facts: list[FactRead]
    personas: list[PersonaRead]
    muted: list[MutedRead]
    recent_questions: list[str]
    learning: bool
    counts: Counts

    @classmethod
    def of(cls, profile: Profile) -> "ProfileRead":
        """The profile as it is told."""
        return cls(
            user_id=profile.user_id,
            preferences=_by_facet(profile.preferences),
            tags=[TagRead.model_validate(one) for one in profile.tags],
            facts=[FactRead.model_validate(one) for one in profile.facts],
            personas=[PersonaRead.model_validate(one) for one in profile.personas],
            muted=[MutedRead.model_validate(one) for one in profile.muted],
            recent_questions=list(profile.recent_questions),
            learning=profile.learning,
            counts=Counts(
                interactions=profile.interactions,
                preferences=len(profile.preferences),
                tags=len(profile.tags),
                facts=len(profile.facts),
            ),
        )


def _by_facet(preferences: tuple[Preference, ...]) -> dict[str, list[PreferenceRead]]:
    found: dict[str, list[PreferenceRead]] = {}
    for one in preferences:
        of_facet = found.setdefault(one.facet, [])
        if len(of_facet) < PER_FACET:
            of_facet.append(PreferenceRead.model_validate(one))
    return found


class EvidenceRead(_Value):
    """Why something is believed: the user's own words or action, what it weighs, and when."""

    id: int
    kind: str
    facet: str
    value: str
    weight: float
    quote: str
    source: str
    message_id: str | None
    created_at: datetime
    retracted_at: datetime | None


class EvidenceList(BaseModel):
    """What a preference or a fact rests on."""

    evidence: list[EvidenceRead]


class Rating(BaseModel):
    """What the user thinks of an item. `facets` say what it is about, where the catalogue doesn't know it."""

    item_id: Name
    rating: float = Field(ge=0, le=10, description="Below 4 counts against what the item is about")
    facets: dict[Name, list[Name]] = Field(default={}, max_length=20, examples=[{"topic": ["Escrow"]}])


class Recorded(BaseModel):
    """What was recorded, and what it taught."""

    recorded: int = Field(description="0 where learning is off, or the same request was recorded before")
    learned: list[EvidenceRead]


class Switch(BaseModel):
    """On or off."""

    on: StrictBool


class Mute(BaseModel):
    """A preference's facet and value, "tag" and a name, or a fact's slot and value."""

    facet: Name
    value: Name


class Removed(BaseModel):
    """What is gone."""

    removed: dict[str, int] = Field(description="Rows by table")


class Forgotten(BaseModel):
    """Rows by store; `after` is 0 everywhere."""

    before: dict[str, int]
    after: dict[str, int]


@router.get("/{user_id}", operation_id="read_profile", responses=READS)
async def read_profile(user_id: PathUser, assistant: TheAssistant) -> ProfileRead:
    """What is known of a user. One that was never seen has an empty profile."""
    return ProfileRead.of(await assistant.profiles.read(user_id))


@router.post("/{user_id}/rate", operation_id="rate_item", responses=WRITES)
async def rate_item(user_id: PathUser, rating: Rating, assistant: TheAssistant, _: IdempotencyKey = None) -> Recorded:
    """Rate an item: its facets gain or lose by it."""

    async def facets_of(item_ids: Collection[str], /) -> dict[str, Facets]:
        known = await assistant.recommender.catalogue.facets_of(item_ids)
        return {item: {**known.get(item, {}), **rating.facets} for item in item_ids}

    done = Interaction("rate", rating.item_id, rating.rating)
    recorded = await assistant.profiles.record(user_id, [done], facets_of=facets_of)
    return Recorded(recorded=recorded.recorded, learned=[EvidenceRead.model_validate(one) for one in recorded.evidence])


@router.delete("/{user_id}", operation_id="reset_profile", responses=READS)
async def reset_profile(user_id: PathUser, assistant: TheAssistant) -> Removed:
    """Begin again as with a stranger. Conversations stay, and so does what is muted and whether to learn."""
    removed = await assistant.profiles.reset(user_id)
    return Removed(removed=removed)


@router.put("/{user_id}/learning", operation_id="switch_learning", status_code=204, responses=READS)
async def switch_learning(user_id: PathUser, switch: Switch, assistant: TheAssistant) -> None:
    """Switch learning on or off. Off: nothing more is written about the user; what is known stays."""
    await assistant.profiles.set_learning(user_id, switch.on)


@router.get("/{user_id}/evidence", operation_id="list_evidence", responses=READS)
async def list_evidence(
    user_id: PathUser,
    assistant: TheAssistant,
    facet: Annotated[Name | None, Query(description="A preference's facet, 'tag', or a fact's slot")] = None,
    value: Name | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> EvidenceList:
    """Why it is believed, the newest first; what was undone too, marked."""
    found = await assistant.profiles.evidence(user_id, facet=facet, value=value, limit=limit)
    return EvidenceList(evidence=[EvidenceRead.model_validate(one) for one in found])


@router.delete("/{user_id}/evidence/{evidence_id}", operation_id="undo_evidence", responses=FINDS)
async def undo_evidence(
    user_id: PathUser, evidence_id: Annotated[int, Path(ge=1, le=2**53)], assistant: TheAssistant
) -> EvidenceRead:
    """Undo an entry: what rested on it is computed again, and the same words don't bring it back."""
    undone = await assistant.profiles.undo(user_id, evidence_id)
    if undone is None:
        raise ProblemError(404, f"There is no entry {evidence_id} of this user that still stands.")
    return EvidenceRead.model_validate(undone)


@router.post("/{user_id}/mutes", operation_id="mute", status_code=204, responses=WRITES)
async def mute(user_id: PathUser, entry: Mute, assistant: TheAssistant, _: IdempotencyKey = None) -> None:
    """ "Not this": neither learned nor used until it is allowed again."""
    await assistant.profiles.mute(user_id, entry.facet, entry.value)


@router.delete("/{user_id}/mutes", operation_id="unmute", status_code=204, responses=FINDS)
async def unmute(
    user_id: PathUser, facet: Annotated[Name, Query()], value: Annotated[Name, Query()], assistant: TheAssistant
) -> None:
    """Allow it again, with what was known before."""
    if not await assistant.profiles.unmute(user_id, facet, value):
        raise ProblemError(404, f"{facet} {value!r} is not muted.")


@router.get("/{user_id}/export", operation_id="export_profile", responses=READS)
async def export_profile(user_id: PathUser, assistant: TheAssistant) -> dict[str, list[dict[str, Any]]]:
    """Everything that is held of a user, by table."""
    return await assistant.profiles.export(user_id)


@router.delete("/{user_id}/everything", operation_id="forget_user", responses=READS)
async def forget_user(user_id: PathUser, assistant: TheAssistant) -> Forgotten:
    """Forget a user: every store is emptied of them, and counted."""
    forgotten = await assistant.forget(user_id)
    return Forgotten(before=dict(forgotten.before), after=dict(forgotten.after))
