"""Traces of turns for an OpenTelemetry collector, where one is configured; else nothing of it is even imported.

A turn is a span, and each call of a tool a span below it. They carry durations and names, and no word of a user.
"""

import time
from typing import TYPE_CHECKING

from agent.events import Event, Failed, Notice, Replied, Token, ToolFinished

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer


class Tracing:
    """Makes the spans of turns. Close it: that sends what is still waiting.

    Args:
        exporter: Sends the spans.
        version: Of this application.
    """

    def __init__(self, exporter: "SpanExporter", *, version: str = "") -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        resource = Resource({"service.name": "attune", "service.version": version})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("attune")

    def turn(self, channel: str) -> "TurnSpan":
        """A turn begins."""
        return TurnSpan(self._tracer, channel)

    def close(self) -> None:
        """Send what waits, for some seconds at most."""
        self._provider.shutdown()


class TurnSpan:
    """The span of one turn."""

    def __init__(self, tracer: "Tracer", channel: str) -> None:
        self._tracer = tracer
        self._span: Span = tracer.start_span("turn", attributes={"attune.channel": channel})
        self._spoke = False

    def event(self, event: Event) -> None:
        """Note what this event says."""
        if isinstance(event, Token):
            if not self._spoke:
                self._spoke = True
                self._span.add_event("first token")
        elif isinstance(event, ToolFinished):
            self._tool(event)
        elif isinstance(event, Notice | Failed):
            self._span.add_event(event.code)
        elif isinstance(event, Replied):
            reply = event.reply
            self._span.set_attributes(
                {
                    "attune.model": reply.model,
                    "attune.answered": reply.answered,
                    "attune.confidence": reply.confidence,
                    "attune.sources": len(reply.sources),
                    "gen_ai.usage.input_tokens": reply.input_tokens,
                    "gen_ai.usage.output_tokens": reply.output_tokens,
                }
            )

    def _tool(self, event: ToolFinished) -> None:
        from opentelemetry.trace import set_span_in_context

        ended = time.time_ns()
        span = self._tracer.start_span(
            f"tool {event.tool}",
            context=set_span_in_context(self._span),
            start_time=ended - int(event.duration_ms * 1e6),
            attributes={"attune.tool": event.tool, "attune.ok": event.ok},
        )
        span.end(ended)

    def end(self, outcome: str) -> None:
        """The turn is over."""
        from opentelemetry.trace import StatusCode

        self._span.set_attribute("attune.outcome", outcome)
        if outcome == "failed":
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def open_tracing(endpoint: str | None, *, version: str) -> Tracing | None:
    """Tracing to the collector at this address (gRPC); None without one."""
    if not endpoint:
        return None
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return Tracing(OTLPSpanExporter(endpoint=endpoint, insecure=endpoint.startswith("http://")), version=version)
