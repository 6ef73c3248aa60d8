"""python -m ui chat"""

import sys

from rich.console import Console

from ui.commands.running import assistant_on, new_runner
from ui.configuration import load_settings
from ui.terminal import Terminal


def run(user_id: str, conversation_id: str | None) -> None:
    """Chat until the user leaves; a conversation is continued when its id is given."""
    settings = load_settings()
    console = Console(highlight=False, soft_wrap=True)
    prompt = "> " if sys.stdin.isatty() else ""
    with new_runner() as runner, assistant_on(runner, settings) as assistant:
        Terminal(
            assistant,
            runner,
            user_id=user_id,
            console=console,
            read=lambda: input(prompt),
            conversation_id=conversation_id,
        ).run()
