"""Measures topic inference: a few examples a topic drawn from one file, the texts of another to recognise.

Each line of both files is {"text", "label"}. A label is a topic, by its name, and the drawn texts are its examples, as
in a taxonomy. Texts of the test file with the label `oos` are about none of the topics: they tell how well the
confidence separates what should be answered from what should be abstained from.
"""

import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import fmean, median, pstdev
from typing import Any

from knowledge_base.embeddings import Embedder, Vectors
from knowledge_base.errors import QuestionSetInvalid
from knowledge_base.evaluation import Remembering
from knowledge_base.metrics import auroc, calibration_error
from knowledge_base.question_set import json_lines
from tools.profile.topics import Topic, TopicModel, fit_topics, texts_of

NO_TOPIC = "oos"
DRAWS = 5
BATCH = 64  # texts embedded between two signs of progress
EXPECTED = 'Expected one JSON object a line: {"text": "…", "label": "…"}.'

Advance = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and the topic it is about, or `oos`."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best topic for a text, whatever the confidence, and the probability that it is right."""

    text: str
    label: str
    predicted: str
    confidence: float

    @property
    def right(self) -> bool:
        """Whether the best topic is the one that the text was labelled with."""
        return self.predicted == self.label


@dataclass(frozen=True, slots=True)
class TopicReport:
    """What an evaluation found. Accuracy is over the texts that have a topic, one value a draw."""

    topics: int
    shots: int
    texts: int
    without_topic: int
    accuracy: tuple[float, ...]
    abstention_auroc: float | None
    calibration_error: float
    milliseconds: float
    seconds: float
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Only what JSON knows."""
        return {
            "accuracy": fmean(self.accuracy),
            "spread": pstdev(self.accuracy),
            "draws": [round(one, 4) for one in self.accuracy],
            "abstention AUROC": self.abstention_auroc,
            "calibration error": self.calibration_error,
            "topics": self.topics,
            "shots": self.shots,
            "texts": self.texts,
            "texts without topic": self.without_topic,
            "milliseconds a text": round(self.milliseconds, 2),
            "seconds": round(self.seconds, 1),
            "problems": list(self.problems),
        }


def evaluate_topics(
    train: Path,
    test: Path,
    *,
    shots: int,
    embedder: Embedder,
    predictions: Path | None = None,
    draws: int = DRAWS,
    progress: Advance | None = None,
) -> TopicReport:
    """Measures on `draws` seeded choices of `shots` examples a topic; each text is embedded once.

    `predictions` receives what the first draw says, as JSON lines {text, label, predicted, confidence}; texts without
    topic are among them, with the nearest topic as prediction and (one hopes) little confidence.
    Raises QuestionSetInvalid, EmbeddingsUnavailable; OSError when `predictions` cannot be written.
    """
    started = time.perf_counter()
    known, asked = read_labelled(train), read_labelled(test)
    examples = _by_label(known)
    if not examples:
        raise QuestionSetInvalid(f"{train} holds no text with a topic: every label is {NO_TOPIC!r}. {EXPECTED}")
    chosen = [draw(examples, shots, seed) for seed in range(draws)]
    told = (text for topics in chosen for topic in topics for text in texts_of(topic))
    remembering = _embed_once(chain((one.text for one in asked), told), embedder, progress)
    vectors = remembering.embed([one.text for one in asked])
    judged, times = [], []
    for topics in chosen:
        said, took = _judge(fit_topics(topics, remembering.embed), asked, vectors)
        judged.append(said)
        times.extend(took)
    if predictions:
        _write(predictions, judged[0])
    return TopicReport(
        topics=len(examples),
        shots=shots,
        texts=sum(one.label != NO_TOPIC for one in asked),
        without_topic=sum(one.label == NO_TOPIC for one in asked),
        accuracy=tuple(_accuracy(said) for said in judged),
        abstention_auroc=_abstention(judged),
        calibration_error=fmean(_calibration(said) for said in judged),
        milliseconds=1000 * median(times),
        seconds=time.perf_counter() - started,
        problems=tuple(_problems(examples, asked, shots)),
    )


def read_labelled(path: Path) -> tuple[Labelled, ...]:
    """The lines of a file. Raises QuestionSetInvalid when it is missing, broken or empty."""
    found = tuple(_labelled(row, place) for place, row in json_lines(path))
    if not found:
        raise QuestionSetInvalid(f"{path} is empty. {EXPECTED}")
    return found


def _labelled(row: Mapping[str, Any], place: str) -> Labelled:
    for name in ("text", "label"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise QuestionSetInvalid(f"{place}: {name!r} is {row.get(name)!r}. {EXPECTED}")
    return Labelled(row["text"], row["label"])


def draw(examples: Mapping[str, Sequence[str]], shots: int, seed: int) -> list[Topic]:
    """`shots` different examples of each topic, or all there are; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - a draw to measure with, no secret
    return [
        Topic(label, examples=tuple(chance.sample(texts, min(shots, len(texts)))))
        for label, texts in sorted(examples.items())
    ]


def _by_label(known: Sequence[Labelled]) -> dict[str, list[str]]:
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for one in known:
        if one.label != NO_TOPIC:
            found[one.label][one.text] = None
    return {label: list(texts) for label, texts in found.items()}


def _embed_once(texts: Iterable[str], embedder: Embedder, progress: Advance | None) -> Remembering:
    """An embedder that knows these texts already."""
    remembering = Remembering(embedder)
    wanted = list(dict.fromkeys(texts))
    for start in range(0, len(wanted), BATCH):
        remembering.embed(wanted[start : start + BATCH])
        if progress:
            progress(min(start + BATCH, len(wanted)), len(wanted), "texts embedded")
    return remembering


def _judge(model: TopicModel, asked: Sequence[Labelled], vectors: Vectors) -> tuple[list[Prediction], list[float]]:
    said, took = [], []
    for one, vector in zip(asked, vectors, strict=True):
        started = time.perf_counter()
        best = model.rank(one.text, vector)[0]
        took.append(time.perf_counter() - started)
        said.append(Prediction(one.text, one.label, best.topic, best.probability))
    return said, took


def _accuracy(said: Sequence[Prediction]) -> float:
    """0 where no text has a topic."""
    return fmean([one.right for one in said if one.label != NO_TOPIC] or [0.0])


def _abstention(judged: Sequence[Sequence[Prediction]]) -> float | None:
    """How well the confidence tells texts with a topic from texts without; None where one of the two is missing."""
    each = [auroc([one.confidence for one in said], [one.label != NO_TOPIC for one in said]) for said in judged]
    found = [one for one in each if one is not None]
    return fmean(found) if found else None


def _calibration(said: Sequence[Prediction]) -> float:
    return calibration_error([one.confidence for one in said], [one.right for one in said])


def _write(path: Path, said: Sequence[Prediction]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for one in said:
            row = {"text": one.text, "label": one.label, "predicted": one.predicted, "confidence": one.confidence}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _problems(examples: Mapping[str, Sequence[str]], asked: Sequence[Labelled], shots: int) -> Iterator[str]:
    few = [label for label, texts in examples.items() if len(texts) < shots]
    if few:
        yield f"topics with fewer than {shots} different examples, of which all are used: {len(few)}"
    unknown = Counter(one.label for one in asked if one.label not in examples and one.label != NO_TOPIC)
    if unknown:
        yield f"texts of the test file whose label is not in the train file, which count as wrong: {unknown.total()}"
