"""Events of a turn, one by one, become what the page shows."""

from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.assistant import Exchange
from agent.events import Event, Failed, Notice, Reply, SourcesFound, Token, ToolFinished, ToolStarted, TurnStarted
from agent.extractive import MODEL_NAME
from tests.fakes import START, play, reply, source
from tools.sources import article_line
from ui.gradio_app.exchange import duration, parts, status
from ui.gradio_app.shown import PENDING, Shown, Step


def after(events: list[Event], question: str = "How?") -> Shown:
    return reduce(lambda shown, event: shown.after(event), events, Shown(question))


def test_a_whole_turn_ends_as_its_reply_is() -> None:
    shown = after(play("Yes [1].", notices=[Notice(code="model_cut", text="Cut.")]))
    assert shown.finished
    assert shown.answer == "Yes [1]."
    assert shown.message_id == "message-1"
    assert shown.conversation_id == "conversation-1"
    assert shown.notices == ("Cut.",)
    assert shown.steps == (
        Step("call-1", "Searching the documents", "escrow", "done", "2 passages from 2 articles", 7.5),
    )


@given(st.lists(st.text(), max_size=20))
def test_tokens_add_up(pieces: list[str]) -> None:
    assert after([Token(text=piece) for piece in pieces]).answer == "".join(pieces)


@given(st.lists(st.sampled_from(play()), max_size=12))
def test_any_order_of_events_can_be_drawn(events: list[Event]) -> None:
    drawn = parts(after(events))
    assert list(drawn) == ["question", "steps", "answer", "sources", "receipt", "actions", "failure", "next"]


def test_a_restored_exchange_looks_as_it_did_live_but_for_its_steps() -> None:
    live = after(play("Yes [1].", answered=False, confidence=0.2))
    assert live.reply is not None
    exchange = Exchange(live.message_id, "How?", live.reply, START, None)
    assert parts(Shown.restored(exchange)) == parts(replace(live, steps=()))


def test_a_finished_tool_replaces_the_one_that_started() -> None:
    one = ToolStarted(call_id="a", tool="t", title="Searching", arguments={"query": "x"})
    two = ToolStarted(call_id="b", tool="t", title="Reading", arguments={"source": 1})
    done = ToolFinished(call_id="a", tool="t", title="Searching", summary="3 passages", ok=True, duration_ms=4)
    shown = after([one, two, done])
    assert [(step.title, step.state) for step in shown.steps] == [("Searching", "done"), ("Reading", "pending")]
    assert '<details class="steps" open>' in parts(shown)["steps"]


def test_a_failed_tool_is_told_from_one_that_worked() -> None:
    failed = ToolFinished(call_id="a", tool="t", title="Searching", summary="It failed", ok=False, duration_ms=4)
    shown = after([failed])
    assert shown.steps[0].state == "failed"
    assert 'aria-label="Failed"' in parts(shown)["steps"]


def test_the_time_beside_the_last_tool_is_its_own() -> None:
    """Tools run side by side: their times together are nobody's time."""
    slow = ToolFinished(call_id="a", tool="t", title="Recalling", summary="Nothing", ok=True, duration_ms=40)
    last = ToolFinished(call_id="b", tool="t", title="Searching", summary="3 passages", ok=True, duration_ms=30)
    summary, _ = parts(after([slow, last]))["steps"].split("</summary>")
    assert '<span class="took">30 ms</span>' in summary


def test_something_that_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError, match="Expected an event"):
        Shown("How?").after("token")  # type: ignore[arg-type]


def test_before_the_first_event_it_says_that_it_is_looking() -> None:
    shown = Shown("How?")
    assert shown.message_id == PENDING
    assert "Looking for an answer" in parts(shown)["steps"]
    assert status(shown) == "Looking for an answer"


def test_the_status_for_ears_changes_only_when_there_is_news() -> None:
    events = play("One two three four.")
    said = [status(after(events[:count])) for count in range(len(events) + 1)]
    assert list(dict.fromkeys(said)) == ["Looking for an answer", "Answering", "Answer: One two three four."]


def test_markers_are_linked_as_soon_as_their_sources_are_known() -> None:
    shown = after([SourcesFound(sources=[source(1)]), Token(text="Yes [1]. No [2].")])
    assert parts(shown)["answer"].count("data-cite") == 1


def test_an_answer_that_the_documents_do_not_support_says_so() -> None:
    supported, not_supported = (parts(after(play(answered=answered))) for answered in (True, False))
    assert "don’t seem to answer this" not in supported["answer"]
    assert "don’t seem to answer this" in not_supported["answer"]
    assert "Nearest in the documents" in not_supported["sources"]


def test_the_nearest_articles_are_listed_once() -> None:
    near = [source(1), source(2)]
    said = f"Nothing found; the nearest are:\n\n{article_line(near[0])}\n{article_line(near[1])}"
    shown = parts(Shown.restored(Exchange("m", "How?", reply(said, sources=near, answered=False), START, None)))
    assert "the nearest are:" in shown["answer"]
    assert near[0].title not in shown["answer"]
    assert near[0].title in shown["sources"]
    sorry = parts(Shown.restored(Exchange("m", "No", reply(said, sources=near, answered=True), START, None)))
    assert "Nearest in the documents" in sorry["sources"]


@pytest.mark.parametrize(("notices", "told"), [([], "This answer stops early."), (["Stopped."], "Stopped.")])
def test_a_cut_answer_says_so_once(notices: list[str], told: str) -> None:
    said = reply(cut=True, notices=notices)
    answer = parts(Shown.restored(Exchange("m", "How?", said, START, None)))["answer"]
    assert answer.count('class="notice"') == 1
    assert told in answer


def test_the_same_notice_is_told_once() -> None:
    notice = Notice(code="model_unavailable", text="Another model answered.")
    assert parts(after(play(notices=[notice, notice])))["answer"].count("Another model answered.") == 1


@pytest.mark.parametrize(
    ("rating", "pressed"), [(1, ["true", "false"]), (-1, ["false", "true"]), (None, ["false"] * 2)]
)
def test_a_rating_is_shown(rating: int | None, pressed: list[str]) -> None:
    actions = parts(replace(after(play()), rating=rating))["actions"]
    assert [actions.split('aria-pressed="')[number].split('"')[0] for number in (1, 2)] == pressed


def test_a_failure_offers_another_try() -> None:
    failed = Failed(code="internal", message="It <broke>.", retryable=True)
    drawn = parts(after([*play()[:2], failed]))
    assert "It &lt;broke&gt;." in drawn["failure"]
    assert 'data-act="retry"' in drawn["failure"]
    assert drawn["actions"] == drawn["next"] == ""


def test_copying_gives_the_answer_with_its_sources() -> None:
    actions = parts(after(play("Yes [1].", sources=[source(1)])))["actions"]
    assert 'data-copy="Yes [1].\n\n[1] Article 1 › Section 1 https://help.example/article-1#section-1"' in actions


@pytest.mark.parametrize(("url", "linked"), [("https://x.example/a", True), ("javascript:x", False), (None, False)])
def test_a_source_links_to_its_page_on_the_web_only(url: str | None, linked: bool) -> None:
    assert ("<a " in parts(after(play(sources=[source(1, url=url)])))["sources"]) is linked


@given(st.text())
def test_what_others_wrote_is_escaped(text: str) -> None:
    said: Reply = reply(text, sources=[source(1, title=text, heading=text, text=text, quote=text)], follow_ups=[text])
    exchange = Exchange("m", text, said.model_copy(update={"model": text, "notices": [text]}), START, None)
    html = "".join(parts(Shown.restored(exchange)).values())
    assert "<script" not in html.lower()
    assert "<img" not in html.lower()


@pytest.mark.parametrize(("milliseconds", "text"), [(0.4, "0 ms"), (12.3, "12 ms"), (999, "999 ms"), (1_250, "1.2 s")])
def test_times_are_short(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text


def test_the_extractive_model_is_named_for_what_it_does() -> None:
    assert "no language model" in parts(after(play(model=MODEL_NAME)))["actions"]
    assert "gpt-x" in parts(after(play(model="gpt-x")))["actions"]


def test_a_turn_that_only_started_waits_under_its_own_id() -> None:
    shown = after([TurnStarted(conversation_id="c", message_id="m")])
    assert (shown.conversation_id, shown.message_id, shown.finished) == ("c", "m", False)
