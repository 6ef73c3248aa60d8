"""The chat page. `mount` puts it at the root of the application; page.py shows what is on it."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI, Request

    from agent.assistant import Assistant
    from agent.settings import Settings


def mount(
    app: "FastAPI",
    assistant: "Callable[[], Assistant]",
    settings: "Settings",
    room: "Callable[[str], AbstractAsyncContextManager[None]]",
    identify: "Callable[[Request], Awaitable[str | None]] | None" = None,
    is_admin: "Callable[[Request], Awaitable[bool]] | None" = None,
) -> "FastAPI":
    """The application with the chat page at `/`. Importing Gradio takes seconds, hence not before it is asked for.

    `room` is what each turn of a user runs in; it raises TurnRejected where there is none left. `identify` says who
    looks at the page, where people sign in, and `is_admin` who of them looks after the taxonomy; without `identify` a
    cookie tells visitors apart, and everybody on this machine is an administrator.
    """
    from ui.gradio_app.page import mount_page

    return mount_page(app, assistant, settings, room, identify, is_admin)
