"""How likely each unit of the passages found is part of the answer: a few features, read by small decision trees.

The features compare words: those of the question, of what was said before, and of the unit, its neighbours and its
heading, weighted by how rare they are among the passages found. What was said before tells where in a document the
conversation stands, since the answer to a follow-up often comes right after the last one. No vector is made, so it
takes a few milliseconds. The trees are fitted by benchmarks/fit_relevance.py to conversations whose answers are marked
in their documents; agent/relevance.json holds them.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowledge_base.passage import Utterance
from knowledge_base.sentences import Unit, units
from knowledge_base.stopwords import STOP_WORDS
from tools.sources import Source

Floats = NDArray[np.float64]

TREES = Path(__file__).with_suffix(".json")
SPOKEN = 12  # utterances before the question that count
FADING = 0.8  # of an utterance's words for each utterance after it
FIRST_FADING = 0.7
ANCHORS = 4  # answers, from the last one back, whose place in the documents is looked for
ALIKE = 0.25  # similarity from which a unit counts as what an answer said
NOWHERE = -20.0  # the distance from the last answer where it was not found
_TINY = 1e-6
GAP = 8  # units that a missing passage between two counts as

FEATURES = (
    "position",
    "relative score",
    "reciprocal rank",
    "document of best",
    "document share",
    "answers in document",
    "utterances in document",
    "title in context",
    "context in title",
    "context in document",
    "context in passage",
    "question in passage",
    "question held",
    "question held of best",
    "question in unit",
    "question held before",
    "question held after",
    "question held two before",
    "context held",
    "context held of best",
    "context in unit",
    "context held before",
    "context held after",
    "question in heading",
    "question in heading of best",
    "context in heading of best",
    "context in heading",
    "heading in context",
    "last answer in heading",
    "pairs held",
    "last answer held",
    "last answer's question held",
    "most like an answer",
    "said before",
    "before like last answer",
    "after like an answer",
    "like last answer",
    "best like last answer",
    "distance from last answer",
    "distance from earlier answer",
    "distance from best",
    "right after an answer",
    "some way after an answer",
    "is an answer",
    "length",
    "question length",
    "opens as reply",
    "utterances",
    "is question",
    "announces",
)

AROUND = (
    "likely",
    "likely of best",
    "likely of all",
    "likely before",
    "likely after",
    "likely two before",
    "likely two after",
    "likely in passage",
    "likely in document",
    "likely under heading",
    "place",
    "best",
    "all",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that may be quoted: where it stands, under which heading, and how far below it (0 is the first)."""

    source: Source
    rank: int
    index: int
    unit: Unit
    heading: str
    position: int

    @property
    def words(self) -> int:
        return len(self.unit.text.split())


def candidates(sources: Sequence[Source]) -> list[Candidate]:
    """What may be quoted from sources, best source first: every unit but headings."""
    return [
        Candidate(source, rank, index, unit, heading, position)
        for rank, source in enumerate(sources)
        for index, unit, heading, position in _under_headings(source.text, source.heading)
    ]


@lru_cache(maxsize=2048)
def _under_headings(text: str, heading: str) -> tuple[tuple[int, Unit, str, int], ...]:
    found: list[tuple[int, Unit, str, int]] = []
    position = 0
    for index, unit in enumerate(units(text)):
        if unit.kind == "heading":
            heading, position = unit.text, 0
        else:
            found.append((index, unit, heading, position))
            position += 1
    return tuple(found)


def relevance(
    question: str, history: Sequence[Utterance], given: Sequence[Candidate], *, ranker: "Ranker | None" = None
) -> Floats:
    """(candidates,) probabilities that each is part of the answer to the question after this history."""
    if not given:
        return np.empty(0)
    return (ranker or _ranker()).predict(features(question, history, given), given)


# Words

_WORD = re.compile(r"[^\W_]+")
_SUFFIX = re.compile(r"(?:ations?|ingly|ments?|ings?|ies|ied|ions?|ers?|ed|es|ly|s|e|y)$")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """A word without a common English ending; at least three letters stay."""
    match = _SUFFIX.search(word, 3) if len(word) > 3 else None
    return word[: match.start()] if match else word


@lru_cache(maxsize=8_192)
def terms(text: str) -> frozenset[str]:
    """The stems of the words that say what a text is about."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


@lru_cache(maxsize=8_192)
def _pairs(text: str) -> frozenset[tuple[str, str]]:
    return frozenset(pairwise(_WORD.findall(text.lower())))


# Features

_REPLY = re.compile(
    r"\s*(?:yes|yeah|yep|no|nope|not|sure|ok|okay|i do|i did|i have|i am|i don|i haven|correct|right|that)\b", re.I
)


class _Said:
    """The question and what was said before it, as words."""

    def __init__(self, question: str, history: Sequence[Utterance]) -> None:
        self.question = terms(question)
        self.context: dict[str, float] = {}
        recent = list(history)[-SPOKEN:]
        weight = FIRST_FADING
        for one in reversed(recent):
            for term in terms(one.text):
                self.context.setdefault(term, weight)
            weight *= FADING
        self.context.update(dict.fromkeys(self.question, 1.0))
        answers = [one.text for one in recent if one.role == "assistant"]
        self.answers = [terms(text) for text in answers]
        self.all = [terms(one.text) for one in recent] + [self.question]
        self.last = self.answers[-1] if answers else frozenset[str]()
        self.was_asked = bool(recent) and recent[-1].role == "assistant" and recent[-1].text.rstrip().endswith("?")
        self.utterances = len(recent)


class _Matrix:
    """Which terms each of some texts holds, and what each term weighs."""

    def __init__(self, texts: Sequence[frozenset[str]], said: _Said) -> None:
        self.column: dict[str, int] = {}
        for held in (*texts, said.context, *said.answers):
            for term in held:
                self.column.setdefault(term, len(self.column))
        self.held = self.rows(texts)
        count = len(texts)
        holding = self.held.sum(0)
        self.rarity = np.log(1 + (count - holding + 0.5) / (holding + 0.5))

    def rows(self, texts: Sequence[frozenset[str]]) -> Floats:
        """(texts, terms) of 0 and 1."""
        matrix = np.zeros((len(texts), len(self.column)))
        for row, held in enumerate(texts):
            matrix[row, [self.column[term] for term in held if term in self.column]] = 1
        return matrix

    def weights(self, given: dict[str, float] | frozenset[str]) -> Floats:
        """(terms,) the rarity of those given, times their weight where they have one."""
        vector: Floats = np.zeros(len(self.column))
        for term in given:
            vector[self.column[term]] = given[term] if isinstance(given, dict) else 1.0
        vector *= self.rarity
        return vector


def features(question: str, history: Sequence[Utterance], given: Sequence[Candidate]) -> Floats:
    """(candidates, FEATURES); `given` in the order in which `candidates` gives them, at least one."""
    said = _Said(question, history)
    headings = list(dict.fromkeys(one.heading for one in given))
    matrix = _Matrix([*(terms(one.unit.text) for one in given), *map(terms, headings)], said)
    held, heading_held = matrix.held[: len(given)], matrix.held[len(given) :]
    at_heading = [headings.index(one.heading) for one in given]
    layout = _Layout(given)
    columns = {
        **_place_features(given),
        **_question_features(said, matrix, held, layout),
        **{name: column[at_heading] for name, column in _heading_features(said, matrix, heading_held).items()},
        **_answer_features(said, matrix, held, layout),
        **_document_features(said, matrix, held, layout, given),
        **_form_features(question, said, given),
    }
    return np.stack([columns[name] for name in FEATURES], axis=1)


class _Layout:
    """Where candidates stand to each other: neighbours under one heading, and distances within a document."""

    def __init__(self, given: Sequence[Candidate]) -> None:
        same = [one.source is other.source and other.position == one.position + 1 for one, other in pairwise(given)]
        self._has_next = np.array([*same, False])
        self._has_previous = np.array([False, *same])
        order = sorted(range(len(given)), key=lambda i: (given[i].source.document_id, given[i].source.ordinal, i))
        self._place = np.empty(len(given))
        self._place[order] = np.arange(len(given))
        self._ordinal = np.array([one.source.ordinal for one in given])
        documents = [one.source.document_id for one in given]
        self.document = np.array([documents.index(document) for document in documents])
        self.passage = np.array([one.rank for one in given])

    def previous(self, column: Floats) -> Floats:
        """The column's value of the unit before, 0 where there is none under this heading."""
        return np.where(self._has_previous, np.roll(column, 1), 0.0)

    def next(self, column: Floats) -> Floats:
        """The column's value of the unit after, 0 where there is none under this heading."""
        return np.where(self._has_next, np.roll(column, -1), 0.0)

    @staticmethod
    def most(column: Floats, groups: NDArray[np.int64]) -> Floats:
        """The highest value of the column in each candidate's group."""
        highest = np.zeros(int(groups.max()) + 1)
        np.maximum.at(highest, groups, column)
        return highest[groups]

    @staticmethod
    def union(held: Floats, groups: NDArray[np.int64]) -> Floats:
        """(candidates, terms): what any candidate of the same group holds."""
        together = np.zeros((int(groups.max()) + 1, held.shape[1]))
        np.maximum.at(together, groups, held)
        return together[groups]

    def distances(self, anchor: int) -> Floats:
        """How many units each candidate stands after the anchor in its document; NaN in other documents."""
        passages = self._ordinal - self._ordinal[anchor]
        missing = np.sign(passages) * np.maximum(0, np.abs(passages) - 1)
        distance = self._place - self._place[anchor] + GAP * missing
        return np.where(self.document == self.document[anchor], distance, np.nan)


def _place_features(given: Sequence[Candidate]) -> dict[str, Floats]:
    best = max(one.source.score for one in given) or 1.0
    scores = {one.source.passage_id: (one.source.document_id, (one.source.score / best) ** 2) for one in given}
    documents: dict[str, float] = {}
    for document, score in scores.values():
        documents[document] = documents.get(document, 0.0) + score
    of_document = np.array([documents[one.source.document_id] for one in given])
    return {
        "position": np.array([min(one.position, 4) for one in given], float),
        "relative score": np.array([one.source.score / best for one in given]),
        "reciprocal rank": np.array([1 / (1 + one.rank) for one in given]),
        "document of best": of_document / (of_document.max() or 1.0),
        "document share": of_document / (sum(documents.values()) or 1.0),
    }


def _question_features(said: _Said, matrix: _Matrix, held: Floats, layout: _Layout) -> dict[str, Floats]:
    mass = held @ matrix.rarity + _TINY
    found: dict[str, Floats] = {}
    for name, weights in (("question", matrix.weights(said.question)), ("context", matrix.weights(said.context))):
        overlap = held @ weights
        share = overlap / (weights.sum() + _TINY)
        found[f"{name} held"] = share
        found[f"{name} held of best"] = share / (share.max() + _TINY)
        found[f"{name} in unit"] = overlap / mass
        found[f"{name} held before"] = layout.previous(share)
        found[f"{name} held after"] = layout.next(share)
        found[f"{name} in passage"] = layout.union(held, layout.passage) @ weights / (weights.sum() + _TINY)
        in_document = layout.union(held, layout.document) @ weights
        found[f"{name} in document"] = in_document / (in_document.max() + _TINY)
    found["question held two before"] = layout.previous(found["question held before"])
    best = int((found["question held"] + found["question in unit"]).argmax())
    found["distance from best"] = _clipped(layout.distances(best))
    return found


def _clipped(distance: Floats) -> Floats:
    return np.where(np.isnan(distance), NOWHERE, np.clip(distance, -8, 12))


def _heading_features(said: _Said, matrix: _Matrix, held: Floats) -> dict[str, Floats]:
    mass = held @ matrix.rarity + _TINY
    context = matrix.weights(said.context)
    question_share = held @ matrix.weights(said.question) / mass
    context_share = held @ matrix.weights(frozenset(said.context)) / mass
    return {
        "question in heading": question_share,
        "question in heading of best": question_share / (question_share.max() + _TINY),
        "context in heading": context_share,
        "context in heading of best": context_share / (context_share.max() + _TINY),
        "heading in context": held @ context / (context.sum() + _TINY),
        "last answer in heading": said.was_asked * (held @ matrix.weights(said.last)) / mass,
    }


def _answer_features(said: _Said, matrix: _Matrix, held: Floats, layout: _Layout) -> dict[str, Floats]:
    """What the assistant's earlier answers tell: what was said already, and where in a document it was."""
    count = len(held)
    mass = held @ matrix.rarity + _TINY
    answers = [matrix.weights(answer) for answer in said.answers] or [np.zeros(len(matrix.rarity))]
    alike = np.stack([2 * (held @ answer) / (mass + answer.sum() + _TINY) for answer in answers])
    last, most = alike[-1], alike.max(0)
    anchors = [(int(row.argmax()), float(row.max())) for row in reversed(alike[-ANCHORS:]) if row.max() > ALIKE]
    after = np.zeros((3, count))
    for anchor, likeness in anchors:
        distance = layout.distances(anchor)
        for row, (least, greatest) in enumerate(((1, 2), (3, GAP), (0, 0))):
            at = (distance >= least) & (distance <= greatest)
            after[row] = np.maximum(after[row], likeness * at)
    nowhere = np.full(count, np.nan)
    distance = layout.distances(int(last.argmax())) if last.max() > ALIKE else nowhere
    is_earlier = len(alike) > 1 and alike[-2].max() > ALIKE
    earlier = layout.distances(int(alike[-2].argmax())) if is_earlier else nowhere
    in_document = sum((layout.most(row, layout.document) for row in alike), np.zeros(count))
    last_held = held @ answers[-1] / (answers[-1].sum() + _TINY)
    return {
        "last answer held": last_held,
        "last answer's question held": last_held * said.was_asked,
        "most like an answer": most,
        "said before": held @ matrix.weights(frozenset().union(*said.answers)) / mass,
        "before like last answer": layout.previous(last),
        "after like an answer": layout.next(most),
        "like last answer": last,
        "best like last answer": np.full(count, last.max()),
        "distance from last answer": _clipped(distance),
        "distance from earlier answer": _clipped(earlier),
        "answers in document": in_document / (in_document.max() + _TINY),
        "right after an answer": after[0],
        "some way after an answer": after[1],
        "is an answer": after[2],
    }


def _document_features(
    said: _Said, matrix: _Matrix, held: Floats, layout: _Layout, given: Sequence[Candidate]
) -> dict[str, Floats]:
    """Which document the whole conversation is about."""
    mass = held @ matrix.rarity + _TINY
    heard = np.zeros(len(given))
    for utterance in said.all:
        weights = matrix.weights(utterance)
        heard += layout.most(2 * (held @ weights) / (mass + weights.sum() + _TINY), layout.document)
    titles = list(dict.fromkeys(one.source.title for one in given))
    title_held = matrix.rows([terms(title) for title in titles])
    at = [titles.index(one.source.title) for one in given]
    context = matrix.weights(said.context)
    shared = title_held @ context
    return {
        "utterances in document": heard / (heard.max() + _TINY),
        "title in context": (shared / (context.sum() + _TINY))[at],
        "context in title": (shared / (title_held @ matrix.rarity + _TINY))[at],
    }


def _form_features(question: str, said: _Said, given: Sequence[Candidate]) -> dict[str, Floats]:
    pairs, count = _pairs(question), len(given)
    return {
        "pairs held": np.array([len(pairs & _pairs(one.unit.text)) / (len(pairs) + 1) for one in given]),
        "length": np.array([math.log1p(one.words) for one in given]),
        "question length": np.full(count, float(min(len(said.question), 8))),
        "opens as reply": np.full(count, float(_REPLY.match(question) is not None)),
        "utterances": np.full(count, float(min(said.utterances, 6))),
        "is question": np.array([float(one.unit.text.endswith("?")) for one in given]),
        "announces": np.array([float(one.unit.text.endswith(":")) for one in given]),
    }


# Trees


class Trees:
    """Boosted decision trees over features, added up to log-odds."""

    def __init__(
        self,
        base: float,
        roots: Sequence[int],
        feature: Sequence[int],
        threshold: Sequence[float],
        right: Sequence[int],
        value: Sequence[float],
    ) -> None:
        """Nodes of all trees in one list, each before its left child, which comes next. A row goes left where its
        feature is at most the threshold. A leaf is its own `right`, and its value is what it adds to the log-odds."""
        self._base = base
        self._roots = np.array(roots)
        self._feature = np.array(feature)
        self._threshold = np.array(threshold)
        self._value = np.array(value)
        self._right = np.array(right)
        nodes = np.arange(len(right))
        self._is_leaf = self._right == nodes
        self._left = np.where(self._is_leaf, nodes, nodes + 1)

    def predict(self, rows: Floats) -> Floats:
        """(n,) probabilities for (n, features)."""
        at = np.repeat(self._roots[None, :], len(rows), axis=0)
        row = np.arange(len(rows))[:, None]
        while not self._is_leaf[at].all():
            goes_left = rows[row, self._feature[at]] <= self._threshold[at]
            at = np.where(goes_left, self._left[at], self._right[at])
        odds = self._base + self._value[at].sum(1)
        probabilities: Floats = 1 / (1 + np.exp(-odds))
        return probabilities


@dataclass(frozen=True, slots=True)
class Ranker:
    """Trees that look at each candidate alone, and trees that also know what the first ones think of those around it
    (stacking; Wolpert 1992). Answers are runs of text, so a sentence between two likely ones is likely."""

    first: Trees
    second: Trees

    def predict(self, rows: Floats, given: Sequence[Candidate]) -> Floats:
        """(candidates,) probabilities for (candidates, FEATURES)."""
        return self.second.predict(np.hstack([rows, around(self.first.predict(rows), given)]))


def around(likely: Floats, given: Sequence[Candidate]) -> Floats:
    """(candidates, AROUND) of probabilities: a candidate's own, beside its neighbours' and everybody's."""
    layout = _Layout(given)
    before, after = layout.previous(likely), layout.next(likely)
    sections: dict[tuple[int, str], int] = {}
    section = np.array([sections.setdefault((one.rank, one.heading), len(sections)) for one in given])
    total, best = likely.sum() + _TINY, likely.max() + _TINY
    columns = {
        "likely": likely,
        "likely of best": likely / best,
        "likely of all": likely / total,
        "likely before": before,
        "likely after": after,
        "likely two before": layout.previous(before),
        "likely two after": layout.next(after),
        "likely in passage": np.bincount(layout.passage, likely)[layout.passage] / total,
        "likely in document": np.bincount(layout.document, likely)[layout.document] / total,
        "likely under heading": np.bincount(section, likely)[section] / total,
        "place": np.minimum(np.argsort(np.argsort(-likely, kind="stable"), kind="stable"), 10).astype(float),
        "best": np.full(len(given), best),
        "all": np.full(len(given), total),
    }
    return np.stack([columns[name] for name in AROUND], axis=1)


@lru_cache(maxsize=1)
def _ranker() -> Ranker:
    given = json.loads(TREES.read_text("utf-8"))
    if given["features"] != [*FEATURES, *AROUND]:
        raise ValueError(f"{TREES.name} was fitted to other features. Run: python -m benchmarks.fit_relevance")
    return Ranker(Trees(**given["first"]), Trees(**given["second"]))
