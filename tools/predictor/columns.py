"""Reads a table whose columns nobody described: what each of them is follows from its values.

A cell is text, a number, a truth value or nothing. Kinds: `number`, `code` (whole numbers of few kinds, which may be
quantities or names), `boolean`, `category`, `words` (categories of many levels), `date`, `text` (only its length
counts), and `ignored` (identifiers and constants, which teach nothing about other rows).
"""

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from tools.predictor.errors import TableInvalid

Cell = str | float | int | bool | None
Frame = Mapping[str, Sequence[Cell]]
Kind = Literal["number", "code", "boolean", "category", "words", "date", "text", "ignored"]

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "nat", "missing"})
TRUE = frozenset({"true", "yes", "y", "t", "on"})
FALSE = frozenset({"false", "no", "n", "f", "off"})
POSITIVE = TRUE | {"1", "1.0", "positive", "pos", "+", "success", "churned", "churn", "default", "bad", "fraud"}

CODES = 24
"""Whole numbers of at most so many kinds may be names of things (a region) as well as quantities."""
LEVELS = 24
"""Categories of more levels are turned into the rates of their levels instead of being split by set."""
MAX_LEVELS = 200
"""Levels beyond these, the rarest, count as one."""
ALMOST_ALL = 0.95
TEXT_CHARS = 40
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%Y%m%d")
_ID_NAME = re.compile(r"(?:^|[_\W])(?:id|uuid|guid|key|index|row|unnamed.*)$|Id$|ID$", re.IGNORECASE)
_DATE_SHAPE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|^\d{8}$")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as it was when the model was fitted; `levels` are its known categories, `form` how its dates look."""

    name: str
    kind: Kind
    levels: tuple[str, ...] = ()
    form: str = ""

    def as_json(self) -> dict[str, Any]:
        """As a stored model keeps it."""
        return {"name": self.name, "kind": self.kind, "levels": list(self.levels), "form": self.form}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Column":
        """The column that `as_json` wrote."""
        return cls(value["name"], value["kind"], tuple(value["levels"]), value["form"])


def read_csv(path: Path) -> dict[str, list[Cell]]:
    """The columns of a file with a header; its separator is found out. Raises TableInvalid."""
    header, rows = read_rows(path)
    for line, row in rows:
        if len(row) != len(header):
            raise TableInvalid(f"{path}, line {line}: expected {len(header)} values, got {len(row)}")
    return columns_of(header, [row for _, row in rows])


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The column names, and each row with the line that it ends on, whatever its length. Raises TableInvalid."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            content = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise TableInvalid(f"{path} cannot be read as UTF-8 text: {error}") from error
    reader = csv.reader(StringIO(content, newline=""), delimiter=_separator(content.partition("\n")[0]))
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise TableInvalid(f"{path}, line {reader.line_num}: {error}") from error
    if len(rows) < 2:
        raise TableInvalid(f"{path}: expected a line of column names and rows below it, got {len(rows)} lines")
    header = [name.strip() for name in rows[0][1]]
    if double := [name for name, count in Counter(header).items() if count > 1]:
        raise TableInvalid(f"{path}: the column {double[0]!r} stands there twice; rename one of them")
    return header, rows[1:]


def columns_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, list[Cell]]:
    """The cells of each column, of rows that all have as many values as there are names."""
    return {name: [cell_of(row[place]) for row in rows] for place, name in enumerate(header)}


def _separator(header: str) -> str:
    return max(",;\t|", key=header.count)


def cell_of(value: str) -> Cell:
    """The text of a cell; None where it says that nothing is known."""
    return None if value.strip().lower() in MISSING else value.strip()


def is_missing(cell: Cell) -> bool:
    """Whether there is nothing in this cell."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def number(cell: Cell) -> float:
    """The cell as a number; NaN where it is none."""
    if cell is None:
        return math.nan
    try:
        return float(cell)
    except ValueError:
        return _decorated(str(cell))


def _decorated(text: str) -> float:
    """'1,234.5', '$12' and '12%' are numbers too."""
    try:
        return float(text.strip("$€£% ").replace(",", "")) if text[:1] in "$€£-+.0123456789" else math.nan
    except ValueError:
        return math.nan


def level(cell: Cell) -> str | None:
    """The cell as the name of a category: 3, 3.0 and '3' are one; None where it is missing."""
    if cell is None:
        return None
    if isinstance(cell, int) and not isinstance(cell, bool):
        return str(cell)
    if is_missing(cell):
        return None
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    return text[:-2] if text.endswith(".0") and text[:-2].lstrip("-").isdigit() else text


def truth(cell: Cell) -> float:
    """1, 0, or NaN for what is neither."""
    name = (level(cell) or "").lower()
    return 1.0 if name in TRUE or name == "1" else 0.0 if name in FALSE or name == "0" else math.nan


def moment(cell: Cell, form: str) -> datetime | None:
    """The cell as a time in UTC; `form` is 'iso' or a format of strptime."""
    if is_missing(cell):
        return None
    try:
        found = datetime.fromisoformat(str(cell)) if form == "iso" else datetime.strptime(str(cell), form)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def infer(name: str, cells: Sequence[Cell]) -> Column:
    """What this column is, by the values that are there."""
    present = [cell for cell in cells if not is_missing(cell)]
    kinds = Counter(level(cell) or "" for cell in present)
    if len(kinds) < 2 and len(present) in (0, len(cells)):
        return Column(name, "ignored")
    if {kind.lower() for kind in kinds} <= TRUE | FALSE | {"0", "1"}:
        return Column(name, "boolean")
    if form := _date_form(present):
        return Column(name, "date", form=form)
    if sum(not math.isnan(number(cell)) for cell in present) >= ALMOST_ALL * len(present):
        return _numeric(name, present, kinds)
    return _named(name, present, kinds)


def _numeric(name: str, present: Sequence[Cell], kinds: Counter[str]) -> Column:
    values = [number(cell) for cell in present]
    whole = all(value.is_integer() for value in values if not math.isnan(value))
    if whole and len(kinds) == len(present) > CODES and (_ID_NAME.search(name) or _counting(values)):
        return Column(name, "ignored")
    if whole and len(kinds) <= CODES:
        return Column(name, "code", _levels(kinds))
    return Column(name, "number")


def _counting(values: Sequence[float]) -> bool:
    """Numbers that go up by one a row number the rows."""
    return all(later - earlier == 1 for earlier, later in pairwise(values))


def _named(name: str, present: Sequence[Cell], kinds: Counter[str]) -> Column:
    if len(kinds) > ALMOST_ALL * len(present) and len(present) > CODES:
        long = sum(len(str(cell)) for cell in present) / len(present) >= TEXT_CHARS
        return Column(name, "text" if long else "ignored")
    return Column(name, "category" if len(kinds) <= LEVELS else "words", _levels(kinds))


def _levels(kinds: Counter[str]) -> tuple[str, ...]:
    often = [kind for kind, _ in kinds.most_common(MAX_LEVELS)]
    return tuple(sorted(often))


def _date_form(present: Sequence[Cell]) -> str:
    sample = [cell for cell in present[:: max(1, len(present) // 200)] if isinstance(cell, str)]
    if not sample or not all(_DATE_SHAPE.match(cell) for cell in sample):
        return ""
    return next((form for form in ("iso", *_DATES) if all(moment(cell, form) for cell in sample)), "")


def labels(name: str, cells: Sequence[Cell]) -> tuple[list[float], str]:
    """The target as 1, 0 and NaN (missing), and the value that counts as 1. Raises TableInvalid.

    Of two values the one that says yes counts as 1 (true, yes, 1, …), else the greater number, else the rarer one.
    """
    names = [level(cell) for cell in cells]
    kinds = Counter(kind for kind in names if kind is not None)
    if len(kinds) != 2:
        shown = ", ".join(repr(kind) for kind, _ in kinds.most_common(5))
        raise TableInvalid(
            f"The target {name!r} must have two values, such as yes and no; it has {len(kinds)}: {shown}"
        )
    positive = _positive(kinds)
    return [math.nan if kind is None else float(kind == positive) for kind in names], positive


def _positive(kinds: Counter[str]) -> str:
    if len(says_yes := [kind for kind in kinds if kind.lower() in POSITIVE]) == 1:
        return says_yes[0]
    if not any(math.isnan(number(kind)) for kind in kinds):
        return max(kinds, key=number)
    return min(sorted(kinds), key=lambda kind: kinds[kind])
