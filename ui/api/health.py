"""/health/live and /health/ready, for whatever watches the process."""

import logging
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from ui.api.deps import TheAssistant
from ui.api.problems import ProblemError, may_answer

log = logging.getLogger(__name__)
router = APIRouter(prefix="/health", tags=["health"])


class Health(BaseModel):
    """A healthy answer; anything else is a problem."""

    status: Literal["live", "ready"]


@router.get("/live")
async def live() -> Health:
    """The process answers."""
    return Health(status="live")


@router.get("/ready", responses=may_answer(503))
async def ready(assistant: TheAssistant) -> Health:
    """Turns can be answered: the databases of documents and of conversations can be read."""
    try:
        await assistant.starters()
        await assistant.conversations("", limit=1)
    except Exception as error:  # whatever it is, this process must get no traffic; the log has the reason
        log.exception("not ready")
        raise ProblemError(503, "Not ready: a database cannot be read; the server's log has the reason.") from error
    return Health(status="ready")
