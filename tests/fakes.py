"""A scripted assistant for doorway tests: it plays the events it is given and records what it was asked.

    assistant = ScriptedAssistant()                            # answers everything with DEFAULT_ANSWER
    assistant = ScriptedAssistant(lambda turn: play("Yes [1].", sources=[source(1)]))
    assistant = ScriptedAssistant(pause=0.05)                  # seconds before each event, to stop it in between

It subclasses Assistant so that the type checker keeps both interfaces the same.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.assistant import Assistant, Conversation, Exchange, Turn
from agent.errors import ConversationNotFound, EmptyMessage, MessageTooLong
from agent.events import (
    Event,
    Failed,
    Notice,
    Replied,
    Reply,
    Source,
    SourcesFound,
    Token,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)

DEFAULT_ANSWER = "Money is held in escrow until you approve the work [1]. Fees are 5 % of each payment [2]."
STARTERS = ["How does escrow work?", "What does it cost?", "How do I invite my team?"]
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Script = Callable[[Turn], Sequence[Event]]


def source(number: int, **changes: object) -> Source:
    """A source with this number; any field can be given instead."""
    values: dict[str, object] = {
        "number": number,
        "title": f"Article {number}",
        "heading": f"Section {number}",
        "url": f"https://help.example/article-{number}#section-{number}",
        "quote": f"Quoted words of passage {number}.",
        "text": f"Before. Quoted words of passage {number}. After.",
        "score": round(0.95 - number / 20, 2),
        "topic": "payments",
        "document_id": f"article-{number}.md",
        "passage_id": f"article-{number}.md#0",
    }
    return Source.model_validate(values | changes)


def reply(answer: str = DEFAULT_ANSWER, **changes: object) -> Reply:
    """A finished reply; any field can be given instead."""
    values: dict[str, object] = {
        "answer": answer,
        "sources": [source(1), source(2)],
        "conversation_id": "conversation-1",
        "message_id": "message-1",
        "answered": True,
        "confidence": 0.9,
        "model": "scripted",
        "follow_ups": ["When is the money released?"],
        "duration_ms": 12.5,
    }
    return Reply.model_validate(values | changes)


def play(
    answer: str = DEFAULT_ANSWER,
    *,
    sources: Sequence[Source] | None = None,
    notices: Sequence[Notice] = (),
    failed: Failed | None = None,
    **changes: object,
) -> list[Event]:
    """A whole turn in the order of agent/events.py: one search, the sources, the words, then the reply or `failed`."""
    found = [source(1), source(2)] if sources is None else list(sources)
    title = "Searching the documents"
    events: list[Event] = [
        TurnStarted(conversation_id="conversation-1", message_id="message-1"),
        ToolStarted(call_id="call-1", tool="search_knowledge_base", title=title, arguments={"query": "escrow"}),
        ToolFinished(
            call_id="call-1",
            tool="search_knowledge_base",
            title=title,
            summary=f"{len(found)} passages from {len(found)} articles",
            ok=True,
            duration_ms=7.5,
        ),
        SourcesFound(sources=found),
    ]
    events += [Token(text=word) for word in _words(answer)]
    events += notices
    texts = [notice.text for notice in notices]
    whole = {"sources": found, "notices": texts} | changes
    return [*events, failed or Replied(reply=reply(answer, **whole))]


def _words(answer: str) -> list[str]:
    first, *others = answer.split(" ")
    return [first, *(f" {word}" for word in others)]


@dataclass(frozen=True)
class Rating:
    """One call of `rate`."""

    user_id: str
    message_id: str
    rating: int
    comment: str


class ScriptedAssistant(Assistant):
    """Keeps conversations in memory, numbers them (conversation-1, message-1, …), and plays a script for each turn.

    As the real one does, it keeps what was said of a turn that was stopped or failed, marked as cut.
    """

    def __init__(
        self,
        script: Script | None = None,
        *,
        pause: float = 0,
        max_message_chars: int = 20_000,
        starters: Sequence[str] = tuple(STARTERS),
    ) -> None:
        self._script = script or (lambda turn: play())
        self._pause = pause
        self._limit = max_message_chars
        self._first_questions = list(starters)
        self._kept: dict[tuple[str, str], list[Exchange]] = {}
        self._remembered: list[Turn] = []
        self._count = 0
        self.turns: list[Turn] = []  # every turn that was streamed
        self.finished: list[Turn] = []  # … whose last event was taken
        self.stopped: list[Turn] = []  # … that was closed before that
        self.ratings: list[Rating] = []
        self.rewound: list[tuple[str, str, str]] = []
        self.closed = False

    async def check(self, turn: Turn) -> None:
        if not turn.text.strip():
            raise EmptyMessage("The message is empty: expected a question.")
        if len(turn.text) > self._limit:
            raise MessageTooLong(f"The message has {len(turn.text)} characters; at most {self._limit} are taken.")
        if turn.conversation_id is not None:
            self._exchanges(turn.user_id, turn.conversation_id)

    async def stream(self, turn: Turn) -> AsyncGenerator[Event, None]:
        await self.check(turn)
        self.turns.append(turn)
        self._count += 1
        conversation_id, message_id = turn.conversation_id or f"conversation-{self._count}", f"message-{self._count}"
        unfinished = reply("", sources=[], conversation_id=conversation_id, message_id=message_id, cut=True)
        try:
            for event in self._script(turn):
                await asyncio.sleep(self._pause)
                played = _with_ids(event, conversation_id, message_id)
                if isinstance(played, Token):
                    unfinished = unfinished.model_copy(update={"answer": unfinished.answer + played.text})
                if isinstance(played, Replied | Failed):
                    self._remember(turn, played.reply if isinstance(played, Replied) else unfinished)
                yield played
        except (asyncio.CancelledError, GeneratorExit):
            self.stopped.append(turn)
            if not any(turn is kept for kept in self._remembered):
                self._remember(turn, unfinished)
            raise
        self.finished.append(turn)

    async def conversations(self, user_id: str, *, limit: int = 50) -> list[Conversation]:
        mine = [(key[1], kept) for key, kept in self._kept.items() if key[0] == user_id and kept]
        mine.sort(key=lambda one: one[1][-1].created_at, reverse=True)
        return [
            Conversation(
                id=id_,
                title=kept[0].question[:80],
                created_at=kept[0].created_at,
                updated_at=kept[-1].created_at,
                exchanges=len(kept),
                last_message_id=kept[-1].message_id,
            )
            for id_, kept in mine[:limit]
        ]

    async def transcript(self, user_id: str, conversation_id: str) -> list[Exchange]:
        return list(self._exchanges(user_id, conversation_id))

    async def delete_conversation(self, user_id: str, conversation_id: str) -> None:
        self._exchanges(user_id, conversation_id)
        del self._kept[user_id, conversation_id]

    async def rewind(self, user_id: str, conversation_id: str, message_id: str) -> None:
        exchanges = self._exchanges(user_id, conversation_id)
        ids = [exchange.message_id for exchange in exchanges]
        if message_id not in ids:
            raise ConversationNotFound(f"There is no message {message_id!r} in this conversation.")
        del exchanges[ids.index(message_id) :]
        self.rewound.append((user_id, conversation_id, message_id))

    async def rate(self, user_id: str, message_id: str, rating: int, comment: str = "") -> None:
        mine = {one.message_id for key, kept in self._kept.items() if key[0] == user_id for one in kept}
        if message_id not in mine:
            raise ConversationNotFound(f"There is no message {message_id!r} of this user.")
        self.ratings.append(Rating(user_id, message_id, rating, comment))

    async def starters(self) -> list[str]:
        return list(self._first_questions)

    async def aclose(self) -> None:
        self.closed = True

    def _exchanges(self, user_id: str, conversation_id: str) -> list[Exchange]:
        found = self._kept.get((user_id, conversation_id))
        if found is None:
            raise ConversationNotFound(f"There is no conversation {conversation_id!r} of this user.")
        return found

    def _remember(self, turn: Turn, said: Reply) -> None:
        when = START + timedelta(minutes=self._count)
        kept = self._kept.setdefault((turn.user_id, said.conversation_id), [])
        self._remembered.append(turn)
        kept.append(Exchange(said.message_id, turn.text, said, when, None))


def _with_ids(event: Event, conversation_id: str, message_id: str) -> Event:
    """The event as part of this turn, whatever ids the script gave it."""
    ids = {"conversation_id": conversation_id, "message_id": message_id}
    if isinstance(event, TurnStarted):
        return event.model_copy(update=ids)
    if isinstance(event, Replied):
        return Replied(reply=event.reply.model_copy(update=ids))
    return event
