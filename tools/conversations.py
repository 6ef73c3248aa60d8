"""The transcript: every exchange of every conversation, kept apart from the bounded state that a turn works with.

Each query takes the user's id, so that one user can neither read nor change another's conversation.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from knowledge_base.errors import AttuneError
from tools.database import conversations, exchanges, feedback, now, upsert

TITLE_CHARS = 80


class NotTheirs(AttuneError):
    """A write into a conversation of another user was refused."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the list of conversations."""

    id: str
    title: str
    created_at: datetime
    updated_at: datetime
    exchanges: int
    last_message_id: str | None
    learning: bool = True


@dataclass(frozen=True, slots=True)
class StoredExchange:
    """A question with its reply as JSON, and the reader's rating (-1, 1, or None)."""

    message_id: str
    question: str
    reply: str
    created_at: datetime
    rating: int | None


class ConversationStore:
    """Conversations in a database; every write is one transaction, of which `append` may be a part."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, user_id: str, conversation_id: str) -> Conversation | None:
        """This user's conversation, or None: never somebody else's."""
        query = select(conversations).where(conversations.c.id == conversation_id, conversations.c.user_id == user_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else _conversation(dict(row))

    async def of_user(self, user_id: str, limit: int) -> list[Conversation]:
        """This user's conversations, the latest first."""
        query = (
            select(conversations)
            .where(conversations.c.user_id == user_id)
            .order_by(conversations.c.updated_at.desc(), conversations.c.id)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            return [_conversation(dict(row)) for row in (await connection.execute(query)).mappings()]

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For `append`, and for what is to be stored with the exchange or not at all. Leaving it commits."""
        return self._engine.begin()

    async def ids(self, user_id: str) -> list[str]:
        """Every conversation of this user."""
        query = select(conversations.c.id).where(conversations.c.user_id == user_id)
        async with self._engine.connect() as connection:
            return list((await connection.execute(query)).scalars())

    async def append(
        self,
        connection: AsyncConnection,
        user_id: str,
        conversation_id: str,
        message_id: str,
        *,
        question: str,
        reply: str,
        channel: str,
        answered: bool = True,
        learning: bool = True,
    ) -> None:
        """Add one exchange, and its conversation if this is the first, inside the caller's transaction.

        The conversation's row comes first: writing it takes its lock, so that two exchanges at once get two positions.
        `learning` is what a new conversation starts with.
        """
        time = now()
        new = {
            "id": conversation_id,
            "user_id": user_id,
            "title": _title(question),
            "created_at": time,
            "learning": learning,
        }
        position = await self._count_one(connection, new, message_id, time)
        await connection.execute(
            exchanges.insert(),
            {
                "message_id": message_id,
                "conversation_id": conversation_id,
                "position": position,
                "channel": channel,
                "question": question,
                "reply": reply,
                "answered": answered,
                "created_at": time,
            },
        )

    async def _count_one(
        self, connection: AsyncConnection, conversation: dict[str, Any], message_id: str, time: datetime
    ) -> int:
        """Make the conversation or count one exchange more; the count is the new exchange's position."""
        new = upsert(connection, conversations).values(
            **conversation, updated_at=time, exchanges=1, last_message_id=message_id
        )
        counted = new.on_conflict_do_update(
            index_elements=[conversations.c.id],
            set_={
                "exchanges": conversations.c.exchanges + 1,
                "updated_at": time,
                "last_message_id": message_id,
            },
            where=conversations.c.user_id == conversation["user_id"],
        ).returning(conversations.c.exchanges)
        count: int | None = (await connection.execute(counted)).scalar()
        if count is None:
            raise NotTheirs(f"Conversation {conversation['id']!r} belongs to another user.")
        return count

    async def transcript(self, conversation_id: str, *, last: int | None = None) -> list[StoredExchange]:
        """The exchanges in order; only the newest `last` of them when given."""
        query = (
            select(exchanges, feedback.c.rating)
            .select_from(exchanges.outerjoin(feedback))
            .where(exchanges.c.conversation_id == conversation_id)
            .order_by(exchanges.c.position.desc())
            .limit(last)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [
            StoredExchange(row["message_id"], row["question"], row["reply"], row["created_at"], row["rating"])
            for row in reversed(rows)
        ]

    async def set_learning(self, user_id: str, conversation_id: str, learning: bool) -> bool:
        """Whether this conversation may teach anything from now on. False when this user has no such conversation."""
        statement = (
            update(conversations)
            .where(conversations.c.id == conversation_id, conversations.c.user_id == user_id)
            .values(learning=learning)
        )
        async with self._engine.begin() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def delete(self, user_id: str, conversation_id: str) -> list[str] | None:
        """Remove a conversation with its exchanges and ratings: their message ids. None when this user has no such
        conversation."""
        owned = conversations.c.id == conversation_id, conversations.c.user_id == user_id
        messages = select(exchanges.c.message_id).where(exchanges.c.conversation_id == conversation_id)
        async with self._engine.begin() as connection:
            # A write first: on SQLite a transaction that began by reading can't always go on to write.
            if not (await connection.execute(update(conversations).where(*owned).values(updated_at=now()))).rowcount:
                return None
            gone = list((await connection.execute(messages)).scalars())
            await connection.execute(delete(conversations).where(*owned))
        return gone

    async def rewind(self, conversation_id: str, message_id: str) -> list[str]:
        """Remove this exchange and all that came after it; their message ids, none when there is no such exchange."""
        of_conversation = exchanges.c.conversation_id == conversation_id
        async with self._engine.begin() as connection:
            at = (
                await connection.execute(
                    select(exchanges.c.position).where(of_conversation, exchanges.c.message_id == message_id)
                )
            ).scalar()
            if at is None:
                return []
            doomed = delete(exchanges).where(of_conversation, exchanges.c.position >= at)
            gone = list((await connection.execute(doomed.returning(exchanges.c.message_id))).scalars())
            last = (
                await connection.execute(
                    select(exchanges.c.message_id).where(of_conversation, exchanges.c.position == at - 1)
                )
            ).scalar()
            await connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id)
                .values(exchanges=conversations.c.exchanges - len(gone), updated_at=now(), last_message_id=last)
            )
        return gone

    async def rate(self, user_id: str, message_id: str, rating: int, comment: str) -> bool:
        """Keep what the reader thought of an answer; 0 withdraws it. False when the answer is not this user's."""
        owned = (
            select(exchanges.c.message_id)
            .join(conversations)
            .where(exchanges.c.message_id == message_id, conversations.c.user_id == user_id)
        )
        async with self._engine.begin() as connection:
            if (await connection.execute(owned)).first() is None:
                return False
            await connection.execute(delete(feedback).where(feedback.c.message_id == message_id))
            if rating:
                await connection.execute(
                    insert(feedback).values(message_id=message_id, rating=rating, comment=comment, created_at=now())
                )
        return True


def _conversation(row: dict[str, object]) -> Conversation:
    row.pop("user_id")
    return Conversation(**row)  # type: ignore[arg-type]


def _title(question: str) -> str:
    line = " ".join(question.split())
    return line if len(line) <= TITLE_CHARS else line[:TITLE_CHARS].rsplit(maxsplit=1)[0] + "…"
