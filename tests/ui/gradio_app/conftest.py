"""The real stores behind the page's handlers, with the scripted assistant in front of them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Forgotten
from tests.fakes import ScriptedAssistant
from tools.database import open_database
from tools.profile.model import FactTold, Interaction, Lessons, Signal, TagSeen
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import Taxonomy, TaxonomyEntry
from tools.recommender.model import Item
from tools.recommender.service import Recommender


class WithStores(ScriptedAssistant):
    """Answers as it is told, and keeps profiles in a database; counts how often the taxonomy was taken in anew."""

    def __init__(self, engine: AsyncEngine, folder: Path, *, pause: float = 0) -> None:
        super().__init__(pause=pause)
        self.profiles = ProfileStore(engine)
        self.taxonomy = Taxonomy(engine)
        self.recommender = Recommender(engine, self.profiles, folder=folder)
        self.followed = 0
        self.follow_taxonomy = self._follow
        self.learns: dict[str, bool] = {}

    async def _follow(self) -> None:
        self.followed += 1

    async def set_learning(self, user_id: str, conversation_id: str, learning: bool) -> None:
        self._exchanges(user_id, conversation_id)
        self.learns[conversation_id] = learning

    async def forget(self, user_id: str) -> Forgotten:
        return await self.profiles.forget(user_id)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'attune.db'}") as opened:
        yield opened


@pytest.fixture
async def keeping(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[WithStores]:
    """Ada asked about escrow and told her role; there are two articles to suggest."""
    assistant = WithStores(engine, tmp_path / "models")
    await assistant.taxonomy.load([TaxonomyEntry("Escrow", "topic"), TaxonomyEntry("Design", "skill")])
    lessons = Lessons(
        signals=[Signal("topic", "Escrow", 0.5, "How does escrow work?")],
        tags=[TagSeen("Escrow", 0.8, "How does escrow work?")],
        facts=[FactTold("role", "designer", "I'm a designer")],
    )
    async with engine.begin() as connection:
        await assistant.profiles.learn(connection, "ada", Interaction("question"), lessons, message_id="m1")
    await assistant.recommender.catalogue.put(
        [
            Item("escrow", "Escrow in depth", url="https://help.example/escrow", facets={"topic": ("Escrow",)}),
            Item("fees", "All fees", facets={"topic": ("Fees",)}),
        ],
        source="test",
    )
    yield assistant
    await assistant.recommender.close()
