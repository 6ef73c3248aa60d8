"""The chat page in a real browser: what a reader does, by keyboard where it can be done so."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, BrowserContext, expect

from agent.assistant import Exchange, Turn
from agent.events import Event, Failed, Notice
from agent.settings import Settings
from tests.fakes import ScriptedAssistant, play, source
from tests.ui.browser import Visit, browser, served
from tools.database import open_database
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import Taxonomy
from tools.recommender.service import Recommender
from ui.app import create_app

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

INJECTIONS = (
    '<img src=x onerror="window.harm=1"> <script>window.harm=2</script> [click](javascript:window.harm=3) '
    '<svg onload="window.harm=4"> ${window.harm=5} {{x}} `${window.harm=6}` " onmouseover="window.harm=7'
)


class Remembering(ScriptedAssistant):
    """Shows ratings in the transcript, as the real assistant does."""

    async def transcript(self, user_id: str, conversation_id: str) -> list[Exchange]:
        ratings = {rating.message_id: rating.rating or None for rating in self.ratings}
        kept = await super().transcript(user_id, conversation_id)
        return [replace(one, rating=ratings.get(one.message_id)) for one in kept]


def script(turn: Turn) -> list[Event]:
    """What the scripted assistant says to a question."""
    text = turn.text.casefold()
    if "inject" in text:
        everywhere = dict.fromkeys(("title", "heading", "text", "quote"), INJECTIONS)
        bad = source(1, **everywhere, url="javascript:window.harm=8")
        notice = Notice(code="model_unavailable", text=INJECTIONS)
        return play(INJECTIONS + " [1]", sources=[bad], follow_ups=[INJECTIONS], notices=[notice])
    if "break" in text:
        return [*play("")[:2], Failed(code="internal", message="Something broke.", retryable=True)]
    if "unknown" in text:
        return play("Nothing was found.", sources=[source(1, score=0.2)], answered=False, confidence=0.1, follow_ups=[])
    if "code" in text:
        table = "| One column | Another column | And a third one | The last |\n|---|---|---|---|\n| 1 | 2 | 3 | 4 |"
        return play(f"Run [1]:\n\n```sh\na < b\n```\n\n{table}\n\n{'endless' * 20}", sources=[source(1)])
    if "report" in text:
        return play("\n\n".join(f"Paragraph{number}" for number in range(40)) + " [1]", sources=[source(1)])
    if "long" in text:
        return play(" ".join(f"word{number}" for number in range(2_000)))
    return play()


@pytest.fixture(scope="module")
def assistant() -> Remembering:
    return Remembering(script, pause=0.005)


@pytest.fixture(scope="module")
def address(assistant: Remembering, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(_env_file=None, data_dir=tmp_path_factory.mktemp("page"), title="Fernhollow Help")

    @asynccontextmanager
    async def app() -> AsyncIterator[FastAPI]:
        async with open_database(f"sqlite+aiosqlite:///{settings.data_dir / 'page.db'}") as engine:
            assistant.profiles, assistant.taxonomy = ProfileStore(engine), Taxonomy(engine)
            assistant.recommender = Recommender(engine, assistant.profiles, folder=settings.data_dir / "models")
            yield create_app(settings, assistant=assistant)

    with served(app) as url:
        yield url


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture(scope="module")
def desk(chrome: Browser) -> Iterator[BrowserContext]:
    with chrome.new_context(viewport={"width": 1280, "height": 860}) as context:
        yield context


@pytest.fixture
def visit(desk: BrowserContext, address: str) -> Iterator[Visit]:
    """A reader who was never here, though the browser has the page's files already."""
    desk.clear_cookies()
    visit = Visit(desk, address)
    visit.open()
    yield visit
    visit.page.close()
    assert visit.complaints == []
    assert visit.outside == []


def test_a_question_by_keyboard_is_answered_with_sources_that_open(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the question box")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    page.keyboard.type("How does escrow work?")
    with visit.answering():
        page.keyboard.press("Enter")
    assert "Money is held in escrow" in visit.last
    expect(page.locator("article .steps summary")).to_contain_text("Searching the documents2 passages from 2 articles")
    panel = page.locator("details[data-source='2']")
    expect(panel.locator("mark")).to_be_hidden()
    page.get_by_role("link", name="Source 2").press("Enter")
    expect(panel.locator("mark")).to_have_text("Quoted words of passage 2.")
    expect(panel.locator("summary")).to_be_focused()
    expect(panel.get_by_role("link")).to_have_attribute("href", "https://help.example/article-2#section-2")


def test_a_follow_up_and_a_rating_are_there_again_after_a_reload(visit: Visit, assistant: Remembering) -> None:
    page = visit.page
    visit.ask("How does escrow work?")
    with visit.answering():
        page.get_by_role("button", name="When is the money released?").click()
    expect(page.locator("article")).to_have_count(2)
    expect(page.get_by_role("textbox", name="Your question")).to_be_focused()
    like = page.locator("article").last.get_by_role("button", name="Helpful", exact=True)
    like.press("Enter")
    expect(like).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(200)
    visit.page.reload()
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("[data-question]")).to_have_text(["How does escrow work?", "When is the money released?"])
    expect(like).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="When is the money released?")).to_be_visible()
    expect(page.locator("article").first.locator("details[data-source]")).to_have_count(2)
    like.click()
    expect(like).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(200)
    assert [rating.rating for rating in assistant.ratings][-2:] == [1, 0]


def test_a_long_answer_is_read_from_its_beginning(visit: Visit) -> None:
    page = visit.page
    question = page.locator("[data-question]").last
    latest = page.get_by_role("button", name="Go to the end of the conversation")
    visit.ask("How does escrow work?")
    visit.ask("The report")
    expect(question).to_have_text("The report")
    expect(question).to_be_in_viewport()
    page.reload()
    expect(page.locator("article")).to_have_count(2)
    expect(question).to_be_in_viewport()
    latest.press("Enter")
    expect(question).not_to_be_in_viewport()
    expect(latest).to_be_hidden()
    page.locator("details[data-source] summary").last.click()
    expect(question).not_to_be_in_viewport()
    visit.ask("Another report")
    expect(question).to_be_in_viewport()


def test_what_is_typed_outlives_a_reload(visit: Visit) -> None:
    box = visit.page.get_by_role("textbox", name="Your question")
    box.fill("Half a quest")
    visit.page.reload()
    expect(box).to_have_value("Half a quest")
    box.press("End")
    visit.page.keyboard.type("ion")
    with visit.answering():
        box.press("Enter")
    expect(visit.page.locator("[data-question]")).to_have_text("Half a question")
    visit.page.reload()
    expect(visit.page.locator("article .actions")).to_be_visible()
    expect(box).to_have_value("")


def test_stop_keeps_what_was_said(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("textbox", name="Your question").fill("A long story")
    page.keyboard.press("Enter")
    expect(page.locator(".answer-part")).to_contain_text("word40")
    page.get_by_role("button", name="Stop").click()
    visit.finished()
    expect(page.locator(".notice")).to_have_text("This answer stops early.")
    assert "word40" in visit.last
    assert "word1999" not in visit.last
    page.reload()
    expect(page.locator(".answer-part")).to_contain_text("word40")


def test_closing_the_tab_stops_the_turn(chrome: Browser, address: str, assistant: Remembering) -> None:
    with chrome.new_context() as context:
        visit = Visit(context, address)
        visit.open()
        visit.page.get_by_role("textbox", name="Your question").fill("A long story for nobody")
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator(".answer-part")).to_contain_text("word10")
    deadline = time.monotonic() + 5
    while (
        not (left := [turn for turn in assistant.stopped if "for nobody" in turn.text]) and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert len(left) == 1


def test_a_message_that_is_too_long_stays_in_the_box(visit: Visit, assistant: Remembering) -> None:
    page = visit.page
    box = page.get_by_role("textbox", name="Your question")
    box.fill("x" * 20_001)
    box.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="at most 20000")).to_be_visible()
    expect(box).to_have_value("x" * 20_001)
    box.fill("   ")
    box.press("Enter")
    box.fill("Short\nand clear")
    with visit.answering():
        box.press("Enter")
    expect(page.locator("[data-question]")).to_have_text(["Short\nand clear"], use_inner_text=True)
    expect(page.get_by_role("alert").filter(has_text="at most")).to_have_count(0)


def test_an_answer_and_its_code_can_be_copied(visit: Visit) -> None:
    visit.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.ask("Show code")
    visit.page.get_by_role("button", name="Copy code").click()
    assert visit.page.evaluate("navigator.clipboard.readText()") == "a < b\n"
    visit.page.get_by_role("button", name="Copy the answer").click()
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Run [1]:\n\n```sh\na < b\n```")
    assert copied.endswith("[1] Article 1 › Section 1 https://help.example/article-1#section-1")


def test_editing_a_question_replaces_it_and_what_came_after(visit: Visit) -> None:
    page = visit.page
    visit.ask("First question")
    visit.ask("Second question")
    page.locator("article").first.hover()
    page.locator("article").first.get_by_role("button", name="Edit this question").click()
    editor = page.locator("form.editing textarea")
    expect(editor).to_be_focused()
    editor.fill("Better question")
    with visit.answering():
        editor.press("Enter")
        expect(page.locator("[data-question]")).to_have_text(["Better question"])
    with visit.answering():
        page.get_by_role("button", name="Answer again").click()
    page.reload()
    expect(page.locator("[data-question]")).to_have_text(["Better question"])


def test_conversations_are_listed_opened_and_deleted(visit: Visit) -> None:
    page = visit.page
    nav = page.get_by_role("navigation", name="Conversations")
    visit.ask("About fees")
    expect(nav.locator("[aria-current=page]")).to_have_text("About fees")
    nav.get_by_role("button", name="New conversation", exact=True).click()
    expect(page.get_by_role("heading", name="Fernhollow Help")).to_be_visible()
    with visit.answering():
        page.get_by_role("button", name="What does it cost?").click()
    expect(nav.get_by_role("link")).to_have_count(2)
    page.go_back()
    expect(page.locator("[data-question]")).to_have_text(["About fees"])
    nav.get_by_role("button", name="Delete conversation: About fees").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep it").click()
    expect(nav.get_by_role("link")).to_have_count(2)
    nav.get_by_role("button", name="Delete conversation: About fees").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(nav.get_by_role("link")).to_have_text(["What does it cost?"])
    expect(page.get_by_role("heading", name="Fernhollow Help")).to_be_visible()
    assert "?c=" not in page.url


def test_an_answer_goes_on_while_another_conversation_is_open(visit: Visit) -> None:
    page = visit.page
    nav = page.get_by_role("navigation", name="Conversations")
    page.get_by_role("textbox", name="Your question").fill("A long story to leave")
    page.keyboard.press("Enter")
    expect(page.locator(".answer-part")).to_contain_text("word10")
    nav.get_by_role("button", name="New conversation", exact=True).click()
    expect(page.get_by_role("heading", name="Fernhollow Help")).to_be_visible()
    visit.ask("Something else")
    expect(page.locator("[data-question]")).to_have_text(["Something else"])
    assert "word" not in visit.last


def test_another_reader_sees_nothing_of_it(visit: Visit, chrome: Browser, address: str) -> None:
    visit.ask("My secret question")
    with chrome.new_context() as context:
        other = Visit(context, address)
        other.open(visit.page.url.removeprefix(address))
        expect(other.page.locator(".complaint")).to_contain_text("no longer there")
        expect(other.page.get_by_role("navigation").get_by_role("link")).to_have_count(0)
        assert "secret" not in other.page.content()


def test_what_documents_and_people_write_never_runs(visit: Visit) -> None:
    page = visit.page
    visit.ask("inject " + INJECTIONS)
    page.locator("details[data-source] summary").click()
    expect(page.locator("details[data-source] .passage")).to_be_visible()
    visit.ask(INJECTIONS)
    page.reload()
    expect(page.locator("article")).to_have_count(2)
    page.get_by_role("navigation").locator("li").last.hover()
    page.get_by_role("navigation").get_by_role("button", name="Delete conversation").click()
    page.wait_for_timeout(200)
    assert page.evaluate("window.harm") is None
    assert page.locator("#app :is(img, script, iframe), #app [href^='javascript' i]").count() == 0


def test_a_failed_turn_says_what_to_do(visit: Visit, assistant: Remembering) -> None:
    visit.ask("Please break")
    alert = visit.page.get_by_role("alert").filter(has_text="Something broke.")
    before = len(assistant.turns)
    alert.get_by_role("button", name="Try again").click()
    visit.page.wait_for_timeout(300)
    visit.finished()
    assert [turn.text for turn in assistant.turns[before:]] == ["Please break"]
    expect(visit.page.locator("article")).to_have_count(1)


def test_an_answer_without_support_looks_different(visit: Visit) -> None:
    visit.ask("An unknown thing")
    expect(visit.page.locator(".verdict")).to_have_text("The documents don’t seem to answer this")
    expect(visit.page.get_by_role("region", name="Nearest in the documents")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_everything_has_a_name(
    chrome: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    with chrome.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True) as context:
        visit = Visit(context, address)
        visit.open()
        assert _too_wide(visit) == []
        visit.ask("How does escrow work?")
        visit.page.locator("details[data-source='1'] summary").click()
        for question in ("An unknown thing", "Show code", "Please break"):
            visit.ask(question)
        assert _too_wide(visit) == []
        assert _nameless(visit) == []
        assert _faint(visit) == []
        menu = visit.page.get_by_role("button", name="Conversations")
        menu.click()
        expect(visit.page.get_by_role("link", name="How does escrow work?")).to_be_visible()
        visit.page.wait_for_timeout(300)
        assert _faint(visit) == []
        visit.page.keyboard.press("Escape")
        expect(menu).to_be_focused()
        assert visit.complaints == []
        assert visit.outside == []


def _too_wide(visit: Visit) -> list[str]:
    """Elements that stick out of the page at the side, and the page itself when it can be scrolled there."""
    found: list[str] = visit.page.evaluate(
        """() => [document.scrollingElement, ...document.querySelectorAll(".scroller, #composer, article")]
            .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.offsetWidth > innerWidth)
            .map((one) => one.outerHTML.slice(0, 200))"""
    )
    return found


def _nameless(visit: Visit) -> list[str]:
    """Things to press or to fill in without a name for those who don't see them."""
    tree = visit.page.locator("body").aria_snapshot()
    return [
        line.strip()
        for line in tree.splitlines()
        if line.strip().rstrip(":") in ("- button", "- link", "- textbox", "- group", "- combobox", "- checkbox")
        and not line.strip().startswith("- group")
    ]


def _faint(visit: Visit) -> list[str]:
    """Visible texts whose contrast with what is behind them is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    found: list[str] = visit.page.evaluate((Path(__file__).parent / "contrast.js").read_text("utf-8"))
    return found
