"""Work that goes on beside what started it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Background:
    """Holds tasks until they end, since asyncio itself holds them only weakly; one that fails is logged.

    `failed` takes what failed, as in "noting what was shown failed", and the error; where overload makes many tasks
    fail it can be `SparingLog.warn`.
    """

    def __init__(self, failed: Callable[[str, BaseException], None] | None = None) -> None:
        self._failed = failed or _log
        self._tasks: set[asyncio.Future[Any]] = set()

    def keep(self, work: Awaitable[T], name: str) -> asyncio.Future[T]:
        """Start this work, or go on with what was started, as a task that nobody has to wait for.

        `name` says in the log what failed, as in "noting what was shown".
        """
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, name))
        return task

    def _ended(self, name: str, task: asyncio.Future[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failed(f"{name} failed", error)

    async def idle(self) -> None:
        """Wait until nothing runs any more, what is started meanwhile included."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def aclose(self, patience: float) -> None:
        """Let what runs end, for at most `patience` seconds, and then stop it."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


def _log(what: str, error: BaseException) -> None:
    log.error("%s", what, exc_info=error)
