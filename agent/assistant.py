"""START HERE: the one face of Attune. Every doorway makes a Turn and renders the events that come back.

    async with open_assistant(Settings()) as assistant:                     # agent/build.py
        async for event in assistant.stream(Turn("ada", "How does escrow work?")):
            ...

What happens in between is agent/graph.py.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, cast

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig

from agent.errors import ConversationNotFound, EmptyMessage, MessageNotText, MessageTooLong, TurnFailed
from agent.events import WENT_WRONG, Event, Failed, NoticeCode, Replied, Reply, TurnStarted
from agent.graph import Graph
from agent.in_order import InOrder
from agent.nodes import TurnNodes
from agent.presence import Presence
from knowledge_base.passage import Utterance
from tools.background import Background
from tools.conversations import Conversation, ConversationStore, StoredExchange
from tools.pool import DatabaseBusy
from tools.predictor.service import Predictor
from tools.profile.held import Forgotten
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import Taxonomy
from tools.recommender.service import Recommender
from tools.turn import TurnContext, new_id

__all__ = ["Assistant", "Conversation", "Exchange", "Forgotten", "Turn", "Watch"]

log = logging.getLogger(__name__)

BUSY = "busy"
"""The code of Failed where every connection to the database stayed in use."""
STATES = "conversation_states"
"""What the working states of conversations, which are in no table, are called when they are counted."""


class States(Protocol):
    """Where the graph keeps the conversations' working states (agent/checkpoints.py)."""

    async def adelete_thread(self, thread_id: str) -> None: ...

    async def held(self, thread_ids: Collection[str]) -> int: ...


_LONG_RUN = re.compile(r"(\s{100})\s+|([^\w\s]{100})[^\w\s]+")


def _without_long_runs(text: str) -> str:
    """The text with no more than a hundred blanks or signs in a row: more of them say nothing, and the patterns by
    which a message is understood would take seconds for thousands."""
    return _LONG_RUN.sub(r"\1\2", text)


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a user. `conversation_id` None starts a conversation; `history` then seeds it, for callers that
    keep the conversation themselves.

    `personal` False answers without the user's profile, `public` True says that others read along (a shared channel):
    the reply then uses no personal facts. `learning` False writes nothing about the user but the transcript.
    `account` says who spoke where links between accounts made `user_id` of it, as 'slack:T1:U1'; else it is empty.
    """

    user_id: str
    text: str
    conversation_id: str | None = None
    channel: str = "api"
    history: tuple[Utterance, ...] = ()
    public: bool = False
    personal: bool = True
    learning: bool = True
    account: str = ""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and its reply as the transcript holds them; `rating` is -1, 1 or None."""

    message_id: str
    question: str
    reply: Reply
    created_at: datetime
    rating: int | None


Watch = Callable[[Turn, AsyncGenerator[Event]], AsyncGenerator[Event]]
"""Sees a turn's events on their way to the doorway, and how they end; it passes on every one, and closes them."""


class Assistant:
    """Runs turns and keeps their transcripts. Safe for many turns at once; those of one conversation queue up.

    `profiles` and `taxonomy` are what doorways show and correct; `profiles` takes the verified user id, and after an
    edit of the taxonomy `follow_taxonomy` has the next turn use it.
    """

    watch: Watch | None = None

    def __init__(
        self,
        graph: Graph,
        nodes: TurnNodes,
        *,
        conversations: ConversationStore,
        profiles: ProfileStore,
        taxonomy: Taxonomy,
        recommender: Recommender,
        predictor: Predictor,
        states: States,
        follow_taxonomy: Callable[[], Awaitable[None]],
        forget_questions: Callable[[], None],
        starters: Callable[[], list[str]],
        max_message_chars: int,
    ) -> None:
        self._graph = graph
        self._nodes = nodes
        self._conversations = conversations
        self.profiles = profiles
        self.taxonomy = taxonomy
        self.recommender = recommender
        self.predictor = predictor
        self._states = states
        self.follow_taxonomy = follow_taxonomy
        self._forget_questions = forget_questions
        self._starters = starters
        self._max_message_chars = max_message_chars
        self._in_order = InOrder()
        self._presence = Presence()
        self._background = Background()

    async def check(self, turn: Turn) -> None:
        """Raise TurnRejected when this turn cannot be run: empty, too long, not text, or in no such conversation."""
        self._check_text(turn.text)
        if turn.conversation_id is not None:
            await self._owned(turn.user_id, turn.conversation_id)

    def _check_text(self, text: str) -> None:
        if not text.strip():
            raise EmptyMessage("The message is empty: expected a question.")
        if len(text) > self._max_message_chars:
            raise MessageTooLong(
                f"The message has {len(text):,} characters; at most {self._max_message_chars:,} are taken."
            )
        if "\0" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)):
            raise MessageNotText("The message is not Unicode text: NUL and half surrogate pairs can't be kept.")

    async def stream(self, turn: Turn) -> AsyncGenerator[Event]:
        """The turn's events. Closing this generator stops the turn; what was said by then is kept, marked as cut.

        Raises:
            TurnRejected: before the first event, as `check` does.
        """
        events = self._stream(turn)
        async with aclosing(self.watch(turn, events) if self.watch else events) as watched:
            async for event in watched:
                yield event

    async def _stream(self, turn: Turn) -> AsyncGenerator[Event]:
        self._check_text(turn.text)
        history = tuple(replace(one, text=_without_long_runs(one.text)) for one in turn.history)
        turn = replace(turn, text=_without_long_runs(turn.text), history=history)
        async with self._presence.turn_of(turn.user_id), self._in_order.turn_of(turn.conversation_id or ""):
            try:
                context = await self._context(turn)
            except DatabaseBusy as error:
                yield _busy(error)
                return
            try:
                yield TurnStarted(conversation_id=context.conversation_id, message_id=context.message_id)
                async with aclosing(self._run(context, turn)) as events:
                    async for event in events:
                        yield event
            except (asyncio.CancelledError, GeneratorExit):
                await self._keep(context, "stopped")
                raise

    async def _run(self, context: TurnContext, turn: Turn) -> AsyncGenerator[Event]:
        config: RunnableConfig = {"configurable": {"thread_id": context.conversation_id}}
        events = cast(
            AsyncIterator[Event],
            self._graph.astream(
                {"messages": [HumanMessage(turn.text)]},
                config,
                context=context,
                stream_mode="custom",
                durability="exit",
            ),
        )
        try:
            async for event in events:
                yield event
        except DatabaseBusy as error:
            log.warning("turn %s: every database connection was in use", context.message_id)
            await self._keep(context, "failed")
            yield _busy(error)
        except Exception:  # the boundary: a doorway gets an event, the log gets the reason
            log.exception("turn %s failed", context.message_id)
            await self._keep(context, "failed")
            yield WENT_WRONG

    async def _context(self, turn: Turn) -> TurnContext:
        last, learning = None, turn.learning
        if turn.conversation_id is not None:
            # Inside the queue: the turn before this one may only now have ended.
            owned = await self._owned(turn.user_id, turn.conversation_id)
            last, learning = owned.last_message_id, turn.learning and owned.learning
        return TurnContext(
            user_id=turn.user_id,
            conversation_id=turn.conversation_id or new_id(),
            channel=turn.channel,
            question=turn.text,
            last_message_id=last,
            history=turn.history,
            personal=turn.personal and not turn.public,
            learning=learning,
            account=turn.account,
        )

    async def _keep(self, context: TurnContext, reason: NoticeCode) -> None:
        """Store an unfinished exchange, even while this task is being cancelled."""
        keeping = self._nodes.keep_unfinished(context, reason)
        # Where it fails (a full disk, say) the reader is told by the Failed event, and the operator by the log.
        await asyncio.wait({self._background.keep(keeping, f"storing the unfinished turn {context.message_id}")})

    async def reply(self, turn: Turn) -> Reply:
        """The same turn, for callers that want only the end of it.

        Raises:
            TurnRejected: as `check` does.
            DatabaseBusy: every connection to the database stayed in use; it is worth trying again.
            TurnFailed: the turn ended in another Failed event.
        """
        async for event in self.stream(turn):
            if isinstance(event, Replied):
                return event.reply
            if isinstance(event, Failed):
                raise (DatabaseBusy if event.code == BUSY else TurnFailed)(event.message)
        raise TurnFailed("The turn ended without a reply.")

    async def conversations(self, user_id: str, *, limit: int = 50) -> list[Conversation]:
        """This user's conversations, the latest first."""
        return await self._conversations.of_user(user_id, limit)

    async def transcript(self, user_id: str, conversation_id: str) -> list[Exchange]:
        """Every exchange of a conversation, in order. Raises ConversationNotFound."""
        await self._owned(user_id, conversation_id)
        return [_exchange(kept) for kept in await self._conversations.transcript(conversation_id)]

    async def delete_conversation(self, user_id: str, conversation_id: str) -> None:
        """Remove a conversation from every store, and what it taught about its user. Raises ConversationNotFound."""
        async with self._in_order.turn_of(conversation_id):
            gone = await self._conversations.delete(user_id, conversation_id)
            if gone is None:
                raise _not_found(conversation_id)
            await self._unsay(user_id, gone)
            await self._states.adelete_thread(conversation_id)

    async def rewind(self, user_id: str, conversation_id: str, message_id: str) -> None:
        """Remove this exchange and all after it, so that it can be asked again. Raises ConversationNotFound."""
        async with self._in_order.turn_of(conversation_id):
            await self._owned(user_id, conversation_id)
            gone = await self._conversations.rewind(conversation_id, message_id)
            if not gone:
                raise ConversationNotFound(f"There is no message {message_id!r} in this conversation.")
            await self._unsay(user_id, gone)
            await self._states.adelete_thread(conversation_id)

    async def _unsay(self, user_id: str, message_ids: Collection[str]) -> None:
        """Take back what messages taught that are gone from their conversation."""
        await self.profiles.withdraw(user_id, message_ids)
        await self.predictor.withdraw(user_id, message_ids)

    async def rate(self, user_id: str, message_id: str, rating: int, comment: str = "") -> None:
        """Keep what the reader thought of an answer: 1, -1, or 0 to withdraw it. Raises ConversationNotFound."""
        if not await self._conversations.rate(user_id, message_id, rating, comment):
            raise ConversationNotFound(f"There is no message {message_id!r} of this user.")

    async def set_learning(self, user_id: str, conversation_id: str, learning: bool) -> None:
        """Whether this conversation may teach anything about its user. Raises ConversationNotFound."""
        if not await self._conversations.set_learning(user_id, conversation_id, learning):
            raise _not_found(conversation_id)

    async def forget(self, user_id: str) -> Forgotten:
        """Empty every store of this user, when their running turns have ended: rows by store, before and after."""
        async with self._presence.alone_with(user_id):
            threads = await self._conversations.ids(user_id)
            states = await self._states.held(threads)
            for thread in threads:
                await self._states.adelete_thread(thread)
            self._forget_questions()
            await asyncio.gather(self.recommender.idle(), self.predictor.idle())
            rows = await self.profiles.forget(user_id)
            await self.recommender.forget(user_id)
            self.predictor.forget(user_id)
            left = await self._states.held(threads)
        return Forgotten({**rows.before, STATES: states}, {**rows.after, STATES: left})

    async def starters(self) -> list[str]:
        """Good first questions for an empty page."""
        return await asyncio.to_thread(self._starters)

    async def aclose(self) -> None:
        """Wait for what is still being stored."""
        await self._background.idle()

    async def _owned(self, user_id: str, conversation_id: str) -> Conversation:
        found = await self._conversations.find(user_id, conversation_id)
        if found is None:
            raise _not_found(conversation_id)
        return found


def _exchange(kept: StoredExchange) -> Exchange:
    reply = Reply.model_validate_json(kept.reply)
    return Exchange(kept.message_id, kept.question, reply, kept.created_at, kept.rating)


def _busy(error: DatabaseBusy) -> Failed:
    return Failed(code=BUSY, message=str(error), retryable=True)


def _not_found(conversation_id: str) -> ConversationNotFound:
    return ConversationNotFound(
        f"There is no conversation {conversation_id!r} of this user; leave the id out to start one."
    )
