"""The YAML block at the top of a Markdown file.

Every scalar is read as the text that stands there (`title: Yes` is the title Yes, not a truth value), so an author
never has to know YAML's types. Keys that Attune does not know are ignored.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from knowledge_base.errors import DocumentRejected

MAX_CHARS = 65_536

_OPENING = re.compile(r"\s*^---[ \t]*\n", re.MULTILINE)
_CLOSING = re.compile(r"^(?:---|\.\.\.)[ \t]*$\n?", re.MULTILINE)
_KEY = re.compile(r"[A-Za-z_][\w-]*[ \t]*:(?:\s|$)")
_NOTHING = {"", "null", "~"}
_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    title: str | None = None
    topic: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    level: str | None = None
    updated: date | None = None
    url: str | None = None
    label: str | None = None  # Docusaurus' sidebar_label: a title when there is no other


def split(text: str) -> tuple[FrontMatter, str]:
    """The front matter and the text below it. Raises DocumentRejected with the line and what is wrong there."""
    opening = _OPENING.match(text)
    if not opening:
        return FrontMatter(), text
    looks_meant = _KEY.match(text, opening.end())
    closing = _CLOSING.search(text, opening.end(), opening.end() + MAX_CHARS)
    if not closing:
        if looks_meant:
            raise DocumentRejected("front matter is opened with --- and never closed with ---")
        return FrontMatter(), text  # a text that begins with a rule
    values = _parse(text[opening.end() : closing.start()], first_line=text.count("\n", 0, opening.end()) + 1)
    if values is None:
        return FrontMatter(), text
    return _front_matter(values), text[closing.end() :]


def _parse(block: str, *, first_line: int) -> dict[str, Any] | None:
    """The keys and values; None when the block is prose between two rules."""
    try:
        values = yaml.load(block, Loader=_Loader)  # noqa: S506 - BaseLoader makes only texts, lists and mappings
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {first_line + mark.line}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise DocumentRejected(f"front matter is not valid YAML: {where}{problem}") from error
    except RecursionError as error:
        raise DocumentRejected("front matter is nested too deeply") from error
    if isinstance(values, list):
        raise DocumentRejected("front matter must be lines of `key: value`, found a list")
    if isinstance(values, str):
        return None if values else {}
    return values or {}


def _front_matter(values: dict[str, Any]) -> FrontMatter:
    return FrontMatter(
        title=_text(values, "title"),
        topic=_text(values, "topic"),
        category=_text(values, "category"),
        tags=_tags(values.get("tags")),
        level=_text(values, "level"),
        updated=_date(values, "updated"),
        url=_url(values, "url"),
        label=_text(values, "sidebar_label"),
    )


def _text(values: dict[str, Any], key: str) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if not isinstance(value, str):
        raise DocumentRejected(f"front matter `{key}` must be one text, found {_kind(value)}")
    folded = " ".join(value.split())
    return None if folded.lower() in _NOTHING else folded


def _tags(value: object) -> tuple[str, ...]:
    """A list, a text with commas, or Docusaurus' `{label: …}` entries."""
    if value is None:
        return ()
    entries: Sequence[object] = (
        value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [0]
    )
    tags: dict[str, None] = {}
    for entry in entries:
        tag = entry.get("label") if isinstance(entry, dict) else entry
        if not isinstance(tag, str):
            raise DocumentRejected(f"front matter `tags` must be a list of texts, found {_kind(value)}")
        if tag.strip().lower() not in _NOTHING:
            tags[" ".join(tag.split())] = None
    return tuple(tags)


def _date(values: dict[str, Any], key: str) -> date | None:
    text = _text(values, key)
    if text is None:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise DocumentRejected(f"front matter `{key}` must be a date like 2026-01-31, found {text[:40]!r}") from error


def _url(values: dict[str, Any], key: str) -> str | None:
    text = _text(values, key)
    if text is not None and not re.match(r"(https?://|/)\S+$", text):
        raise DocumentRejected(f"front matter `{key}` must start with http://, https:// or /, found {text[:60]!r}")
    return text


def _kind(value: object) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a text"
