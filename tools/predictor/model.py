"""What is foreseen of a user, as values."""

import math
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from tools.predictor.errors import RungFailed
from tools.predictor.features import Features
from tools.predictor.history import History

ENGAGEMENT = "engagement_score"
RISK = "resolution_risk"
HEADS = (ENGAGEMENT, RISK)
Source = Literal["prior", "local", "kumo"]


@dataclass(frozen=True, slots=True)
class Head:
    """A calibrated probability, and the interval (95 %) in which cases like this one have been seen to lie."""

    probability: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Of the interval, from 0 to 1."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Asked:
    """A user at a moment, as the rungs see them. `at` is in seconds since 1970."""

    history: History
    features: Features
    at: float

    @property
    def user_id(self) -> str:
        """Whose history it is."""
        return self.history.user_id


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a rung says of one user.

    Attributes:
        heads: By name; a rung need not know all of them.
        next_topics: (topic, probability), the most probable first.
        next_items: Ids of items, where the rung ranks them.
        age: Seconds since it was computed.
    """

    source: Source
    version: str
    heads: Mapping[str, Head]
    next_topics: Sequence[tuple[str, float]] = ()
    next_items: Sequence[str] = ()
    age: float = 0.0
    notes: Sequence[str] = field(default=())


class Rung(Protocol):
    """One way to foresee. `predict` answers in the order of `asked`, or raises RungFailed."""

    source: Source

    def predict(self, asked: Sequence[Asked]) -> Coroutine[Any, Any, list[Foreseen]]: ...


def checked(found: Sequence[Foreseen], asked: Sequence[Asked]) -> list[Foreseen]:
    """The predictions, if they are any: as many as were asked for, and probabilities. Raises RungFailed."""
    if len(found) != len(asked):
        raise RungFailed(f"expected {len(asked)} predictions, got {len(found)}")
    for one in found:
        if not one.heads:
            raise RungFailed("expected a probability, got none")
        for name, head in one.heads.items():
            _check(name, head)
    return list(found)


def _check(name: str, head: Head) -> None:
    values = (head.low, head.probability, head.high)
    if not all(isinstance(value, float | int) and math.isfinite(value) and 0 <= value <= 1 for value in values):
        raise RungFailed(f"expected {name} between 0 and 1, got {head.probability!r} in {head.low!r} to {head.high!r}")
    if not head.low <= head.probability <= head.high:
        raise RungFailed(f"expected {name} inside its interval, got {head.probability} in {head.low} to {head.high}")


def wilson(rate: float, cases: float) -> tuple[float, float]:
    """The 95 % interval of a rate seen in so many cases (E. Wilson 1927)."""
    if cases <= 0:
        return 0.0, 1.0
    z = 1.96
    middle = (rate + z * z / (2 * cases)) / (1 + z * z / cases)
    half = z / (1 + z * z / cases) * math.sqrt(rate * (1 - rate) / cases + z * z / (4 * cases * cases))
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))
