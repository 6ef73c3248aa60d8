"""The web application: the chat page at /, the API below /api and /v1, its reference at /docs, health checks at
/health, counters at /metrics.

`python -m ui serve` runs it; so does any ASGI server: uvicorn --factory ui.app:create_app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from agent.assistant import Assistant
from agent.errors import SettingsError
from agent.settings import Settings
from ui.api.access import Access
from ui.api.page_sign_in import PageSignIn, add_sign_in
from ui.api.routes import add_api
from ui.api.turns import turn_on_page
from ui.data_folder import DataFolder
from ui.logs import RequestLog
from ui.loopback import LoopbackOnly, require_safe_address
from ui.metrics import Metrics
from ui.telemetry import switch_off_telemetry
from ui.tracing import open_tracing
from ui.watching import TurnWatch

VERSION = "0.1.0"


def create_app(settings: Settings | None = None, *, assistant: Assistant | None = None) -> FastAPI:
    """The API and the chat page.

    Args:
        settings: What the operator chose; read from the environment unless given.
        assistant: Answers in place of the one that the settings describe; the caller closes it.

    Raises:
        SettingsError: a setting cannot work, or asks to serve a network on which nobody signs in.
    """
    switch_off_telemetry()
    from ui.gradio_app import mount  # Gradio takes seconds to import

    settings = settings or Settings()
    app = create_api(settings, assistant=assistant)
    access: Access = app.state.access
    room = partial(turn_on_page, access)
    if not access.required:
        return mount(app, app.state.assistant_provider, settings, room)
    add_sign_in(app, access.authenticator)
    return mount(app, app.state.assistant_provider, settings, room, PageSignIn(access.authenticator))


def create_api(settings: Settings, *, assistant: Assistant | None = None) -> FastAPI:
    """The API alone, with the same arguments."""
    switch_off_telemetry()
    require_safe_address(settings)
    access = Access(settings)
    metrics = Metrics()
    provider = _Provider(settings, assistant, access, metrics)
    app = FastAPI(
        title=f"{settings.title} (Attune)",
        version=VERSION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=provider.lifespan,
    )
    app.state.assistant_provider = provider
    app.state.access = access
    app.state.metrics = metrics
    app.state.data_folder = lambda: provider.data_folder
    add_api(app)
    if not access.required:
        app.add_middleware(LoopbackOnly, origins=settings.cors_origins)
    _allow_origins(app, settings.cors_origins)
    app.add_middleware(RequestLog, count=metrics.request)
    return app


def _allow_origins(app: FastAPI, origins: list[str]) -> None:
    """Let pages of these origins call the API. They show credentials in a header, so no cookie has to be let through.

    Raises:
        SettingsError: anyone would be let in.
    """
    if not origins:
        return
    if wrong := [origin for origin in origins if not _is_origin(origin)]:
        raise SettingsError(f"Expected ATTUNE_CORS_ORIGINS to name origins, as https://help.example; got {wrong}.")
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"],
        expose_headers=["X-Request-Id", "RateLimit", "RateLimit-Policy", "Retry-After", "Idempotent-Replayed"],
        max_age=600,
    )


def _is_origin(text: str) -> bool:
    scheme, _, host = text.partition("://")
    return scheme in {"http", "https"} and bool(host) and not set(host) & set("*/ ?#@")


class _Provider:
    """Hands out the assistant, which is there from start-up to shutdown, and the data folder, if there is one."""

    def __init__(self, settings: Settings, assistant: Assistant | None, access: Access, metrics: Metrics) -> None:
        self._settings = settings
        self._given = assistant
        self._assistant = assistant
        self._access = access
        self._metrics = metrics
        self.data_folder: DataFolder | None = None

    def __call__(self) -> Assistant:
        if self._assistant is None:
            raise RuntimeError("The assistant opens when the application starts: run its lifespan first.")
        return self._assistant

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._access.aclose)
            assistant = self._given
            if assistant is None:
                assistant = await stack.enter_async_context(_open(self._settings))
            self.data_folder = await asyncio.to_thread(_data_folder, self._settings)
            assistant.watch = self._watch(stack)
            self._assistant = assistant
            yield
            assistant.watch = None
        self._assistant = self._given
        self.data_folder = None

    def _watch(self, stack: AsyncExitStack) -> TurnWatch:
        tracing = open_tracing(self._settings.otlp_endpoint, version=VERSION)
        if tracing is not None:
            stack.push_async_callback(asyncio.to_thread, tracing.close)
        return TurnWatch(self._metrics, tracing=tracing, log_messages=self._settings.log_messages)


def _data_folder(settings: Settings) -> DataFolder | None:
    """The folder, whoever opened the assistant on it; an assistant that keeps nothing has none."""
    return DataFolder(settings.data_dir) if settings.data_dir.is_dir() else None


def _open(settings: Settings) -> AbstractAsyncContextManager[Assistant]:
    from agent.build import open_assistant  # brings Chroma and the embedding model

    return open_assistant(settings)
