"""Which parts of a sentence may be quoted alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clauses import LEAST_WORDS, LONG, clauses
from knowledge_base.sentences import Unit, units


def parts(text: str) -> list[str]:
    return [part for unit in units(text) for part in clauses(unit)]


@pytest.mark.parametrize(
    "cut",
    [
        "If the client does nothing for a week,|the money is released.",
        "The money is released|unless the client opens a dispute before.",
        "Pick a plan that fits your team|(you can change it at any time)|and invite the others.",
        "There are two ways to pay:|by card on the page,|or by a bank transfer.",
        "You can pause your plan for three months|and you keep all of your data.",
        "Learn more about our plans and their prices|If you have a team of your own,|choose the second.",
    ],
)
def test_a_sentence_is_cut_where_a_clause_begins(cut):
    assert parts(cut.replace("|", " ")) == cut.split("|")


def test_a_word_or_two_stay_with_what_they_belong_to():
    assert parts("Bring your passport, or, better, the original of your birth certificate.") == [
        "Bring your passport, or, better,",
        "the original of your birth certificate.",
    ]


@pytest.mark.parametrize(
    "whole",
    [
        "If you can, pay now.",
        "Type `a, b, c if d` where the page asks for it, then press the button.",
        "```\nif a, b and you c: d, e and f or you g, h\n```",
        "| Plan | Price, if you pay monthly |\n| --- | --- |\n| Team, or more than five people | €49, with tax |",
    ],
)
def test_what_is_short_or_code_or_a_row_stays_whole(whole):
    assert all(clauses(unit) == (unit.text,) for unit in units(whole))


words = st.sampled_from(
    ["you", "pay,", "if", "(as", "said)", "the", "price:", "and", "we", "When", "it", "7", "é", ";"]
)


@given(st.lists(words, max_size=40).map(" ".join))
def test_clauses_are_the_whole_text_and_never_tiny(text):
    found = clauses(Unit(0, len(text), "sentence", text, 0))
    assert " ".join(found) == text
    assert len(found) == 1 or all(len(part.split()) >= LEAST_WORDS for part in found)
    assert len(found) == 1 or len(text.split()) >= LONG
