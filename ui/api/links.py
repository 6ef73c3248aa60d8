"""/api/links: which accounts in Slack and Discord are this user's, made by one-time codes."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field

from tools.identities.accounts import Account, Doorway
from tools.identities.store import IdentityStore, Link, LinkRefused, TooManyAttempts
from ui.api.deps import AuthorisedUser, RateLimited, Text, TheAccess
from ui.api.idempotency import IdempotencyKey
from ui.api.problems import FieldError, ProblemError, may_answer
from ui.linking import open_identities

router = APIRouter(prefix="/api/links", tags=["links"], dependencies=[Depends(RateLimited())])


class AccountRead(BaseModel):
    """An account; `name` is what its doorway calls the user."""

    doorway: Doorway
    name: str = Field(examples=["T024BE7LD:U0G9QF9C6"])


class LinkRead(BaseModel):
    """`joined` counts as `person` until the link is removed."""

    id: str
    joined: AccountRead
    person: AccountRead
    linked_at: datetime


class Links(BaseModel):
    """The oldest first."""

    links: list[LinkRead]


class CodeRead(BaseModel):
    """Write `link CODE` to the bot in Slack or Discord before it expires; it works once."""

    code: str = Field(examples=["BCDF-2345"])
    expires_at: datetime


class CodeTyped(BaseModel):
    """A code that the bot gave in Slack or Discord."""

    code: Text = Field(min_length=1, max_length=40, examples=["BCDF-2345"])


async def _identities(request: Request, access: TheAccess) -> IdentityStore:
    """The store of links, made when it is first needed."""
    state = request.app.state
    if not hasattr(state, "identities"):
        state.identities = open_identities(await access.engine())
    identities: IdentityStore = state.identities
    return identities


TheIdentities = Annotated[IdentityStore, Depends(_identities)]


@router.get("", operation_id="list_links", summary="List links", responses=may_answer(401, 403, 422, 429, 503))
async def list_links(user_id: AuthorisedUser, identities: TheIdentities) -> Links:
    """Every link of this user's accounts."""
    return Links(links=[_read(link) for link in await identities.links(_web(user_id))])


@router.post(
    "/codes",
    operation_id="issue_link_code",
    summary="Get a code to link an account",
    status_code=201,
    responses=may_answer(400, 401, 403, 409, 413, 422, 429, 503),
)
async def issue(user_id: AuthorisedUser, identities: TheIdentities, _: IdempotencyKey = None) -> CodeRead:
    """A one-time code; earlier codes stop working."""
    try:
        code = await identities.issue(_web(user_id))
    except TooManyAttempts as error:
        raise ProblemError(429, str(error)) from error
    return CodeRead(code=code.code, expires_at=code.expires_at)


@router.post(
    "",
    operation_id="redeem_link_code",
    summary="Link an account by its code",
    status_code=201,
    responses=may_answer(400, 401, 403, 409, 413, 415, 422, 429, 503),
)
async def redeem(
    typed: CodeTyped, user_id: AuthorisedUser, identities: TheIdentities, _: IdempotencyKey = None
) -> LinkRead:
    """Use a code that the bot gave to the user's account in Slack or Discord."""
    try:
        return _read(await identities.redeem(_web(user_id), typed.code))
    except TooManyAttempts as error:
        raise ProblemError(429, str(error)) from error
    except LinkRefused as error:
        raise ProblemError(422, str(error), [FieldError(field="code", message=str(error), pointer="#/code")]) from error


@router.delete(
    "/{link_id}",
    operation_id="remove_link",
    summary="Take linked accounts apart",
    status_code=204,
    responses=may_answer(401, 403, 404, 422, 429, 503),
)
async def remove(
    link_id: Annotated[Text, Path(max_length=64)], user_id: AuthorisedUser, identities: TheIdentities
) -> None:
    """Remove a link; each account gets back what came from it."""
    try:
        await identities.unlink(_web(user_id), link_id)
    except LinkRefused as error:
        raise ProblemError(404, str(error)) from error


def _web(user_id: str) -> Account:
    """Of the id that the rest of the API takes for this user."""
    return Account.of(user_id)


def _read(link: Link) -> LinkRead:
    joined, person = (AccountRead(doorway=one.doorway, name=one.name) for one in (link.joined, link.person))
    return LinkRead(id=link.id, joined=joined, person=person, linked_at=link.linked_at)
