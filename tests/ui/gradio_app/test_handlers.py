"""What each thing that a reader does asks of the assistant, and what the page is told to change."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.assistant import Assistant, Turn
from agent.errors import TurnRejected
from agent.events import Event, Failed
from knowledge_base.errors import IndexUnavailable
from tests.fakes import ScriptedAssistant, play
from tests.ui.gradio_app.conftest import WithStores
from tools.pool import DatabaseBusy
from tools.profile.model import FactTold, Interaction, Lessons, Signal
from ui.gradio_app.handlers import BUSY, GONE, SHOWN, STARTING, Handlers
from ui.gradio_app.patches import Patch, revision

ADA = gr.Request(username="ada", session_hash="tab-1")
ADA_ELSEWHERE = gr.Request(username="ada", session_hash="tab-2")
EVE = gr.Request(username="eve", session_hash="tab-3")


def sent(**data: Any) -> gr.EventData:
    """An event as the page sends it."""
    return gr.EventData(None, data)


async def patches(changes: AsyncGenerator[Any]) -> list[Patch]:
    """The transcript's changes, without those that leave it as it is."""
    return [cast(Patch, change[0]) async for change in changes if "revision" in change[0]]


def keys(patch: Patch | dict[str, Any]) -> list[str]:
    return [one["key"] for one in patch["exchanges"]]


@pytest.fixture
def assistant(engine: AsyncEngine, tmp_path: Path) -> WithStores:
    return WithStores(engine, tmp_path / "models")


@pytest.fixture
def handlers(assistant: ScriptedAssistant) -> Handlers:
    return Handlers(lambda: assistant, "Fernhollow Help")


async def test_the_empty_page_offers_first_questions(handlers: Handlers) -> None:
    patch, listed = await handlers.load("", 0, ADA)
    assert "Fernhollow Help" in patch["welcome"]
    assert patch["welcome"].count('data-act="ask"') == 3
    assert "will be listed here" in listed["html"]


async def test_an_answer_streams_and_ends_in_the_list(handlers: Handlers) -> None:
    changes = [change async for change in handlers.ask("How does escrow work?", "", 0, "", ADA)]
    last_patch, listed, _ = changes[-1]
    assert last_patch["running"] is False
    assert last_patch["conversation"] == "conversation-1"
    assert "How does escrow work?" in listed["html"]
    assert [change[2] for change in changes].count("") == 1
    assert changes[0][2] == ""


async def test_revisions_grow(handlers: Handlers) -> None:
    seen = [patch["revision"] for patch in await patches(handlers.ask("How?", "", 0, "", ADA))]
    assert seen == sorted(set(seen))


def test_revisions_grow_when_the_clock_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = revision()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert revision() >= before


async def test_who_asks_comes_from_the_request(handlers: Handlers, assistant: ScriptedAssistant) -> None:
    await patches(handlers.ask_again("", 0, "", sent(text="Hi", user_id="eve", username="eve"), ADA))
    assert [turn.user_id for turn in assistant.turns] == ["ada"]


async def test_nobody_gets_nothing(handlers: Handlers) -> None:
    with pytest.raises(gr.Error, match="cookie"):
        await handlers.load("", 0, gr.Request(session_hash="tab-9"))


async def test_another_readers_conversation_is_not_there(handlers: Handlers) -> None:
    await patches(handlers.ask("Secret", "", 0, "", ADA))
    patch, listed = await handlers.load("conversation-1", 0, EVE)
    assert patch["complaint"] == GONE
    assert patch["conversation"] is None
    assert "Secret" not in listed["html"]
    (refusal,) = await patches(handlers.ask("More", "conversation-1", 0, "", EVE))
    assert refusal["complaint"] == GONE
    await handlers.delete("", 0, sent(id="conversation-1"), EVE)
    assert (await handlers.load("conversation-1", 0, ADA))[0]["exchanges"]


async def test_an_empty_message_changes_nothing(handlers: Handlers, assistant: ScriptedAssistant) -> None:
    assert await patches(handlers.ask(" \n ", "", 0, "", ADA)) == []
    assert assistant.turns == []


async def test_a_message_that_is_too_long_is_refused_and_kept(handlers: Handlers) -> None:
    ((patch, _, text),) = [change async for change in handlers.ask("x" * 20_001, "", 0, "", ADA)]
    assert "20001" in patch["complaint"]
    assert text != ""


async def test_a_long_edit_removes_nothing(handlers: Handlers, assistant: ScriptedAssistant) -> None:
    await patches(handlers.ask("First", "", 0, "", ADA))
    (refusal,) = await patches(
        handlers.ask_again("conversation-1", 0, "", sent(text="x" * 20_001, message_id="message-1"), ADA)
    )
    assert "complaint" in refusal
    assert assistant.rewound == []


async def test_an_edit_takes_the_place_of_the_question(handlers: Handlers, assistant: ScriptedAssistant) -> None:
    await patches(handlers.ask("First", "", 0, "", ADA))
    await patches(handlers.ask("Second", "conversation-1", 0, "", ADA))
    edited = await patches(
        handlers.ask_again("conversation-1", 0, "", sent(text="Better", message_id="message-1"), ADA)
    )
    assert {patch["drop_from"] for patch in edited} == {"message-1"}
    assert assistant.rewound == [("ada", "conversation-1", "message-1")]
    patch, _ = await handlers.load("conversation-1", 0, ADA)
    assert keys(patch) == ["message-3"]


async def test_a_question_that_was_never_stored_can_be_asked_again(handlers: Handlers) -> None:
    await patches(handlers.ask("First", "", 0, "", ADA))
    again = await patches(handlers.ask_again("conversation-1", 0, "", sent(text="More", message_id="pending"), ADA))
    assert keys(again[-1]) == ["message-2"]


async def test_one_tab_asks_one_thing_at_a_time(assistant: ScriptedAssistant) -> None:
    handlers = Handlers(lambda: ScriptedAssistant(pause=0.01), "Help")
    first = handlers.ask("First", "", 0, "", ADA)
    await anext(first)
    (refusal,) = await patches(handlers.ask("Second", "", 0, "", ADA))
    assert refusal["complaint"] == BUSY
    assert refusal["running"] is True
    assert len(await patches(handlers.ask("Elsewhere", "", 0, "", ADA_ELSEWHERE))) > 1
    assert (await patches(first))[-1]["running"] is False


async def test_stop_keeps_what_was_said() -> None:
    assistant = ScriptedAssistant(lambda _: play(" ".join(["word"] * 500)), pause=0.005)
    handlers = Handlers(lambda: assistant, "Help")
    answer = handlers.ask("Long", "", 0, "", ADA)
    await anext(answer)
    while "word" not in (await anext(answer))[0]["exchanges"][0]["parts"]["answer"]:
        pass
    await handlers.stop(ADA_ELSEWHERE)
    await handlers.stop(ADA)
    last = (await patches(answer))[-1]
    assert last["running"] is False
    assert "stops early" in last["exchanges"][0]["parts"]["answer"]
    assert len(assistant.stopped) == 1


async def test_closing_the_tab_stops_the_turn() -> None:
    assistant = ScriptedAssistant(pause=0.005)
    handlers = Handlers(lambda: assistant, "Help")
    answer = handlers.ask("How?", "", 0, "", ADA)
    await anext(answer)
    await answer.aclose()
    assert len(assistant.stopped) == 1
    assert len(await patches(handlers.ask("Next", "", 0, "", ADA))) > 1


async def test_a_page_that_is_loaded_again_in_mid_answer_shows_what_was_said(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    assistant = WithStores(engine, tmp_path / "models", pause=0.005)
    handlers = Handlers(lambda: assistant, "Help")
    answer = handlers.ask("How?", "", 0, "", ADA)
    while (await anext(answer))[0].get("conversation") is None:
        pass
    loading = asyncio.create_task(handlers.load("conversation-1", 0, ADA_ELSEWHERE))
    await asyncio.sleep(0.01)
    assert not loading.done()
    await answer.aclose()
    patch, _ = await loading
    assert (keys(patch), len(assistant.stopped)) == (["message-1"], 1)


async def test_a_conversation_in_which_another_tab_is_answered_opens_after_a_moment(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ui.gradio_app.handlers.STOPPING", 0.01)
    assistant = WithStores(engine, tmp_path / "models")
    handlers = Handlers(lambda: assistant, "Help")
    await patches(handlers.ask("First", "", 0, "", ADA))
    answer = handlers.ask("Second", "conversation-1", 0, "", ADA)
    assistant._pause = 0.05
    while (await anext(answer))[0].get("conversation") is None:
        pass
    assert keys((await handlers.load("conversation-1", 0, ADA_ELSEWHERE))[0]) == ["message-1"]
    assert (await patches(answer))[-1]["running"] is False
    assert assistant.stopped == []


async def test_looking_elsewhere_lets_the_turn_end_by_itself(engine: AsyncEngine, tmp_path: Path) -> None:
    assistant = WithStores(engine, tmp_path / "models", pause=0.005)
    handlers = Handlers(lambda: assistant, "Help")
    answer = handlers.ask("How?", "", 0, "", ADA)
    await anext(answer)
    patch, _ = await handlers.open("conversation-1", 0, sent(id="", remember="yes"), ADA)
    assert patch["remember"] is True
    assert await patches(answer) == []
    while not assistant.finished:  # noqa: ASYNC110 - the fake has no event for it
        await asyncio.sleep(0.01)
    assert assistant.stopped == []
    assert keys((await handlers.load("conversation-1", 0, ADA))[0]) == ["message-1"]


async def test_deleting_another_conversation_leaves_the_open_one(handlers: Handlers) -> None:
    for question in ("One", "Two"):
        await patches(handlers.ask(question, "", 0, "", ADA))
    patch, listed = await handlers.delete("conversation-2", 0, sent(id="conversation-1"), ADA)
    assert "revision" not in patch
    assert "One" not in listed["html"]
    assert "Two" in listed["html"]
    patch, listed = await handlers.delete("conversation-2", 0, sent(id="conversation-2"), ADA)
    assert "welcome" in patch
    assert "Two" not in listed["html"]


@pytest.mark.parametrize(("data", "rating"), [("1", 1), ("-1", -1), ("0", 0), ("7", 0), (None, 0)])
async def test_ratings(handlers: Handlers, assistant: ScriptedAssistant, data: object, rating: int) -> None:
    await patches(handlers.ask("How?", "", 0, "", ADA))
    await handlers.rate(sent(message_id="message-1", rating=data), ADA)
    assert [(one.user_id, one.message_id, one.rating) for one in assistant.ratings] == [("ada", "message-1", rating)]


async def test_nobody_rates_another_readers_answer(handlers: Handlers, assistant: ScriptedAssistant) -> None:
    await patches(handlers.ask("How?", "", 0, "", ADA))
    with pytest.raises(gr.Error, match="no longer there"):
        await handlers.rate(sent(message_id="message-1", rating="1"), EVE)
    assert assistant.ratings == []


async def test_a_failed_turn_is_told(handlers: Handlers) -> None:
    failing = ScriptedAssistant(lambda _: [Failed(code="internal", message="It broke.", retryable=True)])
    last = (await patches(Handlers(lambda: failing, "Help").ask("How?", "", 0, "", ADA)))[-1]
    assert "It broke." in last["exchanges"][0]["parts"]["failure"]


class Overloaded(ScriptedAssistant):
    """Every connection to its database is in use."""

    async def check(self, turn: Turn) -> None:
        raise DatabaseBusy("Too much at once.")


async def test_too_much_at_once_is_told_and_the_question_stays(handlers: Handlers) -> None:
    changes = [change async for change in Handlers(Overloaded, "Help").ask("How?", "", 0, "", ADA)]
    assert [change[0]["complaint"] for change in changes] == ["Too much at once."]
    assert changes[0][2] == gr.skip()


class Breaking(ScriptedAssistant):
    """Raises where nobody expects it."""

    async def stream(self, turn: Turn) -> AsyncGenerator[Event]:
        async for event in super().stream(turn):
            yield event
            raise LookupError("secret detail")


async def test_an_unexpected_error_is_logged_and_told_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    last = (await patches(Handlers(Breaking, "Help").ask("How?", "", 0, "", ADA)))[-1]
    assert last["running"] is False
    assert "went wrong on our side" in last["exchanges"][0]["parts"]["failure"]
    assert "secret detail" not in str(last)
    assert "secret detail" in caplog.text


async def test_an_assistant_that_is_still_starting_is_explained() -> None:
    def not_yet() -> Assistant:
        raise RuntimeError("run its lifespan first")

    patch, _ = await Handlers(not_yet, "Help").load("", 0, ADA)
    assert STARTING in patch["welcome"]
    assert 'data-act="reload"' in patch["welcome"]


class Unreachable(ScriptedAssistant):
    """Its index is gone."""

    async def starters(self) -> list[str]:
        raise IndexUnavailable("no vectors in data/index")


async def test_an_index_that_is_gone_is_explained_without_its_details() -> None:
    patch, _ = await Handlers(Unreachable, "Help").load("", 0, ADA)
    assert "cannot be reached right now" in patch["welcome"]
    assert "data/index" not in patch["welcome"]


async def test_a_long_conversation_shows_its_end_first(handlers: Handlers) -> None:
    for number in range(SHOWN + 2):
        await patches(handlers.ask(f"Question {number}", "conversation-1" if number else "", 0, "", ADA))
    patch, _ = await handlers.load("conversation-1", 0, ADA)
    assert patch["earlier"] == 2
    assert keys(patch)[0] == "message-3"
    whole = await handlers.earlier("conversation-1", ADA)
    assert whole["earlier"] == 0
    assert len(whole["exchanges"]) == SHOWN + 2


async def test_what_was_noted_is_there_again_until_it_is_undone(
    handlers: Handlers, assistant: WithStores, engine: AsyncEngine
) -> None:
    for question in ("I'm a designer. How does escrow work?", "And then?"):
        await patches(handlers.ask(question, "conversation-1" if assistant.turns else "", 0, "", ADA))
    lessons = Lessons(signals=[Signal("topic", "Escrow", 0.5, "escrow")], facts=[FactTold("role", "designer", "I'm")])
    async with engine.begin() as connection:
        learned = await assistant.profiles.learn(
            connection, "ada", Interaction("question"), lessons, message_id="message-1"
        )

    async def noted() -> list[str]:
        patch, _ = await handlers.load("conversation-1", 0, ADA)
        return [one["parts"]["receipt"] for one in patch["exchanges"]]

    first, second = await noted()
    assert "Noted: you asked about Escrow; role: designer" in first
    assert second == ""
    (escrow,) = [one for one in learned.evidence if one.kind == "preference"]
    await assistant.profiles.undo("ada", escrow.id)
    assert "Noted: role: designer" in (await noted())[0]
    await handlers.panel.act("conversation-1", 0, sent(do="unlearn", id="message-1"), ADA)
    assert await noted() == ["", ""]


async def test_a_turn_for_which_there_is_no_room_takes_nothing_away(assistant: ScriptedAssistant) -> None:
    @asynccontextmanager
    async def full(_: str) -> AsyncIterator[None]:
        raise TurnRejected("Ask again in 9 s.")
        yield

    first = (await patches(Handlers(lambda: assistant, "Help").ask("How?", "", 0, "", ADA)))[-1]
    asked = sent(text="Why?", message_id=first["exchanges"][0]["key"])
    (refusal,) = await patches(
        Handlers(lambda: assistant, "Help", room=full).ask_again(first["conversation"], 0, "", asked, ADA)
    )
    assert refusal["complaint"] == "Ask again in 9 s."
    assert len(await assistant.transcript("ada", first["conversation"] or "")) == 1
