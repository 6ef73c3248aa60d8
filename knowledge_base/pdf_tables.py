"""Tables in PDF files: lines whose parts stand one below the other. Nothing in the file says that they are tables."""

import re
from collections.abc import Iterator, Sequence
from statistics import fmean

from knowledge_base.pdf_lines import Cell, Line

_LONGEST = 40  # characters of a usual cell: longer ones are columns of prose
_MARKER = re.compile(r"[^\w\s]|\(?\w{1,3}[.):]")  # before an item of a list
_DIGIT = re.compile(r"\d")

Row = list[str]


def with_tables(lines: Sequence[Line]) -> Iterator[tuple[Sequence[Line], list[Row]]]:
    """The lines in order, in runs: running text with no rows, or a table's lines with its rows, whose first holds the
    names of the columns (empty where the table has none)."""
    prose_from = at = 0
    while at < len(lines):
        rows, count = _table(lines[at:]) if len(lines[at].cells) > 1 else ([], 0)
        if rows:
            if prose_from < at:
                yield lines[prose_from:at], []
            yield lines[at : at + count], rows
            prose_from = at + count
        at += max(1, count)
    if prose_from < len(lines):
        yield lines[prose_from:], []


def as_markdown(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    head, *rest = (f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
    return "\n".join([head, f"|{' --- |' * len(rows[0])}", *rest])


def _table(lines: Sequence[Line]) -> tuple[list[Row], int]:
    """The table that begins with the first line, and how many lines it takes; no rows where none begins there."""
    columns = list(lines[0].cells)
    rows: list[Row] = [[cell.text for cell in columns]]
    count = 1
    for line in lines[1:]:
        if len(line.cells) == len(columns):
            rows.append([cell.text for cell in line.cells])
            columns = [_widened(column, cell) for column, cell in zip(columns, line.cells, strict=True)]
        elif not _continue(rows[-1], line.cells, columns):
            break
        count += 1
    lengths = [len(cell) for row in rows for cell in row if cell]
    if len(rows) < 2 or fmean(lengths) > _LONGEST or all(_MARKER.fullmatch(row[0]) for row in rows):
        return [], 0
    named = lines[0].bold or (
        not _DIGIT.search("".join(rows[0])) and all(_DIGIT.search("".join(row)) for row in rows[1:])
    )
    return (rows if named else [[""] * len(columns), *rows]), count


def _widened(column: Cell, cell: Cell) -> Cell:
    return Cell(column.text, min(column.left, cell.left), max(column.right, cell.right))


def _continue(row: Row, cells: Sequence[Cell], columns: Sequence[Cell]) -> bool:
    """Adds what a line says to the cells above it; False if it does not go on with that row, which is so where it has
    more cells, or begins in the first column."""
    places = [min(range(len(columns)), key=lambda at: _distance(columns[at], cell)) for cell in cells]
    if len(cells) >= len(columns) or 0 in places or len(set(places)) < len(places):
        return False
    if any(_distance(columns[at], cell) for at, cell in zip(places, cells, strict=True)):
        return False
    for at, cell in zip(places, cells, strict=True):
        row[at] = f"{row[at]} {cell.text}".strip()
    return True


def _distance(column: Cell, cell: Cell) -> float:
    """Points between the two, 0 where one is above the other."""
    return max(0.0, column.left - cell.right, cell.left - column.right)
