"""Who a visitor is: a cookie that the page sets and that nobody can guess or choose."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from ui.gradio_app.visitor import COOKIE, VisitorCookie, visitor


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.add_middleware(VisitorCookie)

    @app.get("/")
    @app.get("/queue")
    def who(request: Request) -> str | None:
        return visitor(request)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:7860") as client:
        yield client


async def test_the_page_sets_a_cookie_that_scripts_cannot_read(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert re.fullmatch(
        rf"{COOKIE}=[A-Za-z0-9_-]{{22}}; Path=/; Max-Age=\d+; HttpOnly; SameSite=Lax", response.headers["set-cookie"]
    )
    assert "frame-ancestors 'self'" in response.headers["content-security-policy"]


async def test_a_visitor_is_the_same_from_the_first_request_on(client: httpx.AsyncClient) -> None:
    first = (await client.get("/")).json()
    assert (await client.get("/queue")).json() == first
    assert (await client.get("/")).json() == first
    assert first.startswith("visitor-")


async def test_two_visitors_are_two(client: httpx.AsyncClient) -> None:
    first = (await client.get("/")).json()
    client.cookies.clear()
    assert (await client.get("/")).json() != first


async def test_only_the_page_gives_out_cookies(client: httpx.AsyncClient) -> None:
    response = await client.get("/queue")
    assert response.json() is None
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("value", ["", "short", "a" * 21, "a" * 23, "visitor-0123456789abcde", "a" * 21 + "\u00e9"])
async def test_a_made_up_cookie_is_nobody_and_is_replaced(client: httpx.AsyncClient, value: str) -> None:
    headers = {b"Cookie": f"{COOKIE}={value}".encode()}
    assert (await client.get("/queue", headers=headers)).json() is None
    response = await client.get("/", headers=headers)
    assert response.json().startswith("visitor-")
    assert value not in response.headers["set-cookie"] or not value


async def test_the_user_id_does_not_give_the_cookie_away(client: httpx.AsyncClient) -> None:
    user_id = (await client.get("/")).json()
    secret = client.cookies[COOKIE]
    assert secret not in user_id
    digest = user_id.removeprefix("visitor-")
    assert (await client.get("/queue", headers={"Cookie": f"{COOKIE}={digest[:22]}"})).json() != user_id
