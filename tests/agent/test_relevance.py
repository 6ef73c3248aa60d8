"""Which units are likely part of an answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.candidates import candidates
from agent.clauses import clauses
from agent.relevance import AROUND, around, relevance
from agent.relevance_features import Floats
from knowledge_base.passage import Utterance
from tests.agent.quoting import source
from tests.agent.test_relevance_features import ESCROW, OTHER, text


def best(question: str, history: tuple[Utterance, ...] = ()) -> str:
    possible = candidates([ESCROW, OTHER])
    return possible[int(most_likely(question, history).argmax())].unit.text


def most_likely(question: str, history: tuple[Utterance, ...] = ()) -> Floats:
    """The probability of the likeliest clause of each candidate."""
    return np.array([some.max() for some in relevance(question, history, candidates([ESCROW, OTHER]))])


def test_the_answer_to_a_plain_question_is_the_likeliest():
    assert "50 euros" in best("What is the limit of a milestone in euros?")
    assert "sun" in best("How do pigeons find the way?")


def test_the_sentences_of_one_answer_are_likelier_than_all_others():
    possible = candidates([ESCROW, OTHER])
    likely = most_likely("How many days does the client have to approve the work?")
    first, second = (possible[int(at)].unit.text for at in np.argsort(-likely)[:2])
    assert "7 days" in first + second
    assert "If the client does nothing" in first + second


def test_what_was_said_before_tells_what_a_short_question_is_about():
    talk = (Utterance("user", "Tell me about pigeons"), Utterance("assistant", "Pigeons fly home."))
    assert "sun" in best("And how do they find it?", talk)


def test_nothing_given_is_nothing_likely():
    assert relevance("Anything?", (), []) == []


@given(text, text, st.lists(text, max_size=3))
def test_probabilities_are_probabilities(question, said, texts):
    possible = candidates([source(one, number, f"{number % 2}.md") for number, one in enumerate(texts, 1)])
    likely = relevance(question, (Utterance("user", said), Utterance("assistant", question)), possible)
    assert [len(some) for some in likely] == [len(clauses(one.unit)) for one in possible]
    assert all(0 <= p <= 1 for some in likely for p in some)
    if possible:
        assert np.isfinite(around(np.array([some.max() for some in likely]), possible)).all()


def test_what_surrounds_a_candidate_is_that_of_its_own_section():
    likely = np.array([0.1, 0.2, 0.6, 0.1, 0.0, 0.0])
    rows = around(likely, candidates([ESCROW, OTHER]))
    assert rows[1, AROUND.index("likely after")] == 0.6
    assert rows[2, AROUND.index("likely after")] == 0.0
    assert rows[1, AROUND.index("likely under heading")] == pytest.approx(0.8, abs=1e-4)
    assert rows[2, AROUND.index("place")] == 0
