"""The connections of a process to its database: so many and no more, and a plain error where none can be had."""

import logging
from typing import Any

from sqlalchemy.exc import TimeoutError as NoneFree
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from knowledge_base.errors import AttuneError

log = logging.getLogger(__name__)

CONNECTIONS = 15
"""The most that are open at once."""
KEPT_OPEN = 5
"""How many of them stay open while they are idle."""
WAIT = 30.0
"""Seconds that a query waits for a connection."""


class DatabaseBusy(AttuneError):
    """Every connection to the database was in use for as long as a query waits; the message is fit for a user."""

    retry_after = 5
    """Seconds after which it is worth trying again."""


class DatabaseAway(DatabaseBusy):
    """The database takes no connection: it is being restarted, cannot be reached, or lets nobody more in. The log says
    which; the message is fit for a user."""


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, whose errors, where there is no connection, doorways can tell their users about."""

    def connect(self) -> PoolProxiedConnection:
        """A connection. Raises DatabaseBusy."""
        try:
            return super().connect()
        except NoneFree as error:
            raise DatabaseBusy("Too much is being asked at this moment. Please try again in a few seconds.") from error
        except self._driver.OperationalError as error:
            log.error("the database takes no connection: %s", error)  # noqa: TRY400 - the driver's trace says no more
            raise DatabaseAway("The database cannot be reached. Please try again in a few seconds.") from error

    @property
    def _driver(self) -> Any:
        dialect: Any = self._dialect
        return dialect.loaded_dbapi


# SQLAlchemy names a pool's logger after its class, and this one would tell as much as our own modules do.
logging.getLogger(f"{Pool.__module__}.{Pool.__qualname__}").setLevel(logging.WARNING)


def pool_of(connections: int, wait: float) -> dict[str, Any]:
    """What SQLAlchemy is told for at most this many connections, and this many seconds of waiting for one."""
    kept = min(connections, KEPT_OPEN)
    return {"poolclass": Pool, "pool_size": kept, "max_overflow": connections - kept, "pool_timeout": wait}
