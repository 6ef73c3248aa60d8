"""Catalogues from files and from the knowledge base; each bad row is named by its line and the rest kept."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.passage import Document
from tools.recommender.catalogue import CatalogueStore
from tools.recommender.catalogue_file import read_items
from tools.recommender.errors import CatalogueUnreadable

CSV = """id,title,genres,director,published,latitude,longitude,popularity,active
1,Toy Story,Animation|Comedy,John Lasseter,1995-11-22,,,5,yes
2,,Drama,X,1995-01-01,,,1,yes
3,Heat,Action|Crime,Michael Mann,yesterday,,,1,yes
4,Casino,Crime,Martin Scorsese,1995-11-22,91,0,1,yes
5,Sabrina,Comedy,Sydney Pollack,,48.1,11.6,nan,yes
6,Babe,Comedy,Chris Noonan
7,Nixon,Drama,Oliver Stone,,,,,no
"""


def test_csv_rows_become_items_and_bad_ones_are_named_by_line(tmp_path: Path):
    file = tmp_path / "films.csv"
    file.write_text(CSV)
    read = read_items(file, facets={"genre": "genres", "director": "director"}, category="movie")
    assert [(row.row, row.field) for row in read.rejected] == [
        (3, "title"),
        (4, "published"),
        (5, "location"),
        (6, "popularity"),
        (7, "row"),
    ]
    first, last = read.items
    assert first.facets == {"genre": ("Animation", "Comedy"), "director": ("John Lasseter",)}
    assert (first.published, first.category) == (datetime(1995, 11, 22, tzinfo=UTC), "movie")
    assert not last.active


def test_facets_are_guessed_and_huge_values_refused(tmp_path: Path):
    file = tmp_path / "items.jsonl"
    rows = [
        f'{{"id": "{n}", "title": "T{n}", "imdb": "tt{n}", "topics": ["a", "b"], "level": "easy"}}' for n in range(5)
    ]
    huge = f'{{"id": "9", "title": "T", "topics": ["{"x" * 10_000}"]}}'
    file.write_text("\n".join([*rows, huge, "[1]", "{"]))
    read = read_items(file)
    assert dict(read.facets) == {"topic": "topics", "level": "level"}
    assert [(row.row, row.field) for row in read.rejected] == [(6, "topic"), (7, "row"), (8, "row")]
    assert "10,000" in read.rejected[0].reason


def test_a_file_without_items_says_what_was_expected(tmp_path: Path):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("{}\n")
    with pytest.raises(CatalogueUnreadable, match="Expected items with an id"):
        read_items(empty)
    with pytest.raises(CatalogueUnreadable, match="Expected to read"):
        read_items(tmp_path / "missing.csv")


async def test_loading_again_writes_only_what_changed(engine: AsyncEngine, tmp_path: Path):
    store, file = CatalogueStore(engine), tmp_path / "films.csv"
    file.write_text(CSV)
    first = await store.load(file)
    before = await store.version()
    second = await store.load(file)
    assert (first.added, second.added, second.same) == (2, 0, 2)
    assert await store.version() == before
    file.write_text(CSV.replace("Nixon", "Nixon II"))
    assert (await store.load(file)).changed == 1
    assert (await store.get(["7"]))["7"].title == "Nixon II"


async def test_articles_are_items_and_leave_with_their_documents(engine: AsyncEngine):
    store = CatalogueStore(engine)
    one = Document("a.md", "Escrow", "How it works.", "a.md", "1", topic="Escrow", tags=("payments",), level="beginner")
    two = Document("b.md", "Refunds", "When.", "b.md", "2", topic="Refunds")
    assert (await store.keep_articles([one, two])).added == 2
    assert (await store.keep_articles([one])).retired == 1
    kept = {item.id: item for item in await store.all()}
    assert kept["a.md"].facets == {"topic": ("Escrow",), "tag": ("payments",), "level": ("beginner",)}
    assert (kept["a.md"].active, kept["b.md"].active) == (True, False)
    await store.keep_articles([one, two])
    assert (await store.get(["b.md"]))["b.md"].active
