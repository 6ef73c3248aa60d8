"""What a user did until a moment, from the transcript, the ratings, the interactions and the file of users.

A question counts once: as its exchange, and where an interaction of it was logged too, with that one's topics.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import conversations, exchanges, feedback
from tools.predictor.columns import Cell
from tools.predictor.tables import user_attributes
from tools.predictor.words import WordSet, asks_for_person, word_set
from tools.profile.tables import interactions

NEWEST = 300
"""Events of a user that are looked at, the newest; more say nothing new and would slow the turn."""
IN_TURN = 60
"""The same where one user is read and an answer waits."""
WINDOW = timedelta(days=400)
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `at` is in seconds since 1970; `rating` -1 or 1 is what the reader thought of it."""

    at: float
    type: str
    key: str = ""
    words: WordSet = frozenset()
    chars: int = 0
    wants_person: bool = False
    answered: bool = True
    rating: int = 0
    rated_at: float = 0.0
    channel: str = ""
    topics: tuple[str, ...] = ()
    item_id: str | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A user's events, the earliest first, and their attributes. `known` is False for somebody never seen."""

    user_id: str
    events: tuple[Event, ...] = ()
    attributes: Mapping[str, Cell] | None = None

    @property
    def known(self) -> bool:
        return bool(self.events) or self.attributes is not None


class HistoryReader:
    """Reads histories of many users with three queries a few hundred users."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def read(self, user_ids: Sequence[str], *, now: datetime | None = None) -> dict[str, History]:
        """A history for each of these users, empty for the unknown."""
        since = (now or datetime.now(UTC)) - WINDOW
        found: dict[str, History] = {}
        async with self._engine.connect() as connection:
            for first in range(0, len(user_ids), _CHUNK):
                found |= await _read(connection, user_ids[first : first + _CHUNK], since)
        return found

    async def around(self, user_ids: Sequence[str], others: int) -> dict[str, History]:
        """The histories of these users and of some others, at most so many, which a model compares them with."""
        rest = [user for user in await self.everybody() if user not in frozenset(user_ids)]
        return await self.read([*user_ids, *rest[:: max(1, len(rest) // max(1, others))][:others]])

    async def everybody(self) -> list[str]:
        """The ids of all users who asked, acted or were loaded, in order."""
        async with self._engine.connect() as connection:
            return sorted(
                {
                    user
                    for column in (conversations.c.user_id, interactions.c.user_id, user_attributes.c.user_id)
                    for user in (await connection.execute(select(column).distinct())).scalars()
                }
            )


async def _read(connection: AsyncConnection, users: Sequence[str], since: datetime) -> dict[str, History]:
    asked: dict[str, list[Event]] = {user: [] for user in users}
    did: dict[str, list[Event]] = {user: [] for user in users}
    for row in await _rows(connection, _exchanges(users, since)):
        asked[row["user_id"]].append(_question(row))
    for row in await _rows(connection, _interactions(users, since)):
        did[row["user_id"]].append(_action(row))
    query = select(user_attributes.c.user_id, user_attributes.c.attributes).where(user_attributes.c.user_id.in_(users))
    attributes = {row["user_id"]: row["attributes"] for row in await _rows(connection, query)}
    return {user: History(user, merged(asked[user], did[user]), attributes.get(user)) for user in users}


async def _rows(connection: AsyncConnection, query: Any) -> Sequence[RowMapping]:
    return (await connection.execute(query)).mappings().all()


def _exchanges(users: Sequence[str], since: datetime) -> Any:
    query = (
        select(
            conversations.c.user_id,
            exchanges.c.message_id,
            exchanges.c.question,
            exchanges.c.channel,
            exchanges.c.answered,
            exchanges.c.created_at,
            feedback.c.rating,
            feedback.c.created_at.label("rated_at"),
        )
        .select_from(conversations.join(exchanges).outerjoin(feedback))
        .where(conversations.c.user_id.in_(users), exchanges.c.created_at >= since)
        .order_by(exchanges.c.created_at.desc())
    )
    return query.limit(IN_TURN) if len(users) == 1 else query


def _interactions(users: Sequence[str], since: datetime) -> Any:
    query = (
        select(
            interactions.c.user_id,
            interactions.c.type,
            interactions.c.item_id,
            interactions.c.metadata,
            interactions.c.keywords,
            interactions.c.created_at,
            interactions.c.idempotency_key,
        )
        .where(interactions.c.user_id.in_(users), interactions.c.created_at >= since)
        .order_by(interactions.c.id.desc())
    )
    return query.limit(IN_TURN) if len(users) == 1 else query


def _question(row: RowMapping) -> Event:
    rated_at = row["rated_at"]
    return Event(
        at=row["created_at"].timestamp(),
        type="question",
        key=row["message_id"],
        words=word_set(row["question"]),
        chars=len(row["question"]),
        wants_person=asks_for_person(row["question"]),
        answered=row["answered"],
        rating=row["rating"] or 0,
        rated_at=rated_at.timestamp() if rated_at else 0.0,
        channel=row["channel"],
    )


def _action(row: RowMapping) -> Event:
    told: Mapping[str, Any] = row["metadata"] or {}
    # A question of a conversation has its words in the transcript; here only its topics are wanted.
    text = "" if "conversation_id" in told else str(told.get("text") or told.get("query") or "")
    topics = told.get("topics") or row["keywords"] or ()
    return Event(
        at=row["created_at"].timestamp(),
        type=row["type"],
        key=str(told.get("message_id") or row["idempotency_key"]),
        words=word_set(text),
        chars=len(text),
        wants_person=asks_for_person(text),
        answered=bool(told.get("answered", True)),
        channel=str(told.get("channel") or ""),
        topics=tuple(str(topic) for topic in topics),
        item_id=row["item_id"],
    )


def merged(asked: Iterable[Event], did: Iterable[Event]) -> tuple[Event, ...]:
    """One line of events, the earliest first; an interaction that logs an exchange only gives it its topics."""
    questions = {event.key: event for event in asked}
    others = []
    for event in did:
        if event.key in questions and event.type in ("question", "conversation"):
            questions[event.key] = replace(questions[event.key], topics=event.topics)
        else:
            others.append(event)
    return tuple(sorted([*questions.values(), *others], key=lambda event: event.at))[-NEWEST:]
