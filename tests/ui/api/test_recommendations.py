"""/api/recommendations, /recommend?title=, /content and /results, on the real recommender."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from agent.settings import Settings
from tests.ui.api.rooms import Rooms, open_rooms
from tests.ui.signed_in import SignedIn, bearer, token


async def _save(rooms: Rooms, user_id: str, *item_ids: str) -> None:
    for item_id in item_ids:
        await rooms.post("/interaction", {"user_id": user_id, "type": "save", "item_id": item_id}, 201)


async def test_a_stranger_gets_three_good_first_reads(rooms: Rooms) -> None:
    found = await rooms.post("/api/recommendations", {"user_id": "nobody"})
    assert len(found["recommendations"]) == 3
    assert found["personalization"]["applied"] is False
    for one in found["recommendations"]:
        assert {"title", "explanation", "url", "score"} <= one.keys()
        assert one["explanation"].endswith(".")
        assert one["id"] != "old"


async def test_what_a_user_saved_raises_its_topic_and_says_so(rooms: Rooms) -> None:
    await _save(rooms, "ada", "a0", "a4", "a8")
    found = await rooms.post("/api/recommendations", {"user_id": "ada"})
    first = found["recommendations"][0]
    assert found["personalization"]["top_topic"] == "Escrow"
    assert {(boost["facet"], boost["value"]) for boost in first["boost_details"]} == {("topic", "Escrow")}
    assert first["score"] == pytest.approx(first["base_score"] * first["boost_multiplier"], rel=1e-4)
    assert "Escrow" in first["explanation"]


@pytest.mark.parametrize("body", [{}, {"user_id": None}, {"count": 2}, None])
async def test_whoever_names_nobody_is_told_the_field(rooms: Rooms, body: Any) -> None:
    response = await rooms.client.post("/api/recommendations", json=body)
    assert response.status_code == 400
    assert [one["field"] for one in response.json()["errors"]] == ["user_id"]
    assert (await rooms.client.post("/api/recommendations")).status_code == 400


async def test_items_like_one_that_is_named_from_memory(rooms: Rooms) -> None:
    await _save(rooms, "ada", "a0", "a4", "a8")
    found = await rooms.get("/recommend", title="article 12 on escro", top_n=5, user_id="ada")
    assert found["query"] == "article 12 on escro"
    assert (found["analysis"]["item_id"], found["analysis"]["facets"]) == ("a12", {"topic": ["Escrow"]})
    told = found["personalization"]
    assert told["applied"] is True
    assert told["alpha_adjusted"] == (told["original_alpha"] != told["personalized_alpha"])
    assert (told["top_topic"], told["persona"]) == ("Escrow", None)
    assert len(found["recommendations"]) == 5
    for one in found["recommendations"]:
        assert one["Title"].endswith("Escrow")
        product = one["base_score"] * one["boost_multiplier"]
        assert one["personalized_score"] == pytest.approx(product, rel=1e-4)
        assert one["boost_multiplier"] == pytest.approx(1 + sum(two["boost"] for two in one["boost_details"]), rel=1e-3)


async def test_without_a_user_nothing_is_personal(rooms: Rooms) -> None:
    found = await rooms.get("/recommend", title="Article 12 on Escrow", top_n=3)
    assert found["analysis"]["match"] == "exact"
    assert found["personalization"]["applied"] is False
    assert all(one["boost_multiplier"] == 1 and not one["boost_details"] for one in found["recommendations"])


async def test_a_title_that_names_nothing_says_so(rooms: Rooms) -> None:
    found = await rooms.get("/recommend", title="zzzz qqqq")
    assert (found["analysis"]["match"], found["analysis"]["item_id"]) == ("none", None)


@pytest.mark.parametrize(
    ("query", "field"),
    [({}, "title"), ({"title": ""}, "title"), ({"title": "x" * 600}, "title"), ({"title": "x", "top_n": 0}, "top_n")],
)
async def test_a_bad_request_for_likes_names_the_field(rooms: Rooms, query: dict[str, Any], field: str) -> None:
    response = await rooms.client.get("/recommend", params=query)
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == [field]


async def test_the_catalogue_is_paged_to_its_end_without_repeats(rooms: Rooms) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await rooms.get("/content", user_id="ada", limit=15, **cursor)
        seen += [one["id"] for one in page["content"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert len(seen) == len(set(seen)) == 41
    assert "old" not in seen


async def test_content_of_one_category_for_nobody_in_particular(rooms: Rooms) -> None:
    page = await rooms.get("/content", category="movie")
    assert [(one["id"], one["url"]) for one in page["content"]] == [("film", "https://f.example")]
    assert (await rooms.get("/content", category="music"))["content"] == []


@pytest.mark.parametrize("cursor", ["-1", "x", "99999", "१"])
async def test_a_cursor_that_no_page_gave_is_refused(rooms: Rooms, cursor: str) -> None:
    response = await rooms.client.get("/content", params={"cursor": cursor})
    assert response.status_code == 422
    assert [one["field"] for one in response.json()["errors"]] == ["cursor"]


async def test_what_was_shown_and_what_became_of_it(rooms: Rooms) -> None:
    shown = (await rooms.post("/api/recommendations", {"user_id": "ada"}))["recommendations"]
    await rooms.recommender.close()  # what is written beside the answer
    await _save(rooms, "ada", shown[0]["id"])
    results = (await rooms.get("/results/ada"))["results"]
    assert {one["item_id"]: one["outcome"] for one in results} == {
        shown[0]["id"]: "saved",
        shown[1]["id"]: None,
        shown[2]["id"]: None,
    }
    assert sorted(one["position"] for one in results) == [1, 2, 3]
    assert all(0 < one["probability"] <= 1 for one in results)
    assert (await rooms.get("/results/bob"))["results"] == []


async def test_what_was_dismissed_is_never_suggested_again(rooms: Rooms) -> None:
    for _ in range(3):
        shown = (await rooms.post("/api/recommendations", {"user_id": "ada"}))["recommendations"]
        gone = shown[0]["id"]
        await rooms.post("/interaction", {"user_id": "ada", "type": "dismiss", "item_id": gone}, 201)
        page = await rooms.get("/content", user_id="ada", limit=100)
        assert gone not in {one["id"] for one in page["content"]}
        ranked = await rooms.post("/results/re-rank", {"user_id": "ada", "item_ids": [gone, "film"]})
        assert ([one["id"] for one in ranked["results"]], ranked["left_out"]) == (["film"], [gone])


async def test_results_are_put_in_the_users_order(rooms: Rooms) -> None:
    await _save(rooms, "ada", "a2", "a6", "a10")
    ranked = await rooms.post(
        "/results/re-rank", {"user_id": "ada", "item_ids": ["a17", "a14", "nowhere", "a15", "old", "a14"]}
    )
    assert ranked["results"][0]["id"] == "a14"
    assert {one["id"] for one in ranked["results"]} == {"a14", "a15", "a17"}
    assert (ranked["unknown"], ranked["left_out"]) == (["nowhere"], ["old"])
    assert (await rooms.post("/results/re-rank", {"user_id": "ada", "item_ids": ["nowhere"]}))["results"] == []
    too_many = await rooms.post("/results/re-rank", {"user_id": "ada", "item_ids": ["a1"] * 501}, 422)
    assert [one["field"] for one in too_many["errors"]] == ["item_ids"]


@pytest.mark.parametrize("path", ["/recommend", "/content", "/interaction", "/results/ada/more", "/predict/a/b"])
async def test_what_is_no_route_there_is_a_problem(rooms: Rooms, path: str) -> None:
    response = await rooms.client.put(path)
    assert response.status_code in {404, 405}
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/recommendations"),
        ("GET", "/recommend"),
        ("GET", "/content"),
        ("POST", "/interaction"),
        ("POST", "/interaction/batch"),
        ("GET", "/interaction/ada"),
        ("GET", "/interaction/aggregate/ada"),
        ("GET", "/results/ada"),
        ("POST", "/results/re-rank"),
        ("GET", "/recommend/ada"),
        ("GET", "/predict/ada"),
        ("POST", "/predict/batch"),
    ],
)
async def test_nobody_is_answered_without_credentials(closed: SignedIn, method: str, path: str) -> None:
    assert (await closed.client.request(method, path)).status_code == 401


@pytest.mark.parametrize(
    "path", ["/interaction/ada", "/interaction/aggregate/ada", "/results/ada", "/recommend/ada", "/predict/ada"]
)
async def test_nobody_sees_what_is_anothers(closed: SignedIn, path: str) -> None:
    assert (await closed.client.get(path, headers=await closed.key("bob"))).status_code == 403


async def test_nobody_acts_for_another(closed: SignedIn) -> None:
    bob = await closed.key("bob")
    for path, body in (
        ("/api/recommendations", {"user_id": "ada"}),
        ("/interaction", {"user_id": "ada", "type": "search"}),
        ("/interaction/batch", {"user_id": "ada", "interactions": [{"type": "search"}]}),
        ("/results/re-rank", {"user_id": "ada", "item_ids": ["x"]}),
        ("/predict/batch", {"user_ids": ["bob", "ada"]}),
    ):
        assert (await closed.client.post(path, json=body, headers=bob)).status_code == 403, path
    for path, query in (("/recommend", {"title": "x", "user_id": "ada"}), ("/content", {"user_id": "ada"})):
        assert (await closed.client.get(path, params=query, headers=bob)).status_code == 403, path


async def test_who_signs_in_need_not_say_who_they_are(
    tmp_path: Path, closed_settings: Settings, client_of: Callable[[FastAPI], httpx.AsyncClient]
) -> None:
    async with open_rooms(tmp_path, closed_settings, client_of) as rooms:
        rooms.client.headers.update(bearer(token("bob")))
        await rooms.post("/interaction", {"type": "save", "item_id": "a1"}, 201)
        assert (await rooms.post("/api/recommendations", {}))["user_id"] == "bob"
        assert (await rooms.client.post("/api/recommendations")).json()["user_id"] == "bob"
        assert (await rooms.get("/recommend", title="Article 12 on Escrow"))["personalization"]["applied"] is True
        assert "a1" not in {one["id"] for one in (await rooms.get("/content", limit=100))["content"]}
        batch = {"interactions": [{"type": "search"}, {"type": "search", "user_id": "ada"}]}
        answer = await rooms.post("/interaction/batch", batch, 201)
        assert (answer["recorded"], [one["index"] for one in answer["rejected"]]) == (1, [1])


async def test_an_address_of_its_own_is_not_taken_for_a_user(rooms: Rooms) -> None:
    for path in ("/interaction/batch", "/predict/batch", "/results/re-rank"):
        response = await rooms.client.put(path)
        assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def _shown(rooms: Rooms, user_id: str) -> set[str]:
    found = await rooms.post("/api/recommendations", {"user_id": user_id, "count": 40})
    return {one["title"].rpartition(" ")[2] for one in found["recommendations"]}


async def test_nothing_of_a_muted_topic_even_where_the_list_was_made_before(rooms: Rooms) -> None:
    escrow = {"facet": "topic", "value": "Escrow"}
    assert "Escrow" in await _shown(rooms, "ada")
    assert (await rooms.client.post("/profile/ada/mutes", json=escrow)).status_code == 204
    assert "Escrow" not in await _shown(rooms, "ada")
    assert (await rooms.client.delete("/profile/ada/mutes", params=escrow)).status_code == 204
    assert "Escrow" in await _shown(rooms, "ada")


async def test_what_was_rated_low_goes_at_once(rooms: Rooms) -> None:
    first = (await rooms.post("/api/recommendations", {"user_id": "ada"}))["recommendations"][0]["id"]
    await rooms.post("/profile/ada/rate", {"item_id": first, "rating": 1})
    again = (await rooms.post("/api/recommendations", {"user_id": "ada"}))["recommendations"]
    assert first not in {one["id"] for one in again}


async def test_who_begins_again_gets_a_strangers_list(rooms: Rooms) -> None:
    await _save(rooms, "ada", "a0", "a4", "a8")
    assert (await rooms.post("/api/recommendations", {"user_id": "ada"}))["personalization"]["applied"] is True
    await rooms.client.delete("/profile/ada")
    assert (await rooms.post("/api/recommendations", {"user_id": "ada"}))["personalization"]["applied"] is False
