"""Who would rather be helped by a person, in the ways that people say it."""

import pytest

from tools.predictor.words import asks_for_person


@pytest.mark.parametrize(
    "text",
    [
        "Can I talk to a human?",
        "I WANT TO SPEAK TO A MANAGER",
        "transfer me to your manager",
        "real person please",
        "who do I talk to?",
        "get me a manager",
    ],
)
def test_a_wish_for_a_person_is_heard(text: str):
    assert asks_for_person(text)


@pytest.mark.parametrize(
    "text", ["How do people talk about fees?", "Who do I talk to clients with?", "Which agent ran?"]
)
def test_a_question_about_people_is_none(text: str):
    assert not asks_for_person(text)
