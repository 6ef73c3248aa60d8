"""Which units are likely part of an answer, by features and fitted trees."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clauses import clauses
from agent.relevance import (
    AROUND,
    CLAUSE,
    FEATURES,
    Floats,
    Reading,
    Trees,
    around,
    candidates,
    relevance,
    stem,
    terms,
)
from knowledge_base.passage import Utterance
from tests.agent.test_compose import source

ESCROW = source(
    "Escrow holds the client's money.\n\n## When is money released?\n\nThe client has 7 days to approve the work. "
    "If the client does nothing, the money is released automatically.\n\n## Limits\n\nA milestone is at least 50 euros."
)
OTHER = source("Pigeons fly home. They find the way by the sun.", 2, "b.md", "Pigeons", "Pigeons")


def column(name: str, question: str, history: tuple[Utterance, ...] = ()) -> list[float]:
    rows = Reading(question, history, candidates([ESCROW, OTHER])).features()
    return [float(value) for value in rows[:, FEATURES.index(name)]]


def best(question: str, history: tuple[Utterance, ...] = ()) -> str:
    possible = candidates([ESCROW, OTHER])
    return possible[int(most_likely(question, history).argmax())].unit.text


def most_likely(question: str, history: tuple[Utterance, ...] = ()) -> Floats:
    """The probability of the likeliest clause of each candidate."""
    return np.array([some.max() for some in relevance(question, history, candidates([ESCROW, OTHER]))])


def test_headings_are_no_candidates_but_known_to_what_stands_below_them():
    assert [(one.heading, one.position) for one in candidates([ESCROW])] == [
        ("Escrow", 0),
        ("When is money released?", 0),
        ("When is money released?", 1),
        ("Limits", 0),
    ]


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


def test_features_know_the_place_of_the_last_answer():
    talk = (Utterance("user", "How long?"), Utterance("assistant", "The client has 7 days to approve the work."))
    distance = column("distance from last answer", "And then?", talk)
    assert distance[1:4] == [0, 1, 2]
    assert distance[4] < 0


def test_features_know_the_document_that_the_conversation_is_about():
    shares = column("utterances in document", "Do pigeons fly home?")
    assert shares[4] == max(shares) > shares[0]


@pytest.mark.parametrize(("one", "other"), [("payments", "pay"), ("released", "release"), ("invoices", "invoice")])
def test_forms_of_a_word_share_a_stem(one, other):
    assert stem(one) == stem(other)


def test_stop_words_are_no_terms():
    assert terms("What is the fee of a refund?") == {stem("fee"), stem("refund")}


def test_nothing_given_is_nothing_likely():
    assert relevance("Anything?", (), []) == []


words = st.sampled_from(["client", "money", "days", "Pigeons.", "## Sun\n\n", "- item\n", "?", "yes", "7", "é", "\n\n"])
text = st.lists(words, max_size=25).map(" ".join)


@given(text, text, st.lists(text, max_size=3))
def test_features_are_finite_and_probabilities_are_probabilities(question, said, texts):
    sources = [source(one, number, f"{number % 2}.md") for number, one in enumerate(texts, 1)]
    possible = candidates(sources)
    history = (Utterance("user", said), Utterance("assistant", question))
    likely = relevance(question, history, possible)
    assert [len(some) for some in likely] == [len(clauses(one.unit)) for one in possible]
    assert all(0 <= p <= 1 for some in likely for p in some)
    if possible:
        rows = Reading(question, history, possible).features()
        assert rows.shape == (len(possible), len(FEATURES))
        assert np.isfinite(rows).all()
        assert np.isfinite(around(np.array([some.max() for some in likely]), possible)).all()
        owner, of_clauses = Reading(question, history, possible).clause_features(range(len(possible)))
        assert of_clauses.shape == (sum(map(len, likely)), len(CLAUSE)) == (len(owner), len(CLAUSE))
        assert np.isfinite(of_clauses).all()


def test_what_surrounds_a_candidate_is_that_of_its_own_section():
    likely = np.array([0.1, 0.2, 0.6, 0.1, 0.0, 0.0])
    rows = around(likely, candidates([ESCROW, OTHER]))
    assert rows[1, AROUND.index("likely after")] == 0.6
    assert rows[2, AROUND.index("likely after")] == 0.0
    assert rows[1, AROUND.index("likely under heading")] == pytest.approx(0.8, abs=1e-4)
    assert rows[2, AROUND.index("place")] == 0


def test_trees_add_up_to_log_odds():
    trees = Trees(
        base=-1.0,
        roots=[0, 3],
        feature=[1, 0, 0, 0],
        threshold=[0.5, 0, 0, 0],
        right=[2, 1, 2, 3],
        value=[0, -2.0, 3.0, 1.0],
    )
    odds = np.array([-1 - 2 + 1, -1 + 3 + 1])
    np.testing.assert_allclose(trees.predict(np.array([[9, 0.5], [9, 0.6]])), 1 / (1 + np.exp(-odds)))
