"""The chat in the terminal: what it shows, its commands, and Ctrl-C."""

import asyncio
import io
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.console import Console

from agent.assistant import Turn
from agent.events import Failed, Notice
from tests.fakes import DEFAULT_ANSWER, STARTERS, ScriptedAssistant, play, source
from ui.terminal import Terminal

CTRL_C = object()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def chat(runner: asyncio.Runner) -> Callable[..., str]:
    """Types lines into a terminal and returns what it shows."""

    def typed(assistant: ScriptedAssistant, *lines: object, conversation_id: str | None = None) -> str:
        waiting = iter(lines)

        def read() -> str:
            line = next(waiting, None)
            if line is None:
                raise EOFError
            if line is CTRL_C:
                raise KeyboardInterrupt
            return str(line)

        screen = io.StringIO()
        console = Console(file=screen, width=200, highlight=False, soft_wrap=True)
        Terminal(assistant, runner, user_id="ada", console=console, read=read, conversation_id=conversation_id).run()
        return screen.getvalue()

    return typed


def test_shows_the_answer_once_and_its_sources(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    screen = chat(assistant, "How does escrow work?")
    assert screen.count(DEFAULT_ANSWER) == 1
    assert "[1] Article 1 › Section 1  https://help.example/article-1#section-1" in screen
    assert "Searching the documents: 2 passages from 2 articles" in screen
    assert "→ When is the money released?" in screen


def test_begins_with_good_questions(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    screen = chat(assistant)
    assert all(question in screen for question in STARTERS)


def test_one_conversation_until_a_new_one_is_started(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    chat(assistant, "One", "", "  Two ", "/new", "Three")
    asked = [(turn.text, turn.conversation_id, turn.user_id, turn.channel) for turn in assistant.turns]
    assert asked == [
        ("One", None, "ada", "terminal"),
        ("Two", "conversation-1", "ada", "terminal"),
        ("Three", None, "ada", "terminal"),
    ]


def test_continues_a_conversation(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    chat(assistant, "One")
    screen = chat(assistant, "Two", conversation_id="conversation-1")
    assert "> One" in screen
    assert assistant.turns[-1].conversation_id == "conversation-1"


@pytest.mark.parametrize("leave", ["/quit", "/exit"])
def test_leaves(assistant: ScriptedAssistant, chat: Callable[..., str], leave: str) -> None:
    chat(assistant, leave, "One")
    assert assistant.turns == []


def test_shows_the_passages_of_the_last_answer(chat: Callable[..., str]) -> None:
    found = [source(1, text="A [bold] passage.")]
    screen = chat(ScriptedAssistant(lambda turn: play("Yes [1].", sources=found)), "/sources", "One", "/sources")
    assert "no answer with sources yet" in screen
    assert "A [bold] passage." in screen


def test_markup_in_an_answer_is_text(chat: Callable[..., str]) -> None:
    assert "[red]not red[/] \\[1]" in chat(ScriptedAssistant(lambda turn: play("[red]not red[/] \\[1]")), "One")


def test_unknown_commands_are_not_asked(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    assert "no such command" in chat(assistant, "/nothing")
    assert assistant.turns == []


def test_a_rejected_turn_and_a_failed_one_do_not_end_the_chat(chat: Callable[..., str]) -> None:
    failed = Failed(code="internal", message="Something went wrong.")
    assistant = ScriptedAssistant(lambda turn: play(failed=failed), max_message_chars=10)
    screen = chat(assistant, "x" * 11, "One", "Two")
    assert "at most 10" in screen
    assert screen.count("Something went wrong.") == 2


def test_shows_notices(chat: Callable[..., str]) -> None:
    notice = Notice(code="model_unavailable", text="The model is down.")
    assert "The model is down." in chat(ScriptedAssistant(lambda turn: play(notices=[notice])), "One")


@pytest.fixture
def listening() -> Iterator[None]:
    """Python's own handling of Ctrl-C, which a shell takes from what it starts in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_stops_the_answer_not_the_program(chat: Callable[..., str]) -> None:
    def interrupted(turn: Turn) -> Any:
        yield from play()[:6]
        if turn.text == "One":
            signal.raise_signal(signal.SIGINT)
        yield from play()[6:]

    assistant = ScriptedAssistant(interrupted)
    screen = chat(assistant, "One", "Two")
    assert [turn.text for turn in assistant.stopped] == ["One"]
    assert [turn.text for turn in assistant.finished] == ["Two"]
    assert "Stopped." in screen


def test_ctrl_c_at_the_prompt_drops_the_line(assistant: ScriptedAssistant, chat: Callable[..., str]) -> None:
    screen = chat(assistant, CTRL_C, "One")
    assert "/quit or Ctrl-D leaves" in screen
    assert len(assistant.finished) == 1
