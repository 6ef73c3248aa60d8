"""Lines whose parts stand one below the other are tables; everything else is not."""

from collections.abc import Sequence

from knowledge_base.pdf_lines import Cell, Line
from knowledge_base.pdf_tables import Row, as_markdown, with_tables

PROSE = "Running text has one cell in a line."


def line(*cells: tuple[str, float], bold: bool = False) -> Line:
    placed = tuple(Cell(text, left, left + 5 * len(text)) for text, left in cells)
    return Line(" ".join(text for text, _ in cells), 10, 0, placed, bold=bold)


def rows(*lines: Line) -> list[list[Row]]:
    return [found for _, found in with_tables(lines)]


def texts(runs: Sequence[tuple[Sequence[Line], list[Row]]]) -> list[list[str]]:
    return [[one.text for one in run] for run, _ in runs]


NAMES = line(("Plan", 50), ("Price", 150), bold=True)
SOLO, TEAM = line(("Solo", 50), ("9 euros", 150)), line(("Team", 50), ("49 euros", 150))


def test_text_around_a_table_keeps_its_place():
    before, after = line((PROSE, 50)), line((f"{PROSE} Again.", 50))
    runs = list(with_tables([before, NAMES, SOLO, after]))
    assert texts(runs) == [[before.text], [NAMES.text, SOLO.text], [after.text]]
    assert [found for _, found in runs] == [[], [["Plan", "Price"], ["Solo", "9 euros"]], []]


def test_the_first_row_names_the_columns_where_it_is_bold_or_the_only_one_without_figures():
    assert rows(NAMES, SOLO, TEAM)[0][0] == ["Plan", "Price"]
    assert rows(line(("Plan", 50), ("Price", 150)), SOLO, TEAM)[0][0] == ["Plan", "Price"]
    assert rows(SOLO, TEAM)[0] == [["", ""], ["Solo", "9 euros"], ["Team", "49 euros"]]


def test_a_cell_of_two_lines_is_one():
    found = rows(NAMES, line(("Team", 50), ("49 euros a", 150)), line(("month", 150)), SOLO)
    assert found == [[["Plan", "Price"], ["Team", "49 euros a month"], ["Solo", "9 euros"]]]


def test_one_line_alone_is_no_table():
    assert rows(SOLO, line((PROSE, 50))) == [[]]


def test_columns_of_prose_are_no_table():
    two = line((f"{PROSE} {PROSE}", 50), (f"{PROSE} {PROSE}", 500))
    assert rows(two, two, two) == [[]]


def test_items_with_their_marks_apart_are_no_table():
    assert rows(line(("1.", 50), ("Sign.", 90)), line(("2.", 50), ("Send it.", 90))) == [[]]
    assert rows(line(("•", 50), ("Sign.", 90)), line(("•", 50), ("Send it.", 90))) == [[]]


def test_a_bar_in_a_cell_does_not_divide_it():
    assert as_markdown([["a|b", "c"], ["d", ""]]) == "| a\\|b | c |\n| --- | --- |\n| d |  |"
