"""What a model may know of a user at a moment: the history before it, and the question that is being asked.

Nothing later than the moment enters, whenever the features are made; training and the turn use this one function.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tools.predictor.columns import Cell
from tools.predictor.history import Event, History
from tools.predictor.words import SAME, WordSet, asks_for_person, likeness, word_set

DAY = 86400.0
OPENED = frozenset({"click", "content_view", "save", "finish"})
REFUSED = frozenset({"dismiss", "ignore", "unsave"})
ASKED = "question"
ATTRIBUTE = "user."
FEATURES = (
    "age_days", "days_since_last", "days_since_question", "events_1d", "events_7d", "events_30d", "events_90d",
    "active_days_30d", "questions_30d", "opened_30d", "refused_30d", "opened_share", "topics_90d", "top_topic_share",
    "chars", "words", "likeness", "repeats_30d", "unanswered_share", "last_unanswered", "negative_90d",
    "positive_90d", "wants_person", "wanted_person_30d", "hour", "weekday", "channel",
)  # fmt: skip

Features = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class Asking:
    """The question of a moment: as it is typed, or as it was logged."""

    at: float
    words: WordSet = frozenset()
    chars: int = 0
    wants_person: bool = False
    channel: str = ""

    @classmethod
    def of(cls, text: str, at: datetime, channel: str) -> "Asking":
        """A question as it is typed."""
        return cls(at.timestamp(), word_set(text), len(text), asks_for_person(text), channel)

    @classmethod
    def event(cls, event: Event) -> "Asking":
        """A question as it was logged."""
        return cls(event.at, event.words, event.chars, event.wants_person, event.channel)


def features(history: History, asking: Asking, *, before: int | None = None) -> dict[str, Cell]:
    """One row: `FEATURES`, and `user.…` for each attribute of the user.

    Args:
        history: Of any length; only what came before `asking.at` is looked at.
        asking: The moment, and the question if there is one.
        before: How many of the events came before, where the caller knows.
    """
    events = history.events
    past = events[: before if before is not None else bisect_left(events, asking.at, key=lambda event: event.at)]
    month = _since(past, asking.at - 30 * DAY)
    row: dict[str, Cell] = {
        **_recency(past, month, asking.at),
        **_habits(past, month, asking.at),
        **_troubles(past, month, asking),
        **_moment(asking),
    }
    for name, value in (history.attributes or {}).items():
        row[ATTRIBUTE + name] = value
    return row


def _since(events: Sequence[Event], at: float) -> Sequence[Event]:
    return events[bisect_left(events, at, key=lambda event: event.at) :]


def _recency(past: Sequence[Event], month: Sequence[Event], at: float) -> dict[str, Cell]:
    last = past[-1].at if past else None
    question = next((event.at for event in reversed(past) if event.type == ASKED), None)
    return {
        "age_days": (at - past[0].at) / DAY if past else 0.0,
        "days_since_last": None if last is None else (at - last) / DAY,
        "days_since_question": None if question is None else (at - question) / DAY,
        "events_1d": len(_since(month, at - DAY)),
        "events_7d": len(_since(month, at - 7 * DAY)),
        "events_30d": len(month),
        "events_90d": len(_since(past, at - 90 * DAY)),
        "active_days_30d": len({int(event.at // DAY) for event in month}),
    }


def _habits(past: Sequence[Event], month: Sequence[Event], at: float) -> dict[str, Cell]:
    types = Counter(event.type for event in month)
    opened, refused = _count(types, OPENED), _count(types, REFUSED)
    topics = Counter(topic for event in _since(past, at - 90 * DAY) for topic in event.topics)
    return {
        "questions_30d": types[ASKED],
        "opened_30d": opened,
        "refused_30d": refused,
        "opened_share": (opened + 1) / (opened + refused + 2),
        "topics_90d": len(topics),
        "top_topic_share": max(topics.values()) / topics.total() if topics else None,
    }


def _count(types: Counter[str], of: Iterable[str]) -> int:
    return sum(types[one] for one in of)


def _troubles(past: Sequence[Event], month: Sequence[Event], asking: Asking) -> dict[str, Cell]:
    questions = [event for event in month if event.type == ASKED]
    alike = [likeness(event.words, asking.words) for event in questions] if asking.words else []
    rated = [event for event in _since(past, asking.at - 90 * DAY) if event.rating and event.rated_at < asking.at]
    unanswered = sum(not event.answered for event in questions)
    return {
        "likeness": max(alike, default=0.0),
        "repeats_30d": sum(one >= SAME for one in alike),
        "unanswered_share": (unanswered + 0.5) / (len(questions) + 2),
        "last_unanswered": bool(questions) and not questions[-1].answered,
        "negative_90d": sum(event.rating < 0 for event in rated),
        "positive_90d": sum(event.rating > 0 for event in rated),
        "wanted_person_30d": sum(event.wants_person for event in questions),
    }


def _moment(asking: Asking) -> dict[str, Cell]:
    local = datetime.fromtimestamp(asking.at, UTC)
    return {
        "chars": asking.chars,
        "words": len(asking.words),
        "wants_person": asking.wants_person,
        "hour": local.hour,
        "weekday": local.weekday(),
        "channel": asking.channel or None,
    }


def frame(rows: Sequence[Features]) -> dict[str, list[Cell]]:
    """Rows as columns; a user without an attribute has nothing there."""
    names = dict.fromkeys((*FEATURES, *(name for row in rows for name in row)))
    return {name: [row.get(name) for row in rows] for name in names}
