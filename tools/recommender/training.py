"""Training beside the service: another process reads the log, learns, and leaves a new version on disk.

A process and not a thread: the search for the blend would otherwise share the interpreter with turns that are running.
"""

import asyncio
import multiprocessing
import os
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tools.profile.tables import interactions
from tools.recommender.errors import LogTooSmall
from tools.recommender.facet_matrix import facet_matrix
from tools.recommender.log import LogRead, read_log
from tools.recommender.model import Item
from tools.recommender.signals import Catalogue
from tools.recommender.trained import save, train

LIKED_FROM = 6.0
"""Of the ratings up to 10 that users give, those that speak for an item."""
LIKES = ("click", "content_view", "save", "finish")
DISLIKES = ("dismiss",)
NICE = 10


async def train_beside(engine: AsyncEngine, folder: Path) -> str | None:
    """Train in a process of its own; the new version, or None when there is nothing to learn from yet."""
    url = engine.url.render_as_string(hide_password=False)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, _train_here, url, folder)


def _train_here(url: str, folder: Path) -> str | None:
    os.nice(NICE)
    try:
        return asyncio.run(_read_and_train(url, folder))
    except LogTooSmall:
        return None


async def _read_and_train(url: str, folder: Path) -> str:
    from tools.recommender.catalogue import CatalogueStore

    engine = create_async_engine(url)
    try:
        items = await CatalogueStore(engine).all()
        async with engine.connect() as connection:
            read = await read_interactions(connection, [item.id for item in items])
    finally:
        await engine.dispose()
    if not read.log.liked.any():
        raise LogTooSmall("Expected actions on items of the catalogue; there is none yet.")
    trained = train(read.log, catalogue_of(items))
    save(trained, folder)
    return trained.version


def catalogue_of(items: list[Item]) -> Catalogue:
    """What the models need of the items."""
    published = np.array([item.published.timestamp() if item.published else np.nan for item in items])
    return Catalogue(facet_matrix([item.facets for item in items]), published)


async def read_interactions(connection: AsyncConnection, items: list[str]) -> LogRead:
    """The log of actions on items that say whether the user liked them."""
    rows = [row async for row in _rows(connection)]
    return read_log(enumerate(rows, 1), items, liked_from=LIKED_FROM)


async def _rows(connection: AsyncConnection) -> AsyncIterator[dict[str, Any]]:
    columns = interactions.c
    query = (
        select(columns.user_id, columns.item_id, columns.type, columns.rating, columns.created_at)
        .where(columns.item_id.is_not(None), columns.type.in_((*LIKES, *DISLIKES, "rate")))
        .order_by(columns.id)
    )
    async for row in await connection.stream(query):
        rating = row.rating if row.type == "rate" else (0.0 if row.type in DISLIKES else None)
        yield {"user": row.user_id, "item": row.item_id, "rating": rating, "ts": row.created_at.timestamp()}
