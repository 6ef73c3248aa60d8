"""Connections that hold nothing: one whose client says nothing, or takes nothing, is closed.

uvicorn itself gives up only on connections that are idle between two requests.
"""

import asyncio
import logging

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

ARRIVAL = 30.0  # seconds that a request may take to arrive, headers and body
STALL = 1.0  # seconds for which the API waits on a client that takes nothing of its answer
STALL_OF_ASSETS = 30.0  # … and the page, whose parts are large and whose readers are on trains
WATCHED = ("/api/", "/v1/")


class Connection(HttpToolsProtocol):
    """HTTP/1.1 as uvicorn speaks it, with a limit on every wait for the client. A client that is cut off is to the
    application one that went away."""

    stall = STALL
    arrival = ARRIVAL
    _arriving: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Someone connects: a request must follow."""
        super().connection_made(transport)
        self._expect_request()

    def on_message_begin(self) -> None:
        """A request starts to arrive."""
        self._expect_request()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """It is there."""
        self._cancel_timers(stalled=False)
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._watch_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It takes on."""
        if self._stalled is not None:
            self._stalled.cancel()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._cancel_timers()
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        self._cancel_timers(stalled=False)
        self._arriving = self.loop.call_later(self.arrival, self._cut, "its request does not arrive")

    def _watch_reader(self, waiting: int) -> None:
        """Look again after a while: when not one byte more was taken, nobody reads."""
        path = self.scope["path"] if self.scope else ""
        seconds = self.stall if path.startswith(WATCHED) else STALL_OF_ASSETS
        self._stalled = self.loop.call_later(seconds, self._look_at_reader, waiting)

    def _look_at_reader(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:
            self._watch_reader(waiting)
        else:
            self._cut("it takes nothing")

    def _cut(self, reason: str) -> None:
        log.info("a client is cut off: %s", reason)
        self.transport.abort()

    def _cancel_timers(self, *, stalled: bool = True) -> None:
        for timer in (self._arriving, self._stalled if stalled else None):
            if timer is not None:
                timer.cancel()


def connections(*, stall: float) -> type[Connection]:
    """The protocol with this patience for clients that take nothing, in seconds."""
    return type("Connection", (Connection,), {"stall": stall})
