"""Keeps the recommender up to date in the background: its articles those of the knowledge base, whoever ingested, and
its model that of the log."""

import asyncio
from collections.abc import Callable, Sequence

from knowledge_base.passage import Document
from tools.recommender.service import Recommender
from tools.rounds import Rounds

CHECK_EVERY = 30.0
"""Seconds between two looks at the knowledge base, which other processes may change too."""

SETTLED = 300.0
"""Seconds after the start until the first learning."""


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
        self._rounds = (
            Rounds(self.look, every=CHECK_EVERY, name="suggestions follow the articles"),
            Rounds(
                recommender.retrain, every=retrain_hours * 3600, first=SETTLED, name="suggestions learn from the log"
            ),
        )

    def start(self) -> None:
        """Look at the documents now, and then again and again; learn a little later, when the start is over."""
        for one in self._rounds:
            one.start()

    async def aclose(self) -> None:
        """Stop."""
        await asyncio.gather(*(one.aclose() for one in self._rounds))

    async def look(self) -> None:
        """Take in what has changed, with the vectors of what is new."""
        stamp = await asyncio.to_thread(self._stamp)
        if stamp != self._seen:
            await self._recommender.keep_articles(await asyncio.to_thread(self._documents))
            await self._recommender.embed_items()
            self._seen = stamp
