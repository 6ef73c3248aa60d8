"""/interaction, on the real profile store and recommender."""

import json
from typing import Any

import httpx
import pytest

from tests.ui.api.rooms import Rooms

FUTURE = "2999-01-01T00:00:00Z"
ADA = {"user_id": "ada"}


async def test_an_action_is_kept_teaches_and_is_listed(rooms: Rooms) -> None:
    body = ADA | {"type": "rate", "item_id": "film", "rating": 9, "metadata": {"page": "home"}, "keywords": ["doctors"]}
    told = await rooms.post("/interaction", body, 201)
    assert (told["recorded"], told["repeated"]) == (True, False)
    assert [(one["facet"], one["value"]) for one in told["learned"]] == [("genre", "Medical")]
    (one,) = (await rooms.get("/interaction/ada"))["interactions"]
    assert (one["type"], one["item_id"], one["rating"]) == ("rate", "film", 9)
    assert (one["metadata"], one["keywords"]) == ({"page": "home"}, ["doctors"])
    assert (await rooms.get("/interaction/bob"))["interactions"] == []


@pytest.mark.parametrize("same", [{"idempotency_key": "k"}, {"at": "2026-01-02T03:04:05Z"}])
async def test_the_same_event_counts_once(rooms: Rooms, same: dict[str, str]) -> None:
    body = ADA | {"type": "click", "item_id": "a1"} | same
    first, again = [await rooms.post("/interaction", body, 201) for _ in range(2)]
    assert (first["recorded"], again["recorded"], again["repeated"]) == (True, False, True)
    assert (await rooms.post("/interaction/batch", {"interactions": [body]}, 201))["repeated"] == 1
    assert (await rooms.get("/interaction/aggregate/ada"))["total"] == 1


async def test_the_same_time_in_another_zone_is_the_same_event(rooms: Rooms) -> None:
    rows = [
        ADA | {"type": "click", "item_id": "a1", "at": at}
        for at in ("2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:06Z")
    ]
    told = await rooms.post("/interaction/batch", {"interactions": rows}, 201)
    assert (told["recorded"], told["repeated"]) == (2, 1)


BAD = [
    ({"type": "rate", "item_id": "a1"}, "rating"),
    ({"type": "rate", "item_id": "a1", "rating": 11}, "rating"),
    ({"type": "rate", "item_id": "a1", "rating": float("nan")}, "rating"),
    ({"type": "rate", "item_id": "a1", "rating": "NaN"}, "rating"),
    ({"type": "click", "item_id": "nowhere"}, "item_id"),
    ({"type": "click"}, "item_id"),
    ({"type": "click", "item_id": "x" * 300}, "item_id"),
    ({"type": "dance", "item_id": "a1"}, "type"),
    ({"item_id": "a1"}, "type"),
    ({"type": "click", "item_id": "a1", "at": FUTURE}, "at"),
    ({"type": "click", "item_id": "a1", "at": "0001-01-01T00:00:00+14:00"}, "at"),
    ({"type": "click", "item_id": "a1", "at": "2026-01-01T00:00:00"}, "at"),
    ({"type": "search", "metadata": {"topic": "x" * 10_240}}, "metadata"),
    ({"type": "search", "metadata": {"n": float("inf")}}, "metadata"),
    ({"type": "search", "metadata": {"deep": ["a", {"b": "\ud800"}]}}, "metadata"),
    ({"type": "search", "keywords": ["x" * 10_240]}, "keywords"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
async def test_a_bad_action_names_the_field_and_writes_nothing(rooms: Rooms, body: dict[str, Any], field: str) -> None:
    told = (await _sent(rooms, "/interaction", ADA | body)).json()
    assert told["status"] == 422
    assert [one["field"].split(".")[0].split("[")[0] for one in told["errors"]] == [field]
    assert (await rooms.get("/interaction/ada"))["interactions"] == []


async def _sent(rooms: Rooms, path: str, body: Any) -> httpx.Response:
    """As Python's json writes it, NaN included; httpx would refuse to."""
    return await rooms.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})


async def test_bad_rows_of_a_batch_are_named_and_the_rest_is_kept(rooms: Rooms) -> None:
    good = [{"type": "save", "item_id": "a1"}, {"type": "search"}]
    rows = [good[0], *(row for row, _ in BAD), "no row", None, ["a"], good[1]]
    response = await _sent(rooms, "/interaction/batch", ADA | {"interactions": rows})
    assert response.status_code == 201, response.text
    told = response.json()
    assert (told["recorded"], told["repeated"], told["not_kept"]) == (2, 0, 0)
    assert [one["index"] for one in told["rejected"]] == list(range(1, len(BAD) + 4))
    fields = [one["errors"][0]["field"].split(".")[0] for one in told["rejected"]]
    assert fields[: len(BAD)] == [field for _, field in BAD]
    assert told["rejected"][2]["errors"][0]["pointer"] == "#/interactions/3/rating"
    assert [one["type"] for one in (await rooms.get("/interaction/ada"))["interactions"]] == ["search", "save"]


async def test_nothing_in_a_batch_counts_twice(rooms: Rooms) -> None:
    row = {"type": "click", "item_id": "a1"}
    keyed = row | {"idempotency_key": "k"}
    batch = ADA | {"interactions": [row, row, keyed, keyed, row | {"item_id": "a2"}]}
    told = await rooms.post("/interaction/batch", batch, 201)
    assert (told["recorded"], told["repeated"], told["rejected"]) == (3, 2, [])


async def test_a_batch_sent_again_with_its_key_acts_once(rooms: Rooms) -> None:
    batch = ADA | {"interactions": [{"type": "click", "item_id": "a1"}]}
    answers = [
        await rooms.client.post("/interaction/batch", json=batch, headers={"Idempotency-Key": "one"}) for _ in range(2)
    ]
    assert [answer.json() for answer in answers] == [answers[0].json()] * 2
    assert (await rooms.get("/interaction/aggregate/ada"))["total"] == 1


async def test_rows_of_several_users(rooms: Rooms) -> None:
    rows = [{"type": "search", "user_id": "bob"}, {"type": "search"}, {"type": "search", "user_id": "bob"}]
    told = await rooms.post("/interaction/batch", ADA | {"interactions": rows}, 201)
    assert (told["recorded"], told["repeated"]) == (2, 1)
    nobody = await rooms.post("/interaction/batch", {"interactions": rows}, 201)
    assert [(one["index"], one["errors"][0]["field"]) for one in nobody["rejected"]] == [(1, "user_id")]


async def test_a_batch_that_is_too_long_is_refused_with_the_limit(rooms: Rooms) -> None:
    row = {"type": "search"}
    told = await rooms.post("/interaction/batch", ADA | {"interactions": [row] * 1001}, 422)
    assert [one["field"] for one in told["errors"]] == ["interactions"]
    assert "1000" in told["detail"]
    huge = await rooms.post("/interaction/batch", ADA | {"interactions": [row] * 1_000_000}, 413)
    assert "1,048,576 bytes" in huge["detail"]
    assert (await rooms.get("/interaction/aggregate/ada"))["total"] == 0


async def test_nothing_is_kept_of_who_switched_learning_off(rooms: Rooms) -> None:
    await rooms.client.put("/profile/ada/learning", json={"on": False})
    told = await rooms.post("/interaction", ADA | {"type": "search"}, 201)
    assert (told["recorded"], told["repeated"]) == (False, False)
    batch = await rooms.post("/interaction/batch", ADA | {"interactions": [{"type": "search"}]}, 201)
    assert (batch["recorded"], batch["not_kept"]) == (0, 1)


async def test_what_a_user_did_adds_up(rooms: Rooms) -> None:
    rows = [
        {"type": "click", "item_id": "a0", "at": "2026-01-01T00:00:00Z"},
        {"type": "click", "item_id": "a0", "at": "2026-01-02T00:00:00Z"},
        {"type": "rate", "item_id": "a4", "rating": 8, "at": "2026-01-03T00:00:00Z"},
        {"type": "rate", "item_id": "film", "rating": 3, "at": "2026-01-04T00:00:00Z"},
        {"type": "search", "at": "2026-01-05T00:00:00Z"},
    ]
    await rooms.post("/interaction/batch", ADA | {"interactions": rows}, 201)
    told = await rooms.get("/interaction/aggregate/ada")
    assert (told["total"], told["average_rating"]) == (5, 5.5)
    assert told["by_type"] == {"click": 2, "rate": 2, "search": 1}
    assert told["by_facet"] == {"topic": {"Escrow": 3}, "genre": {"Medical": 1}}
    assert [(one["item_id"], one["count"]) for one in told["items"]] == [("a0", 2), ("film", 1), ("a4", 1)]
    assert (told["first_at"][:10], told["last_at"][:10]) == ("2026-01-01", "2026-01-05")
    nobody = await rooms.get("/interaction/aggregate/nobody")
    assert (nobody["total"], nobody["average_rating"], nobody["items"], nobody["first_at"]) == (0, None, [], None)
