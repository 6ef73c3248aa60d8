"""Gives what belongs to one user to another, and back.

The rows of a person's accounts all carry the person's id, so that everything that reads by user id, and forgetting,
needs to know nothing of links. `row_origins` says whose a row is in truth: noted when a row is moved, when an account
other than the person's own begins a conversation, and, from the conversation, for what was learned in it.
"""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, String, Table, cast, exists, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.database import conversations, exchanges, upsert
from tools.handoff.tables import handoffs
from tools.identities.tables import row_origins as origins
from tools.predictor.tables import predictions
from tools.profile.store import ProfileStore
from tools.profile.tables import evidence, interactions, mutes, profiles
from tools.recommender.tables import shown


@dataclass(frozen=True, slots=True)
class Moved:
    """A table whose rows go with their user. `once` is a column that a user has each value of once: where both have
    it, the row stays. `message` names the message that a row comes from."""

    table: Table
    once: str | None = None
    message: ColumnElement[bool] | None = None


MOVED = (
    Moved(conversations),
    Moved(
        interactions,
        once="idempotency_key",
        message=interactions.c.idempotency_key == interactions.c.type + ":" + exchanges.c.message_id,
    ),
    Moved(evidence, once="fingerprint", message=evidence.c.message_id == exchanges.c.message_id),
    Moved(predictions, message=predictions.c.message_id == exchanges.c.message_id),
    Moved(handoffs, message=handoffs.c.message_id == exchanges.c.message_id),
    Moved(shown),
)


class RowOwnership:
    """Moves rows between users; what follows from them is made again by the profiles."""

    def __init__(self, profiles: ProfileStore) -> None:
        self._profiles = profiles

    async def merge(self, connection: AsyncConnection, from_user: str, into_user: str) -> None:
        """Give all that `from_user` has to `into_user`. Their choices hold for both: what one muted stays muted, and
        nothing is learned of a person who switched learning off anywhere."""
        await self._note_origins(connection, from_user)
        for moved in MOVED:
            await self._move(connection, moved, from_user, into_user)
        await self._unite_choices(connection, from_user, into_user)

    async def split(self, connection: AsyncConnection, from_user: str, members: frozenset[str], to_user: str) -> None:
        """Give `to_user` what `from_user` has and what came from `members`; choices stay with both."""
        await self._note_origins(connection, from_user)
        for moved in MOVED:
            await self._move(connection, moved, from_user, to_user, _came_from(moved.table, members))
        await self._unite_choices(connection, from_user, to_user)

    async def changed(self, *user_ids: str) -> None:
        """Make anew what is believed of these users."""
        for user_id in user_ids:
            await self._profiles.rebuild(user_id)

    async def _note_origins(self, connection: AsyncConnection, user_id: str) -> None:
        """Say of every row of this user whose it is: what came from an account's conversation is that account's, the
        rest the user's own."""
        for moved in MOVED:
            if moved.message is not None:
                await _note(connection, _in_noted_conversation(moved.table, moved.message, user_id))
            await _note(connection, _rows(moved.table, literal(user_id), user_id))

    async def _move(
        self,
        connection: AsyncConnection,
        moved: Moved,
        from_user: str,
        to_user: str,
        *which: ColumnElement[bool],
    ) -> None:
        table = moved.table
        where = [table.c.user_id == from_user, *which]
        if moved.once is not None:
            theirs = table.alias("theirs")
            same = exists().where(theirs.c.user_id == to_user, theirs.c[moved.once] == table.c[moved.once])
            where.append(~same)
        await connection.execute(update(table).where(*where).values(user_id=to_user))

    async def _unite_choices(self, connection: AsyncConnection, one: str, other: str) -> None:
        """Let what `one` chose hold for `other`, too."""
        chosen = select(literal(other), *(column for column in mutes.c if column.name != "user_id"))
        names = ["user_id", *(column.name for column in mutes.c if column.name != "user_id")]
        copied = upsert(connection, mutes).from_select(names, chosen.where(mutes.c.user_id == one))
        await connection.execute(copied.on_conflict_do_nothing())
        kept = (await connection.execute(select(profiles).where(profiles.c.user_id == one))).mappings().first()
        if kept is None:
            return
        row = upsert(connection, profiles).values({**kept, "user_id": other, "interactions": 0})
        await connection.execute(
            row.on_conflict_do_update(
                index_elements=[profiles.c.user_id],
                set_={
                    "learning": profiles.c.learning & row.excluded.learning,
                    "corrected": profiles.c.corrected | row.excluded.corrected,
                },
            )
        )


def _rows(table: Table, origin: ColumnElement[str], user_id: str) -> Select[str, str, str]:
    name = literal(table.name, String)
    return select(name, cast(table.c.id, String(64)), origin).where(table.c.user_id == user_id)


def _in_noted_conversation(table: Table, message: ColumnElement[bool], user_id: str) -> Select[str, str, str]:
    """The user's rows that come from a message in a conversation whose account is known."""
    noted = origins.alias("noted")
    of_conversation = (noted.c.table_name == conversations.name) & (noted.c.row_id == exchanges.c.conversation_id)
    joined = table.join(exchanges, message).join(noted, of_conversation)
    return _rows(table, noted.c.user_id, user_id).select_from(joined)


async def _note(connection: AsyncConnection, rows: Select[str, str, str]) -> None:
    """Note origins where none is known: the first note is the true one."""
    noted = upsert(connection, origins).from_select(["table_name", "row_id", "user_id"], rows)
    await connection.execute(noted.on_conflict_do_nothing())


def _came_from(table: Table, members: frozenset[str]) -> ColumnElement[bool]:
    return exists().where(
        origins.c.table_name == table.name,
        origins.c.row_id == cast(table.c.id, String(64)),
        origins.c.user_id.in_(sorted(members)),
    )
