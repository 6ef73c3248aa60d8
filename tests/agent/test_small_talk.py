"""Which messages are only small talk, and what is said to them."""

import pytest

from agent.small_talk import ACKNOWLEDGED, NOTHING_SAID, asks_what_is_known, small_talk
from knowledge_base.passage import Utterance

ASKED = (Utterance("assistant", "Is the contract still running?"),)
TOLD = (Utterance("assistant", "The contract is still running [1]."),)


@pytest.mark.parametrize(
    ("message", "reply"),
    [
        ("Hi there!", "Hello!"),
        ("good evening", "Hello!"),
        ("¡Hola!", "Hello!"),
        ("Guten Tag", "Hello!"),
        ("Merci !", "You're welcome!"),
        ("Thanks a lot :)", "You're welcome!"),
        ("ok, thank you very much!", "You're welcome!"),
        ("See you later", "Goodbye!"),
        ("Hello, how are you today?", "All is well"),
        ("Are you a bot?", "I'm the support assistant"),
        ("Hi! What can you do for me?", "Ask me a question"),
        ("What’s your name?", "I'm the support assistant"),
        ("Thanks, that helped!", "You're welcome!"),
        ("this is useless", "I'm sorry"),
        ("Forget me", "I can't delete"),
        ("Please forget everything you know about me!", "I can't delete"),
        ("Your site is terrible, nothing works!!", "I'm sorry"),
        ("That didn't help.", "I'm sorry"),
        ("I am so frustrated", "I'm sorry"),
    ],
)
def test_small_talk_gets_a_short_reply(message, reply):
    assert (small_talk(message, ()) or "").startswith(reply)


@pytest.mark.parametrize(
    "message",
    [
        "Hi, how do I reset my password?",
        "thanks, and what does it cost?",
        "Who are you allowed to pay?",
        "Forget me not",
        "How do I delete my account?",
        "Delete what the client said about me",
        "What can you do about a frozen contract?",
        "help me with an invoice",
        "I see no invoice",
        "this is wrong on my invoice",
        "my payout is broken",
        "nothing works since I changed my password",
        "hire",
        "yo-yo orders",
    ],
)
def test_a_message_that_asks_or_tells_more_is_not_small_talk(message):
    assert small_talk(message, ()) is None


@pytest.mark.parametrize("message", ["", "  ", "?!", "👍"])
def test_saying_nothing_is_answered_by_asking(message):
    assert small_talk(message, ()) == NOTHING_SAID


def test_an_acknowledgement_is_one_unless_it_answers_a_question():
    assert small_talk("got it", TOLD) == ACKNOWLEDGED
    assert small_talk("all good", ASKED) is None


def test_a_long_message_is_never_small_talk():
    assert small_talk("thank you " * 20, ()) is None


@pytest.mark.parametrize(
    "message",
    [
        "What do you know about me?",
        "Hi, what have you learned about me so far?",
        "do you remember anything about me",
        "Do you remember me?",
        "who am I",
        "What did you note about me?",
    ],
)
def test_who_asks_for_their_profile_is_understood(message):
    assert asks_what_is_known(message)


@pytest.mark.parametrize(
    "message",
    ["What do clients know about me?", "Who am I paid by?", "What do you know about escrow?", "What data do you keep?"],
)
def test_a_question_to_the_documents_is_not_taken_for_it(message):
    assert not asks_what_is_known(message)
