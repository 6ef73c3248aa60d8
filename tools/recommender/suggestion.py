"""What comes out: a suggestion with its scores and reasons, and a list of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from tools.recommender.model import Item


@dataclass(frozen=True, slots=True)
class Boost:
    """One line of `boost_details`: a value of the item that the user cares for, how much, and what that adds."""

    facet: str
    value: str
    preference: float
    boost: float


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, in words; `share` is the part of the score's positive terms that it stands for."""

    kind: str
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One item of a list.

    Attributes:
        score: The personalised score: base_score × boost_multiplier.
        match: The boost in words, such as "+34 % match"; "" where there is none.
        probability: That this item was shown in this list.
    """

    item: Item
    position: int
    score: float
    base_score: float
    boost_multiplier: float
    boost_details: tuple[Boost, ...]
    reasons: tuple[Reason, ...]
    probability: float

    @property
    def explanation(self) -> str:
        """The reasons as one sentence."""
        text = ", and ".join(reason.text for reason in self.reasons)
        return f"{text[:1].upper()}{text[1:]}."

    @property
    def match(self) -> str:
        """What the preferences add: "+34 % match"."""
        percent = round(100 * (self.boost_multiplier - 1))
        return f"{percent:+d} % match" if percent > 0 else ""

    def as_json(self) -> dict[str, Any]:
        """For a doorway."""
        return {
            "id": self.item.id,
            "title": self.item.title,
            "url": self.item.url,
            "category": self.item.category,
            "explanation": self.explanation,
            "score": round(self.score, 6),
            "base_score": round(self.base_score, 6),
            "personalized_score": round(self.score, 6),
            "boost_multiplier": round(self.boost_multiplier, 6),
            "boost_details": [asdict(boost) for boost in self.boost_details],
            "match": self.match,
            "reasons": [asdict(reason) for reason in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Personalization:
    """What the profile did to a list; `top` names the strongest value of each facet, `logged` whether it may be kept
    that the list was shown."""

    applied: bool
    original_alpha: float
    personalized_alpha: float
    top: Mapping[str, str] = field(default_factory=dict)
    persona: str | None = None
    logged: bool = True

    def as_json(self) -> dict[str, Any]:
        """For a doorway."""
        return {
            "applied": self.applied,
            "alpha_adjusted": self.personalized_alpha != self.original_alpha,
            "original_alpha": self.original_alpha,
            "personalized_alpha": round(self.personalized_alpha, 4),
            **{f"top_{facet}": value for facet, value in self.top.items()},
            "persona": self.persona,
        }


@dataclass(frozen=True, slots=True)
class SuggestionList:
    """A list for one user, best first."""

    id: str
    user_id: str
    suggestions: tuple[Suggestion, ...]
    personalization: Personalization
    made_at: datetime


def packed(listed: SuggestionList) -> dict[str, Any]:
    """A list as JSON values, items by their ids."""
    names = ("position", "score", "base_score", "boost_multiplier", "probability")
    return {
        "user_id": listed.user_id,
        "made_at": listed.made_at.timestamp(),
        "personalization": asdict(listed.personalization),
        "suggestions": [
            {
                "id": one.item.id,
                **{name: getattr(one, name) for name in names},
                "boost_details": [
                    [boost.facet, boost.value, boost.preference, boost.boost] for boost in one.boost_details
                ],
                "reasons": [[reason.kind, reason.text, reason.share] for reason in one.reasons],
            }
            for one in listed.suggestions
        ],
    }


def unpacked(
    held: Mapping[str, Any], suggestions: Sequence[Mapping[str, Any]], item: Callable[[str], Item]
) -> SuggestionList:
    """A list from JSON values with some of its suggestions, in new positions."""
    return SuggestionList(
        id="",
        user_id=held["user_id"],
        suggestions=tuple(
            Suggestion(
                item=item(one["id"]),
                position=position,
                score=one["score"],
                base_score=one["base_score"],
                boost_multiplier=one["boost_multiplier"],
                boost_details=tuple(Boost(*boost) for boost in one["boost_details"]),
                reasons=tuple(Reason(*reason) for reason in one["reasons"]),
                probability=one["probability"],
            )
            for position, one in enumerate(suggestions, 1)
        ),
        personalization=Personalization(**held["personalization"]),
        made_at=datetime.fromtimestamp(held["made_at"], UTC),
    )
