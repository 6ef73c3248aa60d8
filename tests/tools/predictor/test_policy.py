"""The operator's rule: act above the threshold, say nothing from wide intervals, offer only what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.predictor.model import ENGAGEMENT, RISK, Foreseen, Head
from tools.predictor.policy import PLAIN, Thresholds, decide

P = st.floats(0, 1)


def foreseen(engagement: float, risk: float, width: float = 0.1) -> Foreseen:
    def head(p: float) -> Head:
        return Head(p, max(0.0, p - width / 2), min(1.0, p + width / 2))

    return Foreseen("local", "v", {ENGAGEMENT: head(engagement), RISK: head(risk)})


@pytest.mark.parametrize(
    ("engagement", "risk", "row", "action"),
    [
        (0.9, 0.1, {}, "recommend_content"),
        (0.7, 0.1, {}, "answer_only"),
        (0.9, 0.8, {}, "ask_clarifying_question"),
        (0.9, 0.9, {}, "offer_human"),
        (0.2, 0.75, {"wants_person": True}, "offer_human"),
        (0.05, 0.1, {"days_since_last": 60.0}, "answer_only"),
    ],
)
def test_what_is_done_in_a_turn(engagement: float, risk: float, row: dict[str, float | bool], action: str):
    assert decide(foreseen(engagement, risk), row, Thresholds()).action == action


def test_messages_and_discounts_only_where_allowed_and_to_those_who_are_away():
    away = {"days_since_last": 60.0, "user.purchases": 3.0}
    of = foreseen(0.05, 0.1)
    assert decide(of, away, Thresholds(), in_turn=False).action == PLAIN
    assert decide(of, away, Thresholds(messages=True), in_turn=False).action == "send_message"
    assert decide(of, away, Thresholds(discounts=True), in_turn=False).action == "offer_discount"
    assert (
        decide(of, {"days_since_last": 1.0}, Thresholds(messages=True, discounts=True), in_turn=False).action == PLAIN
    )
    assert decide(of, {**away, "user.purchases": 0}, Thresholds(discounts=True), in_turn=False).action == PLAIN


def test_wide_intervals_are_no_basis():
    decision = decide(foreseen(0.95, 0.5, width=0.9), {}, Thresholds())
    assert (decision.action, decision.score) == (PLAIN, None)
    assert set(decision.abstained) == {ENGAGEMENT, RISK}


def test_without_a_prediction_the_plain_action():
    assert decide(None, {}, Thresholds()).action == PLAIN


@given(P, P, P)
def test_nothing_is_done_below_the_threshold(engagement: float, risk: float, threshold: float):
    decision = decide(foreseen(engagement, risk), {}, Thresholds(act_above=threshold))
    assert decision.action == PLAIN or (decision.score is not None and decision.score > threshold)
    assert decision.without == PLAIN
