"""What the operator decides about suggestions; the lower layers receive it as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

BOOSTS: Mapping[str, float] = MappingProxyType(
    {"genre": 0.5, "theme": 0.4, "topic": 0.4, "actor": 0.3, "director": 0.2, "publisher": 0.1}
)
HALF_LIVES: Mapping[str, float] = MappingProxyType(
    {"news": 2, "event": 14, "article": 365, "music": 730, "movie": 3650}
)
KEPT_SECONDS: Mapping[str, float] = MappingProxyType({"article": 1800, "music": 1800, "movie": 1800, "place": 300})


@dataclass(frozen=True, slots=True)
class Policy:
    """How lists are made.

    Attributes:
        boosts: Facet → the most that a match with the user's preferences adds to the multiplier.
        half_lives: Category → days after which an item's freshness is half; others don't age.
        freshness_floor: What the oldest item keeps of its score, 0..1.
        diversity: 0 (the best, however alike) to 1 (as different as can be); a new user's list has 0.
        explore: The chance that the last place of a list tries something from further down.
        kept_seconds: Category → how long a list is fresh; `default_kept_seconds` for the others.
    """

    boosts: Mapping[str, float] = field(default_factory=lambda: BOOSTS)
    half_lives: Mapping[str, float] = field(default_factory=lambda: HALF_LIVES)
    freshness_floor: float = 0.5
    diversity: float = 0.2
    explore: float = 0.1
    kept_seconds: Mapping[str, float] = field(default_factory=lambda: KEPT_SECONDS)
    default_kept_seconds: float = 1800

    def kept(self, category: str | None) -> float:
        """For how many seconds a list of this category is fresh."""
        return self.kept_seconds.get(category or "", self.default_kept_seconds)
