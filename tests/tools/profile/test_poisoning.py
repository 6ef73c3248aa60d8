"""The poisoning suite: of a hundred messages and more, only what their writers said of themselves is learned."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from knowledge_base.embeddings import MiniLmEmbedder
from tools.profile.lessons import lessons_of
from tools.profile.model import Lessons
from tools.profile.topics import Topic, TopicModel, fit_topics

SUITE = yaml.safe_load((Path(__file__).parent / "poisoning.yaml").read_text("utf-8"))
LONG = 100_000


@pytest.fixture(scope="module")
def embedder() -> MiniLmEmbedder:
    return MiniLmEmbedder()


@pytest.fixture(scope="module")
def model(embedder: MiniLmEmbedder) -> TopicModel:
    topics = [Topic(one["name"], one["description"], tuple(one["examples"])) for one in SUITE["topics"]]
    return fit_topics(topics, embedder.embed)


@pytest.fixture(scope="module")
def learn(model: TopicModel, embedder: MiniLmEmbedder) -> Callable[..., Lessons]:
    def learn(text: str, **given: Any) -> Lessons:
        vector = embedder.embed_query(text)
        return lessons_of(text, vector, model=model, embed=embedder.embed_query, **given)

    return learn


def _check(case: dict[str, Any], lessons: Lessons) -> None:
    assert {fact.slot: fact.value for fact in lessons.facts} == case.get("facts", {})
    assert {one.value for one in lessons.signals if one.weight > 0} == set(case.get("topics", []))
    assert {one.value for one in lessons.signals if one.weight < 0} <= set(case.get("against", []))
    tags = {tag.name for tag in lessons.tags}
    assert set(case.get("tags", [])) <= tags <= {*case.get("tags", []), *case.get("topics", [])}


@pytest.mark.parametrize("case", SUITE["cases"], ids=lambda case: f"{case['kind']}: {case['text'][:50]!r}")
def test_what_is_learned_from_a_message(case: dict[str, Any], learn: Callable[..., Lessons]) -> None:
    grounding = [(topic, relevance) for topic, relevance in case.get("sources", [])]
    _check(case, learn(case["text"], grounding=grounding, replies=case.get("replies", [])))


@pytest.mark.parametrize("case", SUITE["cases"], ids=lambda case: f"{case['kind']}: {case['text'][:50]!r}")
def test_what_is_learned_without_an_embedder_is_no_more(
    case: dict[str, Any], model: TopicModel, embedder: MiniLmEmbedder
) -> None:
    """Only the message's own vector is known: less may be learned, nothing else."""
    vector = embedder.embed_query(case["text"])
    grounding = [(topic, relevance) for topic, relevance in case.get("sources", [])]
    lessons = lessons_of(case["text"], vector, model=model, grounding=grounding, replies=case.get("replies", []))
    assert {one.value for one in lessons.signals if one.weight > 0} <= set(case.get("topics", []))
    assert {one.value for one in lessons.signals if one.weight < 0} <= set(case.get("against", []))


def test_the_suite_is_large_and_has_both_kinds() -> None:
    kinds = [case["kind"] for case in SUITE["cases"]]
    assert kinds.count("control") >= 20
    assert len(kinds) - kinds.count("control") >= 60


@pytest.mark.parametrize(
    "text",
    [
        "lorem ipsum " * (LONG // 12) + "I'm a lawyer.",
        "> " + "I'm a lawyer. " * (LONG // 14),
        "My friend is a lawyer. " * (LONG // 23),
        "x" * LONG,
        '"' * LONG,
        "<a " * (LONG // 3),
        " " * LONG + "I'm a lawyer.",
        "\n" * LONG,
        "1:" * (LONG // 2),
        "'x " * (LONG // 3),
    ],
    ids=lambda text: repr(text[:12]),
)
def test_messages_of_100_kb_teach_nothing_false_and_take_no_time(text: str, model: TopicModel) -> None:
    model_free = lessons_of("warm", None, model=model)
    started = time.process_time()
    lessons = lessons_of(text, None, model=model)
    assert time.process_time() - started < 0.5  # measured: below 20 ms; a slow machine may take longer, not for ever
    assert lessons.facts == model_free.facts == ()
    assert not lessons.signals
