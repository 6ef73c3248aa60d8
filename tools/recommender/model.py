"""The values of the recommender: an item of the catalogue, an event of the log, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tools.recommender.errors import RowRejected

Facets = Mapping[str, tuple[str, ...]]
"""What an item is about: facet → values, such as {"genre": ("Drama",), "topic": ("Escrow",)}."""

ID_CHARS, TITLE_CHARS, TEXT_CHARS = 200, 500, 100_000
FACET_CHARS, VALUE_CHARS, VALUES = 100, 200, 200


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be suggested: an article, a film, a place, an event.

    Attributes:
        category: Decides freshness, diversity's room and how long lists are kept.
        location: Latitude and longitude in degrees.
        popularity: What is known of it from elsewhere, 0 or more; the log's own counts are added to it.
        superseded_by: The item that took its place; it is never suggested again.
    """

    id: str
    title: str
    text: str = ""
    url: str | None = None
    category: str = "article"
    facets: Facets = field(default_factory=dict)
    published: datetime | None = None
    expires: datetime | None = None
    location: tuple[float, float] | None = None
    popularity: float = 0.0
    active: bool = True
    superseded_by: str | None = None

    def __post_init__(self) -> None:
        _length("id", self.id, 1, ID_CHARS)
        _length("title", self.title, 1, TITLE_CHARS)
        _length("text", self.text, 0, TEXT_CHARS)
        _length("category", self.category, 1, FACET_CHARS)
        for name, values in self.facets.items():
            _length("facets", name, 1, FACET_CHARS)
            if len(values) > VALUES:
                raise RowRejected(name, f"Expected at most {VALUES} values of {name!r}, got {len(values)}.")
            for value in values:
                _length(name, value, 1, VALUE_CHARS)


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was left out: its number (from 1), the field, and what was expected."""

    row: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.field}: {self.reason}"


def _length(name: str, value: str, least: int, most: int) -> None:
    if not least <= len(value) <= most:
        raise RowRejected(name, f"Expected {least} to {most} characters, got {len(value):,}.")
