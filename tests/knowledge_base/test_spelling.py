"""Slips of the keyboard are put right, and nothing else."""

from collections.abc import Sequence

import pytest

from knowledge_base.spelling import corrected

ENGLISH = {"invoice", "invoices", "password", "payment", "payments", "tailor", "trailer", "because", "refund"}
HELD = {"invoice": 3, "invoices": 3, "password": 2, "payments": 5, "because": 9, "trailer": 1, "voucher": 4}


def holding(words: Sequence[str]) -> list[int]:
    return [HELD.get(word, 0) for word in words]


def right(text: str) -> str:
    return corrected(text, ENGLISH.__contains__, holding)


@pytest.mark.parametrize("slip", ["pasword", "passwword", "passwrod", "psssword", "assword", "passwor"])
def test_a_slip_is_put_right(slip: str):
    assert right(f"Where is my {slip}?") == "Where is my password?"


def test_every_place_of_the_word():
    assert right("pasword, (pasword) or pasword.") == "password, (password) or password."


def test_the_word_that_most_passages_hold_is_meant():
    assert right("my paymens") == "my payments"


def test_function_words_too():
    assert right("becuase of the invocie") == "because of the invoice"


@pytest.mark.parametrize(
    "text",
    [
        "a tailor for my suit",  # a word, though the documents speak of a trailer
        "the vouchers and the voucher",  # of the documents, or like nothing that the model knows
        "how do refunnd and xylophonist go",  # meant is nothing that the documents hold
        "Pasword and PASWORD",  # names
        "--pasword, ./pasword, pasword.txt, me@pasword, my_pasword, pasword/new",  # no words of a sentence
        "a inv",  # too short
        "",
    ],
)
def test_everything_else_stays(text: str):
    assert right(text) == text


def test_a_question_without_slips_costs_one_look_up():
    asked: list[Sequence[str]] = []

    def recording(words: Sequence[str]) -> list[int]:
        asked.append(words)
        return holding(words)

    assert corrected("which invoices and payments", ENGLISH.__contains__, recording)
    assert asked == [["invoices", "payments"]]
