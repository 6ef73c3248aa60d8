"""How good probabilities are: in what order they put the cases, what they cost, and whether they are what happens."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 10
TINY = 1e-6


def auroc(labels: Floats, probabilities: Floats) -> float | None:
    """The chance that a positive case ranks above a negative one, ties counted half; None when one kind is missing."""
    positive = labels > 0.5
    count = int(positive.sum())
    if count in (0, len(labels)):
        return None
    _, kind, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[kind]
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(labels) - count)))


def log_loss(labels: Floats, probabilities: Floats) -> float:
    """The mean surprise in nats; probabilities of 0 and 1 count as one in a million."""
    p = np.clip(probabilities, TINY, 1 - TINY)
    return float(-np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p)))


def calibration_error(labels: Floats, probabilities: Floats, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal mass: how far the rates are from what was said, on average."""
    return sum(
        weight * abs(happened - said) for said, happened, weight in calibration_bins(labels, probabilities, bins)
    )


def calibration_bins(labels: Floats, probabilities: Floats, bins: int = BINS) -> list[tuple[float, float, float]]:
    """(mean probability, rate, share of the cases) of each bin of equal mass, the least probable first."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [(float(probabilities[part].mean()), float(labels[part].mean()), len(part) / len(labels)) for part in parts]


def logit(probabilities: Floats) -> Floats:
    """Log-odds, bounded as in `log_loss`."""
    p = np.clip(probabilities, TINY, 1 - TINY)
    return np.asarray(np.log(p / (1 - p)))


def logistic(scores: Floats) -> Floats:
    """Probabilities of log-odds, without overflow."""
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -35, 35))))
