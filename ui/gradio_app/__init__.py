"""The chat page. `mount` puts it at the root of the application; page.py shows what is on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from agent.assistant import Assistant
    from agent.settings import Settings


def mount(app: "FastAPI", assistant: "Callable[[], Assistant]", settings: "Settings") -> "FastAPI":
    """The application with the chat page at `/`. Importing Gradio takes seconds, hence not before it is asked for."""
    from ui.gradio_app.page import mount_page

    return mount_page(app, assistant, settings)
