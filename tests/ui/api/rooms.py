"""An API whose recommender, predictor and profiles are the real ones, on a small catalogue."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tools.database import open_database
from tools.predictor.service import Predictor
from tools.profile.store import ProfileStore
from tools.recommender.model import Item
from tools.recommender.service import Recommender
from ui.app import create_api

TOPICS = ("Escrow", "Payments", "Team", "Design")


def items() -> list[Item]:
    """Forty articles, ten of each topic, one film, and an article that has expired."""
    articles = [
        Item(f"a{n}", f"Article {n} on {TOPICS[n % 4]}", facets={"topic": (TOPICS[n % 4],)}, popularity=float(n))
        for n in range(40)
    ]
    old = Item("old", "Old news", expires=datetime.now(UTC) - timedelta(days=1), popularity=1000.0)
    film = Item(
        "film", "The Hospital (1971)", category="movie", facets={"genre": ("Medical",)}, url="https://f.example"
    )
    return [*articles, old, film]


@dataclass
class Rooms:
    """The API and what stands behind it."""

    client: httpx.AsyncClient
    engine: AsyncEngine
    profiles: ProfileStore
    recommender: Recommender
    predictor: Predictor

    async def get(self, path: str, **query: Any) -> Any:
        """The body of a good answer."""
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any, status: int = 200) -> Any:
        """The body of the answer, which must have this status."""
        response = await self.client.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json()


@asynccontextmanager
async def open_rooms(
    folder: Path, settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> AsyncIterator[Rooms]:
    """Open them on a database in a folder."""
    assistant = ScriptedAssistant()
    async with open_database(f"sqlite+aiosqlite:///{folder / 'attune.db'}") as engine:
        profiles = ProfileStore(engine)
        recommender = Recommender(engine, profiles, folder=folder / "recommender", seed=1)
        await recommender.catalogue.put(items(), source="test")
        await recommender.open()
        predictor = Predictor(engine, folder / "predictor", taxonomy=lambda: TOPICS)
        await predictor.count()
        assistant.profiles, assistant.recommender, assistant.predictor = profiles, recommender, predictor
        async with client_of(create_api(settings, assistant=assistant)) as client:
            yield Rooms(client, engine, profiles, recommender, predictor)
        await recommender.close()
        await predictor.aclose()
