"""Which conversations a thread of a chat platform is made of: one for each stretch in which one person spoke."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now, upsert
from tools.doorways.tables import doorway_threads as threads


@dataclass(frozen=True, slots=True)
class Stretch:
    """A conversation that belongs to a thread, and the account that speaks in it, as 'slack:T1:U1'."""

    conversation_id: str
    account: str


class ThreadStore:
    """Threads by a key that names their place: 'slack:team:channel:thread'."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def stretches(self, thread: str, *, last: int = 20) -> list[Stretch]:
        """The newest conversations of this thread, in the order in which they were last spoken in."""
        query = (
            select(threads.c.conversation_id, threads.c.user_id)
            .where(threads.c.thread == thread)
            .order_by(threads.c.spoken_at.desc(), threads.c.id.desc())
            .limit(last)
        )
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        return [Stretch(*row) for row in reversed(rows)]

    async def spoke(self, thread: str, conversation_id: str, account: str) -> None:
        """Note that this account speaks in this conversation, which is now the thread's newest."""
        time = now()
        async with self._engine.begin() as connection:
            new = upsert(connection, threads).values(
                thread=thread, conversation_id=conversation_id, user_id=account, spoken_at=time
            )
            await connection.execute(
                new.on_conflict_do_update(index_elements=[threads.c.conversation_id], set_={"spoken_at": time})
            )
