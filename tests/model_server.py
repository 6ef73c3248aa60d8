"""A scripted OpenAI-compatible server on loopback, for tests and benchmarks.

It speaks plain HTTP over an asyncio protocol and sends replies that were serialised beforehand, so that a benchmark
measures everything but the server. Nothing in it knows Attune.

In a test::

    async with ModelServer() as server:
        server.script(Status(429, headers={"Retry-After": "1"}), Text("Refunds take 5 days [1]."))
        settings = Settings(openai_base_url=server.base_url, model="scripted", openai_api_key=None)
        ...
        assert server.chats[0].body["model"] == "scripted"

Replies are used up in order, one a chat request; after them `server.default` answers. A reply is one of

=================================  =====================================================================================
`Text("…", chunks=8)`              an answer in that many pieces. `first_delay` and `interval` are seconds, `reasoning`
                                   is streamed before the text, `finish="length"` or `"content_filter"` ends it early,
                                   `finish=None` ends the stream without a reason. `stop_after=3` sends three pieces and
                                   then does what `then` says: `"hang"`, `"cut"` (the connection breaks), `"end"` (the
                                   body ends cleanly, unfinished), `"error"` (an error event), `"comments"` (keep-alive
                                   comments for ever). `split=1` sends the body in HTTP chunks of one byte.
`Tools(Call("search", {"q": 1}))`  tool calls, several for parallel ones; a `Call` whose arguments are a string sends it
                                   as it is (broken JSON); `text` comes first; `pieces` splits each arguments string.
`Status(500)`                      an error, with `headers`, `message` or a whole `body`.
`Hang("request")`                  never answers; `"headers"`: only the head of the reply; `"role"`: also the first,
                                   empty chunk; `"comments"`: keep-alive comments for ever; `"empty"`: empty chunks for
                                   ever.
`Disconnect()`                     closes the connection without a word.
`Raw(b"…", 0.1, b"…")`             these bytes as the body of a 200, with pauses in seconds between them.
`lambda request: Text(…)`          a function of the request that gives one of these.
=================================  =====================================================================================

An endless caller of tools is `server.default = Tools(Call(…))`, an empty answer is `Text("")`, a megabyte is
`Text("x" * 2**20, chunks=1000)`. `server.rejects = {"stream_options"}` answers 400 to requests with that parameter.
Embedding requests are answered with hashed bags of words (texts that share words are near), or from
`server.embedding_script`. `server.requests` records everything that came, `await server.received(2)` waits for the
second chat request, `server.abandoned` counts the replies whose client hung up before the end.

From synchronous code use `with ModelServer.threaded() as server:`; in a process of its own, `python -m
tests.model_server --tokens 30 --tool search '{"query": "fees"}'` prints its base URL and serves until its input ends.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import re
import struct
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from math import sqrt
from typing import Any, Literal, Self, cast

_EMBEDDING_DIMENSIONS = 64
_COMMENT_INTERVAL = 0.01


@dataclass(frozen=True, eq=False)
class Text:
    """An answer in `chunks` pieces."""

    text: str
    chunks: int = 8
    finish: str | None = "stop"
    reasoning: str = ""
    first_delay: float = 0
    interval: float = 0
    stop_after: int | None = None
    then: Literal["hang", "cut", "end", "error", "comments"] = "cut"
    split: int | None = None


@dataclass(frozen=True, eq=False)
class Call:
    """One tool call; `id` and `index` are the call's place in the list unless given (None leaves them out)."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | Literal["auto"] | None = "auto"
    index: int | Literal["auto"] | None = "auto"

    @property
    def json(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Tools:
    """Tool calls, after `text` if there is any."""

    def __init__(self, *calls: Call, text: str = "", pieces: int = 3, finish: str | None = "tool_calls") -> None:
        self.calls = calls
        self.text = text
        self.pieces = pieces
        self.finish = finish


@dataclass(frozen=True, eq=False)
class Status:
    """An error reply."""

    code: int
    message: str = "scripted error"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] | str | None = None


@dataclass(frozen=True, eq=False)
class Hang:
    """Never comes to the first token."""

    stage: Literal["request", "headers", "role", "comments", "empty"] = "request"


@dataclass(frozen=True, eq=False)
class Disconnect:
    """The connection closes before any answer."""


class Raw:
    """Bytes of a body, with pauses."""

    def __init__(self, *parts: bytes | float, content_type: str = "text/event-stream") -> None:
        self.parts = parts
        self.content_type = content_type

    def __repr__(self) -> str:
        """The same in every process, so that tests can be spread over several."""
        return f"Raw{self.parts!r}"


@dataclass(frozen=True)
class Request:
    """What a client sent; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Reply = Text | Tools | Status | Hang | Disconnect | Raw
Scripted = Reply | Callable[[Request], Reply]


@dataclass(frozen=True)
class _Pause:
    seconds: float | None  # None: for ever


@dataclass(frozen=True)
class _Repeat:
    data: bytes


class _Cut:
    pass


_Step = bytes | _Pause | _Repeat | _Cut


def _head(code: int, headers: Mapping[str, str]) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {code} Scripted\r\n{lines}\r\n".encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


_END = b"0\r\n\r\n"
_STREAM_HEAD = _head(200, {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"})


def _whole(code: int, body: bytes, headers: Mapping[str, str], content_type: str = "application/json") -> bytes:
    return _head(code, {"content-type": content_type, "content-length": str(len(body)), **headers}) + body


def _event(payload: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


def _delta(delta: Mapping[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return _event({**_ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]})


_ENVELOPE = {"id": "chatcmpl-scripted", "created": 1, "model": "scripted"}
_USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
_ROLE = {"role": "assistant", "content": ""}


def _pieces(text: str, count: int) -> list[str]:
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _call_events(call: Call, place: int, pieces: int) -> Iterator[bytes]:
    index = {} if call.index is None else {"index": place if call.index == "auto" else call.index}
    identity = {} if call.id is None else {"id": f"call_scripted_{place}" if call.id == "auto" else call.id}
    first, *rest = _pieces(call.json, pieces) or [""]
    opening = {**index, **identity, "type": "function", "function": {"name": call.name, "arguments": first}}
    yield _delta({"tool_calls": [opening]})
    for piece in rest:
        yield _delta({"tool_calls": [{**index, "function": {"arguments": piece}}]})


def _tail(finish: str | None, usage: bool) -> Iterator[bytes]:
    if finish is not None:
        yield _delta({}, finish)
    if usage:
        yield _event({**_ENVELOPE, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    yield b"data: [DONE]\n\n"


def _stop_steps(then: str) -> list[_Step]:
    error = _event({"error": {"message": "scripted error in mid-stream", "type": "server_error", "code": None}})
    endings: dict[str, list[_Step]] = {
        "hang": [_Pause(None)],
        "cut": [_Cut()],
        "end": [_END],
        "error": [_chunk(error), _END],
        "comments": [_Repeat(_chunk(b": keep-alive\n\n"))],
    }
    return endings[then]


def _text_steps(reply: Text, usage: bool) -> list[_Step]:
    events = [_delta({"reasoning_content": piece}) for piece in _pieces(reply.reasoning, reply.chunks)]
    events += [_delta({"content": piece}) for piece in _pieces(reply.text, reply.chunks)]
    stopped = reply.stop_after is not None
    body = [_delta(_ROLE), *events[: reply.stop_after], *([] if stopped else _tail(reply.finish, usage))]
    if reply.split:
        joined = b"".join(body)
        body = [joined[start : start + reply.split] for start in range(0, len(joined), reply.split)]
    steps: list[_Step] = [_STREAM_HEAD, _chunk(body[0])]
    if reply.first_delay:
        steps.append(_Pause(reply.first_delay))
    for part in body[1:]:
        steps.append(_chunk(part))
        if reply.interval:
            steps.append(_Pause(reply.interval))
    return steps + (_stop_steps(reply.then) if stopped else [_END])


def _tools_steps(reply: Tools, usage: bool) -> list[_Step]:
    events = [_delta(_ROLE)]
    events += [_delta({"content": piece}) for piece in _pieces(reply.text, reply.pieces)]
    for place, call in enumerate(reply.calls):
        events += _call_events(call, place, reply.pieces)
    events += _tail(reply.finish, usage)
    return [_STREAM_HEAD, *map(_chunk, events), _END]


def _hang_steps(reply: Hang) -> list[_Step]:
    stages: dict[str, list[_Step]] = {
        "request": [_Pause(None)],
        "headers": [_STREAM_HEAD, _Pause(None)],
        "role": [_STREAM_HEAD, _chunk(_delta(_ROLE)), _Pause(None)],
        "comments": [_STREAM_HEAD, _Repeat(_chunk(b": keep-alive\n\n"))],
        "empty": [_STREAM_HEAD, _Repeat(_chunk(_delta({"content": ""})))],
    }
    return stages[reply.stage]


def _status_bytes(reply: Status) -> bytes:
    if isinstance(reply.body, str):
        return _whole(reply.code, reply.body.encode(), reply.headers, "text/html")
    body = reply.body or {"error": {"message": reply.message, "type": "scripted", "param": None, "code": None}}
    return _whole(reply.code, json.dumps(body).encode(), reply.headers)


def _raw_steps(reply: Raw) -> list[_Step]:
    head = _head(200, {"content-type": reply.content_type, "transfer-encoding": "chunked"})
    return [head, *(_chunk(part) if isinstance(part, bytes) else _Pause(part) for part in reply.parts), _END]


def _join(steps: Sequence[_Step]) -> list[_Step]:
    """Neighbouring bytes become one write, except where a test wants them to arrive apart."""
    joined: list[_Step] = []
    for step in steps:
        if isinstance(step, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += step
        else:
            joined.append(step)
    return joined


@lru_cache(maxsize=256)
def _stream_steps(reply: Reply, usage: bool) -> list[_Step]:
    match reply:
        case Text():
            steps = _text_steps(reply, usage)
            return steps if reply.split else _join_fast(steps)
        case Tools():
            return _join_fast(_tools_steps(reply, usage))
        case Status():
            return [_status_bytes(reply)]
        case Hang():
            return _hang_steps(reply)
        case Disconnect():
            return [_Cut()]
        case Raw():
            return _raw_steps(reply)


def _join_fast(steps: list[_Step]) -> list[_Step]:
    if all(isinstance(step, bytes) for step in steps):
        return [b"".join(cast(list[bytes], steps))]
    return _join(steps)


def _message(reply: Text | Tools) -> dict[str, Any]:
    if isinstance(reply, Text):
        return {"role": "assistant", "content": reply.text}
    calls = [
        {"id": f"call_scripted_{place}", "type": "function", "function": {"name": call.name, "arguments": call.json}}
        for place, call in enumerate(reply.calls)
    ]
    return {"role": "assistant", "content": reply.text or None, "tool_calls": calls}


@lru_cache(maxsize=256)
def _whole_steps(reply: Reply) -> list[_Step]:
    if not isinstance(reply, Text | Tools):
        return _stream_steps(reply, False)
    choice = {"index": 0, "message": _message(reply), "finish_reason": reply.finish, "logprobs": None}
    payload = {**_ENVELOPE, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
    return [_whole(200, json.dumps(payload).encode(), {})]


def _embedding(item: object) -> list[float]:
    words = (
        re.findall(r"\w+", item.lower()) if isinstance(item, str) else [str(token) for token in cast(list[int], item)]
    )
    vector = [1e-3] * _EMBEDDING_DIMENSIONS
    for word in words:
        digest = hashlib.sha256(word.encode()).digest()
        vector[digest[0] % _EMBEDDING_DIMENSIONS] += 1 if digest[1] % 2 else -1
    length = sqrt(sum(value * value for value in vector))
    return [value / length for value in vector]


def _embeddings(body: Mapping[str, Any]) -> bytes:
    given = body["input"]
    single = isinstance(given, str) or bool(given and isinstance(given[0], int))
    vectors = [_embedding(item) for item in ([given] if single else given)]
    packed = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode() if packed else vector,
        }
        for place, vector in enumerate(vectors)
    ]
    payload = {"object": "list", "data": data, "model": body.get("model"), "usage": _USAGE}
    return _whole(200, json.dumps(payload).encode(), {})


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

    def _answer(self, steps: Sequence[_Step]) -> None:
        if len(steps) == 1 and isinstance(steps[0], bytes):
            self._transport.write(steps[0])
        else:
            self._sending = asyncio.get_running_loop().create_task(self._send(steps))

    async def _send(self, steps: Sequence[_Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    self._transport.write(step)
                    await asyncio.sleep(0)
                case _Pause(seconds):
                    await (asyncio.Event().wait() if seconds is None else asyncio.sleep(seconds))
                case _Repeat(data):
                    await self._repeat(data)
                case _Cut():
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

    def steps_for(self, request: Request) -> Sequence[_Step]:
        if self.record:
            self.requests.append(request)
            self._came.set()
        if request.path.endswith("/chat/completions"):
            return self._chat(request)
        if request.path.endswith("/embeddings"):
            return self._embed(request)
        if request.path.endswith("/models"):
            data = [{"id": name, "object": "model", "created": 1, "owned_by": "tests"} for name in self.models]
            return [_whole(200, json.dumps({"object": "list", "data": data}).encode(), {})]
        return [_status_bytes(Status(404, f"no such path: {request.path}"))]

    def _chat(self, request: Request) -> Sequence[_Step]:
        refused = self.rejects & request.body.keys()
        if refused:
            name = sorted(refused)[0]
            return [_status_bytes(Status(400, f"Unrecognized request argument supplied: {name}"))]
        scripted = self._script.popleft() if self._script else self.default
        reply = scripted(request) if callable(scripted) else scripted
        if not request.body.get("stream"):
            return _whole_steps(reply)
        return _stream_steps(reply, bool((request.body.get("stream_options") or {}).get("include_usage")))

    def _embed(self, request: Request) -> Sequence[_Step]:
        if self.embedding_script:
            return _stream_steps(self.embedding_script.popleft(), False)
        return [_embeddings(request.body)]


def one_tool_call_each_turn(call: Call, answer: Text) -> Callable[[Request], Reply]:
    """Calls the tool until a result of that call stands after the last question, then answers."""
    tools = Tools(call, pieces=4)

    def reply(request: Request) -> Reply:
        for message in reversed(request.body.get("messages", [])):
            if message["role"] == "user":
                return tools if request.body.get("tools") else answer
            if str(message.get("tool_call_id", "")).startswith("call_scripted"):
                return answer
        return answer

    return reply


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


async def _serve(options: argparse.Namespace) -> None:
    text = " ".join(f"word{place}" for place in range(options.tokens)) + " [1]."
    answer = Text(text, chunks=options.tokens, first_delay=options.delay)
    default = one_tool_call_each_turn(Call(options.tool[0], options.tool[1]), answer) if options.tool else answer
    server = ModelServer(default=default)
    server.record = False
    await server.start(options.port)
    sys.stdout.write(server.base_url + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted OpenAI-compatible server; it stops when its input ends.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tokens", type=int, default=30, help="pieces of the answer")
    parser.add_argument("--delay", type=float, default=0, help="seconds before the first token")
    parser.add_argument("--tool", nargs=2, metavar=("NAME", "JSON"), help="call this tool once in each turn")
    options = parser.parse_args()
    try:
        import uvloop

        uvloop.run(_serve(options))
    except ImportError:
        asyncio.run(_serve(options))


if __name__ == "__main__":
    main()
