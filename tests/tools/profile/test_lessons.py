"""What one message teaches, put together: weights, sources, what is muted, and quotes."""

from typing import Any

import pytest

from tests.tools.profile.words import WordVectors
from tools.profile.lessons import ASKED, lessons_of
from tools.profile.model import Lessons, Muted
from tools.profile.topics import Topic, fit_topics

EMBEDDER = WordVectors()
MODEL = fit_topics(
    [
        Topic("Escrow", "", ("how does escrow work", "escrow release", "escrow money held")),
        Topic("Taxes", "", ("which tax form", "tax on income", "pay taxes")),
        Topic("Mental health", "", ("mental wellbeing", "feeling low", "mental health help")),
    ],
    EMBEDDER.embed,
)


def _learn(message: str, **given: Any) -> Lessons:
    return lessons_of(message, EMBEDDER.embed_query(message), model=MODEL, embed=EMBEDDER.embed_query, **given)


def _weights(lessons: Lessons) -> dict[str, float]:
    return {one.value: one.weight for one in lessons.signals}


def test_a_question_teaches_its_topic_with_the_words_as_quote() -> None:
    (signal,) = _learn("How does escrow work?").signals
    assert (signal.facet, signal.value, signal.quote) == ("topic", "Escrow", "How does escrow work?")
    assert 0 < signal.weight <= ASKED


def test_sources_raise_the_weight_of_what_the_words_point_to() -> None:
    message = "when is the money released"
    without, along = _weights(_learn(message)), _weights(_learn(message, grounding=[("Escrow", 1.0)]))
    assert along["Escrow"] > without.get("Escrow", 0.0)


def test_sources_alone_teach_nothing() -> None:
    assert _learn("nice weather today", grounding=[("Taxes", 1.0)]).signals == ()
    assert _learn("thanks", grounding=[("Escrow", 1.0)]).signals == ()


def test_a_source_that_the_words_name_counts_without_being_in_the_taxonomy() -> None:
    assert _weights(_learn("how do milestone templates look", grounding=[("Milestone templates", 0.8)])) == {
        "Milestone templates": 0.2
    }


def test_what_is_muted_is_not_learned() -> None:
    muted = [Muted("topic", "escrow"), Muted("tag", "Escrow"), Muted("role", "designer")]
    lessons = _learn("I'm a designer. How does escrow work?", muted=muted)
    assert (lessons.signals, lessons.tags, lessons.facts) == ((), (), ())


def test_a_sensitive_topic_is_not_learned_whatever_the_words() -> None:
    lessons = _learn("feeling low, what now?", grounding=[("Mental health", 1.0)])
    assert "Mental health" not in _weights(lessons)
    assert lessons.tags == ()


def test_what_is_turned_down_loses() -> None:
    lessons = _learn("I'm not interested in taxes. How does escrow work?")
    weights = _weights(lessons)
    assert weights["Taxes"] < 0 < weights["Escrow"]


def test_a_liking_becomes_a_tag_of_more_confidence_than_a_question() -> None:
    liked, asked = _learn("I'm interested in escrow money held"), _learn("How does escrow work?")
    assert liked.tags[0].confidence > max((tag.confidence for tag in asked.tags), default=0)


def test_a_message_by_a_child_teaches_nothing() -> None:
    lessons = _learn("I'm 12 years old. I'm a designer. How does escrow work?")
    assert (lessons.signals, lessons.tags, lessons.facts) == ((), (), ())


@pytest.mark.parametrize("message", ["", " \n", "?", "ok"])
def test_nothing_said_is_nothing_learned(message: str) -> None:
    assert _learn(message, grounding=[("Escrow", 1.0)]).signals == ()


def test_without_a_vector_only_what_is_named_counts() -> None:
    lessons = lessons_of("How does escrow work?", None, model=MODEL, grounding=[("Escrow", 0.9), ("Taxes", 0.9)])
    assert set(_weights(lessons)) == {"Escrow"}


def test_relevance_out_of_bounds_stays_a_weight() -> None:
    assert all(0 < weight <= ASKED for weight in _weights(_learn("escrow", grounding=[("Escrow", 7.0)])).values())
