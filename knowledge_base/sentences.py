"""Markdown to the units that an answer quotes: sentences, list items, table rows, code blocks and headings.

`units` scans lines instead of parsing the whole grammar: a passage may begin in the middle of a list or a table, and an
answer reads half a dozen passages in a few milliseconds. Every unit knows its span of the source (`text[start:end]` is
verbatim), how it reads when quoted (`Unit.text`, inline markup cleaned up) and what introduces it.
"""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from knowledge_base.inline_markup import clean
from knowledge_base.sentence_ends import sentence_spans, trimmed

Kind = Literal["sentence", "item", "row", "code", "heading"]

MAX_HEADING_CHARS = 100
WRAPPED_LINE_CHARS = 140  # a text with longer lines is not wrapped by hand: its line ends mean something
SHORT_LINE_CHARS = 60  # a hand-wrapped line that had room for the next word ended on purpose
MAX_TERM_CHARS = 100  # of a line that a definition follows


@dataclass(frozen=True, slots=True)
class Unit:
    """One quotable part of a Markdown text.

    `text[start:end]` of the source is this unit verbatim, without the marker of a list item or the outer pipes of a
    row. `text` is what a reader sees: links reduced to their words, emphasis and images gone, on one line; only code
    keeps its lines and its fence. A row names each cell by its column ("Plan: Team; Price: €49").
    `block` numbers the paragraph, list, table or code block it belongs to, `item` the list item or row in the source
    (-1 outside of lists and tables); `marker` is "-" or "3." on the first sentence of an item, `depth` its nesting.
    `lead_in` is the index of the unit that introduces this one ("To do this:"), if any.
    """

    start: int
    end: int
    kind: Kind
    text: str
    block: int
    item: int = -1
    marker: str = ""
    depth: int = 0
    lead_in: int | None = None


@lru_cache(maxsize=4096)
def units(text: str) -> tuple[Unit, ...]:
    """The units of a Markdown text in order; they do not overlap, and between them stands only markup."""
    return tuple(_Scanner(text).run())


def claim_bearing(sentence: str) -> bool:
    """Whether a sentence or list item of an answer states something that a source must support.

    Questions, lead-ins that end in a colon, code and fragments of one or two words state nothing on their own.
    """
    text = clean(_MARKER.sub("", sentence.strip(), count=1))
    if text.startswith(("```", "~~~")) or text.endswith(("?", ":", "：", "？")):
        return False
    return len(_WORD.findall(text)) >= 3


_WORD = re.compile(r"[^\W\d_]{2,}|\b[AaI]\b")
_MARKER = re.compile(r"^(?:[-*+•]|\d{1,3}[.)])\s+")

_FENCE = re.compile(r"\s*(?:>\s?)*(`{3,}|~{3,})")
_ATX = re.compile(r"\s{0,3}#{1,6}(?:\s+|$)")
_HEADING_ID = re.compile(r"\s*\{#[^\s{}]+\}\s*$")
_UNDERLINE = re.compile(r"\s{0,3}(?:=+|-{2,})\s*$")
_RULE = re.compile(r"\s{0,3}([-*_])(?:\s*\1){2,}\s*$")
_ITEM = re.compile(r"(\s*(?:>\s?)*)([-*+•‣▪◦]|\d{1,3}[.)])(\s+)(?:\[[ xX]\]\s+)?(?=\S)")
_DEFINITION = re.compile(r"(\s*(?:>\s?)*):(\s{1,3})(?=\S)")
_DELIMITER = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_SKIPPED = re.compile(
    r"\s*(?::{3,}.*|\[[^\]]+\]:\s+\S+.*|(?:import|export)\s.*(?:from\s+['\"]|=).*|</?[A-Za-z][^<>]*/?>|\{/\*.*\*/\})\s*$"
)
_BOLD_LINE = re.compile(r"\s*(\*\*|__)(?=\S)[^*]+(?<=[^\s.:!])\1\s*$")


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def indent(self) -> int:
        expanded = self.text.expandtabs(4)
        return len(expanded) - len(expanded.lstrip())

    @property
    def is_blank(self) -> bool:
        return not self.text.strip().strip(">").strip()


class _Scanner:
    """Reads a text line by line and gathers its units."""

    def __init__(self, text: str) -> None:
        self.text = text
        edges = [0, *(match.end() for match in re.finditer(r"\r\n?|\n", text)), len(text)]
        self.lines = [_Line(a, b, text[a:b].rstrip("\r\n")) for a, b in pairwise(edges) if a < b]
        self.units: list[Unit] = []
        self.at = 0
        self.block = 0
        self.item = -1
        self.open_items: list[tuple[int, int | None]] = []  # indent and lead-in of the items that enclose this line

    def run(self) -> list[Unit]:
        while self.at < len(self.lines):
            self._step(self.lines[self.at])
        return self.units

    def _step(self, line: _Line) -> None:
        if line.is_blank:
            self.at += 1
        elif _FENCE.match(line.text):
            self._fenced()
        elif self._opens_table(self.at):
            self._table()
        elif self._opens_definition(self.at):
            self._definition(line)
        elif _SKIPPED.match(line.text) or _RULE.match(line.text):
            self.at += 1
        elif _ATX.match(line.text) or self._is_title(self.at):
            self._heading(line)
        elif _ITEM.match(line.text):
            self._list_item(line)
        elif line.indent >= 4 and not self.open_items and not self._is_indented_prose():
            self._indented_code()
        else:
            self._paragraph(line)

    def _starts_block(self, at: int) -> bool:
        line = self.lines[at]
        text = line.text
        return (
            line.is_blank
            or any(pattern.match(text) for pattern in (_FENCE, _ATX, _RULE, _ITEM, _SKIPPED, _DEFINITION))
            or self._opens_table(at)
            or self._opens_definition(at)
        )

    # Prose

    def _is_indented_prose(self) -> bool:
        """Whether an indented paragraph ends as a sentence does: it goes on with an item that was cut off above."""
        last = self.lines[self._end_of_prose(self.at)].text
        return last.rstrip(" \t\"'”’)]*_").endswith((".", ":", "!", "?"))

    def _paragraph(self, line: _Line) -> None:
        last = self._end_of_prose(self.at)
        further = _DEFINITION.match(line.text)  # another meaning of the same term
        if self.open_items and line.indent <= self.open_items[0][0] and not further:
            self.open_items = []
        inside = bool(self.open_items)
        self.block += not inside
        item = self.item if inside else -1
        self._add_prose(self.at, last, line.start + (further.end() if further else 0), item=item, marker="")
        self.at = last + 1

    def _end_of_prose(self, first: int) -> int:
        last = first
        while last + 1 < len(self.lines) and not self._starts_block(last + 1):
            last += 1
        return last

    def _add_prose(
        self, first: int, last: int, start: int, *, item: int, marker: str, defines: Unit | None = None
    ) -> None:
        """`defines` is what the prose says the meaning of: it opens the first sentence."""
        lines = self.lines[first : last + 1]
        depth = max(0, len(self.open_items) - 1)
        lead_in = self.open_items[-1][1] if item >= 0 and self.open_items else None
        kind: Kind = "item" if item >= 0 else "sentence"
        for a, b in self._line_groups(lines, start):
            for x, y in sentence_spans(self.text, a, b):
                shown = clean(self.text[x:y])
                if any(map(str.isalnum, shown)):
                    if defines:
                        shown = f"{defines.text} {shown}"
                    begin = defines.start if defines else x
                    self.units.append(Unit(begin, y, kind, shown, self.block, item, marker, depth, lead_in))
                    marker, defines = "", None

    def _line_groups(self, lines: list[_Line], start: int) -> Iterator[tuple[int, int]]:
        """Runs of lines that flow into each other: a hard break, or any break in unwrapped text, parts them."""
        unwrapped = any(len(line.text) > WRAPPED_LINE_CHARS for line in lines)
        for line in lines:
            hard = line.text.endswith(("  ", "\\")) or line.text.rstrip().lower().endswith(("<br>", "<br/>", "<br />"))
            if unwrapped or hard:
                yield start, line.end
                start = line.end
        if lines and start < lines[-1].end:
            yield start, lines[-1].end

    # Headings

    def _heading(self, line: _Line) -> None:
        self.open_items = []
        self.block += 1
        opening = _ATX.match(line.text)
        start = line.start + (opening.end() if opening else 0)
        shown = clean(_HEADING_ID.sub("", self.text[start : line.end].rstrip().rstrip("#")))
        for a, b in trimmed(self.text, start, line.end):
            if shown:
                self.units.append(Unit(a, b, "heading", shown, self.block))
        self.at += 1
        if self.at < len(self.lines) and _UNDERLINE.match(self.lines[self.at].text):
            self.at += 1

    def _is_title(self, at: int) -> bool:
        """Whether a line is a heading without a mark: underlined, all bold, or a title line above unwrapped text."""
        line = self.lines[at]
        if at + 1 < len(self.lines) and not line.is_blank and _UNDERLINE.match(self.lines[at + 1].text):
            return not _ITEM.match(line.text) and not _DELIMITER.fullmatch(line.text)
        if _BOLD_LINE.match(line.text) and (at + 1 == len(self.lines) or self._starts_block(at + 1)):
            return True
        return (at == 0 or self.lines[at - 1].is_blank) and self._stands_above(at)

    def _stands_above(self, at: int) -> bool:
        """Plain text has titles too: a short first line that ends early, with a capital letter below it."""
        if at + 1 == len(self.lines) or self._starts_block(at + 1):
            return False
        text, below = self.lines[at].text.strip(), self.lines[at + 1].text
        if len(text) > MAX_HEADING_CHARS or text.endswith((".", ":", ";", ",", "!")) or below[:1].isspace():
            return False
        if not (below[:1].isupper() or below[:1].isdigit() or below[:1] in "\"“'"):
            return False
        ended_early = len(text) + 1 + len(below.split(maxsplit=1)[0]) < SHORT_LINE_CHARS
        return ended_early or text.endswith("?") or len(below) > WRAPPED_LINE_CHARS

    # Lists

    def _list_item(self, line: _Line) -> None:
        opening = _ITEM.match(line.text)
        if opening is None:
            raise AssertionError("the caller has matched this line")
        self._open_item(len(opening[1].expandtabs(4)))
        marker = "-" if not opening[2][0].isdigit() else opening[2]
        last = self._end_of_prose(self.at)
        self._add_prose(self.at, last, line.start + opening.end(), item=self.item, marker=marker)
        self.at = last + 1

    def _open_item(self, indent: int) -> None:
        if not self.open_items:
            self.block += 1
        while self.open_items and self.open_items[-1][0] >= indent:
            self.open_items.pop()
        lead_in = self._list_lead_in()
        self.open_items.append((indent, lead_in))
        self.item += 1

    def _opens_definition(self, at: int) -> bool:
        """Whether a line is a term, and the next one opens what it means: ": …"."""
        if at + 1 == len(self.lines) or not (opening := _DEFINITION.match(self.lines[at + 1].text)):
            return False
        line = self.lines[at]
        if line.is_blank or len(line.text) > MAX_TERM_CHARS or _DEFINITION.match(line.text):
            return False
        return line.indent == len(opening[1].expandtabs(4))

    def _definition(self, line: _Line) -> None:
        """A term with what it means, as an item of a list: "Term: meaning". Where that begins with a list, the term
        announces it."""
        self._open_item(line.indent)
        start, below = line.start + len(line.text) - len(line.text.lstrip()), self.lines[self.at + 1]
        end = line.start + len(line.text.rstrip())
        term = clean(self.text[start:end]).rstrip(" :：") + ":"
        named = Unit(start, end, "item", term, self.block, self.item, "-", len(self.open_items) - 1)
        self.at += 1
        self.lines[self.at] = _Line(below.start, below.end, below.text.replace(":", " ", 1))
        if self._starts_block(self.at):
            self.units.append(replace(named, lead_in=self.open_items[-1][1]))
            return
        last = self._end_of_prose(self.at)
        opening = below.start + below.text.index(":") + 1
        self._add_prose(self.at, last, opening, item=self.item, marker="-", defines=named)
        self.at = last + 1

    def _list_lead_in(self) -> int | None:
        """The unit before the list that ends in a colon; for later items, the one that their first sibling has."""
        for unit in reversed(self.units):
            if unit.block != self.block or unit.kind != "item" or unit.depth < len(self.open_items):
                break
            if unit.depth == len(self.open_items):
                return unit.lead_in
        return self._introduction(must_announce=True)

    def _introduction(self, *, must_announce: bool) -> int | None:
        """The last unit, when it may introduce what comes now; an announcement ends in a colon."""
        if not self.units or self.units[-1].kind not in ("sentence", "item"):
            return None
        announces = self.units[-1].text.endswith((":", "："))
        return len(self.units) - 1 if announces or not must_announce else None

    # Tables

    def _opens_table(self, at: int) -> bool:
        text = self.lines[at].text
        if "|" not in text:
            return False
        below = self.lines[at + 1].text if at + 1 < len(self.lines) else ""
        return text.lstrip().startswith("|") or ("|" in below and bool(_DELIMITER.fullmatch(below)))

    def _table(self) -> None:
        lead_in = self._introduction(must_announce=True)
        self.block += 1
        self.open_items = []
        header: list[str] = []
        if self.at + 1 < len(self.lines) and _DELIMITER.fullmatch(self.lines[self.at + 1].text):
            header = [shown for _, _, shown in self._cells(self.lines[self.at])]
            self.at += 2
        while self.at < len(self.lines) and "|" in self.lines[self.at].text:
            self._row(self.lines[self.at], header, lead_in)
            self.at += 1

    def _row(self, line: _Line, header: list[str], lead_in: int | None) -> None:
        cells = self._cells(line)
        shown = _named_cells(header, [cell for _, _, cell in cells])
        if not shown or _DELIMITER.fullmatch(line.text):
            return
        self.item += 1
        self.units.append(Unit(cells[0][0], cells[-1][1], "row", shown, self.block, self.item, "-", 0, lead_in))

    def _cells(self, line: _Line) -> list[tuple[int, int, str]]:
        inner = line.text.strip()
        start = line.start + line.text.index(inner) + inner.startswith("|")
        cells, at = list[tuple[int, int, str]](), start
        for part in _split_cells(inner.removeprefix("|").removesuffix("|")):
            spans = list(trimmed(self.text, at, at + len(part))) or [(at, at)]
            cells.append((*spans[0], clean(part.replace("\\|", "|"))))
            at += len(part) + 1
        return cells

    # Code

    def _fenced(self) -> None:
        lead_in = self._introduction(must_announce=False)
        self.block += 1
        first = self.at
        opening = _FENCE.match(self.lines[first].text)
        fence = opening[1] if opening else "```"
        self.at += 1
        while self.at < len(self.lines) and not self._closes(self.lines[self.at], fence):
            self.at += 1
        body = [line.text for line in self.lines[first : self.at]]
        last = min(self.at, len(self.lines) - 1)
        self.at += 1
        self._add_code(first, last, textwrap.dedent("\n".join(body)).strip("\n") + f"\n{fence}", lead_in, len(body) > 1)

    @staticmethod
    def _closes(line: _Line, fence: str) -> bool:
        text = line.text.strip().lstrip("> ")
        return text.startswith(fence) and not text.strip(fence[0])

    def _indented_code(self) -> None:
        lead_in = self._introduction(must_announce=False)
        self.block += 1
        first = self.at
        while self.at < len(self.lines) and (self.lines[self.at].is_blank or self.lines[self.at].indent >= 4):
            self.at += 1
        while self.lines[self.at - 1].is_blank:
            self.at -= 1
        body = textwrap.dedent("\n".join(line.text for line in self.lines[first : self.at]))
        self._add_code(first, self.at - 1, f"```\n{body}\n```", lead_in, True)

    def _add_code(self, first: int, last: int, shown: str, lead_in: int | None, has_body: bool) -> None:
        item = self.item if self.open_items else -1
        for start, end in trimmed(self.text, self.lines[first].start, self.lines[last].end) if has_body else ():
            depth = max(0, len(self.open_items) - 1)
            self.units.append(Unit(start, end, "code", shown, self.block, item, "", depth, lead_in))


def _split_cells(row: str) -> list[str]:
    """Cells between pipes that are neither escaped nor inside code."""
    cells, last = list[str](), 0
    for match in re.finditer(r"`[^`]*`|\\.|\|", row):
        if match.group() == "|":
            cells.append(row[last : match.start()])
            last = match.end()
    return [*cells, row[last:]]


def _named_cells(header: list[str], cells: list[str]) -> str:
    """A row in words. A first column without a name holds the names of the rows: it opens the row instead.

    A name ends at its colon: what follows ("Example: 20 hours a week") is about the table, not about each of its cells.
    """
    names = [name.partition(": ")[0] for name in header] + [""] * (len(cells) - len(header))
    named = [f"{name}: {cell}" if name else cell for name, cell in zip(names, cells, strict=False) if cell]
    opens = len(named) > 1 and bool(header) and not header[0] and bool(cells[0])
    return f"{named[0]} – {'; '.join(named[1:])}" if opens else "; ".join(named)
