"""API keys open what they should, and nothing once they are revoked, expired or altered."""

import re

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.access.keys import KeyRejected, KeyStore
from tools.access.tables import api_keys
from tools.database import now


@pytest.fixture
def keys(engine: AsyncEngine) -> KeyStore:
    return KeyStore(engine)


async def test_a_new_key_is_found_by_its_text(keys: KeyStore):
    made, text = await keys.create("ada", name="laptop", scopes=frozenset({"user", "admin"}))
    assert re.fullmatch(r"attune_[0-9a-f]{12}_[\w-]{43}", text)
    assert await keys.find(text) == made
    assert (made.user_id, made.name, made.scopes) == ("ada", "laptop", frozenset({"user", "admin"}))


async def test_the_secret_is_not_kept(keys: KeyStore, engine: AsyncEngine):
    _, text = await keys.create("ada")
    async with engine.connect() as connection:
        row = (await connection.execute(select(api_keys))).one()
    assert text.rpartition("_")[2] not in " ".join(map(str, row))
    assert text.split("_", 2)[2] not in " ".join(map(str, row))


@pytest.mark.parametrize(
    "change", ["", "x", " ", "attune_", "attune_000000000000_" + "A" * 43, "' OR 1=1 --", "é" * 60]
)
async def test_another_text_finds_nothing(keys: KeyStore, change: str):
    await keys.create("ada")
    assert await keys.find(change) is None


async def test_an_altered_secret_finds_nothing(keys: KeyStore):
    _, text = await keys.create("ada")
    flipped = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert await keys.find(flipped) is None


async def test_a_revoked_key_opens_nothing(keys: KeyStore):
    made, text = await keys.create("ada")
    await keys.revoke(made.id)
    assert await keys.find(text) is None
    (listed,) = await keys.all()
    assert listed.revoked_at is not None
    with pytest.raises(KeyRejected, match="keys list"):
        await keys.revoke(made.id)


async def test_an_expired_key_opens_nothing(keys: KeyStore, engine: AsyncEngine):
    made, text = await keys.create("ada", days=1)
    assert await keys.find(text) is not None
    async with engine.begin() as connection:
        await connection.execute(update(api_keys).values(expires_at=now()))
    assert await keys.find(text) is None
    assert made.expires_at is not None


@pytest.mark.parametrize(
    ("user_id", "scopes"),
    [("ada", {"root"}), ("ada", set()), ("", {"user"}), ("  ", {"user"}), ("a\nb", {"user"}), ("x" * 201, {"user"})],
)
async def test_what_cannot_be_a_key_is_refused(keys: KeyStore, user_id: str, scopes: set[str]):
    with pytest.raises(KeyRejected, match="Expected"):
        await keys.create(user_id, scopes=frozenset(scopes))


async def test_keys_are_listed_the_latest_first(keys: KeyStore):
    first, _ = await keys.create("ada")
    second, _ = await keys.create("bob")
    assert [key.id for key in await keys.all()] == [second.id, first.id]
