"""How preferences move: the average, its one correction, and fading; in SQL as in Python."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.profile.model import Interaction
from tools.profile.preferences import PASSED_OVER, Standing, action_weight, faded

HALF_LIFE = timedelta(days=90)
WEIGHTS = st.floats(-1, 1, allow_nan=False)


@pytest.mark.parametrize(
    ("type", "weight"),
    [
        ("finish", 1.0),
        ("save", 0.6),
        ("click", 0.3),
        ("content_view", 0.3),
        ("unsave", -0.3),
        ("ignore", -0.05),
        ("search", 0.0),
        ("question", 0.0),
    ],
)
def test_what_an_action_weighs(type, weight):
    assert action_weight(Interaction(type, "item")) == weight


@pytest.mark.parametrize(("rating", "weight"), [(10, 1.0), (7, 0.7), (4, 0.4), (3, -0.25), (0, -1.0)])
def test_what_a_rating_weighs(rating, weight):
    assert action_weight(Interaction("rate", "item", rating)) == pytest.approx(weight)


def test_the_average_approaches_what_is_said_again_and_again():
    known = Standing()
    for _ in range(5):
        known = known.moved(1.0, 0, HALF_LIFE)
    assert known.score == pytest.approx(1 - 0.8**5)
    assert known.evidence == 5


def test_a_click_does_not_lower_a_favourite():
    assert Standing(0.9, 5, 0).moved(0.3, 0, HALF_LIFE).score == pytest.approx(0.9)
    assert Standing(-0.9, 5, 0).moved(-0.05, 0, HALF_LIFE).score == pytest.approx(-0.9)


def test_passing_over_offers_takes_a_liking_to_nothing_and_no_further():
    liking = Standing().moved(0.5, 0, HALF_LIFE)
    assert liking.moved(PASSED_OVER, 0, HALF_LIFE).score == pytest.approx(0.8 * 0.1 - 0.2 * 0.05)
    for _ in range(20):
        liking = liking.moved(PASSED_OVER, 0, HALF_LIFE)
    assert liking.score == 0
    assert liking.moved(-0.3, 0, HALF_LIFE).score == pytest.approx(-0.06)  # a dismissal does


def test_what_was_only_ever_passed_over_sinks_no_lower_than_the_weight_of_that():
    known = Standing().moved(PASSED_OVER, 0, HALF_LIFE)
    assert known.score == pytest.approx(-0.01)
    for _ in range(200):
        known = known.moved(PASSED_OVER, 0, HALF_LIFE)
    assert known.score == pytest.approx(PASSED_OVER)
    assert known.moved(0.5, 0, HALF_LIFE).score > 0


@given(st.lists(WEIGHTS, max_size=30), WEIGHTS)
def test_something_positive_never_lowers_and_something_negative_never_raises(history, weight):
    known = Standing()
    for one in history:
        known = known.moved(one, 0, HALF_LIFE)
    after = known.moved(weight, 0, HALF_LIFE)
    assert -1 <= after.score <= 1
    if weight > 0:
        assert after.score >= known.score - 1e-12
    if weight < 0:
        assert after.score <= known.score + 1e-12


def test_half_is_left_after_the_half_life_and_time_does_not_run_backwards():
    assert faded(0.8, HALF_LIFE.total_seconds(), HALF_LIFE) == pytest.approx(0.4)
    assert faded(0.8, -1000, HALF_LIFE) == 0.8
    assert faded(0.8, 1e12, HALF_LIFE) == pytest.approx(0)
