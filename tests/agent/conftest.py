"""A small knowledge base on the real components, and an assistant over it with or without a scripted model server."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from agent.assistant import Assistant, Turn
from agent.build import open_assistant
from agent.events import Event, Replied, Reply
from agent.knowledge import open_knowledge
from agent.settings import Settings
from knowledge_base.ingest import ingest
from tests.model_server import ModelServer

ARTICLES = {
    "escrow.md": """---
title: How escrow protects a payment
topic: Escrow
---
Escrow holds the client's money until the work is approved.

## When is money released?

The client has 7 days to approve the work. If the client does nothing, the money is released automatically.

## How much can be funded?

A milestone is at least 50 euros. One card charge is at most 10,000 euros.
""",
    "password.md": """---
title: Sign-in problems
topic: Accounts
---
## Reset your password

1. Click **Forgot password** on the sign-in page.
2. Open the link in the e-mail within 60 minutes.
3. Choose a new password of at least 12 characters.
""",
    "roles.md": """---
title: Team roles
topic: Teams
---
## Who may approve a payment?

Owners and finance managers approve payments. Members can only request them.
""",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an embedded installation whose three articles are indexed."""
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in ARTICLES.items():
        (folder / name).write_text(text)
    settings = Settings(
        data_dir=tmp_path / "data", model=None, openai_api_key=None, openai_base_url=None, _env_file=None
    )
    with open_knowledge(settings) as knowledge:
        report = ingest([folder], store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
    assert report.added == 3
    return settings


@pytest.fixture
async def assistant(settings: Settings) -> AsyncIterator[Assistant]:
    async with open_assistant(settings) as opened:
        yield opened


@pytest.fixture
async def model() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


RemoteAssistant = Callable[..., AbstractAsyncContextManager[Assistant]]


@pytest.fixture
def remote(settings: Settings, model: ModelServer) -> RemoteAssistant:
    """Opens an assistant on the scripted server, which is asked once. How long it may take is left as it is, since a
    machine may stand still in the middle of a test; one whose server hangs sets its own limit."""

    def make(**changes: Any) -> AbstractAsyncContextManager[Assistant]:
        scripted = {"openai_base_url": model.base_url, "model": "scripted", "model_retries": 0}
        return open_assistant(settings.model_copy(update=scripted | changes))

    return make


async def events_of(assistant: Assistant, turn: Turn) -> list[Event]:
    """Everything that a turn tells its doorway."""
    return [event async for event in assistant.stream(turn)]


async def reply_of(assistant: Assistant, text: str, conversation_id: str | None = None) -> Reply:
    """The reply to one message of Ada's."""
    return reply_in(await events_of(assistant, Turn("ada", text, conversation_id)))


def reply_in(events: Sequence[Event]) -> Reply:
    """The reply that ends a turn."""
    assert isinstance(events[-1], Replied)
    return events[-1].reply
