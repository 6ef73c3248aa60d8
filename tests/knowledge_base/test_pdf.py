"""PDF files, made as programs make them, read back as Markdown."""

from collections.abc import Callable
from pathlib import PurePosixPath

import pytest
from fpdf import FPDF

from knowledge_base import loaders
from knowledge_base.errors import DocumentRejected
from knowledge_base.outline import sections
from knowledge_base.passage import Document

PROSE = "The first paragraph is long enough to be broken over several lines by the page's width. " * 3
CHAPTERS = ("Paying", "Refunds", "Accounts", "Teams", "Security")


def about(chapter: str) -> str:
    """Prose that stands on one page alone."""
    return " ".join(f"The {place} thing to know of {chapter} is told in a sentence." for place in range(9))


class Pages(FPDF):
    """An A4 document whose lines are set one below the other."""

    def __init__(self, *pages: str) -> None:
        super().__init__()
        self.set_font("Helvetica", size=11)
        for page in pages:
            self.add_page()
            if page:
                self.say(page)

    def say(self, text: str, *, size: float = 11, style: str = "", font: str = "Helvetica", gap: float = 0) -> None:
        """Text of a size in points, so many millimetres below what stands above it."""
        self.set_font(font, style, size)
        self.ln(gap)
        self.multi_cell(0, size / 2, text, new_x="LMARGIN", new_y="NEXT")

    def read(self) -> Document:
        return read(bytes(self.output()))


def read(data: bytes) -> Document:
    return loaders.load(data, PurePosixPath("kb/a.pdf"), id="a", source="a.pdf")


def reason(data: bytes) -> str:
    with pytest.raises(DocumentRejected) as raised:
        read(data)
    return str(raised.value)


class TestText:
    def test_lines_are_joined_to_paragraphs(self):
        assert Pages(f"{PROSE}\nA second one.").read().text == f"{PROSE.strip()}\n\nA second one.\n"

    def test_what_stands_apart_is_another_paragraph(self):
        pages = Pages(PROSE.strip() + " This one has no full stop at the end of its last line, which is long")
        pages.say("Another.", gap=8)
        assert pages.read().text.endswith("is long\n\nAnother.\n")

    def test_a_paragraph_goes_on_over_the_page(self):
        long = "This line is long: it goes to the right margin of the page and is then continued on the next"
        assert f"{long} page." in Pages(f"{PROSE}\n{long}", "page. And so on.").read().text

    def test_a_word_that_is_divided_between_two_lines_is_whole_again(self):
        assert "All of the documentation is here." in Pages("All of the docu-\nmentation is here.").read().text

    def test_items_stay_items(self):
        text = Pages("Bring:\n- a passport that is valid\n- a photo\n1. Sign.\n2. Send it.").read().text
        assert text.split("\n\n") == [
            "Bring:", "- a passport that is valid", "- a photo", "1. Sign.", "2. Send it.\n"
        ]  # fmt: skip

    def test_an_address_that_is_broken_over_two_lines_is_whole_again(self):
        assert "https://example.com/help" in Pages("See https://example.com/\nhelp for more.").read().text

    def test_what_looks_like_markdown_is_text(self):
        (section,) = sections(Pages("# Not a heading, but a comment\n> Nor a quotation").read().text)
        assert section.path == ()

    def test_code_stays_in_its_lines(self):
        pages = Pages("Run these commands:")
        pages.say("attune --init\nattune --serve", font="Courier")
        pages.say("Then open the page.")
        assert pages.read().text == (
            "Run these commands:\n\n```\nattune --init\nattune --serve\n```\n\nThen open the page.\n"
        )


class TestTables:
    def test_a_table_is_one(self):
        pages = Pages("The plans and what they cost:")
        with pages.table(width=120) as table:
            for row in (("Plan", "Price", "Seats"), ("Solo", "9 euros", "1"), ("Team", "49 euros", "25")):
                table.row(row)
        assert pages.read().text.split("\n\n")[1].splitlines() == [
            "| Plan | Price | Seats |", "| --- | --- | --- |", "| Solo | 9 euros | 1 |", "| Team | 49 euros | 25 |"
        ]  # fmt: skip


class TestHeadings:
    def test_what_is_set_larger_is_a_heading_and_opens_its_page(self):
        pages = Pages()
        for title in CHAPTERS[:2]:
            pages.add_page()
            pages.say(title, size=20)
            pages.say("In general", size=15)
            pages.say(about(title))
        found = [(one.path, one.slugs) for one in sections(pages.read().text)]
        assert found[1:] == [
            (("Paying",), ("page=1",)),
            (("Paying", "In general"), ("page=1", "page=1")),
            (("Refunds",), ("page=2",)),
            (("Refunds", "In general"), ("page=2", "page=2")),
        ]

    def test_the_file_s_own_contents_decide_where_there_are_any(self):
        pages = Pages()
        pages.add_page()
        pages.say("A large advertisement", size=30)
        pages.start_section("2.1 Refunds")
        pages.say("2.1  Refunds")
        pages.say(PROSE)
        assert [one.path for one in sections(pages.read().text)] == [(), ("Refunds",)]

    def test_the_title_comes_from_the_metadata(self):
        pages = Pages(PROSE)
        pages.set_title("The manual")
        assert pages.read().title == "The manual"

    @pytest.mark.parametrize("title", ["Microsoft Word - draft.docx", "untitled", ""])
    def test_a_program_s_stopgap_is_no_title(self, title: str):
        pages = Pages("Quick start\n\nOpen the box.")
        pages.set_title(title)
        assert pages.read().title == "Quick start"

    def test_without_metadata_the_first_heading_is_the_title(self):
        pages = Pages()
        pages.add_page()
        pages.say("The manual", size=24)
        pages.say(PROSE)
        assert pages.read().title == "The manual"


class TestWhatRepeats:
    def test_running_heads_and_page_numbers_go(self):
        pages = [f"Example Manual\nWhat page {n} says is said on no other.\n{n}" for n in ("one", "two", "six", "ten")]
        text = Pages(*(f"{page}\n{number} of 4" for number, page in enumerate(pages, 1))).read().text
        assert "Example Manual" not in text
        assert "of 4" not in text
        assert text.count("is said on no other") == 4

    def test_a_running_head_that_names_the_chapter_goes(self):
        pages = Pages()
        for chapter in CHAPTERS:
            pages.add_page()
            pages.say(f"Chapter on {chapter}", size=9)
            pages.say(about(chapter), gap=12)
        assert "Chapter on" not in pages.read().text

    def test_the_titles_of_slides_stay(self):
        pages = Pages()
        for title in CHAPTERS:
            pages.add_page()
            pages.say(title, size=20)
            pages.say(about(title), gap=12)
        assert pages.read().text.count("{#page=") == 5

    def test_a_table_of_contents_goes(self):
        contents = "\n".join(f"{chapter} {'. ' * 20}{page}" for page, chapter in enumerate(CHAPTERS, 2))
        assert Pages(f"Contents\n{contents}", PROSE).read().text == f"{PROSE.strip()}\n"


class TestBadFiles:
    def test_encrypted(self):
        pages = Pages("Secret")
        pages.set_encryption(owner_password="x", user_password="x")
        assert reason(bytes(pages.output())) == "is encrypted: remove its password"

    def test_scanned(self):
        assert "holds no text on its 2 pages" in reason(bytes(Pages("", "").output()))

    @pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.4\n1 0 obj\n<<", b"no pdf at all"])
    def test_broken(self, data: bytes):
        assert reason(data).startswith(("is a broken PDF", "is not a PDF"))

    @pytest.mark.parametrize(
        "damage", [lambda data: data[: len(data) // 2], lambda data: data.replace(b"/Kids", b"/Kidz")]
    )
    def test_damaged(self, damage: Callable[[bytes], bytes]):
        assert reason(damage(bytes(Pages(PROSE).output())))
