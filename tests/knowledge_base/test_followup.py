"""What was said before: what of it counts, and how a follow-up reads alone."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge_base import followup
from knowledge_base.followup import Signals
from knowledge_base.passage import Utterance

FOLLOW_UP = Signals(lead=0.1, overlap=0.0, nearness=0.15, own=0.25, reply=True, short=True, complete=False)
NEW_SUBJECT = Signals(lead=0.5, overlap=0.0, nearness=0.1, own=0.55, reply=False, short=False, complete=True)


def _user(text: str) -> Utterance:
    return Utterance("user", text)


def _assistant(text: str) -> Utterance:
    return Utterance("assistant", text)


def test_a_follow_up_keeps_everything_and_a_new_subject_nothing():
    assert followup.continuation(FOLLOW_UP) == 1
    assert followup.continuation(NEW_SUBJECT) == 0


def test_a_question_about_nothing_that_is_known_leaves_the_conversation():
    alien = replace(NEW_SUBJECT, lead=0.05, own=0.15)
    assert followup.continuation(alien) == 0
    assert followup.continuation(replace(alien, complete=False)) == 1


def test_a_whole_question_that_another_document_leads_may_be_another_subject():
    near = replace(NEW_SUBJECT, lead=0.25, nearness=0.4, overlap=0.6)
    assert followup.continuation(near) > 0
    assert followup.needed_alone(near) < 1
    assert followup.needed_alone(replace(near, lead=0.1)) > 1
    assert followup.needed_alone(replace(near, complete=False)) > 1


def test_a_few_words_may_be_another_subject_when_they_name_its_document():
    few = replace(FOLLOW_UP, lead=0.2)
    titled = replace(few, titled=True)
    assert followup.needed_alone(few) > 1 > followup.needed_alone(titled)
    assert followup.needed_alone(replace(titled, tells=True)) > 1


@pytest.mark.parametrize(
    ("message", "asked"),
    [
        ("Great. Can I also pay with vouchers?", {"pay", "vouchers"}),
        ("I have a parrot. Is it allowed?", {"allowed"}),
        ("oh, what happens with the parrot", {"parrot"}),
        ("why?", set[str]()),
        ("Yes, I brought a parrot", set[str]()),
    ],
)
def test_what_is_asked_for_are_the_words_of_the_question_without_talk(message: str, asked: set[str]):
    assert followup.asked_for(message) == asked


@pytest.mark.parametrize(
    ("question", "searched"),
    [
        ("list all order states", "order states"),
        ("ok, list all order states", "order states"),
        ("Please list the order states", "order states"),
        ("Can you show me a list of order states?", "order states?"),
        ("give me all of the order states", "order states"),
        ("tell me the price", "tell me the price"),
        ("list prices in euros", "list prices in euros"),
        ("How do I list all orders?", "How do I list all orders?"),
        ("list all", "list all"),
    ],
)
def test_the_wish_for_a_list_is_not_looked_up(question: str, searched: str):
    assert followup.searched(question) == searched
    assert followup.names_subject(question) is (question != searched)


@pytest.mark.parametrize(
    ("question", "is_short"),
    [("and Business?", True), ("which plans are there?", False), ("How do disputes work?", False), ("why", True)],
)
def test_few_words_are_short_unless_they_have_a_subject(question: str, is_short: bool):
    assert followup.is_short(question) is is_short


def test_what_was_talked_about_is_not_unknown():
    alien = replace(NEW_SUBJECT, lead=0.05, own=0.15)
    assert followup.continuation(replace(alien, overlap=0.5)) == 1


@given(st.builds(Signals, *[st.floats(0, 1)] * 4, *[st.booleans()] * 4))
def test_a_share_is_a_share_and_falls_as_the_question_leads_elsewhere(signals: Signals):
    share = followup.continuation(signals)
    assert 0 <= share <= 1
    assert followup.continuation(replace(signals, lead=min(1.0, signals.lead + 0.2))) <= share


@pytest.mark.parametrize(
    ("question", "is_complete"),
    [
        ("How do I reset my password?", True),
        ("Where can I download an invoice?", True),
        ("and for teams?", False),
        ("why?", False),
        ("how much is it?", False),
        ("What about yearly billing?", False),
        ("Does it cost anything to change the plan?", False),
        ("yes, please", False),
        ("How much is the Business plan?", True),
        ("how long?", False),
        ("How do webhooks work then?", True),
        ("Can I have both of those on the Team plan?", False),
    ],
)
def test_which_questions_stand_alone(question: str, is_complete: bool):
    assert followup.is_complete(question) is is_complete


def test_a_follow_up_is_read_after_the_last_full_question():
    said = [_user("What does the Team plan cost?"), _assistant("€49 a month."), _user("why?"), _assistant("Because.")]
    assert followup.readable("and yearly?", said) == "What does the Team plan cost? and yearly?"


def test_a_full_question_stays_as_it_is():
    said = [_user("What does the Team plan cost?"), _assistant("€49 a month.")]
    assert followup.readable("How do I download an invoice?", said) == "How do I download an invoice?"


def test_an_answer_to_the_assistant_is_read_after_its_question():
    said = [_user("I cannot sign in to my account"), _assistant("I see. Have you lost your second factor?")]
    assert followup.readable("yes", said) == "Have you lost your second factor? yes"


def test_what_it_is_read_after_is_bounded():
    said = [_user("How do contracts work " + "and milestones " * 100)]
    query = followup.readable("why?", said)
    assert query.endswith(" why?")
    assert len(query) <= followup.MAX_QUERY_CHARS


def test_with_nothing_to_read_it_after_it_stays():
    assert followup.readable("and?", [_assistant("Hello.")]) == "and?"


def test_what_was_said_is_bounded_and_freed_of_markers():
    history = [_user(f"message {n}") for n in range(100)]
    assert len(followup.recent(history)) == followup.MAX_UTTERANCES
    (said,) = followup.recent([_assistant("The fee is 5% [1]. It is charged once [2, 3].\n\nSee   fees.[^4]")])
    assert said.text == "The fee is 5%. It is charged once. See fees."
    (long,) = followup.recent([_assistant("word " * 5_000)])
    assert len(long.text) <= followup.MAX_UTTERANCE_CHARS
    assert followup.recent([_user("  "), _assistant("[1]")]) == ()
