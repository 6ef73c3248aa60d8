"""What the panel's buttons do to the profile, on the real stores, and whose profile that is."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import gradio as gr
import pytest

from tests.ui.gradio_app.conftest import WithStores
from tools.profile.model import Facets, Interaction
from ui.gradio_app.panel_handlers import PanelHandlers, PanelState

ADA = gr.Request(username="ada", session_hash="tab-1")
EVE = gr.Request(username="eve", session_hash="tab-2")


@pytest.fixture
def panel(keeping: WithStores) -> PanelHandlers:
    return PanelHandlers(lambda: keeping)


async def press(panel: PanelHandlers, do: str, request: gr.Request = ADA, *, here: str = "", **data: Any) -> PanelState:
    return await panel.act(here, 60, gr.EventData(None, {"do": do, **data}), request)


async def test_the_panel_shows_what_is_known(panel: PanelHandlers) -> None:
    parts = (await press(panel, "show"))["parts"]
    assert "designer" in parts["facts"]
    assert "Escrow" in parts["preferences"]
    assert "80 % sure" in parts["tags"]
    assert "Topics" in parts["tags"]
    assert parts["muted"] == ""
    assert parts["intro"] == ""


async def test_what_was_only_passed_over_is_no_dislike_to_look_at(panel: PanelHandlers, keeping: WithStores) -> None:
    async def about(item_ids: Collection[str]) -> Mapping[str, Facets]:
        return {one: {"level": ["Beginner"]} if one == "guide" else {"category": ["Taxes"]} for one in item_ids}

    passed_over = [Interaction("ignore", "guide")] * 60
    await keeping.profiles.record("eve", [*passed_over, Interaction("dismiss", "leaflet")], facets_of=about)
    lines, _, hardly = (await press(panel, "show", EVE))["parts"]["preferences"].partition("1 hardly noticed")
    assert "Taxes" in lines
    assert "6 % against" in lines
    assert "Beginner" in hardly
    assert "Beginner" not in lines


async def test_a_stranger_is_told_what_will_be_here(panel: PanelHandlers) -> None:
    assert "Nothing is known of you yet" in (await press(panel, "show", EVE))["parts"]["intro"]


async def test_whose_profile_it_is_comes_from_the_request(panel: PanelHandlers) -> None:
    state = await press(panel, "show", EVE, user_id="ada", username="ada")
    assert "designer" not in json.dumps(state["parts"])
    await press(panel, "undo", EVE, id="1")
    assert "Escrow" in (await press(panel, "show"))["parts"]["preferences"]
    with pytest.raises(gr.Error, match="cookie"):
        await press(panel, "show", gr.Request(session_hash="x"))


async def test_an_open_line_comes_with_its_evidence_in_the_readers_time(panel: PanelHandlers) -> None:
    lines = json.dumps([["topic", "escrow"], ["role", ""]])
    parts = (await press(panel, "show", open=lines))["parts"]
    assert "How does escrow work?" in parts["preferences"]
    assert "counts +0.50" in parts["preferences"]
    assert "I&#x27;m a designer" in parts["facts"]
    assert "Looking it up" in parts["tags"]


async def test_undoing_the_evidence_takes_the_preference_away(panel: PanelHandlers, keeping: WithStores) -> None:
    (entry,) = await keeping.profiles.evidence("ada", facet="topic")
    state = await press(panel, "undo", id=str(entry.id))
    assert state["parts"]["preferences"] == ""
    assert "Escrow" in state["said"]
    assert "already" in (await press(panel, "undo", id=str(entry.id)))["said"]
    assert "already" in (await press(panel, "undo", id="nonsense"))["said"]


async def test_taking_back_a_message_takes_back_all_it_taught(panel: PanelHandlers) -> None:
    state = await press(panel, "unlearn", id="m1")
    assert state["taken_back"] == "m1"
    assert "Nothing is known of you yet" in state["parts"]["intro"]


async def test_what_is_muted_can_be_allowed_again(panel: PanelHandlers) -> None:
    state = await press(panel, "mute", facet="topic", value="Escrow")
    assert state["muted"] == [("topic", "escrow")]
    assert "Allow again" in state["parts"]["muted"]
    assert state["parts"]["preferences"] == ""
    state = await press(panel, "mute", facet="role", value="designer")
    assert state["parts"]["facts"] == ""
    state = await press(panel, "unmute", facet="topic", value="Escrow")
    assert "Escrow" in state["parts"]["preferences"]


async def test_tags_are_added_and_removed(panel: PanelHandlers, keeping: WithStores) -> None:
    state = await press(panel, "add_tag", tag="Design")
    assert "added by you" in state["parts"]["tags"]
    assert "Skills" in state["parts"]["tags"]
    (tag,) = [one for one in (await keeping.profiles.read("ada")).tags if one.name == "Design"]
    state = await press(panel, "remove_tag", id=str(tag.id))
    assert "Design" not in state["parts"]["tags"]


@pytest.mark.parametrize("tag", ["", "  ", "x" * 201])
async def test_a_tag_that_is_none_is_refused_with_the_reason(panel: PanelHandlers, tag: str) -> None:
    assert (await press(panel, "add_tag", tag=tag))["complaint"]


async def test_learning_can_be_switched_for_me_and_for_a_conversation(
    panel: PanelHandlers, keeping: WithStores
) -> None:
    state = await press(panel, "learning", on="")
    assert not (await keeping.profiles.read("ada")).learning
    assert "checked" not in state["parts"]["learning"]
    assert "disabled" in state["parts"]["learning"]
    assert (await press(panel, "learning", on="yes"))["parts"]["learning"].count("checked") == 2
    complaint = (await press(panel, "learning_here", on="", conversation="another's"))["complaint"]
    assert "no conversation" in complaint


async def test_everything_held_can_be_exported(panel: PanelHandlers) -> None:
    exported = (await press(panel, "export"))["export"]
    assert "How does escrow work?" in json.dumps(json.loads(exported))
    assert "export" not in await press(panel, "show")


async def test_a_reset_begins_anew_and_says_how_much_went(panel: PanelHandlers) -> None:
    state = await press(panel, "reset")
    assert "entries were removed" in state["said"]
    assert "Nothing is known of you yet" in state["parts"]["intro"]


async def test_forgetting_counts_what_went(panel: PanelHandlers, keeping: WithStores) -> None:
    state = await panel.forget("ada")
    assert "Now there are 0." in state["forgotten"]
    assert "<th scope='row'>Facts</th><td>1</td><td>0</td>" in state["forgotten"]
    assert (await keeping.profiles.read("ada")).is_empty


async def test_suggestions_come_by_reason_and_are_acted_on(panel: PanelHandlers, keeping: WithStores) -> None:
    html = (await press(panel, "for_you"))["for_you"]
    assert "Escrow in depth" in html
    assert "% match" in html
    assert "Why this?" in html
    assert [one.place for one in await keeping.recommender.results("ada")] == ["for_you"] * 2
    await press(panel, "item", kind="save", item="escrow")
    await press(panel, "item", kind="rate", item="escrow", stars="4")
    await press(panel, "item", kind="dismiss", item="fees")
    html = (await press(panel, "for_you"))["for_you"]
    assert "All fees" not in html
    assert [(one.type, one.rating) for _, one in await keeping.profiles.interactions("ada", 3)] == [
        ("dismiss", None),
        ("rate", 8.0),
        ("save", None),
    ]


async def test_what_was_done_is_told_as_the_reason(panel: PanelHandlers) -> None:
    await press(panel, "item", kind="save", item="escrow")
    await press(panel, "item", kind="dismiss", item="fees")
    lines = json.dumps([["topic", "escrow"], ["topic", "fees"]])
    html = (await press(panel, "show", open=lines))["parts"]["preferences"]
    assert "You saved “Escrow in depth”" in html
    assert "You dismissed “All fees”" in html
    assert "against" in html


@pytest.mark.parametrize("data", [{"kind": "rate", "stars": "6"}, {"kind": "rate"}, {"kind": "explode"}])
async def test_what_cannot_be_done_to_an_item_is_refused(panel: PanelHandlers, data: dict[str, Any]) -> None:
    assert (await press(panel, "item", item="escrow", **data))["complaint"]


@pytest.mark.parametrize("sent", ["", "{", "7", '[["a"], "b", [1, 2], ["topic", "escrow"]]', "[" * 100_000])
async def test_whatever_the_browser_says_is_open_the_panel_comes(panel: PanelHandlers, sent: str) -> None:
    assert (await press(panel, "show", open=sent))["parts"]["preferences"]
