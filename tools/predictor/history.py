"""What a user did until a moment, from the transcript, the ratings, the interactions and the file of users.

A question counts once: as its exchange, and where an interaction of it was logged too, with that one's topics.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Integer,
    Row,
    String,
    Text,
    bindparam,
    cast,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from tools.database import UtcDateTime, conversations, exchanges, feedback, for_single_reads
from tools.predictor.columns import Cell
from tools.predictor.tables import user_attributes
from tools.predictor.words import WordSet, asks_for_person, word_set
from tools.profile.tables import interactions

NEWEST = 300
"""Events of a user that are looked at, the newest; more say nothing new and would slow the turn."""
IN_TURN = 60
"""The same where one user is read and an answer waits."""
EVERYTHING = 2**31 - 1
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
    """Reads histories of many users with one query a few hundred users."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = for_single_reads(engine)

    async def read(self, user_ids: Sequence[str], *, now: datetime | None = None) -> dict[str, History]:
        """A history for each of these users, empty for the unknown."""
        since = (now or datetime.now(UTC)) - WINDOW
        most = IN_TURN if len(user_ids) == 1 else EVERYTHING
        found: dict[str, History] = {}
        async with self._engine.connect() as connection:
            for first in range(0, len(user_ids), _CHUNK):
                users = user_ids[first : first + _CHUNK]
                rows = await connection.execute(_HISTORIES, {"users": users, "since": since, "most": most})
                found |= _histories(users, rows)
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


# What users asked, what they did, and what a file said of them, one below the other: one trip to the database instead
# of three, in a query that is built once. `told` is an interaction's metadata, or a user's attributes.


def _unset(**columns: TypeEngine[Any]) -> list[ColumnElement[Any]]:
    return [cast(null(), type_).label(name) for name, type_ in columns.items()]


def _histories_query() -> CompoundSelect[Any]:
    users: BindParameter[Any] = bindparam("users", expanding=True)
    since: BindParameter[Any] = bindparam("since", type_=UtcDateTime())
    most: BindParameter[Any] = bindparam("most")
    # The newest exchanges are the last ones of the conversations that were continued last: not all have to be sorted.
    latest = (
        select(conversations.c.id, conversations.c.user_id, conversations.c.exchanges)
        .where(conversations.c.user_id.in_(users))
        .order_by(conversations.c.updated_at.desc())
        .limit(most)
        .subquery()
    )
    asked = (
        select(
            literal_column("'asked'", String).label("part"),
            latest.c.user_id,
            exchanges.c.message_id.label("key"),
            exchanges.c.created_at.label("at"),
            literal_column("'question'", String).label("type"),
            exchanges.c.question,
            exchanges.c.channel,
            exchanges.c.answered,
            feedback.c.rating,
            feedback.c.created_at.label("rated_at"),
            *_unset(item_id=String(), told=JSON(), keywords=JSON()),
        )
        .select_from(
            latest.join(exchanges, exchanges.c.conversation_id == latest.c.id).outerjoin(
                feedback, feedback.c.message_id == exchanges.c.message_id
            )
        )
        .where(exchanges.c.position > latest.c.exchanges - most, exchanges.c.created_at >= since)
        .order_by(exchanges.c.created_at.desc())
        .limit(most)
    )
    did = (
        select(
            literal_column("'did'", String).label("part"),
            interactions.c.user_id,
            interactions.c.idempotency_key.label("key"),
            interactions.c.created_at.label("at"),
            interactions.c.type,
            *_unset(question=Text(), channel=String(), answered=Boolean(), rating=Integer(), rated_at=UtcDateTime()),
            interactions.c.item_id,
            interactions.c.metadata.label("told"),
            interactions.c.keywords,
        )
        .where(interactions.c.user_id.in_(users), interactions.c.created_at >= since)
        .order_by(interactions.c.id.desc())
        .limit(most)
    )
    loaded = select(
        literal_column("'loaded'", String).label("part"),
        user_attributes.c.user_id,
        *_unset(key=String(), at=UtcDateTime(), type=String(), question=Text(), channel=String(), answered=Boolean()),
        *_unset(rating=Integer(), rated_at=UtcDateTime(), item_id=String()),
        user_attributes.c.attributes.label("told"),
        *_unset(keywords=JSON()),
    ).where(user_attributes.c.user_id.in_(users))
    return union_all(*(select(part.subquery()) for part in (asked, did, loaded)))


_HISTORIES = _histories_query()


def _histories(users: Sequence[str], rows: Iterable[Row[Any]]) -> dict[str, History]:
    asked: dict[str, list[Event]] = {user: [] for user in users}
    did: dict[str, list[Event]] = {user: [] for user in users}
    attributes = {}
    for row in rows:
        match row.part:
            case "asked":
                asked[row.user_id].append(_question(row))
            case "did":
                did[row.user_id].append(_action(row))
            case _:
                attributes[row.user_id] = row.told
    # They came the newest first; what happened at the same moment stays in its order.
    return {
        user: History(user, merged(reversed(asked[user]), reversed(did[user])), attributes.get(user)) for user in users
    }


def _question(row: Row[Any]) -> Event:
    return Event(
        at=row.at.timestamp(),
        type="question",
        key=row.key,
        words=word_set(row.question),
        chars=len(row.question),
        wants_person=asks_for_person(row.question),
        answered=row.answered,
        rating=row.rating or 0,
        rated_at=row.rated_at.timestamp() if row.rated_at else 0.0,
        channel=row.channel,
    )


def _action(row: Row[Any]) -> Event:
    told: Mapping[str, Any] = row.told or {}
    # A question of a conversation has its words in the transcript; here only its topics are wanted.
    text = "" if "conversation_id" in told else str(told.get("text") or told.get("query") or "")
    topics = told.get("topics") or row.keywords or ()
    return Event(
        at=row.at.timestamp(),
        type=row.type,
        key=str(told.get("message_id") or row.key),
        words=word_set(text),
        chars=len(text),
        wants_person=asks_for_person(text),
        answered=bool(told.get("answered", True)),
        channel=str(told.get("channel") or ""),
        topics=tuple(str(topic) for topic in topics),
        item_id=row.item_id,
    )


def merged(asked: Iterable[Event], did: Iterable[Event]) -> tuple[Event, ...]:
    """One line of events, the earliest first; an interaction that logs an exchange only gives it its topics, and says
    whether it was a question."""
    questions = {event.key: event for event in asked}
    others = []
    for event in did:
        if event.key in questions and event.type in ("question", "conversation"):
            said = questions[event.key]
            questions[event.key] = replace(said, type=event.type, topics=event.topics or said.topics)
        else:
            others.append(event)
    return tuple(sorted([*questions.values(), *others], key=lambda event: event.at))[-NEWEST:]
