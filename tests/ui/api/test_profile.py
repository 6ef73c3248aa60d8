"""/profile, /api/v1/me and /api/v1/taxonomies, on the real stores."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncEngine

from agent.settings import Settings
from tests.fakes import ScriptedAssistant
from tools.database import open_database
from tools.profile.model import FactTold, Interaction, Lessons, Signal
from tools.profile.store import ProfileStore
from tools.profile.taxonomy import Taxonomy, TaxonomyEntry
from tools.recommender.service import Recommender
from ui.app import create_api


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    async with open_database(f"sqlite+aiosqlite:///{tmp_path / 'attune.db'}") as opened:
        yield opened


@pytest.fixture
async def profiles(engine: AsyncEngine) -> ProfileStore:
    """Ada has asked about escrow and told her role."""
    profiles = ProfileStore(engine)
    lessons = Lessons(signals=[Signal("topic", "Escrow", 0.5, "escrow")])
    async with engine.begin() as connection:
        await profiles.learn(
            connection, "ada", Interaction("question", metadata={"text": "escrow?"}), lessons, message_id="m1"
        )
    await profiles.remember("ada", FactTold("role", "designer", "I'm a designer"), message_id="m2")
    return profiles


@pytest.fixture
async def client(
    engine: AsyncEngine,
    profiles: ProfileStore,
    settings: Settings,
    tmp_path: Path,
    client_of: Callable[[FastAPI], httpx.AsyncClient],
) -> AsyncIterator[httpx.AsyncClient]:
    assistant = ScriptedAssistant()
    assistant.recommender = Recommender(engine, profiles, folder=tmp_path)
    assistant.profiles, assistant.taxonomy = profiles, Taxonomy(engine)
    await assistant.taxonomy.load([TaxonomyEntry("Escrow", "topic"), TaxonomyEntry("Design", "skill")])
    async with client_of(create_api(settings, assistant=assistant)) as opened:
        yield opened


async def _json(client: httpx.AsyncClient, path: str, **query: str) -> Any:
    response = await client.get(path, params=query)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_profile_shows_what_is_known(client: httpx.AsyncClient) -> None:
    profile = await _json(client, "/profile/ada")
    assert [(one["value"], one["evidence"]) for one in profile["preferences"]["topic"]] == [("Escrow", 1)]
    assert [(fact["slot"], fact["value"], fact["quote"]) for fact in profile["facts"]] == [
        ("role", "designer", "I'm a designer")
    ]
    assert profile["recent_questions"] == ["escrow?"]
    assert profile["counts"] == {"interactions": 1, "preferences": 1, "tags": 0, "facts": 1}


async def test_a_stranger_has_an_empty_profile(client: httpx.AsyncClient) -> None:
    profile = await _json(client, "/profile/nobody")
    assert (profile["preferences"], profile["tags"], profile["facts"], profile["learning"]) == ({}, [], [], True)


async def test_a_rating_counts_for_what_the_item_is_about(client: httpx.AsyncClient) -> None:
    body = {"item_id": "film-1", "rating": 9, "facets": {"genre": ["Medical"]}}
    response = await client.post("/profile/bob/rate", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["recorded"] == 1
    genres = (await _json(client, "/profile/bob"))["preferences"]["genre"]
    assert [one["value"] for one in genres] == ["Medical"]
    assert genres[0]["score"] > 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"item_id": "x", "rating": 11}, "rating"),
        ({"rating": 1}, "item_id"),
        ({"item_id": "x", "rating": "NaN"}, "rating"),
    ],
)
async def test_a_bad_rating_names_the_field_and_writes_nothing(
    client: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    response = await client.post("/profile/bob/rate", json=body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert (await _json(client, "/profile/bob"))["counts"]["interactions"] == 0


async def test_evidence_is_shown_and_undone_for_good(client: httpx.AsyncClient, profiles: ProfileStore) -> None:
    (entry,) = (await _json(client, "/profile/ada/evidence", facet="topic"))["evidence"]
    assert (entry["value"], entry["quote"], entry["message_id"]) == ("Escrow", "escrow", "m1")
    assert (await client.delete(f"/profile/ada/evidence/{entry['id']}")).status_code == 200
    assert (await client.delete(f"/profile/ada/evidence/{entry['id']}")).status_code == 404
    assert (await client.delete(f"/profile/bob/evidence/{entry['id']}")).status_code == 404
    assert "topic" not in (await _json(client, "/profile/ada"))["preferences"]


async def test_not_this_is_muted_until_it_is_allowed_again(client: httpx.AsyncClient) -> None:
    entry = {"facet": "topic", "value": "Escrow"}
    assert (await client.post("/profile/ada/mutes", json=entry)).status_code == 204
    profile = await _json(client, "/profile/ada")
    assert (profile["preferences"], profile["muted"]) == ({}, [entry])
    assert (await client.delete("/profile/ada/mutes", params=entry)).status_code == 204
    assert (await client.delete("/profile/ada/mutes", params=entry)).status_code == 404
    assert "topic" in (await _json(client, "/profile/ada"))["preferences"]


async def test_learning_is_switched(client: httpx.AsyncClient) -> None:
    assert (await client.put("/profile/ada/learning", json={"on": False})).status_code == 204
    assert (await _json(client, "/profile/ada"))["learning"] is False


async def test_a_reset_begins_again(client: httpx.AsyncClient) -> None:
    removed = (await client.delete("/profile/ada")).json()["removed"]
    assert removed["evidence"] == 2
    assert (await _json(client, "/profile/ada"))["counts"]["interactions"] == 0


async def test_an_export_holds_everything(client: httpx.AsyncClient) -> None:
    held = await _json(client, "/profile/ada/export")
    assert [fact["value"] for fact in held["facts"]] == ["designer"]
    assert len(held["evidence"]) == 2


async def test_tags_are_added_listed_and_removed(client: httpx.AsyncClient) -> None:
    me = {"user_id": "ada"}
    added = await client.post("/api/v1/me/tags/", json={"name": "Design"}, params=me)
    assert added.status_code == 201, added.text
    assert (added.json()["name"], added.json()["category"]) == ("Design", "skill")
    more = await client.post("/api/v1/me/tags/bulk_create/", json={"names": ["A", "B"]}, params=me)
    assert [tag["name"] for tag in more.json()["tags"]] == ["A", "B"]
    manual = (await _json(client, "/api/v1/me/tags/manual/", **me))["tags"]
    assert {tag["name"] for tag in manual} == {"Design", "A", "B"}
    assert (await _json(client, "/api/v1/me/tags/auto_generated/", **me))["tags"] == []
    assert (await client.delete(f"/api/v1/me/tags/{manual[0]['id']}/", params=me)).status_code == 204
    assert (await client.delete(f"/api/v1/me/tags/{manual[0]['id']}/", params={"user_id": "bob"})).status_code == 404
    ids = [tag["id"] for tag in manual[1:]]
    gone = await client.request("DELETE", "/api/v1/me/tags/bulk_delete/", json={"ids": ids}, params=me)
    assert gone.json() == {"deleted": 2}
    assert (await _json(client, "/api/v1/me/tags/", **me))["tags"] == []


async def test_an_interaction_is_recorded_once(client: httpx.AsyncClient) -> None:
    me = {"user_id": "ada"}
    body = {"type": "click", "item_id": "a", "idempotency_key": "k"}
    first = await client.post("/api/v1/me/interactions/", json=body, params=me)
    again = await client.post("/api/v1/me/interactions/", json=body, params=me)
    assert (first.status_code, first.json(), again.json()) == (201, {"recorded": True}, {"recorded": False})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "rate", "item_id": "a"}, "rating"),
        ({"type": "dance"}, "type"),
        ({"type": "click", "at": "2999-01-01T00:00:00Z"}, "at"),
        ({"type": "click", "item_id": "x" * 300}, "item_id"),
    ],
)
async def test_a_bad_interaction_names_the_field(client: httpx.AsyncClient, body: dict[str, Any], field: str) -> None:
    response = await client.post("/api/v1/me/interactions/", json=body, params={"user_id": "ada"})
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_personalization_says_what_changes_a_reply(client: httpx.AsyncClient) -> None:
    found = await _json(client, "/api/v1/me/personalization/", user_id="ada")
    assert [one["value"] for one in found["top"]["topic"]] == ["Escrow"]
    assert [fact["value"] for fact in found["facts"]] == ["designer"]


async def test_the_taxonomy_is_listed_and_sorted(client: httpx.AsyncClient) -> None:
    assert {one["name"] for one in (await _json(client, "/api/v1/taxonomies/"))["entries"]} == {"Escrow", "Design"}
    categories = (await _json(client, "/api/v1/taxonomies/by_category/"))["categories"]
    assert [one["name"] for one in categories["skill"]] == ["Design"]
    assert categories["goal"] == []


async def test_an_address_below_profile_that_is_none_is_a_problem(client: httpx.AsyncClient) -> None:
    response = await client.get("/profile/ada/nothing")
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
