"""The text of PDF files: pages joined into paragraphs, without running heads and hyphens at line ends."""

import io
import logging
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from knowledge_base.errors import DocumentRejected
from knowledge_base.markup import tidy

if TYPE_CHECKING:
    from pypdf import PdfReader

_MAX_TITLE = 200
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u00ad\u2010]\n(?=[^\W\d_A-Z])")
_NUMBER = re.compile(r"\d+")
_NO_TITLE = re.compile(r"untitled|microsoft word|powerpoint|\.(?:docx?|pdf|indd|tex|qxd|pptx?)\b|^\W*$", re.IGNORECASE)
_ENDS_BLOCK = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_STARTS_BLOCK = re.compile(r"[•◦▪‣●○■·*–—-]\s|\(?\d{1,3}[.)]\s|#{1,6}\s")
_BULLET = re.compile(r"^[•◦▪‣●○■·]\s*")
_EDGE_LINES = 2  # at the top and the bottom of a page, where running heads and page numbers stand
_NARROW = 40  # characters: no page of prose has shorter lines
_FULL_LINE = 0.75  # of the page's usual line length: a shorter line probably ends its paragraph


@dataclass(frozen=True, slots=True)
class PdfText:
    text: str
    title: str | None
    updated: date | None


def read(data: bytes) -> PdfText:
    """Text, title and date. Raises DocumentRejected when the file is broken, encrypted or holds only pictures."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it repairs silently needs nobody's attention
    try:
        return _read(data)
    except DocumentRejected:
        raise
    except Exception as error:  # a parser may raise anything on a broken file, and that is the file's fault
        raise DocumentRejected(f"is a broken PDF: {str(error)[:200] or type(error).__name__}") from error


def _read(data: bytes) -> PdfText:
    from pypdf import PasswordType, PdfReader

    if b"%PDF-" not in data[:1024]:
        raise DocumentRejected("is not a PDF: it does not begin with %PDF-")
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise DocumentRejected("is encrypted: remove its password")
    pages = [page.extract_text() for page in reader.pages]
    if not any(page.strip() for page in pages):
        raise DocumentRejected(
            f"holds no text on its {len(pages)} pages, only pictures: run text recognition (OCR) on it"
        )
    return PdfText(joined(pages), _title(reader), _updated(reader))


def joined(pages: Iterable[str]) -> str:
    """Pages as Markdown paragraphs."""
    lines = [[line.strip() for line in page.splitlines() if line.strip()] for page in pages]
    lines = _without_running_heads([page for page in lines if page])
    text = "\n".join(line for page in lines for line in page)
    text = _HYPHEN.sub("", text)
    return tidy("\n\n".join(_paragraphs(text.split("\n"))))


def _without_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """Without the lines that stand, but for numbers, at the edge of most pages, and without page numbers."""
    seen = Counter(key for page in pages for key in {_key(page[i]) for i in _edges(page)})
    often = {key for key, count in seen.items() if count > 2 and count > len(pages) / 2}
    return [
        [line for i, line in enumerate(page) if not (i in _edges(page) and (_key(line) in often or _is_number(line)))]
        for page in pages
    ]


def _edges(page: list[str]) -> set[int]:
    last = len(page) - 1
    return {*range(min(_EDGE_LINES, len(page))), *range(max(0, last - _EDGE_LINES + 1), last + 1)}


def _key(line: str) -> str:
    return _NUMBER.sub("0", line)


def _is_number(line: str) -> bool:
    return re.fullmatch(r"(?:page\s*)?[\divx]{1,4}(?:\s*(?:/|of)\s*\d{1,4})?", line, re.IGNORECASE) is not None


def _paragraphs(lines: list[str]) -> list[str]:
    """Lines joined where the text runs on: a full line goes on in the next, unless that begins an item of a list."""
    usual = max(_NARROW, sorted(map(len, lines))[int(0.9 * len(lines))] if lines else 0)
    paragraphs: list[str] = []
    runs_on = False
    for line in lines:
        item = _STARTS_BLOCK.match(line)
        if runs_on and not item:
            paragraphs[-1] += f" {line}"
        else:
            paragraphs.append(_BULLET.sub("- ", line))
        ends = _ENDS_BLOCK.search(line) and len(line) < usual
        runs_on = not ends and len(line) >= _FULL_LINE * usual
    return paragraphs


def _title(reader: "PdfReader") -> str | None:
    title = " ".join(str((reader.metadata and reader.metadata.title) or "").split())
    return title[:_MAX_TITLE] if len(title) > 2 and not _NO_TITLE.search(title) else None


def _updated(reader: "PdfReader") -> date | None:
    metadata = reader.metadata
    when = metadata and (metadata.modification_date or metadata.creation_date)
    return when.date() if when else None
