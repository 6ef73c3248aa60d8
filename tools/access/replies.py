"""Answers kept for repeated requests (draft-ietf-httpapi-idempotency-key-header): a request that is sent twice, because
its first answer was lost on the way, acts once and is answered the same.

A row is the claim of whoever runs the request; its answer is filled in at the end. A claim lasts as long as a request
may, so that a process that died in the middle does not hold the key for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tools.access.tables import idempotent_replies as kept
from tools.database import now, upsert

KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Request:
    """Which request: whose, under which key, and a digest of what it asks."""

    caller: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was sent."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right, and the duty, to run the request."""

    request: Request
    holder: str


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The key was used for a request that asked something else."""


class KeptReplies:
    """Claims and answers in a database, safe for several processes.

    Args:
        engine: Where.
        lease: Seconds that a request may run, at most.
    """

    def __init__(self, engine: AsyncEngine, *, lease: float) -> None:
        self._engine = engine
        self._lease = timedelta(seconds=lease)

    async def claim(self, request: Request) -> Claim | Answer | Running | OtherRequest:
        """What to do about a request: run it, answer it as before, wait, or refuse it."""
        mine = Claim(request, uuid4().hex)
        async with self._engine.begin() as connection:
            await connection.execute(delete(kept).where(kept.c.expires_at < now()))
            if await self._insert(connection, mine):
                return mine
            row = (await connection.execute(select(kept).where(*_is(request)))).mappings().first()
        return Running() if row is None else _found(row, request)

    async def _insert(self, connection: AsyncConnection, claim: Claim) -> bool:
        row = upsert(connection, kept).values(
            caller=claim.request.caller,
            key=claim.request.key,
            fingerprint=claim.request.fingerprint,
            holder=claim.holder,
            expires_at=now() + self._lease,
        )
        inserted = row.on_conflict_do_nothing().returning(kept.c.holder)
        return (await connection.execute(inserted)).first() is not None

    async def keep(self, claim: Claim, answer: Answer, user_id: str | None = None) -> None:
        """Answer this request so from now on, until the user whom it is about is forgotten."""
        values = {"status": answer.status, "content_type": answer.content_type, "body": answer.body, "user_id": user_id}
        statement = update(kept).where(*_is(claim.request), kept.c.holder == claim.holder)
        async with self._engine.begin() as connection:
            await connection.execute(statement.values(**values, expires_at=now() + KEPT))

    async def drop(self, claim: Claim) -> None:
        """Give the key back: the request came to nothing that is worth repeating."""
        mine = (*_is(claim.request), kept.c.holder == claim.holder)
        async with self._engine.begin() as connection:
            await connection.execute(delete(kept).where(*mine, kept.c.status.is_(None)))


def _is(request: Request) -> tuple[Any, Any]:
    return kept.c.caller == request.caller, kept.c.key == request.key


def _found(row: Mapping[Any, Any], request: Request) -> Answer | Running | OtherRequest:
    if row["fingerprint"] != request.fingerprint:
        return OtherRequest()
    if row["status"] is None:
        return Running()
    return Answer(row["status"], row["content_type"], row["body"])
