"""START HERE for profiles: what is read, learned, recorded, corrected and forgotten of a user.

Everything that is believed follows from an append-only ledger (ledger.py); preferences, tags and facts are kept beside
it for reading (derived.py) and can be made again at any time. Every write takes the user's row first.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.database import for_single_reads, now, upsert
from tools.profile import held, ledger
from tools.profile.activity import Activity, activity
from tools.profile.derived import Derived, Insert, target
from tools.profile.errors import ProfileInputInvalid
from tools.profile.held import Forgotten
from tools.profile.ledger import Origin
from tools.profile.model import (
    TAG_FACET,
    VALUE_CHARS,
    Evidence,
    Facets,
    FactTold,
    Interaction,
    Learned,
    Lessons,
    Muted,
    Profile,
    Recorded,
    Signal,
    Tag,
    TagSeen,
    key_of,
    plain,
)
from tools.profile.personas import Rule, load_rules, persona_finder
from tools.profile.preferences import action_weight
from tools.profile.reading import PROFILE, parameters, profile_of
from tools.profile.tables import evidence, facts, interactions, mutes, preferences, profiles, user_tags

VALUES_PER_FACET = 10
"""Of an item's thirty actors the first ten are what it is about."""
CLOCKS_APART = timedelta(minutes=5)
"""How far ahead of ours the clock of whoever reports an action may go."""


Tell = Callable[[str], Awaitable[None]]
"""Hears that this user's profile changed."""


class FacetsOf(Protocol):
    """Says what items are about: the catalogue does."""

    def __call__(self, item_ids: Collection[str], /) -> Awaitable[Mapping[str, Facets]]: ...


class ProfileStore:
    """Profiles in a database.

    Args:
        engine: A migrated database.
        half_life_days: After how many days a preference counts half.
        rules: For personas; those in personas.yaml unless given.
        clock: The time now, aware.

    `changed` is told after each change but those of `learn`, whose caller commits and tells: whoever keeps something
    that is made of profiles sets it.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        half_life_days: float = 90,
        rules: Sequence[Rule] | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._engine = engine
        self._reading = for_single_reads(engine)
        self._half_life = timedelta(days=half_life_days)
        self._personas = persona_finder(load_rules() if rules is None else rules)
        self._clock = clock
        self._derived = Derived(engine, self._half_life)
        self.changed: Tell = _nobody

    async def read(self, user_id: str) -> Profile:
        """What is known of a user now; of a stranger, an empty profile. One query."""
        asked = parameters(user_id, self._clock(), self._half_life.total_seconds())
        # A reader who goes away while a connection is being prepared would lose it: its pool never gets it back.
        return profile_of(user_id, await asyncio.shield(self._rows(asked)), self._personas)

    async def _rows(self, asked: Mapping[str, Any]) -> Sequence[Row[Any]]:
        async with self._reading.connect() as connection:
            return (await connection.execute(PROFILE, asked)).all()

    async def learn(
        self,
        connection: AsyncConnection,
        user_id: str,
        interaction: Interaction,
        lessons: Lessons,
        *,
        message_id: str | None = None,
    ) -> Learned:
        """Keep an interaction and what it teaches, in the caller's transaction, whose commit makes it true.

        Nothing is written when the user switched learning off, or when the interaction's key (else the message) was
        learned from before. What they muted or undid is not learned. The transaction must have begun with a write:
        on SQLite one that read first can't always go on to write.
        """
        if interaction.key is None and message_id is not None:
            interaction = replace(interaction, key=f"{interaction.type}:{message_id}")
        if (corrected := await self._take(connection, user_id, adding=1)) is None:
            return Learned()
        ids = await self._log(connection, user_id, [interaction])
        if not ids:
            return Learned()
        ((key, interaction_id),) = ids.items()
        origin = Origin(message_id or key, interaction.at or self._clock(), "conversation", interaction_id, message_id)
        return Learned(interaction_id, await self._believe(connection, user_id, lessons, origin, corrected))

    async def record(self, user_id: str, done: Sequence[Interaction], *, facets_of: FacetsOf | None = None) -> Recorded:
        """Keep actions, and let each count for everything that its item is about.

        Args:
            done: In the order in which they happened; a key that was seen before is not counted again.
            facets_of: Says what items are about; without it nothing is learned from them.
        """
        acted = {one.item_id for one in done if one.item_id is not None and action_weight(one)}
        facets = await facets_of(sorted(acted)) if facets_of and acted else {}
        done = [one if one.key else replace(one, key=uuid4().hex) for one in done]
        async with self._changing(user_id) as connection:
            if not done or (corrected := await self._take(connection, user_id, adding=len(done))) is None:
                return Recorded(0, 0)
            ids = await self._log(connection, user_id, done)
            rows = [row for one in done for row in self._taught(user_id, one, ids.get(one.key or ""), facets)]
            learned = await self._write(connection, user_id, rows, corrected)
        return Recorded(len(ids), len(done) - len(ids), learned)

    def _taught(
        self, user_id: str, one: Interaction, interaction_id: int | None, facets: Mapping[str, Facets]
    ) -> list[dict[str, Any]]:
        """What an action that is new in the log teaches."""
        about = facets.get(one.item_id or "")
        if interaction_id is None or about is None:
            return []
        origin = Origin(one.key or "", one.at or self._clock(), "activity", interaction_id)
        return ledger.entries(user_id, _lessons_of_action(about, action_weight(one)), origin)

    async def remember(self, user_id: str, fact: FactTold, *, message_id: str) -> Learned:
        """Keep a fact that the user told; whoever calls has found its quote in the user's own words."""
        origin = Origin(message_id, self._clock(), "conversation", None, message_id)
        async with self._changing(user_id) as connection:
            if (corrected := await self._take(connection, user_id)) is None:
                return Learned()
            return Learned(None, await self._believe(connection, user_id, Lessons(facts=[fact]), origin, corrected))

    async def interactions(self, user_id: str, limit: int = 100) -> list[tuple[int, Interaction]]:
        """What a user did, the latest first, with ids."""
        query = (
            select(interactions)
            .where(interactions.c.user_id == user_id)
            .order_by(interactions.c.id.desc())
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [(row["id"], _interaction(dict(row))) for row in (await connection.execute(query)).mappings()]

    async def activity(self, user_id: str, *, items: int = 20) -> Activity:
        """How often a user did what, and to which items; at most so many `items` are named."""
        async with self._engine.connect() as connection:
            return await activity(connection, user_id, items=items)

    async def evidence(
        self, user_id: str, *, facet: str | None = None, value: str | None = None, limit: int | None = None
    ) -> list[Evidence]:
        """Why something is believed, the newest first; undone entries too, marked. A fact's history is its slot's."""
        where = [] if facet is None else [evidence.c.facet == facet]
        async with self._engine.connect() as connection:
            found = await ledger.read(connection, user_id, *where, limit=limit if value is None else None)
        return [one for one in found if value is None or key_of(one.value) == key_of(value)][:limit]

    async def taught(self, user_id: str, message_ids: Collection[str]) -> list[Evidence]:
        """What these messages taught and the user has not undone, in the order in which it was learned."""
        async with self._engine.connect() as connection:
            return await ledger.standing(connection, user_id, evidence.c.message_id.in_(message_ids))

    async def undo(self, user_id: str, evidence_id: int) -> Evidence | None:
        """Take an entry back and recompute what rested on it; None when the user has no such entry that stands."""
        async with self._changing(user_id) as connection:
            taken = await self._retract(connection, user_id, [evidence_id])
        return taken[0] if taken else None

    async def withdraw(self, user_id: str, message_ids: Collection[str]) -> None:
        """Unsay messages that the user took back: they leave the log, and what they taught goes with them. Said again,
        the same words teach again."""
        keys = [f"question:{message_id}" for message_id in message_ids]
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id)
            gone = await ledger.withdraw(connection, user_id, message_ids)
            await self._derived.recompute(connection, user_id, {target(entry) for entry in gone})
            theirs = interactions.c.user_id == user_id, interactions.c.idempotency_key.in_(keys)
            count = (await connection.execute(delete(interactions).where(*theirs))).rowcount
            less = {"interactions": profiles.c.interactions - count}
            await connection.execute(update(profiles).where(profiles.c.user_id == user_id).values(less))

    async def mute(self, user_id: str, facet: str, value: str) -> Muted:
        """Neither learn nor use this until it is unmuted: a preference's facet and value, "tag" and a name, or a
        slot and a value."""
        muted = Signal(facet, value, 0)  # cleaned and checked like what it silences
        row = {"user_id": user_id, "facet": muted.facet, "value": muted.value, "value_key": key_of(muted.value)}
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id, corrected=True)
            await connection.execute(
                upsert(connection, mutes).values(**row, created_at=self._clock()).on_conflict_do_nothing()
            )
        return Muted(muted.facet, muted.value)

    async def unmute(self, user_id: str, facet: str, value: str) -> bool:
        """Allow it again, with what was known before. False when it was not muted."""
        statement = delete(mutes).where(
            mutes.c.user_id == user_id, mutes.c.facet == facet, mutes.c.value_key == key_of(value)
        )
        async with self._changing(user_id) as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def add_tags(self, user_id: str, names: Sequence[str]) -> list[Tag]:
        """Give the user tags of their own making, also with learning off or over a mute: this is not learned, but said.
        The tags of these names come back."""
        tags = {key_of(tag.name): tag for tag in (TagSeen(name, 1.0, source="manual") for name in names)}
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id)
            theirs = (user_tags.c.user_id == user_id, user_tags.c.manual, user_tags.c.name_key.in_(tags))
            known = set((await connection.execute(select(user_tags.c.name_key).where(*theirs))).scalars())
            muted = (mutes.c.user_id == user_id, mutes.c.facet == TAG_FACET, mutes.c.value_key.in_(tags))
            await connection.execute(delete(mutes).where(*muted))
            new = Lessons(tags=[tag for key, tag in tags.items() if key not in known])
            await self._believe(connection, user_id, new, Origin(uuid4().hex, self._clock(), "manual"), corrected=False)
        return [tag for tag in (await self.read(user_id)).tags if key_of(tag.name) in tags]

    async def remove_tags(self, user_id: str, tag_ids: Collection[int]) -> int:
        """Take tags away, and undo what speaks for them. How many there were."""
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id)
            theirs = (user_tags.c.user_id == user_id, user_tags.c.id.in_(tag_ids))
            keys = set((await connection.execute(select(user_tags.c.name_key).where(*theirs))).scalars())
            standing = await ledger.standing(connection, user_id, evidence.c.facet == TAG_FACET)
            await self._retract(connection, user_id, [one.id for one in standing if key_of(one.value) in keys])
        return len(keys)

    async def set_learning(self, user_id: str, on: bool) -> None:
        """Switch learning: off means that nothing more is kept of what they do and say; what is known stays."""
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id, learning=on)

    async def rebuild(self, user_id: str) -> Profile:
        """Make preferences, tags and facts again from the ledger, and count the interactions again."""
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id)
            await self._derived.rebuild(connection, user_id)
            logged = select(func.count()).where(interactions.c.user_id == user_id).scalar_subquery()
            await connection.execute(update(profiles).where(profiles.c.user_id == user_id).values(interactions=logged))
        return await self.read(user_id)

    async def reset(self, user_id: str) -> dict[str, int]:
        """Begin again as with a stranger: rows removed by table. Conversations stay, and so do the user's choices (what
        is muted, whether to learn)."""
        async with self._changing(user_id) as connection:
            await self._take_anyway(connection, user_id)
            removed = {
                table.name: (await connection.execute(delete(table).where(table.c.user_id == user_id))).rowcount
                for table in (preferences, user_tags, facts, evidence, interactions)
            }
            await connection.execute(update(profiles).where(profiles.c.user_id == user_id).values(interactions=0))
        return removed

    async def export(self, user_id: str) -> dict[str, list[dict[str, Any]]]:
        """Everything that the database holds of the user, by table, as JSON can hold it."""
        async with self._engine.connect() as connection:
            return await held.export(connection, user_id)

    async def forget(self, user_id: str) -> Forgotten:
        """Delete everything that the database holds of the user, conversations included, and count it."""
        return await held.forget(self._engine, user_id)

    @asynccontextmanager
    async def _changing(self, user_id: str) -> AsyncIterator[AsyncConnection]:
        """One transaction; after its commit `changed` is told."""
        async with self._engine.begin() as connection:
            yield connection
        await self.changed(user_id)

    async def _take(self, connection: AsyncConnection, user_id: str, *, adding: int = 0) -> bool | None:
        """Take the user's row, so that their writes come one after the other, and count interactions. Says whether they
        ever corrected anything; None when they switched learning off: then nothing is taken or written."""
        statement = self._row(connection, user_id).on_conflict_do_update(
            index_elements=[profiles.c.user_id],
            set_={"interactions": profiles.c.interactions + adding, "updated_at": self._clock()},
            where=profiles.c.learning,
        )
        taken = await connection.execute(statement.values(interactions=adding).returning(profiles.c.corrected))
        corrected: bool | None = taken.scalar()
        return corrected

    async def _take_anyway(self, connection: AsyncConnection, user_id: str, **changed: bool) -> None:
        """Take the user's row also with learning off, for what they do to their profile themselves; `changed` are
        columns to set."""
        statement = self._row(connection, user_id).values(**changed)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[profiles.c.user_id], set_={"updated_at": self._clock(), **changed}
            )
        )

    def _row(self, connection: AsyncConnection, user_id: str) -> Insert:
        time = self._clock()
        return upsert(connection, profiles).values(
            user_id=user_id, learning=True, corrected=False, interactions=0, created_at=time, updated_at=time
        )

    async def _log(self, connection: AsyncConnection, user_id: str, done: Sequence[Interaction]) -> dict[str, int]:
        """Append to the log; the ids by key of those that are new. The others are taken off the count again."""
        time = self._clock()
        rows = {row["idempotency_key"]: row for row in (_row_of(user_id, one, time) for one in done)}
        statement = upsert(connection, interactions).on_conflict_do_nothing(
            index_elements=[interactions.c.user_id, interactions.c.idempotency_key]
        )
        added = await connection.execute(
            statement.returning(interactions.c.idempotency_key, interactions.c.id), list(rows.values())
        )
        ids = {row.idempotency_key: row.id for row in added}
        if repeated := len(done) - len(ids):
            fewer = update(profiles).where(profiles.c.user_id == user_id)
            await connection.execute(fewer.values(interactions=profiles.c.interactions - repeated))
        return ids

    async def _believe(
        self, connection: AsyncConnection, user_id: str, lessons: Lessons, origin: Origin, corrected: bool
    ) -> tuple[Evidence, ...]:
        return await self._write(connection, user_id, ledger.entries(user_id, lessons, origin), corrected)

    async def _write(
        self, connection: AsyncConnection, user_id: str, rows: Sequence[dict[str, Any]], corrected: bool
    ) -> tuple[Evidence, ...]:
        """Add to the ledger and let what is new count."""
        if not rows:
            return ()
        added = await ledger.write(connection, user_id, rows, corrected=corrected)
        await self._derived.apply(connection, user_id, added)
        return tuple(added)

    async def _retract(self, connection: AsyncConnection, user_id: str, ids: Collection[int]) -> list[Evidence]:
        await self._take_anyway(connection, user_id, corrected=True)
        taken = await ledger.retract(connection, user_id, self._clock(), evidence.c.id.in_(ids))
        await self._derived.recompute(connection, user_id, {target(entry) for entry in taken})
        return taken


async def _nobody(user_id: str) -> None:
    """Where nothing is kept that is made of profiles."""


def _lessons_of_action(facets: Facets, weight: float) -> Lessons:
    """An action on an item counts for everything that the item is about."""
    return Lessons(
        [
            Signal(facet, value[:VALUE_CHARS], weight)
            for facet, values in facets.items()
            for value in values[:VALUES_PER_FACET]
            if plain(value).strip()
        ]
    )


def _row_of(user_id: str, one: Interaction, time: datetime) -> dict[str, Any]:
    at = one.at or time
    if at > time + CLOCKS_APART:
        raise ProfileInputInvalid("at", f"Expected a time that has come, got {at.isoformat()}.")
    return {
        "user_id": user_id,
        "type": one.type,
        "item_id": one.item_id,
        "rating": one.rating,
        "metadata": dict(one.metadata),
        "keywords": list(one.keywords),
        "created_at": at,
        "idempotency_key": one.key or uuid4().hex,
    }


def _interaction(row: Mapping[str, Any]) -> Interaction:
    return Interaction(
        type=row["type"],
        item_id=row["item_id"],
        rating=row["rating"],
        metadata=row["metadata"],
        keywords=tuple(row["keywords"]),
        at=row["created_at"],
        key=row["idempotency_key"],
    )
