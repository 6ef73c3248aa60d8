"""The lines of a PDF file's pages, and how each is set. The only module that knows PDFium.

PDFium keeps the spaces between words, which many PDF files don't hold: it sees them from the gaps. It is not safe to
use from two threads at once, so a lock goes around every use.
"""

import ctypes
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import pypdfium2 as pdfium
from pypdfium2 import raw

from knowledge_base.errors import DocumentRejected

_ONE_AT_A_TIME = threading.Lock()
_WRONG_PASSWORD = 4  # FPDF_ERR_PASSWORD
_HYPHEN = "\x02"  # what PDFium gives for a hyphen at the end of a line, where a word goes on in the next one
_LEAST_DISTANCE = 5.0  # points between lines: an index or a power stands less far from its line
_BOLD_WEIGHT = 550
_BOLD = re.compile(r"bold|black|heavy|semib|demi", re.IGNORECASE)
_MONOSPACED = re.compile(r"mono|courier|consol|typewriter|menlo|cmtt|[- ]code", re.IGNORECASE)
_FIXED_PITCH = 1  # a flag of a font (ISO 32000-1, table 123)
_FONT_NAME_BYTES = 128
_NOT_SAID = re.compile(
    r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|(?:(?<=\s)|^)[\u0300-\u036f]+"
)  # accents without a letter too
_LIGATURES = {0xFB00: "ff", 0xFB01: "fi", 0xFB02: "fl", 0xFB03: "ffi", 0xFB04: "ffl", 0xFB05: "st", 0xFB06: "st"}
_DATE = re.compile(r"D:(\d{4})(\d\d)(\d\d)")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text. `size` is its font's in points, `y` the height of its baseline above the page's lower edge;
    `hyphenated` says that its last word goes on in the next line."""

    text: str
    size: float
    y: float
    bold: bool = False
    monospaced: bool = False
    hyphenated: bool = False


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
    characters = [raw.FPDFText_GetUnicode(text, at) for at in range(text.count_chars())]
    for start, end in pairwise([0, *_line_starts(text, characters), len(characters)]):
        line = _line(text, characters, start, end)
        if line:
            yield line


def _line_starts(page: pdfium.PdfTextPage, characters: list[int]) -> Iterator[int]:
    """Where lines begin: after a break, and where PDFium left one out but the text goes back to the left below."""
    before = (0.0, 0.0)
    for at, code in enumerate(characters):
        if code == ord("\n"):
            yield at + 1
        elif code > ord(" "):
            x, y = _origin(page, at)
            if x < before[0] and before[1] - y > _LEAST_DISTANCE:
                yield at
            before = x, y


def _line(page: pdfium.PdfTextPage, characters: list[int], start: int, end: int) -> Line | None:
    said = "".join(map(chr, characters[start:end])).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    said = said.translate(_LIGATURES).strip()
    text = " ".join(_NOT_SAID.sub("", said).split())
    inked = [at for at in range(start, end) if characters[at] > ord(" ")]
    if not text or not inked:
        return None
    looks = [_look(page, at) for at in {inked[0], inked[len(inked) // 2], inked[-1]}]
    return Line(
        text=text,
        size=max(size for size, _, _ in looks),
        y=_origin(page, inked[0])[1],
        bold=all(bold for _, bold, _ in looks),
        monospaced=all(monospaced for _, _, monospaced in looks),
        hyphenated=said.endswith(_HYPHEN),
    )


def _look(page: pdfium.PdfTextPage, at: int) -> tuple[float, bool, bool]:
    """The size of a character in points, and whether it is bold or of a font with characters of one width."""
    flags, name, matrix = ctypes.c_int(), ctypes.create_string_buffer(_FONT_NAME_BYTES), raw.FS_MATRIX()
    raw.FPDFText_GetFontInfo(page, at, name, _FONT_NAME_BYTES, flags)
    raw.FPDFText_GetMatrix(page, at, matrix)
    font = name.value.decode("utf-8", "replace")
    size = raw.FPDFText_GetFontSize(page, at) * (matrix.c**2 + matrix.d**2) ** 0.5
    bold = raw.FPDFText_GetFontWeight(page, at) >= _BOLD_WEIGHT or bool(_BOLD.search(font))
    return size, bold, bool(flags.value & _FIXED_PITCH or _MONOSPACED.search(font))


def _origin(page: pdfium.PdfTextPage, at: int) -> tuple[float, float]:
    """Where on the page a character stands: from its left edge, and above its lower edge."""
    x, y = ctypes.c_double(), ctypes.c_double()
    raw.FPDFText_GetCharOrigin(page, at, x, y)
    return x.value, y.value


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
