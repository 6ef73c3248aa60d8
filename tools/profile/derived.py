"""What follows from the evidence: preferences, tags and facts, as rows.

`apply` brings the rows up to date with new entries, by one upsert a table. `derive` computes the same rows from the
whole ledger, for a rebuild and for what is left after an undo. The ledger's order decides in both.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, case, delete, insert, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import upsert
from tools.profile import ledger
from tools.profile.model import Evidence, key_of
from tools.profile.preferences import Standing, move, row
from tools.profile.tables import evidence, facts, preferences, user_tags

Insert = sqlite.Insert | postgresql.Insert
Target = tuple[str, str, str]
"""What entries speak of: their kind, facet, and the value (its key for a tag, nothing for a fact: a slot has one)."""


class Derived:
    """Keeps what follows from the ledger. The statements are made once: making them costs more than running them."""

    def __init__(self, engine: AsyncEngine, half_life: timedelta) -> None:
        self._half_life = half_life
        self._move = move(engine, half_life)
        self._tag = _tag_upsert(engine)
        self._fact = _fact_upsert(engine)

    async def apply(self, connection: AsyncConnection, user_id: str, entries: Sequence[Evidence]) -> None:
        """Let new entries of the ledger count."""
        of_kind: dict[str, list[Evidence]] = {"preference": [], "tag": [], "fact": []}
        for entry in entries:
            of_kind[entry.kind].append(entry)
        if moves := of_kind["preference"]:
            rows = [row(user_id, one.facet, one.value, one.weight, one.created_at.timestamp()) for one in moves]
            await connection.execute(self._move, rows)
        if tags := of_kind["tag"]:
            await connection.execute(self._tag, [tag_row(user_id, [one]) for one in tags])
        if told := of_kind["fact"]:
            await connection.execute(self._fact, [fact_row(user_id, one) for one in told])

    async def recompute(self, connection: AsyncConnection, user_id: str, targets: Collection[Target]) -> None:
        """Make again what rested on entries that are gone."""
        for kind, facet, value in targets:
            about = [evidence.c.kind == kind, evidence.c.facet == facet]
            if kind == "preference":
                about.append(evidence.c.value == value)
            standing = await ledger.standing(connection, user_id, *about)
            left = [entry for entry in standing if target(entry) == (kind, facet, value)]
            await self._replace(connection, user_id, derive(user_id, left, self._half_life), only=(kind, facet, value))

    async def rebuild(self, connection: AsyncConnection, user_id: str) -> None:
        """Make everything again from the ledger."""
        standing = await ledger.standing(connection, user_id)
        await self._replace(connection, user_id, derive(user_id, standing, self._half_life), only=None)

    async def _replace(self, connection: AsyncConnection, user_id: str, rows: "Rows", *, only: Target | None) -> None:
        """Put these rows where the old ones of the target (or all of them) were. A tag that stays keeps its id."""
        kept = [one["name_key"] for one in rows.tags]
        for table, spare in ((preferences, None), (facts, None), (user_tags, user_tags.c.name_key.not_in(kept))):
            where = _of_target(table, only)
            if where is not None:
                await connection.execute(
                    delete(table).where(table.c.user_id == user_id, *where, *([] if spare is None else [spare]))
                )
        if rows.preferences:
            await connection.execute(insert(preferences), rows.preferences)
        if rows.facts:
            await connection.execute(insert(facts), rows.facts)
        if rows.tags:
            await connection.execute(_tag_set(connection), rows.tags)


@dataclass(slots=True)
class Rows:
    """Rows for the three tables."""

    preferences: list[dict[str, Any]] = field(default_factory=list)
    tags: list[dict[str, Any]] = field(default_factory=list)
    facts: list[dict[str, Any]] = field(default_factory=list)


def derive(user_id: str, standing: Sequence[Evidence], half_life: timedelta) -> Rows:
    """The rows that follow from entries in ledger order."""
    rows = Rows()
    of_target: dict[Target, list[Evidence]] = {}
    for entry in standing:
        of_target.setdefault(target(entry), []).append(entry)
    for (kind, facet, value), entries in of_target.items():
        if kind == "tag":
            rows.tags.append(tag_row(user_id, entries))
        elif kind == "fact":
            rows.facts.append(fact_row(user_id, entries[-1]))
        else:
            rows.preferences.append(_preference_row(user_id, facet, value, entries, half_life))
    return rows


def target(entry: Evidence) -> Target:
    """What an entry speaks of."""
    values = {"tag": key_of(entry.value), "fact": ""}
    return entry.kind, entry.facet, values.get(entry.kind, entry.value)


def _preference_row(
    user_id: str, facet: str, value: str, entries: Sequence[Evidence], half_life: timedelta
) -> dict[str, Any]:
    known = Standing()
    for entry in entries:
        known = known.moved(entry.weight, entry.created_at.timestamp(), half_life)
    return {
        "user_id": user_id,
        "facet": facet,
        "value": value,
        "score": known.score,
        "evidence": known.evidence,
        "seen_at": known.seen_at,
    }


def tag_row(user_id: str, entries: Sequence[Evidence]) -> dict[str, Any]:
    """A tag as its entries make it: spelled as it came first, sure as its best evidence, the user's own if they ever
    typed it."""
    manual = any(entry.source == "manual" for entry in entries)
    return {
        "user_id": user_id,
        "name": entries[0].value,
        "name_key": key_of(entries[0].value),
        "manual": manual,
        "source": "manual" if manual else entries[0].source,
        "confidence": max(entry.weight for entry in entries),
        "interactions": len(entries),
        "updated_at": max(entry.created_at for entry in entries),
    }


def fact_row(user_id: str, entry: Evidence) -> dict[str, Any]:
    """The current value of a slot."""
    return {
        "user_id": user_id,
        "slot": entry.facet,
        "value": entry.value,
        "quote": entry.quote,
        "evidence_id": entry.id,
        "told_at": entry.created_at,
    }


def _tag_upsert(engine: AsyncEngine) -> Insert:
    """`tag_row` with one entry more, in SQL."""
    statement = upsert(engine, user_tags)
    known, new = user_tags.c, statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[known.user_id, known.name_key],
        set_={
            "manual": or_(known.manual, new.manual),
            "source": case((new.manual, new.source), else_=known.source),
            "confidence": case((new.confidence > known.confidence, new.confidence), else_=known.confidence),
            "interactions": known.interactions + 1,
            "updated_at": case((new.updated_at > known.updated_at, new.updated_at), else_=known.updated_at),
        },
    )


def _tag_set(connection: AsyncConnection) -> Insert:
    statement = upsert(connection, user_tags)
    same = {"user_id", "name_key"}
    new = {column.name: statement.excluded[column.name] for column in user_tags.c if column.name not in {"id", *same}}
    return statement.on_conflict_do_update(index_elements=[user_tags.c.user_id, user_tags.c.name_key], set_=new)


def _fact_upsert(engine: AsyncEngine) -> Insert:
    """The later entry of a slot supersedes the earlier; the ledger keeps both."""
    statement = upsert(engine, facts)
    new = {name: statement.excluded[name] for name in ("value", "quote", "evidence_id", "told_at")}
    return statement.on_conflict_do_update(index_elements=[facts.c.user_id, facts.c.slot], set_=new)


def _of_target(table: Table, only: Target | None) -> list[ColumnElement[bool]] | None:
    """Which rows of a table a target means: all without one; None where it means none of this table."""
    if only is None:
        return []
    kind, facet, value = only
    if table is preferences and kind == "preference":
        return [table.c.facet == facet, table.c.value == value]
    if table is user_tags and kind == "tag":
        return [table.c.name_key == value]
    if table is facts and kind == "fact":
        return [table.c.slot == facet]
    return None
