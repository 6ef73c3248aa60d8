"""A file's bytes to a Document, by its extension. Raises DocumentRejected with a reason that its author understands.

| extension | read as | title from |
| --- | --- | --- |
| .md .markdown .mdx | Markdown without front matter, components, raw HTML | front matter, first H1, name |
| .html .htm .xhtml | the main content as Markdown | first H1, head, name |
| .txt .text | headings by their numbers or capitals; indents are no code | first line when it is short, name |
| .pdf | headings, paragraphs, lists, tables and code as Markdown | metadata, first heading or line, name |
| .docx | headings, lists and tables as Markdown | first H1, name |
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath

from knowledge_base import front_matter, markup, plain_text
from knowledge_base.decoding import decode
from knowledge_base.errors import DocumentRejected
from knowledge_base.passage import Document

MAX_BYTES = 20 * 2**20
MAX_UNPACKED_BYTES = 200 * 2**20  # what a .docx, which is a ZIP archive, may grow to

_MAX_TITLE = 200  # characters
_MAX_FIRST_LINE = 100  # a longer one is prose, not a title
_H1 = re.compile(
    r"^ {0,3}#[ \t]+(?P<atx>.+?)[ \t]*#*[ \t]*$|^(?P<setext>[^\s>#*+\-=`|][^\n|]{0,200})\n=+[ \t]*$", re.MULTILINE
)
_ID = re.compile(r"\s*\{#[^\s{}]+\}\s*$")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`+|~~)(?=\S)(.+?)(?<=\S)\1")
_WORD_SEPARATORS = re.compile(r"[\s_\-.]+")
_INDEX_NAMES = {"index", "readme", "_index"}
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader of one format found. What is None, the file's name and place must say."""

    text: str
    title: str | None = None
    topic: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    level: str | None = None
    updated: date | None = None
    url: str | None = None


def is_supported(name: str) -> bool:
    """Whether a file of this name is read at all."""
    return PurePosixPath(name).suffix.lower() in _READERS


def load(data: bytes, place: PurePosixPath, *, id: str, source: str) -> Document:
    """The document that these bytes are.

    `place` is the file's path below the folder that was ingested, the folder's own name first: it tells the format, and
    title and topic where the content doesn't. Raises DocumentRejected.
    """
    reader = _READERS.get(place.suffix.lower())
    if reader is None:
        raise DocumentRejected(f"has a format that is not read. Known are: {', '.join(sorted(_READERS))}")
    if not data.strip():
        raise DocumentRejected("is empty")
    try:
        content = reader(data)
    except RecursionError as error:
        raise DocumentRejected("is nested too deeply") from error
    if not content.text.strip():
        raise DocumentRejected("holds no text")
    name, folder = readable_names(place)
    title = (content.title or name)[:_MAX_TITLE]
    return Document(
        id=id,
        title=title,
        text=content.text,
        source=source,
        content_hash=hashlib.sha256(data).hexdigest(),
        url=content.url,
        topic=content.topic or content.category or folder or title,
        category=content.category,
        tags=content.tags,
        level=content.level,
        updated=content.updated,
    )


def readable_names(place: PurePosixPath) -> tuple[str, str | None]:
    """What a file's name and its folder's say, made readable; no folder for what lies directly in the ingested one.

    An index page stands for its folder. A double underscore separates like a slash, as in documentation that was
    flattened into one folder: `kb/bank-sync__index.md` is ("Bank sync", "Bank sync").
    """
    root, *parts = [part for name in place.with_suffix("").parts for part in name.split("__") if part]
    folder = _readable(parts[-2]) if len(parts) > 1 else None
    if parts and parts[-1].lower() not in _INDEX_NAMES:
        return _readable(parts[-1]), folder
    return folder or _readable(root), folder


def _readable(name: str) -> str:
    words = _WORD_SEPARATORS.sub(" ", name).strip() or name
    return words[0].upper() + words[1:]


# Markdown


def _read_markdown(data: bytes) -> Content:
    return _markdown(decode(data), mdx=False)


def _read_mdx(data: bytes) -> Content:
    return _markdown(decode(data), mdx=True)


def _markdown(text: str, *, mdx: bool) -> Content:
    meta, body = front_matter.split(text)
    body = markup.plain_markdown(body, mdx=mdx)
    return Content(
        text=body,
        title=meta.title or first_h1(body) or meta.label,
        topic=meta.topic,
        category=meta.category,
        tags=meta.tags,
        level=meta.level,
        updated=meta.updated,
        url=meta.url,
    )


def first_h1(text: str) -> str | None:
    """The first heading of the first level outside code, without marks."""
    match = _H1.search(markup.without_code(text))
    if not match:
        return None
    heading = _ID.sub("", match["atx"] or match["setext"])
    return " ".join(_EMPHASIS.sub(r"\2", heading).split()) or None


# HTML and plain text


def _read_html(data: bytes) -> Content:
    from knowledge_base import web_page

    declared = _CHARSET.search(data[:4096])
    page = web_page.read(decode(data, declared=declared[1].decode("ascii") if declared else None))
    return Content(text=page.markdown, title=page.title, url=page.url, updated=page.updated)


def _read_text(data: bytes) -> Content:
    text = decode(data)
    return Content(text=plain_text.markdown(text), title=_first_line(text))


def _first_line(text: str) -> str | None:
    line = text.lstrip().partition("\n")[0].strip(" \t#*=-")
    return line if 0 < len(line) <= _MAX_FIRST_LINE and not line.endswith((".", ",", ";", ":")) else None


# Binary formats


def _read_pdf(data: bytes) -> Content:
    from knowledge_base import pdf

    document = pdf.read(data)
    return Content(text=document.text, title=document.title or _first_line(document.text), updated=document.updated)


def _read_docx(data: bytes) -> Content:
    from knowledge_base import docx_file

    text = docx_file.read(data, max_unpacked=MAX_UNPACKED_BYTES)
    return Content(text=text, title=first_h1(text))


_READERS: dict[str, Callable[[bytes], Content]] = {
    ".md": _read_markdown,
    ".markdown": _read_markdown,
    ".mdx": _read_mdx,
    ".html": _read_html,
    ".htm": _read_html,
    ".xhtml": _read_html,
    ".txt": _read_text,
    ".text": _read_text,
    ".pdf": _read_pdf,
    ".docx": _read_docx,
}
