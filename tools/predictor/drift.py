"""Notices that the world has changed: what happens is no longer what the model says happens."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 100
ALARM = 3.5
"""Standard errors; chance alone goes so far once in four thousand looks."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far outcomes are from what was said, in standard errors.

    Attributes:
        level: More (positive) or fewer outcomes than were said in all.
        surprise: More surprised than a model whose probabilities are right would be.
    """

    cases: int
    level: float
    surprise: float

    @property
    def noticed(self) -> bool:
        """Whether it is more than chance, on enough cases."""
        return self.cases >= FEWEST and (abs(self.level) > ALARM or self.surprise > ALARM)


def drift(truth: Floats, said: Floats) -> Drift:
    """Compare outcomes with what was said of them (a Spiegelhalter test on the log loss, and one on the level)."""
    if not len(truth):
        return Drift(0, 0.0, 0.0)
    p = np.clip(said, 0.01, 0.99)
    spread = p * (1 - p)
    odds = np.log(p / (1 - p))
    level = (truth - p).sum() / np.sqrt(spread.sum())
    surprise = ((p - truth) * odds).sum() / max(np.sqrt((spread * odds**2).sum()), 1e-9)
    return Drift(len(truth), float(level), float(surprise))
