"""Documents to passages: parts that stay under one heading and fit the embedding model's window.

A passage is a verbatim slice of the document, nothing stands in two passages, and together they cover the document
(a heading that opens a passage is kept beside the text, in `heading_path`). Code blocks, table rows and list items stay
whole unless one alone exceeds the window; prose is divided between paragraphs, then between sentences.
"""

import hashlib
import math
import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise
from typing import Protocol

from knowledge_base.outline import Block, Section, sections
from knowledge_base.passage import Document, Passage

WINDOW = 254  # tokens: what a passage holds at most, however large the model's own window is
STUB = 64  # tokens: a section shorter than this is joined with a neighbour under the same heading
MAX_PREFIX_CHARS = 200  # of title and headings before the embedded text, so that they never crowd the text out
CHARS_PER_TOKEN = 16  # more characters than this a token are counted as more tokens (one long run may be one token)

_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]*_]*\s+")
_LINE_END = re.compile(r"\r\n?|\n")

Span = tuple[int, int]


class Tokens(Protocol):
    """The part of an embedder that measures text."""

    @property
    def max_tokens(self) -> int: ...

    def token_spans(self, text: str) -> list[tuple[int, int]]: ...


def split(document: Document, embedder: Tokens) -> list[Passage]:
    """The document's passages in reading order; none for a document without text."""
    ruler = _Ruler(document.text, embedder)
    passages: list[Passage] = []
    for group in _groups(_sections(document), document, ruler):
        path, slugs = _common(group)
        for start, end in _spans(group, path, ruler.room(_prefix(document.title, path)), ruler):
            passages.append(_passage(document, len(passages), path, slugs, document.text[start:end]))
    return passages


def embedded_text(passage: Passage) -> str:
    """What is embedded for a passage: its title and headings, bounded in length, then its text."""
    prefix = _prefix(passage.title, passage.heading_path)
    return f"{prefix}\n{passage.text}" if prefix else passage.text


def _prefix(title: str, path: tuple[str, ...]) -> str:
    names = [title, *(name for name in path if name != title)]
    prefix = "\n".join(name for name in names if name.strip())
    if len(prefix) <= MAX_PREFIX_CHARS:
        return prefix
    return prefix[:MAX_PREFIX_CHARS].rsplit(maxsplit=1)[0]


def _passage(document: Document, ordinal: int, path: tuple[str, ...], slugs: tuple[str, ...], text: str) -> Passage:
    url = document.url
    if url and slugs:
        url = f"{url.partition('#')[0]}#{slugs[-1]}"
    return Passage(
        id=_identifier(document, ordinal, path, text),
        document_id=document.id,
        ordinal=ordinal,
        title=document.title,
        heading_path=path,
        text=text,
        url=url,
        topic=document.topic,
        category=document.category,
        tags=document.tags,
        level=document.level,
        updated=document.updated,
    )


def _identifier(document: Document, ordinal: int, path: tuple[str, ...], text: str) -> str:
    """A name for this content at this place: whatever is stored under it (a vector) never becomes stale."""
    content = "\x1f".join((document.id, str(ordinal), document.title, *path, text))
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:32]


# Sections: which headings open passages


def _sections(document: Document) -> list[Section]:
    """The document's sections, without those that only open a deeper one, and without the title as a heading."""
    found = [_without_title(section, document.title) for section in sections(document.text)]
    return [
        section for section, after in pairwise([*found, None]) if section and not _only_opens(section, after, document)
    ]


def _without_title(section: Section, title: str) -> Section:
    """A first heading that repeats the title says nothing more: the page itself is its place."""
    if not section.path or _folded(section.path[0]) != _folded(title):
        return section
    return Section(section.path[1:], section.slugs[1:], section.start, section.body, section.end, section.blocks)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _only_opens(section: Section, after: Section | None, document: Document) -> bool:
    """Whether nothing stands between this heading and a deeper one, whose path repeats it."""
    if document.text[section.body : section.end].strip():
        return False
    is_title = not section.path
    depth = len(section.slugs)
    return is_title or (after is not None and len(after.slugs) > depth and after.slugs[:depth] == section.slugs)


def _groups(found: list[Section], document: Document, ruler: "_Ruler") -> Iterator[list[Section]]:
    """Runs of sections that make up one passage: mostly one section, more where some are stubs."""
    group: list[Section] = []
    for section in found:
        if group and not _joins(group, section, document, ruler):
            yield group
            group = []
        group.append(section)
    if group:
        yield group


def _joins(group: list[Section], section: Section, document: Document, ruler: "_Ruler") -> bool:
    """Whether the section goes with the group: one of them is a stub, they are relatives, and both together fit."""
    is_stub = min(ruler.size(group[0].start, group[-1].end), ruler.size(section.body, section.end)) < STUB
    related = len(_common([*group, section])[0]) >= len(group[0].path) - 1
    longest_prefix = _prefix(document.title, section.path)
    return is_stub and related and ruler.size(group[0].start, section.end) <= ruler.room(longest_prefix)


def _common(group: list[Section]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The heading path and the fragments that all sections of the group share."""
    depth = min(len(section.path) for section in group)
    while depth and any(section.slugs[:depth] != group[0].slugs[:depth] for section in group):
        depth -= 1
    return group[0].path[:depth], group[0].slugs[:depth]


def _spans(group: list[Section], path: tuple[str, ...], room: int, ruler: "_Ruler") -> list[Span]:
    first = group[0]
    has_text = bool(ruler.text[first.body : first.end].strip())
    start = first.body if first.path == path and has_text else first.start
    if len(group) > 1 or not has_text:
        return [ruler.trimmed(start, group[-1].end)]
    units = [unit for block in first.blocks for unit in _units(block, room, ruler)]
    trimmed = [ruler.trimmed(start, end) for start, end in _packed(units, room, ruler)]
    return [(start, end) for start, end in trimmed if start < end]


# Blocks: what may stand in a passage together


def _units(block: Block, room: int, ruler: "_Ruler") -> Iterator[Span]:
    """The block whole if it fits, else its parts, sentences or lines, else pieces of those."""
    if ruler.size(block.start, block.end) <= room:
        yield block.start, block.end
    elif block.parts:
        for part in block.parts:
            yield from _units(part, room, ruler)
    else:
        for start, end in ruler.cut_at(_SENTENCE_END if block.prose else _LINE_END, block.start, block.end):
            yield from ruler.pieces(start, end, room)


def _packed(units: list[Span], room: int, ruler: "_Ruler") -> Iterator[Span]:
    """Neighbouring units joined into about equal spans that fit."""
    if not units:
        return
    origin, total = units[0][0], ruler.size(units[0][0], units[-1][1])
    goal = total / max(1, math.ceil(total / room))
    (start, end), closed = units[0], 0
    for unit_start, unit_end in units[1:]:
        halfway = (ruler.size(origin, end) + ruler.size(origin, unit_end)) / 2
        if ruler.size(start, unit_end) > room or halfway > goal * (closed + 1):
            yield start, end
            start, closed = unit_start, closed + 1
        end = unit_end
    yield start, end


class _Ruler:
    """Measures and cuts spans of one text in tokens."""

    def __init__(self, text: str, embedder: Tokens) -> None:
        self.text = text
        self._embedder = embedder
        self._starts = [start for start, end in embedder.token_spans(text) if start < end]

    def room(self, prefix: str) -> int:
        """How many tokens are left for text after the prefix; at least one, so that cutting always ends."""
        window = min(self._embedder.max_tokens, WINDOW)
        return max(1, window - len(self._embedder.token_spans(prefix)))

    def size(self, start: int, end: int) -> int:
        """How many tokens the span has on its own; a word that was cut may have more than it had as a whole."""
        cut_before = start > 0 and not self.text[start - 1].isspace()
        cut_after = 0 < end < len(self.text) and not self.text[end - 1].isspace()
        if cut_before or cut_after:
            tokens = len(self._embedder.token_spans(self.text[start:end]))
        else:
            tokens = bisect_left(self._starts, end) - bisect_left(self._starts, start)
        return max(tokens, (end - start) // CHARS_PER_TOKEN)

    def trimmed(self, start: int, end: int) -> Span:
        """Without blank lines before and blanks after; indentation stays, it means something in Markdown."""
        piece = self.text[start:end].rstrip()
        blank = re.match(r"(?:[^\S\r\n]*(?:\r\n?|\n))*", piece)
        return start + (blank.end() if blank else 0), start + len(piece)

    def cut_at(self, boundary: re.Pattern[str], start: int, end: int) -> Iterator[Span]:
        cuts = [match.end() for match in boundary.finditer(self.text, start, end) if match.end() < end]
        yield from pairwise([start, *cuts, end])

    def pieces(self, start: int, end: int, room: int) -> Iterator[Span]:
        """The span in pieces that fit, cut between words, or inside one that is itself too long."""
        while self.size(start, end) > room:
            cut = self._cut(start, end, room)
            yield start, cut
            start = cut
        yield start, end

    def _cut(self, start: int, end: int, room: int) -> int:
        first = bisect_left(self._starts, start)
        limit = min(
            self._starts[first + room] if first + room < len(self._starts) else end, start + room * CHARS_PER_TOKEN
        )
        for cut in range(limit, start, -1):
            if self.text[cut - 1].isspace():
                return cut
        while limit - start > 1 and self.size(start, limit) > room:
            limit = (start + limit) // 2
        return limit
