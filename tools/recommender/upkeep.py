"""Keeps the recommender up to date in the background: its articles those of the knowledge base, whoever ingested, and
its model that of the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from knowledge_base.passage import Document
from tools.recommender.service import Recommender

CHECK_EVERY = 30.0
"""Seconds between two looks at the knowledge base, which other processes may change too."""

SETTLED = 300.0
"""Seconds after the start until the first learning."""

log = logging.getLogger(__name__)


class Upkeep:
    """Follows a knowledge base and the log.

    Args:
        recommender: What is kept up to date.
        stamp: Changes when the documents do.
        documents: All of them.
        retrain_hours: How often to learn from the log.
    """

    def __init__(
        self,
        recommender: Recommender,
        stamp: Callable[[], str],
        documents: Callable[[], Sequence[Document]],
        *,
        retrain_hours: float,
    ) -> None:
        self._recommender = recommender
        self._stamp = stamp
        self._documents = documents
        self._seen: str | None = None
        self._retrain_every = retrain_hours * 3600
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def start(self) -> None:
        """Look at the documents now, and then again and again; learn a little later, when the start is over."""
        self._tasks = (
            asyncio.create_task(_again_and_again(self.look, CHECK_EVERY), name="articles"),
            asyncio.create_task(_again_and_again(self._retrain, self._retrain_every, first=SETTLED), name="retraining"),
        )

    async def aclose(self) -> None:
        """Stop."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def look(self) -> None:
        """Take in what has changed, with the vectors of what is new."""
        stamp = await asyncio.to_thread(self._stamp)
        if stamp != self._seen:
            await self._recommender.keep_articles(await asyncio.to_thread(self._documents))
            await self._recommender.embed_items()
            self._seen = stamp

    async def _retrain(self) -> None:
        await self._recommender.retrain()


async def _again_and_again(work: Callable[[], Awaitable[None]], seconds: float, *, first: float = 0) -> None:
    await asyncio.sleep(first)
    while True:
        try:
            await work()
        except Exception:  # the boundary of a background task: suggestions go on with what they have
            log.exception("the recommender could not be kept up to date")
        await asyncio.sleep(seconds)
