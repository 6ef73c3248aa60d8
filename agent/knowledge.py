"""Settings to a knowledge base and a database. Apart from build.py, so that a search need not load the agent."""

from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import TYPE_CHECKING

from agent.settings import Settings
from knowledge_base.embeddings import Embedder, open_embedder
from knowledge_base.knowledge import KnowledgeBase, open_knowledge_base

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine


def open_knowledge(settings: Settings, embedder: Embedder | None = None) -> AbstractContextManager[KnowledgeBase]:
    """The knowledge base of these settings, for searches and for ingest."""
    return open_knowledge_base(
        settings.data_dir, embedder or configured_embedder(settings), chroma_url=settings.chroma_url
    )


def configured_embedder(settings: Settings) -> Embedder:
    """The embedder that these settings name."""
    key = settings.embeddings_api_key or settings.openai_api_key
    return open_embedder(
        settings.embeddings,
        base_url=settings.embeddings_base_url or settings.openai_base_url,
        api_key=key.get_secret_value() if key else None,
    )


def database_url(settings: Settings) -> str:
    """Where conversations and profiles are: the server that the settings name, else SQLite in the data folder."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return f"sqlite+aiosqlite:///{settings.data_dir.absolute() / 'attune.db'}"


def open_configured_database(settings: Settings) -> "AbstractAsyncContextManager[AsyncEngine]":
    """The database of these settings, for a process that serves."""
    from tools.database import open_database  # takes a moment to import, and a search needs none

    return open_database(database_url(settings), connections=settings.database_connections, wait=settings.database_wait)
