"""Open mode serves this machine's own user only."""

import httpx
import pytest

from agent.errors import SettingsError
from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from ui.app import create_api
from ui.loopback import is_loopback

NETWORK = "0.0.0.0"  # noqa: S104 - the address that must be refused
ASKED = {"user_id": "ada", "query": "How does escrow work?"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:7860", "127.0.0.1", "127.0.0.1:80", "127.9.9.9", "[::1]", "[::1]:7860"],
)
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        NETWORK,
        "10.0.0.1",
        "[::]",
        "[::1",
        "a@b:c",
    ],
)
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", [NETWORK, "::", "192.168.1.4", "attune.example", ""])
def test_refuses_to_serve_a_network(settings: Settings, host: str) -> None:
    with pytest.raises(SettingsError, match="loopback"):
        create_api(settings.model_copy(update={"host": host}))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_serves_this_machine(settings: Settings, host: str) -> None:
    assert create_api(settings.model_copy(update={"host": host}), assistant=ScriptedAssistant())


@pytest.mark.parametrize("path", ["/docs", "/health/live", "/api/conversations?user_id=ada"])
async def test_a_rebound_name_reads_nothing(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Host": "evil.example:7860"})
    assert response.status_code == 421
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example"])
async def test_a_page_from_elsewhere_changes_nothing(
    client: httpx.AsyncClient, assistant: ScriptedAssistant, origin: str
) -> None:
    response = await client.post("/api/query", json=ASKED, headers={"Origin": origin})
    assert response.status_code == 403
    assert assistant.turns == []


@pytest.mark.parametrize("origin", ["http://127.0.0.1:7860", "http://localhost:7860", "http://[::1]:7860"])
async def test_our_own_page_is_heard(client: httpx.AsyncClient, origin: str) -> None:
    assert (await client.post("/api/query", json=ASKED, headers={"Origin": origin})).status_code == 200
