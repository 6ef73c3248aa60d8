"""A real browser on a real server: what tests of the page share."""

import asyncio
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.ui.live import serving

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


PENDING = "pending"
"""The key of a question that the server has not taken up yet."""


def chromium() -> str:
    """The path of a Chromium; the test is skipped, and says why, where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless browser that phones nobody."""
    path = chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield launched
        launched.close()


@contextmanager
def served(make_app: Callable[[], AbstractAsyncContextManager[FastAPI]]) -> Iterator[str]:
    """The address of an application that runs in a thread of its own."""
    address: Future[str] = Future()
    ended = threading.Event()

    async def run() -> None:
        async with make_app() as app, serving(app, patience=0.2) as (url, _):
            address.set_result(url)
            await asyncio.to_thread(ended.wait)

    def tell(done: Future[None]) -> None:
        if not address.done():
            address.set_exception(done.exception())

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(asyncio.run, run())
        running.add_done_callback(tell)
        try:
            yield address.result(60)
        finally:
            ended.set()
        running.result(30)


class Visit:
    """One reader's browser: notes what the page complains about and whom it asks."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.address = address
        self.complaints: list[str] = []
        self.outside: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)

    def _heard(self, message: ConsoleMessage) -> None:
        # Gradio's client says so when a reload breaks a request that it was still reading.
        left = "AbortError" in message.text or "Connection errored out" in message.text
        if message.type in ("error", "warning") and not left:
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.outside.append(request.url)

    def open(self, path: str = "/") -> None:
        """Load the page and wait until it shows what the server said."""
        self.page.goto(self.address + path)
        self.page.locator("#transcript .ready").wait_for()

    def ask(self, text: str) -> None:
        """Ask by keyboard, and wait for the end of the answer."""
        with self.answering():
            box = self.page.get_by_role("textbox", name="Your question")
            box.fill(text)
            box.press("Enter")

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Wait until what is done inside has brought another last answer, and all of it."""
        shown = [key for one in self.page.locator("article").all() if (key := one.get_attribute("data-key"))]
        another = "".join(f"(?!{re.escape(key)}$)" for key in [*shown, PENDING])
        yield
        expect(self.page.locator("article").last).to_have_attribute(
            "data-key", re.compile(f"^{another}.+"), timeout=10_000
        )
        self.finished()

    def finished(self) -> None:
        """Wait until nothing is being written."""
        self.page.locator("#app:not([data-running])").wait_for()
        self.page.locator("article").last.locator(".actions, .failure").wait_for()

    @property
    def last(self) -> str:
        """The words of the last answer."""
        return self.page.locator("article").last.locator(".answer-part").inner_text()
