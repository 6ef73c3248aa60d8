"""How much one caller may ask: requests in a stretch of time, and answers that are being written at once.

The answers say what is left, in the headers of draft-ietf-httpapi-ratelimit-headers; a refusal says when to come back.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import StorageError
from limits.storage import storage_from_string

from agent.errors import SettingsError
from agent.settings import Settings
from ui.api.problems import ProblemError

log = logging.getLogger(__name__)

FOR_SIGNED_IN = {"rate_limit": "300/minute", "turn_rate_limit": "60/minute"}
OFF = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """A limit by name, as the headers show it."""

    name: str
    limit: RateLimitItem


@dataclass(frozen=True, slots=True)
class Left:
    """What a caller has left: requests, and seconds until there are more."""

    policy: Policy
    admitted: bool
    remaining: int
    seconds: int

    def headers(self) -> dict[str, str]:
        """For the response; a refusal also says when to come back."""
        name, limit = self.policy.name, self.policy.limit
        shown = {
            "RateLimit-Policy": f'"{name}";q={limit.amount};w={limit.get_expiry()}',
            "RateLimit": f'"{name}";r={self.remaining};t={self.seconds}',
        }
        return shown if self.admitted else shown | {"Retry-After": str(self.seconds)}


class RateLimits:
    """Counts requests by caller and route, in a moving window.

    Args:
        storage: Where; Redis when several processes count together.
        requests: For each route; None for no limit.
        turns: For each route that runs a turn of the agent.
    """

    def __init__(self, storage: Storage, *, requests: Policy | None, turns: Policy | None) -> None:
        self.storage = storage
        self._limiter = MovingWindowRateLimiter(storage)
        self._requests = requests
        self._turns = turns

    async def hit(self, caller: str, route: str, *, turn: bool) -> Left | None:
        """Count one request; None where nothing limits it. When the counters cannot be reached, all are let in: an
        outage of theirs must not become one of ours."""
        policy = self._turns if turn else self._requests
        if policy is None:
            return None
        try:
            admitted = await self._limiter.hit(policy.limit, caller, route)
            window = await self._limiter.get_window_stats(policy.limit, caller, route)
        except (StorageError, OSError) as error:
            log.error("requests cannot be counted: %s", error)  # noqa: TRY400 (its message says all)
            return None
        seconds = max(1, math.ceil(window.reset_time - time.time()))
        return Left(policy, admitted, max(0, window.remaining), seconds)

    @property
    def is_shared(self) -> bool:
        """Whether the counters are somewhere else, and can fail."""
        return not isinstance(self.storage, MemoryStorage)

    async def check(self) -> None:
        """Raise StorageError when the counters do not answer."""
        if not await self.storage.check():
            raise StorageError(ConnectionError("The counters of requests do not answer."))

    async def aclose(self) -> None:
        """Drop the connections of the counters."""
        connection: Any = getattr(getattr(self.storage, "bridge", None), "storage", None)
        if connection is not None:
            await connection.aclose()
        timer: asyncio.Task[None] | None = getattr(self.storage, "timer", None)
        if timer is not None:
            timer.cancel()


class Streams:
    """How many answers are being written for each user in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._running: Counter[str] = Counter()

    @asynccontextmanager
    async def slot(self, user_id: str) -> AsyncIterator[None]:
        """Room for one more.

        Raises:
            ProblemError: 429, there is none.
        """
        if self._running[user_id] >= self._most:
            raise ProblemError(
                429,
                f"{self._most} answers are being written for this user already; wait until one has ended.",
                headers={"Retry-After": "1"},
                code="too_many_streams",
            )
        self._running[user_id] += 1
        try:
            yield
        finally:
            self._running[user_id] -= 1
            if not self._running[user_id]:
                del self._running[user_id]


def rate_limits_of(settings: Settings, *, signed_in: bool) -> RateLimits:
    """The limits that the settings describe.

    Raises:
        SettingsError: a limit or an address cannot be read.
    """
    requests, turns = (
        _policy(name, getattr(settings, setting), setting, FOR_SIGNED_IN[setting] if signed_in else OFF)
        for name, setting in (("requests", "rate_limit"), ("turns", "turn_rate_limit"))
    )
    return RateLimits(_storage(settings), requests=requests, turns=turns)


def _policy(name: str, chosen: str | None, setting: str, default: str) -> Policy | None:
    text = (chosen or default).strip()
    if text.lower() == OFF:
        return None
    try:
        return Policy(name, parse(text))
    except ValueError as error:
        raise SettingsError(
            f"Expected ATTUNE_{setting.upper()} as a number per second, minute, hour or day, such as "
            f"'{FOR_SIGNED_IN[setting]}', or 'off'; got {text!r}."
        ) from error


def _storage(settings: Settings) -> Storage:
    if settings.rate_limit_url is None:
        return MemoryStorage()
    url = settings.rate_limit_url.get_secret_value()
    if not url.startswith(("redis://", "rediss://")):
        raise SettingsError("Expected ATTUNE_RATE_LIMIT_URL to begin with redis:// or rediss://.")
    found = storage_from_string(
        f"async+{url}", implementation="redispy", wrap_exceptions=True, socket_timeout=1.0, socket_connect_timeout=1.0
    )
    if not isinstance(found, Storage):
        raise SettingsError("ATTUNE_RATE_LIMIT_URL names no storage that counts without blocking.")
    return found
