"""The second rung: boosted trees on a user's history, one model a head, with an interval from cases like this one."""

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.predictor.errors import NotReady
from tools.predictor.features import Features, frame
from tools.predictor.learner import Classifier
from tools.predictor.metrics import logistic
from tools.predictor.model import Asked, Foreseen, Head, Source, wilson
from tools.predictor.topics import TopicModel

Floats = NDArray[np.float64]

NEAR = 5
"""Cases of a probability within so many hundredths are like this one."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadModel:
    """A classifier with what it said about cases that it did not see, counted by hundredths of probability."""

    classifier: Classifier
    seen: NDArray[np.int64]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, classifier: Classifier, held: Floats, figures: Mapping[str, Any]) -> "HeadModel":
        """`held` are probabilities of cases that the classifier, or one like it, did not learn from."""
        return cls(classifier, np.bincount(_hundredth(held), minlength=101), figures)

    def heads(self, probabilities: Floats) -> list[Head]:
        """Each probability with its interval: the fewer cases like it were seen, the wider."""
        total = np.concatenate([[0], np.cumsum(self.seen)])
        at = _hundredth(probabilities)
        near = total[np.minimum(at + NEAR, 100) + 1] - total[np.maximum(at - NEAR, 0)]
        return [Head(float(p), *wilson(float(p), float(n))) for p, n in zip(probabilities, near, strict=True)]


def _hundredth(probabilities: Floats) -> NDArray[np.int64]:
    return np.rint(np.clip(probabilities, 0, 1) * 100).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class LocalModel:
    """All heads of one training. `trained_until` is the moment of the last case, in seconds since 1970;
    `typical` are the middle values of the features, which explanations compare with."""

    version: str
    heads: Mapping[str, HeadModel]
    topics: TopicModel
    trained_until: float
    typical: Features = field(default_factory=dict)

    def probabilities(self, rows: Sequence[Features]) -> dict[str, Floats]:
        """By head; rows that lack an attribute have nothing there. Raises ModelFileInvalid for other features."""
        columns = frame(rows)
        for name in self._attributes() - columns.keys():
            columns[name] = [None] * len(rows)
        found: dict[str, Floats] = {}
        shared: tuple[Classifier, Floats] | None = None
        for name, head in self.heads.items():
            classifier = head.classifier
            if shared is None or classifier.encoder.rated or shared[0].encoder != classifier.encoder:
                shared = classifier, classifier.matrix(columns)
            found[name] = logistic(classifier.score(shared[1]))
        return found

    def _attributes(self) -> set[str]:
        """Columns of the users' file, which a user may lack; all others belong to the program."""
        known = (column.name for head in self.heads.values() for column in head.classifier.encoder.columns)
        return {name for name in known if name.startswith("user.")}

    def foresee(self, asked: Sequence[Asked]) -> list[Foreseen]:
        """One prediction for each."""
        rows = [one.features for one in asked]
        said = {name: self.heads[name].heads(found) for name, found in self.probabilities(rows).items()}
        return [
            Foreseen(
                "local",
                self.version,
                {name: heads[index] for name, heads in said.items()},
                self.topics.next(one.history),
                age=max(0.0, one.at - self.trained_until),
            )
            for index, one in enumerate(asked)
        ]


class LocalRung:
    """Serves the model that training last accepted; computed in a thread, so that no model can stop the event loop."""

    source: Source = "local"

    def __init__(self, model: LocalModel | None = None) -> None:
        self.model = model
        # Threads of its own: one that hangs must not take those that the rest of the program waits for.
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="predictor")

    async def predict(self, asked: Sequence[Asked]) -> list[Foreseen]:
        """Raises NotReady as long as there is no model."""
        if self.model is None:
            raise NotReady("no model has been trained yet")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.model.foresee, asked)

    def close(self) -> None:
        """Let the threads go, without waiting for one that hangs."""
        self._threads.shutdown(wait=False, cancel_futures=True)
