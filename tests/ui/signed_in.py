"""Where callers sign in: an application with both kinds of credentials, and what makes them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import jwt
from fastapi import FastAPI

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from ui.app import create_api

SECRET = "a secret of the one who signs the tokens"
ISSUER, AUDIENCE = "https://login.example", "attune"


def token(user_id: str = "ada", *, key: Any = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """A token for this user; any claim can be given instead, None leaves it out."""
    now = int(time.time())
    payload = {"sub": user_id, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600} | claims
    headers = {"kid": claims["kid"]} if "kid" in claims else None
    payload = {name: value for name, value in payload.items() if value is not None and name != "kid"}
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


@dataclass
class SignedIn:
    """An application where everyone signs in."""

    app: FastAPI
    client: httpx.AsyncClient
    assistant: ScriptedAssistant

    async def key(self, user_id: str, *scopes: str) -> dict[str, str]:
        """The headers of a caller with a new API key."""
        keys = await self.app.state.access.keys()
        _, text = await keys.create(user_id, scopes=frozenset(scopes or {"user"}))
        return bearer(text)


@asynccontextmanager
async def opened(settings: Settings, assistant: ScriptedAssistant) -> AsyncIterator[SignedIn]:
    """The application of these settings, running."""
    app = create_api(settings, assistant=assistant)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as client,
    ):
        yield SignedIn(app, client, assistant)
