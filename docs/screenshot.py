"""Take the pictures of the chat page that the README shows, from what `make run` serves: python docs/screenshot.py

Serves the demo knowledge base from a temporary folder on a free port, talks to it in a headless Chromium, and writes
docs/images/chat.png, chat-dark.png, chat-phone.png and profile.png.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
QUESTION = "How do I invite a team member?"
EARLIER = ("Which fees do clients pay?", "I'm a beginner, please keep it short. How do I open a dispute?")
TOLD = (
    "I'm a designer. How does escrow protect my payment?",
    "When is the money in escrow released?",
    "Which fees do freelancers pay?",
    "What happens to the escrow money in a dispute?",
)
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
START_SECONDS = 120
Scheme = Literal["light", "dark"]


def main() -> int:
    """Write the pictures; 1 when there is no browser to take them with."""
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        print(f"Expected a browser on the PATH (one of {', '.join(CHROMIUM)}), found none.", file=sys.stderr)  # noqa: T201
        return 1
    IMAGES.mkdir(exist_ok=True)
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        picture(browser, address, "chat.png", (1280, 960), "light")
        picture(browser, address, "chat-dark.png", (1280, 960), "dark")
        picture(browser, address, "chat-phone.png", (390, 844), "light")
        profile_picture(browser, address)
        browser.close()
    return 0


@contextmanager
def served() -> Iterator[str]:
    """The address of the demo, served as `make run` does, without a chat model."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as data:
        settings = {"ATTUNE_DATA_DIR": data, "ATTUNE_MODEL": "", "OPENAI_API_KEY": ""}
        command = [sys.executable, "-m", "ui", "serve", "--ingest-articles", "--port", str(port)]
        server = subprocess.Popen(command, cwd=ROOT, env=os.environ | settings)  # noqa: S603 - our own command
        try:
            address = f"http://127.0.0.1:{port}"
            wait_for(address, server)
            yield address
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Return when the page answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 - our own address
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"Expected the page at {address} within {START_SECONDS} s; the server's messages say why not.")


def picture(browser: Browser, address: str, name: str, size: tuple[int, int], scheme: Scheme) -> None:
    """A reader's page with a few conversations, the last one open with a source."""
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme, device_scale_factor=2)  # type: ignore[arg-type]
    page = context.new_page()
    for question in EARLIER:
        ask(page, address, question)
    ask(page, address, QUESTION)
    page.locator("details[data-source] summary").last.click()
    page.locator(".scroller").evaluate("(scroller) => { scroller.scrollTop = 0; }")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / name)
    context.close()


def profile_picture(browser: Browser, address: str) -> None:
    """The profile of a reader who asked a few questions, with the reasons for one line open."""
    context = browser.new_context(viewport={"width": 1280, "height": 960}, device_scale_factor=2)
    page = context.new_page()
    page.goto(address)
    for question in TOLD:
        say(page, question)
    page.locator("#profile-panel [data-part=preferences] summary").filter(has_text="Escrow").first.click()
    page.locator("#profile-panel .why.known").first.wait_for()
    receipt = page.locator("article .receipt summary").last
    if receipt.count():
        receipt.click()
        receipt.scroll_into_view_if_needed()
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / "profile.png")
    context.close()


def ask(page: Page, address: str, question: str) -> None:
    """Ask in a new conversation, and wait for the end of the answer."""
    page.goto(address)
    say(page, question)
    page.locator("nav [aria-current=page]").wait_for(state="attached")


def say(page: Page, question: str) -> None:
    """Ask in the open conversation, and wait for the end of the answer and for what it changed in the panel."""
    page.locator("#transcript .ready").wait_for()
    before = page.locator("article").count()
    page.get_by_role("textbox", name="Your question").fill(question)
    page.keyboard.press("Enter")
    page.locator("article").nth(before).locator(".actions").wait_for()
    page.wait_for_timeout(500)


if __name__ == "__main__":
    sys.exit(main())
