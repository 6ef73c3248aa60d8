"""Every tool that the model may call. What the model must not choose (who asks, which conversation) is injected."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from langchain_core.tools import BaseTool, tool
from langgraph.prebuilt import ToolRuntime

from knowledge_base.passage import Passage, SearchResult, Utterance
from tools.sources import Found, fenced
from tools.turn import TurnContext

ARTICLE_CHARS = 12_000


class Search(Protocol):
    """The part of the knowledge base that the tools need."""

    def search(self, query: str, *, history: Sequence[Utterance] = (), limit: int = 6) -> SearchResult: ...

    def article(self, document_id: str) -> Sequence[Passage]: ...


def toolset(knowledge: Search) -> list[BaseTool]:
    """The tools, bound to a knowledge base."""

    @tool(response_format="content_and_artifact")
    async def search_knowledge_base(query: str, runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, Found]:
        """Search the company's documents.

        Args:
            query: What to look for, as a self-contained question or key words.
        """
        context = runtime.context
        history = context.history if query == context.question else ()
        result = await asyncio.to_thread(knowledge.search, query, history=history)
        found = context.sources.register(result)
        return found.as_text(), found

    @tool
    async def open_article(source: int, runtime: ToolRuntime[TurnContext, Any]) -> str:
        """Read the whole article that a passage comes from, when the passage alone is not enough.

        Args:
            source: The number of the passage.
        """
        named = runtime.context.sources.named([source])
        if not named:
            return f"There is no passage {source}; search first."
        passages = await asyncio.to_thread(knowledge.article, named[0].document_id)
        text = "\n\n".join(passage.text for passage in passages)[:ARTICLE_CHARS]
        return fenced(named[0], text)

    return [search_knowledge_base, open_article]


TITLES = {
    "search_knowledge_base": "Searching the documents",
    "open_article": "Reading the article",
}
"""What each tool does, for people."""
