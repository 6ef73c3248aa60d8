"""Serves each event of a chat platform once, however often and to however many processes it is delivered.

A claim is a lease: while an event is being served its claim is renewed, a served event stays claimed, one that failed
is let go at once, and one whose process died is let go when its lease runs out. A retry is then served.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncEngine

from tools.database import now, upsert
from tools.doorways.tables import delivered_events as events
from tools.rounds import Rounds
from tools.turn import new_id

log = logging.getLogger(__name__)

KEPT = timedelta(days=2)  # platforms give up on an event long before


class DeliveryStore:
    """Events by key. `lease` is how long, in seconds, the claim of a process that died keeps others from serving."""

    def __init__(self, engine: AsyncEngine, *, lease: float = 30, clock: Callable[[], datetime] = now) -> None:
        self._engine = engine
        self._lease = lease
        self._clock = clock
        self._swept: datetime | None = None

    async def serve_once(self, key: str, serve: Callable[[], Awaitable[bool]]) -> bool:
        """Run `serve` unless this event was served or is being served; whether it ran.

        When `serve` returns False or raises, the event counts as not served.
        """
        await self._sweep()
        claim = await self._claim(key)
        if claim is None:
            return False
        served = False
        try:
            async with self._renewing(key, claim):
                served = await serve()
        finally:
            await asyncio.shield(self._settle(key, claim, served=served))
        return True

    async def _claim(self, key: str) -> str | None:
        """A claim on this event, or None when somebody else has a good one."""
        claim, time = new_id(), self._clock()
        ours = {"claim": claim, "claimed_at": time}
        async with self._engine.begin() as connection:
            new = upsert(connection, events).values(key=key, served=False, **ours)
            taken = new.on_conflict_do_update(
                index_elements=[events.c.key],
                set_=ours,
                where=~events.c.served & (events.c.claimed_at <= time - timedelta(seconds=self._lease)),
            ).returning(events.c.claim)
            ours_now: str | None = (await connection.execute(taken)).scalar()
            return ours_now

    @asynccontextmanager
    async def _renewing(self, key: str, claim: str) -> AsyncIterator[None]:
        beat = self._lease / 3
        renewing = Rounds(partial(self._renew, key, claim), every=beat, first=beat, name="a claim is renewed")
        renewing.start()
        try:
            yield
        finally:
            await renewing.aclose()

    async def _renew(self, key: str, claim: str) -> None:
        ours = (events.c.key == key, events.c.claim == claim)
        async with self._engine.begin() as connection:
            await connection.execute(update(events).where(*ours).values(claimed_at=self._clock()))

    async def _settle(self, key: str, claim: str, *, served: bool) -> None:
        ours = (events.c.key == key, events.c.claim == claim)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(events).where(*ours).values(served=True) if served else delete(events).where(*ours)
            )

    async def _sweep(self) -> None:
        """Forget old events, once an hour."""
        time = self._clock()
        if self._swept is not None and time - self._swept < timedelta(hours=1):
            return
        self._swept = time
        async with self._engine.begin() as connection:
            await connection.execute(delete(events).where(events.c.claimed_at < time - KEPT))
