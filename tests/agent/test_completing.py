"""What is quoted beside what was chosen, and what may stand alone."""

import pytest

from agent.compose import compose
from tests.agent.quoting import Judge, answer, found, source

STEPS = "To fund it:\n\n1. Open the contract.\n2. Click **Fund**.\n3. Confirm the amount.\n"


@pytest.mark.parametrize("question", ["How do I fund it?", "Can I fund it?"])
def test_half_of_the_steps_are_never_given(question):
    said = answer(question, STEPS, {"Click": 0.9})
    assert said.splitlines() == [
        "To fund it:",
        "",
        "1. Open the contract [1].",
        "2. Click Fund [1].",
        "3. Confirm the amount [1].",
    ]


def test_steps_that_are_all_written_as_number_one_are_counted():
    said = answer("How do I fund it?", "1. Open the contract.\n1. Click **Fund**.\n", {"Click": 0.9})
    assert said.splitlines() == ["1. Open the contract [1].", "2. Click Fund [1]."]


def test_one_item_of_a_list_without_order_stands_with_its_introduction():
    text = "You can pay by:\n\n- card, at once;\n- transfer, in two days.\n"
    assert answer("How fast is a card?", text, {"card": 0.9}) == "You can pay by:\n\n- card, at once [1];"


def test_an_introduction_brings_its_list():
    said = answer("How can I pay?", "You can pay by:\n\n- card;\n- transfer.\n", {"You can pay": 0.9})
    assert said == "You can pay by:\n\n- card [1];\n- transfer [1]."


def test_code_comes_with_its_explanation_when_the_question_wants_it():
    text = "Send this request:\n\n```sh\ncurl https://x.example\n```\n"
    assert "```sh\ncurl https://x.example\n```" in answer("Show me the request", text, {"Send": 0.9})


TABLE = "| Plan | Price |\n| --- | --- |\n| Starter | €0 |\n| Team | €49 |\n| Business | €199 |\n"


def test_a_row_that_the_question_names_stands_alone():
    said = answer("What is the price of Team?", TABLE, {"Plan: Team": 0.9})
    assert "€49" in said
    assert "€199" not in said


def test_a_small_table_is_given_whole_when_no_row_is_named():
    said = answer("What are the prices?", TABLE, {"Plan: Team": 0.9})
    assert [price in said for price in ("€0", "€49", "€199")] == [True] * 3
    assert said.index("€0") < said.index("€49") < said.index("€199")


def test_a_row_without_the_words_of_the_question_gives_way_to_a_sentence():
    text = f"{TABLE}\n\nThe trial of a team lasts 14 days and is free."
    said = answer("How long does the trial last?", text, {"Plan: Business": 0.3, "The trial": 0.3})
    assert said == "The trial of a team lasts 14 days and is free [1]."


def test_the_answer_of_another_question_does_not_stand_alone():
    text = "### Is the freelancer an employee?\n\nNo. Freelancers are independent.\n"
    said = answer("Can I pay by card?", text, {"No.": 0.9, "Freelancers": 0.8})
    assert "No" not in said.split()


def test_the_answer_of_the_same_question_keeps_its_yes_or_no_and_its_reason():
    text = "### Is a freelancer an employee?\n\nNo. Freelancers are independent.\n"
    said = answer("Is a freelancer an employee of ours?", text, {"No.": 0.9})
    assert said == "No [1]. Freelancers are independent [1]."


def test_a_sentence_that_leans_back_brings_what_it_leans_on():
    said = answer("Can it be stopped?", "A refund takes ten days. It cannot be stopped.", {"It cannot": 0.9})
    assert said == "A refund takes ten days [1]. It cannot be stopped [1]."


def test_who_asks_for_all_gets_all_rows_also_of_the_next_passage():
    head = "## Codes\n\n| Code | Meaning |\n| --- | --- |\n"
    first = source(head + "".join(f"| E-{n} | Fault {n} |\n" for n in range(8)), 1, heading="")
    second = source(head + "".join(f"| E-{n} | Fault {n} |\n" for n in range(8, 12)), 2, heading="")
    said = compose("List all codes", (), found(first, second), relevance=Judge({"Code: E-3": 0.5})).text
    assert [f"Fault {n} [" in said for n in range(12)] == [True] * 12


def test_a_whole_table_is_bounded():
    rows = "".join(f"| E-{n} | {'many words ' * 10} |\n" for n in range(40))
    table = source(f"| Code | Meaning |\n| --- | --- |\n{rows}")
    said = compose("List all codes", (), found(table), relevance=Judge({"Code: E-3": 0.5})).text
    assert 5 < len(said.splitlines()) < 15
