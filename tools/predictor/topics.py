"""Which topics come next: how one topic follows another, for this user, for all, and by how common it is."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import pairwise
from typing import Any

from tools.predictor.history import History

EVERYBODY = 8.0
"""How many transitions of its own a topic needs to be heard as much as what is common."""
OWN = 4.0
"""How many of their own steps a user needs to be heard as much as everybody."""


@dataclass(frozen=True, slots=True)
class TopicModel:
    """Counts of topics and of steps from one to the next (Dirichlet-smoothed, each level drawn to the one above)."""

    topics: Mapping[str, float]
    steps: Mapping[str, Mapping[str, float]]

    @classmethod
    def learn(cls, histories: Iterable[History], taxonomy: Sequence[str] = ()) -> "TopicModel":
        """From all steps in these histories; each topic of the taxonomy counts once before anybody came."""
        topics, steps = Counter[str](dict.fromkeys(taxonomy, 1)), dict[str, Counter[str]]()
        for history in histories:
            line = _line(history)
            topics.update(line)
            for last, following in pairwise(line):
                steps.setdefault(last, Counter())[following] += 1
        return cls(topics, steps)

    def next(self, history: History, *, limit: int = 5) -> list[tuple[str, float]]:
        """The most probable next topics; the probabilities of all topics add up to 1."""
        line = _line(history)
        weights = self._everybody(line[-1] if line else None)
        for topic, weight in _own(line).items():
            weights[topic] = weights.get(topic, 0.0) + weight / OWN
        whole = sum(weights.values())
        ranked = nsmallest(limit, weights.items(), key=lambda one: (-one[1], one[0]))
        return [(topic, weight / whole) for topic, weight in ranked] if whole else []

    def _everybody(self, last: str | None) -> dict[str, float]:
        steps = self.steps.get(last, {}) if last is not None else {}
        whole = sum(steps.values()) + EVERYBODY
        common = EVERYBODY / max(1, sum(self.topics.values()))
        return {topic: (steps.get(topic, 0) + common * count) / whole for topic, count in self.topics.items()}

    def as_json(self) -> dict[str, Any]:
        """As a stored model keeps it."""
        return {"topics": dict(self.topics), "steps": {last: dict(steps) for last, steps in self.steps.items()}}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TopicModel":
        """The counts that `as_json` wrote."""
        return cls(value["topics"], value["steps"])


def _line(history: History) -> list[str]:
    return [event.topics[0] for event in history.events if event.topics]


def _own(line: Sequence[str]) -> dict[str, float]:
    """The user's own topics, the recent ones more, and twice what followed the present one before."""
    own: dict[str, float] = {}
    for ago, topic in enumerate(reversed(line[-50:])):
        own[topic] = own.get(topic, 0.0) + 0.9**ago
    for last, following in pairwise(line):
        if last == line[-1]:
            own[following] = own.get(following, 0.0) + 2.0
    return own
