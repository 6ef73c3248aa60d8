"""Trees leave scikit-learn as they were, and questions are split so that no document is on both sides."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from agent.relevance_trees import Trees
from agent.spans import FEATURES as SPAN_FEATURES
from benchmarks.fit_relevance import FIRST, PARTS, exported, make_example, parts, scored, span_weights
from knowledge_base.question_set import Question
from tests.agent.quoting import found, source

QUESTION = Question("q", "How long?", (), {"a.md": 1.0}, "The client has 7 days, or it is released.")


def test_exported_trees_predict_what_the_model_predicts():
    chance = np.random.default_rng(0)
    rows = chance.normal(size=(400, 5))
    labels = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
    model = HistGradientBoostingClassifier(**FIRST | {"max_iter": 20}).fit(rows, labels)
    ours = Trees(**exported(model)).predict(rows)
    np.testing.assert_allclose(ours, model.predict_proba(rows)[:, 1], atol=2e-3)


def test_questions_that_share_a_document_stay_together():
    asked = [Question(str(n), "?", (), {f"{n // 2}.md": 1.0}) for n in range(40)]
    asked.append(replace(asked[0], relevant={"0.md": 1.0, "7.md": 1.0}))
    number = parts(asked)
    assert set(number) == set(range(PARTS))
    assert all(number[n] == number[n + 1] for n in range(0, 40, 2))
    assert number[0] == number[14] == number[-1]


@pytest.mark.parametrize(
    ("text", "document", "share"),
    [
        ("The client has 7 days.", "a.md", 1.0),
        ("The client has 7 days or more than that.", "a.md", 5 / 8),
        ("Pigeons have a client.", "a.md", 0.0),
        ("The client has 7 days.", "b.md", 0.0),
    ],
)
def test_a_unit_is_quoted_by_the_words_that_follow_each_other_in_the_answer(text, document, share):
    example = make_example(QUESTION, found(source(text, document=document)))
    assert example is not None
    assert example.quoted == pytest.approx([share])


def test_a_clause_is_quoted_by_its_own_words():
    text = "If the client does nothing in this time, the money is paid, or it is released. The client has 7 days."
    example = make_example(QUESTION, found(source(text)))
    assert example is not None
    assert example.owner.tolist() == [0, 0, 0, 1]
    assert example.clause_quoted == pytest.approx([0, 0, 1, 1])


def test_a_search_that_found_nothing_is_no_example_of_anything():
    assert make_example(QUESTION, found()) is None


def test_the_run_that_is_nearest_to_the_answer_is_the_likeliest_by_the_fitted_weights():
    text = "Pigeons fly home. The client has 7 days. Pigeons find the way by the sun."
    example = make_example(QUESTION, found(source(text)))
    assert example is not None
    weights = span_weights([example], [[np.array([p]) for p in (0.2, 0.6, 0.3)]])
    assert len(weights) == len(SPAN_FEATURES)
    assert weights[SPAN_FEATURES.index("first odds")] > 0
    assert weights[SPAN_FEATURES.index("words")] < 0


def test_an_answer_is_scored_by_the_probabilities_given():
    example = make_example(QUESTION, found(source("Pigeons fly home. The client has 7 days.")))
    assert example is not None
    right, wrong = (scored(example, [np.array([p]), np.array([1 - p])]) for p in (0.001, 0.999))
    assert right[0] > wrong[0] == 0
