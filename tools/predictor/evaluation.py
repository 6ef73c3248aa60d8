"""Measures the local model's own pipeline on any table: out of fold, beside a logistic regression."""

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.predictor.columns import Frame, labels, read_csv
from tools.predictor.encoding import Encoder
from tools.predictor.errors import TableInvalid
from tools.predictor.learner import FEWEST, divisions_of, fit
from tools.predictor.metrics import auroc, calibration_error, log_loss

Floats = NDArray[np.float64]
Advance = Callable[[int, int, str], None]

FOLDS = 5
SEED = 7


@dataclass(frozen=True, slots=True)
class Figures:
    """AUROC, log loss (nats) and expected calibration error (10 bins of equal mass) of out-of-fold probabilities."""

    auroc: float
    log_loss: float
    calibration_error: float

    def as_json(self) -> dict[str, float]:
        """By the names that a report shows."""
        return {"auroc": self.auroc, "log_loss": self.log_loss, "calibration_error": self.calibration_error}


def figures(truth: Floats, said: Floats) -> Figures:
    """The three figures; both labels must occur."""
    return Figures(auroc(truth, said) or 0.0, log_loss(truth, said), calibration_error(truth, said))


@dataclass(frozen=True, slots=True)
class PredictionReport:
    """How well the target of a table is predicted, and what each of its columns was taken for."""

    rows: int
    left_out: int
    target: str
    positive: str
    rate: float
    local: Figures
    logistic: Figures
    seconds_per_fit: float
    columns: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Only what JSON knows."""
        return {
            "rows": self.rows,
            "rows without a target": self.left_out,
            "target": self.target,
            "positive": self.positive,
            "positive rate": self.rate,
            "folds": FOLDS,
            "seconds per fit": round(self.seconds_per_fit, 2),
            "columns": ", ".join(f"{name} ({kind})" for name, kind in self.columns.items()),
            **self.local.as_json(),
            "models": {"local model": self.local.as_json(), "logistic regression": self.logistic.as_json()},
        }


def evaluate_predictions(
    data: Path,
    target: str,
    *,
    drop: Sequence[str] = (),
    predictions: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda *_: None,
) -> PredictionReport:
    """Five stratified folds, seeded; everything is learned inside each fold.

    Args:
        data: A table with a header.
        target: The column to predict; it must have two values. Rows without it are left out.
        drop: Columns that the models may not see.
        predictions: Receives `row,label,probability`; rows count from 0, the label is 1 for the positive value.
        progress: Told (folds done, folds, what is at work).

    Raises:
        TableInvalid: what to change is in the message.
    """
    frame, truth, rows, positive, left_out = _read(data, target, drop)
    local, linear = np.empty(len(truth)), np.empty(len(truth))
    seconds = 0.0
    for number, held in enumerate(divisions_of(truth, FOLDS, SEED)):
        progress(number, FOLDS, f"fold {number + 1}")
        train = np.setdiff1d(np.arange(len(truth)), held)
        begun = time.perf_counter()
        model = fit(rows_of(frame, train), truth[train], seed=number)
        seconds += time.perf_counter() - begun
        local[held] = model.predict(rows_of(frame, held))
        linear[held] = _logistic(rows_of(frame, train), truth[train], rows_of(frame, held))
    if predictions is not None:
        _write(predictions, rows, truth, local)
    return PredictionReport(
        rows=len(truth),
        left_out=left_out,
        target=target,
        positive=positive,
        rate=float(truth.mean()),
        local=figures(truth, local),
        logistic=figures(truth, linear),
        seconds_per_fit=seconds / FOLDS,
        columns={column.name: column.kind for column in Encoder.of(frame).columns},
    )


def _read(data: Path, target: str, drop: Sequence[str]) -> tuple[Frame, Floats, Floats, str, int]:
    columns = read_csv(data)
    drop = _names(drop, columns)
    for name in (target, *drop):
        if name not in columns:
            raise TableInvalid(f"{data} has no column {name!r}; it has {', '.join(columns)}")
    if target in drop:
        raise TableInvalid(f"The target {target!r} cannot be dropped")
    found, positive = labels(target, columns[target])
    truth = np.array(found)
    rows = np.flatnonzero(~np.isnan(truth))
    frame = {name: cells for name, cells in columns.items() if name != target and name not in drop}
    _check(truth[rows])
    return rows_of(frame, rows), truth[rows], rows.astype(np.float64), positive, len(truth) - len(rows)


def _names(drop: Sequence[str], columns: Frame) -> list[str]:
    """'a,b' stands for two columns, unless one column is called so."""
    return [one.strip() for name in drop for one in ([name] if name in columns else name.split(",")) if one.strip()]


def _check(truth: Floats) -> None:
    fewest = int(min(truth.sum(), len(truth) - truth.sum()))
    needed = FEWEST * FOLDS // (FOLDS - 1) + 2
    if fewest < needed:
        raise TableInvalid(f"Expected at least {needed} rows of each label for {FOLDS} folds, got {fewest} of one")


def rows_of(frame: Frame, rows: NDArray[np.int64]) -> Frame:
    """Some rows of a frame."""
    chosen = rows.tolist()
    return {name: [cells[row] for row in chosen] for name, cells in frame.items()}


def _logistic(train: Frame, truth: Floats, held: Frame) -> Floats:
    """A plain logistic regression: medians for missing numbers, standardised, one column for each category."""
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    encoder = Encoder.of(train)
    names, codes = encoder.names, len(encoder.codes)
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    prepare = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), list(range(codes)) + list(range(len(names), _width(encoder)))),
        (numbers, list(range(codes, len(names)))),
    )
    model = make_pipeline(prepare, LogisticRegression(max_iter=2000))
    model.fit(_matrix(encoder, train), truth)
    return np.asarray(model.predict_proba(_matrix(encoder, held))[:, 1])


def _width(encoder: Encoder) -> int:
    return len(encoder.names) + len(encoder.rated)


def _matrix(encoder: Encoder, frame: Frame) -> Floats:
    return np.hstack([encoder.encode(frame), encoder.rated_codes(frame)])


def _write(path: Path, rows: Floats, truth: Floats, said: Floats) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(("row", "label", "probability"))
        lines.writerows((int(row), int(label), f"{p:.6f}") for row, label, p in zip(rows, truth, said, strict=True))
