"""/health/live and /health/ready, for whatever watches the process."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from agent.assistant import Assistant
from ui.api.access import Access
from ui.api.deps import TheAccess, TheAssistant, TheDataFolder
from ui.api.problems import FieldError, ProblemError, may_answer
from ui.data_folder import DataFolder, DataFolderLost

log = logging.getLogger(__name__)
router = APIRouter(prefix="/health", tags=["health"])

DEADLINE = 2.0  # seconds that each dependency has
RATE_LIMITS = "rate limits"  # where they cannot be counted, everybody is let in
NO_ANSWER = "It does not answer; the server's log has the reason"


class Health(BaseModel):
    """The process answers."""

    status: Literal["live"]


class Ready(BaseModel):
    """Turns can be answered; anything else is a problem. `checks` has the milliseconds that each dependency took, and
    `without` names those that do not answer, and that turns go on without."""

    status: Literal["ready"]
    checks: dict[str, float]
    without: list[str] = []


@router.get("/live", operation_id="live")
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/ready", operation_id="ready", responses=may_answer(503))
async def ready(assistant: TheAssistant, access: TheAccess, folder: TheDataFolder) -> Ready:
    """Turns can be answered and kept: each thing that they need answers within two seconds."""
    checks = _checks(assistant, access, folder)
    found = dict(zip(checks, await asyncio.gather(*map(_timed, checks.items())), strict=True))
    failed = {name: why for name, why in found.items() if isinstance(why, str)}
    if wrong := [FieldError(field=name, message=why) for name, why in failed.items() if name != RATE_LIMITS]:
        raise ProblemError(503, f"Not ready: {', '.join(one.field for one in wrong)}.", wrong)
    took = {name: one for name, one in found.items() if isinstance(one, float)}
    return Ready(status="ready", checks=took, without=list(failed))


def _checks(assistant: Assistant, access: Access, folder: DataFolder | None) -> Mapping[str, Awaitable[object]]:
    checks: dict[str, Awaitable[object]] = {
        "documents": assistant.starters(),
        "conversations": assistant.conversations("", limit=1),
    }
    if access.limits.is_shared:
        checks[RATE_LIMITS] = access.limits.check()
    if folder is not None:
        checks["data folder"] = asyncio.to_thread(folder.check)
    return checks


async def _timed(check: tuple[str, Awaitable[object]]) -> float | str:
    """The milliseconds that a check took, or what is wrong: it failed, or its time was up."""
    name, answer = check
    started = time.perf_counter()
    try:
        async with asyncio.timeout(DEADLINE):
            await answer
    except DataFolderLost as error:
        log.error("not ready: %s", error)  # noqa: TRY400 - where it was found out is of no interest
        return str(error)
    except Exception:  # whatever it is, this process must get no traffic; the log has the reason
        log.exception("not ready: %s", name)
        return NO_ANSWER
    return round((time.perf_counter() - started) * 1000, 1)
