"""What the page knows of one exchange: built from a turn's events, or from the transcript.

shown = Shown(question)
for event in events:
    shown = shown.after(event)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Literal, Self

from agent.assistant import Exchange
from agent.events import (
    Event,
    Failed,
    Learnt,
    Notice,
    ProfileUpdated,
    Replied,
    Reply,
    Source,
    SourcesFound,
    Token,
    ToolFinished,
    ToolStarted,
    TurnStarted,
)

PENDING = "pending"  # the key of an exchange whose turn has no id yet


@dataclass(frozen=True, slots=True)
class Step:
    """A tool at work, or what came of it."""

    call_id: str
    title: str
    looked_for: str = ""
    state: Literal["pending", "done", "failed"] = "pending"
    summary: str = ""
    duration_ms: float = 0


@dataclass(frozen=True, slots=True)
class Shown:
    """An exchange as far as it has come. `reply` ends it, or `failure` does; `personal` False says that the profile was
    left out of it."""

    question: str
    message_id: str = PENDING
    conversation_id: str | None = None
    steps: tuple[Step, ...] = ()
    sources: tuple[Source, ...] = ()
    answer: str = ""
    notices: tuple[str, ...] = ()
    learned: tuple[Learnt, ...] = ()
    reply: Reply | None = None
    failure: Failed | None = None
    rating: int | None = None
    personal: bool = True

    @classmethod
    def restored(cls, exchange: Exchange, learned: Sequence[Learnt] = ()) -> Self:
        """An exchange of the transcript, as it was shown when it was new, with what of its lessons still stands."""
        restored = cls(question=exchange.question, rating=exchange.rating, learned=tuple(learned))
        return restored._with_reply(exchange.reply)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.reply is not None or self.failure is not None

    def after(self, event: Event) -> Self:
        """The exchange after one more event of its turn."""
        return self._after(event)

    @singledispatchmethod
    def _after(self, event: object) -> Self:
        raise TypeError(f"Expected an event of agent/events.py, got {type(event).__name__}.")

    @_after.register
    def _(self, event: TurnStarted) -> Self:
        return replace(self, message_id=event.message_id, conversation_id=event.conversation_id)

    @_after.register
    def _(self, event: ToolStarted) -> Self:
        looked_for = event.arguments.get("query", "")
        step = Step(event.call_id, event.title, looked_for if isinstance(looked_for, str) else "")
        return replace(self, steps=(*self.steps, step))

    @_after.register
    def _(self, event: ToolFinished) -> Self:
        begun = next((step for step in self.steps if step.call_id == event.call_id), Step(event.call_id, event.title))
        done = replace(
            begun,
            state="done" if event.ok else "failed",
            summary=event.summary,
            duration_ms=event.duration_ms,
        )
        steps = [done if step.call_id == event.call_id else step for step in self.steps]
        return replace(self, steps=tuple(steps if done in steps else [*steps, done]))

    @_after.register
    def _(self, event: SourcesFound) -> Self:
        return replace(self, sources=tuple(event.sources))

    @_after.register
    def _(self, event: Token) -> Self:
        return replace(self, answer=self.answer + event.text)

    @_after.register
    def _(self, event: Notice) -> Self:
        return replace(self, notices=(*self.notices, event.text))

    @_after.register
    def _(self, event: ProfileUpdated) -> Self:
        return replace(self, learned=tuple(event.learned))

    @_after.register
    def _(self, event: Replied) -> Self:
        return self._with_reply(event.reply)

    @_after.register
    def _(self, event: Failed) -> Self:
        return replace(self, failure=event)

    def _with_reply(self, reply: Reply) -> Self:
        return replace(
            self,
            message_id=reply.message_id,
            conversation_id=reply.conversation_id,
            sources=tuple(reply.sources),
            answer=reply.answer,
            notices=tuple(reply.notices),
            reply=reply,
        )
