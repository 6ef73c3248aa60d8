"""A process opens so many connections and no more; who gets none in time is told so plainly."""

import pytest
from sqlalchemy import text

from tools.database import open_database
from tools.pool import DatabaseAway, DatabaseBusy


async def test_where_every_connection_stays_in_use_the_error_is_fit_for_a_user(database_url: str):
    async with open_database(database_url, connections=1, wait=0.05) as engine:
        async with engine.connect() as held:
            await held.execute(text("SELECT 1"))
            with pytest.raises(DatabaseBusy, match="try again in a few seconds"):
                async with engine.connect():
                    pass
        async with engine.connect() as free:
            assert (await free.execute(text("SELECT 7"))).scalar_one() == 7


async def test_where_the_database_cannot_be_reached_the_error_is_fit_for_a_user_and_the_log_has_the_reason(
    caplog: pytest.LogCaptureFixture,
):
    with pytest.raises(DatabaseAway, match="try again in a few seconds") as raised:
        async with open_database("postgresql+psycopg://nobody:secret@127.0.0.1:9/nothing"):
            pass
    assert "127.0.0.1" not in str(raised.value)
    assert "port 9 failed" in caplog.text
    assert "secret" not in caplog.text


async def test_as_many_connections_as_were_asked_for_are_open_at_once(database_url: str):
    async with open_database(database_url, connections=7, wait=0.05) as engine:
        held = [await engine.connect() for _ in range(7)]
        with pytest.raises(DatabaseBusy):
            await engine.connect()
        for connection in held:
            await connection.close()
