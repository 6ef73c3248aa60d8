"""A circuit breaker: a model that is down is skipped for a while, so that each turn does not wait for it again."""

import time
from collections import deque
from collections.abc import Callable


class CircuitBreaker:
    """Closed: calls pass. Open after `failures` in a row within `window` seconds: none passes for `cooldown` seconds.
    Half open after that: one probe passes, and closes or opens it again. (M. Nygard, Release It!, "Circuit Breaker".)

    Every call that `admit` lets through must end in `succeeded`, `failed` or `dropped`.
    """

    def __init__(
        self,
        *,
        failures: int,
        cooldown: float,
        window: float = 600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures: deque[float] = deque(maxlen=failures)
        self._cooldown = cooldown
        self._window = window
        self._clock = clock
        self._opens_again: float | None = None
        self._probing = False

    def admit(self) -> bool:
        """Whether a call may be made now. An admitted call of an open circuit is its probe."""
        if self._opens_again is None:
            return True
        if self._probing or self._clock() < self._opens_again:
            return False
        self._probing = True
        return True

    @property
    def retry_in(self) -> float:
        """Seconds until a probe may pass; 0 when one may now, or is on its way."""
        return max(0.0, self._opens_again - self._clock()) if self._opens_again is not None else 0.0

    def succeeded(self) -> None:
        """The call was answered: the circuit closes and forgets earlier failures."""
        self._failures.clear()
        self._opens_again = None
        self._probing = False

    def failed(self) -> None:
        """The call failed in a way that says something about the next one."""
        now = self._clock()
        self._failures.append(now)
        in_a_row = len(self._failures) == self._failures.maxlen and now - self._failures[0] <= self._window
        if self._probing or in_a_row:
            self._opens_again = now + self._cooldown
        self._probing = False

    def dropped(self) -> None:
        """The call says nothing about the next one: its caller left before an answer, or its request was at fault."""
        self._probing = False
