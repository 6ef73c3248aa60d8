"""The outline of a Markdown text: its sections, their heading paths and fragments, and the blocks inside them.

Everything is a span of character offsets into the text, so that what is cut along them is verbatim source. Spans tile
the text: lines that make no token (link definitions, for one) belong to the block before them.
"""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

MAX_HEADING_CHARS = 200  # a paragraph underlined with dashes parses as a heading; beyond this it is taken for prose

_NEWLINE = re.compile(r"\r\n?|\n")  # what markdown-it counts as a line, which is less than str.splitlines does
_EXPLICIT_ID = re.compile(r"\s*\{#([^\s{}]+)\}\s*$")
_NOT_IN_SLUG = re.compile(r"[^\w\- ]")
_CONTAINERS = {"bullet_list", "ordered_list", "list_item", "blockquote", "table", "thead", "tbody"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of Markdown, `text[start:end]`.

    `parts` tile it where it may be divided into smaller blocks; `prose` tells whether it may else be divided between
    sentences, or only between lines, like code.
    """

    start: int
    end: int
    prose: bool = True
    parts: tuple["Block", ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under one heading, down to the next heading of any level.

    `path` holds the headings from the outermost to the nearest and `slugs` their fragments; both are empty above the
    first heading. The heading's own lines are `text[start:body]`, what follows them `text[body:end]`.
    """

    path: tuple[str, ...]
    slugs: tuple[str, ...]
    start: int
    body: int
    end: int
    blocks: tuple[Block, ...]


def sections(text: str) -> list[Section]:
    """The sections of `text` in order; together they cover all of it."""
    line_starts = [0, *(match.end() for match in _NEWLINE.finditer(text)), len(text)]
    nodes = [node for node in SyntaxTreeNode(_parser().parse(text)).children if node.map]
    heads = [0, *(i for i, node in enumerate(nodes) if _is_heading(node))]
    slugger, open_headings, found = Slugger(), list[tuple[int, str, str]](), list[Section]()
    for position, first in enumerate(heads):
        last = heads[position + 1] if position + 1 < len(heads) else len(nodes)
        heading = nodes[first] if position else None
        start = _offset(heading, line_starts) if heading else 0
        end = _offset(nodes[last], line_starts) if last < len(nodes) else len(text)
        body = start
        if heading and heading.map:
            body = line_starts[min(heading.map[1], len(line_starts) - 1)]
            level, (title, slug) = int(heading.tag[1]), slugger.title_and_slug(_plain(heading))
            open_headings = [entry for entry in open_headings if entry[0] < level] + [(level, title, slug)]
        inner = nodes[first + 1 : last] if heading else nodes[first:last]
        found.append(
            Section(
                path=tuple(title for _, title, _ in open_headings),
                slugs=tuple(slug for _, _, slug in open_headings),
                start=start,
                body=body,
                end=end,
                blocks=_tile(inner, body, end, line_starts),
            )
        )
    return found


class Slugger:
    """Fragments as GitHub makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered from -1."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def title_and_slug(self, heading: str) -> tuple[str, str]:
        """The heading without an explicit `{#id}`, and its fragment: that id, or the slug of the heading."""
        explicit = _EXPLICIT_ID.search(heading)
        if explicit:
            self._seen[explicit[1]] += 1
            return heading[: explicit.start()].strip(), explicit[1]
        return heading, self._unique(_NOT_IN_SLUG.sub("", heading.lower()).replace(" ", "-"))

    def _unique(self, slug: str) -> str:
        candidate = slug
        while candidate in self._seen:
            candidate = f"{slug}-{self._seen[slug]}"
            self._seen[slug] += 1
        self._seen[candidate] += 1
        return candidate


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark").enable("table")


def _is_heading(node: SyntaxTreeNode) -> bool:
    return node.type == "heading" and 0 < len(_plain(node)) <= MAX_HEADING_CHARS


def _plain(heading: SyntaxTreeNode) -> str:
    """The heading's words, without emphasis, links and other marks."""
    inline = heading.children[0] if heading.children else None
    if inline is None:
        return ""
    words = ((" " if node.type == "softbreak" else node.content) for node in inline.walk() if _carries_text(node))
    return " ".join("".join(words).split())


def _carries_text(node: SyntaxTreeNode) -> bool:
    return node.type in {"text", "code_inline", "softbreak"}


def _offset(node: SyntaxTreeNode, line_starts: list[int]) -> int:
    return line_starts[node.map[0]] if node.map else 0


def _tile(nodes: list[SyntaxTreeNode], start: int, end: int, line_starts: list[int]) -> tuple[Block, ...]:
    """The nodes as blocks that cover `start` to `end` without gaps."""
    starts = [max(start, _offset(node, line_starts)) for node in nodes]
    if not starts:
        return (Block(start, end),) if start < end else ()
    bounds = [start, *starts[1:], end]
    return tuple(_block(node, bounds[i], bounds[i + 1], line_starts) for i, node in enumerate(nodes))


def _block(node: SyntaxTreeNode, start: int, end: int, line_starts: list[int]) -> Block:
    inner = [child for child in node.children if child.map] if node.type in _CONTAINERS else []
    parts = _tile(inner, start, end, line_starts) if inner else ()
    return Block(start, end, prose=node.type in {"paragraph", "heading"}, parts=parts)
