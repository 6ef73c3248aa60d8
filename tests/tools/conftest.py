"""Every store is tested on SQLite, and on PostgreSQL where `ATTUNE_TEST_POSTGRES` gives the URL of a database."""

import os
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.schema import CreateSchema, DropSchema

from tools import database
from tools.database import open_database

for room in Path(database.__file__).parent.glob("*/tables.py"):
    import_module(f"tools.{room.parent.name}.tables")  # the metadata knows a table when its module was imported

POSTGRES = os.environ.get("ATTUNE_TEST_POSTGRES")
WITHOUT_POSTGRES = pytest.mark.skipif(not POSTGRES, reason="PostgreSQL: ATTUNE_TEST_POSTGRES gives no URL")
ON_POSTGRES = pytest.param("postgresql", marks=[pytest.mark.postgres, WITHOUT_POSTGRES])
on_postgres = pytest.mark.parametrize("database_url", [ON_POSTGRES], indirect=True)
"""For a test that is about PostgreSQL alone."""


@pytest.fixture(params=["sqlite", ON_POSTGRES])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of each kind; on PostgreSQL a schema of its own, so that tests can run side by side."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'attune.db'}"
        return
    assert POSTGRES is not None
    schema = f"attune_{uuid4().hex[:12]}"
    admin = create_async_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    async with admin.connect() as connection:
        await connection.execute(CreateSchema(schema))
    url = make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
    yield url.render_as_string(hide_password=False)
    async with admin.connect() as connection:
        await connection.execute(DropSchema(schema, cascade=True))
    await admin.dispose()


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a migrated, empty database."""
    async with open_database(database_url) as opened:
        yield opened
