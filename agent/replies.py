"""From what a turn gathered to the reply that a doorway shows and the transcript keeps."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata

from agent.citations import cited, without_markers
from agent.events import Reply, Used
from agent.extractive import MODEL_NAME
from agent.next_questions import follow_ups
from agent.quotes import quote
from knowledge_base.passage import Utterance
from tools.conversations import StoredExchange
from tools.foresight import Foresight
from tools.handoff.desk import Ticket
from tools.next_steps import NextStep
from tools.personal import MOVED, Known
from tools.sources import Found, Source
from tools.turn import TurnContext

__all__ = ["Reply", "as_utterances", "finished", "spoken", "summary", "with_next_steps"]

NEAREST = 3


def finished(context: TurnContext, messages: Sequence[AnyMessage], metadata: Mapping[str, Any]) -> Reply:
    """The reply of a turn. Its sources are those that the answer cites, each with the words that it rests on. A model
    that cites nothing has not answered from the documents, unless it says so itself (small talk); the reply then shows
    the nearest."""
    answer = context.answer
    numbers = cited(answer)
    sources = [_quoted(source, answer) for source in context.sources.named(numbers)]
    answered = bool(metadata.get("answered", bool(sources)))
    return Reply(
        answer=answer,
        sources=sources if answered else sources or context.sources.all()[:NEAREST],
        conversation_id=context.conversation_id,
        message_id=context.message_id,
        answered=answered,
        confidence=max((found.confidence for found in _found(messages)), default=0.0),
        model=context.model,
        cut=context.cut,
        notices=context.notices,
        follow_ups=_follow_ups(context, numbers) if sources and answered and not context.cut else [],
        receipt=_receipt(context, numbers, metadata),
        duration_ms=(time.perf_counter() - context.started) * 1000,
        input_tokens=sum(usage["input_tokens"] for usage in _usages(messages)),
        output_tokens=sum(usage["output_tokens"] for usage in _usages(messages)),
    )


def _usages(messages: Sequence[AnyMessage]) -> list[UsageMetadata]:
    return [message.usage_metadata for message in messages if isinstance(message, AIMessage) and message.usage_metadata]


def with_next_steps(reply: Reply, steps: Sequence[NextStep]) -> Reply:
    """The reply with what is offered after it. The receipt claims a second step only where there is one."""
    offered = len(steps) > 1
    receipt = [used for used in reply.receipt if used.value != "recommend_content" or offered]
    return reply.model_copy(update={"next_steps": list(steps), "receipt": receipt})


def _found(messages: Sequence[AnyMessage]) -> list[Found]:
    artifacts = (message.artifact for message in messages if isinstance(message, ToolMessage))
    return [artifact for artifact in artifacts if isinstance(artifact, Found)]


def _receipt(context: TurnContext, numbers: Sequence[int], metadata: Mapping[str, Any]) -> list[Used]:
    """What of the profile changed this reply: what the tools noted, and what the model did with it. A language model
    has read all of the profile; which of it changed its words cannot be known, and is not claimed."""
    known = context.known
    if known is None or not context.answer:
        return []
    shaped = [known.shaped(slot, effect) for slot, effect in metadata.get("shaped", {}).items()]
    told = [] if context.model == MODEL_NAME else known.told_to_model()
    topics = {source.topic for source in context.sources.named(numbers)}
    foreseen = context.foresight.receipt() if context.foresight else []
    noted = [used for used in context.used if used.effect != MOVED or used.value in topics]
    receipt: dict[tuple[str, str], Used] = {}
    for used in [*shaped, *noted, *foreseen, *told]:
        receipt.setdefault((used.facet, used.value), used)
    return list(receipt.values())


def _quoted(source: Source, answer: str) -> Source:
    return source.model_copy(update={"quote": quote(source, answer)})


def _follow_ups(context: TurnContext, used: Sequence[int]) -> list[str]:
    """What to ask next, of what the user cares about or will probably come to first. The receipt says where that made
    a difference."""
    asked = [*(said.text for said in context.history if said.role == "user"), context.question]
    sources = context.sources.all()
    plain = follow_ups(context.question, sources, used, asked)
    wanted = _wanted(context)
    if not wanted:
        return plain
    nearer = sorted(sources, key=lambda source: -wanted.get(source.topic or "", 0.0))
    chosen = follow_ups(context.question, nearer, used, asked)
    if chosen != plain:
        context.used.append(_because(context, nearer[0].topic or ""))
    return chosen


def _wanted(context: TurnContext) -> dict[str, float]:
    """Topic → how much it is wanted next: liked, or foreseen."""
    known, foresight = context.known, context.foresight
    liked = {one.value: one.score for one in known.likings} if known else {}
    foreseen = foresight.next_topics if foresight else {}
    return {topic: max(liked.get(topic, 0.0), foreseen.get(topic, 0.0)) for topic in (*liked, *foreseen)}


def _because(context: TurnContext, topic: str) -> Used:
    liked = context.known is not None and any(one.value == topic for one in context.known.likings)
    return Used(
        kind="preference" if liked else "prediction",
        facet="topic" if liked else "next_topics",
        value=topic,
        entry=f"You care about {topic}" if liked else f"{topic} often comes next",
        effect="Questions about it were suggested first",
    )


def spoken(reply: Reply) -> Utterance:
    """The reply as the next turn remembers it: its markers are gone, since each turn numbers its sources anew."""
    return Utterance("assistant", without_markers(reply.answer))


def as_utterances(exchange: StoredExchange) -> list[Utterance]:
    """An exchange of the transcript as the next turn remembers it."""
    reply = Reply.model_validate_json(exchange.reply)
    return [Utterance("user", exchange.question), spoken(reply)]


def summary(found: object) -> str:
    """What a tool brought, for people."""
    if isinstance(found, Known | Foresight):
        return found.summary()
    if isinstance(found, Ticket):
        return found.words
    if isinstance(found, list):
        return _count(len(found), "suggestion")
    if not isinstance(found, Found):
        return "Done"
    articles = len({source.document_id for source in found.sources})
    if not articles:
        return "Nothing found"
    return f"{_count(len(found.sources), 'passage')} from {_count(articles, 'article')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
