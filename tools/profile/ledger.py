"""The evidence ledger: why something is believed of a user, in the order in which it counted.

An entry is known by its fingerprint (what it says, the message or action that said it, the words), so that the same
evidence counts once, also when it comes twice at once, and an undone entry stays undone: it keeps its place, and
neither the message nor the same words can bring it back.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, literal, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.database import upsert
from tools.profile.model import TAG_FACET, Evidence, Kind, Lessons, Source, key_of
from tools.profile.tables import evidence, mutes

_SHOWN = (
    "id",
    "kind",
    "facet",
    "value",
    "weight",
    "quote",
    "source",
    "interaction_id",
    "message_id",
    "created_at",
    "retracted_at",
)
COLUMNS = [evidence.c[name] for name in _SHOWN]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where entries come from: a message, an action, or the user's own hand in their profile."""

    name: str
    at: datetime
    source: Source
    interaction_id: int | None = None
    message_id: str | None = None


def entries(user_id: str, lessons: Lessons, origin: Origin) -> list[dict[str, Any]]:
    """The rows that these lessons ask for, one for each thing that they say."""
    rows = (
        {
            "user_id": user_id,
            "kind": kind,
            "facet": facet,
            "value": value,
            "weight": weight,
            "quote": quote,
            "source": source,
            "interaction_id": origin.interaction_id,
            "message_id": origin.message_id,
            "fingerprint": _digest(kind, facet, key_of(value), origin.name, quote),
            "words": _digest(kind, facet, key_of(value), key_of(quote)) if quote else None,
            "created_at": origin.at,
        }
        for kind, facet, value, weight, quote, source in _said(lessons, origin.source)
    )
    return list({row["fingerprint"]: row for row in rows}.values())


def _said(lessons: Lessons, source: Source) -> Iterator[tuple[Kind, str, str, float, str, Source]]:
    for signal in lessons.signals:
        if signal.weight:
            yield "preference", signal.facet, signal.value, signal.weight, signal.quote, source
    for tag in lessons.tags:
        yield "tag", TAG_FACET, tag.name, tag.confidence, tag.quote, tag.source
    for fact in lessons.facts:
        yield "fact", fact.slot, fact.value, 1.0, fact.quote, source


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


async def write(
    connection: AsyncConnection, user_id: str, rows: Sequence[dict[str, Any]], *, corrected: bool
) -> list[Evidence]:
    """Add those entries that are new and neither muted nor undone; they come back with their ids, in their order.

    `corrected` says whether this user ever muted or undid anything: without it there is nothing to look up.
    """
    muted, undone = await _refused(connection, user_id) if corrected else (set(), set())
    wanted = [row for row in rows if (row["facet"], key_of(row["value"])) not in muted and row["words"] not in undone]
    if not wanted:
        return []
    statement = upsert(connection, evidence).on_conflict_do_nothing(
        index_elements=[evidence.c.user_id, evidence.c.fingerprint]
    )
    added = await connection.execute(statement.returning(*COLUMNS), wanted)
    return sorted((entry_of(row) for row in added), key=lambda entry: entry.id)


async def _refused(connection: AsyncConnection, user_id: str) -> tuple[set[tuple[str, str]], set[str]]:
    """What the user muted, and the words whose reading they undid."""
    query = union_all(
        select(mutes.c.facet, mutes.c.value_key, null().label("words")).where(mutes.c.user_id == user_id),
        select(literal(""), literal(""), evidence.c.words).where(
            evidence.c.user_id == user_id, evidence.c.retracted_at.is_not(None), evidence.c.words.is_not(None)
        ),
    )
    rows = (await connection.execute(query)).all()
    muted = {(facet, key) for facet, key, words in rows if words is None}
    return muted, {words for _, _, words in rows if words is not None}


async def read(
    connection: AsyncConnection, user_id: str, *where: ColumnElement[bool], limit: int | None = None
) -> list[Evidence]:
    """A user's entries, the newest first."""
    query = select(*COLUMNS).where(evidence.c.user_id == user_id, *where).order_by(evidence.c.id.desc()).limit(limit)
    return [entry_of(row) for row in await connection.execute(query)]


async def standing(connection: AsyncConnection, user_id: str, *where: ColumnElement[bool]) -> list[Evidence]:
    """The entries that count, in the order in which they count."""
    return (await read(connection, user_id, evidence.c.retracted_at.is_(None), *where))[::-1]


async def retract(
    connection: AsyncConnection, user_id: str, at: datetime, *where: ColumnElement[bool]
) -> list[Evidence]:
    """Take entries back; those come back that stood until now."""
    statement = (
        update(evidence)
        .where(evidence.c.user_id == user_id, evidence.c.retracted_at.is_(None), *where)
        .values(retracted_at=at)
        .returning(*COLUMNS)
    )
    return [entry_of(row) for row in await connection.execute(statement)]


async def withdraw(connection: AsyncConnection, user_id: str, message_ids: Collection[str]) -> list[Evidence]:
    """Remove what these messages said; those come back that counted. What was undone stays so, without its words."""
    theirs = evidence.c.user_id == user_id, evidence.c.message_id.in_(message_ids)
    undone = update(evidence).where(*theirs, evidence.c.retracted_at.is_not(None)).values(quote="")
    await connection.execute(undone)
    statement = delete(evidence).where(*theirs, evidence.c.retracted_at.is_(None)).returning(*COLUMNS)
    return [entry_of(row) for row in await connection.execute(statement)]


def entry_of(row: Any) -> Evidence:
    """An entry from a row of COLUMNS."""
    return Evidence(*row)
