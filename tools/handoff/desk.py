"""Where hand-offs wait. A ticket is claimed only with the id that the queue returned.

Every hand-off is a row first, so that none is lost; a webhook or an e-mail comes after. Where that fails, the row says
so, `retry` sends it again, and the user is not told that somebody has it.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import uuid4

import httpx2
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.errors import AttuneError
from tools.database import now
from tools.handoff.packet import Packet
from tools.handoff.tables import handoffs

log = logging.getLogger(__name__)

SECONDS = 10.0
TICKET_CHARS = 200
_ID_NAMES = ("ticket", "ticket_id", "id", "key", "number")


class HandoffFailed(AttuneError):
    """The queue did not take the hand-off; the row stays, and can be sent again."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """A hand-off to make."""

    user_id: str
    conversation_id: str
    packet: Packet
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """What became of a hand-off. `ticket` is None unless the queue returned an id."""

    handoff_id: str
    queue: str
    ticket: str | None

    @property
    def words(self) -> str:
        """What may be said to the user."""
        if self.ticket is None:
            return "Your request is written down, but no person has it yet."
        return f"Your request waits for a person of the team: ticket {self.ticket}."


class Queue(Protocol):
    """Takes a hand-off and returns the id under which it waits, or None where the queue gives none."""

    name: str

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None: ...


class TableQueue:
    """The embedded default: the row itself is the ticket."""

    name = "table"

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None:  # noqa: ARG002
        return handoff_id


class WebhookQueue:
    """Posts the packet as JSON and reads the ticket's id from the answer (`ticket`, `id`, …).

    Args:
        url: Of the operator's ticket system.
        token: Sent as `Authorization: Bearer …`.
    """

    name = "webhook"

    def __init__(self, url: str, *, token: str | None = None, seconds: float = SECONDS) -> None:
        self._url, self._seconds = url, seconds
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None:
        """Raises HandoffFailed."""
        headers = {**self._headers, "Idempotency-Key": handoff_id}
        try:
            async with httpx2.AsyncClient(timeout=self._seconds) as client:
                answer = await client.post(self._url, json=_as_json(handoff_id, handoff), headers=headers)
        except httpx2.HTTPError as error:
            raise HandoffFailed(f"The webhook did not answer: {type(error).__name__}") from error
        if not answer.is_success:
            raise HandoffFailed(f"The webhook answered {answer.status_code}; expected 2xx with the ticket's id as JSON")
        return _ticket(answer.text)


class AppriseQueue:
    """Sends the packet through Apprise (e-mail, and what else it knows). A message has no ticket id to return."""

    name = "apprise"

    def __init__(self, urls: Sequence[str], *, seconds: float = 3 * SECONDS) -> None:
        self._urls, self._seconds = tuple(urls), seconds

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None:
        """Raises HandoffFailed."""
        import apprise

        sender = apprise.Apprise()
        if not self._urls or not all(map(sender.add, self._urls)):
            raise HandoffFailed("A hand-off address is not one that Apprise knows; expected such as mailto://…")
        sending = sender.async_notify(
            title=f"Hand-off {handoff_id}: {handoff.user_id}", body=handoff.packet.as_text(), body_format="text"
        )
        try:
            sent = await asyncio.wait_for(sending, self._seconds)
        except TimeoutError:
            raise HandoffFailed(f"The message was not sent within {self._seconds:.0f} seconds") from None
        if not sent:
            raise HandoffFailed("The message could not be sent; Apprise's own log says why")
        return None


def _as_json(handoff_id: str, handoff: Handoff) -> dict[str, Any]:
    return {
        "handoff_id": handoff_id,
        "user_id": handoff.user_id,
        "conversation_id": handoff.conversation_id,
        "message_id": handoff.message_id,
        "packet": handoff.packet.as_json(),
    }


def _ticket(text: str) -> str | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    found = next((answer[name] for name in _ID_NAMES if answer.get(name)), None) if isinstance(answer, dict) else None
    return str(found)[:TICKET_CHARS] if isinstance(found, str | int) else None


class HandoffDesk:
    """Writes hand-offs down and brings them to the queue."""

    def __init__(self, engine: AsyncEngine, queue: Queue | None = None) -> None:
        self._engine = engine
        self._queue = queue or TableQueue()

    async def hand_off(self, handoff: Handoff) -> Ticket:
        """Write it down, then queue it. Does not raise where the queue fails: the ticket is then None."""
        handoff_id = uuid4().hex
        await self._write(handoff_id, handoff)
        return await self._send(handoff_id, handoff)

    async def retry(self, *, limit: int = 100) -> list[Ticket]:
        """Send those again that the queue did not take, the oldest first."""
        query = select(handoffs).where(handoffs.c.state == "failed").order_by(handoffs.c.created_at).limit(limit)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [await self._send(row["id"], _handoff(dict(row))) for row in rows]

    async def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """This user's hand-offs, the earliest first."""
        query = select(handoffs).where(handoffs.c.user_id == user_id).order_by(handoffs.c.created_at)
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _write(self, handoff_id: str, handoff: Handoff) -> None:
        time = now()
        row = {
            "id": handoff_id,
            "user_id": handoff.user_id,
            "conversation_id": handoff.conversation_id,
            "message_id": handoff.message_id,
            "queue": self._queue.name,
            "state": "waiting",
            "ticket": None,
            "packet": handoff.packet.as_json(),
            "failure": None,
            "created_at": time,
            "updated_at": time,
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(handoffs).values(row))

    async def _send(self, handoff_id: str, handoff: Handoff) -> Ticket:
        try:
            ticket = await self._queue.put(handoff_id, handoff)
        except HandoffFailed as error:
            log.warning("hand-off %s was not taken: %s", handoff_id, error)
            await self._note(handoff_id, state="failed", ticket=None, failure=str(error))
            return Ticket(handoff_id, self._queue.name, None)
        await self._note(handoff_id, state="queued", ticket=ticket, failure=None)
        return Ticket(handoff_id, self._queue.name, ticket)

    async def _note(self, handoff_id: str, **values: str | None) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(
                update(handoffs).where(handoffs.c.id == handoff_id).values(**values, updated_at=now())
            )


def _handoff(row: dict[str, Any]) -> Handoff:
    kept = row["packet"]
    packet = Packet(kept["summary"], tuple(kept["steps"]), tuple(kept["sources"]))
    return Handoff(row["user_id"], row["conversation_id"], packet, row["message_id"])
