"""What a profile is made of, as values: what a user does and says, what that teaches, and what it adds up to.

Texts are cleaned when a value is made (white space collapsed, nothing that a database would refuse), and what cannot be
kept raises ProfileInputInvalid with the name of the field, so that the store writes wholly or not at all.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

from tools.profile.errors import ProfileInputInvalid

InteractionType = Literal[
    "question",
    "content_view",
    "search",
    "click",
    "save",
    "unsave",
    "rate",
    "ignore",
    "dismiss",
    "conversation",
    "item_create",
    "finish",
]
Source = Literal["manual", "conversation", "activity", "item"]
"""Where a tag comes from: typed by the user, said in a conversation, done, or carried by an item of theirs."""
Slot = Literal["role", "experience_level", "company_size", "language", "tone", "length", "timezone"]
"""What a user can tell about themselves, one value at a time."""
Category = Literal["interest", "skill", "goal", "topic", "industry"]
Kind = Literal["preference", "tag", "fact"]

INTERACTION_TYPES: tuple[str, ...] = get_args(InteractionType)
SOURCES: tuple[str, ...] = get_args(Source)
SLOTS: tuple[str, ...] = get_args(Slot)
CATEGORIES: tuple[str, ...] = get_args(Category)

TAG_FACET = "tag"
"""The facet under which evidence and mutes name a tag; facts are named by their slot."""

FACET_CHARS, VALUE_CHARS, QUOTE_CHARS, KEY_CHARS = 100, 200, 400, 200
RATING_MAX = 10.0

Facets = Mapping[str, Sequence[str]]
"""What an item or an article is about: facet → values, such as {"genre": ("Medical",), "topic": ("Escrow",)}."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """Something a user did.

    Attributes:
        item_id: The item or article that it was done to.
        rating: 0 to 10, with type `rate`.
        metadata: JSON values; a question's words are its `text`.
        at: When it happened; None means now.
        key: The same key of one user is counted once.
    """

    type: InteractionType
    item_id: str | None = None
    rating: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    keywords: Sequence[str] = ()
    at: datetime | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        _one_of("type", self.type, INTERACTION_TYPES)
        if self.type == "rate" and self.rating is None:
            raise ProfileInputInvalid("rating", "A rating needs a number from 0 to 10; none was given.")
        if self.rating is not None:
            _within("rating", self.rating, 0, RATING_MAX)
        if self.at is not None and self.at.tzinfo is None:
            raise ProfileInputInvalid("at", f"Expected a time with its zone, got {self.at.isoformat()!r}.")
        try:
            json.dumps([dict(self.metadata), list(self.keywords)], allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ProfileInputInvalid(
                "metadata", f"Expected metadata and keywords that JSON can hold: {error}."
            ) from error
        for name in ("item_id", "key"):
            _clean_optional(self, name)


@dataclass(frozen=True, slots=True)
class Signal:
    """One update of a preference: a weight from -1 to 1, and the user's own words ("" where an action says it all)."""

    facet: str
    value: str
    weight: float
    quote: str = ""

    def __post_init__(self) -> None:
        _clean(self, "facet", FACET_CHARS)
        _clean(self, "value", VALUE_CHARS)
        _within("weight", self.weight, -1, 1)
        object.__setattr__(self, "quote", shortened(self.quote))


@dataclass(frozen=True, slots=True)
class TagSeen:
    """A tag that something suggests, with a confidence from 0 to 1."""

    name: str
    confidence: float
    quote: str = ""
    source: Source = "conversation"

    def __post_init__(self) -> None:
        _clean(self, "name", VALUE_CHARS)
        _within("confidence", self.confidence, 0, 1)
        _one_of("source", self.source, SOURCES)
        object.__setattr__(self, "quote", shortened(self.quote))


@dataclass(frozen=True, slots=True)
class FactTold:
    """What the user said about themselves, in one of the slots."""

    slot: Slot
    value: str
    quote: str = ""

    def __post_init__(self) -> None:
        _one_of("slot", self.slot, SLOTS)
        _clean(self, "value", VALUE_CHARS)
        object.__setattr__(self, "quote", shortened(self.quote))


@dataclass(frozen=True, slots=True)
class Lessons:
    """What one message or action teaches."""

    signals: Sequence[Signal] = ()
    tags: Sequence[TagSeen] = ()
    facts: Sequence[FactTold] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of the ledger: why something is believed of a user.

    Attributes:
        facet: A preference's facet, "tag" for a tag, a fact's slot.
        quote: The user's own words; "" for an action.
        weight: A signal's weight; a tag's confidence; 1 for a fact.
        source: Where it comes from, such as "conversation", "activity", "manual".
        retracted_at: When the user undid it; it counts no more and can't be learned again.
    """

    id: int
    kind: Kind
    facet: str
    value: str
    weight: float
    quote: str
    source: Source
    interaction_id: int | None
    message_id: str | None
    created_at: datetime
    retracted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of it: the entries of the ledger that are new. Nothing when learning is off or the key was seen."""

    interaction_id: int | None = None
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many interactions were kept, how many of them had been kept before, and what the new ones taught."""

    recorded: int
    repeated: int
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Preference:
    """How much a user cares for a value of a facet: a score from -1 to 1, faded to the time of reading."""

    facet: str
    value: str
    score: float
    evidence: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Tag:
    """A word for the user, of a category where the taxonomy knows it."""

    id: int
    name: str
    manual: bool
    source: Source
    confidence: float
    interactions: int
    category: Category | None
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """What the user told about themselves; `evidence_id` leads to the words."""

    slot: Slot
    value: str
    quote: str
    evidence_id: int
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Persona:
    """A name for what the preferences add up to, with the reasons in words."""

    name: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Muted:
    """What is neither learned nor used until the user allows it again."""

    facet: str
    value: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Everything that is used of a user, strongest first; what they muted is left out."""

    user_id: str
    preferences: tuple[Preference, ...] = ()
    tags: tuple[Tag, ...] = ()
    facts: tuple[Fact, ...] = ()
    personas: tuple[Persona, ...] = ()
    recent_questions: tuple[str, ...] = ()
    interactions: int = 0
    learning: bool = True
    muted: tuple[Muted, ...] = ()

    def top(self, facet: str | None = None, limit: int = 5) -> tuple[Preference, ...]:
        """The strongest preferences that are for something, of one facet when given."""
        wanted = (one for one in self.preferences if one.score > 0 and facet in (None, one.facet))
        return tuple(wanted)[:limit]

    def fact(self, slot: Slot) -> str | None:
        """What the user told for this slot."""
        return next((one.value for one in self.facts if one.slot == slot), None)

    @property
    def is_empty(self) -> bool:
        """Nothing is known that could change a reply."""
        return not (self.preferences or self.tags or self.facts or self.recent_questions)


def key_of(name: str) -> str:
    """What makes two spellings the same name: neither case nor white space counts."""
    return " ".join(name.split()).casefold()


def plain(text: str) -> str:
    """The text without what databases refuse: NUL and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def shortened(quote: str, chars: int = QUOTE_CHARS) -> str:
    """A quote on one line, cut where it is longer than `chars`."""
    line = " ".join(plain(quote[: 4 * chars]).split())
    return line if len(line) <= chars else line[:chars].rstrip() + "…"


def _clean(value: object, name: str, limit: int) -> None:
    text = " ".join(plain(getattr(value, name)).split())
    if not 1 <= len(text) <= limit:
        raise ProfileInputInvalid(name, f"Expected {name} to have 1 to {limit} characters, got {len(text)}.")
    object.__setattr__(value, name, text)


def _clean_optional(value: object, name: str) -> None:
    if getattr(value, name) is not None:
        _clean(value, name, KEY_CHARS)


def _within(name: str, number: float, low: float, high: float) -> None:
    if not (math.isfinite(number) and low <= number <= high):
        raise ProfileInputInvalid(name, f"Expected {name} to be a number from {low:g} to {high:g}, got {number!r}.")


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ProfileInputInvalid(name, f"Expected {name} to be one of {', '.join(allowed)}, got {value!r}.")
