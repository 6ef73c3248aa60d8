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

from tests.model_server.replies import Call, Disconnect, Hang, Raw, Reply, Request, Scripted, Status, Text, Tools
from tests.model_server.server import ModelServer, blackhole

__all__ = [
    "Call",
    "Disconnect",
    "Hang",
    "ModelServer",
    "Raw",
    "Reply",
    "Request",
    "Scripted",
    "Status",
    "Text",
    "Tools",
    "blackhole",
]
