"""Words, and the stems that they share."""

import pytest

from agent.terms import stem, terms


@pytest.mark.parametrize(("one", "other"), [("payments", "pay"), ("released", "release"), ("invoices", "invoice")])
def test_forms_of_a_word_share_a_stem(one, other):
    assert stem(one) == stem(other)


def test_stop_words_are_no_terms():
    assert terms("What is the fee of a refund?") == {stem("fee"), stem("refund")}
