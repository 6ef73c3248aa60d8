"""A chat in the terminal: words as they come, then the sources that the answer cites.

Ctrl-C stops the answer, not the program: each turn is run on its own, and stopping closes its stream.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from rich.console import Console
from rich.markup import escape

from agent.assistant import Assistant, Turn
from agent.errors import TurnRejected
from agent.events import Event, Failed, Notice, Replied, Reply, Token, ToolFinished, TurnStarted

HELP = "/new starts a conversation · /sources shows the passages · /quit leaves · Ctrl-C stops an answer"


class Terminal:
    """One user's chat. `read` gives the next line; it raises EOFError at the end of input and KeyboardInterrupt at
    Ctrl-C."""

    def __init__(
        self,
        assistant: Assistant,
        runner: asyncio.Runner,
        *,
        user_id: str,
        console: Console,
        read: Callable[[], str],
        conversation_id: str | None = None,
    ) -> None:
        self._assistant = assistant
        self._runner = runner
        self._user_id = user_id
        self._console = console
        self._read = read
        self._conversation_id = conversation_id
        self._last: Reply | None = None
        self._commands = {"/new": self._new, "/sources": self._show_passages, "/help": self._help}

    def run(self) -> None:
        """Chat until /quit or the end of input."""
        self._greet()
        while (line := self._next_line()) is not None:
            if line.startswith("/"):
                self._commands.get(line, self._unknown)()
            elif line:
                self._ask(line)

    def _greet(self) -> None:
        if self._conversation_id is not None:
            self._show_earlier(self._conversation_id)
        else:
            for question in self._runner.run(self._assistant.starters())[:3]:
                self._console.print(f"[dim]  {escape(question)}[/]")
        self._help()

    def _show_earlier(self, conversation_id: str) -> None:
        for exchange in self._runner.run(self._assistant.transcript(self._user_id, conversation_id)):
            self._console.print(f"[dim]> {escape(exchange.question)}[/]")
            self._console.print(escape(exchange.reply.answer))
            self._last = exchange.reply

    def _next_line(self) -> str | None:
        """The next line without blanks around it; None to leave. Ctrl-C drops what was typed."""
        try:
            line = self._read().strip()
        except EOFError:
            return None
        except KeyboardInterrupt:
            self._console.print("\n[dim]/quit or Ctrl-D leaves.[/]")
            return ""
        return None if line in {"/quit", "/exit"} else line

    def _ask(self, text: str) -> None:
        try:
            self._runner.run(self._turn(text))
        except KeyboardInterrupt:
            self._console.print("\n[dim]Stopped.[/]")
        except TurnRejected as error:
            self._console.print(f"[red]{escape(str(error))}[/]")

    async def _turn(self, text: str) -> None:
        turn = Turn(self._user_id, text, self._conversation_id, channel="terminal")
        async with aclosing(self._assistant.stream(turn)) as events:
            async for event in events:
                self._show(event)

    def _show(self, event: Event) -> None:
        match event:
            case Token(text=text):
                self._console.out(text, end="", highlight=False)
            case TurnStarted(conversation_id=conversation_id):
                self._conversation_id = conversation_id
            case ToolFinished(title=title, summary=summary):
                self._console.print(f"[dim]· {escape(title)}: {escape(summary)}[/]")
            case Notice(text=text):
                self._console.print(f"\n[yellow]{escape(text)}[/]")
            case Failed(message=message):
                self._console.print(f"\n[red]{escape(message)}[/]")
            case Replied(reply=reply):
                self._finish(reply)
            case _:
                pass

    def _finish(self, reply: Reply) -> None:
        self._last = reply
        self._console.print()
        for source in reply.sources:
            place = source.title if source.heading == source.title else f"{source.title} › {source.heading}"
            self._console.print(f"[dim]  \\[{source.number}] {escape(place)}  {escape(source.url or '')}[/]")
        for question in reply.follow_ups[:3]:
            self._console.print(f"[dim]  → {escape(question)}[/]")

    def _new(self) -> None:
        self._conversation_id, self._last = None, None
        self._console.print("[dim]A new conversation.[/]")

    def _show_passages(self) -> None:
        if self._last is None or not self._last.sources:
            self._console.print("[dim]There is no answer with sources yet.[/]")
            return
        for source in self._last.sources:
            head = f"\\[{source.number}] {escape(source.title)} › {escape(source.heading)}"
            self._console.print(f"[bold]{head}[/]  [dim]{source.score:.2f}[/]")
            self._console.print(escape(source.text))

    def _help(self) -> None:
        self._console.print(f"[dim]{HELP}[/]")

    def _unknown(self) -> None:
        self._console.print(f"[red]There is no such command.[/] [dim]{HELP}[/]")
