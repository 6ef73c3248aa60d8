"""Why an item is suggested, in plain words, from the terms that made its score and from nothing else.

A term is named only when it adds to the score and stands for a good part of all that does. What names an item of the
user's history, or a value that they care for, is the entry that contributed most to that very term.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tools.recommender.ranking import Ranker, Scores
from tools.recommender.signals import SPANS
from tools.recommender.sparse_rows import take
from tools.recommender.suggestion import Boost, Reason
from tools.recommender.user_state import UserState

MOST = 2
LEAST_SHARE = 0.15
WELCOME = "a good one to begin with: many people liked it"
NOTHING = "it is in the catalogue, and you have not seen it yet"
DID = {"article": "read", "news": "read", "movie": "watched", "music": "listened to", "place": "went to"}
RECENT = tuple(f"popular_{span:g}" for span in SPANS)
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "people": ("ease", "ease_recent", "neighbours", "neighbours_recent", "succession", "succession_recent"),
    "content": ("content", "content_recent"),
    "adjacent": ("adjacent",),
    "conversation": ("conversation",),
    "like_this": ("like_this",),
    "popular": ("popular",),
    "trending": RECENT,
    "popular_facets": ("popular_facets",),
    "new": ("new",),
}


@dataclass(frozen=True, slots=True)
class _Case:
    ranker: Ranker
    scores: Scores
    state: UserState
    place: int

    def worth(self, source: str) -> float:
        """What a source adds to the base score of this item."""
        if source in self.scores.terms:
            term = self.scores.terms[source][self.place]
        elif source in _PERSONAL:
            return 0.0
        else:
            term = self.ranker.crowd_term(source, self.scores.alpha, self.place)
        return float(term * self.scores.scale[self.place])


_PERSONAL = frozenset(
    source for name in ("people", "content", "adjacent", "conversation", "like_this") for source in FAMILIES[name]
)


def boosts_of(ranker: Ranker, state: UserState, place: int) -> tuple[Boost, ...]:
    """`boost_details` of one item: the values that made its multiplier, the strongest first."""
    found: dict[tuple[str, bool], Boost] = {}
    for facet, value in _named(ranker, place):
        score = (state.prefers or {}).get((facet.casefold(), value.casefold()))
        factor = ranker.policy.boosts.get(facet.casefold())
        if score and factor:
            held = found.get((facet, score > 0))
            if held is None or abs(score) > abs(held.preference):
                found[facet, score > 0] = Boost(facet, value, round(score, 4), round(factor * score, 4))
    return tuple(sorted(found.values(), key=lambda boost: -abs(boost.boost)))


def reasons_of(ranker: Ranker, scores: Scores, state: UserState, place: int) -> tuple[Reason, ...]:
    """At most two reasons, the stronger first."""
    case = _Case(ranker, scores, state, place)
    worth = {kind: sum(case.worth(source) for source in sources) for kind, sources in FAMILIES.items()}
    boosts = [boost for boost in boosts_of(ranker, state, place) if boost.boost > 0 and scores.multiplier[place] > 1]
    worth["preference"] = float(scores.base[place]) * sum(boost.boost for boost in boosts)
    positive = sum(value for value in worth.values() if value > 0)
    reasons = []
    for kind in sorted(worth, key=lambda kind: -worth[kind]):
        share = worth[kind] / positive if positive > 0 else 0.0
        if share >= LEAST_SHARE and (text := _text(kind, case, boosts)):
            reasons.append(Reason(kind, text, round(share, 4)))
    return tuple(reasons[:MOST]) or (Reason("catalogue", NOTHING, 0.0),)


def _text(kind: str, case: _Case, boosts: list[Boost]) -> str | None:
    if kind == "preference":
        return _because_you_care(boosts[0], case.state) if boosts else None
    return _TEXTS[kind](case)


def _because_you_care(boost: Boost, state: UserState) -> str:
    asked = any(boost.value.casefold() in question.casefold() for question in state.asked)
    return f"because you asked about {boost.value}" if asked else f"because of your interest in {boost.value}"


def _people(case: _Case) -> str | None:
    before = _strongest_before(case)
    if before is None:
        return None
    item = case.ranker.shelf.items[before]
    did = DID.get(item.category, "liked")
    return f"because you {did} “{item.title}”, and people who {did} that went on to this"


def _strongest_before(case: _Case) -> int | None:
    """The item of the history that speaks most for this one through the weights of the log."""
    history = case.scores.history
    source = max(FAMILIES["people"], key=case.worth)
    if not len(history) or case.worth(source) <= 0:
        return None
    column = case.scores.rows[source.removesuffix("_recent")].at(case.place, len(history))
    return int(history[np.argmax(column)]) if column.max() > 0 else None


def _content(case: _Case) -> str | None:
    history, facets = case.scores.history, case.ranker.shelf.facets.matrix
    if not len(history):
        return None
    before_it = case.scores.rows["facets"]
    values = take(facets, np.array([case.place]))
    own = np.zeros(facets.shape[1], np.float32)
    own[values.column] = values.value
    shared = np.bincount(before_it.row, before_it.value * own[before_it.column], minlength=len(history))
    if shared.max() <= 0:
        return None
    before = int(history[np.argmax(shared)])
    item = case.ranker.shelf.items[before]
    return f"because you {DID.get(item.category, 'liked')} “{item.title}”, which is also about {_shared(case, before)}"


def _shared(case: _Case, before: int) -> str:
    """The rarest value that both items have."""
    facets = case.ranker.shelf.facets
    mine, other = (take(facets.matrix, np.array([place])) for place in (case.place, before))
    both = np.isin(mine.column, other.column)
    rarest = int(mine.column[np.argmax(np.where(both, mine.value, -1))])
    return next(
        value
        for facet, value in _named(case.ranker, case.place)
        if facets.columns[facet.casefold(), value.casefold()] == rarest
    )


def _popular(case: _Case) -> str | None:
    ranker, place = case.ranker, case.place
    liked = ranker.trained.counts[0, place] + ranker.shelf.prior[place]
    if liked <= 0:
        return None
    return WELCOME if not case.scores.alpha else "many people liked it"


def _trending(case: _Case) -> str | None:
    liked = case.ranker.trained.counts[1:, case.place].max() + case.ranker.shelf.prior[case.place]
    return "it is popular now" if liked > 0 else None


def _popular_facets(case: _Case) -> str | None:
    return "what it is about is popular now" if case.ranker.trained.counts[3].any() else None


def _new(case: _Case) -> str | None:
    return "it is new" if np.isfinite(case.ranker.shelf.published[case.place]) else None


_TEXTS: Mapping[str, Callable[[_Case], str | None]] = {
    "people": _people,
    "content": _content,
    "adjacent": lambda _case: "it is next to what you know already",
    "conversation": lambda _case: "it is about what you are asking now",
    "like_this": lambda _case: "it is like the one that you asked for",
    "popular": _popular,
    "trending": _trending,
    "popular_facets": _popular_facets,
    "new": _new,
}


def _named(ranker: Ranker, place: int) -> Iterator[tuple[str, str]]:
    """(facet, value) of an item as it writes them."""
    return ((facet, value) for facet, values in ranker.shelf.items[place].facets.items() for value in values)
