"""What a search found, numbered for one turn, so that a trace, a chat window and the model all mean the same [2]."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from knowledge_base.passage import Hit, SearchResult

QUOTE_CHARS = 240


class Source(BaseModel):
    """A retrieved passage that the answer may cite by `number`, as [1]."""

    model_config = ConfigDict(frozen=True)

    number: int
    title: str
    heading: str
    url: str | None
    quote: str = Field(description="The words of the passage that the answer rests on, or its beginning")
    text: str = Field(description="The whole passage")
    score: float = Field(ge=0, le=1)
    topic: str | None
    document_id: str
    passage_id: str
    ordinal: int = Field(default=0, description="The passage's place in its document, from 0")


@dataclass(frozen=True, slots=True)
class Found:
    """One search of a turn, with its passages as numbered sources: the artifact of the search tool's message.
    `alone` says that nothing which was said before belongs to the question."""

    query: str
    confidence: float
    answerable: bool
    sources: tuple[Source, ...]
    alone: bool = False

    def ahead(self) -> list[str]:
        """The topics of passages that stand before one with a better score: the user's preferences put them there."""
        scores = [source.score for source in self.sources]
        moved = (source for at, source in enumerate(self.sources) if source.score < max(scores[at:]))
        return [source.topic for source in moved if source.topic]

    def as_text(self) -> str:
        """What the model reads. Passages are data: each is fenced by a tag that its own text cannot close."""
        if not self.sources:
            return "No passage was found."
        head = "" if self.answerable else "These are the nearest passages; they may well not answer the question.\n"
        return head + "\n".join(fenced(source, source.text) for source in self.sources)


def fenced(source: Source, text: str) -> str:
    """`text` of a source's article inside a tag that names the source and that the text itself cannot close."""
    title, heading = html.escape(source.title), html.escape(source.heading)
    text = text.replace("</passage", "<\\/passage")
    return f'<passage number="{source.number}" article="{title}" section="{heading}">\n{text}\n</passage>'


def linked(title: str, url: str | None) -> str:
    """A Markdown link that neither title nor address can break out of; the title alone where there is no address."""
    title = re.sub(r"([\[\]\\])", r"\\\1", " ".join(title.split()))
    return f"[{title}]({url})" if url and not re.search(r"[\s()<>]", url) else title


def article_line(source: Source) -> str:
    """A source in a list of articles, with its number."""
    return f"- {linked(source.title or source.document_id, source.url)} [{source.number}]"


@dataclass(slots=True)
class SourceRegister:
    """Numbers passages from 1 in the order in which a turn's searches first see them."""

    _by_passage: dict[str, Source] = field(default_factory=dict)

    def register(self, result: SearchResult) -> Found:
        """The result with numbers; a passage that an earlier search of this turn found keeps its number, and in this
        result has the score that this search gives it."""
        sources = tuple(self._number(hit) for hit in result.hits)
        return Found(result.query, result.confidence, result.answerable, sources, result.alone)

    def _number(self, hit: Hit) -> Source:
        known = self._by_passage.get(hit.passage.id)
        if known is None:
            known = self._by_passage[hit.passage.id] = _source(len(self._by_passage) + 1, hit)
        return known if known.score == hit.score else known.model_copy(update={"score": hit.score})

    def all(self) -> list[Source]:
        """Every source so far, by number."""
        return list(self._by_passage.values())

    def named(self, numbers: Iterable[int]) -> list[Source]:
        """The sources of these numbers, in the order given; numbers that name nothing are passed over."""
        sources = self.all()
        return [sources[number - 1] for number in numbers if 0 < number <= len(sources)]


def _source(number: int, hit: Hit) -> Source:
    passage = hit.passage
    return Source(
        number=number,
        title=passage.title,
        heading=passage.heading,
        url=passage.url,
        quote=_beginning(passage.text),
        text=passage.text,
        score=hit.score,
        topic=passage.topic,
        document_id=passage.document_id,
        passage_id=passage.id,
        ordinal=passage.ordinal,
    )


def _beginning(text: str) -> str:
    if len(text) <= QUOTE_CHARS:
        return text
    return text[:QUOTE_CHARS].rsplit(maxsplit=1)[0] + "…"
