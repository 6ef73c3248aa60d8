"""A thread of a chat platform as conversations of the assistant.

A thread may have several speakers, a conversation has one owner. Whoever speaks twice in a row goes on in their own
conversation; when the speaker changes a new one begins, seeded with what the thread said so far. A thread's key names
its place, so that what is carried over never leaves that place.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from string import whitespace

from agent.assistant import Assistant, Exchange, Turn
from agent.errors import ConversationNotFound
from agent.events import Event, TurnStarted
from agent.in_order import InOrder
from agent.replies import spoken
from knowledge_base.passage import Utterance
from tools.doorways.threads import Stretch, ThreadStore
from tools.identities.accounts import Account
from tools.identities.store import IdentityStore

_PRIVATELY = re.compile(r"\b(?:please\s+)?answer(?:\s+me)?\s+privately\b", re.IGNORECASE)
BEFORE, AFTER = ",;:." + whitespace, ",;:.!?" + whitespace  # what goes with that wish

CARRIED = 6  # exchanges of others that a new speaker's conversation begins with


def asked_privately(text: str) -> str | None:
    """The question of somebody who wants it answered in private ("answer me privately: …"); None for all others."""
    first, *others = _PRIVATELY.split(text)
    if not others:
        return None
    between = [one.lstrip(AFTER).rstrip(BEFORE) for one in others[:-1]]
    return " ".join([first.rstrip(BEFORE), *between, others[-1].lstrip(AFTER)]).strip()


@dataclass(frozen=True, slots=True)
class Asked:
    """One message in a thread. `public`: others than the asker read the answer."""

    account: Account
    thread: str
    text: str
    public: bool


class Threads:
    """Runs the turns of threads; those of one thread queue up."""

    def __init__(self, assistant: Assistant, store: ThreadStore, identities: IdentityStore) -> None:
        self._assistant = assistant
        self._store = store
        self._identities = identities
        self._in_order = InOrder()

    async def known(self, thread: str) -> bool:
        """Whether something was answered in this thread before."""
        return bool(await self._store.stretches(thread, last=1))

    async def stream(self, asked: Asked) -> AsyncGenerator[Event]:
        """The events of the turn that this message is. Raises TurnRejected before the first event."""
        async with self._in_order.turn_of(asked.thread):
            turn = await self._turn(asked)
            async with aclosing(self._assistant.stream(turn)) as events:
                async for event in events:
                    if isinstance(event, TurnStarted):
                        await self._note(asked, turn.user_id, event.conversation_id)
                    yield event

    async def _note(self, asked: Asked, user_id: str, conversation_id: str) -> None:
        await self._store.spoke(asked.thread, conversation_id, asked.account.user_id)
        await self._identities.spoke(asked.account, user_id, conversation_id)

    async def rate(self, account: Account, message_id: str, rating: int) -> None:
        """Keep what a reader thought of their answer. Raises ConversationNotFound when it is somebody else's."""
        await self._assistant.rate(await self._identities.user_of(account), message_id, rating)

    async def not_this(self, account: Account, facet: str, value: str) -> None:
        """No longer use or learn this about the person behind the account."""
        await self._assistant.profiles.mute(await self._identities.user_of(account), facet, value)

    async def _turn(self, asked: Asked) -> Turn:
        user_id = await self._identities.user_of(asked.account)
        stretches = await self._store.stretches(asked.thread)
        conversation_id: str | None = None
        history: tuple[Utterance, ...] = ()
        if stretches and await self._owner(stretches[-1]) == user_id:
            conversation_id = await self._existing(user_id, stretches[-1].conversation_id)
        if conversation_id is None:
            history = await self._said(stretches)
        return Turn(
            user_id,
            asked.text,
            conversation_id,
            channel=asked.account.doorway,
            history=history,
            public=asked.public,
            account=asked.account.user_id,
        )

    async def _owner(self, stretch: Stretch) -> str:
        return await self._identities.person_of(stretch.account)

    async def _existing(self, user_id: str, conversation_id: str) -> str | None:
        """The conversation, unless it was deleted meanwhile."""
        try:
            await self._assistant.check(Turn(user_id, "?", conversation_id))
        except ConversationNotFound:
            return None
        return conversation_id

    async def _said(self, stretches: list[Stretch]) -> tuple[Utterance, ...]:
        exchanges = [exchange for stretch in stretches for exchange in await self._exchanges(stretch)]
        newest = sorted(exchanges, key=lambda one: one.created_at)[-CARRIED:]
        return tuple(said for one in newest for said in (Utterance("user", one.question), spoken(one.reply)))

    async def _exchanges(self, stretch: Stretch) -> list[Exchange]:
        try:
            return await self._assistant.transcript(await self._owner(stretch), stretch.conversation_id)
        except ConversationNotFound:  # deleted or forgotten by its owner
            return []
