"""Columns of any kind -> one matrix of numbers, and the basis of its linear models.

The matrix has three blocks: categories as codes (split by set), numbers, and the rates of categories of many levels.
The rates are learned from labels, so that they are made per fold and never from a row's own label.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.predictor.columns import Cell, Column, Frame, infer, is_missing, level, moment, number, truth
from tools.predictor.errors import ModelFileInvalid, TableInvalid

Floats = NDArray[np.float64]

SMOOTHING = 20.0
"""Cases of the overall rate that a level starts with (M. Micci-Barreca 2001, a rate for categories of many levels)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Encoder:
    """The columns in use, and how each of them becomes numbers. Unknown levels and missing values are NaN."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, frame: Frame) -> "Encoder":
        """Infer the kinds of these columns. Raises TableInvalid when none of them can teach anything."""
        columns = tuple(column for name in frame if (column := infer(name, frame[name])).kind != "ignored")
        if not columns:
            raise TableInvalid("No column is left to learn from: all are constant, empty or identifiers")
        return cls(columns)

    @property
    def codes(self) -> tuple[Column, ...]:
        """Columns whose first block is categorical."""
        return tuple(column for column in self.columns if column.kind in ("code", "category"))

    @property
    def rated(self) -> tuple[Column, ...]:
        """Columns that are represented by the rates of their levels."""
        return tuple(column for column in self.columns if column.kind == "words")

    @property
    def names(self) -> list[str]:
        """The columns of the matrix, codes first, each by the name of the column it comes from."""
        numbers = [name for column in self.columns for name in _parts(column)]
        return [column.name for column in self.codes] + numbers

    def encode(self, frame: Frame) -> Floats:
        """A matrix of `len(names)` columns. Raises ModelFileInvalid when the frame has other columns."""
        self._check(frame)
        codes = [_codes(column, frame[column.name]) for column in self.codes]
        numbers = [part for column in self.columns for part in _numbers(column, frame[column.name])]
        return np.column_stack([*codes, *numbers]) if codes or numbers else np.empty((_length(frame), 0))

    def rated_codes(self, frame: Frame) -> Floats:
        """The codes of the columns in `rated`, which `rates` turns into rates."""
        codes = [_codes(column, frame[column.name]) for column in self.rated]
        return np.column_stack(codes) if codes else np.empty((_length(frame), 0))

    def _check(self, frame: Frame) -> None:
        if missing := [column.name for column in self.columns if column.name not in frame]:
            raise ModelFileInvalid(f"The model expects the column {missing[0]!r}, which these features do not have")

    def as_json(self) -> list[dict[str, Any]]:
        """As a stored model keeps it."""
        return [column.as_json() for column in self.columns]

    @classmethod
    def from_json(cls, value: Sequence[dict[str, Any]]) -> "Encoder":
        """The encoder that `as_json` wrote."""
        return cls(tuple(Column.from_json(one) for one in value))


def _length(frame: Frame) -> int:
    return len(next(iter(frame.values()), ()))


def _codes(column: Column, cells: Sequence[Cell]) -> Floats:
    known = {name: float(code) for code, name in enumerate(column.levels)}
    return np.array([known.get(level(cell) or "", math.nan) for cell in cells], dtype=np.float64)


def _parts(column: Column) -> list[str]:
    parts = {"date": ("", " (month)", " (weekday)", " (hour)"), "text": (" (length)", " (words)"), "category": ()}
    return [column.name + part for part in parts.get(column.kind, ("",))]


def _numbers(column: Column, cells: Sequence[Cell]) -> Iterator[Floats]:
    match column.kind:
        case "category":
            return
        case "words":  # how common a level is says something too; its rate is added per fold
            known = frozenset(column.levels)
            yield np.array([math.nan if is_missing(cell) else float(level(cell) in known) for cell in cells])
        case "boolean":
            yield np.array([truth(cell) for cell in cells])
        case "date":
            yield from _dates(column, cells)
        case "text":
            yield np.array([math.nan if is_missing(cell) else float(len(str(cell))) for cell in cells])
            yield np.array([math.nan if is_missing(cell) else float(len(str(cell).split())) for cell in cells])
        case _:
            yield _floats(cells)


def _floats(cells: Sequence[Cell]) -> Floats:
    if isinstance(cells, np.ndarray) and cells.dtype == np.float64:
        return cells
    values = np.array([number(cell) for cell in cells], dtype=np.float64)
    values[~np.isfinite(values)] = np.nan
    return values


def _dates(column: Column, cells: Sequence[Cell]) -> Iterator[Floats]:
    times = [moment(cell, column.form) for cell in cells]
    yield np.array([math.nan if time is None else (time - _EPOCH).total_seconds() / 86400 for time in times])
    yield np.array([math.nan if time is None else float(time.month) for time in times])
    yield np.array([math.nan if time is None else float(time.weekday()) for time in times])
    yield np.array([math.nan if time is None else float(time.hour) for time in times])


def rates(codes: Floats, labels: Floats, levels: Sequence[int]) -> list[Floats]:
    """For each column the smoothed rate of each of its levels, and last that of unknown ones."""
    overall = float(labels.mean())
    return [_rates(codes[:, index], labels, count, overall) for index, count in enumerate(levels)]


def _rates(codes: Floats, labels: Floats, levels: int, overall: float) -> Floats:
    known = ~np.isnan(codes)
    at = codes[known].astype(int)
    cases = np.bincount(at, minlength=levels + 1)
    positive = np.bincount(at, weights=labels[known], minlength=levels + 1)
    return np.asarray((positive + SMOOTHING * overall) / (cases + SMOOTHING))


def look_up(codes: Floats, tables: Sequence[Floats]) -> Floats:
    """Codes -> the rates of their levels."""
    at = np.where(np.isnan(codes), -1, codes).astype(int)
    return np.column_stack([table[at[:, index]] for index, table in enumerate(tables)]) if tables else codes


def honest_rates(codes: Floats, labels: Floats, levels: Sequence[int], parts: Sequence[NDArray[np.int64]]) -> Floats:
    """The rates of training rows, each from the labels of the other parts only."""
    found = np.empty_like(codes)
    for part in parts:
        others = np.ones(len(labels), dtype=bool)
        others[part] = False
        found[part] = look_up(codes[part], rates(codes[others], labels[others], levels))
    return found


@dataclass(frozen=True, slots=True)
class Basis:
    """A matrix -> the terms of a linear model: standardised numbers, hinges at quantiles, missing marks, categories.

    Hinges let a straight model bend (piecewise linear splines); long tails are drawn in by a signed logarithm.
    """

    levels: tuple[int, ...]
    mean: Floats
    scale: Floats
    middle: Floats
    knots: Floats
    lowest: Floats
    highest: Floats
    gaps: NDArray[np.bool_]

    @classmethod
    def of(cls, matrix: Floats, levels: Sequence[int]) -> "Basis":
        """Learn places and scales; the first `len(levels)` columns are codes."""
        drawn = _drawn(matrix[:, len(levels) :])
        middle = _quantiles(drawn, (0.5,))[0]
        filled = np.where(np.isnan(drawn), middle, drawn)
        scale = filled.std(axis=0)
        scale[scale < 1e-9] = 1.0
        mean = filled.mean(axis=0)
        standard = (filled - mean) / scale
        knots, (lowest, highest) = _quantiles(standard, (0.25, 0.5, 0.75, 0.9)), _quantiles(standard, (0.002, 0.998))
        return cls(tuple(levels), mean, scale, middle, knots, lowest, highest, np.asarray(np.isnan(drawn).any(axis=0)))

    def terms(self, matrix: Floats) -> Floats:
        """rows × terms."""
        codes, drawn = matrix[:, : len(self.levels)], _drawn(matrix[:, len(self.levels) :])
        absent = np.isnan(drawn)
        values = (np.where(absent, self.middle, drawn) - self.mean) / self.scale
        values = np.clip(values, self.lowest, self.highest)  # a straight line must not run on where nothing was seen
        hinges = [np.maximum(values - knot, 0) for knot in self.knots]
        named = [codes[:, [index]] == np.arange(count) for index, count in enumerate(self.levels)]
        return np.hstack([values, *hinges, absent[:, self.gaps], *named]).astype(np.float64, copy=False)


def _drawn(matrix: Floats) -> Floats:
    return np.asarray(np.sign(matrix) * np.log1p(np.abs(matrix)))


def _quantiles(matrix: Floats, at: Sequence[float]) -> Floats:
    """Quantiles of each column; 0 for a column without any value."""
    empty = np.isnan(matrix).all(axis=0)
    return (
        np.asarray(np.nanquantile(np.where(empty, 0.0, matrix), at, axis=0))
        if matrix.size
        else np.zeros((len(at), matrix.shape[1]))
    )
