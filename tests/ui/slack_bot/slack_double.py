"""Slack on a loopback port: the Web API methods that the bot calls, and Socket Mode.

It keeps messages as Slack would, refuses what Slack refuses (text too long, appending to a stream that has ended,
updating one that has not), records every call, and breaks on demand.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import aiohttp
from aiohttp import web

BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-bot", "xapp-app", "signing-secret"
TEAM, BOT_USER, BOT_ID = "T1", "UBOT", "BBOT"
LIMIT = 12_000


@dataclass
class Posted:
    """A message that the bot made. `state` is 'streaming', 'dead' or 'done'; `shown` is what a reader sees."""

    channel: str
    thread_ts: str | None
    text: str = ""
    state: str = "done"
    blocks: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    updates: int = 0

    @property
    def shown(self) -> str:
        return "\n".join(
            [*([self.text] if self.text else []), *(b["text"] for b in self.blocks if b["type"] == "markdown")]
        )

    def block(self, kind: str) -> dict[str, Any]:
        return next(block for block in self.blocks if block["type"] == kind)


@dataclass
class Call:
    method: str
    arguments: dict[str, Any]
    at: float


Fault = Callable[[dict[str, Any]], web.Response | None]


def limited(seconds: int) -> Fault:
    body = {"ok": False, "error": "ratelimited"}
    return lambda arguments: web.json_response(body, status=429, headers={"Retry-After": str(seconds)})


def refused(error: str) -> Fault:
    return lambda arguments: web.json_response({"ok": False, "error": error})


class SlackDouble:
    """`messages` by ts; `calls` in order; `faults` by method, each used once; `die_after` appends a stream dies."""

    def __init__(self) -> None:
        self.messages: dict[str, Posted] = {}
        self.whispers: list[dict[str, Any]] = []
        self.calls: list[Call] = []
        self.acks: dict[str, float] = {}
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.die_after: int | None = None
        self.delays: dict[str, float] = {}
        self.url = ""
        self._sockets: list[web.WebSocketResponse] = []
        self._connected = asyncio.Event()
        self._numbers = count(1)
        self._appends: defaultdict[str, int] = defaultdict(int)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [call.arguments for call in self.calls if call.method == method]

    def replies(self) -> list[Posted]:
        return list(self.messages.values())

    async def push(self, payload: dict[str, Any], *, retry: int | None = None, kind: str = "events_api") -> str:
        """Deliver an event over the newest socket; its envelope's id."""
        await self._connected.wait()
        envelope_id = f"envelope-{next(self._numbers)}"
        envelope: dict[str, Any] = {"type": kind, "envelope_id": envelope_id, "payload": payload}
        if retry is not None:
            envelope |= {"retry_attempt": retry, "retry_reason": "timeout"}
        await self._sockets[-1].send_str(json.dumps(envelope))
        return envelope_id

    async def _api(self, request: web.Request) -> web.Response:
        method = request.match_info["method"]
        arguments = await _arguments(request)
        self.calls.append(Call(method, arguments, time.monotonic()))
        await asyncio.sleep(self.delays.get(method, 0))
        expected = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("Authorization") != f"Bearer {expected}":
            return web.json_response({"ok": False, "error": "invalid_auth"})
        if self.faults[method] and (answer := self.faults[method].pop(0)(arguments)) is not None:
            return answer
        handler = getattr(self, "_" + method.replace(".", "_").lower(), None)
        if handler is None:
            return web.json_response({"ok": False, "error": "unknown_method"})
        result: dict[str, Any] = handler(arguments)
        return web.json_response({"ok": "error" not in result, **result})

    def _auth_test(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"team_id": TEAM, "team": "Team", "user_id": BOT_USER, "user": "attune", "bot_id": BOT_ID, "url": "x"}

    def _apps_connections_open(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"url": self.url.replace("http", "ws") + "/socket"}

    def _chat_startstream(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("thread_ts") or not given.get("recipient_user_id") or not given.get("recipient_team_id"):
            return {"error": "invalid_arguments"}
        ts = self._new(Posted(given["channel"], given["thread_ts"], state="streaming"))
        return {"ts": ts, **self._take(self.messages[ts], given)}

    def _chat_appendstream(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self.messages[given["ts"]]
        self._appends[given["ts"]] += 1
        if self.die_after is not None and self._appends[given["ts"]] > self.die_after:
            message.state = "dead"
        if message.state != "streaming":
            return {"error": "message_not_in_streaming_state"}
        return self._take(message, given)

    def _chat_stopstream(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self.messages[given["ts"]]
        if message.state != "streaming":
            return {"error": "message_not_in_streaming_state"}
        message.state = "done"
        message.blocks = given.get("blocks") or []
        return self._take(message, given)

    def _take(self, message: Posted, given: dict[str, Any]) -> dict[str, Any]:
        for chunk in given.get("chunks") or []:
            if chunk["type"] == "markdown_text":
                message.text += chunk["text"]
            elif any(len(value) > 256 for value in chunk.values() if isinstance(value, str)):
                return {"error": "invalid_chunks"}
            else:
                message.tasks.setdefault(chunk["id"], {}).update(chunk)
        return {"error": "msg_too_long"} if len(message.text) > LIMIT else {}

    def _chat_update(self, given: dict[str, Any]) -> dict[str, Any]:
        message = self.messages.get(given["ts"])
        if message is None:
            return {"error": "message_not_found"}
        if message.state == "streaming":
            return {"error": "streaming_state_conflict"}
        if _too_long(given):
            return {"error": "msg_too_long"}
        message.text, message.state = given.get("markdown_text", ""), "done"
        message.blocks = given.get("blocks") or []
        message.updates += 1
        return {"ts": given["ts"]}

    def _chat_postmessage(self, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("markdown_text") and (given.get("text") or given.get("blocks")):
            return {"error": "markdown_text_conflict"}
        if _too_long(given):
            return {"error": "msg_too_long"}
        posted = Posted(given["channel"], given.get("thread_ts"), given.get("markdown_text", ""))
        posted.blocks = given.get("blocks") or []
        return {"ts": self._new(posted), "channel": given["channel"]}

    def _chat_postephemeral(self, given: dict[str, Any]) -> dict[str, Any]:
        self.whispers.append(given)
        return {"message_ts": "1.1"}

    def _conversations_open(self, given: dict[str, Any]) -> dict[str, Any]:
        users = given["users"] if isinstance(given["users"], str) else ",".join(given["users"])
        return {"channel": {"id": f"D{users}"}}

    def _assistant_threads_setstatus(self, _: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _assistant_threads_setsuggestedprompts(self, _: dict[str, Any]) -> dict[str, Any]:
        return {}

    def _new(self, message: Posted) -> str:
        ts = f"1700000000.{next(self._numbers):06d}"
        self.messages[ts] = message
        return ts

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(json.dumps({"type": "hello", "num_connections": 1}))
        self._sockets.append(socket)
        self._connected.set()
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                self.acks[json.loads(message.data)["envelope_id"]] = time.monotonic()
        return socket

    async def close_sockets(self) -> None:
        """Hang up; `push` then waits for a new connection."""
        self._connected.clear()
        for socket in self._sockets:
            await socket.close()


@asynccontextmanager
async def slack_double() -> AsyncIterator[SlackDouble]:
    """A running double; its `url` is where it listens."""
    double = SlackDouble()
    app = web.Application()
    app.router.add_post("/api/{method}", double._api)
    app.router.add_get("/socket", double._socket)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        await double.close_sockets()
        await runner.cleanup()


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        return dict(await request.json())
    return {**request.query, **(await request.post())}


def _too_long(given: dict[str, Any]) -> bool:
    blocks = sum(len(block["text"]) for block in given.get("blocks") or [] if block["type"] == "markdown")
    return max(len(given.get("markdown_text") or ""), blocks) > LIMIT


_events = count(1)


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """An event as Slack delivers it, from user U1 in a channel unless the fields say otherwise."""
    inner = {"type": kind, "user": "U1", "team": TEAM, "channel": "C1", "ts": f"1600000000.{next(_events):06d}"}
    return {
        "type": "event_callback",
        "team_id": TEAM,
        "api_app_id": "A1",
        "event_id": f"Ev{next(_events)}",
        "event_time": 1600000000,
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True, "is_enterprise_install": False}],
        "event": inner | fields,
    }


def mention(text: str, **fields: Any) -> dict[str, Any]:
    return event("app_mention", text=f"<@{BOT_USER}> {text}", **fields)


def direct(text: str, **fields: Any) -> dict[str, Any]:
    return event("message", text=text, **{"channel": "D1", "channel_type": "im"} | fields)


def in_channel(text: str, **fields: Any) -> dict[str, Any]:
    return event("message", text=text, **{"channel_type": "channel"} | fields)


def click(
    action_id: str, value: str, *, user: str = "U1", channel: str = "C1", thread_ts: str = "1.1"
) -> dict[str, Any]:
    """A press of a button under a reply in a thread."""
    return {
        "type": "block_actions",
        "team": {"id": TEAM},
        "user": {"id": user, "team_id": TEAM},
        "channel": {"id": channel},
        "trigger_id": f"trigger-{next(_events)}",
        "container": {"type": "message", "message_ts": "1.2", "channel_id": channel, "thread_ts": thread_ts},
        "actions": [{"action_id": action_id, "block_id": "b", "type": "button", "value": value, "action_ts": "1.3"}],
    }


def signed(body: bytes, *, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a request that Slack signed."""
    stamp = str(int(at if at is not None else time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}", "Content-Type": "application/json"}
