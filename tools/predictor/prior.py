"""The first rung: how often it went so for users like this one. Sensible at once, even for a new user.

Segments grow finer (all, the channel, how active, whether the question was asked before); the rate of each is drawn to
the one above by as many cases as it would take to believe it (empirical Bayes for nested rates).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.predictor.features import Features
from tools.predictor.model import ENGAGEMENT, RISK, Asked, Foreseen, Head, Source, wilson
from tools.predictor.topics import TopicModel

BEFORE = {ENGAGEMENT: 0.35, RISK: 0.15}
"""What is expected before anybody was seen."""
BEFORE_CASES = 4.0
BELIEF = 25.0
"""Cases of a segment at which it counts as much as the one above it."""

Segment = tuple[str, ...]


def segments(row: Features) -> list[Segment]:
    """The segments of a row, the widest first."""
    channel, activity = str(row.get("channel") or "any"), _activity(row)
    asked = "asked before" if _count(row, "repeats_30d") else "asked first"
    return [(), (channel,), (channel, activity), (channel, activity, asked)]


def _activity(row: Features) -> str:
    events = _count(row, "events_90d")
    return "new" if events == 0 else "seen" if events < 5 else "regular" if events < 30 else "frequent"


def _count(row: Features, name: str) -> float:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


@dataclass(frozen=True, slots=True)
class PriorModel:
    """Cases and positive cases by head and segment ('channel/activity/asked before')."""

    cases: Mapping[str, Mapping[str, float]]
    positive: Mapping[str, Mapping[str, float]]

    @classmethod
    def learn(cls, examples: Iterable[tuple[Features, Mapping[str, float | None]]]) -> "PriorModel":
        """Count outcomes; those still open (None) do not count."""
        cases: dict[str, Counter[str]] = {head: Counter() for head in BEFORE}
        positive: dict[str, Counter[str]] = {head: Counter() for head in BEFORE}
        for row, outcomes in examples:
            names = ["/".join(segment) for segment in segments(row)]
            for head, outcome in outcomes.items():
                if outcome is not None:
                    cases[head].update(names)
                    positive[head].update({name: int(outcome) for name in names})
        return cls(cases, positive)

    def heads(self, row: Features) -> dict[str, Head]:
        """A smoothed rate and its interval for each head."""
        names = ["/".join(segment) for segment in segments(row)]
        return {head: self._head(head, names) for head in BEFORE}

    def _head(self, head: str, names: Sequence[str]) -> Head:
        rate, weight = BEFORE[head], BEFORE_CASES
        for name in names:
            cases = self.cases.get(head, {}).get(name, 0)
            drawn = min(weight, BELIEF)
            rate = (self.positive.get(head, {}).get(name, 0) + drawn * rate) / (cases + drawn)
            weight = cases + drawn
        return Head(rate, *wilson(rate, weight))

    def as_json(self) -> dict[str, Any]:
        """As a stored model keeps it."""
        return {
            "cases": {head: dict(of) for head, of in self.cases.items()},
            "positive": {head: dict(of) for head, of in self.positive.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PriorModel":
        """The counts that `as_json` wrote."""
        return cls(value["cases"], value["positive"])


class PriorRung:
    """Answers from counts; cannot fail for lack of data."""

    source: Source = "prior"

    def __init__(self, model: PriorModel | None = None, topics: TopicModel | None = None) -> None:
        self.model = model or PriorModel({}, {})
        self.topics = topics or TopicModel({}, {})

    async def predict(self, asked: Sequence[Asked]) -> list[Foreseen]:
        """A rate for each, and the topics that usually follow."""
        return [
            Foreseen(self.source, "", self.model.heads(one.features), self.topics.next(one.history)) for one in asked
        ]
