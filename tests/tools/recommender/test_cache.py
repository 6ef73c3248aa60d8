"""A list that was made before the user acted is not served after, whoever was faster."""

import os
import socket
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tools.recommender.cache import KINDS, InProcess, InRedis, Kept, ListCache

REDIS = os.environ.get("ATTUNE_TEST_REDIS")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["process", "redis"])
async def cache(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[ListCache]:
    if request.param == "process":
        yield InProcess(clock=clock)
        return
    if not REDIS:
        pytest.skip("Redis: ATTUNE_TEST_REDIS gives no URL")
    client = Redis.from_url(REDIS)
    yield InRedis(client, clock)
    await client.aclose()


async def test_a_list_is_kept_for_its_time_and_ten_times_longer_as_stale(cache: ListCache, clock: Clock):
    user = uuid4().hex
    kept = Kept(clock.now, {"suggestions": []})
    await cache.put(user, "movie", kept, generation=await cache.generation(user), seconds=60)
    clock.now += 599
    assert await cache.get(user, "movie") == kept
    assert await cache.get(user, "article") is None
    clock.now += 2
    assert await cache.get(user, "movie") is None


async def test_what_was_being_made_when_the_user_acted_is_not_kept(cache: ListCache, clock: Clock):
    user, other = uuid4().hex, uuid4().hex
    before, untouched = await cache.generation(user), await cache.generation(other)
    await cache.drop(user)
    await cache.put(user, "movie", Kept(clock.now, {"old": True}), generation=before, seconds=60)
    await cache.put(other, "movie", Kept(clock.now, {}), generation=untouched, seconds=60)
    assert await cache.get(user, "movie") is None
    assert await cache.get(other, "movie") is not None
    await cache.put(user, "movie", Kept(clock.now, {"new": True}), generation=await cache.generation(user), seconds=60)
    assert (await cache.get(user, "movie")) == Kept(clock.now, {"new": True})


async def test_a_user_who_asks_for_ever_new_kinds_of_list_makes_room_first(cache: ListCache, clock: Clock):
    user, kept = uuid4().hex, Kept(clock.now, {"suggestions": []})
    for number in range(3 * KINDS):
        await cache.put(user, f"kind {number}", kept, generation=await cache.generation(user), seconds=60)
    held = [await cache.get(user, f"kind {number}") for number in range(3 * KINDS)]
    assert 0 < sum(one is not None for one in held) <= KINDS
    assert held[-1] == kept


@pytest.mark.skipif(not REDIS, reason="Redis: ATTUNE_TEST_REDIS gives no URL")
async def test_nothing_of_a_list_is_left_in_redis_when_it_is_dropped(clock: Clock):
    user = uuid4().hex
    async with Redis.from_url(str(REDIS)) as client:
        cache = InRedis(client, clock)
        await cache.put(user, "movie", Kept(clock.now, {"persona": "Cinephile"}), generation=0, seconds=60)
        assert "Cinephile" in str(await client.hgetall(f"attune:lists:{user}"))
        await cache.drop(user)
        assert await client.hgetall(f"attune:lists:{user}") == {b"generation": b"1"}


async def test_a_cache_that_does_not_answer_is_like_an_empty_one_and_says_so_once(
    clock: Clock, caplog: pytest.LogCaptureFixture
):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        client = Redis.from_url(f"redis://127.0.0.1:{nobody.getsockname()[1]}", socket_connect_timeout=0.2)
        cache = InRedis(client, clock)
        assert await cache.get("u", "movie") is None
        await cache.put("u", "movie", Kept(clock.now, {}), generation=await cache.generation("u"), seconds=60)
        await cache.drop("u")
        await client.aclose()
    assert caplog.messages == ["the cache of lists does not answer, so lists are made anew (ConnectionError)"]
