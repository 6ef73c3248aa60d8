"""Where hand-offs wait. A ticket is claimed only with the id that the queue returned.

Every hand-off is a row first, so that none is lost; a webhook or an e-mail comes after. Where that fails, the row says
so, the user is not told that somebody has it, and it is tried again in the background, after ever longer pauses and
for a day. `due_at` says from when on anybody may try: whoever does moves it on, in one statement, so that of several
processes one sends. A process that dies while it sends is found by its row, which falls due.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import uuid4

import httpx2
from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from knowledge_base.errors import AttuneError
from tools.database import now
from tools.handoff.packet import Packet
from tools.handoff.tables import handoffs
from tools.rounds import Rounds

log = logging.getLogger(__name__)

SECONDS = 10.0
LOOK_EVERY = 30.0
"""Seconds between two looks for hand-offs that are due."""
LEASE = timedelta(minutes=2)
"""How long whoever sends a hand-off has for it; longer than any queue takes."""
SHORTEST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=24)
TICKET_CHARS = 200
REFERENCE_CHARS = 8
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
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
    """What became of a hand-off: whether the queue took it. `ticket` is None unless the queue returned an id."""

    handoff_id: str
    queue: str
    ticket: str | None
    sent: bool

    @property
    def words(self) -> str:
        """What may be said to the user."""
        if not self.sent:
            return "Your request is written down, but no person has it yet. Sending it to the team is tried again."
        if self.ticket is None:
            return "Your request was sent to the team. It has no ticket number."
        return f"Your request waits for a person of the team: ticket {self.ticket}."


class Queue(Protocol):
    """Takes a hand-off and returns the id under which it waits, or None where the queue gives none."""

    name: str

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None: ...


class TableQueue:
    """The embedded default: the row waits under a reference that a person can read out."""

    name = "table"

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None:  # noqa: ARG002
        return reference(handoff_id)


def reference(handoff_id: str) -> str:
    """A short name for a hand-off, the same each time: 40 of the id's 128 bits in Crockford's base 32, which has no
    letters that are taken for digits, as "4F7K-9Q2M". The row keeps it as its ticket.

    Among ten thousand hand-offs two share one with a probability of 0.005 %.
    """
    bits = int(handoff_id, 16)
    letters = [_LETTERS[bits >> 5 * at & 31] for at in range(REFERENCE_CHARS)]
    return "-".join(("".join(letters[:4]), "".join(letters[4:])))


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
            async with asyncio.timeout(self._seconds), httpx2.AsyncClient(timeout=self._seconds) as client:
                answer = await client.post(self._url, json=_as_json(handoff_id, handoff), headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
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
    """Writes hand-offs down and brings them to the queue. `clock` is the time now, aware."""

    def __init__(self, engine: AsyncEngine, queue: Queue | None = None, *, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._queue = queue or TableQueue()
        self._clock = clock
        self._rounds = Rounds(self.retry, every=LOOK_EVERY, first=LOOK_EVERY, name="hand-offs are sent again")

    def start(self) -> None:
        """Try again what was not sent, now and then."""
        self._rounds.start()

    async def aclose(self) -> None:
        """Stop trying; what is left falls due in another process, or after the next start."""
        await self._rounds.aclose()

    async def hand_off(self, handoff: Handoff) -> Ticket:
        """Write it down, then send it. Does not raise where the queue fails: the ticket is then None."""
        return await self._send(await self._write(handoff))

    async def retry(self, *, limit: int = 100) -> list[Ticket]:
        """Send those again that are due, the longest due first, and that nobody else is sending."""
        due = (
            select(handoffs.c.id, handoffs.c.due_at)
            .where(handoffs.c.due_at <= self._clock())
            .order_by(handoffs.c.due_at)
            .limit(limit)
        )
        async with self._engine.connect() as connection:
            found = (await connection.execute(due)).all()
        tried = []
        for handoff_id, due_at in found:
            if (claimed := await self._claim(handoff_id, due_at)) is not None:
                tried.append(await self._send(claimed))
        return tried

    async def of_user(self, user_id: str) -> list[dict[str, Any]]:
        """This user's hand-offs, the earliest first."""
        query = select(handoffs).where(handoffs.c.user_id == user_id).order_by(handoffs.c.created_at)
        async with self._engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(query)).mappings()]

    async def _write(self, handoff: Handoff) -> "_Claimed":
        time = self._clock()
        row = {
            "id": uuid4().hex,
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
            "due_at": time + LEASE,
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(handoffs).values(row))
        return _claimed(row)

    async def _claim(self, handoff_id: str, due_at: datetime) -> "_Claimed | None":
        """The hand-off that was seen to be due then; None where somebody was faster, or it was forgotten."""
        time = self._clock()
        ours = (
            update(handoffs)
            .where(handoffs.c.id == handoff_id, handoffs.c.due_at == due_at)
            .values(due_at=time + LEASE, queue=self._queue.name, updated_at=time)
            .returning(handoffs)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(ours)).mappings().first()
        return None if row is None else _claimed(row)

    async def _send(self, claimed: "_Claimed") -> Ticket:
        handoff_id, queue = claimed.id, self._queue.name
        try:
            ticket = await self._queue.put(handoff_id, claimed.handoff)
        except HandoffFailed as error:
            await self._note_failure(claimed, str(error))
            return Ticket(handoff_id, queue, None, sent=False)
        except Exception as error:  # the boundary to somebody else's code: the hand-off is tried again like any other
            log.exception("the queue failed with hand-off %s", handoff_id)
            await self._note_failure(claimed, f"The queue itself failed: {type(error).__name__}; the log says where")
            return Ticket(handoff_id, queue, None, sent=False)
        return Ticket(handoff_id, queue, await self._note_sent(handoff_id, ticket), sent=True)

    async def _note_sent(self, handoff_id: str, ticket: str | None) -> str | None:
        """Note that the queue has it. The first ticket stays the hand-off's: it may have been told to the user."""
        sent = {"state": "queued", "failure": None, "due_at": None, "updated_at": self._clock()}
        noted = (
            update(handoffs)
            .where(handoffs.c.id == handoff_id)
            .values(ticket=func.coalesce(handoffs.c.ticket, ticket), **sent)
            .returning(handoffs.c.ticket)
        )
        async with self._engine.begin() as connection:
            kept: str | None = (await connection.execute(noted)).scalar()
        return kept or ticket

    async def _note_failure(self, claimed: "_Claimed", failure: str) -> None:
        """Say when to try again, unless it was tried for long enough; nothing where another process sends it by now."""
        time = self._clock()
        pause = _pause(time - claimed.written_at)
        if pause is None:
            log.error("hand-off %s is given up, and somebody has to look at it: %s", claimed.id, failure)
            next_try: dict[str, Any] = {"state": "given_up", "due_at": None}
        else:
            log.warning("hand-off %s is tried again in %d s: %s", claimed.id, pause.total_seconds(), failure)
            next_try = {"state": "failed", "due_at": time + pause}
        ours = handoffs.c.id == claimed.id, handoffs.c.due_at == claimed.due_at
        async with self._engine.begin() as connection:
            await connection.execute(update(handoffs).where(*ours).values(failure=failure, updated_at=time, **next_try))


@dataclass(frozen=True, slots=True)
class _Claimed:
    """A hand-off that is ours to send until it is due again."""

    id: str
    handoff: Handoff
    written_at: datetime
    due_at: datetime


def _claimed(row: Mapping[str, Any]) -> _Claimed:
    kept = row["packet"]
    packet = Packet(kept["summary"], tuple(kept["steps"]), tuple(kept["sources"]))
    handoff = Handoff(row["user_id"], row["conversation_id"], packet, row["message_id"])
    return _Claimed(row["id"], handoff, row["created_at"], row["due_at"])


def _pause(age: timedelta) -> timedelta | None:
    """How long to leave a hand-off of this age alone: as long again as it has been tried, so that pauses double. None
    when it was tried for long enough."""
    return None if age >= GIVEN_UP_AFTER else min(max(age, SHORTEST_PAUSE), LONGEST_PAUSE)
