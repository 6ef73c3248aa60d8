"""How an answer is written."""

import pytest

from agent.writing import cite


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It is free.", "It is free [2]."),
        ('He said "no."', 'He said "no [2]."'),
        ("first, the price;", "first, the price [2];"),
        ("Do this:", "Do this [2]:"),
        ("Team; €49", "Team; €49 [2]"),
        ("the price, and", "the price [2], and"),
        ("Choose Print….", "Choose Print… [2]."),
        ("Wait…", "Wait [2]…"),
    ],
)
def test_a_citation_stands_before_the_mark_that_ends_a_sentence(text, written):
    assert cite(text, 2) == written
