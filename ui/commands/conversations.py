"""python -m ui conversations list | show | delete"""

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from ui.commands.output import messages, print_json, results
from ui.commands.running import with_assistant
from ui.configuration import load_settings


def list_all(user_id: str, *, limit: int, as_json: bool) -> None:
    """A user's conversations, the latest first."""
    found = with_assistant(load_settings(), lambda assistant: assistant.conversations(user_id, limit=limit))
    if as_json:
        print_json([asdict(one) for one in found])
        return
    if not found:
        messages().print(f"There is no conversation of {escape(user_id)!r}.")
        return
    table = Table(box=None)
    table.add_column("id", no_wrap=True, min_width=len(found[0].id))  # whole, to be copied
    table.add_column("last", no_wrap=True)
    table.add_column("messages", justify="right")
    table.add_column("begins with", no_wrap=True)
    for one in found:
        table.add_row(one.id, f"{one.updated_at:%Y-%m-%d %H:%M}", str(one.exchanges), escape(one.title))
    results().print(table)


def show(user_id: str, conversation_id: str, *, as_json: bool) -> None:
    """A conversation from its beginning. Raises ConversationNotFound."""
    found = with_assistant(load_settings(), lambda assistant: assistant.transcript(user_id, conversation_id))
    if as_json:
        print_json([asdict(one) | {"reply": one.reply.model_dump()} for one in found])
        return
    console = results()
    for one in found:
        console.print(f"[bold]> {escape(one.question)}[/]  [dim]{one.created_at:%Y-%m-%d %H:%M}[/]")
        console.print(escape(one.reply.answer))
        for source in one.reply.sources:
            console.print(f"[dim]  \\[{source.number}] {escape(source.title)} › {escape(source.heading)}[/]")


def delete(user_id: str, conversation_id: str, *, sure: bool) -> None:
    """Remove a conversation for good, after asking. Raises ConversationNotFound."""
    if not sure:
        typer.confirm(f"Delete conversation {conversation_id} of {user_id} for good?", abort=True, err=True)
    with_assistant(load_settings(), lambda assistant: assistant.delete_conversation(user_id, conversation_id))
    messages().print("Deleted.")
