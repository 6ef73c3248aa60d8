"""Whose words they are: clauses of a message, and what may be learned from each."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.profile.speech import own_speech


def _about(message: str, **given: Any) -> str:
    return own_speech(message, **given).asked


def _claims(message: str) -> list[str]:
    return [clause.text for clause in own_speech(message).clauses if clause.claims]


def test_a_plain_question_is_wholly_the_users() -> None:
    speech = own_speech("How does escrow work?")
    assert speech.whole
    assert speech.asked == "How does escrow work?"
    assert not speech.clauses[0].claims


def test_a_claim_and_a_question_in_one_sentence_are_told_apart() -> None:
    assert _claims("I'm a designer, how do I get paid?") == ["I'm a designer"]


@pytest.mark.parametrize(
    "message",
    [
        "> Fees are 5 %\nHow do refunds work?",
        "“Fees are 5 %” How do refunds work?",
        "`fees` How do refunds work?",
        "<p>Fees are 5 %</p> How do refunds work?",
        "Anna: fees are 5 %\nHow do refunds work?",
        "How do refunds work?\n---\nFees are 5 %",
        "How do refunds work?\nFrom: a@b.example\nSubject: fees\n\nFees are 5 %",
        "My friend loves fees. How do refunds work?",
    ],
)
def test_what_is_not_the_users_is_left_out_and_the_rest_stays(message: str) -> None:
    speech = own_speech(message)
    assert not speech.whole
    assert speech.asked == "How do refunds work?"


def test_what_is_excluded_is_not_asked_about() -> None:
    assert _about("Can I pay by card instead of by invoice?") == "Can I pay by card ?"
    assert "taxes" not in _about("I ask not about taxes but about refunds")


def test_words_of_a_reply_that_come_back_are_not_the_users() -> None:
    reply = "Money is held in escrow until the client approves the milestone."
    assert _about("money is held in escrow until the client approves", replies=[reply]) == ""


def test_a_suggested_question_that_is_asked_is_the_users() -> None:
    assert _about("How do refunds work?", replies=["You may ask: How do refunds work?"]) == "How do refunds work?"


@pytest.mark.parametrize(
    "message",
    ["I can't log into my account", "My card is not working", "I don't want to lose my payment", "I was charged twice"],
)
def test_a_problem_is_no_dislike(message: str) -> None:
    (clause,) = own_speech(message).clauses
    assert clause.about
    assert not clause.against


def test_only_the_first_part_of_a_long_message_counts() -> None:
    speech = own_speech("How do refunds work? " + "bla " * 5000 + "I'm a lawyer.")
    assert not speech.whole
    assert not any("lawyer" in clause.text for clause in speech.clauses)


@given(st.text(alphabet=st.sampled_from("ab I'm.,?!\"'“”`<>|-:#*\n\t é🙂\ud800\0"), max_size=300))
@settings(max_examples=200, deadline=None)
def test_no_message_is_too_odd_to_read(message: str) -> None:
    for clause in own_speech(message, replies=[message[:50]]).clauses:
        assert clause.sentence
