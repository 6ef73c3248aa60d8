"""Which topics of the taxonomy a text is about: kernel ridge regression on few examples, with calibrated probabilities.

Every topic is known by its name, its description and its example phrases. The kernel of two texts is the similarity of
their sentence embeddings, exp(b (cosine - 1)), strengthened where they are also spelt alike. Ridge regression in that
kernel (Saunders et al., "Ridge regression learning algorithm in dual variables", 1998) has a closed solution, so that a
changed taxonomy is learned again in a fraction of a second; and it gives exactly, without fitting again, what it would
have said of each example had it not seen that example, or not that example's topic (Rifkin & Lippert, "Notes on
regularized least squares", 2007). From these two the confidence is calibrated: on examples that are new to a topic that
is known, and on examples of topics that are not known.

The embedding model is never trained. scikit-learn is not needed: everything here is a few products of matrices.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tools.profile.letter_grams import LetterGrams

Floats = NDArray[np.float64]
Vector = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vector]
"""Texts to unit rows (n, dimensions)."""

# Chosen on draws from BANKING77's train split, half of it for examples and half to measure; all of it is flat around.
SHARPNESS = 3.0  # b above
SPELLING = 0.5  # how much the kernel gains where two texts are spelt alike
RIDGE = 0.2
NAMES_TELL = 0.3  # the share of topics whose name must be nearest to one of their own examples for names to be used

MOST_TEXTS = 3000  # that a model keeps; fitting takes the cube of it
UNKNOWN_SHARE = 0.25  # of the texts that come, how many are about none of the topics: what probabilities assume
SURE = 0.4  # the probability from which on a topic is taken for meant
ENOUGH_SPOKEN = 20  # examples from which on the confidence is calibrated on them alone
_PRIOR = np.array([2.5, 5.0, 3.5, -4.0])  # score, lead, cosine, 1: fitted on BANKING77 with topics left out
_PRIOR_STRENGTH = 4.0  # how many examples' worth of evidence it takes to move them noticeably


class Described(Protocol):
    """What says how texts about a topic look: an entry of the taxonomy, for one."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def examples(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Topic:
    """An entry of the taxonomy, as far as it says what texts about it look like."""

    name: str
    description: str = ""
    examples: tuple[str, ...] = ()


class Guess(NamedTuple):
    """A topic and the probability, 0..1, that the text is about it."""

    topic: str
    probability: float


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is known of the topics: texts in the order of their topics, with their vectors."""

    texts: list[str]
    owners: NDArray[np.intp]
    vectors: Floats
    spoken: NDArray[np.bool_]  # examples, which are what people write; names and descriptions are not

    def only(self, kept: NDArray[np.intp]) -> "_Texts":
        return _Texts([self.texts[at] for at in kept], self.owners[kept], self.vectors[kept], self.spoken[kept])


class TopicModel:
    """Ranks topics for a text whose vector is known. Immutable: a changed taxonomy is a new model."""

    def __init__(self, names: Sequence[str], known: _Texts | None) -> None:
        """Fits; use `fit_topics`. None when no topic is known: then nothing is recognised."""
        self.names = tuple(names)
        if known is None:
            return
        self._vectors = known.vectors
        self._grams = LetterGrams(known.texts)
        self._starts = np.searchsorted(known.owners, np.arange(len(self.names)))
        cosines = np.asarray(known.vectors @ known.vectors.T, np.float64)
        kernel = _kernel(cosines, self._grams.among_themselves())
        inverse = np.asarray(np.linalg.inv(kernel + RIDGE * np.eye(len(kernel))), np.float64)
        targets = np.eye(len(self.names))[known.owners] - 1 / len(self.names)
        self._weights = inverse @ targets
        self._confidence = _calibrated(cosines, inverse, targets, self._weights, known)

    def rank(self, text: str, vector: Vector) -> tuple[Guess, ...]:
        """Every topic with its probability, best first; `vector` is the text's own, of length one.

        Topics are judged apart: a text may be about two of them or, most often, about none.
        """
        if not self.names:
            return ()
        cosines = self._vectors @ vector.astype(np.float64)
        scores = _kernel(cosines, self._grams.against(text)) @ self._weights
        nearest = np.maximum.reduceat(cosines, self._starts)
        probabilities = _probability(_clues(scores[None], nearest[None])[0], self._confidence)
        order = np.argsort(-scores, kind="stable").tolist()
        return tuple(map(Guess, (self.names[at] for at in order), probabilities[order].tolist()))

    def infer(self, text: str, vector: Vector) -> tuple[Guess, ...]:
        """The topics that the text is probably about, best first; empty when unsure."""
        return tuple(guess for guess in self.rank(text, vector) if guess.probability >= SURE)


def fit_topics(topics: Sequence[Described], embed: Embed) -> TopicModel:
    """Embeds what is known of the topics and fits: some milliseconds a text, mostly for embedding. Blocks.

    Topics of one name are one topic. Raises what `embed` raises.
    """
    merged: dict[str, dict[str, bool]] = {}
    for topic in topics:
        own = merged.setdefault(topic.name, {})
        for text in texts_of(topic):
            own.setdefault(text, text in topic.examples)
    most = max(2, MOST_TEXTS // max(1, len(merged)))
    texts = {name: dict(list(own.items())[:most]) for name, own in merged.items() if own}
    flat = [text for own in texts.values() for text in own]
    if not flat:
        return TopicModel((), None)
    known = _Texts(
        flat,
        np.repeat(np.arange(len(texts)), [len(own) for own in texts.values()]),
        embed(flat).astype(np.float64),
        np.array([spoken for own in texts.values() for spoken in own.values()]),
    )
    return TopicModel(tuple(texts), _without_opaque_names(known))


def texts_of(topic: Described) -> list[str]:
    """All that has words: the name, legible, and the description first."""
    told = (topic.name.replace("_", " "), topic.description, *topic.examples)
    return [text for text in told if text.strip()]


def _without_opaque_names(known: _Texts) -> _Texts:
    """Names such as 'intent_17' would teach nonsense: they are left out where names and examples don't go together."""
    first = np.flatnonzero(np.diff(known.owners, prepend=-1))
    others = np.setdiff1d(np.arange(len(known.texts)), first)
    tested = np.isin(known.owners[first], known.owners[others])
    if not tested.any():
        return known
    nearest = known.owners[others][(known.vectors[first[tested]] @ known.vectors[others].T).argmax(axis=1)]
    if np.mean(nearest == known.owners[first[tested]]) >= min(NAMES_TELL, 0.5 + 0.5 / len(first)):
        return known
    return known.only(np.setdiff1d(np.arange(len(known.texts)), first[tested]))


def _kernel(cosines: Floats, spelling: Floats) -> Floats:
    return np.asarray(np.exp(SHARPNESS * (cosines - 1)) * (1 + SPELLING * spelling))


def _clues(scores: Floats, nearest: Floats) -> Floats:
    """(n, topics, 4): a topic's score, its lead over the best other, the cosine of its nearest text, and 1."""
    best = scores.argmax(axis=1)
    rows = np.arange(len(scores))
    rivals = np.repeat(scores[rows, best][:, None], scores.shape[1], axis=1)
    rivals[rows, best] = np.where(np.arange(scores.shape[1]) == best[:, None], -np.inf, scores).max(axis=1)
    rivals = np.maximum(rivals, 0)  # a lone topic leads over nothing
    return np.stack([scores, scores - rivals, nearest, np.ones_like(scores)], axis=-1)


def _probability(clues: Floats, coefficients: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-(clues @ coefficients))))


def _calibrated(cosines: Floats, inverse: Floats, targets: Floats, weights: Floats, known: _Texts) -> Floats:
    """Coefficients for the clues, from what the model would say of its own texts had it not seen them."""
    owners, topics = known.owners, targets.shape[1]
    if topics < 2:
        return _PRIOR
    starts, size = np.searchsorted(owners, np.arange(topics)), np.bincount(owners, minlength=topics)
    unseen = targets - weights / np.diag(inverse)[:, None]  # said with its text left out
    unknown = np.empty_like(targets)  # said with its topic left out
    for start, count in zip(starts, size, strict=True):
        own = slice(start, start + count)
        unknown[own] = targets[own] - np.linalg.solve(inverse[own, own], weights[own])
    unknown[np.arange(len(owners)), owners] = -1  # below any other
    nearest = np.maximum.reduceat(cosines - 2 * np.eye(len(cosines)), starts, axis=1)
    asked = known.spoken if known.spoken.sum() >= ENOUGH_SPOKEN else np.ones(len(owners), bool)
    told, strange = np.flatnonzero(asked & (size[owners] > 1)), np.flatnonzero(asked)
    right = _clues(unseen[told], nearest[told])[np.arange(len(told)), unseen[told].argmax(axis=1)]
    wrong = _clues(unknown[strange], nearest[strange])[np.arange(len(strange)), unknown[strange].argmax(axis=1)]
    labels = np.concatenate([unseen[told].argmax(axis=1) == owners[told], np.zeros(len(strange), bool)])
    share = UNKNOWN_SHARE / (1 - UNKNOWN_SHARE) * max(1, len(right)) / len(wrong)
    counts = np.concatenate([np.ones(len(right)), np.full(len(wrong), share)])
    return _logistic(np.concatenate([right, wrong]), labels.astype(np.float64), counts)


def _logistic(clues: Floats, labels: Floats, counts: Floats, steps: int = 25) -> Floats:
    """Logistic regression that stays near the prior coefficients, by Newton's method. `counts` weigh the rows."""
    coefficients = _PRIOR.copy()
    stiffness = _PRIOR_STRENGTH / np.maximum(_PRIOR**2, 1)
    for _ in range(steps):
        said = _probability(clues, coefficients)
        gradient = clues.T @ (counts * (said - labels)) + stiffness * (coefficients - _PRIOR)
        curvature = (clues.T * (counts * said * (1 - said))) @ clues + np.diag(stiffness)
        step = np.linalg.solve(curvature, gradient)
        coefficients -= step
        if np.abs(step).max() < 1e-6:
            break
    return coefficients
