"""What is highlighted in an opened source is verbatim, and is what the answer rests on."""

from hypothesis import given
from hypothesis import strategies as st

from agent.quotes import quote
from tools.sources import Source

TEXT = (
    "Escrow holds money between two people. The client has 7 days to approve the work. "
    "After that the money is released automatically. Nobody can take it out alone."
)


def _source(text: str = TEXT, number: int = 1) -> Source:
    return Source(
        number=number,
        title="Escrow",
        heading="Escrow",
        url=None,
        quote="the beginning",
        text=text,
        score=0.5,
        topic=None,
        document_id="d",
        passage_id="d#0",
    )


def test_a_verbatim_sentence_is_found():
    assert quote(_source(), "The client has 7 days to approve the work. [1]") == (
        "The client has 7 days to approve the work."
    )


def test_neighbouring_sentences_are_quoted_together():
    answer = "The client has 7 days to approve the work. After that the money is released automatically. [1]"
    assert quote(_source(), answer) == (
        "The client has 7 days to approve the work. After that the money is released automatically."
    )


def test_a_paraphrase_is_found_too():
    answer = "If the client does not approve the work within 7 days, it is released. [1]"
    assert quote(_source(), answer) == "The client has 7 days to approve the work."


def test_a_sentence_that_cites_another_source_does_not_count():
    assert quote(_source(), "The client has 7 days to approve the work. [2]") == "the beginning"


def test_an_answer_that_resembles_nothing_leaves_the_quote():
    assert quote(_source(), "Bananas are yellow. [1]") == "the beginning"


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_quote_is_verbatim_or_the_one_that_was_there(text, answer):
    found = quote(_source(text), answer + " [1]")
    assert found in text or found == "the beginning"
