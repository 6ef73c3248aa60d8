"""The log of what was shown to whom, with which probability, and what became of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import now
from tools.recommender.suggestion import SuggestionList
from tools.recommender.tables import shown

OUTCOMES = {
    "click": "opened",
    "content_view": "opened",
    "save": "saved",
    "dismiss": "dismissed",
    "ignore": "ignored",
    "rate": "rated",
    "finish": "finished",
}
STRENGTH = ("ignored", "opened", "rated", "saved", "finished", "dismissed")


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of the log."""

    list_id: str
    item_id: str
    position: int
    score: float
    probability: float
    place: str
    outcome: str | None
    shown_at: datetime


class ShownLog:
    """The table `shown`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def add(self, listed: SuggestionList, place: str) -> None:
        """Log a list that a user sees now."""
        at = now()
        rows = [
            {
                "list_id": listed.id,
                "user_id": listed.user_id,
                "item_id": one.item.id,
                "position": one.position,
                "score": one.score,
                "probability": one.probability,
                "place": place[:40],
                "shown_at": at,
            }
            for one in listed.suggestions
        ]
        if rows:
            async with self._engine.begin() as connection:
                await connection.execute(shown.insert(), rows)

    async def became(self, user_id: str, actions: Iterable[tuple[str, str]]) -> int:
        """Note what a user did, as (item, action), with items when they were last shown: how many that says something
        new of. A weaker outcome doesn't hide a stronger one."""
        outcomes = [(item_id, OUTCOMES[action]) for item_id, action in dict.fromkeys(actions) if action in OUTCOMES]
        if not outcomes:
            return 0
        async with self._engine.begin() as connection:
            return sum([await _note(connection, user_id, item_id, outcome) for item_id, outcome in outcomes])

    async def latest(self, user_id: str, *, limit: int = 100, place: str | None = None) -> list[Shown]:
        """What was shown to a user, the newest first."""
        where = [shown.c.user_id == user_id] + ([shown.c.place == place] if place else [])
        columns = [shown.c[name] for name in Shown.__dataclass_fields__]
        query = select(*columns).where(*where).order_by(shown.c.id.desc()).limit(limit)
        async with self._engine.connect() as connection:
            return [Shown(**row) for row in (await connection.execute(query)).mappings()]

    async def close(self, user_id: str, place: str) -> Sequence[str]:
        """What was offered there and left without an answer is ignored; the items."""
        where = shown.c.user_id == user_id, shown.c.place == place, shown.c.outcome.is_(None)
        async with self._engine.begin() as connection:
            left = (await connection.execute(select(shown.c.item_id).where(*where))).scalars().all()
            await connection.execute(update(shown).where(*where).values(outcome="ignored", outcome_at=now()))
        return list(dict.fromkeys(left))


async def _note(connection: AsyncConnection, user_id: str, item_id: str, outcome: str) -> int:
    weaker = STRENGTH[: STRENGTH.index(outcome)]
    mine = (shown.c.user_id == user_id) & (shown.c.item_id == item_id)
    last = select(func.max(shown.c.id)).where(mine).scalar_subquery()
    statement = (
        update(shown)
        .where(shown.c.id == last, shown.c.outcome.is_(None) | shown.c.outcome.in_(weaker))
        .values(outcome=outcome, outcome_at=now())
    )
    return (await connection.execute(statement)).rowcount
