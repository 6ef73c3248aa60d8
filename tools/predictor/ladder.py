"""Asks the rungs, the best first, within one deadline; what fails is skipped, and left alone for a while if it goes on.

The caller gets the first prediction that holds, or None: it never waits longer than the deadline and never sees an
error of a rung. Why a rung was passed over is in the log and in the notes of the prediction.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from knowledge_base.errors import AttuneError
from tools.breaker import CircuitBreaker
from tools.predictor.errors import NotReady
from tools.predictor.model import Asked, Foreseen, Rung, checked
from tools.sparing_log import SparingLog

log = logging.getLogger(__name__)

DEADLINE = 0.150
FAILURES = 3
COOLDOWN = 30.0


@dataclass(frozen=True, slots=True)
class _Step:
    rung: Rung
    breaker: CircuitBreaker


class Ladder:
    """Rungs with a breaker each.

    Args:
        rungs: The best first.
        deadline: Seconds for all rungs together in a turn.
        failures: Failures in a row after which a rung is left alone, for `cooldown` seconds.
        lacking: Told of rungs that came too late, as overload makes them.
    """

    def __init__(
        self,
        rungs: Sequence[Rung],
        *,
        deadline: float = DEADLINE,
        failures: int = FAILURES,
        cooldown: float = COOLDOWN,
        lacking: SparingLog | None = None,
    ) -> None:
        self._deadline = deadline
        self._lacking = lacking or SparingLog()
        self._steps = [_Step(rung, CircuitBreaker(failures=failures, cooldown=cooldown)) for rung in rungs]

    async def predict(self, asked: Sequence[Asked], *, deadline: float | None = None) -> list[Foreseen] | None:
        """One prediction for each, of the best rung that answers in time; None when none does.

        A quarter of the time is kept for the last rung, which only counts, whatever the others took.
        """
        seconds = self._deadline if deadline is None else deadline
        loop = asyncio.get_running_loop()
        ends, notes = loop.time() + seconds, list[str]()
        for step in self._steps:
            left = ends - loop.time() - seconds / 4 if step is not self._steps[-1] else seconds / 4
            found = await self._ask(step, asked, left, notes)
            if found is not None:
                return [replace(one, notes=(*one.notes, *notes)) for one in found] if notes else found
        return None

    async def _ask(
        self, step: _Step, asked: Sequence[Asked], seconds: float, notes: list[str]
    ) -> list[Foreseen] | None:
        if seconds <= 0:
            notes.append(f"{step.rung.source}: no time was left")
            return None
        if not step.breaker.admit():
            notes.append(f"{step.rung.source}: left alone after failures")
            return None
        try:
            found = checked(await _within(seconds, step.rung.predict(asked)), asked)
        except asyncio.CancelledError:
            step.breaker.dropped()
            raise
        except NotReady as error:
            step.breaker.dropped()
            notes.append(f"{step.rung.source}: {error}")
        except AttuneError as error:
            log.warning("the %s predictor was passed over: %s", step.rung.source, error)
            _failed(step, notes, str(error))
        except TimeoutError:
            self._lacking.warn(f"the {step.rung.source} predictor was passed over: no answer in time")
            _failed(step, notes, f"no answer within {seconds * 1000:.0f} ms")
        except Exception as error:
            log.warning("the %s predictor was passed over", step.rung.source, exc_info=error)
            _failed(step, notes, f"{type(error).__name__}: {error}")
        else:
            step.breaker.succeeded()
            return found
        return None


def _failed(step: _Step, notes: list[str], why: str) -> None:
    step.breaker.failed()
    notes.append(f"{step.rung.source}: {why}")


async def _within(seconds: float, work: Coroutine[Any, Any, list[Foreseen]]) -> list[Foreseen]:
    """Unlike `asyncio.wait_for` this does not wait for late work to let itself be cancelled."""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            raise TimeoutError
        return task.result()
    finally:
        task.cancel()
