"""How good the predictions were: calibration, order and lift, by rung and by week."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.predictor.drift import drift
from tools.predictor.log import Outcome
from tools.predictor.metrics import auroc, calibration_bins, calibration_error, log_loss

TOP = 0.2


@dataclass(frozen=True, slots=True)
class Line:
    """One head of one rung in one week ('2026-W47'), or in all of them ('all').

    Attributes:
        lift: How many times the rate of all have those that were said to be the likeliest fifth.
        bins: (said, happened, share), the points of a calibration plot.
    """

    head: str
    source: str
    week: str
    cases: int
    rate: float
    said: float
    auroc: float | None
    log_loss: float
    calibration_error: float
    lift: float | None
    drift: bool
    bins: tuple[tuple[float, float, float], ...]

    def as_json(self) -> dict[str, Any]:
        """Only what JSON knows."""
        return asdict(self)


def report(outcomes: Iterable[Outcome]) -> list[Line]:
    """A line for each head and rung, in all and by week."""
    known = list(outcomes)
    weekly = _grouped([(one.head, one.source, _week(one), one) for one in known])
    whole = _grouped([(one.head, one.source, "all", one) for one in known])
    return sorted([*whole, *weekly], key=lambda line: (line.head, line.source, line.week != "all", line.week))


def _week(one: Outcome) -> str:
    year, week, _ = one.at.isocalendar()
    return f"{year}-W{week:02}"


def _grouped(keyed: Sequence[tuple[str, str, str, Outcome]]) -> list[Line]:
    ordered = sorted(keyed, key=lambda one: one[:3])
    return [
        _line(head, source, week, [one[3] for one in group])
        for (head, source, week), group in groupby(ordered, key=lambda one: one[:3])
    ]


def _line(head: str, source: str, week: str, of: Sequence[Outcome]) -> Line:
    truth = np.array([float(one.happened) for one in of])
    said = np.array([one.probability for one in of])
    return Line(
        head=head,
        source=source,
        week=week,
        cases=len(of),
        rate=float(truth.mean()),
        said=float(said.mean()),
        auroc=auroc(truth, said),
        log_loss=log_loss(truth, said),
        calibration_error=calibration_error(truth, said),
        lift=lift(truth, said),
        drift=drift(truth, said).noticed,
        bins=tuple(calibration_bins(truth, said)),
    )


def lift(truth: NDArray[np.float64], said: NDArray[np.float64], top: float = TOP) -> float | None:
    """The rate among the likeliest cases over the rate of all; None where nothing happened."""
    count = max(1, round(len(truth) * top))
    best = np.argsort(-said, kind="stable")[:count]
    return float(truth[best].mean() / truth.mean()) if truth.any() else None
