"""The composition root: settings in, a working assistant out. Every collaborator can be given instead of made."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool

from agent.assistant import Assistant
from agent.checkpoints import open_checkpoints
from agent.extractive import ExtractiveChatModel
from agent.graph import Graph, build_graph
from agent.guard import GuardedModel
from agent.knowledge import open_knowledge
from agent.llm import open_model
from agent.nodes import TurnNodes
from agent.settings import Settings
from agent.starters import starters
from agent.tokens import TokenCounter, fit, tool_tokens
from knowledge_base.embeddings import Embedder
from knowledge_base.errors import AttuneError
from knowledge_base.knowledge import KnowledgeBase
from tools.conversations import ConversationStore
from tools.database import open_database
from tools.toolset import toolset

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_assistant(
    settings: Settings, *, model: BaseChatModel | None = None, embedder: Embedder | None = None
) -> AsyncIterator[Assistant]:
    """An assistant on the data folder of these settings; everything that it opened is closed at the end.

    Args:
        settings: What the operator chose.
        model: Answers in place of the one that the settings name.
        embedder: Makes vectors in place of the one that the settings name.

    Raises:
        SettingsError, IndexMismatch, EmbeddingsUnavailable: what to change is in the message.
    """
    async with AsyncExitStack() as stack:
        knowledge = await asyncio.to_thread(lambda: stack.enter_context(open_knowledge(settings, embedder)))
        knowledge.require_embedder()
        warming = asyncio.create_task(_warm_up(knowledge))
        stack.push_async_callback(lambda: warming)
        saver = await stack.enter_async_context(open_checkpoints(settings.data_dir / "checkpoints.db"))
        conversations = await _open_conversations(stack, settings)
        nodes, tools = await _open_nodes(stack, settings, knowledge, conversations, model)
        assistant = Assistant(
            build_graph(nodes, tools, checkpointer=saver),
            nodes,
            conversations,
            forget_state=saver.adelete_thread,
            starters=lambda: starters(knowledge.outlines()),
            max_message_chars=settings.max_message_chars,
        )
        stack.push_async_callback(assistant.aclose)
        yield assistant


async def _warm_up(knowledge: KnowledgeBase) -> None:
    """Beside the rest of the start. What fails here fails again in a turn, which then says so to its user."""
    try:
        await asyncio.to_thread(knowledge.warm_up)
    except AttuneError as error:
        log.warning("searches will fail: %s", error)


@asynccontextmanager
async def open_graph() -> AsyncIterator[Graph]:
    """The graph alone, for LangGraph's own tools (langgraph.json), which bring their own checkpointer."""
    async with AsyncExitStack() as stack:
        settings = await asyncio.to_thread(Settings)
        knowledge = await asyncio.to_thread(lambda: stack.enter_context(open_knowledge(settings)))
        conversations = await _open_conversations(stack, settings)
        nodes, tools = await _open_nodes(stack, settings, knowledge, conversations, None)
        yield build_graph(nodes, tools)


async def _open_conversations(stack: AsyncExitStack, settings: Settings) -> ConversationStore:
    url = f"sqlite+aiosqlite:///{settings.data_dir.absolute() / 'attune.db'}"
    return ConversationStore(await stack.enter_async_context(open_database(url)))


async def _open_nodes(
    stack: AsyncExitStack,
    settings: Settings,
    knowledge: KnowledgeBase,
    conversations: ConversationStore,
    model: BaseChatModel | None,
) -> tuple[TurnNodes, list[BaseTool]]:
    tools = toolset(knowledge)
    guarded = open_model(settings, tools=tools, model=model)
    if guarded is not None:
        stack.push_async_callback(guarded.aclose)
    # The exact token table comes from OpenAI's own storage: asked only by those who talk to OpenAI anyway.
    counter = TokenCounter(settings.model, fetch=guarded is not None and settings.openai_base_url is None)
    budget = settings.model_context_tokens - settings.model_answer_tokens - tool_tokens(tools)
    nodes = TurnNodes(
        model=guarded,
        extractive=GuardedModel(ExtractiveChatModel(), tools=tools),
        conversations=conversations,
        fit=partial(fit, budget=budget, counter=counter),
        title=settings.title,
        tool_rounds=settings.tool_rounds,
        history_exchanges=settings.history_exchanges,
    )
    return nodes, tools
