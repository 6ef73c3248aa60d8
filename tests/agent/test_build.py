"""What the composition root starts goes on by itself."""

import asyncio
from datetime import timedelta

import pytest

from agent.build import open_assistant
from agent.settings import Settings
from tests.agent.conftest import reply_of
from tests.tools.handoff.ticket_system import TicketSystem
from tools.handoff import desk


async def test_a_hand_off_reaches_a_ticket_system_that_was_down(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(desk, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(desk, "SHORTEST_PAUSE", timedelta(seconds=0.05))
    tickets = TicketSystem()
    tickets.status = 503
    async with (
        tickets.listening() as url,
        open_assistant(settings.model_copy(update={"handoff_webhook": url})) as assistant,
    ):
        reply = await reply_of(assistant, "I want to talk to a person")
        assert "no person has it yet" in reply.answer
        tickets.status = 200
        async with asyncio.timeout(10):
            while (row := (await assistant.profiles.export("ada"))["handoffs"][0])["state"] != "queued":  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert row["ticket"] == "T-17"
    assert row["message_id"] == reply.message_id
    assert len(set(tickets.keys)) == 1
