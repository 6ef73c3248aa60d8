"""Lists that were made already, by user and kind of list: in process, or in Redis where several processes serve.

A list that is older than its time is still served while a new one is made. What a user does drops their lists at once,
also one that is being made from what was known before: `generation` changes, and a list of an older one is not kept.
"""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from cachetools import LRUCache
from redis.exceptions import RedisError

from tools.sparing_log import SparingLog

USERS = 20_000
KINDS = 64
"""Kinds of list that are kept for a user; whoever asks for more makes room first, since a kind may be any words."""
DAY = 86_400
KEPT_LONGER = 10.0
"""How many times its fresh time a list may be served stale."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A list as it is kept: item ids and numbers, and when it was made (seconds since 1970)."""

    made_at: float
    payload: Mapping[str, Any]


class ListCache(Protocol):
    """Where lists are kept."""

    async def generation(self, user_id: str) -> int:
        """Changes whenever the user's lists are dropped."""
        ...

    async def get(self, user_id: str, kind: str) -> Kept | None:
        """A list of the user's present generation."""
        ...

    async def put(self, user_id: str, kind: str, kept: Kept, *, generation: int, seconds: float) -> None:
        """Keep a list, unless the user's generation has changed since."""
        ...

    async def drop(self, user_id: str) -> None:
        """Forget every list of a user."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


class InProcess:
    """The least recently used users make room."""

    def __init__(self, users: int = USERS, clock: Callable[[], float] = time.time) -> None:
        self._lists: LRUCache[str, dict[str, tuple[Kept, float]]] = LRUCache(users)
        self._generations: LRUCache[str, int] = LRUCache(4 * users)
        self._latest = 0
        self._clock = clock

    async def generation(self, user_id: str) -> int:
        """A number that changes whenever the user's lists are dropped."""
        return self._generations.setdefault(user_id, self._latest)

    async def get(self, user_id: str, kind: str) -> Kept | None:
        """A list that is kept and not too old."""
        held = self._lists.get(user_id, {}).get(kind)
        return held[0] if held and self._clock() < held[1] else None

    async def put(self, user_id: str, kind: str, kept: Kept, *, generation: int, seconds: float) -> None:
        """Keep a list, unless the user's generation has changed since."""
        if generation == await self.generation(user_id):
            until = kept.made_at + seconds * KEPT_LONGER
            lists = self._lists.setdefault(user_id, {})
            if len(lists) >= KINDS:
                lists.clear()
            lists[kind] = (kept, until)

    async def drop(self, user_id: str) -> None:
        """Forget every list of a user."""
        self._latest += 1
        self._generations[user_id] = self._latest
        self._lists.pop(user_id, None)

    async def aclose(self) -> None:
        """There are none."""


class InRedis:
    """One hash a user, `attune:lists:<user>`: the generation, and a JSON text by kind of list.

    Args:
        client: A `redis.asyncio.Redis`.
    """

    def __init__(self, client: Any, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._silent = SparingLog()

    async def generation(self, user_id: str) -> int:
        """A number that changes whenever the user's lists are dropped; 0 where Redis says nothing."""
        found = await self._answered(lambda: self._client.hget(_key(user_id), "generation"))
        return int(found or 0)

    async def get(self, user_id: str, kind: str) -> Kept | None:
        """A list of the user's present generation that is not too old."""
        names = ["generation", f"list:{kind}"]
        generation, text = await self._answered(lambda: self._client.hmget(_key(user_id), names)) or (None, None)
        held = json.loads(text) if text else None
        if held is None or held["generation"] != int(generation or 0) or self._clock() >= held["until"]:
            return None
        return Kept(held["made_at"], held["payload"])

    async def put(self, user_id: str, kind: str, kept: Kept, *, generation: int, seconds: float) -> None:
        """Keep a list; one of an earlier generation is never served."""
        until = kept.made_at + seconds * KEPT_LONGER
        held = {"generation": generation, "made_at": kept.made_at, "until": until, "payload": kept.payload}
        if (await self._answered(lambda: self._client.hlen(_key(user_id))) or 0) > KINDS:
            await self._clear(user_id)
        await self._answered(lambda: self._client.hset(_key(user_id), f"list:{kind}", json.dumps(held)))
        await self._answered(lambda: self._client.expire(_key(user_id), DAY))

    async def drop(self, user_id: str) -> None:
        """Forget every list of a user, at every process."""
        await self._answered(lambda: self._client.hincrby(_key(user_id), "generation", 1))
        await self._clear(user_id)
        await self._answered(lambda: self._client.expire(_key(user_id), DAY))

    async def _clear(self, user_id: str) -> None:
        """Remove the lists, which tell what their user cares for; what counts them stays."""
        names = await self._answered(lambda: self._client.hkeys(_key(user_id))) or []
        if lists := [name for name in names if name.startswith(b"list:")]:
            await self._answered(lambda: self._client.hdel(_key(user_id), *lists))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _answered(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        """What Redis says; None where it says nothing, which is like an empty cache: lists are then made each time."""
        try:
            return await ask()
        except RedisError as error:
            self._silent.warn("the cache of lists does not answer, so lists are made anew", error)
            return None


def _key(user_id: str) -> str:
    return f"attune:lists:{user_id}"


def cache_at(url: str | None) -> ListCache:
    """In process, or in Redis by its URL (`redis://…`)."""
    if url is None:
        return InProcess()
    from redis.asyncio import Redis

    return InRedis(Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2))
