"""Warnings that an overload would repeat with every turn: one line a minute, with counts."""

import asyncio
import logging
from collections import Counter

log = logging.getLogger(__name__)

EVERY = 60.0


class SparingLog:
    """Writes the first warning at once and counts those that come within `every` seconds of a line, of all kinds."""

    def __init__(self, *, every: float = EVERY) -> None:
        self._every = every
        self._counted: Counter[str] = Counter()
        self._waiting = False

    def warn(self, what: str, error: BaseException | None = None) -> None:
        """Log this, or count it; needs a running loop. Only a line of its own has the error's trace."""
        line = f"{what} ({type(error).__name__})" if error else what
        if self._waiting:
            self._counted[line] += 1
            return
        log.warning("%s", line, exc_info=error)
        self._wait()

    def _wait(self) -> None:
        self._waiting = True
        asyncio.get_running_loop().call_later(self._every, self._tell)

    def _tell(self) -> None:
        self._waiting = False
        if not self._counted:
            return
        counts = "; ".join(f"{count} times {line}" for line, count in self._counted.most_common())
        log.warning("in the last %g seconds: %s", self._every, counts)
        self._counted.clear()
        self._wait()
