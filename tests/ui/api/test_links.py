"""Linking an account in Slack or Discord from the web, and taking it apart again."""

from collections.abc import AsyncIterator

import httpx
import pytest

from agent.knowledge import database_url
from agent.settings import Settings
from tests.ui.signed_in import SignedIn, bearer, token
from tools.database import open_database
from tools.identities.accounts import Account
from tools.identities.store import IdentityStore
from ui.linking import open_identities

SLACK = Account("slack", "T1:U1")
ADA = {"user_id": "ada"}


@pytest.fixture
async def identities(settings: Settings) -> AsyncIterator[IdentityStore]:
    """As the Slack bot has it: another process on the same database."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with open_database(database_url(settings)) as engine:
        yield open_identities(engine)


async def test_a_code_of_the_web_links_a_slack_account(client: httpx.AsyncClient, identities: IdentityStore) -> None:
    answer = await client.post("/api/links/codes", params=ADA)
    assert answer.status_code == 201
    await identities.redeem(SLACK, answer.json()["code"])
    [link] = (await client.get("/api/links", params=ADA)).json()["links"]
    assert (link["joined"], link["person"]) == (
        {"doorway": "slack", "name": "T1:U1"},
        {"doorway": "web", "name": "ada"},
    )


async def test_a_code_of_slack_is_used_on_the_web_once(client: httpx.AsyncClient, identities: IdentityStore) -> None:
    code = {"code": (await identities.issue(SLACK)).code}
    answer = await client.post("/api/links", params=ADA, json=code)
    assert answer.status_code == 201
    assert await identities.user_of(SLACK) == "ada"
    again = await client.post("/api/links", params={"user_id": "bob"}, json=code)
    assert again.status_code == 422
    assert again.json()["errors"][0]["pointer"] == "#/code"


async def test_a_link_is_removed_by_its_person_only(client: httpx.AsyncClient, identities: IdentityStore) -> None:
    await client.post("/api/links", params=ADA, json={"code": (await identities.issue(SLACK)).code})
    [link] = (await client.get("/api/links", params=ADA)).json()["links"]
    path = f"/api/links/{link['id']}"
    assert (await client.get("/api/links", params={"user_id": "bob"})).json() == {"links": []}
    assert (await client.delete(path, params={"user_id": "bob"})).status_code == 404
    assert (await client.delete(path, params=ADA)).status_code == 204
    assert (await client.delete(path, params=ADA)).status_code == 404
    assert await identities.user_of(SLACK) == "slack:T1:U1"


async def test_codes_cannot_be_guessed_at_leisure(client: httpx.AsyncClient) -> None:
    answers = [await client.post("/api/links", params=ADA, json={"code": f"BBBB-BBB{n}"}) for n in "BCDFGHJKMNP"]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429]
    codes = [await client.post("/api/links/codes", params=ADA) for _ in range(6)]
    assert [answer.status_code for answer in codes] == [201] * 5 + [429]


@pytest.mark.parametrize("name", ["slack:T1:U1", "discord:42"])
async def test_nobody_signs_in_as_a_chat_account(closed: SignedIn, name: str) -> None:
    proxy = await closed.key("open-webui", "trusted-proxy") | {"X-OpenWebUI-User-Id": name}
    for headers in (bearer(token(name)), proxy):
        assert (await closed.client.get("/api/links", headers=headers)).status_code == 403
        answer = await closed.client.post("/api/query", headers=headers, json={"query": "What do I pay?"})
        assert answer.status_code == 403
    assert closed.assistant.turns == []
