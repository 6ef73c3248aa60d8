"""Migrations and tables say the same, and opening twice changes nothing."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tools.database import HEAD, MIGRATIONS, metadata, open_database


def test_head_names_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


async def test_migrations_make_the_tables_that_the_code_uses(tmp_path: Path):
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}") as engine, engine.connect() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), metadata)
        )
    assert differences == []


async def test_opening_again_keeps_what_was_there(tmp_path: Path):
    url = f"sqlite+aiosqlite:///{tmp_path / 'a.db'}"
    for _ in range(2):
        async with open_database(url) as engine, engine.begin() as connection:
            count = (await connection.exec_driver_sql("SELECT count(*) FROM alembic_version")).scalar()
            mode = (await connection.exec_driver_sql("PRAGMA journal_mode")).scalar()
    assert (count, mode) == (1, "wal")
