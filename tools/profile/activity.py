"""What a user's log adds up to: how often they did what, and to which items."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.profile.tables import interactions


@dataclass(frozen=True, slots=True)
class OnItem:
    """What was done to one item: how often, and when last."""

    item_id: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """A user's log in numbers; of a stranger, zeros.

    Attributes:
        by_type: Type → how often, the most frequent first.
        average_rating: 0 to 10; None without ratings.
        items: Those that most was done to, first the most.
    """

    total: int
    by_type: Mapping[str, int]
    average_rating: float | None
    first_at: datetime | None
    last_at: datetime | None
    items: tuple[OnItem, ...]


async def activity(connection: AsyncConnection, user_id: str, *, items: int) -> Activity:
    """Count a user's interactions; at most so many `items` are named."""
    columns, mine = interactions.c, interactions.c.user_id == user_id
    count, first, last = func.count(), func.min(columns.created_at), func.max(columns.created_at)
    types = await connection.execute(
        select(columns.type, count, first, last).where(mine).group_by(columns.type).order_by(count.desc(), columns.type)
    )
    done = types.all()
    rated = await connection.execute(select(func.avg(columns.rating)).where(mine, columns.rating.is_not(None)))
    on_items = await connection.execute(
        select(columns.item_id, count, last)
        .where(mine, columns.item_id.is_not(None))
        .group_by(columns.item_id)
        .order_by(count.desc(), last.desc(), columns.item_id)
        .limit(items)
    )
    return Activity(
        total=sum(row[1] for row in done),
        by_type={row[0]: row[1] for row in done},
        average_rating=rated.scalar(),
        first_at=min((row[2] for row in done), default=None),
        last_at=max((row[3] for row in done), default=None),
        items=tuple(OnItem(*row) for row in on_items),
    )
