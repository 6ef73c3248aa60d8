"""What the process counts, for Prometheus: turns, their stages, tools, what was found, what went wrong.

Everything about turns is read off the one union of events, by `Metrics.event`; a new kind of event is counted there.
Nothing here names a user or holds a word of a conversation.
"""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from agent.events import Event, Failed, Notice, ProfileUpdated, Replied, SourcesFound, Token, ToolFinished

__all__ = ["CONTENT_TYPE", "Metrics", "TurnClock"]

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
SHARES = tuple(step / 10 for step in range(1, 11))


class TurnClock:
    """What is remembered of one turn while it runs."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.started = time.perf_counter()
        self.spoke = False
        self.outcome = "stopped"  # unless its last event says otherwise

    def seconds(self) -> float:
        """Since the turn began."""
        return time.perf_counter() - self.started


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        count, measure = self._counter, self._histogram
        self._turns = count("turns", "Turns by how they ended", ["channel", "outcome"])
        self._running = Gauge("attune_turns_running", "Turns at work now", registry=self.registry)
        self._stages = measure("stage_seconds", "Time of each stage of a turn", ["stage"], SECONDS)
        self._tokens = count("tokens", "Tokens that the model counted", ["kind"])
        self._tools = count("tool_calls", "Calls of tools", ["tool", "ok"])
        self._scores = measure("retrieval_score", "Score of each turn's best passage", [], SHARES)
        self._confidence = measure("answer_confidence", "Probability that the documents answer", [], SHARES)
        self._unanswered = count("unanswered", "Finished turns that the documents did not answer", [])
        self._learned = count("learned", "What turns added to profiles, by kind", ["kind"])
        self._actions = count("actions", "What users did with what they were recommended", ["type"])
        self._errors = count("errors", "What went wrong, by kind", ["kind"])
        self._requests = count("http_requests", "Requests of the API", ["method", "route", "status"])
        self._request_seconds = measure("http_request_seconds", "Time of requests", ["method", "route"], SECONDS)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(f"attune_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: list[str], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"attune_{name}", text, labels, buckets=buckets, registry=self.registry)

    def begin(self, channel: str) -> TurnClock:
        """A turn starts."""
        self._running.inc()
        return TurnClock(channel)

    def event(self, clock: TurnClock, event: Event) -> None:
        """Count what this event says."""
        if isinstance(event, Token):
            if not clock.spoke:
                clock.spoke = True
                self._stages.labels("first_token").observe(clock.seconds())
        elif isinstance(event, ToolFinished):
            self._tools.labels(event.tool, str(event.ok).lower()).inc()
            self._stages.labels(event.tool).observe(event.duration_ms / 1000)
        elif isinstance(event, SourcesFound):
            self._scores.observe(max((source.score for source in event.sources), default=0.0))
        elif isinstance(event, Notice):
            self._errors.labels(event.code).inc()
        elif isinstance(event, ProfileUpdated):
            for learnt in event.learned:
                self._learned.labels(learnt.kind).inc()
        elif isinstance(event, Replied):
            self._replied(clock, event)
        elif isinstance(event, Failed):
            clock.outcome = "failed"
            self._errors.labels(event.code).inc()

    def _replied(self, clock: TurnClock, event: Replied) -> None:
        reply = event.reply
        clock.outcome = "cut" if reply.cut else "answered" if reply.answered else "unanswered"
        if not reply.answered:
            self._unanswered.inc()
        self._confidence.observe(reply.confidence)
        self._tokens.labels("input").inc(reply.input_tokens)
        self._tokens.labels("output").inc(reply.output_tokens)

    def end(self, clock: TurnClock) -> None:
        """The turn is over."""
        self._running.dec()
        self._turns.labels(clock.channel, clock.outcome).inc()
        self._stages.labels("whole").observe(clock.seconds())

    def acted(self, kind: str, times: int = 1) -> None:
        """Users did something with items: opened, saved, rated or dismissed them. `kind` is one of the fixed types."""
        self._actions.labels(kind).inc(times)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template of its path."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
