"""The topic model of the taxonomy as it stands: learned again, in the background, when the taxonomy has changed."""

import asyncio
from collections.abc import Callable, Iterable

from tools.profile.taxonomy import Taxonomy
from tools.profile.topics import Embed, TopicModel, fit_topics
from tools.rounds import Rounds

CHECK_EVERY = 30.0
"""Seconds between two looks at the taxonomy, which other processes may change too."""


class CurrentTopics:
    """Gives the model at once, and sees that it follows the taxonomy.

    Args:
        taxonomy: Where the entries are.
        embed: Makes vectors of their texts.
        of_articles: The topics that the documents carry; they enter the taxonomy by themselves.
    """

    def __init__(self, taxonomy: Taxonomy, embed: Embed, of_articles: Callable[[], Iterable[str]]) -> None:
        self._taxonomy = taxonomy
        self._embed = embed
        self._of_articles = of_articles
        self._model = fit_topics((), embed)
        self._categories: dict[str, str] = {}
        self._version: str | None = None
        self._rounds = Rounds(self.refresh, every=CHECK_EVERY, name="topics follow the taxonomy")

    def start(self) -> None:
        """Look at the taxonomy now, and then again and again."""
        self._rounds.start()

    def __call__(self) -> TopicModel:
        """The model; one that knows no topic until the first has been learned. Never waits."""
        return self._model

    def facet_of(self, name: str) -> str:
        """Under which facet liking this entry is kept: its category, such as "topic" or "skill"."""
        return self._categories.get(name, "topic")

    async def refresh(self) -> None:
        """Follow the taxonomy now, as after an edit that somebody waits to see at work."""
        await self._taxonomy.ensure_topics(await asyncio.to_thread(self._of_articles))
        version = await self._taxonomy.version()
        if version != self._version:
            entries = await self._taxonomy.entries()
            self._model = await asyncio.to_thread(fit_topics, entries, self._embed)
            self._categories = {entry.name: entry.category for entry in entries}
            self._version = version

    async def aclose(self) -> None:
        """Stop looking."""
        await self._rounds.aclose()
