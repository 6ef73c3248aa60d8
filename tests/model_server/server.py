"""The server itself, its connections, and an address that never answers."""

import asyncio
import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, cast

from tests.model_server.embeddings import embeddings
from tests.model_server.replies import Disconnect, Hang, Request, Scripted, Status, Text
from tests.model_server.steps import Cut, Pause, Repeat, Step, status_bytes, stream_steps, whole, whole_steps

_COMMENT_INTERVAL = 0.01


class _Connection(asyncio.Protocol):
    """One client; requests come one after the other on it."""

    def __init__(self, server: "ModelServer") -> None:
        self._server = server
        self._buffer = bytearray()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        if self._sending and not self._sending.done():
            self._server.abandoned += 1
            self._sending.cancel()

    def close(self) -> None:
        if self._sending:
            self._sending.cancel()
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next_request()) is not None:
            self._answer(self._server.steps_for(request))

    def _next_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = end + 4 + int(headers.get("content-length", 0))
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[end + 4 : length])
        del self._buffer[:length]
        method, path, _ = first.split(" ", 2)
        return Request(method, path.partition("?")[0], headers, json.loads(body) if body else {})

    def _answer(self, steps: Sequence[Step]) -> None:
        if len(steps) == 1 and isinstance(steps[0], bytes):
            self._transport.write(steps[0])
        else:
            self._sending = asyncio.get_running_loop().create_task(self._send(steps))

    async def _send(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    self._transport.write(step)
                    await asyncio.sleep(0)
                case Pause(seconds):
                    await (asyncio.Event().wait() if seconds is None else asyncio.sleep(seconds))
                case Repeat(data):
                    await self._repeat(data)
                case Cut():
                    self._transport.close()

    async def _repeat(self, data: bytes) -> None:
        while True:
            self._transport.write(data)
            await asyncio.sleep(_COMMENT_INTERVAL)


class ModelServer:
    """The server; an asynchronous context manager. See the module's docstring."""

    def __init__(self, *, default: Scripted | None = None, models: Sequence[str] = ("scripted",)) -> None:
        self.default: Scripted = default or Text("The documents say so [1].")
        self.models = list(models)
        self.rejects: set[str] = set()
        self.embedding_script: deque[Status | Hang | Disconnect] = deque()
        self.requests: list[Request] = []
        self.record = True
        self.abandoned = 0
        self.connections: set[_Connection] = set()
        self._script: deque[Scripted] = deque()
        self._came = asyncio.Event()
        self._server: asyncio.Server | None = None

    def script(self, *replies: Scripted) -> None:
        """Adds replies to what the next chat requests get."""
        self._script.extend(replies)

    @property
    def chats(self) -> list[Request]:
        """The chat requests so far."""
        return [request for request in self.requests if request.path.endswith("/chat/completions")]

    async def received(self, chats: int) -> None:
        """Waits until that many chat requests have come."""
        while len(self.chats) < chats:
            self._came.clear()
            await self._came.wait()

    @property
    def base_url(self) -> str:
        assert self._server is not None, "the server is not running: use `async with ModelServer() as server`"
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}/v1"

    async def start(self, port: int = 0) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", port)

    async def stop(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets the transports' close callbacks run before the loop goes

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    @classmethod
    @contextmanager
    def threaded(cls, **options: Any) -> Iterator[Self]:
        """The server in a thread of its own, for synchronous tests."""
        server = cls(**options)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="model-server", daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def steps_for(self, request: Request) -> Sequence[Step]:
        if self.record:
            self.requests.append(request)
            self._came.set()
        if request.path.endswith("/chat/completions"):
            return self._chat(request)
        if request.path.endswith("/embeddings"):
            return self._embed(request)
        if request.path.endswith("/models"):
            data = [{"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in self.models]
            return [whole(200, json.dumps({"object": "list", "data": data}).encode(), {})]
        return [status_bytes(Status(404, f"no such path: {request.path}"))]

    def _chat(self, request: Request) -> Sequence[Step]:
        refused = self.rejects & request.body.keys()
        if refused:
            name = sorted(refused)[0]
            return [status_bytes(Status(400, f"Unrecognized request argument supplied: {name}"))]
        scripted = self._script.popleft() if self._script else self.default
        reply = scripted(request) if callable(scripted) else scripted
        if not request.body.get("stream"):
            return whole_steps(reply)
        return stream_steps(reply, bool((request.body.get("stream_options") or {}).get("include_usage")))

    def _embed(self, request: Request) -> Sequence[Step]:
        if self.embedding_script:
            return stream_steps(self.embedding_script.popleft(), False)
        return [embeddings(request.body)]


@asynccontextmanager
async def blackhole() -> AsyncIterator[str]:
    """The URL of a loopback address that accepts connections and never says anything."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()[:2]
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)
