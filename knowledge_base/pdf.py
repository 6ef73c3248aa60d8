"""PDF files to Markdown: headings with the page to open, paragraphs, lists, tables and code, without running heads.

A PDF file only says where each line stands and how it is set. Its headings are what its bookmarks name, or else what is
set larger than the running text (bold lines in running text where nothing is larger).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median

from knowledge_base import pdf_lines
from knowledge_base.errors import DocumentRejected
from knowledge_base.markup import tidy
from knowledge_base.pdf_headings import Heading, find_headings, usual_size
from knowledge_base.pdf_lines import Line, Pages
from knowledge_base.pdf_tables import as_markdown, with_tables

_MAX_TITLE = 200
_NUMBER = re.compile(r"\d+")
_NO_TITLE = re.compile(
    r"untitled|microsoft word|powerpoint|\.(?:docx?|pdf|indd|tex|qxd|pptx?|html?|md|txt)\b|^\W*$", re.IGNORECASE
)
_IN_CONTENTS = re.compile(r"(?:\s?[.·…]){4,}\s*[\divxlc]*$")
_FEWEST_LEADING, _MOST_LEADING = 3, 0.25  # lines with dots: from how many on, and from which share of a page
_ENDS_BLOCK = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_BULLET = re.compile(r"^[•◦▪‣●○■·–—-](?:\s|$)")
_STARTS_BLOCK = re.compile(rf"{_BULLET.pattern}|\(?\d{{1,3}}[.)]\s")
_MARKUP = re.compile(r"^(?=[#>+=~`|]|\*\s)")
_OPEN_URL = re.compile(r"https?:(?://[^\s)]*[/.=&?_-])?$")
_WORD = re.compile(r"\w")
_GOES_ON = re.compile(r"[^\W\d_A-Z]")
_EDGE_LINES = 2  # at the top and the bottom of a page, where running heads and page numbers stand
_FEWEST_PAGES = 4  # from which on a place on the page tells running heads
_APART = 1.5  # of the usual distance between lines: how far a running head stands from the text, at least
_SAME_PLACE = 2.0  # points
_NARROW = 40  # characters: no page of prose has shorter lines
_FULL_LINE = 0.75  # of the usual line length: a shorter line probably ends its paragraph
_BREAK = 1.3  # of the usual distance between lines: a larger one is between paragraphs


@dataclass(frozen=True, slots=True)
class PdfText:
    text: str
    title: str | None
    updated: date | None


def read(data: bytes) -> PdfText:
    """Text, title and date. Raises DocumentRejected when the file is broken, encrypted or holds only pictures."""
    if b"%PDF-" not in data[:1024]:
        raise DocumentRejected("is not a PDF: it does not begin with %PDF-")
    pdf = pdf_lines.read(data)
    if not any(pdf.pages):
        raise DocumentRejected(
            f"holds no text on its {len(pdf.pages)} pages, only pictures: run text recognition (OCR) on it"
        )
    pages = _without_running_heads([[] if _lists_contents(page) else page for page in pdf.pages])
    headings = find_headings(pages, pdf.bookmarks)
    first = next(iter(headings.values()), None)
    title = _title(pdf.title) or (first.text if first else None)
    return PdfText(tidy("\n\n".join(_blocks(pages, headings))), title and title[:_MAX_TITLE], pdf.updated)


def _lists_contents(page: Sequence[Line]) -> bool:
    """A page of dots that lead to page numbers: it holds the words of every heading, and says nothing."""
    leading = sum(bool(_IN_CONTENTS.search(line.text)) for line in page)
    return leading >= _FEWEST_LEADING and leading > _MOST_LEADING * len(page)


def _title(said: str) -> str | None:
    """What the file calls itself, if that is a title and not a program's stopgap."""
    title = " ".join(said.split())
    return title if len(title) > 2 and not _NO_TITLE.search(title) else None


# Running heads


def _without_running_heads(pages: Pages) -> list[list[Line]]:
    """Without page numbers and what stands, but for numbers, at the edge of most pages, or in a place of its own there
    (a running head may name the chapter)."""
    seen = Counter(key for page in pages for key in {_key(page[at]) for at in _edges(page)})
    often = {key for key, count in seen.items() if count > 2 and count > len(pages) / 2}
    places = [*_places(pages, 0, 1), *_places(pages, -1, -2)]
    return [
        [
            line
            for at, line in enumerate(page)
            if not (at in _edges(page) and (_key(line) in often or _is_number(line.text) or _stands_at(line, places)))
        ]
        for page in pages
    ]


def _edges(page: Sequence[Line]) -> set[int]:
    last = len(page) - 1
    return {*range(min(_EDGE_LINES, len(page))), *range(max(0, last - _EDGE_LINES + 1), last + 1)}


def _key(line: Line) -> str:
    return _NUMBER.sub("0", line.text)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"(?:page\s*)?[\divx]{1,4}(?:\s*(?:/|of)\s*\d{1,4})?", text, re.IGNORECASE) is not None


def _places(pages: Pages, edge: int, inner: int) -> Iterator[float]:
    """The height at which most pages have a line of small type at this edge, apart from the text inside."""
    size, distance = usual_size(pages), _usual_distance(pages)
    lines = [
        (page[edge].y, abs(page[edge].y - page[inner].y)) for page in pages if len(page) > 2 and page[edge].size <= size
    ]
    heights = Counter(round(y) for y, _ in lines)
    for height, count in heights.most_common(1):
        apart = [gap for y, gap in lines if round(y) == height]
        if count >= _FEWEST_PAGES and count > len(pages) / 2 and median(apart) > _APART * distance:
            yield height


def _stands_at(line: Line, places: Iterable[float]) -> bool:
    return any(abs(line.y - place) <= _SAME_PLACE for place in places)


# Blocks


def _blocks(pages: Pages, headings: dict[tuple[int, int], Heading]) -> Iterator[str]:
    """Headings, paragraphs, items and code, in order. `headings` are by page and line, both from 0."""
    distance, usual = _usual_distance(pages), _usual_length(pages)
    prose: list[Line] = []
    for number, page in enumerate(pages):
        skipped = 0
        for at, line in enumerate(page):
            heading = headings.get((number, at))
            if heading:
                yield from _text_blocks(prose, distance, usual)
                prose, skipped = [], heading.lines
                yield f"{'#' * heading.level} {heading.text} {{#page={number + 1}}}"
            if skipped:
                skipped -= 1
            else:
                prose.append(line)
    yield from _text_blocks(prose, distance, usual)


def _text_blocks(lines: Sequence[Line], distance: float, usual: float) -> Iterator[str]:
    for code, pairs in groupby(zip(_code_lines(lines, usual), lines, strict=True), key=itemgetter(0)):
        run = [line for _, line in pairs]
        if code:
            yield _fenced("\n".join(line.text for line in run))
        else:
            yield from _prose_and_tables(run, distance, usual)


def _prose_and_tables(lines: Sequence[Line], distance: float, usual: float) -> Iterator[str]:
    for run, rows in with_tables(lines):
        if rows:
            yield as_markdown(rows)
        else:
            yield from (_MARKUP.sub(r"\\", text) for text in _paragraphs(run, distance, usual))


def _code_lines(lines: Sequence[Line], usual: float) -> list[bool]:
    """Whether each line is code: of one width, and not an address in the middle of a sentence. A lone bracket is often
    set in another font."""
    found: list[bool] = []
    for at, line in enumerate(lines):
        after_code = bool(found) and found[-1]
        if line.monospaced:
            found.append(after_code or not at or not _is_unfinished(lines[at - 1], usual))
        else:
            found.append(after_code and not _WORD.search(line.text))
    return found


def _fenced(code: str) -> str:
    fence = "~~~" if "```" in code else "```"
    return f"{fence}\n{code}\n{fence}"


def _paragraphs(lines: Sequence[Line], distance: float, usual: float) -> list[str]:
    """Lines joined where the text runs on: a full line goes on in the next, unless that stands apart or begins an item
    of a list."""
    paragraphs: list[str] = []
    before: Line | None = None
    for line in lines:
        if before and _runs_on(before, line, distance, usual):
            paragraphs[-1] = _continued(paragraphs[-1], line.text, hyphenated=before.hyphenated)
        else:
            paragraphs.append(_BULLET.sub("- ", line.text))
        before = line
    return paragraphs


def _runs_on(before: Line, line: Line, distance: float, usual: float) -> bool:
    if _BULLET.fullmatch(before.text) or before.hyphenated or _OPEN_URL.search(before.text):
        return True
    if _STARTS_BLOCK.match(line.text) or before.y - line.y > _BREAK * distance:
        return False
    return _is_unfinished(before, usual)


def _is_unfinished(line: Line, usual: float) -> bool:
    """A full line, unless a sentence ends with it short of the margin."""
    ends = _ENDS_BLOCK.search(line.text) and len(line.text) < usual
    return not ends and len(line.text) >= _FULL_LINE * usual


def _continued(text: str, more: str, *, hyphenated: bool) -> str:
    """A word that was divided at the end of a line is one again; a compound keeps its hyphen where the next part has a
    capital or a digit."""
    if hyphenated:
        return f"{text}{more}" if _GOES_ON.match(more) else f"{text}-{more}"
    return f"{text}{more}" if text.endswith("- ") or _OPEN_URL.search(text) else f"{text} {more}"


def _usual_length(pages: Pages) -> float:
    lengths = sorted(len(line.text) for page in pages for line in page)
    return max(_NARROW, lengths[int(0.9 * len(lengths))] if lengths else 0)


def _usual_distance(pages: Pages) -> float:
    """Points between the baselines of neighbouring lines."""
    distances = [above.y - below.y for page in pages for above, below in pairwise(page) if above.y > below.y]
    return median(distances) if distances else 0.0
