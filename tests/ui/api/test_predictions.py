"""/recommend/{user_id} and /predict, on the real predictor."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.settings import Settings
from tests.ui.api.rooms import Rooms, open_rooms
from tools.profile.model import Interaction


@pytest.fixture
async def rooms(
    tmp_path: Path, settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> AsyncIterator[Rooms]:
    """Ada has saved something, and nothing more has happened yet."""
    async with open_rooms(tmp_path, settings, client_of) as opened:
        await opened.profiles.record("ada", [Interaction("save", "a1")])
        yield opened


async def test_what_to_do_about_a_user(rooms: Rooms) -> None:
    told = await rooms.get("/recommend/ada")
    assert told.keys() == {"user_id", "action", "score", "source", "explanation"}
    assert (told["user_id"], told["source"]) == ("ada", "prior")
    assert told["action"] in {"answer_only", "recommend_content", "offer_human", "send_message", "offer_discount"}
    assert told["explanation"]


@pytest.mark.parametrize("path", ["/recommend/nobody", "/predict/nobody"])
async def test_somebody_who_was_never_seen_is_not_found(rooms: Rooms, path: str) -> None:
    response = await rooms.client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (404, "application/problem+json")
    assert "nobody" in response.json()["detail"]
    assert [one["field"] for one in response.json()["errors"]] == ["user_id"]


async def test_all_heads_with_their_intervals(rooms: Rooms) -> None:
    told = await rooms.get("/predict/ada")
    assert set(told["heads"]) == {"engagement_score", "resolution_risk"}
    for head in told["heads"].values():
        assert 0 <= head["low"] <= head["probability"] <= head["high"] <= 1
    assert told["source"] == "prior"
    assert told["decision"]["without"] == "answer_only"
    assert {one["topic"] for one in told["next_topics"]} <= {"Escrow", "Payments", "Team", "Design"}
    assert told["explanation"]


async def test_where_too_little_is_known_there_is_no_score(rooms: Rooms) -> None:
    told = await rooms.get("/predict/ada")
    assert not any(head["certain"] for head in told["heads"].values())
    assert (told["decision"]["action"], told["decision"]["score"]) == ("answer_only", None)
    recommended = await rooms.get("/recommend/ada")
    assert (recommended["action"], recommended["score"]) == ("answer_only", None)
    assert "too few cases" in recommended["explanation"]


async def test_many_users_at_once_without_the_unknown(rooms: Rooms) -> None:
    await rooms.profiles.record("bob", [Interaction("search")])
    told = await rooms.post("/predict/batch", {"user_ids": ["bob", "nobody", "ada", "bob", "no one"]})
    assert [one["user_id"] for one in told["predictions"]] == ["bob", "ada"]
    assert told["unknown"] == ["nobody", "no one"]
    assert (await rooms.post("/predict/batch", {"user_ids": ["nobody"]}))["predictions"] == []


@pytest.mark.parametrize("body", [{}, {"user_ids": []}, {"user_ids": ["x"] * 10_001}, {"user_ids": [""]}])
async def test_a_bad_batch_names_the_field(rooms: Rooms, body: dict[str, Any]) -> None:
    told = await rooms.post("/predict/batch", body, 422)
    assert [one["field"].split("[")[0] for one in told["errors"]] == ["user_ids"]


async def test_asking_from_outside_is_not_a_visit(rooms: Rooms) -> None:
    before = await rooms.get("/interaction/aggregate/ada")
    await rooms.get("/predict/ada")
    await rooms.get("/recommend/ada")
    assert await rooms.get("/interaction/aggregate/ada") == before
