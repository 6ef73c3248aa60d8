"""Which lines of a PDF file are headings."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from knowledge_base.pdf_lines import Bookmark, Line, Pages

_DEEPEST = 6  # levels that Markdown has
_MOST_LINES = 3  # of a heading
_MOST_CHARS = 150
_LARGER = 1.1  # than the running text, as a share of its size
_MOST_BOLD = 80  # characters of a bold line that is a heading
_MOST_LARGE = 0.3  # of all lines: where more are large, size means something else
_NUMBERED = re.compile(
    r"^(?:(?:chapter|part|appendix|section)\s+)?(?:\d+(?:\.\d+)*|[A-Z](?:\.\d+)+|[IVXLC]+(?=[.:)]))[.:)]?\s+",
    re.IGNORECASE,
)
_ONLY_NUMBER = re.compile(r"(?:chapter|part|appendix|section)\s+(?:\d+|[A-Z]|[IVXLC]+)\W*", re.IGNORECASE)
_NOT_IN_KEY = re.compile(r"[\W_]+")
_ENDS_SENTENCE = re.compile(r"[.,;:]$")
_LETTERS = re.compile(r"[^\W\d_]{2}")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Heading:
    """`lines` is how many lines of the page it takes; `level` is Markdown's, 1 to 6."""

    text: str
    level: int
    lines: int = 1


def find_headings(pages: Pages, bookmarks: Sequence[Bookmark]) -> dict[Place, Heading]:
    """The headings by page and first line, both from 0, in order; their numbers, which only say where a section stands
    in the whole, are left out."""
    found = dict(_bookmarked(pages, bookmarks)) or dict(_set_larger(pages)) or dict(_set_bold(pages))
    return dict(sorted(found.items()))


def usual_size(pages: Pages) -> float:
    """The size of the running text in points, to half a point."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[_rounded(line.size)] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _rounded(size: float) -> float:
    return round(2 * size) / 2


def _placed(number: int, page: Sequence[Line], at: int, heading: Heading) -> tuple[Place, Heading]:
    """The heading where it begins: with the line above, if that only counts chapters."""
    if at and _ONLY_NUMBER.fullmatch(page[at - 1].text):
        return (number, at - 1), replace(heading, lines=heading.lines + 1)
    return (number, at), heading


# By the file's own table of contents


def _bookmarked(pages: Pages, bookmarks: Iterable[Bookmark]) -> Iterator[tuple[Place, Heading]]:
    """The lines that say what a bookmark says, on the page that it leads to; one after the other down the page."""
    next_line: Counter[int] = Counter()
    for bookmark in bookmarks:
        wanted = _words(bookmark.title)
        if not wanted or bookmark.page >= len(pages):
            continue
        page = pages[bookmark.page]
        for at in range(next_line[bookmark.page], len(page)):
            lines = _lines_saying(wanted, page[at : at + _MOST_LINES])
            if lines:
                text, level = _NUMBERED.sub("", bookmark.title), min(bookmark.level + 2, _DEEPEST)
                yield _placed(bookmark.page, page, at, Heading(text, level, lines))
                next_line[bookmark.page] = at + lines
                break


def _lines_saying(wanted: str, lines: Sequence[Line]) -> int:
    """How many of the lines together say this and nothing else; 0 for none."""
    for count in range(1, len(lines) + 1):
        text = " ".join(line.text for line in lines[:count])
        if wanted in (_words(text), _NOT_IN_KEY.sub("", text).casefold()):
            return count
    return 0


def _words(text: str) -> str:
    """What a heading says, without its number, however it is spaced and punctuated."""
    return _NOT_IN_KEY.sub("", _NUMBERED.sub("", text)).casefold()


# By how they are set


def _set_larger(pages: Pages) -> Iterator[tuple[Place, Heading]]:
    """Neighbouring lines of one size that is larger than the running text's. A size is a level; one that only the first
    page has is the title's."""
    usual = usual_size(pages)
    found = [
        (number, at, run)
        for number, page in enumerate(pages)
        for at, run in _runs(page)
        if run[0].size >= _LARGER * usual and _may_head(run)
    ]
    if sum(len(run) for _, _, run in found) > _MOST_LARGE * sum(map(len, pages)):
        return
    sizes = sorted({_rounded(run[0].size) for _, _, run in found}, reverse=True)
    title = bool(sizes) and {number for number, _, run in found if _rounded(run[0].size) == sizes[0]} == {0}
    levels = {size: min(rank, _DEEPEST) for rank, size in enumerate(sizes, 1 if title else 2)}
    for number, at, run in found:
        text = _NUMBERED.sub("", " ".join(line.text for line in run))
        yield _placed(number, pages[number], at, Heading(text, levels[_rounded(run[0].size)], len(run)))


def _runs(page: Sequence[Line]) -> Iterator[tuple[int, Sequence[Line]]]:
    """Neighbouring lines that are set alike, with the place of the first."""
    start = 0
    for end in range(1, len(page) + 1):
        if end == len(page) or _rounded(page[end].size) != _rounded(page[start].size):
            yield start, page[start:end]
            start = end


def _may_head(run: Sequence[Line]) -> bool:
    text = " ".join(line.text for line in run)
    said = bool(_LETTERS.search(text)) and not _ONLY_NUMBER.fullmatch(text)
    return said and len(run) <= _MOST_LINES and len(text) <= _MOST_CHARS


def _set_bold(pages: Pages) -> Iterator[tuple[Place, Heading]]:
    """Short bold lines before text that is not bold, but not the names of a table's columns."""
    for number, page in enumerate(pages):
        for at, (line, after) in enumerate(pairwise(page)):
            if line.bold and not after.bold and _is_short_title(line):
                yield (number, at), Heading(_NUMBERED.sub("", line.text), 2)


def _is_short_title(line: Line) -> bool:
    in_one = len(line.cells) < 2 or _NUMBERED.match(line.text)
    said = _LETTERS.search(line.text) and not _ENDS_SENTENCE.search(line.text)
    return bool(in_one and said and len(line.text) <= _MOST_BOLD)
