"""An answer's citations as OpenAI's clients show them: annotations for those who know them, a list for the rest."""

import re
from collections.abc import Sequence
from typing import Literal, TypeGuard

from pydantic import BaseModel

from agent.citations import without_markers
from agent.events import Source

HEAD = "\n\nSources:\n"
_MARKER = re.compile(r"\[(\d{1,3})\]")
_LIST = re.compile(r"\n\nSources:\n(?:\[\d{1,3}\] [^\n]*(?:\n|\Z))+\s*\Z")


class UrlCitation(BaseModel):
    """Which characters of the content cite which page."""

    start_index: int
    end_index: int
    title: str
    url: str


class Annotation(BaseModel):
    """A citation of a page."""

    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitation


def annotations(answer: str, sources: Sequence[Source]) -> list[Annotation]:
    """One for each marker in the text whose source has an address."""
    known = {source.number: source for source in sources}
    found = ((match, known.get(int(match[1]))) for match in _MARKER.finditer(answer))
    return [
        Annotation(
            url_citation=UrlCitation(
                start_index=match.start(), end_index=match.end(), title=source.title, url=source.url
            )
        )
        for match, source in found
        if source is not None and _is_web(source.url)
    ]


def _is_web(url: str | None) -> TypeGuard[str]:
    """Whether an address may be offered as a link: a document could name one that runs."""
    return url is not None and url.lower().startswith(("https://", "http://"))


def sources_list(sources: Sequence[Source]) -> str:
    """The sources as lines of plain text under the answer; nothing where there are none."""
    if not sources:
        return ""
    return HEAD + "\n".join(_line(source) for source in sources)


def _line(source: Source) -> str:
    place = " › ".join(part for part in (source.title, source.heading) if part)
    text = f"[{source.number}] {place}" + (f" – {source.url}" if _is_web(source.url) else "")
    return " ".join(text.split())


def without_sources(answer: str) -> str:
    """An earlier answer that a client sends back, without the list that was put under it, and without markers, which
    every turn numbers anew."""
    return without_markers(_LIST.sub("", answer))
