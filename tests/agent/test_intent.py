"""What a message wants looked up, read by rules."""

import pytest

from agent.compose import ASK_OTHERWISE, NEAREST_ARTICLES, NO_ANSWER, NOT_SURE
from agent.intent import read
from knowledge_base.passage import Utterance

ASKED = "How do I download an invoice?"
TOLD = (Utterance("user", ASKED), Utterance("assistant", "Open Finance and click Download."))


def questions(message: str, history: tuple[Utterance, ...] = ()) -> list[str]:
    return [part.question for part in read(message, history).parts]


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ("How do I cancel a contract and what does it cost?", ["How do I cancel a contract", "what does it cost?"]),
        ("how long does vetting take? and is it free?", ["how long does vetting take", "and is it free?"]),
        ("Where are my invoices, and can I change them", ["Where are my invoices", "can I change them"]),
        ("Is there an API? Do you have webhooks?", ["Is there an API", "Do you have webhooks?"]),
        (
            "What does it cost and how many seats do I get? Also can I pay yearly?",
            ["What does it cost", "how many seats do I get", "Also can I pay yearly?"],
        ),
    ],
)
def test_each_question_of_a_message_is_one(message: str, parts: list[str]):
    assert questions(message) == parts


@pytest.mark.parametrize(
    "message",
    [
        "How do I import and export my data?",
        "Can I pause or cancel a contract?",
        "How and when is the money released?",
        "Do you know if and when it is paid?",
        "What happens when I end a contract and when the client does nothing?",
        "I was charged twice. What do I do?",
        "Hi, how are you? How do I reset my password?",
        "The invoice is wrong and the amount is too high",
    ],
)
def test_a_question_with_two_halves_stays_one(message: str):
    assert questions(message) == [message]


def test_a_later_question_knows_the_one_before_unless_it_is_understood_alone():
    first, second = read("How do I cancel a contract and what does it cost?", TOLD).parts
    assert first.history == TOLD
    assert second.history == (*TOLD, Utterance("user", first.question))
    assert read("What does it cost and how do I reset my password?", TOLD).parts[1].history == ()


@pytest.mark.parametrize("message", ["Hello!", "thanks a lot", "What do you know about me?", "  ", "got it"])
def test_small_talk_wants_nothing(message: str):
    wanted = read(message, TOLD)
    assert (wanted.parts, wanted.asks, wanted.rejects) == ((), False, False)


@pytest.mark.parametrize(
    "message",
    [
        "No, that's wrong",
        "that didn't help!",
        "i tried that already",
        "Still not working",
        "still broken",
        "nope",
        "thats not what I asked for",
        "this is useless",
        "But it doesn’t work",
        "you're not listening",
    ],
)
def test_who_finds_fault_with_an_answer_gets_its_question_looked_up_again(message: str):
    wanted = read(message, TOLD)
    assert (wanted.rejects, wanted.asks) == (True, False)
    assert [(part.question, part.history) for part in wanted.parts] == [(ASKED, ())]


@pytest.mark.parametrize(
    "message", ["it doesn't work when I click", "that is wrong on my invoice", "no, how do I pay?"]
)
def test_a_complaint_that_says_more_is_looked_up_itself(message: str):
    assert not read(message, TOLD).rejects
    assert questions(message, TOLD) == [message]


def test_without_an_answer_there_is_none_to_find_fault_with():
    assert not read("wrong", ()).rejects
    asked = (*TOLD[:1], Utterance("assistant", "Is it an old invoice?"))
    assert not read("no", asked).rejects


def test_a_correction_is_looked_up_after_the_question_that_it_corrects():
    (part,) = read("No, I meant credit notes", TOLD).parts
    assert (part.question, part.history) == ("credit notes", TOLD[:1])
    assert questions("sorry, I wanted to ask about yearly plans", TOLD) == ["yearly plans"]


def test_small_talk_and_complaints_are_no_part_of_the_matter():
    talk = (*TOLD, Utterance("user", "thanks"), Utterance("assistant", "You're welcome!"))
    (part,) = read("and as a PDF?", (*talk, Utterance("user", "hi"), Utterance("assistant", "Hello!"))).parts
    assert part.history == TOLD


def test_questions_that_the_documents_did_not_answer_are_no_part_of_the_matter():
    for reply in (f"{NEAREST_ARTICLES}\n\n- Fees", f"{NOT_SURE}\n\nA fee is due.", f"{NO_ANSWER} {ASK_OTHERWISE}"):
        missed = (Utterance("user", "Do you sell parrots?"), Utterance("assistant", reply))
        assert read("and as a PDF?", (*TOLD, *missed)).parts[0].history == TOLD
        assert read("and green ones?", missed).parts[0].history == missed  # there is nothing else to ask on about


def test_a_correction_keeps_what_was_said_before_the_question_that_it_corrects():
    asked = (*TOLD, Utterance("user", "What does it cost?"), Utterance("assistant", "A plan costs €5."))
    (part,) = read("no, I meant a copy of one", asked).parts
    assert (part.question, part.history) == ("a copy of one", asked[:3])
