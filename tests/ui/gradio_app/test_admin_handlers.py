"""Who may change the taxonomy, and what becomes of it."""

from datetime import UTC, datetime
from typing import Any

import gradio as gr
import pytest
from fastapi import Request

from tests.ui.gradio_app.conftest import WithStores
from tools.predictor.log import Outcome
from tools.predictor.report import Line, report
from ui.gradio_app.admin import report_html
from ui.gradio_app.admin_handlers import AdminHandlers, AdminState

ROOT = gr.Request(Request({"type": "http", "headers": [(b"x-user", b"root")]}), username="root")
EVE = gr.Request(Request({"type": "http", "headers": [(b"x-user", b"eve")]}), username="eve")


async def is_root(request: Request) -> bool:
    return request.headers["x-user"] == "root"


class NoPredictions:
    """A predictor whose predictions have no outcome yet."""

    async def report(self) -> list[Line]:
        return []


@pytest.fixture
def admin(keeping: WithStores) -> AdminHandlers:
    keeping.predictor = NoPredictions()  # type: ignore[assignment]
    return AdminHandlers(lambda: keeping, is_root)


async def press(admin: AdminHandlers, do: str, request: gr.Request = ROOT, **data: Any) -> AdminState:
    return await admin.act(gr.EventData(None, {"do": do, **data}), request)


async def test_entries_are_listed_and_found_by_their_words(admin: AdminHandlers) -> None:
    state = await press(admin, "show")
    assert "2 of 2 entries" in state["entries"]
    assert "No prediction has an outcome yet" in state["report"]
    assert "Design" not in (await press(admin, "find", words="escrow"))["entries"]


@pytest.mark.parametrize("do", ["show", "save", "deactivate"])
async def test_nobody_else_sees_or_changes_anything(admin: AdminHandlers, keeping: WithStores, do: str) -> None:
    state = await press(admin, do, EVE, id="1", name="Evil", category="topic", is_admin="yes")
    assert not state["allowed"]
    assert "Escrow" not in state["entries"]
    entries = await keeping.taxonomy.entries(active_only=False)
    assert {(one.name, one.is_active) for one in entries} == {("Escrow", True), ("Design", True)}


async def test_where_nobody_signs_in_everybody_here_is_an_administrator(keeping: WithStores) -> None:
    assert await AdminHandlers(lambda: keeping, None).allowed(gr.Request(username="visitor-1"))


async def test_an_entry_is_added_edited_and_deactivated(admin: AdminHandlers, keeping: WithStores) -> None:
    fields: dict[str, Any] = {
        "category": "goal",
        "description": "Selling more",
        "examples": "How do I sell more?\n\n I need clients ",
    }
    state = await press(admin, "save", id="", name="Growth", parents="Design", related="", **fields)
    assert state["saved"]
    (entry,) = [one for one in await keeping.taxonomy.entries() if one.name == "Growth"]
    assert entry.examples == ("How do I sell more?", "I need clients")
    assert entry.parents == ("Design",)
    await press(admin, "save", id=str(entry.id), name="Growing", category="goal")
    state = await press(admin, "deactivate", id=str(entry.id))
    assert "not used" in state["entries"]
    assert "Growing" not in {one.name for one in await keeping.taxonomy.entries()}
    await press(admin, "save", id=str(entry.id), name="Growing up", category="goal")
    assert "Growing up" not in {one.name for one in await keeping.taxonomy.entries()}
    await press(admin, "activate", id=str(entry.id))
    assert "Growing up" in {one.name for one in await keeping.taxonomy.entries()}
    assert keeping.followed == 5


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": ""}, "name"),
        ({"name": "escrow"}, "already"),
        ({"category": "colour"}, "category"),
        ({"parents": "Nothing such"}, "Nothing such"),
    ],
)
async def test_an_entry_that_cannot_be_is_refused_with_the_reason(
    admin: AdminHandlers, keeping: WithStores, fields: dict[str, Any], reason: str
) -> None:
    state = await press(admin, "save", **{"name": "New", "category": "topic", **fields})
    assert reason in state["complaint"]
    assert "saved" not in state
    assert len(await keeping.taxonomy.entries(active_only=False)) == 2


def test_the_report_is_drawn_with_a_plot_and_its_figures() -> None:
    outcomes = [
        Outcome(
            source=source,
            version="1",
            head="escalation",
            probability=number / 40,
            happened=number % 3 == 0,
            action="answer_only",
            at=datetime(2026, 11, 1 + number % 20, tzinfo=UTC),
        )
        for number in range(40)
        for source in ("prior", "<rung>")
    ]
    html = report_html(report(outcomes))
    assert html.count("<svg") == 1
    assert "2026-W45" in html
    assert "&lt;rung&gt; (40)" in html
    assert "<rung>" not in html
