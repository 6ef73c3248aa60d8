"""The chat page. `mount` puts it at the root of the application; page.py shows what is on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI

    from agent.assistant import Assistant
    from agent.settings import Settings
    from ui.gradio_app.signing_in import SignIn


def mount(
    app: "FastAPI",
    assistant: "Callable[[], Assistant]",
    settings: "Settings",
    room: "Callable[[str], AbstractAsyncContextManager[None]]",
    sign_in: "SignIn | None" = None,
) -> "FastAPI":
    """The application with the chat page at `/`. Importing Gradio takes seconds, hence not before it is asked for.

    `room` is what each turn of a user runs in; it raises TurnRejected where there is none left. `sign_in` says who
    looks at the page, where people sign in; without it a cookie tells visitors apart, and everybody on this machine is
    an administrator.
    """
    from ui.gradio_app.page import mount_page

    return mount_page(app, assistant, settings, room, sign_in)
