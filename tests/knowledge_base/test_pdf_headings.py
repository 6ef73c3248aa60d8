"""Which lines are headings, by the file's contents, by size and by weight."""

from knowledge_base.pdf_headings import Heading, find_headings
from knowledge_base.pdf_lines import Bookmark, Line

TEXT = "What the page says about it, in a line that is as long as lines are."


def line(text: str, size: float = 10, *, bold: bool = False) -> Line:
    return Line(text, size, 0.0, bold=bold)


def test_sizes_are_levels_and_numbers_go():
    page = [line("2 Paying", 20), line(TEXT), line(TEXT), line("2.1 Refunds", 14), line(TEXT), line(TEXT)]
    assert find_headings([[line(TEXT)], page], []) == {(1, 0): Heading("Paying", 2), (1, 3): Heading("Refunds", 3)}


def test_a_heading_of_two_lines_is_one():
    page = [line("How money is", 20), line("paid out", 20), *[line(TEXT)] * 5]
    assert find_headings([[line(TEXT)], page], []) == {(1, 0): Heading("How money is paid out", 2, 2)}


def test_the_number_of_a_chapter_belongs_to_its_heading():
    page = [line("Chapter 3", 24), line("Teams", 20), *[line(TEXT)] * 5]
    assert find_headings([[line(TEXT)], page], []) == {(1, 0): Heading("Teams", 2, 2)}


def test_a_size_that_only_the_first_page_has_is_the_title_s():
    pages = [[line("The manual", 30), *[line(TEXT)] * 4], [line("Teams", 20), *[line(TEXT)] * 4]]
    assert [heading.level for heading in find_headings(pages, []).values()] == [1, 2]


def test_where_much_is_large_size_says_nothing():
    page = [line("A label", 14), line(TEXT), line("Another one", 14), line(TEXT)]
    assert find_headings([page], []) == {}


def test_short_bold_lines_are_headings_where_nothing_is_larger():
    page = [line("Teams", bold=True), line(TEXT), line("This is important.", bold=True), line(TEXT)]
    assert find_headings([page], []) == {(0, 0): Heading("Teams", 2)}


def test_bookmarks_are_found_on_their_page_in_order():
    page = [line("Overview"), line(TEXT), line("A.2 Overview"), line(TEXT)]
    bookmarks = [Bookmark("Overview", 0, 1), Bookmark("A.2 Overview", 1, 1), Bookmark("Elsewhere", 0, 1)]
    assert find_headings([[line("Overview")], page], bookmarks) == {
        (1, 0): Heading("Overview", 2),
        (1, 2): Heading("Overview", 3),
    }


def test_a_bookmark_beyond_the_last_page_is_nothing():
    assert find_headings([[line("Overview")]], [Bookmark("Overview", 0, 7)]) == {}
