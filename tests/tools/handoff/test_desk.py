"""A hand-off is never lost, and a ticket is claimed only where the queue returned its id."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.handoff.desk import AppriseQueue, Handoff, HandoffDesk, WebhookQueue
from tools.handoff.packet import Said, packet

PACKET = packet(
    "Where is my refund?",
    [
        Said("How do refunds work?", "Refunds take five days.", answered=True, sources=("Refunds",), rating=-1),
        Said("It is day nine", "", answered=False),
    ],
)
HANDOFF = Handoff("ann", "c1", PACKET, "m3")


class TicketSystem:
    """A ticket system on loopback that answers what it is told to."""

    def __init__(self) -> None:
        self.status, self.answer = 200, '{"ticket": "T-17"}'
        self.got: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
        )
        self.got.append(head + (await reader.readexactly(length)).decode())
        body = self.answer.encode()
        writer.write(
            f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()


@pytest.fixture
async def system() -> AsyncIterator[tuple[TicketSystem, str]]:
    tickets = TicketSystem()
    server = await asyncio.start_server(tickets.serve, "127.0.0.1", 0)
    yield tickets, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/tickets"
    server.close()
    await server.wait_closed()


def test_a_packet_says_what_was_tried_and_what_it_rested_on():
    text = PACKET.as_text()
    assert "Asks: Where is my refund?" in text
    assert "1 of them without an answer" in text
    assert "How do refunds work? → Refunds take five days. (not helpful)" in text
    assert PACKET.sources == ("Refunds",)


async def test_the_embedded_queue_gives_its_row_as_ticket(engine: AsyncEngine):
    desk = HandoffDesk(engine)
    ticket = await desk.hand_off(HANDOFF)
    (row,) = await desk.of_user("ann")
    assert ticket.ticket == row["id"] == row["ticket"]
    assert row["id"] in ticket.words
    assert row["packet"]["sources"] == ["Refunds"]
    assert await desk.of_user("bob") == []


async def test_a_webhook_returns_the_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    ticket = await HandoffDesk(engine, WebhookQueue(url, token="s3")).hand_off(HANDOFF)
    assert ticket.ticket == "T-17"
    head, _, body = tickets.got[0].partition("\r\n\r\n")
    assert "Bearer s3" in head
    assert json.loads(body)["packet"]["summary"] == PACKET.summary


@pytest.mark.parametrize(("status", "answer"), [(500, "{}"), (200, "thanks"), (200, "[]"), (200, '{"ticket": null}')])
async def test_no_id_no_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str], status: int, answer: str):
    tickets, url = system
    tickets.status, tickets.answer = status, answer
    ticket = await HandoffDesk(engine, WebhookQueue(url)).hand_off(HANDOFF)
    assert ticket.ticket is None
    assert "no person has it yet" in ticket.words


async def test_what_the_queue_did_not_take_is_sent_again(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    tickets.status = 503
    desk = HandoffDesk(engine, WebhookQueue(url))
    first = await desk.hand_off(HANDOFF)
    tickets.status = 201
    (again,) = await desk.retry()
    assert (again.handoff_id, again.ticket) == (first.handoff_id, "T-17")
    assert await desk.retry() == []
    assert all(f"Idempotency-Key: {first.handoff_id}".lower() in got.lower() for got in tickets.got)


@pytest.mark.filterwarnings("ignore:.imghdr:DeprecationWarning")  # of a library that Apprise imports
async def test_a_message_through_apprise_has_no_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    ticket = await HandoffDesk(engine, AppriseQueue([url.replace("http://", "json://")])).hand_off(HANDOFF)
    assert ticket.ticket is None
    assert "Where is my refund?" in tickets.got[0]


@pytest.mark.filterwarnings("ignore:.imghdr:DeprecationWarning")
async def test_an_address_that_is_none_is_noted(engine: AsyncEngine):
    desk = HandoffDesk(engine, AppriseQueue(["nonsense"]))
    assert (await desk.hand_off(HANDOFF)).ticket is None
    (row,) = await desk.of_user("ann")
    assert row["state"] == "failed"
    assert "Apprise" in row["failure"]
