"""Learns the local model from the log, and decides whether the new one may serve.

Cases are ordered by time. A candidate learns from the earlier ones and is judged on the later ones, which neither it
nor the serving model has seen. It replaces what serves (the model, or the counts before there is one) only when it
says more about them; then it learns from all cases. Where the world has changed, a candidate of recent cases wins.
"""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.predictor.columns import Cell
from tools.predictor.errors import TableInvalid
from tools.predictor.features import ASKED, DAY, Asking, Features, features, frame
from tools.predictor.history import History
from tools.predictor.learner import FEWEST, fit, fit_and_hold
from tools.predictor.local import HeadModel, LocalModel
from tools.predictor.metrics import auroc, calibration_error, log_loss
from tools.predictor.model import ENGAGEMENT, HEADS, RISK
from tools.predictor.outcomes import at_risk, engaged
from tools.predictor.prior import PriorModel
from tools.predictor.topics import TopicModel

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]

LATER = 0.2
"""The share of the cases, the latest, on which a candidate is judged."""
FEWEST_LATER = 60
RECENT = 60 * DAY
"""What counts as recent where the world has changed, in seconds."""
MOST = 40_000
"""Cases that a training looks at, the newest: more take longer than they teach."""


@dataclass(frozen=True, slots=True)
class Case:
    """A moment of a user with what came of it; an outcome that is still open is None."""

    user_id: str
    at: float
    features: Features
    outcomes: Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a training found for one head; losses are those on later cases, in nats, None where there is none."""

    head: str
    cases: int
    later: int
    candidate: float | None
    serving: float | None
    accepted: bool
    because: str
    figures: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model to serve if any candidate was better (heads that were not keep their old model), and why."""

    model: LocalModel | None
    prior: PriorModel
    topics: TopicModel
    verdicts: tuple[Verdict, ...]


def cases_of(history: History, now: float) -> list[Case]:
    """One case for each question of this user, as it stood then."""
    return [
        Case(
            history.user_id,
            event.at,
            features(history, asking, before=before),
            _outcomes(history, asking, now, event.key),
        )
        for before, event in enumerate(history.events)
        if event.type == ASKED
        for asking in (Asking.event(event),)
    ]


def _outcomes(history: History, asking: Asking, now: float, key: str) -> dict[str, float | None]:
    found = {ENGAGEMENT: engaged(history, asking, now), RISK: at_risk(history, asking, now, key=key)}
    return {head: None if outcome is None else float(outcome) for head, outcome in found.items()}


def train(
    histories: Iterable[History],
    now: float,
    serving: LocalModel | None,
    *,
    fewest: int,
    taxonomy: Sequence[str] = (),
    drifted: bool = False,
) -> Trained:
    """Learn from these histories; takes seconds of CPU time.

    Args:
        now: Seconds since 1970; outcomes later than that are not known.
        serving: What the candidates must beat.
        fewest: Cases with an outcome that a head needs.
        drifted: The world has changed: candidates are judged on the latest of the recent cases only.
    """
    known = list(histories)
    cases = sorted((case for history in known for case in cases_of(history, now)), key=lambda case: case.at)[-MOST:]
    prior = PriorModel.learn((case.features, case.outcomes) for case in cases)
    topics = TopicModel.learn(known, taxonomy)
    heads, verdicts = dict(serving.heads) if serving else {}, []
    for head in HEADS:
        learned, verdict = _head(head, cases, serving, fewest, drifted=drifted)
        verdicts.append(verdict)
        if learned is not None:
            heads[head] = learned
    if not any(verdict.accepted for verdict in verdicts):
        return Trained(None, prior, topics, tuple(verdicts))
    version = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    model = LocalModel(version, heads, topics, cases[-1].at, typical(case.features for case in cases))
    return Trained(model, prior, topics, tuple(verdicts))


def _head(
    head: str, cases: Sequence[Case], serving: LocalModel | None, fewest: int, *, drifted: bool
) -> tuple[HeadModel | None, Verdict]:
    settled = [case for case in cases if case.outcomes[head] is not None]
    earlier, later = _split(settled, serving.trained_until if serving else -math.inf, drifted=drifted)
    if refusal := _too_few(earlier, later, head, fewest):
        return None, Verdict(head, len(settled), len(later), None, None, accepted=False, because=refusal, figures={})
    truth = labels(later, head)
    said = {name: _said(rows, later, head) for name, rows in _candidates(earlier, head).items()}
    chosen = min(said, key=lambda name: log_loss(truth, said[name]))
    best, old = log_loss(truth, said[chosen]), log_loss(truth, _serving_says(serving, earlier, later, head))
    figures = _figures(truth, said[chosen]) | {"learned from": chosen, "cases": len(settled)}
    if best >= old:
        because = f"on later cases the candidate's log loss is {best:.4f}, what serves has {old:.4f}"
        return None, Verdict(
            head, len(settled), len(later), best, old, accepted=False, because=because, figures=figures
        )
    rows = settled if chosen == "all cases" else [case for case in settled if case.at >= settled[-1].at - RECENT]
    classifier, held = fit_and_hold(_frame(rows), labels(rows, head), groups=[case.user_id for case in rows])
    because = f"better on later cases: log loss {best:.4f} instead of {old:.4f}"
    verdict = Verdict(head, len(settled), len(later), best, old, accepted=True, because=because, figures=figures)
    return HeadModel.of(classifier, held, figures), verdict


def _split(settled: Sequence[Case], trained_until: float, *, drifted: bool) -> tuple[Sequence[Case], Sequence[Case]]:
    of = sum(case.at >= settled[-1].at - RECENT for case in settled) if drifted else len(settled)
    at = len(settled) - int(of * LATER)
    while at < len(settled) and settled[at].at <= trained_until:
        at += 1
    return settled[:at], settled[at:]


def _too_few(earlier: Sequence[Case], later: Sequence[Case], head: str, fewest: int) -> str:
    if len(earlier) + len(later) < fewest:
        return f"{fewest} cases with an outcome are needed, {len(earlier) + len(later)} are there"
    if len(later) < FEWEST_LATER:
        return f"{FEWEST_LATER} later cases are needed to judge a candidate, {len(later)} are there"
    for of, name in ((earlier, "earlier"), (later, "later")):
        positive = sum(case.outcomes[head] or 0 for case in of)
        if min(positive, len(of) - positive) < (FEWEST if of is earlier else 1):
            return f"the {name} cases nearly all have the same outcome"
    return ""


def _candidates(earlier: Sequence[Case], head: str) -> dict[str, Sequence[Case]]:
    recent = [case for case in earlier if case.at >= earlier[-1].at - RECENT]
    positive = labels(recent, head).sum()
    enough = min(positive, len(recent) - positive) >= 3 * FEWEST and len(recent) < 0.8 * len(earlier)
    return {"all cases": earlier} | ({"recent cases": recent} if enough else {})


def _said(rows: Sequence[Case], later: Sequence[Case], head: str) -> Floats:
    try:
        model = fit(_frame(rows), labels(rows, head), groups=[case.user_id for case in rows])
    except TableInvalid as error:
        log.warning("no candidate for %s: %s", head, error)
        return np.full(len(later), float(labels(rows, head).mean()))
    return model.predict(_frame(later, like=rows))


def _serving_says(serving: LocalModel | None, earlier: Sequence[Case], later: Sequence[Case], head: str) -> Floats:
    if serving is not None and head in serving.heads:
        return serving.probabilities([case.features for case in later])[head]
    prior = PriorModel.learn((case.features, case.outcomes) for case in earlier)
    return np.array([prior.heads(case.features)[head].probability for case in later])


def _figures(truth: Floats, said: Floats) -> dict[str, Any]:
    return {
        "auroc": auroc(truth, said),
        "log_loss": log_loss(truth, said),
        "calibration_error": calibration_error(truth, said),
        "later cases": len(truth),
    }


def _frame(cases: Sequence[Case], like: Sequence[Case] = ()) -> dict[str, list[Cell]]:
    columns = frame([case.features for case in cases])
    for name in {name for case in like for name in case.features} - columns.keys():
        columns[name] = [None] * len(cases)
    return columns


def labels(cases: Sequence[Case], head: str) -> Floats:
    """The outcomes of settled cases, 0 and 1."""
    return np.array([case.outcomes[head] for case in cases], dtype=np.float64)


def typical(rows: Iterable[Features]) -> dict[str, Cell]:
    """The middle of each feature of numbers, and the most common value of the others."""
    return {name: _middle(cells) for name, cells in frame(list(rows)).items()}


def _middle(cells: Sequence[Cell]) -> Cell:
    present = [cell for cell in cells if cell is not None and cell == cell]
    if not present:
        return None
    if all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in present):
        return float(median(float(cell) for cell in present))
    return max(sorted(set(present), key=str), key=present.count)
