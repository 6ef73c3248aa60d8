"""Plain text read as Markdown."""

import pytest

from knowledge_base.outline import sections
from knowledge_base.plain_text import markdown


def paths(text: str) -> list[tuple[str, ...]]:
    return [section.path for section in sections(markdown(text)) if section.path]


def test_numbered_lines_of_their_own_are_headings_in_levels():
    text = "Chapter 1. Paying\n\n1.1. What are the fees?\n\n  Ten percent.\n\n1.2 Refunds\n\n  They take a week.\n"
    assert paths(text) == [("Paying",), ("Paying", "What are the fees?"), ("Paying", "Refunds")]


def test_a_numbered_list_stays_one():
    text = "To sign:\n\n1. Open the letter\n\n2. Sign it\n"
    assert markdown(text) == text


def test_lines_in_capitals_are_headings():
    assert paths("PAYING\n\nTen percent.\n\nWARNING: NEVER PAY TWICE, OR YOU WILL LOSE MONEY.\n") == [("PAYING",)]


def test_underlined_lines_are_headings():
    assert paths("Paying\n======\n\nTen percent.\n") == [("Paying",)]


def test_indented_text_is_no_code():
    text = "Fees\n\n\u00a0\u00a0  They are ten percent\n    of the price.\n\n\t* for everybody\n\t  who pays\n"
    assert markdown(text) == "Fees\n\nThey are ten percent\nof the price.\n\n* for everybody\n  who pays\n"


def test_a_table_of_contents_goes():
    contents = "\n".join(f"  1.{number}. Part {number}" for number in range(1, 7))
    assert markdown(f"Contents\n\n{contents}\n\nText.\n") == "Contents\n\nText.\n"


@pytest.mark.parametrize("text", ["# Paying\n\n    pay --now\n", "Run this:\n\n```\n    pay --now\n```\n"])
def test_what_is_markdown_already_stays_as_it_is(text: str):
    assert markdown(text) == text


def test_a_comment_is_no_heading():
    assert paths("Run:\n\n    pay --now\n    # it takes a while\n") == []
