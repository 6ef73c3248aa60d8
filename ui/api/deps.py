"""What routes are given: the assistant, who asks, and names that are safe to keep.

A route that acts for a user takes `AuthorisedUser` (the id as a parameter of the address) or calls
`authorised_user(identity, body.user_id, …)`; then nobody can act for anybody else.

"""

import unicodedata
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, Query, Request
from pydantic import AfterValidator, StringConstraints

from agent.assistant import Assistant
from ui.api.access import Access
from ui.api.identity import Identity
from ui.api.problems import FieldError, ProblemError
from ui.data_folder import DataFolder


def _assistant(request: Request) -> Assistant:
    provide: Callable[[], Assistant] = request.app.state.assistant_provider
    return provide()


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access


def _data_folder(request: Request) -> DataFolder | None:
    provide: Callable[[], DataFolder | None] = request.app.state.data_folder
    return provide()


def _identity(request: Request) -> Identity:
    identity: Identity = request.state.identity
    return identity


def _storable(text: str) -> str:
    """JSON can escape what no database keeps: half of a surrogate pair, and NUL."""
    if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
        raise ValueError("Expected Unicode text without NUL and without half surrogate pairs")
    return text


def _printable(text: str) -> str:
    if any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("Expected no control characters")
    if not text.strip():
        raise ValueError("Expected at least one visible character")
    return text


TheAssistant = Annotated[Assistant, Depends(_assistant)]
TheAccess = Annotated[Access, Depends(_access)]
TheDataFolder = Annotated[DataFolder | None, Depends(_data_folder)]
TheIdentity = Annotated[Identity, Depends(_identity)]
Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[Text, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
NamedUser = Annotated[
    Name | None,
    Query(description="Who asks. Needed in open mode; else it is known, and only an admin may name somebody else"),
]


def authorised_user(identity: Identity, named: str | None, *, pointer: str | None = "#/user_id") -> str:
    """The user for whom this request may act: the caller, or whom it names.

    Args:
        identity: Who sends the request.
        named: Whom it names, if anyone.
        pointer: Where in the body; None when it is a parameter of the address.

    Raises:
        ProblemError: 403, it names somebody else and the caller is no admin; 422, in open mode it names nobody.
    """
    user_id = named if named is not None else identity.user_id
    if user_id is None:
        wrong = FieldError(field="user_id", message="Field required", pointer=pointer)
        raise ProblemError(422, "user_id: Field required", [wrong])
    if not identity.may_act_for(user_id):
        wrong = FieldError(field="user_id", message="Not the user who is signed in", pointer=pointer)
        raise ProblemError(403, "These credentials are another user's; leave user_id out to act for yourself.", [wrong])
    identity.acts_for.add(user_id)
    return user_id


def _user_of_query(identity: TheIdentity, user_id: NamedUser = None) -> str:
    return authorised_user(identity, user_id, pointer=None)


AuthorisedUser = Annotated[str, Depends(_user_of_query)]


class RateLimited:
    """Counts a request by caller and route; `turn` marks the routes that run a turn of the agent."""

    def __init__(self, *, turn: bool = False) -> None:
        self._turn = turn

    async def __call__(self, request: Request, access: TheAccess, identity: TheIdentity) -> None:
        caller = identity.caller if not identity.is_open else f"open:{_address(request)}"
        left = await access.limits.hit(caller, _route(request), turn=self._turn)
        if left is None:
            return
        request.state.response_headers.update(left.headers())
        if not left.admitted:
            raise ProblemError(429, f"Too many requests; come back in {left.seconds} s.")


def _route(request: Request) -> str:
    return f"{request.method} {getattr(request.scope.get('route'), 'path', 'unknown')}"


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
