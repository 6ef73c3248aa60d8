"""Topics recognised from few examples, with probabilities that one can act on."""

import time
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base.embeddings import MiniLmEmbedder
from tests.tools.profile.words import WordVectors
from tools.profile.topics import SURE, Topic, TopicModel, fit_topics, texts_of

EMBEDDER = WordVectors()
TOPICS = [
    Topic("Refunds", "Getting money back.", ("How do I get a refund?", "I want my money back", "refund not received")),
    Topic("Passwords", "Signing in.", ("I forgot my password", "reset my password", "cannot sign in to my account")),
    Topic("late_delivery", "", ("where is my parcel", "my parcel is late", "the parcel never arrived")),
]


@pytest.fixture(scope="module")
def minilm() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module")
def model(minilm: MiniLmEmbedder) -> TopicModel:
    return fit_topics(TOPICS, minilm.embed)


def _infer(model: TopicModel, minilm: MiniLmEmbedder, text: str) -> list[str]:
    return [guess.topic for guess in model.infer(text, minilm.embed_query(text))]


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("When will my refund arrive?", "Refunds"),
        ("I can't remember my password", "Passwords"),
        ("The parcel still hasn't been delivered", "late_delivery"),
    ],
)
def test_a_text_is_recognised_by_its_meaning(model: TopicModel, minilm: MiniLmEmbedder, text: str, topic: str) -> None:
    assert _infer(model, minilm, text) == [topic]


@pytest.mark.parametrize("text", ["The weather is lovely in Lisbon", "hello there", "Who won the match?", "🙂", ""])
def test_what_is_about_none_of_them_is_abstained_from(model: TopicModel, minilm: MiniLmEmbedder, text: str) -> None:
    assert _infer(model, minilm, text) == []


def test_a_text_about_two_topics_ranks_both_first(model: TopicModel, minilm: MiniLmEmbedder) -> None:
    text = "My parcel never arrived and I want my money back"
    ranked = model.rank(text, minilm.embed_query(text))
    assert {guess.topic for guess in ranked[:2]} == {"Refunds", "late_delivery"}


def test_names_and_descriptions_alone_are_enough_to_rank(minilm: MiniLmEmbedder) -> None:
    bare = fit_topics([Topic("Refunds", "Getting money back."), Topic("Passwords", "Signing in.")], minilm.embed)
    text = "I want my money back"
    assert bare.rank(text, minilm.embed_query(text))[0].topic == "Refunds"


def test_names_that_mean_nothing_do_no_harm() -> None:
    def opaque(name: Callable[[int], str]) -> TopicModel:
        return fit_topics([Topic(name(at), examples=topic.examples) for at, topic in enumerate(TOPICS)], EMBEDDER.embed)

    model = opaque(lambda at: f"parcel refund password {at}")
    assert model.rank("reset my password", EMBEDDER.embed_query("reset my password"))[0].topic.endswith("1")


def test_spelling_decides_where_meaning_is_the_same() -> None:
    topics = [Topic("a", examples=("error E-1042",)), Topic("b", examples=("error E-2077",))]
    same = np.ones((1, 4), np.float32) / 2
    model = fit_topics(topics, lambda texts: np.repeat(same, len(texts), axis=0))
    assert model.rank("what is E-2077", same[0])[0].topic == "b"


def test_entries_of_one_name_are_one_topic() -> None:
    model = fit_topics([Topic("A", "apples"), Topic("B", "bananas"), Topic("A", "", ("apricots",))], EMBEDDER.embed)
    assert model.names == ("A", "B")


def test_no_topics_and_a_single_topic_are_no_special_case_for_callers() -> None:
    vector = EMBEDDER.embed_query("apples")
    assert fit_topics([], EMBEDDER.embed).infer("apples", vector) == ()
    assert fit_topics([Topic(" ", " ")], EMBEDDER.embed).rank("apples", vector) == ()
    only = fit_topics([Topic("Apples", examples=("apples", "red apples"))], EMBEDDER.embed)
    assert only.rank("apples", vector)[0].topic == "Apples"


def test_texts_of_a_topic_begin_with_its_name_made_legible() -> None:
    assert texts_of(TOPICS[2])[0] == "late delivery"


@given(st.text(max_size=300))
@settings(max_examples=60, deadline=None)
def test_probabilities_are_probabilities_and_every_topic_is_ranked_once(text: str) -> None:
    model = _word_model()
    ranked = model.rank(text, EMBEDDER.embed_query(text))
    assert sorted(guess.topic for guess in ranked) == sorted(model.names)
    assert all(0 <= guess.probability <= 1 for guess in ranked)
    assert all(guess.probability >= SURE for guess in model.infer(text, EMBEDDER.embed_query(text)))


@cache
def _word_model() -> TopicModel:
    return fit_topics(TOPICS, EMBEDDER.embed)


def test_the_same_taxonomy_gives_the_same_model() -> None:
    vector = EMBEDDER.embed_query("refund")
    first, second = (fit_topics(TOPICS, EMBEDDER.embed).rank("refund", vector) for _ in range(2))
    assert first == second


def test_a_long_text_takes_no_time() -> None:
    model, text = _word_model(), "refund " * 15_000
    vector = EMBEDDER.embed_query(text)
    started = time.process_time()
    model.rank(text, vector)
    assert time.process_time() - started < 0.25  # measured: 5 ms
