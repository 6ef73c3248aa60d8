"""Watches every turn, whichever doorway it comes through: counts it, traces it, and writes one line when it ends."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent.assistant import Turn
from agent.events import Event, Replied, TurnStarted
from ui.logs import in_conversation
from ui.metrics import Metrics, TurnClock
from ui.tracing import Tracing

log = logging.getLogger(__name__)


class TurnWatch:
    """To be set as `Assistant.watch`.

    Args:
        metrics: Where turns are counted.
        tracing: Where their spans go; None for nowhere.
        log_messages: Log questions and answers too, without the personal data that is recognised in them.
    """

    def __init__(self, metrics: Metrics, *, tracing: Tracing | None = None, log_messages: bool = False) -> None:
        self._metrics = metrics
        self._tracing = tracing
        self._log_messages = log_messages

    async def __call__(self, turn: Turn, events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
        """The same events."""
        clock = self._metrics.begin(turn.channel)
        span = self._tracing.turn(turn.channel) if self._tracing else None
        said: dict[str, object] = {"question": turn.text} if self._log_messages else {}
        try:
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, TurnStarted):
                        in_conversation(event.conversation_id)
                    self._metrics.event(clock, event)
                    if span:
                        span.event(event)
                    if self._log_messages and isinstance(event, Replied):
                        said["answer"] = event.reply.answer
                    yield event
        finally:
            self._metrics.end(clock)
            if span:
                span.end(clock.outcome)
            log.info("turn", extra=_line(clock) | said)


def _line(clock: TurnClock) -> dict[str, object]:
    return {"channel": clock.channel, "outcome": clock.outcome, "ms": round(clock.seconds() * 1000, 1)}
