"""What doorway tests share: an application on a scripted assistant, and clients for it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from ui.app import create_api

BASE_URL = "http://127.0.0.1:7860"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path / "data")


@pytest.fixture
def assistant() -> ScriptedAssistant:
    return ScriptedAssistant()


@pytest.fixture
def api(settings: Settings, assistant: ScriptedAssistant) -> FastAPI:
    return create_api(settings, assistant=assistant)


@pytest.fixture
def client_of() -> Callable[[FastAPI], httpx.AsyncClient]:
    """Makes a client that speaks to an application in this process; a crash of the application is a 500."""

    def make(app: FastAPI) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=BASE_URL)

    return make


@pytest.fixture
async def client(api: FastAPI, client_of: Callable[[FastAPI], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(api) as client:
        yield client
