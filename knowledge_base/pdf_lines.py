"""The lines of a PDF file's pages, and how each is set. The only module that knows PDFium.

PDFium keeps the spaces between words, which many PDF files don't hold: it sees them from the gaps. It is not safe to
use from two threads at once, so a lock goes around every use.
"""

import ctypes
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import pypdfium2 as pdfium
from pypdfium2 import raw

from knowledge_base.errors import DocumentRejected

_ONE_AT_A_TIME = threading.Lock()
_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD
_HYPHEN = 0x02  # what PDFium gives for a hyphen at the end of a line, where a word goes on in the next one
_LEAST_DISTANCE = 5.0  # points between lines: an index or a power stands less far from its line
_CELL_GAP = 1.0  # of the font's size, and more: words stand that far apart only in different cells of a table
_BOLD_WEIGHT = 550
_BOLD = re.compile(r"bold|black|heavy|semib|demi", re.IGNORECASE)
_MONOSPACED = re.compile(r"mono|courier|consol|typewriter|menlo|cmtt|[- ]code", re.IGNORECASE)
_FIXED_PITCH = 1  # a flag of a font (ISO 32000-1, table 123)
_FONT_NAME_BYTES = 128
# Control characters, and accents without a letter, which some programs set beside their letter.
_NOT_SAID = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|(?:(?<=\s)|^)[\u0300-\u036f]+")
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


class Cell(NamedTuple):
    """A part of a line that stands apart from the rest, and where it begins and ends in points from the page's left
    edge."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `size` is its font's in points, `y` the height of its lower end above the page's lower edge;
    `cells` are its parts, of which running text has one; `hyphenated` says that its last word goes on in the next
    line."""

    text: str
    size: float
    y: float
    cells: tuple[Cell, ...] = ()
    bold: bool = False
    monospaced: bool = False
    hyphenated: bool = False


Pages = Sequence[Sequence[Line]]


class _Character(NamedTuple):
    """A character and its box, which reaches as far down as the font does."""

    code: int
    left: float
    right: float
    bottom: float

    @property
    def is_ink(self) -> bool:
        return self.code > ord(" ")


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the file's own table of contents: its level from 0, and the page it leads to, from 0."""

    title: str
    level: int
    page: int


@dataclass(frozen=True, slots=True)
class Pdf:
    """What a PDF file holds: for each page its lines, top to bottom as they are read."""

    pages: tuple[tuple[Line, ...], ...]
    bookmarks: tuple[Bookmark, ...]
    title: str
    updated: date | None


def read(data: bytes) -> Pdf:
    """Raises DocumentRejected for a file that is broken or encrypted."""
    with _ONE_AT_A_TIME:
        try:
            return _read(data)
        except pdfium.PdfiumError as error:
            if error.err_code == _WRONG_PASSWORD:
                raise DocumentRejected("is encrypted: remove its password") from error
            raise DocumentRejected(f"is a broken PDF: {error}") from error
        except (ValueError, OverflowError) as error:  # text or a number in it that is none
            raise DocumentRejected(f"is a broken PDF: {str(error)[:200]}") from error


def _read(data: bytes) -> Pdf:
    with pdfium.PdfDocument(data) as document:
        pages = tuple(tuple(_lines(page)) for page in document)
        metadata = document.get_metadata_dict()
        return Pdf(pages, tuple(_bookmarks(document)), metadata["Title"], _date(metadata))


def _lines(page: pdfium.PdfPage) -> Iterator[Line]:
    text = page.get_textpage()
    characters = [_character(text, at) for at in range(text.count_chars())]
    for start, end in pairwise([0, *_line_starts(characters), len(characters)]):
        line = _line(text, characters, start, end)
        if line:
            yield line


def _character(page: pdfium.PdfTextPage, at: int) -> _Character:
    """A space stands nowhere: PDFium has put it in."""
    code = raw.FPDFText_GetUnicode(page, at)
    if code <= ord(" "):
        return _Character(code, 0.0, 0.0, 0.0)
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(page, at, box)
    return _Character(code, box.left, box.right, box.bottom)


def _line_starts(characters: Sequence[_Character]) -> Iterator[int]:
    """Where lines begin: after a break, and where PDFium left one out but the text goes back to the left below."""
    before: _Character | None = None
    for at, one in enumerate(characters):
        if one.code == ord("\n"):
            yield at + 1
        elif one.is_ink:
            if before and one.left < before.left and before.bottom - one.bottom > _LEAST_DISTANCE:
                yield at
            before = one


def _line(page: pdfium.PdfTextPage, characters: Sequence[_Character], start: int, end: int) -> Line | None:
    inked = [at for at in range(start, end) if characters[at].is_ink]
    if not inked:
        return None
    looks = [_look(page, at) for at in {inked[0], inked[len(inked) // 2], inked[-1]}]
    size = max(size for size, _, _ in looks)
    gap = _CELL_GAP * size
    apart = [after for at, after in pairwise(inked) if characters[after].left - characters[at].right > gap]
    cells = [_cell(characters[first:last]) for first, last in pairwise([start, *apart, end])]
    cells = [cell for cell in cells if cell.text]
    if not cells:
        return None
    return Line(
        text=" ".join(cell.text for cell in cells),
        size=size,
        y=characters[inked[0]].bottom,
        cells=tuple(cells),
        bold=all(bold for _, bold, _ in looks),
        monospaced=all(monospaced for _, _, monospaced in looks),
        hyphenated=any(characters[at].code == _HYPHEN for at in range(max(start, inked[-1]), end)),
    )


def _cell(characters: Sequence[_Character]) -> Cell:
    said = "".join(chr(one.code) for one in characters).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    inked = [one for one in characters if one.is_ink]
    return Cell(" ".join(_NOT_SAID.sub("", said.translate(_LIGATURES)).split()), inked[0].left, inked[-1].right)


def _look(page: pdfium.PdfTextPage, at: int) -> tuple[float, bool, bool]:
    """The size of a character in points, and whether it is bold or of a font with characters of one width."""
    flags, name, matrix = ctypes.c_int(), ctypes.create_string_buffer(_FONT_NAME_BYTES), raw.FS_MATRIX()
    raw.FPDFText_GetFontInfo(page, at, name, _FONT_NAME_BYTES, flags)
    raw.FPDFText_GetMatrix(page, at, matrix)
    font = name.value.decode("utf-8", "replace")
    size = raw.FPDFText_GetFontSize(page, at) * (matrix.c**2 + matrix.d**2) ** 0.5
    bold = raw.FPDFText_GetFontWeight(page, at) >= _BOLD_WEIGHT or bool(_BOLD.search(font))
    return size, bold, bool(flags.value & _FIXED_PITCH or _MONOSPACED.search(font))


def _bookmarks(document: pdfium.PdfDocument) -> Iterator[Bookmark]:
    for entry in document.get_toc():
        destination = entry.get_dest()
        page = destination.get_index() if destination else None
        title = " ".join(entry.get_title().split())
        if page is not None and title:
            yield Bookmark(title, entry.level, page)


def _date(metadata: dict[str, str]) -> date | None:
    for name in ("ModDate", "CreationDate"):
        found = _DATE.match(metadata[name])
        try:
            if found:
                return date(*map(int, found.groups()))
        except ValueError:
            continue  # a file may say anything of itself; a day that is none is no reason to refuse it
    return None
