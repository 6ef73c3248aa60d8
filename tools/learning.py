"""What a finished turn leaves behind, in one transaction: the exchange, the interaction, and what both teach."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from tools.conversations import ConversationStore
from tools.profile.current_topics import CurrentTopics
from tools.profile.lessons import EmbedOne, lessons_of
from tools.profile.model import Evidence, Interaction, Lessons
from tools.profile.store import ProfileStore
from tools.receipts import Learnt
from tools.sources import Source
from tools.turn import TurnContext

log = logging.getLogger(__name__)


class Learner:
    """Writes turns. `embed` gives the unit vector of a text."""

    def __init__(
        self,
        conversations: ConversationStore,
        profiles: ProfileStore,
        topics: CurrentTopics,
        embed: EmbedOne,
    ) -> None:
        self._conversations = conversations
        self._profiles = profiles
        self._topics = topics
        self._embed = embed

    async def keep(
        self, context: TurnContext, reply: str, grounding: Sequence[Source], *, answered: bool
    ) -> list[Learnt]:
        """Store the exchange, with its reply as JSON, and learn from what the user wrote in it.

        `grounding` is what the answer rests on: it tells how relevant a topic was, never that there is one. When this
        raises, nothing of the turn was written.
        """
        lessons = await self._lessons(context, grounding) if _may_learn(context) else None
        async with self._conversations.transaction() as connection:
            await self._conversations.append(
                connection,
                context.user_id,
                context.conversation_id,
                context.message_id,
                question=context.question,
                reply=reply,
                channel=context.channel,
                answered=answered,
                learning=context.learning,
            )
            if lessons is None:
                return []
            learned = await self._profiles.learn(
                connection, context.user_id, _question(context, lessons), lessons, message_id=context.message_id
            )
        await self._profiles.changed(context.user_id)
        return [learnt(one) for one in learned.evidence]

    async def _lessons(self, context: TurnContext, grounding: Sequence[Source]) -> Lessons:
        """What the question teaches. A fault in here costs the lesson, never the exchange."""
        muted = context.known.profile.muted if context.known else ()
        try:
            lessons = await asyncio.to_thread(
                lessons_of,
                context.question,
                context.vector,
                model=self._topics(),
                grounding=[(source.topic, source.score) for source in grounding if source.topic],
                replies=[one.text for one in context.history if one.role == "assistant"],
                muted=muted,
                embed=self._embed,
            )
        except Exception:  # the boundary: learning is worth less than the transcript
            log.exception("nothing was learned from message %s", context.message_id)
            return Lessons()
        signals = [replace(one, facet=self._topics.facet_of(one.value)) for one in lessons.signals]
        found = {(fact.slot, fact.value) for fact in lessons.facts}
        kept = [fact for fact in context.remembered if (fact.slot, fact.value) not in found]
        return replace(lessons, signals=signals, facts=[*lessons.facts, *kept])


def _may_learn(context: TurnContext) -> bool:
    """Neither this conversation nor, as far as it was read, the user's profile is switched off; the store has the last
    word."""
    return context.learning and (context.known is None or context.known.profile.learning)


def _question(context: TurnContext, lessons: Lessons) -> Interaction:
    """The message as the log keeps it, a question or small talk; the predictor counts its topics."""
    topics = [one.value for one in lessons.signals if one.weight > 0]
    about = {
        "text": context.question,
        "conversation_id": context.conversation_id,
        "message_id": context.message_id,
        "topics": topics,
    }
    return Interaction("question" if context.asks else "conversation", metadata=about)


def learnt(one: Evidence) -> Learnt:
    """An entry of the ledger, as a turn tells what it added."""
    return Learnt(kind=one.kind, facet=one.facet, value=one.value, quote=one.quote, weight=one.weight)
