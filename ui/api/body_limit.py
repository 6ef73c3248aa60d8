"""A body that is too long is refused before anybody has read it whole: the page's routes, which are Gradio's, read it
first and ask afterwards who sends it."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.problems import answer, problem


class BodyLimit:
    """Refuses bodies of more than `most` bytes, on every path: 413."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self.app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limited = _Limited(receive, send, self._most)
        try:
            limited.admit(_declared(scope))
            await self.app(scope, limited.receive, limited.send)
        except _TooLong as error:
            if limited.answering:
                raise
            await answer(scope, problem(413, error.detail))(scope, receive, send)


class _TooLong(HTTPException):
    """An error of HTTP, so that a framework which reads the body lets it through."""

    def __init__(self, most: int) -> None:
        super().__init__(413, f"The body is too large: at most {most:,} bytes are taken.")


class _Limited:
    """One request, and how much of its body has come."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send = receive, send
        self._most = most
        self._came = 0
        self.answering = False

    def admit(self, length: int) -> None:
        """Raises _TooLong."""
        if length > self._most:
            raise _TooLong(self._most)

    async def receive(self) -> Message:
        """The next piece of the body."""
        message = await self._receive()
        self._came += len(message.get("body", b""))
        self.admit(self._came)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on."""
        self.answering = True
        await self._send(message)


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length) if length.isdecimal() else 0
