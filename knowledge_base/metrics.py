"""Measures of rankings and of probabilities, each from its definition.

Sources: nDCG: Järvelin & Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002), with the gain itself
over log2(rank + 1), as BEIR and trec_eval compute it. AUROC: the Mann-Whitney statistic, ties counting half.
Calibration error: Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning" (2015), with bins of
equal mass.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import groupby


def ndcg(ranked: Sequence[str], relevant: Mapping[str, float], depth: int) -> float:
    """Normalised discounted cumulative gain of the first `depth` ids, 0..1; 0 when nothing is relevant."""
    ideal = _discounted(sorted(relevant.values(), reverse=True)[:depth])
    return _discounted([relevant.get(id, 0.0) for id in ranked[:depth]]) / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Mapping[str, float], depth: int) -> float:
    """The share of the relevant ids that are among the first `depth`."""
    wanted = {id for id, gain in relevant.items() if gain > 0}
    return len(wanted.intersection(ranked[:depth])) / len(wanted) if wanted else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, float]) -> float:
    """1 / the rank of the first relevant id; 0 when there is none."""
    return next((1 / rank for rank, id in enumerate(ranked, 1) if relevant.get(id, 0.0) > 0), 0.0)


def auroc(scores: Sequence[float], labels: Sequence[bool]) -> float | None:
    """The probability that a positive scores above a negative; None where one of the two is missing."""
    positives = sum(labels)
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    rank_sum, below = 0.0, 0
    for _, group in groupby(sorted(zip(scores, labels, strict=True)), key=lambda pair: pair[0]):
        tied = [label for _, label in group]
        rank_sum += sum(tied) * (below + (len(tied) + 1) / 2)
        below += len(tied)
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def calibration_error(probabilities: Sequence[float], labels: Sequence[bool], bins: int = 10) -> float:
    """The mean distance between probability and frequency in bins of equal mass, weighted by their size."""
    pairs = sorted(zip(probabilities, labels, strict=True), key=lambda pair: pair[0])
    error = 0.0
    for number in range(bins):
        some = pairs[number * len(pairs) // bins : (number + 1) * len(pairs) // bins]
        error += abs(sum(probability for probability, _ in some) - sum(label for _, label in some))
    return error / len(pairs) if pairs else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
