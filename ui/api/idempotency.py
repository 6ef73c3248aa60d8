"""Idempotency-Key: a writing request that is sent again acts once (draft-ietf-httpapi-idempotency-key-header).

The first request with a key runs, its answer is kept, and the same request gets it again; the same key with another
body is refused. A repetition that comes while the first is still running waits for its answer. A request with a key
runs to its end even when its client hangs up: it will come back for the answer.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from typing import Annotated

from fastapi import Header
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.access.replies import Answer, Claim, KeptReplies, OtherRequest, Request, Running
from ui.api.access import Access
from ui.api.identity import Identity, is_protected
from ui.api.problems import ProblemError, answer, problem

log = logging.getLogger(__name__)

HEADER = "idempotency-key"
LONGEST = 255
MOST_KEPT = 4 * 2**20  # bytes of an answer
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)  # seconds between two looks at a running request; the last one repeats

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=LONGEST,
        description="Any text that is new for each new request: sent again, the request acts only once, and for a day "
        "gets the same answer",
        openapi_examples={"a UUID": {"value": "8e03978e-40d5-43e8-bc93-6894a57f9324"}},
    ),
]


class Idempotency:
    """Answers repeated POSTs of the API with what they were answered the first time.

    Args:
        app: Runs them.
        access: Where answers are kept.
    """

    def __init__(self, app: ASGIApp, *, access: Callable[[], Access]) -> None:
        self.app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        if not 0 < len(key) <= LONGEST or not key.isprintable():
            wrong = problem(400, f"Expected an Idempotency-Key of 1 to {LONGEST} printable characters.")
            await answer(scope, wrong)(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        try:
            await self._once(scope, Replayed(body), send, _request(scope, key, body))
        except ProblemError as error:
            await answer(scope, error.problem, error.headers, code=error.code)(scope, receive, send)

    async def _once(self, scope: Scope, receive: "Replayed", send: Send, request: Request) -> None:
        replies = await self._access().replies()
        found = await self._claimed(replies, request)
        if isinstance(found, Answer):
            response = Response(found.body, found.status, media_type=found.content_type or None)
            response.headers["Idempotent-Replayed"] = "true"
            await response(scope, receive, send)
        else:
            await self._run(scope, receive, send, replies, found)

    async def _claimed(self, replies: KeptReplies, request: Request) -> Answer | Claim:
        """The answer of whoever runs this request, or the right to run it."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._access().turn_timeout
        looks = 0
        while True:
            found = await replies.claim(request)
            if isinstance(found, OtherRequest):
                raise ProblemError(
                    422,
                    "This Idempotency-Key was used for another request; take a new one.",
                    code="idempotency_key_reused",
                )
            if not isinstance(found, Running):
                return found
            if loop.time() > give_up:
                raise ProblemError(
                    409, "The first request with this Idempotency-Key still runs.", headers={"Retry-After": "5"}
                )
            await asyncio.sleep(PAUSES[min(looks, len(PAUSES) - 1)])
            looks += 1

    async def _run(self, scope: Scope, receive: "Replayed", send: Send, replies: KeptReplies, claim: Claim) -> None:
        recorder = Recorder(send)
        try:
            await self.app(scope, receive, recorder)
        finally:
            await asyncio.shield(_settle(replies, claim, recorder.answer(), _only_user(scope)))


async def _settle(replies: KeptReplies, claim: Claim, said: Answer | None, user_id: str | None) -> None:
    if said is None:
        await replies.drop(claim)
    else:
        await replies.keep(claim, said, user_id)


def _only_user(scope: Scope) -> str | None:
    """Whom the request was about; None where it was about nobody, or, as a batch, about several."""
    identity: Identity = scope["state"]["identity"]
    return next(iter(identity.acts_for)) if len(identity.acts_for) == 1 else None


async def _read(receive: Receive) -> bytes | None:
    """The body, or None when the client went away before its end."""
    content = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        content += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(content)


class Replayed:
    """Gives the application a body that was read already, and keeps to itself that the client hung up."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._given = False

    async def __call__(self) -> Message:
        if self._given:
            await asyncio.Event().wait()  # for ever: the application cancels it when it is done
        self._given = True
        return {"type": "http.request", "body": self._body, "more_body": False}


class Recorder:
    """Passes a response on while noting it; a client that is gone does not stop it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._status = 0
        self._content_type = ""
        self._body = bytearray()
        self._ended = False
        self._lost = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._content_type = Headers(raw=message["headers"]).get("content-type", "")
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            self._ended = not message.get("more_body", False)
        if not self._lost:
            try:
                await self._send(message)
            except OSError:
                self._lost = True

    def answer(self) -> Answer | None:
        """The response, if it is one to repeat: it succeeded, and is not too long to keep."""
        if not self._ended or not 200 <= self._status < 300 or len(self._body) > MOST_KEPT:
            return None
        return Answer(self._status, self._content_type, bytes(self._body))


def _key(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not is_protected(scope["path"]):
        return None
    return Headers(scope=scope).get(HEADER)


def _request(scope: Scope, key: str, body: bytes) -> Request:
    identity: Identity = scope["state"]["identity"]
    asked = hashlib.sha256(f"{scope['method']} {scope['path']}?".encode())
    asked.update(scope["query_string"] + b"\n" + body)
    return Request(identity.caller, key, asked.hexdigest())
