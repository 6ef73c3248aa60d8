"""The catalogue in the database: items from files and from the knowledge base, kept up to date by whoever owns them."""

import asyncio
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import RowMapping, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from knowledge_base.passage import Document
from tools.database import now, upsert
from tools.recommender.catalogue_file import read_items
from tools.recommender.errors import RowRejected
from tools.recommender.model import FACET_CHARS, TEXT_CHARS, TITLE_CHARS, VALUE_CHARS, Facets, Item, RejectedRow
from tools.recommender.tables import items

ARTICLES = "articles"
CHUNK = 400

Row = TypeVar("Row")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did: items that were new, changed or the same, items switched off, and rows that were left out."""

    added: int
    changed: int
    same: int
    retired: int = 0
    rejected: tuple[RejectedRow, ...] = ()
    facets: Mapping[str, str] | None = None


class CatalogueStore:
    """Items in the table `items`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def load(self, path: Path, *, facets: Mapping[str, str] | None = None, category: str = "article") -> Loaded:
        """Upsert the items of a CSV or JSON lines file. Raises CatalogueUnreadable."""

        read = await asyncio.to_thread(read_items, path, facets=facets, category=category)
        done = await self.put(read.items, source=f"file:{path.name}"[:40])
        return Loaded(done.added, done.changed, done.same, rejected=read.rejected, facets=read.facets)

    async def put(self, new: Sequence[Item], *, source: str) -> Loaded:
        """Upsert items in one transaction; those that say nothing new are not written."""
        added = changed = same = 0
        async with self._engine.begin() as connection:
            for some in _chunks(new):
                held = await _held(connection, [item.id for item in some])
                rows = [_row(item, source) for item in some]
                fresh = [row for row in rows if held.get(row["id"]) != row]
                await _write(connection, fresh)
                old = sum(row["id"] in held for row in fresh)
                added, changed, same = added + len(fresh) - old, changed + old, same + len(rows) - len(fresh)
        return Loaded(added, changed, same)

    async def keep_articles(self, documents: Iterable[Document]) -> Loaded:
        """Make the catalogue's articles those of the knowledge base: the others are switched off."""
        articles = [item for document in documents if (item := _article_or_none(document)) is not None]
        done = await self.put(articles, source=ARTICLES)
        gone = items.c.source == ARTICLES, items.c.active, items.c.id.not_in([item.id for item in articles])
        async with self._engine.begin() as connection:
            retired = (
                await connection.execute(update(items).where(*gone).values(active=False, updated_at=now()))
            ).rowcount
        return Loaded(done.added, done.changed, done.same, retired)

    async def all(self) -> list[Item]:
        """Every item, in order of id."""
        async with self._engine.connect() as connection:
            return [_item(row) for row in (await connection.execute(select(items).order_by(items.c.id))).mappings()]

    async def get(self, ids: Collection[str]) -> dict[str, Item]:
        """The items of these ids that exist."""
        async with self._engine.connect() as connection:
            return {
                row["id"]: _item(row)
                for some in _chunks(list(ids))
                for row in (await connection.execute(select(items).where(items.c.id.in_(some)))).mappings()
            }

    async def facets_of(self, ids: Collection[str]) -> dict[str, Facets]:
        """What items are about, for the profile."""
        return {id: item.facets for id, item in (await self.get(ids)).items()}

    async def version(self) -> str:
        """Changes whenever the catalogue does."""
        query = select(func.count(), func.max(items.c.updated_at))
        async with self._engine.connect() as connection:
            count, latest = (await connection.execute(query)).one()
        return f"{count}:{latest}"


def _article_or_none(document: Document) -> Item | None:
    """One document that can't be suggested must not keep all others from it."""
    try:
        return article(document)
    except RowRejected as error:
        log.warning("%s is never suggested: its %s: %s", document.id, error.field, error)
        return None


def article(document: Document) -> Item:
    """An article of the knowledge base as an item. Raises RowRejected."""
    facets = {
        "topic": (document.topic,),
        "category": (document.category,),
        "tag": document.tags,
        "level": (document.level,),
    }
    return Item(
        id=document.id,
        title=_storable(document.title)[:TITLE_CHARS],
        text=_storable(document.text)[:TEXT_CHARS],
        url=_storable(document.url) if document.url else None,
        category="article",
        facets={name: found for name, values in facets.items() if (found := _words(values))},
        published=datetime.combine(document.updated, time(), UTC) if document.updated else None,
    )


def _words(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(kept[:VALUE_CHARS] for value in values if value and (kept := _storable(value)))


def _storable(text: str) -> str:
    """What a document holds may be kept in SQLite, but PostgreSQL takes no NUL."""
    return text.replace("\0", "")


def _chunks(many: Sequence[Row]) -> Iterator[Sequence[Row]]:
    return (many[start : start + CHUNK] for start in range(0, len(many), CHUNK))


async def _held(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = (await connection.execute(select(items).where(items.c.id.in_(ids)))).mappings()
    return {row["id"]: {name: value for name, value in row.items() if name != "updated_at"} for row in rows}


async def _write(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    insert = upsert(connection, items)
    kept = {column.name: insert.excluded[column.name] for column in items.c if column.name != "id"}
    at = now()
    await connection.execute(
        insert.on_conflict_do_update(index_elements=["id"], set_=kept), [{**row, "updated_at": at} for row in rows]
    )


def _row(item: Item, source: str) -> dict[str, Any]:
    north, east = item.location or (None, None)
    return {
        "id": item.id,
        "title": item.title,
        "text": item.text,
        "url": item.url,
        "category": item.category,
        "facets": {name[:FACET_CHARS]: list(values) for name, values in item.facets.items()},
        "published": item.published,
        "expires": item.expires,
        "latitude": north,
        "longitude": east,
        "popularity": item.popularity,
        "active": item.active,
        "superseded_by": item.superseded_by,
        "source": source,
    }


def _item(row: RowMapping) -> Item:
    return Item(
        id=row["id"],
        title=row["title"],
        text=row["text"],
        url=row["url"],
        category=row["category"],
        facets={name: tuple(values) for name, values in row["facets"].items()},
        published=row["published"],
        expires=row["expires"],
        location=None if row["latitude"] is None else (row["latitude"], row["longitude"]),
        popularity=row["popularity"],
        active=row["active"],
        superseded_by=row["superseded_by"],
    )
