"""The whole application: the page and the API share one port and keep out of each other's way."""

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tests.ui.live import serving
from ui.api.routes import MAX_BODY_SIZE
from ui.app import create_app


@pytest.fixture
async def app(settings: Settings, assistant: ScriptedAssistant) -> FastAPI:
    """Made while the event loop runs, as `serve` does: Gradio would otherwise make one of its own, and not close it."""
    return create_app(settings, assistant=assistant)


@pytest.fixture
async def whole(app: FastAPI, client_of: Callable[[FastAPI], httpx.AsyncClient]) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


async def test_the_page_is_at_the_root(whole: httpx.AsyncClient) -> None:
    response = await whole.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


async def test_the_api_answers_beside_the_page(whole: httpx.AsyncClient) -> None:
    asked = {"user_id": "ada", "query": "How?"}
    assert (await whole.post("/api/query", json=asked)).status_code == 200
    assert (await whole.get("/docs")).status_code == 200
    assert "/api/query" in (await whole.get("/openapi.json")).json()["paths"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/health/nothing", 404),
        ("GET", "/api/query", 405),
        ("DELETE", "/api/feedback", 405),
    ],
)
async def test_the_page_does_not_answer_for_the_api(
    whole: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await whole.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/info"])
async def test_a_rebound_name_gets_no_page(whole: httpx.AsyncClient, path: str) -> None:
    assert (await whole.get(path, headers={"Host": "evil.example"})).status_code == 421


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/gradio_api/queue/join", "/gradio_api/cancel"])
async def test_the_page_reads_no_huge_body(whole: httpx.AsyncClient, path: str, declared: bool) -> None:
    taken = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(64):
            taken += 65_536
            yield b" " * 65_536

    content = b" " * 2**22 if declared else chunks()
    response = await whole.post(path, content=content, headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert taken <= MAX_BODY_SIZE + 65_536


async def test_an_open_tab_does_not_hold_up_the_end(app: FastAPI) -> None:
    async with serving(app, patience=30) as (url, server), httpx.AsyncClient() as client:
        await client.get(f"{url}/")
        async with client.stream("GET", f"{url}/gradio_api/heartbeat/abcdef") as heartbeat:
            assert heartbeat.status_code == 200
            server.should_exit = True
            async with asyncio.timeout(10):
                with pytest.raises(httpx.HTTPError):
                    [line async for line in heartbeat.aiter_raw()]


async def test_the_given_assistant_is_not_closed(app: FastAPI, assistant: ScriptedAssistant) -> None:
    async with serving(app) as (url, _), httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/health/ready")).status_code == 200
    assert not assistant.closed


async def test_opens_and_closes_an_assistant_of_its_own(settings: Settings) -> None:
    app = create_app(settings)
    with pytest.raises(RuntimeError, match="lifespan"):
        app.state.assistant_provider()
    async with serving(app) as (url, _), httpx.AsyncClient() as client:
        ready = (await client.get(f"{url}/health/ready")).json()
        assert (ready["status"], ready["checks"].keys()) == ("ready", {"documents", "conversations", "data folder"})
        assert app.state.assistant_provider() is app.state.assistant_provider()
    with pytest.raises(RuntimeError, match="lifespan"):
        app.state.assistant_provider()
