"""What of the sources an answer quotes."""

from collections.abc import Mapping

import pytest

from agent.compose import compose
from knowledge_base.passage import Utterance
from tests.agent.quoting import Judge, answer, found, source


def test_a_likely_sentence_is_quoted_alone_with_its_citation():
    text = "Escrow holds the money. The client has 7 days. Pigeons fly home."
    assert answer("How long does the client have?", text, {"The client": 0.9}) == "The client has 7 days [1]."


LATE = "If the client does nothing for seven days, the money is released, and the project is closed for good."


@pytest.mark.parametrize(
    ("likely", "said"),
    [
        ({"If the client": 0.9, "the money": 0.001, "and the": 0.001}, LATE.partition(", and")[0] + " [1]..."),
        ({"the money": 0.9}, "... the money is released [1]..."),
        ({"and the project": 0.9}, "... and the project is closed for good [1]."),
        (
            {"the money": 0.9, "and the project": 0.9},
            "... the money is released, and the project is closed for good [1].",
        ),
    ],
)
def test_of_a_long_sentence_only_the_likely_clauses_are_quoted(likely, said):
    assert follow_up(f"{LATE} Pigeons fly home.", likely) == said


def follow_up(text: str, likely: Mapping[str, float]) -> str:
    talk = (Utterance("user", "What if the client does nothing?"), Utterance("assistant", "Wait for seven days."))
    given = found(source(text), query="And then? What if the client does nothing?")
    return compose("And then?", talk, given, relevance=Judge(likely)).text


def test_a_question_that_stands_alone_gets_whole_sentences():
    assert answer("What then?", f"{LATE} Pigeons fly home.", {"the money": 0.9}) == LATE[:-1] + " [1]."


def test_a_condition_stays_with_the_clause_before_it():
    text = "After seven days, the money is released to the freelancer unless the client opens a dispute."
    assert follow_up(text, {"the money": 0.9}) == text[:-1] + " [1]."


def test_a_condition_that_nobody_mentioned_is_not_left_out():
    text = "If the invoice is disputed by your bank, the transfer is stopped and sent back to you, less the costs."
    assert follow_up(text, {"the transfer": 0.9}).startswith("If the invoice is disputed by your bank, the transfer")
    known = "If the client does nothing for a while, the transfer is stopped and sent back to you, less the costs."
    assert follow_up(known, {"the transfer": 0.9}).startswith("... the transfer")


def test_a_step_is_never_shown_in_part():
    steps = "1. Open the page of the project, and choose its first milestone.\n2. Pay it, if you are the client of it."
    said = follow_up(steps, {"and choose": 0.9})
    assert "..." not in said
    assert "Open the page of the project, and choose its first milestone" in said


def test_what_is_chosen_is_put_in_the_order_of_the_document():
    text = "First the client pays the price. Pigeons fly home every day. Afterwards the freelancer begins to work."
    said = answer("What happens?", text, {"Afterwards": 0.95, "First": 0.94})
    assert said.index("First") < said.index("Afterwards")
    assert "Pigeons" not in said


def test_a_thread_is_not_broken_by_what_is_less_likely_in_another_document():
    first = source("Escrow holds the money. It is released after seven days.")
    second = source("Hourly work is paid on Mondays.", 2, "b.md")
    likely = {"Escrow": 0.6, "It is": 0.6, "Hourly": 0.5}
    said = compose("When is money paid?", (), found(first, second), relevance=Judge(likely)).text
    assert said == "Escrow holds the money [1]. It is released after seven days [1]."
    said = compose("When is money paid?", (), found(first, second), relevance=Judge({**likely, "Hourly": 0.95})).text
    assert "Hourly work is paid on Mondays [2]." in said


def test_the_same_statement_is_not_made_twice():
    first = source("A milestone is at least 50 euros.")
    second = source("A milestone is at least 50 euros here.", 2, "b.md")
    said = compose("What is the least?", (), found(first, second), relevance=Judge({"A milestone": 0.9}))
    assert len(said.numbers) == 1


def test_where_there_is_room_for_one_the_amount_that_is_asked_for_wins():
    padding = (
        "in every country of the union and for every kind of contract that the workspace of a client can have " * 2
    )
    text = f"The plan suits teams {padding}today. The plan is billed at €49 {padding}today."
    doubtful = found(source(text), confidence=0.3, answerable=False)
    said = compose("How much is it?", (), doubtful, relevance=Judge({"The plan suits": 0.5, "The plan is": 0.45}))
    assert "€49" in said.text
    assert "suits" not in said.text


def test_questions_of_the_document_are_never_quoted():
    assert "?" not in answer("Who pays?", "Who pays the fee? The client pays it.", {"Who": 0.9, "The client": 0.5})
