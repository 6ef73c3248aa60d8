"""Every tool that the model may call. What the model must not choose (who asks, which conversation) is injected."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from langchain_core.tools import BaseTool, tool
from langgraph.prebuilt import ToolRuntime
from numpy.typing import NDArray

from knowledge_base.passage import Passage, SearchResult, Utterance
from tools.foresight import Foresight
from tools.handoff.desk import Ticket
from tools.next_steps import NextStep, as_text, steps_of
from tools.personal import Known
from tools.predictor.service import Forecast
from tools.profile.model import FactTold, Profile, Slot
from tools.profile.told import verified
from tools.recommender.suggestion import SuggestionList
from tools.sources import Found, fenced
from tools.turn import TurnContext

ARTICLE_CHARS = 12_000
NOT_LEARNING = "Nothing was kept: this user has switched learning off."
NOT_SAID = (
    "Nothing was kept: the quote must stand word for word in the user's last message, said about themselves, and "
    "support the value."
)


class Search(Protocol):
    """The part of the knowledge base that the tools need."""

    def search(
        self,
        query: str,
        *,
        history: Sequence[Utterance] = (),
        limit: int = 6,
        prefer: Mapping[str, float] | None = None,
    ) -> SearchResult: ...

    def article(self, document_id: str) -> Sequence[Passage]: ...


class Profiles(Protocol):
    """The part of the profile store that the tools need."""

    async def read(self, user_id: str) -> Profile: ...


class Foresees(Protocol):
    """The part of the predictor that the tools need."""

    async def foresee(
        self, user_id: str, *, question: str = "", channel: str = "", message_id: str | None = None
    ) -> Forecast: ...


class Suggests(Protocol):
    """The part of the recommender that the tools need."""

    async def about(
        self, user_id: str, query: NDArray[np.float32], *, count: int = 3, leave_out: Iterable[str] = ()
    ) -> SuggestionList: ...

    async def vector(self, text: str) -> NDArray[np.float32] | None: ...

    async def recommend(self, user_id: str, *, count: int = 10, log: bool = True) -> SuggestionList: ...


class HandsOff(Protocol):
    """Gives a conversation to a person."""

    async def hand_off(self, context: TurnContext) -> Ticket: ...


def toolset(
    knowledge: Search, profiles: Profiles, predictor: Foresees, recommender: Suggests, desk: HandsOff
) -> list[BaseTool]:
    """The tools, bound to what they work on."""
    return [
        _get_profile(profiles),
        _predict_needs(profiles, predictor),
        _search_knowledge_base(knowledge, profiles),
        _open_article(knowledge),
        _recommend_content(recommender),
        remember,
        _hand_off(desk),
    ]


def _get_profile(profiles: Profiles) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def get_profile(runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, Known | None]:
        """Recall what is known of the user who asks: what they told, what they care about, what they asked lately."""
        known = await runtime.context.knowing(profiles.read)
        if known is None:
            return "This reply is to be made without the user's profile.", None
        return known.as_text(), known

    return get_profile


def _predict_needs(profiles: Profiles, predictor: Foresees) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def predict_needs(runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, Foresight | None]:
        """Foresee what the user who asks probably needs beside the answer."""
        context = runtime.context
        known = await context.known_or_none(profiles.read)
        if known is None or not (context.learning and known.profile.learning):
            return "Nothing is foreseen: answer as usual.", None
        forecast = await predictor.foresee(
            context.user_id, question=context.question, channel=context.channel, message_id=context.message_id
        )
        context.foresight = Foresight(forecast)
        return context.foresight.as_text(), context.foresight

    return predict_needs


def _search_knowledge_base(knowledge: Search, profiles: Profiles) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def search_knowledge_base(query: str, runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, Found]:
        """Search the company's documents.

        Args:
            query: What to look for, as a self-contained question or key words.
        """
        context = runtime.context
        history = context.before.get(query, ())
        known = await context.known_or_none(profiles.read)
        prefer = known.prefer if known else None
        result = await asyncio.to_thread(knowledge.search, query, history=history, prefer=prefer)
        found = context.sources.register(result)
        if query == next(iter(context.before), None):
            context.vector = result.vector
        if known:
            context.used.extend(known.moved(found.ahead()))
        return found.as_text(), found

    return search_knowledge_base


def _open_article(knowledge: Search) -> BaseTool:
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

    return open_article


def _recommend_content(recommender: Suggests) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def recommend_content(about: str, runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, list[NextStep]]:
        """Find what is worth reading or watching next for this user, when they ask for suggestions.

        Args:
            about: What the suggestions should be about; empty for whatever suits the user.
        """
        context = runtime.context
        vector = await recommender.vector(about) if about.strip() and context.personal else None
        if vector is not None:
            listed = await recommender.about(context.user_id, vector)
        else:  # "" is nobody: what is good for everyone
            listed = await recommender.recommend(
                context.user_id if context.personal else "", count=3, log=context.personal
            )
        steps = steps_of(listed)
        return as_text(steps) or "There is nothing to suggest.", steps

    return recommend_content


@tool
async def remember(slot: Slot, value: str, quote: str, runtime: ToolRuntime[TurnContext, Any]) -> str:
    """Keep a lasting fact that the user has just told about themselves. Only what they said in so many words.

    Args:
        slot: What the fact is about.
        value: The fact, in a few words.
        quote: The user's own words that say it, copied exactly from their last message.
    """
    context = runtime.context
    if not context.learning:
        return NOT_LEARNING
    if not verified(slot, value, quote, context.question):
        return NOT_SAID
    context.remembered.append(FactTold(slot, value, quote))
    return f"Kept: {slot} is {value}."


def _hand_off(desk: HandsOff) -> BaseTool:
    @tool(response_format="content_and_artifact")
    async def hand_off(runtime: ToolRuntime[TurnContext, Any]) -> tuple[str, Ticket]:
        """Hand this conversation over to a person of the support team, when the user asks for one or agrees to it."""
        ticket = await desk.hand_off(runtime.context)
        return ticket.words, ticket

    return hand_off


TITLES = {
    "get_profile": "Recalling what you told",
    "predict_needs": "Foreseeing what you need",
    "search_knowledge_base": "Searching the documents",
    "open_article": "Reading the article",
    "recommend_content": "Looking for what is worth your time",
    "remember": "Keeping what you told",
    "hand_off": "Handing over to a person",
}
"""What each tool does, for people."""
