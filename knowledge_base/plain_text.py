"""Plain text to Markdown: what numbers, capitals and indents set apart there, Markdown sets apart by its marks."""

import re
import textwrap
from collections.abc import Iterator

from knowledge_base.markup import tidy

_IS_MARKDOWN = re.compile(r"^(?:#{1,6}[ \t]+\S|`{3}|~{3})", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_NUMBERED = re.compile(
    r"(?:(?P<part>chapter|part|appendix|section)\s+)?(?:\d{1,3}|[A-Z])(?P<more>(?:\.\d{1,3})*)[.:)]?\s+(?P<title>\S.*)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"^(?=#)", re.MULTILINE)
_ENDS_SENTENCE = re.compile(r"[.,;:]$")
_MOST_LINES = 3  # of a heading
_MOST_CHARS = 150
_LONGEST_CAPITALS = 60  # characters of a heading in capitals
_FEWEST_IN_CONTENTS = 5  # numbered lines in one block
_DEEPEST = 6  # levels that Markdown has


def markdown(text: str) -> str:
    """Headings are lines of their own with a section's number ("1.2 Paying"), or in capitals; indents are only looks,
    and not code; a table of contents goes. Text that has Markdown's headings or fences is taken for Markdown."""
    if _IS_MARKDOWN.search(text):
        return tidy(text)
    even = text.expandtabs().replace("\xa0", " ")
    blocks = [textwrap.dedent(block).strip("\n") for block in _BLANK_LINES.split(even)]
    numbered = any(_level(block) > 2 for block in blocks)
    return tidy("\n\n".join(_read(blocks, numbered=numbered)))


def _read(blocks: list[str], *, numbered: bool) -> Iterator[str]:
    for block in blocks:
        level = _level(block)
        if level > 2 or (level and numbered):
            yield f"{'#' * min(level, _DEEPEST)} {_title(block)}"
        elif _is_in_capitals(block):
            yield f"## {block.strip()}"
        elif not _lists_contents(block):
            yield _COMMENT.sub(r"\\", block)


def _level(block: str) -> int:
    """Markdown's level of a heading with a number: 2 for "3. Paying", 3 for "3.1 Refunds"; 0 for anything else."""
    found = _NUMBERED.fullmatch(block.strip())
    if not found or block.count("\n") >= _MOST_LINES or len(block) > _MOST_CHARS or _ENDS_SENTENCE.search(block):
        return 0
    return 2 + found["more"].count(".")


def _title(block: str) -> str:
    found = _NUMBERED.fullmatch(block.strip())
    return " ".join((found["title"] if found else block).split())


def _is_in_capitals(block: str) -> bool:
    one_line = "\n" not in block and len(block) <= _LONGEST_CAPITALS
    return one_line and block.isupper() and bool(re.search(r"[^\W\d_]{4}", block)) and not _ENDS_SENTENCE.search(block)


def _lists_contents(block: str) -> bool:
    lines = block.split("\n")
    entries = sum(bool((found := _NUMBERED.fullmatch(line.strip())) and found["more"]) for line in lines)
    return entries >= _FEWEST_IN_CONTENTS and entries >= len(lines) / 2
