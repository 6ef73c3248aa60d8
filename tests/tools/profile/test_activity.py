"""What a log adds up to, on both databases."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from tools.profile.activity import Activity, OnItem
from tools.profile.model import Interaction
from tools.profile.store import ProfileStore

MONDAY, TUESDAY = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)


async def test_a_log_is_counted_by_type_and_item(engine: AsyncEngine) -> None:
    profiles = ProfileStore(engine)
    done = [
        Interaction("click", "a", at=MONDAY),
        Interaction("click", "a", at=TUESDAY),
        Interaction("rate", "b", 8, at=MONDAY),
        Interaction("search", at=TUESDAY),
    ]
    await profiles.record("ada", done)
    await profiles.record("bob", [Interaction("click", "a")])
    items = (OnItem("a", 2, TUESDAY), OnItem("b", 1, MONDAY))
    found = await profiles.activity("ada")
    assert found == Activity(4, {"click": 2, "rate": 1, "search": 1}, 8.0, MONDAY, TUESDAY, items)
    assert (await profiles.activity("ada", items=1)).items == items[:1]


async def test_a_stranger_has_done_nothing(engine: AsyncEngine) -> None:
    assert await ProfileStore(engine).activity("nobody") == Activity(0, {}, None, None, None, ())
