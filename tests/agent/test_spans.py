"""Which words are said when several runs of clauses may be the answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spans import FEATURES, MOST, Agreement, Clause, Spans


def clauses(*likely: float, words: int = 8, section: int = 0) -> list[Clause]:
    """Clauses of one section, each a unit of its own."""
    return [Clause(words, p, unit, section) for unit, p in enumerate(likely)]


def test_runs_end_at_a_heading_and_begin_and_end_with_something_likely():
    spans = Spans.of([*clauses(0.5, 0.001, 0.4), Clause(8, 0.5, 3, 1)])
    assert list(zip(spans.first.tolist(), spans.last.tolist(), strict=True)) == [(0, 0), (0, 2), (2, 2), (3, 3)]
    assert spans.words.tolist() == [8, 24, 8, 8]


def test_a_run_is_no_longer_than_an_answer_but_one_clause_is_what_it_is():
    spans = Spans.of([Clause(60, 0.5, 0, 0), Clause(60, 0.5, 1, 0), Clause(200, 0.5, 2, 0)])
    assert spans.words.tolist() == [60, 60, 200]


def test_what_is_left_out_beside_a_run_counts_against_it():
    before = Spans.of(clauses(0.6, 0.5)).features()[:, FEATURES.index("odds before")]
    assert before.tolist() == [-5, -5, pytest.approx(np.log(0.6 / 0.4))]


def test_a_likely_clause_is_said_with_what_is_nearly_as_likely_beside_it():
    assert Agreement(clauses(0.01, 0.6, 0.55, 0.01), 1.7).best_run(100) == [1, 2]


def test_who_wants_more_is_told_more():
    likely = clauses(0.3, 0.6, 0.3, 0.2, 0.2)
    brief, full = (len(Agreement(likely, beta).best_run(100)) for beta in (0.5, 4.0))
    assert brief < full


def test_a_run_that_is_too_long_gives_way_to_a_shorter_one():
    assert len(Agreement(clauses(0.6, 0.6, 0.6), 1.7).best_run(16)) == 2


def test_nothing_is_said_twice_nor_what_is_left_out():
    agreement = Agreement([*clauses(0.5, 0.5), *clauses(0.5, section=1)], 3.0)
    agreement.say(agreement.best_run(8))
    other = agreement.next_best(100)
    assert other is not None
    agreement.leave_out([other])
    assert agreement.next_best(100) != other


def test_there_is_no_next_clause_without_room():
    agreement = Agreement(clauses(0.5, 0.5), 3.0)
    agreement.say([0])
    assert agreement.next_best(100) == 1
    assert agreement.next_best(15) is None


@given(st.lists(st.tuples(st.integers(1, 120), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=40))
def test_probabilities_add_up_to_one(given_clauses):
    ordered = sorted(given_clauses, key=lambda one: one[2])
    spans, probability = Spans.of([Clause(n, p, at, where) for at, (n, p, where) in enumerate(ordered)]).likeliest()
    assert probability.sum() == pytest.approx(1.0)
    assert len(spans.first) == len(probability) <= MOST
    assert np.isfinite(spans.features()).all()
