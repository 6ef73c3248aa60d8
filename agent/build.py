"""The composition root: settings in, a working assistant out. Every collaborator can be given instead of made."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
from langchain_core.language_models import BaseChatModel
from langchain_core.tools import BaseTool
from sqlalchemy.ext.asyncio import AsyncEngine
from threadpoolctl import threadpool_limits

from agent.assistant import Assistant
from agent.checkpoints import KeepsNothing, NewestOnlySaver, open_checkpoints
from agent.extractive import ExtractiveChatModel
from agent.graph import Graph, build_graph
from agent.guard import GuardedModel
from agent.knowledge import open_configured_database, open_knowledge
from agent.llm import open_model
from agent.nodes import TurnNodes
from agent.settings import Settings
from agent.starters import starters
from agent.tokens import TokenCounter, fit, tool_tokens
from knowledge_base.embeddings import Embedder, MiniLmEmbedder, Vectors
from knowledge_base.errors import AttuneError
from knowledge_base.knowledge import KnowledgeBase
from tools.conversations import ConversationStore
from tools.handing_off import HandingOff
from tools.handoff.desk import AppriseQueue, HandoffDesk, Queue, TableQueue, WebhookQueue
from tools.learning import Learner
from tools.next_steps import NextSteps
from tools.predictor.history import HistoryReader
from tools.predictor.kumo import KumoRung
from tools.predictor.model import Rung
from tools.predictor.policy import Thresholds
from tools.predictor.service import Predictor
from tools.profile.current_topics import CurrentTopics
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import Taxonomy
from tools.recommender.cache import cache_at
from tools.recommender.service import Recommender
from tools.recommender.upkeep import Upkeep
from tools.sparing_log import SparingLog
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
        # More threads gain nothing on products this small, and each spins for a while after one: a core lost to turns.
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        knowledge = await asyncio.to_thread(lambda: stack.enter_context(open_knowledge(settings, embedder)))
        knowledge.require_embedder()
        saver = await _open_saver(stack, settings)
        stores = await _open_stores(stack, settings, knowledge)
        warming = asyncio.create_task(_warm_up(knowledge))
        stack.push_async_callback(lambda: warming)
        nodes, tools = await _open_nodes(stack, settings, knowledge, stores, model)
        assistant = Assistant(
            build_graph(nodes, tools, checkpointer=saver),
            nodes,
            conversations=stores.conversations,
            profiles=stores.profiles,
            taxonomy=stores.taxonomy,
            recommender=stores.recommender,
            predictor=stores.predictor,
            states=saver,
            follow_taxonomy=stores.topics.refresh,
            forget_questions=knowledge.forget_questions,
            starters=lambda: starters(knowledge.outlines()),
            max_message_chars=settings.max_message_chars,
        )
        stack.push_async_callback(assistant.aclose)
        yield assistant


async def _open_saver(stack: AsyncExitStack, settings: Settings) -> NewestOnlySaver | KeepsNothing:
    if settings.database_url is not None:
        return KeepsNothing()
    return await stack.enter_async_context(open_checkpoints(settings.data_dir / "checkpoints.db"))


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
        stores = await _open_stores(stack, settings, knowledge)
        nodes, tools = await _open_nodes(stack, settings, knowledge, stores, None)
        yield build_graph(nodes, tools)


@dataclass(frozen=True, slots=True)
class _Stores:
    """What a turn writes to, on one database."""

    conversations: ConversationStore
    profiles: ProfileStore
    taxonomy: Taxonomy
    topics: CurrentTopics
    recommender: Recommender
    predictor: Predictor
    learner: Learner
    handing_off: HandingOff
    lacking: SparingLog


async def _open_stores(stack: AsyncExitStack, settings: Settings, knowledge: KnowledgeBase) -> _Stores:
    engine = await stack.enter_async_context(open_configured_database(settings))
    conversations = ConversationStore(engine)
    profiles = ProfileStore(engine, half_life_days=settings.profile_half_life_days)
    taxonomy = Taxonomy(engine)
    topics = CurrentTopics(taxonomy, partial(_embed_aside, knowledge.embedder), knowledge.topics)
    topics.start()
    stack.push_async_callback(topics.aclose)
    desk = HandoffDesk(engine, _handoff_queue(settings))
    desk.start()
    stack.push_async_callback(desk.aclose)
    lacking = SparingLog()
    return _Stores(
        conversations=conversations,
        profiles=profiles,
        taxonomy=taxonomy,
        topics=topics,
        recommender=await _open_recommender(stack, settings, engine, profiles, knowledge),
        predictor=await _open_predictor(stack, settings, engine, knowledge, lacking),
        learner=Learner(conversations, profiles, topics, knowledge.embedder.embed_query),
        handing_off=HandingOff(desk, conversations),
        lacking=lacking,
    )


async def _open_recommender(
    stack: AsyncExitStack, settings: Settings, engine: AsyncEngine, profiles: ProfileStore, knowledge: KnowledgeBase
) -> Recommender:
    redis = settings.redis_url.get_secret_value() if settings.redis_url else None
    folder = settings.models_dir / "recommender"

    async def embed(texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(_embed_aside, knowledge.embedder, texts)

    recommender = Recommender(engine, profiles, folder=folder, cache=cache_at(redis), embed=embed)
    stack.push_async_callback(recommender.close)
    store = knowledge.store
    upkeep = Upkeep(recommender, store.stamp, store.documents, retrain_hours=settings.retrain_hours)
    upkeep.start()
    stack.push_async_callback(upkeep.aclose)
    return recommender


def _embed_aside(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """One text after the other on one core, so that turns keep the rest. An endpoint is asked for all at once."""
    if isinstance(embedder, MiniLmEmbedder):
        return np.stack([embedder.embed_query(text) for text in texts]) if texts else embedder.embed(texts)
    return embedder.embed(texts)


async def _open_predictor(
    stack: AsyncExitStack, settings: Settings, engine: AsyncEngine, knowledge: KnowledgeBase, lacking: SparingLog
) -> Predictor:
    rungs: list[Rung] = []
    if settings.kumo_api_key is not None:
        rungs.append(KumoRung(HistoryReader(engine).around, api_key=settings.kumo_api_key.get_secret_value()))
    predictor = Predictor(
        engine,
        settings.models_dir / "predictor",
        thresholds=Thresholds(
            act_above=settings.predict_act_above,
            discounts=settings.offer_discounts,
            messages=settings.send_messages,
        ),
        rungs=rungs,
        deadline=settings.predict_deadline,
        taxonomy=knowledge.topics,
        lacking=lacking,
    )
    await predictor.open()
    predictor.start()
    stack.push_async_callback(predictor.aclose)
    return predictor


def _handoff_queue(settings: Settings) -> Queue:
    if settings.handoff_webhook is not None:
        token = settings.handoff_webhook_token
        return WebhookQueue(settings.handoff_webhook, token=token.get_secret_value() if token else None)
    return AppriseQueue(settings.handoff_urls) if settings.handoff_urls else TableQueue()


async def _open_nodes(
    stack: AsyncExitStack,
    settings: Settings,
    knowledge: KnowledgeBase,
    stores: _Stores,
    model: BaseChatModel | None,
) -> tuple[TurnNodes, list[BaseTool]]:
    tools = toolset(knowledge, stores.profiles, stores.predictor, stores.recommender, stores.handing_off)
    guarded = open_model(settings, tools=tools, model=model)
    if guarded is not None:
        stack.push_async_callback(guarded.aclose)
    # The exact token table comes from OpenAI's own storage: asked only by those who talk to OpenAI anyway.
    counter = TokenCounter(settings.model, fetch=guarded is not None and not settings.openai_base_url)
    budget = settings.model_context_tokens - settings.model_answer_tokens - tool_tokens(tools)
    next_steps = NextSteps(stores.recommender, lacking=stores.lacking)
    stack.push_async_callback(next_steps.aclose)
    nodes = TurnNodes(
        model=guarded,
        extractive=GuardedModel(ExtractiveChatModel(), tools=tools),
        conversations=stores.conversations,
        learner=stores.learner,
        next_steps=next_steps,
        fit=partial(fit, budget=budget, counter=counter),
        title=settings.title,
        tool_rounds=settings.tool_rounds,
        history_exchanges=settings.history_exchanges,
    )
    return nodes, tools
