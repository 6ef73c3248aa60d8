"""The page on the real assistant: a small knowledge base, the extractive model, and a slow scripted model server."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect

from agent.build import open_assistant
from agent.knowledge import open_knowledge
from agent.settings import Settings
from knowledge_base.ingest import ingest
from tests.model_server import ModelServer, Text
from tests.ui.browser import Visit, browser, served
from ui.app import create_app

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

ESCROW = """---
title: How escrow protects a payment
topic: Escrow
url: https://help.example/escrow
---
Escrow holds the client's money until the work is approved.

## When is money released?

The client has 7 days to approve the work. If the client does nothing, the money is released automatically.

## How much can be funded?

A milestone is at least 50 euros. One card charge is at most 10,000 euros.
"""
ROLES = """---
title: Team roles
topic: Teams
---
## Who may approve a payment?

Owners and finance managers approve payments. Members can only request them.
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("base")
    (folder / "escrow.md").write_text(ESCROW, "utf-8")
    (folder / "roles.md").write_text(ROLES, "utf-8")
    settings = Settings(data_dir=folder / "data", model=None, openai_api_key=None, openai_base_url=None, _env_file=None)
    with open_knowledge(settings) as knowledge:
        ingest([folder], store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
    return settings


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[FastAPI]:
    async with open_assistant(settings) as assistant:
        yield create_app(settings, assistant=assistant)


def test_a_strangers_first_conversation(chrome: Browser, settings: Settings) -> None:
    with served(lambda: whole(settings)) as address, chrome.new_context() as context:
        visit = Visit(context, address)
        visit.open()
        page = visit.page
        expect(page.locator(".cards button").first).to_be_visible()
        visit.ask("How long does the client have to approve the work?")
        assert "7 days" in visit.last
        expect(page.locator(".by")).to_contain_text("no language model")
        page.locator(".cite").first.press("Enter")
        expect(page.locator("details[data-source][open] summary")).to_be_focused()
        panel = page.locator("details[data-source]").filter(has_text="7 days")
        panel.evaluate("(details) => { details.open = true; }")
        expect(panel.locator("mark").filter(has_text="7 days")).to_be_visible()
        expect(panel).to_contain_text("How escrow protects a payment")
        expect(panel.get_by_role("link")).to_have_attribute("href", re.compile("^https://help.example/escrow"))
        page.get_by_role("button", name="Helpful", exact=True).click()
        visit.ask("What is the tallest volcano on Mars?")
        expect(page.locator(".verdict")).to_be_visible()
        with page.expect_navigation():
            page.reload()
        expect(page.locator("[data-question]")).to_have_count(2)
        expect(page.get_by_role("button", name="Helpful", exact=True).first).to_have_attribute("aria-pressed", "true")
        page.locator("article").first.hover()
        page.locator("article").first.get_by_role("button", name="Edit this question").click()
        page.locator("form.editing textarea").fill("Who may approve a payment?")
        with visit.answering():
            page.keyboard.press("Enter")
        expect(page.locator("[data-question]")).to_have_text(["Who may approve a payment?"])
        assert "finance managers" in visit.last
        page.get_by_role("navigation").get_by_role("button", name="Delete conversation").press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Delete").press("Enter")
        expect(page.get_by_role("heading", name=settings.title)).to_be_visible()
        page.reload()
        expect(page.get_by_role("navigation").get_by_role("link")).to_have_count(0)
        assert visit.complaints == []
        assert visit.outside == []


def test_a_slow_model_can_be_stopped_and_what_it_said_is_kept(chrome: Browser, settings: Settings) -> None:
    with ModelServer.threaded() as server:
        server.default = Text("Money is released after 7 days [1]. " * 100, chunks=200, interval=0.05)
        remote = settings.model_copy(update={"openai_base_url": server.base_url, "model": "scripted"})
        with served(lambda: whole(remote)) as address, chrome.new_context() as context:
            visit = Visit(context, address)
            visit.open()
            visit.page.get_by_role("textbox", name="Your question").fill("When is the money released?")
            visit.page.keyboard.press("Enter")
            expect(visit.page.locator(".answer-part .cite").nth(1)).to_be_visible()
            visit.page.get_by_role("button", name="Stop").click()
            visit.finished()
            expect(visit.page.locator(".notice")).to_be_visible()
            said = visit.last
            visit.page.reload()
            expect(visit.page.locator(".answer-part")).to_be_visible()
            assert visit.last == said
            assert "Money is released" in said
            assert visit.page.locator(".cite").count() < 100
            expect(visit.page.locator("details[data-source='1']")).to_be_visible()
            assert visit.outside == []
