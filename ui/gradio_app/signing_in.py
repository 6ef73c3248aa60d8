"""What the page asks of whoever lets people in, where people sign in."""

from typing import Protocol

from fastapi import Request


class SignIn(Protocol):
    """Who looks at the page."""

    async def user_of(self, request: Request) -> str | None:
        """The user id of whoever sent this request; None when nobody let them in."""
        ...

    async def is_admin(self, request: Request) -> bool:
        """Whether they may change the taxonomy."""
        ...

    def can_sign_out(self, request: Request) -> bool:
        """Whether they came in by the page's own form, and not by a proxy."""
        ...
