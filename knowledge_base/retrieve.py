"""Finds the passages that answer a question: vectors and words, fused; with what was said before, where it belongs.

One search embeds the question (what was said before is remembered), asks Chroma and FTS5 for candidates, scores every
candidate exactly by both, and drops repetitions. No model is called.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from knowledge_base import followup
from knowledge_base.confidence import Clues, clues_of, probability, said_of_titles
from knowledge_base.embeddings import Embedder
from knowledge_base.followup import HISTORY_WEIGHT, Signals
from knowledge_base.fusion import Candidates, Evidence, by_document
from knowledge_base.index import VectorIndex
from knowledge_base.lexical import rarity
from knowledge_base.passage import Hit, Passage, SearchResult, Utterance
from knowledge_base.probe import Cache, Probe, Prober, Vector, WeightedText
from knowledge_base.repetition import distinct
from knowledge_base.store import Store

THRESHOLD = 0.3  # of the confidence: below it the nearest passages are offered, and not taken for an answer
DOUBTED = 0.14  # the confidence that is left where only the conversation speaks for an answer: too little to quote
NUDGE = 0.01  # a liked passage is moved before one that scores better by at most this share, never before more
INDIFFERENT = 0.7  # a preference up to this one moves nothing
MAX_QUESTION_CHARS = 2_000
CACHED_TURNS = 4_000


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every candidate of one search with its scores. `query` is the self-contained form of the question, `vector` the
    unit vector of the question alone; `alone` says that nothing which was said before counted."""

    query: str
    vector: Vector
    candidates: Candidates
    passages: tuple[Passage, ...]
    evidence: Evidence
    clues: Clues
    confidence: float
    alone: bool = False

    def best_document(self) -> str:
        """The document of the best candidate; empty when there is none."""
        return self.candidates.documents[int(self.evidence.order()[0])] if len(self.candidates) else ""

    def scores(self) -> NDArray[np.float64]:
        """(candidates,) within 0..1 and comparable between questions: the best candidate's is the confidence."""
        fused = np.maximum(self.evidence.fused, 0.0)
        scores: NDArray[np.float64] = self.confidence * fused / max(float(fused.max(initial=0.0)), 1e-9)
        return scores

    def liked(self, prefer: Mapping[str, float]) -> NDArray[np.float64]:
        """(candidates,) the scores, raised by at most NUDGE of themselves for passages on liked topics."""
        weights = np.array([prefer.get(passage.topic or "", 0.0) for passage in self.passages], np.float64)
        liking = (np.clip(weights, INDIFFERENT, 1.0) - INDIFFERENT) / (1 - INDIFFERENT)
        raised: NDArray[np.float64] = self.scores() * (1 + NUDGE * liking)
        return raised

    def hits(self, prefer: Mapping[str, float] | None = None) -> Iterator[Hit]:
        """The candidates that repeat none before them, best first. `prefer` changes their order, not their scores."""
        scores = self.scores()
        order = np.argsort(-self.liked(prefer), kind="stable") if prefer else self.evidence.order()
        texts = [passage.text for passage in self.passages]
        for at in distinct(texts, self.candidates.vectors, order):
            yield Hit(
                passage=self.passages[at],
                score=float(scores[at]),
                vector_score=float(self.evidence.cosine[at]),
                lexical_score=float(self.evidence.words[at]),
            )


class Retriever:
    """Searches one knowledge base. Safe to share between threads."""

    def __init__(self, store: Store, index: VectorIndex, embedder: Embedder) -> None:
        self._prober = Prober(store, index, embedder)
        self._turns: Cache[tuple[str, ...], float] = Cache(CACHED_TURNS)

    def search(
        self,
        question: str,
        *,
        history: Sequence[Utterance] = (),
        limit: int = 6,
        prefer: Mapping[str, float] | None = None,
    ) -> SearchResult:
        """The passages that answer the question best, best first, at most `limit`.

        `history` is what was said before, oldest first. `prefer` says how much the reader likes a topic, 0..1, where
        0.7 and less move nothing; it reorders passages that match about equally well (NUDGE), and neither scores nor
        confidence know of it. Raises IndexMismatch, IndexUnavailable or EmbeddingsUnavailable.
        """
        ranking = self.rank(question, history=history)
        hits = tuple(islice(ranking.hits(prefer), limit))
        answerable = bool(hits) and ranking.confidence >= THRESHOLD
        return SearchResult(ranking.query, hits, ranking.confidence, answerable, ranking.vector, ranking.alone)

    def rank(self, question: str, *, history: Sequence[Utterance] = ()) -> Ranking:
        """All candidates for the question, scored."""
        question, said = self._prober.corrected(_cleaned(question)), followup.recent(history)
        searched = followup.searched(question)
        self._prober.vectors([searched, *(one.text for one in said)])  # all that is new in one go, side by side
        alone = self._prober.probe([(searched, 1.0)])
        found = self._prober.find(alone)
        if not said:
            return self._by_itself(question, alone, found)
        weights = self._weights(said)
        context = self._prober.probe(_weighted(said, weights))
        both = [*found, *self._prober.find(context)]
        signals = self._signals(question, said, alone, context, both)
        share = followup.continuation(signals)
        needed = followup.needed_alone(signals) if share else THRESHOLD
        by_itself = self._by_itself(question, alone, found) if needed < 1 else None
        if by_itself and by_itself.confidence >= needed:
            return by_itself
        weights = [weight * (share or 1.0) for weight in weights]
        combined = self._prober.probe([(searched, 1.0), *_weighted(said, weights)])
        ranking = self._ranking(followup.readable(question, said), alone, combined, both)
        lacking = _lacking(searched, alone, context, ranking)
        if by_itself and not share:  # it looked like a new subject, but nothing answers that
            return by_itself if lacking else ranking
        if lacking <= followup.LACKING:
            return ranking
        return _doubted(ranking, by_itself or self._by_itself(question, alone, found))

    def forget(self) -> None:
        """Drop the questions and the utterances that were kept with what they gave."""
        self._turns.clear()
        self._prober.forget()

    def signals(self, question: str, history: Sequence[Utterance]) -> Signals:
        """What tells whether the question continues the conversation, which must not be empty."""
        question, said = _cleaned(question), followup.recent(history)
        return self._past_signals(question, "", said, self._weights(said))

    def _by_itself(self, question: str, probe: Probe, found: Sequence[str]) -> Ranking:
        return replace(self._ranking(question, probe, probe, found), alone=True)

    def _ranking(self, query: str, alone: Probe, probe: Probe, found: Sequence[str]) -> Ranking:
        candidates, passages = self._prober.candidates(found)
        evidence = probe.score(candidates)
        pairs = probe.scores.pairs_held(candidates.rows)
        titles = dict(zip(candidates.documents, self._prober.titles(passages), strict=True))
        said = max(0.0, probe.length - alone.length)
        clues = clues_of(candidates, evidence, pairs, said_of_titles(titles, probe.words.words), said)
        return Ranking(query, alone.vector, candidates, passages, evidence, clues, probability(clues))

    def _weights(self, said: Sequence[Utterance]) -> list[float]:
        """How much each utterance belongs to the last one: a question that opened a new subject cut off what came
        before it. The reply to a question tells more about its subject than the question alone."""
        weights: list[float] = []
        for at, one in enumerate(said):
            if one.role == "user" and any(weights):
                reply = next((after.text for after in said[at + 1 : at + 2] if after.role == "assistant"), "")
                share = self._past_share(one.text, reply, said[:at], weights)
                weights = [weight * share for weight in weights]
            weights.append(1.0)
        return weights

    def _past_share(self, question: str, reply: str, before: Sequence[Utterance], weights: Sequence[float]) -> float:
        """How much of what was said before a past question belongs to it; remembered from turn to turn."""

        key = (question, reply, *(one.text for one in before[-2:]))
        shares = self._turns.get(
            [key], lambda _: [followup.continuation(self._past_signals(question, reply, before, weights))]
        )
        return shares[0]

    def _past_signals(
        self, question: str, reply: str, before: Sequence[Utterance], weights: Sequence[float]
    ) -> Signals:
        searched = followup.searched(question)
        alone = self._prober.probe([(searched, 1.0), *([(reply, HISTORY_WEIGHT)] if reply else [])])
        context = self._prober.probe(_weighted(before, weights))
        found = [*self._prober.find(alone), *self._prober.find(context)]
        return self._signals(question, before, alone, context, found)

    def _signals(
        self, question: str, said: Sequence[Utterance], alone: Probe, context: Probe, found: Sequence[str]
    ) -> Signals:
        candidates, passages = self._prober.candidates(found)
        own, before = alone.score(candidates), context.score(candidates)
        own_best, before_best = by_document(candidates, own.fused), by_document(candidates, before.fused)
        subject = max(before_best, key=lambda document: (before_best[document], document), default="")
        leading = max(own_best, key=lambda document: (own_best[document], document), default="")
        return Signals(
            lead=own_best.get(leading, 0.0) - own_best.get(subject, 0.0),
            overlap=_overlap(alone, context),
            nearness=max(float(alone.vector @ vector) for vector in self._prober.vectors([one.text for one in said])),
            own=float(own.cosine.max(initial=0.0)),
            reply=followup.opens_as_reply(question),
            short=followup.is_short(question),
            complete=followup.is_complete(question),
            named=followup.names_subject(question),
            tells=followup.tells(question),
            titled=leading != subject and self._titled(alone, leading, subject, passages),
        )

    def _titled(self, alone: Probe, leading: str, subject: str, passages: Sequence[Passage]) -> bool:
        """Whether the title of the one document says all of the question, and that of the other does not."""
        first = {passage.document_id: passage for passage in passages}
        title, other = self._prober.titles([first[leading], first[subject]])
        stems = alone.words.words.keys()
        return bool(stems) and stems <= title and not stems <= other


def _cleaned(question: str) -> str:
    return " ".join(question[:MAX_QUESTION_CHARS].split())


def _weighted(said: Sequence[Utterance], weights: Sequence[float]) -> list[WeightedText]:
    return [(one.text, HISTORY_WEIGHT * weight) for one, weight in zip(said, weights, strict=True)]


def _doubted(ranking: Ranking, alone: Ranking) -> Ranking:
    """The ranking of a question whose words the conversation's document lacks: unless the question is answered when it
    is asked alone, what was said before is no reason to believe that it is."""
    if alone.confidence >= THRESHOLD:
        return ranking
    return replace(ranking, confidence=min(ranking.confidence, max(alone.confidence, DOUBTED)))


def _lacking(question: str, alone: Probe, context: Probe, ranking: Ranking) -> float:
    """How much of what is asked for was neither said before nor stands in the best document; 1 is a word that stands
    nowhere, and words that many passages hold don't count."""
    asked = followup.asked_for(question)
    if not asked:
        return 0.0
    best, rarest = ranking.best_document(), rarity(0, len(alone.scores.by_row))
    in_best = np.array([document == best for document in ranking.candidates.documents], np.bool_)
    places = alone.scores.words_held(ranking.candidates.rows).places[:, in_best]
    missing = (
        alone.scores.worth[stem] / rarest
        for (stem, (word, _)), held in zip(alone.words.words.items(), places, strict=True)
        if not held.any() and word.lower() in asked and stem not in context.words.words
    )
    return sum(worth for worth in missing if worth >= followup.RARE)


def _overlap(alone: Probe, context: Probe) -> float:
    """The share of the question's words, by rarity, that were said before."""
    worth = alone.scores.worth
    return sum(worth[stem] for stem in worth if stem in context.words.words) / max(sum(worth.values()), 1e-9)
