"""A hand-off is never lost, and a ticket is claimed only where the queue returned its id."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.tools.handoff.ticket_system import TicketSystem
from tools.database import now
from tools.handoff import desk as desk_module
from tools.handoff.desk import (
    GIVEN_UP_AFTER,
    LEASE,
    AppriseQueue,
    Handoff,
    HandoffDesk,
    Ticket,
    WebhookQueue,
    reference,
)
from tools.handoff.packet import Said, packet
from tools.profile.store import ProfileStore

PACKET = packet(
    "Where is my refund?",
    [
        Said("How do refunds work?", "Refunds take five days.", answered=True, sources=("Refunds",), rating=-1),
        Said("It is day nine", "", answered=False),
    ],
)
HANDOFF = Handoff("ann", "c1", PACKET, "m3")


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def system() -> AsyncIterator[tuple[TicketSystem, str]]:
    tickets = TicketSystem()
    async with tickets.listening() as url:
        yield tickets, url


def test_a_packet_says_what_was_tried_and_what_it_rested_on():
    text = PACKET.as_text()
    assert "Asks: Where is my refund?" in text
    assert "1 of them without an answer" in text
    assert "How do refunds work? → Refunds take five days. (not helpful)" in text
    assert PACKET.sources == ("Refunds",)


async def test_the_embedded_queue_gives_a_reference_that_finds_its_row(engine: AsyncEngine):
    desk = HandoffDesk(engine)
    ticket = await desk.hand_off(HANDOFF)
    (row,) = await desk.of_user("ann")
    assert ticket.ticket == row["ticket"] == reference(row["id"])
    assert row["ticket"] in ticket.words
    assert row["packet"]["sources"] == ["Refunds"]
    assert await desk.of_user("bob") == []


def test_a_reference_can_be_read_out_and_tells_hand_offs_apart():
    references = {reference(uuid4().hex) for _ in range(500)}
    assert len(references) == 500
    assert all(re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}", one) for one in references)
    assert reference("0" * 32) == reference("f" * 22 + "0" * 10)


async def test_a_webhook_returns_the_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    ticket = await HandoffDesk(engine, WebhookQueue(url, token="s3")).hand_off(HANDOFF)
    assert ticket.ticket == "T-17"
    head, _, body = tickets.got[0].partition("\r\n\r\n")
    assert "Bearer s3" in head
    assert json.loads(body)["packet"]["summary"] == PACKET.summary


@pytest.mark.parametrize("answer", ["thanks", "[]", '{"ticket": null}'])
async def test_no_id_no_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str], answer: str):
    tickets, url = system
    tickets.answer = answer
    ticket = await HandoffDesk(engine, WebhookQueue(url)).hand_off(HANDOFF)
    assert (ticket.ticket, ticket.sent) == (None, True)
    assert ticket.words == "Your request was sent to the team. It has no ticket number."


async def _refused(engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock) -> tuple[HandoffDesk, Ticket]:
    """A desk with a hand-off that the ticket system, which then works again, did not take."""
    tickets, url = system
    tickets.status = 503
    desk = HandoffDesk(engine, WebhookQueue(url), clock=clock)
    ticket = await desk.hand_off(HANDOFF)
    tickets.status = 201
    return desk, ticket


async def test_what_the_queue_did_not_take_is_sent_again(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock
):
    desk, first = await _refused(engine, system, clock)
    assert "no person has it yet" in first.words
    assert (first.ticket, first.sent) == (None, False)
    assert await desk.retry() == []  # not due yet
    clock.ahead = timedelta(seconds=31)
    (again,) = await desk.retry()
    assert again == Ticket(first.handoff_id, "webhook", "T-17", sent=True)
    (row,) = await desk.of_user("ann")
    assert (row["state"], row["ticket"], row["failure"], row["due_at"]) == ("queued", "T-17", None, None)
    clock.ahead = timedelta(days=2)
    assert await desk.retry() == []
    assert system[0].keys == [first.handoff_id] * 2


async def test_the_background_sends_again(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(desk_module, "LOOK_EVERY", 0.01)
    desk, _ = await _refused(engine, system, clock)
    desk.start()
    clock.ahead = timedelta(seconds=31)
    async with asyncio.timeout(5):
        while (await desk.of_user("ann"))[0]["state"] != "queued":  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
    await desk.aclose()
    assert len(system[0].got) == 2


async def test_of_several_processes_one_sends_again(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock
):
    tickets, url = system
    tickets.status = 503
    desks = [HandoffDesk(engine, WebhookQueue(url), clock=clock) for _ in range(4)]
    failed = [await desks[0].hand_off(HANDOFF) for _ in range(5)]
    tickets.status = 200
    tickets.got.clear()
    clock.ahead = timedelta(seconds=31)
    sent = [ticket for done in await asyncio.gather(*(desk.retry() for desk in desks)) for ticket in done]
    assert sorted(ticket.handoff_id for ticket in sent) == sorted(ticket.handoff_id for ticket in failed)
    assert sorted(tickets.keys) == sorted(ticket.handoff_id for ticket in failed)


async def test_nobody_sends_what_is_being_sent(engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock):
    tickets, url = system
    tickets.open.clear()
    one, other = (HandoffDesk(engine, WebhookQueue(url), clock=clock) for _ in range(2))
    sending = asyncio.ensure_future(one.hand_off(HANDOFF))
    await asyncio.wait_for(tickets.reached.wait(), 5)
    clock.ahead = LEASE - timedelta(seconds=30)
    assert await other.retry() == []
    tickets.open.set()
    assert (await sending).ticket == "T-17"
    assert len(tickets.got) == 1


async def test_what_a_process_died_with_is_sent_by_another(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock
):
    tickets, url = system
    tickets.open.clear()
    sending = asyncio.ensure_future(HandoffDesk(engine, WebhookQueue(url), clock=clock).hand_off(HANDOFF))
    await asyncio.wait_for(tickets.reached.wait(), 5)
    sending.cancel()
    await asyncio.wait({sending})
    tickets.open.set()
    clock.ahead = LEASE + timedelta(seconds=1)
    (ticket,) = await HandoffDesk(engine, WebhookQueue(url), clock=clock).retry()
    assert ticket.ticket == "T-17"
    assert len(set(tickets.keys)) == 1  # so that the ticket system can tell that it is the same


async def test_a_ticket_that_was_named_stays_the_ticket(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock
):
    """One who was so slow that another sent it too: whatever each was answered, both name the same ticket."""
    tickets, url = system
    tickets.open.clear()
    slow = asyncio.ensure_future(HandoffDesk(engine, WebhookQueue(url), clock=clock).hand_off(HANDOFF))
    await asyncio.wait_for(tickets.reached.wait(), 5)
    clock.ahead = LEASE + timedelta(seconds=1)
    faster = TicketSystem()
    faster.answer = '{"ticket": "T-18"}'
    async with faster.listening() as other_url:
        (named,) = await HandoffDesk(engine, WebhookQueue(other_url), clock=clock).retry()
    tickets.open.set()
    assert (await slow).ticket == named.ticket == "T-18"


async def test_pauses_grow_until_it_is_given_up_for_all_to_see(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock, caplog: pytest.LogCaptureFixture
):
    desk, _ = await _refused(engine, system, clock)
    system[0].status = 503
    tries = 0
    while (row := (await desk.of_user("ann"))[0])["state"] == "failed":
        clock.ahead = row["due_at"] - now() + timedelta(milliseconds=1)
        tries += len(await desk.retry())
    assert (row["state"], row["due_at"]) == ("given_up", None)
    assert "503" in row["failure"]
    assert f"hand-off {row['id']} is given up" in caplog.text
    assert GIVEN_UP_AFTER <= clock.ahead < GIVEN_UP_AFTER + timedelta(hours=1, minutes=1)
    assert 25 < tries < 35
    clock.ahead = timedelta(days=9)
    assert await desk.retry() == []


async def test_what_was_forgotten_is_not_sent_again(
    engine: AsyncEngine, system: tuple[TicketSystem, str], clock: Clock
):
    desk, _ = await _refused(engine, system, clock)
    await ProfileStore(engine).forget("ann")
    clock.ahead = timedelta(hours=1)
    assert await desk.retry() == []
    assert len(system[0].got) == 1


class Broken:
    """A queue with a fault of its own."""

    name = "broken"

    async def put(self, handoff_id: str, handoff: Handoff) -> str | None:
        raise KeyError(handoff_id)


async def test_a_queue_with_a_fault_of_its_own_loses_nothing_either(engine: AsyncEngine, clock: Clock):
    desk = HandoffDesk(engine, Broken(), clock=clock)
    assert not (await desk.hand_off(HANDOFF)).sent
    (row,) = await desk.of_user("ann")
    assert (row["state"], row["failure"]) == ("failed", "The queue itself failed: KeyError; the log says where")
    assert row["due_at"] > clock()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", "http://exa mple/", "nowhere"])
async def test_an_address_without_a_ticket_system_is_noted(engine: AsyncEngine, address: str):
    desk = HandoffDesk(engine, WebhookQueue(address))
    assert not (await desk.hand_off(HANDOFF)).sent
    (row,) = await desk.of_user("ann")
    assert row["failure"].startswith("The webhook did not answer: ")


async def test_a_ticket_system_that_never_answers_is_left(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    tickets.open.clear()
    ticket = await HandoffDesk(engine, WebhookQueue(url, seconds=0.1)).hand_off(HANDOFF)
    assert not ticket.sent
    tickets.open.set()


@pytest.mark.filterwarnings("ignore:.imghdr:DeprecationWarning")  # of a library that Apprise imports
async def test_a_message_through_apprise_has_no_ticket(engine: AsyncEngine, system: tuple[TicketSystem, str]):
    tickets, url = system
    ticket = await HandoffDesk(engine, AppriseQueue([url.replace("http://", "json://")])).hand_off(HANDOFF)
    assert (ticket.ticket, ticket.sent) == (None, True)
    assert "Where is my refund?" in tickets.got[0]


@pytest.mark.filterwarnings("ignore:.imghdr:DeprecationWarning")
async def test_an_address_that_is_none_is_noted(engine: AsyncEngine):
    desk = HandoffDesk(engine, AppriseQueue(["nonsense"]))
    assert (await desk.hand_off(HANDOFF)).ticket is None
    (row,) = await desk.of_user("ann")
    assert row["state"] == "failed"
    assert "Apprise" in row["failure"]
