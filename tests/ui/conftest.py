"""What doorway tests share: an application on a scripted assistant, and clients for it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tests.ui.signed_in import AUDIENCE, ISSUER, SECRET, SignedIn, opened
from tools.database import open_database
from ui.app import create_api

BASE_URL = "http://127.0.0.1:7860"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data")


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'attune.db'}") as opened:
        yield opened


@pytest.fixture
def api(settings: Settings, assistant: ScriptedAssistant) -> FastAPI:
    return create_api(settings, assistant=assistant)


class _Client(httpx.AsyncClient):
    """Closes at its end what the application opened on request: its lifespan, which would, is not run here."""

    def __init__(self, app: FastAPI) -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url=BASE_URL)
        self._app = app

    async def __aexit__(self, *error: Any) -> None:
        await super().__aexit__(*error)
        await self._app.state.access.aclose()


@pytest.fixture
def client_of() -> Callable[[FastAPI], httpx.AsyncClient]:
    """Makes a client that speaks to an application in this process; a crash of the application is a 500."""

    def make(app: FastAPI) -> httpx.AsyncClient:
        return _Client(app)

    return make


@pytest.fixture
async def client(api: FastAPI, client_of: Callable[[FastAPI], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(api) as client:
        yield client


@pytest.fixture
def closed_settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"jwt_secret": SecretStr(SECRET), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "host": "0.0.0.0"}  # noqa: S104
    )


@pytest.fixture
async def closed(closed_settings: Settings, assistant: ScriptedAssistant) -> AsyncIterator[SignedIn]:
    async with opened(closed_settings, assistant) as signed_in:
        yield signed_in
