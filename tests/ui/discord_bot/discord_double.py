"""Discord on a loopback port: the gateway's websocket and the REST routes that the bot calls.

It keeps messages and threads as Discord would, refuses what Discord refuses, records every call with its time, and
breaks on demand.
"""

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import WSMsgType, web

TOKEN = "token"
BOT, APP, GUILD, CHANNEL, DM, ADA, BOB = 1001, 1002, 2001, 2002, 2003, 3001, 3002
SUPPRESS_EMBEDS, EPHEMERAL = 4, 64
NOW = "2026-01-02T03:04:05.000000+00:00"


@dataclass
class Posted:
    """A message of the bot's."""

    id: int
    channel: int
    content: str
    flags: int
    mentions: dict[str, Any] | None
    buttons: list[dict[str, Any]] = field(default_factory=list)
    edits: list[float] = field(default_factory=list)
    reference: int | None = None
    deleted: bool = False


@dataclass
class Call:
    method: str
    path: str
    body: dict[str, Any]
    at: float


Fault = Callable[[], web.Response]


def as_json(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Discord names no charset, and its library reads JSON only then."""
    body = json.dumps(data).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json")


def forbidden() -> web.Response:
    return as_json({"message": "Missing Permissions", "code": 50013}, status=403)


def gone() -> web.Response:
    return as_json({"message": "Unknown Message", "code": 10008}, status=404)


def limited() -> web.Response:
    body = {"message": "You are being rate limited.", "retry_after": 0.3, "global": False}
    return as_json(body, status=429, headers={"Via": "1.1", "Retry-After": "1"})


def person(number: int, name: str = "", *, bot: bool = False) -> dict[str, Any]:
    return {"id": str(number), "username": name or f"user{number}", "discriminator": "0", "avatar": None, "bot": bot}


class DiscordDouble:
    """`messages` in order; `threads` by id with their names; `faults` by (method, pattern of path), each used once;
    `disallowed_intents` are those that the bot was not allowed."""

    def __init__(self) -> None:
        self.messages: list[Posted] = []
        self.threads: dict[int, str] = {}
        self.calls: list[Call] = []
        self.identified: list[dict[str, Any]] = []
        self.commands: list[dict[str, Any]] = []
        self.faults: defaultdict[tuple[str, str], list[Fault]] = defaultdict(list)
        self.disallowed_intents = 0
        self.url = ""
        self._ids = count(9000)
        self._sequence = count(1)
        self._sockets: list[web.WebSocketResponse] = []
        self._ready = asyncio.Event()

    # -- what a test looks at and does

    def shown(self, channel: int | None = None) -> list[Posted]:
        return [one for one in self.messages if not one.deleted and channel in (None, one.channel)]

    def called(self, method: str, pattern: str) -> list[Call]:
        return [call for call in self.calls if call.method == method and re.fullmatch(pattern, call.path)]

    async def ready(self) -> None:
        await self._ready.wait()

    async def dispatch(self, kind: str, data: dict[str, Any]) -> None:
        """Deliver an event over every connection, as to several processes."""
        await self.ready()
        for socket in self._sockets:
            if not socket.closed:
                await self._send(socket, kind, data)

    async def write(self, text: str, *, channel: int = CHANNEL, author: int = ADA, **fields: Any) -> dict[str, Any]:
        """Somebody writes; in a guild, unless the channel is the direct one."""
        message: dict[str, Any] = (
            self._message(next(self._ids), channel, text, person(author, bot=author == BOT)) | fields
        )
        if "mentions" not in fields:
            message["mentions"] = [person(int(number)) for number in re.findall(r"<@!?(\d+)>", text)]
        if channel != DM:
            message |= {
                "guild_id": str(GUILD),
                "member": {"roles": [], "joined_at": NOW, "deaf": False, "mute": False, "flags": 0},
            }
        await self.dispatch("MESSAGE_CREATE", message)
        return message

    async def command(
        self, name: str, options: dict[str, Any] | None = None, *, user: int = ADA, channel: int = CHANNEL
    ) -> dict[str, Any]:
        kinds = {str: 3, int: 4, bool: 5}
        given = [{"name": key, "type": kinds[type(value)], "value": value} for key, value in (options or {}).items()]
        return await self._interact(2, {"id": "77", "name": name, "type": 1, "options": given}, user, channel)

    async def press(self, custom_id: str, message: Posted, *, user: int = ADA) -> dict[str, Any]:
        shown = self._message(message.id, message.channel, message.content, person(BOT, bot=True))
        data = {"custom_id": custom_id, "component_type": 2}
        shown["components"] = [{"type": 1, "components": message.buttons}]
        return await self._interact(3, data, user, message.channel, message=shown)

    async def _interact(self, kind: int, data: dict[str, Any], user: int, channel: int, **more: Any) -> dict[str, Any]:
        number = next(self._ids)
        interaction: dict[str, Any] = {
            "id": str(number),
            "application_id": str(APP),
            "type": kind,
            "token": f"interaction-{number}",
            "version": 1,
            "data": data,
            "channel_id": str(channel),
            "channel": self._channel(channel),
            "app_permissions": "0",
            "authorizing_integration_owners": {},
            "attachment_size_limit": 1000,
            "entitlements": [],
            "locale": "en-US",
            **more,
        }
        if channel == DM:
            interaction["user"] = person(user)
        else:
            interaction["guild_id"] = str(GUILD)
            member = {
                "user": person(user),
                "roles": [],
                "joined_at": NOW,
                "permissions": "0",
                "deaf": False,
                "mute": False,
                "flags": 0,
            }
            interaction["member"] = member
        await self.dispatch("INTERACTION_CREATE", interaction)
        return interaction

    # -- the gateway

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"op": 10, "d": {"heartbeat_interval": 41250}, "s": None, "t": None})
        async for frame in socket:
            if frame.type == WSMsgType.TEXT:
                await self._heard(socket, json.loads(frame.data))
        return socket

    async def _heard(self, socket: web.WebSocketResponse, told: dict[str, Any]) -> None:
        if told["op"] == 1:
            await socket.send_json({"op": 11, "d": None, "s": None, "t": None})
        elif told["op"] == 2:
            self.identified.append(told["d"])
            if told["d"]["intents"] & self.disallowed_intents:
                await socket.close(code=4014)
                return
            await self._send(socket, "READY", self._ready_data())
            await self._send(socket, "GUILD_CREATE", self._guild())
            self._sockets.append(socket)
            self._ready.set()

    async def _send(self, socket: web.WebSocketResponse, kind: str, data: dict[str, Any]) -> None:
        await socket.send_json({"op": 0, "t": kind, "s": next(self._sequence), "d": data})

    def _ready_data(self) -> dict[str, Any]:
        return {
            "v": 10,
            "user": person(BOT, "Attune", bot=True),
            "guilds": [{"id": str(GUILD), "unavailable": True}],
            "session_id": "session",
            "resume_gateway_url": self.url.replace("http", "ws") + "/gateway/",
            "application": {"id": str(APP), "flags": 0},
        }

    def _guild(self) -> dict[str, Any]:
        me = {
            "user": person(BOT, "Attune", bot=True),
            "roles": [],
            "joined_at": NOW,
            "deaf": False,
            "mute": False,
            "flags": 0,
        }
        everyone = {"id": str(GUILD), "name": "@everyone", "permissions": "0", "position": 0, "color": 0}
        everyone |= {"hoist": False, "managed": False, "mentionable": False, "flags": 0}
        return {
            "id": str(GUILD),
            "name": "Guild",
            "owner_id": str(ADA),
            "member_count": 3,
            "roles": [everyone],
            "channels": [self._channel(CHANNEL)],
            "members": [me],
            "threads": [],
        }

    def _channel(self, number: int) -> dict[str, Any]:
        if number == DM:
            return {"id": str(DM), "type": 1, "recipients": [person(ADA)], "last_message_id": None}
        if number in self.threads:
            return self._thread(number)
        return {"id": str(number), "type": 0, "name": "general", "position": 0, "permission_overwrites": []}

    def _thread(self, number: int) -> dict[str, Any]:
        return {
            "id": str(number),
            "type": 11,
            "guild_id": str(GUILD),
            "parent_id": str(CHANNEL),
            "owner_id": str(BOT),
            "name": self.threads[number],
            "message_count": 0,
            "member_count": 1,
            "thread_metadata": {
                "archived": False,
                "auto_archive_duration": 1440,
                "archive_timestamp": NOW,
                "locked": False,
            },
        }

    def _message(self, number: int, channel: int, text: str, author: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": str(number),
            "channel_id": str(channel),
            "author": author,
            "content": text,
            "timestamp": NOW,
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": [],
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
        }

    # -- REST

    async def _rest(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        body = await _body(request)
        self.calls.append(Call(request.method, path, body, time.monotonic()))
        for (method, pattern), faults in self.faults.items():
            if faults and method == request.method and re.fullmatch(pattern, path):
                return faults.pop(0)()
        interactive = path.startswith(("/webhooks/", "/interactions/"))
        if not interactive and request.headers.get("Authorization") != f"Bot {TOKEN}":
            return as_json({"message": "401: Unauthorized", "code": 0}, status=401)
        for method, pattern, handler in self._routes():
            if method == request.method and (match := re.fullmatch(pattern, path)):
                answer = handler(*(int(part) if part.isdigit() else part for part in match.groups()), body)
                return answer if isinstance(answer, web.Response) else as_json(answer)
        return as_json({"message": "404: Not Found", "code": 0}, status=404)

    def _routes(self) -> list[tuple[str, str, Callable[..., Any]]]:
        return [
            ("GET", "/users/@me", lambda body: person(BOT, "Attune", bot=True)),
            ("GET", "/oauth2/applications/@me", lambda body: self._application()),
            ("PUT", r"/applications/\d+/commands", self._sync),
            ("POST", "/users/@me/channels", lambda body: self._channel(DM)),
            ("POST", r"/channels/(\d+)/typing", lambda channel, body: web.Response(status=204)),
            ("POST", r"/channels/(\d+)/messages", self._post),
            ("PATCH", r"/channels/\d+/messages/(\d+)", self._edit),
            ("DELETE", r"/channels/\d+/messages/(\d+)", self._delete),
            ("POST", r"/channels/(\d+)/messages/(\d+)/threads", self._start_thread),
            ("POST", r"/interactions/\d+/[\w-]+/callback", self._respond),
            ("POST", r"/webhooks/\d+/interaction-(\d+)", self._follow_up),
            ("PATCH", r"/webhooks/\d+/interaction-\d+/messages/(\d+)", self._edit),
            ("DELETE", r"/webhooks/\d+/interaction-\d+/messages/(\d+)", self._delete),
        ]

    def _application(self) -> dict[str, Any]:
        named = {"id": str(APP), "name": "Attune", "description": "", "icon": None, "verify_key": ""}
        return named | {"bot_public": True, "bot_require_code_grant": False, "owner": person(ADA), "flags": 0}

    def _sync(self, body: Any) -> list[dict[str, Any]]:
        self.commands = body["list"]
        return [{**command, "id": str(77 + i), "application_id": str(APP)} for i, command in enumerate(self.commands)]

    def _post(self, channel: int, body: dict[str, Any]) -> Any:
        if not 0 < len(body.get("content") or "") <= 2000:
            return as_json({"message": "Invalid Form Body", "code": 50035}, status=400)
        number = next(self._ids)
        posted = Posted(number, channel, body["content"], body.get("flags", 0), body.get("allowed_mentions"))
        posted.buttons = _buttons(body)
        posted.reference = int(body["message_reference"]["message_id"]) if "message_reference" in body else None
        self.messages.append(posted)
        return self._message(number, channel, body["content"], person(BOT, "Attune", bot=True))

    def _edit(self, number: int, body: dict[str, Any]) -> Any:
        posted = next((one for one in self.messages if one.id == number and not one.deleted), None)
        if posted is None:
            return gone()
        if not 0 < len(body.get("content") or "") <= 2000:
            return as_json({"message": "Invalid Form Body", "code": 50035}, status=400)
        posted.content, posted.mentions = body["content"], body.get("allowed_mentions")
        posted.buttons = _buttons(body)
        posted.edits.append(time.monotonic())
        return self._message(number, posted.channel, posted.content, person(BOT, "Attune", bot=True))

    def _delete(self, number: int, body: dict[str, Any]) -> web.Response:
        next(one for one in self.messages if one.id == number).deleted = True
        return web.Response(status=204)

    def _start_thread(self, channel: int, message: int, body: dict[str, Any]) -> Any:
        if not 0 < len(body["name"]) <= 100 or message in self.threads:
            return as_json({"message": "Invalid Form Body", "code": 50035}, status=400)
        self.threads[message] = body["name"]
        return self._thread(message)

    def _respond(self, body: dict[str, Any]) -> Any:
        if body["type"] == 4:  # a message at once
            number = next(self._ids)
            data = body["data"]
            self.messages.append(Posted(number, 0, data["content"], data.get("flags", 0), data.get("allowed_mentions")))
        return {"interaction": {"id": "1", "type": 2}}

    def _follow_up(self, interaction: int, body: dict[str, Any]) -> Any:
        return self._post(CHANNEL, body)


def _buttons(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [button for row in body.get("components") or [] for button in row["components"]]


async def _body(request: web.Request) -> dict[str, Any]:
    if request.content_type == "application/json":
        found = await request.json()
        return {"list": found} if isinstance(found, list) else found
    return {}


@asynccontextmanager
async def discord_double() -> AsyncIterator[DiscordDouble]:
    """A running double; its `url` is where it listens."""
    double = DiscordDouble()
    app = web.Application()
    app.router.add_get("/gateway/", double._gateway)
    app.router.add_route("*", "/api/{path:.*}", double._rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        for socket in double._sockets:
            await socket.close()
        await runner.cleanup()
