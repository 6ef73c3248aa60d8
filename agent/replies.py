"""From what a turn gathered to the reply that a doorway shows and the transcript keeps."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AnyMessage, ToolMessage

from agent.citations import cited, without_markers
from agent.compose import follow_ups
from agent.events import Reply
from agent.quotes import quote
from knowledge_base.passage import Utterance
from tools.conversations import StoredExchange
from tools.sources import Found, Source
from tools.turn import TurnContext

__all__ = ["Reply", "as_utterances", "finished", "spoken", "summary"]

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
        duration_ms=(time.perf_counter() - context.started) * 1000,
    )


def _found(messages: Sequence[AnyMessage]) -> list[Found]:
    artifacts = (message.artifact for message in messages if isinstance(message, ToolMessage))
    return [artifact for artifact in artifacts if isinstance(artifact, Found)]


def _quoted(source: Source, answer: str) -> Source:
    return source.model_copy(update={"quote": quote(source, answer)})


def _follow_ups(context: TurnContext, used: Sequence[int]) -> list[str]:
    asked = [said.text for said in context.history if said.role == "user"]
    return follow_ups(context.question, context.sources.all(), used, [*asked, context.question])


def spoken(reply: Reply) -> Utterance:
    """The reply as the next turn remembers it: its markers are gone, since each turn numbers its sources anew."""
    return Utterance("assistant", without_markers(reply.answer))


def as_utterances(exchange: StoredExchange) -> list[Utterance]:
    """An exchange of the transcript as the next turn remembers it."""
    reply = Reply.model_validate_json(exchange.reply)
    return [Utterance("user", exchange.question), spoken(reply)]


def summary(found: object) -> str:
    """What a tool brought, for people."""
    if not isinstance(found, Found):
        return "Done"
    articles = len({source.document_id for source in found.sources})
    if not articles:
        return "Nothing found"
    return f"{_count(len(found.sources), 'passage')} from {_count(articles, 'article')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
