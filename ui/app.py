"""The web application: the chat page at /, the API below /api, its reference at /docs, health checks at /health.

`python -m ui serve` runs it; so does any ASGI server, on a loopback address and in one process:
uvicorn --factory ui.app:create_app
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI

from agent.assistant import Assistant
from agent.settings import Settings
from ui.api.routes import add_api
from ui.logs import RequestLog
from ui.loopback import LoopbackOnly, require_loopback
from ui.telemetry import switch_off_telemetry

VERSION = "0.1.0"


def create_app(settings: Settings | None = None, *, assistant: Assistant | None = None) -> FastAPI:
    """The API and the chat page.

    Args:
        settings: What the operator chose; read from the environment unless given.
        assistant: Answers in place of the one that the settings describe; the caller closes it.

    Raises:
        SettingsError: the settings ask to serve a network.
    """
    switch_off_telemetry()
    from ui.gradio_app import mount  # Gradio takes seconds to import

    settings = settings or Settings()
    app = create_api(settings, assistant=assistant)
    return mount(app, app.state.assistant_provider, settings)


def create_api(settings: Settings, *, assistant: Assistant | None = None) -> FastAPI:
    """The API alone, with the same arguments."""
    switch_off_telemetry()
    require_loopback(settings.host)
    provider = _Provider(settings, assistant)
    app = FastAPI(
        title=f"{settings.title} (Attune)",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=provider.lifespan,
    )
    app.state.assistant_provider = provider
    add_api(app)
    app.add_middleware(LoopbackOnly)
    app.add_middleware(RequestLog)
    return app


class _Provider:
    """Hands out the assistant, which is there from start-up to shutdown."""

    def __init__(self, settings: Settings, assistant: Assistant | None) -> None:
        self._settings = settings
        self._given = assistant
        self._assistant = assistant

    def __call__(self) -> Assistant:
        if self._assistant is None:
            raise RuntimeError("The assistant opens when the application starts: run its lifespan first.")
        return self._assistant

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        if self._given is not None:
            yield
            return
        async with _open(self._settings) as self._assistant:
            yield
        self._assistant = None


def _open(settings: Settings) -> AbstractAsyncContextManager[Assistant]:
    from agent.build import open_assistant  # brings Chroma and the embedding model

    return open_assistant(settings)
