"""The composition root: settings in, a working assistant out. Every collaborator can be given instead of made."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from langchain_core.language_models import BaseChatModel

from agent.assistant import Assistant
from agent.checkpoints import open_checkpoints
from agent.graph import build_graph
from agent.settings import Settings
from knowledge_base.embeddings import Embedder, open_embedder
from knowledge_base.knowledge import KnowledgeBase, open_knowledge_base
from tools.toolset import toolset


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
        knowledge = stack.enter_context(open_knowledge(settings, embedder))
        conversations = await _open_conversations(stack, settings)
        saver = await stack.enter_async_context(open_checkpoints(settings.data_dir / "checkpoints.db"))
        nodes = _nodes(settings, knowledge, conversations, model)
        assistant = Assistant(
            build_graph(nodes, toolset(knowledge), checkpointer=saver),
            nodes,
            conversations,
            forget_state=saver.adelete_thread,
            starters=knowledge.starters,
            max_message_chars=settings.max_message_chars,
        )
        stack.push_async_callback(assistant.aclose)
        yield assistant


def open_knowledge(settings: Settings, embedder: Embedder | None = None) -> "AbstractContextManager[KnowledgeBase]":
    """The knowledge base of these settings, for searches and for ingest."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    key = settings.embeddings_api_key or settings.openai_api_key
    return open_knowledge_base(
        settings.data_dir,
        embedder
        or open_embedder(
            settings.embeddings,
            base_url=settings.embeddings_base_url or settings.openai_base_url,
            api_key=key.get_secret_value() if key else None,
        ),
    )
