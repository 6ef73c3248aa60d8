"""What decides who may ask how much, made from the settings once, and shared by every route."""

import asyncio
from contextlib import AsyncExitStack

from sqlalchemy.ext.asyncio import AsyncEngine

from agent.knowledge import open_configured_database
from agent.settings import Settings
from tools.access.keys import KeyStore
from tools.access.replies import KeptReplies
from tools.doorways.threads import ThreadStore
from ui.api.identity import Authenticator
from ui.api.rate_limits import RateLimits, Streams, rate_limits_of
from ui.api.tokens import verifier_of
from ui.loopback import signs_in


class Access:
    """Keys, tokens, limits and kept replies. The database opens when it is first needed; close it.

    Raises:
        SettingsError: a setting cannot work, or would not be safe.
    """

    def __init__(self, settings: Settings) -> None:
        tokens = verifier_of(settings)
        self.required = signs_in(settings)
        self.authenticator = Authenticator(required=self.required, keys=self.keys, tokens=tokens)
        self.limits: RateLimits = rate_limits_of(settings, signed_in=self.required)
        self.streams = Streams(settings.max_streams)
        self.turn_timeout = settings.turn_timeout
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._engine: AsyncEngine | None = None

    async def keys(self) -> KeyStore:
        """The API keys."""
        return KeyStore(await self.engine())

    async def replies(self) -> KeptReplies:
        """The answers kept for repeated requests."""
        return KeptReplies(await self.engine(), lease=self.turn_timeout + 30)

    async def threads(self) -> ThreadStore:
        """Which conversation a chat of another program is."""
        return ThreadStore(await self.engine())

    async def engine(self) -> AsyncEngine:
        """The database, opened by whoever asks first."""
        async with self._opening:
            if self._engine is None:
                self._settings.data_dir.mkdir(parents=True, exist_ok=True)
                self._engine = await self._stack.enter_async_context(open_configured_database(self._settings))
        return self._engine

    async def aclose(self) -> None:
        """Close the database and the counters' connections."""
        await self._stack.aclose()
        await self.limits.aclose()
        self._engine = None
