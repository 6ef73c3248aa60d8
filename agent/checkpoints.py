"""LangGraph's SQLite saver, keeping only the newest checkpoint of a conversation.

The stock saver keeps every checkpoint, each with the whole state, so that a long conversation's database grows with the
square of its length. What a reader may want back is in the transcript; the state is only what the next turn needs.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

OLDER = "WHERE thread_id = ? AND checkpoint_ns = ? AND checkpoint_id < ?"


class NewestOnlySaver(AsyncSqliteSaver):
    """Deletes a thread's older checkpoints as soon as a newer one is saved."""

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save this checkpoint and drop those before it."""
        saved = await super().aput(config, checkpoint, metadata, new_versions)
        place = saved["configurable"]
        older = (place["thread_id"], place["checkpoint_ns"], place["checkpoint_id"])
        async with self.lock:
            for table in ("checkpoints", "writes"):
                await self.conn.execute(f"DELETE FROM {table} {OLDER}", older)  # noqa: S608 (two fixed names)
            await self.conn.commit()
        return saved

    async def held(self, thread_ids: Collection[str]) -> int:
        """How many of these conversations have a state."""
        count = 0
        async with self.lock:
            for thread_id in thread_ids:
                query = "SELECT EXISTS (SELECT 1 FROM checkpoints WHERE thread_id = ?)"
                row = await (await self.conn.execute(query, (thread_id,))).fetchone()
                count += row[0] if row else 0
        return count


class KeepsNothing(BaseCheckpointSaver[str]):
    """For processes that share a database: each turn makes its state from the transcript, with one query.

    A state in a file of one process would be of an older turn whenever another process answered in between, and would
    outlive a user whom another process forgot.
    """

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:  # noqa: ARG002
        """There is none."""
        return None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,  # noqa: ARG002
        metadata: CheckpointMetadata,  # noqa: ARG002
        new_versions: ChannelVersions,  # noqa: ARG002
    ) -> RunnableConfig:
        """Keep nothing."""
        return config

    async def aput_writes(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""

    async def adelete_thread(self, thread_id: str) -> None:
        """Nothing is there."""

    async def held(self, thread_ids: Collection[str]) -> int:  # noqa: ARG002
        """None."""
        return 0


@asynccontextmanager
async def open_checkpoints(path: Path) -> AsyncIterator[NewestOnlySaver]:
    """The saver on this file. Commits are not flushed one by one: a lost state is rebuilt from the transcript."""
    async with NewestOnlySaver.from_conn_string(str(path)) as saver:
        assert isinstance(saver, NewestOnlySaver)  # noqa: S101 (the constructor is typed as its parent)
        await saver.setup()
        await saver.conn.execute("PRAGMA synchronous=NORMAL")
        await saver.conn.execute("PRAGMA busy_timeout=10000")
        yield saver
