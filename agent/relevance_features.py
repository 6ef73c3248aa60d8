"""What is known of each sentence, and each clause, of the passages found before it is judged: features, as numbers.

They compare words: those of the question, of what was said before, and of the clause, its unit, the neighbours and the
heading, weighted by how rare they are among the passages found. What was said before tells where in a document the
conversation stands, since the answer to a follow-up often comes right after the last one. No vector is made, so it
takes a few milliseconds.
"""

import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agent.candidates import Candidate
from agent.clauses import CONDITION, clauses
from agent.terms import pairs, terms
from knowledge_base.passage import Utterance

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

SPOKEN = 12  # utterances before the question that count
FADING = 0.8  # of an utterance's words for each utterance after it
FIRST_FADING = 0.7
ANCHORS = 4  # answers, from the last one back, whose place in the documents is looked for
ALIKE = 0.25  # similarity from which a unit counts as what an answer said
NOWHERE = -20.0  # the distance from the last answer where it was not found
TINY = 1e-6
MOST_CLAUSES = 8
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

SHARED = ("question", "context", "last answer", "answers")
CLAUSE = (
    "clauses",
    "clause place",
    "clauses after",
    "clause words",
    "clause share",
    "words before",
    "words after",
    *(f"{what} {how} clause" for what in SHARED for how in ("held in", "share of", "before", "after", "of unit in")),
    "clause pairs held",
    "opens condition",
    "condition before",
    "opens statement",
    "clause end",
    "end before",
    "says what may or must be",
    "has number",
)

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


class Reading:
    """Candidates beside a question and what was said before it, as words; at least one candidate, in the order in which
    `candidates` gives them."""

    def __init__(self, question: str, history: Sequence[Utterance], given: Sequence[Candidate]) -> None:
        self._question = question
        self.given = given
        self._said = _Said(question, history)
        self._headings = list(dict.fromkeys(one.heading for one in given))
        texts = [*(terms(one.unit.text) for one in given), *map(terms, self._headings)]
        self._matrix = _Matrix(texts, self._said)
        self._layout = Layout(given)

    def features(self) -> Floats:
        """(candidates, FEATURES)."""
        given, said, matrix, layout = self.given, self._said, self._matrix, self._layout
        held, heading_held = matrix.held[: len(given)], matrix.held[len(given) :]
        at_heading = [self._headings.index(one.heading) for one in given]
        columns = {
            **_place_features(given),
            **_question_features(said, matrix, held, layout),
            **{name: column[at_heading] for name, column in _heading_features(said, matrix, heading_held).items()},
            **_answer_features(said, matrix, held, layout),
            **_document_features(said, matrix, held, layout, given),
            **_form_features(self._question, said, given),
        }
        return np.stack([columns[name] for name in FEATURES], axis=1)

    def clause_features(self, at: Iterable[int]) -> tuple[Places, Floats]:
        """Whose clause each row is, and (clauses, CLAUSE), for the candidates at these places."""
        parts = [(i, text) for i in at for text in clauses(self.given[i].unit)]
        row = _Clauses([i for i, _ in parts], [text for _, text in parts])
        columns = {
            **row.places(),
            **row.words_shared(self._said, self._matrix),
            **row.forms(self._question),
        }
        return row.owner, np.stack([columns[name] for name in CLAUSE], axis=1)


_CONDITION = re.compile(rf"(?:(?:and|or|but) )?{CONDITION}", re.I)
_STATEMENT = re.compile(r"(?:(?:and|or|but) )?(?:you|we|they|it|your|the|this|that)\b", re.I)
_MODAL = re.compile(r"\b(?:can|may|must|will|should|needs?|required|cannot|won|don|t)\b", re.I)


class _Clauses:
    """Clauses of some candidates, those of each in a row; `owner` says whose each is."""

    def __init__(self, owner: Sequence[int], texts: Sequence[str]) -> None:
        self.owner = np.array(owner)
        self._texts = texts
        same = self.owner[1:] == self.owner[:-1]
        self._has_next, self._has_previous = np.append(same, False), np.append(False, same)

    def places(self) -> dict[str, Floats]:
        count = np.bincount(self.owner)[self.owner]
        place = np.arange(len(self.owner)) - np.searchsorted(self.owner, self.owner)
        words = np.array([len(text.split()) for text in self._texts], float)
        whole = np.bincount(self.owner, words)
        starts = np.cumsum(whole) - whole
        before = np.cumsum(words) - words - starts[self.owner]
        return {
            "clauses": np.minimum(count, MOST_CLAUSES).astype(float),
            "clause place": np.minimum(place, MOST_CLAUSES).astype(float),
            "clauses after": np.minimum(count - place - 1, MOST_CLAUSES).astype(float),
            "clause words": np.log1p(words),
            "clause share": words / whole[self.owner],
            "words before": np.log1p(before),
            "words after": np.log1p(whole[self.owner] - before - words),
        }

    def words_shared(self, said: _Said, matrix: _Matrix) -> dict[str, Floats]:
        held = matrix.rows([terms(text) for text in self._texts])
        mass = held @ matrix.rarity + TINY
        texts = (said.question, said.last, frozenset[str]().union(*said.answers))
        question, last, answers = map(matrix.weights, texts)
        found: dict[str, Floats] = {}
        for what, weights in zip(SHARED, (question, matrix.weights(said.context), last, answers), strict=True):
            overlap = held @ weights
            share = overlap / (weights.sum() + TINY)
            found[f"{what} held in clause"] = share
            found[f"{what} share of clause"] = overlap / mass
            found[f"{what} before clause"] = self._previous(share, -1.0)
            found[f"{what} after clause"] = np.where(self._has_next, np.roll(share, -1), -1.0)
            found[f"{what} of unit in clause"] = overlap / (np.bincount(self.owner, overlap)[self.owner] + TINY)
        return found

    def forms(self, question: str) -> dict[str, Floats]:
        asked = pairs(question)
        condition = np.array([float(_CONDITION.match(text) is not None) for text in self._texts])
        end = np.array([float(",:;.".find(text[-1:])) for text in self._texts])
        return {
            "clause pairs held": np.array([len(asked & pairs(text)) / (len(asked) + 1) for text in self._texts]),
            "opens condition": condition,
            "condition before": self._previous(condition, 0.0),
            "opens statement": np.array([float(_STATEMENT.match(text) is not None) for text in self._texts]),
            "clause end": end,
            "end before": self._previous(end, -2.0),
            "says what may or must be": np.array([float(_MODAL.search(text) is not None) for text in self._texts]),
            "has number": np.array([float(any(map(str.isdigit, text))) for text in self._texts]),
        }

    def _previous(self, column: Floats, without: float) -> Floats:
        return np.where(self._has_previous, np.roll(column, 1), without)


class Layout:
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
    def most(column: Floats, groups: Places) -> Floats:
        """The highest value of the column in each candidate's group."""
        highest = np.zeros(int(groups.max()) + 1)
        np.maximum.at(highest, groups, column)
        return highest[groups]

    @staticmethod
    def union(held: Floats, groups: Places) -> Floats:
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


def _question_features(said: _Said, matrix: _Matrix, held: Floats, layout: Layout) -> dict[str, Floats]:
    mass = held @ matrix.rarity + TINY
    found: dict[str, Floats] = {}
    for name, weights in (("question", matrix.weights(said.question)), ("context", matrix.weights(said.context))):
        overlap = held @ weights
        share = overlap / (weights.sum() + TINY)
        found[f"{name} held"] = share
        found[f"{name} held of best"] = share / (share.max() + TINY)
        found[f"{name} in unit"] = overlap / mass
        found[f"{name} held before"] = layout.previous(share)
        found[f"{name} held after"] = layout.next(share)
        found[f"{name} in passage"] = layout.union(held, layout.passage) @ weights / (weights.sum() + TINY)
        in_document = layout.union(held, layout.document) @ weights
        found[f"{name} in document"] = in_document / (in_document.max() + TINY)
    found["question held two before"] = layout.previous(found["question held before"])
    best = int((found["question held"] + found["question in unit"]).argmax())
    found["distance from best"] = _clipped(layout.distances(best))
    return found


def _clipped(distance: Floats) -> Floats:
    return np.where(np.isnan(distance), NOWHERE, np.clip(distance, -8, 12))


def _heading_features(said: _Said, matrix: _Matrix, held: Floats) -> dict[str, Floats]:
    mass = held @ matrix.rarity + TINY
    context = matrix.weights(said.context)
    question_share = held @ matrix.weights(said.question) / mass
    context_share = held @ matrix.weights(frozenset(said.context)) / mass
    return {
        "question in heading": question_share,
        "question in heading of best": question_share / (question_share.max() + TINY),
        "context in heading": context_share,
        "context in heading of best": context_share / (context_share.max() + TINY),
        "heading in context": held @ context / (context.sum() + TINY),
        "last answer in heading": said.was_asked * (held @ matrix.weights(said.last)) / mass,
    }


def _answer_features(said: _Said, matrix: _Matrix, held: Floats, layout: Layout) -> dict[str, Floats]:
    """What the assistant's earlier answers tell: what was said already, and where in a document it was."""
    count = len(held)
    mass = held @ matrix.rarity + TINY
    answers = [matrix.weights(answer) for answer in said.answers] or [np.zeros(len(matrix.rarity))]
    alike = np.stack([2 * (held @ answer) / (mass + answer.sum() + TINY) for answer in answers])
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
    last_held = held @ answers[-1] / (answers[-1].sum() + TINY)
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
        "answers in document": in_document / (in_document.max() + TINY),
        "right after an answer": after[0],
        "some way after an answer": after[1],
        "is an answer": after[2],
    }


def _document_features(
    said: _Said, matrix: _Matrix, held: Floats, layout: Layout, given: Sequence[Candidate]
) -> dict[str, Floats]:
    """Which document the whole conversation is about."""
    mass = held @ matrix.rarity + TINY
    heard = np.zeros(len(given))
    for utterance in said.all:
        weights = matrix.weights(utterance)
        heard += layout.most(2 * (held @ weights) / (mass + weights.sum() + TINY), layout.document)
    titles = list(dict.fromkeys(one.source.title for one in given))
    title_held = matrix.rows([terms(title) for title in titles])
    at = [titles.index(one.source.title) for one in given]
    context = matrix.weights(said.context)
    shared = title_held @ context
    return {
        "utterances in document": heard / (heard.max() + TINY),
        "title in context": (shared / (context.sum() + TINY))[at],
        "context in title": (shared / (title_held @ matrix.rarity + TINY))[at],
    }


def _form_features(question: str, said: _Said, given: Sequence[Candidate]) -> dict[str, Floats]:
    asked, count = pairs(question), len(given)
    return {
        "pairs held": np.array([len(asked & pairs(one.unit.text)) / (len(asked) + 1) for one in given]),
        "length": np.array([math.log1p(one.words) for one in given]),
        "question length": np.full(count, float(min(len(said.question), 8))),
        "opens as reply": np.full(count, float(_REPLY.match(question) is not None)),
        "utterances": np.full(count, float(min(said.utterances, 6))),
        "is question": np.array([float(one.unit.text.endswith("?")) for one in given]),
        "announces": np.array([float(one.unit.text.endswith(":")) for one in given]),
    }
