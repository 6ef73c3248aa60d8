"""The profile beside the chat on the real assistant: learn, see, correct, forget; suggestions; the administrators."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Locator, expect
from pydantic import SecretStr

from agent.build import open_assistant
from agent.knowledge import open_knowledge
from agent.settings import Settings
from knowledge_base.ingest import ingest
from tests.ui.browser import Visit, browser, served
from tests.ui.signed_in import AUDIENCE, ISSUER, SECRET, token
from tools.profile.taxonomy import TaxonomyEntry
from tools.recommender.model import Item
from ui.app import create_app

pytestmark = [pytest.mark.browser, pytest.mark.enable_socket]

ARTICLES = {
    "escrow": """---
title: How escrow protects a payment
topic: Escrow
url: https://help.example/escrow
---
Escrow holds the client's money until the work is approved.

## When is money released?

The client has 7 days to approve the work. If the client does nothing, the money is released automatically.
""",
    "roles": """---
title: Team roles
topic: Team roles
---
## Who may approve a payment?

Owners and finance managers approve payments. Members can only request them.
""",
}
TOPICS = [
    TaxonomyEntry("Escrow", "topic", "Money held until work is approved", ("When is the escrow money released?",)),
    TaxonomyEntry("Team roles", "topic", "Who may do what in a team", ("Who may approve a payment?",)),
    TaxonomyEntry("Design", "skill"),
]
ITEMS = [
    Item("lesson", "Escrow in five minutes", url="https://help.example/lesson", facets={"topic": ("Escrow",)}),
    Item("teams", "Teams that work", facets={"topic": ("Team roles",)}),
]
ESCROW = "When is the money in escrow released?"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("base")
    for name, text in ARTICLES.items():
        (folder / f"{name}.md").write_text(text, "utf-8")
    settings = Settings(data_dir=folder / "data", model=None, openai_api_key=None, openai_base_url=None, _env_file=None)
    with open_knowledge(settings) as knowledge:
        ingest([folder], store=knowledge.store, index=knowledge.index, embedder=knowledge.embedder)
    return settings


@asynccontextmanager
async def whole(settings: Settings) -> AsyncIterator[FastAPI]:
    async with open_assistant(settings) as assistant:
        await assistant.taxonomy.load(TOPICS)
        await assistant.follow_taxonomy()
        await assistant.recommender.catalogue.put(ITEMS, source="test")
        await assistant.recommender.refresh()
        yield create_app(settings, assistant=assistant)


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with served(lambda: whole(settings)) as url:
        yield url


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture
def visit(chrome: Browser, address: str) -> Iterator[Visit]:
    with chrome.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True) as context:
        visit = Visit(context, address)
        visit.open()
        yield visit
        assert visit.complaints == []
        assert visit.outside == []


def panel(visit: Visit) -> Locator:
    return visit.page.get_by_role("complementary", name="Your profile")


def line(visit: Visit, part: str, name: str) -> Locator:
    """A line of the panel, as its list item."""
    return panel(visit).locator(f"[data-part={part}] .lines > li").filter(has_text=name)


def test_what_is_learned_shows_with_its_reason_and_goes_when_it_is_undone(visit: Visit) -> None:
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")
    visit.ask(ESCROW)
    expect(visit.page.locator(".noted")).to_contain_text("Noted: you asked about Escrow")
    escrow = line(visit, "preferences", "Escrow")
    escrow.locator("summary").press("Enter")
    expect(escrow.locator("q")).to_have_text(ESCROW)
    escrow.get_by_role("button", name="Undo").press("Enter")
    expect(line(visit, "preferences", "Escrow")).to_have_count(0)
    visit.page.reload()
    expect(panel(visit).get_by_role("heading", name="Learning")).to_be_visible()
    expect(line(visit, "preferences", "Escrow")).to_have_count(0)


def test_what_was_noted_can_be_taken_back_at_once(visit: Visit) -> None:
    visit.ask(f"I'm a designer. {ESCROW}")
    expect(line(visit, "facts", "designer")).to_be_visible()
    visit.page.reload()
    expect(visit.page.locator(".noted")).to_contain_text("Noted: you asked about Escrow; role: designer")
    visit.page.get_by_role("button", name="Undo what was noted").press("Enter")
    expect(visit.page.locator(".noted")).to_have_text("Taken back: nothing was noted.")
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")
    visit.page.reload()
    expect(visit.page.locator("article .actions")).to_be_visible()
    expect(visit.page.locator(".noted")).to_have_count(0)


def test_a_receipt_says_what_was_used_and_not_this_mutes_it(visit: Visit) -> None:
    visit.ask("Please keep it short.")
    expect(line(visit, "facts", "short")).to_be_visible()
    visit.ask(ESCROW)
    receipt = visit.page.locator("article").last.locator(".receipt")
    expect(receipt).to_contain_text("Personalised:")
    receipt.locator("summary").press("Enter")
    receipt.get_by_role("button", name=re.compile("^Not this: .*short")).press("Enter")
    expect(receipt.get_by_role("button", name=re.compile("^Not this"))).to_have_text("Muted")
    expect(line(visit, "facts", "short")).to_have_count(0)
    panel(visit).get_by_role("button", name="Allow short again").press("Enter")
    expect(receipt.get_by_role("button", name=re.compile("^Not this"))).to_have_text("Not this")
    expect(line(visit, "facts", "short")).to_be_visible()
    with visit.answering():
        receipt.get_by_role("button", name="Answer without my profile").press("Enter")
    last = visit.page.locator("article").last
    expect(last.locator(".receipt-part")).to_contain_text("Answered without your profile")
    expect(last.locator(".receipt")).to_have_count(0)
    expect(visit.page.locator("article")).to_have_count(2)


def test_tags_are_the_readers_own(visit: Visit) -> None:
    box = panel(visit).get_by_role("textbox", name="New tag")
    box.fill("Design")
    box.press("Enter")
    expect(line(visit, "tags", "Design")).to_contain_text("added by you")
    expect(panel(visit).locator("[data-part=tags]")).to_contain_text("Skills")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    panel(visit).get_by_role("button", name="Remove the tag Design").press("Enter")
    expect(line(visit, "tags", "Design")).to_have_count(0)


def test_a_conversation_can_teach_nothing_from_its_first_word(visit: Visit) -> None:
    here = panel(visit).get_by_role("switch", name="Learn from this conversation")
    here.press("Space")
    expect(here).not_to_be_checked()
    visit.ask(ESCROW)
    visit.ask("And when is it released if nobody approves the escrow?")
    expect(visit.page.locator(".noted")).to_have_count(0)
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")
    expect(here).not_to_be_checked()
    visit.page.get_by_role("button", name="New conversation", exact=True).click()
    expect(here).to_be_checked()
    panel(visit).get_by_role("switch", name="Learn from what I ask and do").press("Space")
    expect(here).to_be_disabled()
    visit.ask(ESCROW)
    expect(visit.page.locator(".noted")).to_have_count(0)


def test_everything_is_exported_then_forgotten_and_counted(visit: Visit) -> None:
    page = visit.page
    visit.ask(ESCROW)
    expect(line(visit, "preferences", "Escrow")).to_be_visible()
    with page.expect_download() as download:
        panel(visit).get_by_role("button", name="Export").click()
    exported: dict[str, Any] = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert ESCROW in json.dumps(exported)
    panel(visit).get_by_role("button", name="Forget everything").press("Enter")
    dialog = page.get_by_role("dialog", name="Forget everything about you?")
    expect(dialog).to_contain_text("your conversations with their questions")
    dialog.get_by_role("button", name="Keep everything").press("Enter")
    expect(line(visit, "preferences", "Escrow")).to_be_visible()
    panel(visit).get_by_role("button", name="Forget everything").press("Enter")
    dialog.get_by_role("button", name="Forget everything").press("Enter")
    done = page.get_by_role("dialog", name="Forgotten")
    expect(done).to_contain_text("Now there are 0.")
    expect(done.get_by_role("row", name=re.compile("Questions and answers 1 0"))).to_be_visible()
    done.get_by_role("button", name="Done").press("Enter")
    expect(page.get_by_role("navigation").get_by_role("link", name=ESCROW)).to_have_count(0)
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")
    assert "?c=" not in page.url


def test_a_reset_asks_first(visit: Visit) -> None:
    visit.ask(ESCROW)
    expect(line(visit, "preferences", "Escrow")).to_be_visible()
    panel(visit).get_by_role("button", name="Reset").press("Enter")
    visit.page.get_by_role("dialog", name="Reset your profile?").get_by_role("button", name="Reset").press("Enter")
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")
    expect(visit.page.locator("article")).to_have_count(1)


def test_suggestions_say_why_and_can_be_saved_and_refused(visit: Visit) -> None:
    visit.ask(ESCROW)
    panel(visit).get_by_role("tab", name="Profile").press("ArrowRight")
    expect(panel(visit).get_by_role("tab", name="For you")).to_be_focused()
    lesson = panel(visit).locator(".card").filter(has_text="Escrow in five minutes")
    expect(lesson.locator(".badge")).to_have_text(re.compile(r"^\+\d+ % match$"))
    lesson.get_by_text("Why this?").press("Enter")
    expect(lesson.locator(".reason")).to_contain_text("Topic: Escrow")
    save = lesson.get_by_role("button", name="Save Escrow in five minutes")
    save.press("Enter")
    expect(save).to_have_attribute("aria-pressed", "true")
    lesson.get_by_role("combobox", name="Rate Escrow in five minutes").select_option("4")
    panel(visit).get_by_role("button", name="Not for me: Teams that work").press("Enter")
    expect(panel(visit).locator(".card").filter(has_text="Teams that work")).to_have_count(0)
    visit.page.wait_for_timeout(500)
    visit.page.reload()
    panel(visit).get_by_role("tab", name="For you").click()
    expect(panel(visit).get_by_role("button", name="Suggest anew")).to_be_visible()
    expect(panel(visit).locator(".card").filter(has_text="Teams that work")).to_have_count(0)


def test_the_panel_stays_as_it_was_left(visit: Visit) -> None:
    panel(visit).get_by_role("button", name="Close your profile").press("Enter")
    toggle = visit.page.get_by_role("button", name="Your profile", exact=True)
    expect(toggle).to_be_focused()
    visit.page.reload()
    expect(toggle).to_be_visible()
    expect(panel(visit)).to_be_hidden()
    toggle.press("Enter")
    expect(panel(visit)).to_contain_text("Nothing is known of you yet")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_a_drawer_on_a_phone_and_can_be_read_there(
    chrome: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    with chrome.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme, has_touch=True) as context:
        visit = Visit(context, address)
        visit.open()
        visit.ask(f"I'm a designer. {ESCROW}")
        expect(panel(visit)).to_be_hidden()
        visit.page.get_by_role("button", name="Your profile", exact=True).click()
        escrow = line(visit, "preferences", "Escrow")
        escrow.locator("summary").click()
        expect(escrow.locator("q")).to_be_visible()
        check(visit)
        panel(visit).get_by_role("tab", name="For you").click()
        expect(panel(visit).locator(".card").first).to_be_visible()
        check(visit)
        visit.page.keyboard.press("Escape")
        expect(panel(visit)).to_be_hidden()
        expect(visit.page.get_by_role("button", name="Your profile", exact=True)).to_be_focused()
        visit.page.goto(f"{address}/?admin")
        expect(visit.page.locator("#admin .entries").first).to_be_visible()
        check(visit)
        assert visit.complaints == []
        assert visit.outside == []


def check(visit: Visit) -> None:
    """Nothing sticks out at the side, every control has a name, and every text can be read (WCAG 2.2, 1.4.3)."""
    visit.page.wait_for_timeout(300)
    wide = """() => [...document.querySelectorAll("#profile-panel, #profile-panel .body, #admin, .page, article")]
        .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
        .map((one) => one.outerHTML.slice(0, 200))"""
    assert visit.page.evaluate(wide) == []
    tree = visit.page.locator("body").aria_snapshot().splitlines()
    bare = ("- button", "- link", "- textbox", "- combobox", "- checkbox", "- switch", "- tab")
    assert [one for one in tree if one.strip().rstrip(":") in bare] == []
    assert visit.page.evaluate((Path(__file__).parent / "contrast.js").read_text("utf-8")) == []


def test_administrators_keep_the_taxonomy(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("link", name="Administration").click()
    page.get_by_role("button", name="Add an entry").click()
    form = page.get_by_role("dialog", name="Add an entry")
    form.get_by_label("Name").fill("Holidays")
    form.get_by_label("Category").select_option("goal")
    form.get_by_label("Parents").fill("Nothing such")
    form.get_by_role("button", name="Save").click()
    expect(form.get_by_role("alert")).to_contain_text("Nothing such")
    form.get_by_label("Parents").fill("")
    form.get_by_role("button", name="Save").click()
    expect(form).to_be_hidden()
    entry = page.locator("#admin .entries li").filter(has_text="Holidays")
    entry.get_by_role("button", name="Edit").press("Enter")
    edited = page.get_by_role("dialog", name="Edit Holidays")
    edited.get_by_label("Description").fill("Time away from work")
    edited.get_by_role("button", name="Save").press("Enter")
    expect(entry).to_contain_text("Time away from work")
    entry.get_by_role("button", name="Deactivate").press("Enter")
    expect(entry).to_contain_text("not used")
    expect(entry.get_by_role("button", name="Activate")).to_be_focused()
    page.get_by_role("searchbox", name="Find entries").fill("time away")
    expect(page.locator("#admin .entries li")).to_have_count(1)
    page.get_by_role("link", name="Back to the chat").click()
    expect(page.get_by_role("textbox", name="Your question")).to_be_visible()


def test_where_people_sign_in_only_admins_see_the_administration(chrome: Browser, settings: Settings) -> None:
    closed = settings.model_copy(
        update={"jwt_secret": SecretStr(SECRET), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    )
    with served(lambda: whole(closed)) as address:
        for user, claims, allowed in (("ada", {}, False), ("root", {"scope": "attune:admin"}, True)):
            headers = {"Authorization": f"Bearer {token(user, **claims)}"}
            with chrome.new_context(extra_http_headers=headers) as context:
                visit = Visit(context, address)
                visit.open()
                expect(visit.page.get_by_role("link", name="Administration")).to_have_count(int(allowed))
                expect(visit.page.get_by_text("for your account")).to_be_visible()
                expect(visit.page.get_by_role("button", name="Sign out")).to_have_count(0)
                visit.page.goto(f"{address}/?admin")
                expect(
                    visit.page.locator("#admin .entries").first
                    if allowed
                    else visit.page.get_by_text("This page is for administrators")
                ).to_be_visible()


def test_who_signed_in_at_the_form_can_sign_out(chrome: Browser, settings: Settings) -> None:
    closed = settings.model_copy(
        update={"jwt_secret": SecretStr(SECRET), "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE}
    )
    with served(lambda: whole(closed)) as address, chrome.new_context() as context:
        page = context.new_page()
        page.goto(address)
        page.get_by_label("API key or token").fill(token("ada"))
        page.get_by_role("button", name="Sign in").click()
        page.locator("#transcript .ready").wait_for()
        expect(page.get_by_text("for your account")).to_be_visible()
        page.get_by_role("textbox", name="Your question").fill("A draft of Ada's")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key or token")).to_be_visible()
        page.goto(address)
        page.get_by_label("API key or token").fill(token("bob"))
        page.get_by_role("button", name="Sign in").click()
        page.locator("#transcript .ready").wait_for()
        expect(page.get_by_role("textbox", name="Your question")).to_have_value("")
