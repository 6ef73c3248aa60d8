"""Long answers become several messages; nothing is lost, and code blocks stay code blocks."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.splitting import split_message

LINE = st.text(st.characters(codec="utf-8", exclude_characters="`~\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=90)
PROSE = st.lists(LINE, min_size=1, max_size=6).map("\n".join)
CODE = st.builds(
    lambda fence, language, lines: f"{fence}{language}\n" + "\n".join(lines) + f"\n{fence}",
    st.sampled_from(["```", "~~~", "````"]),
    st.sampled_from(["", "python", "sh", "x" * 60]),
    st.lists(st.text("abc {}()=\t", max_size=400), max_size=12),
)
ANSWERS = st.lists(PROSE | CODE, max_size=8).map("\n\n".join)


def without_fences_and_blanks(text: str) -> str:
    lines = [line for line in text.split("\n") if not re.match(r"\s*(```|~~~)", line)]
    return re.sub(r"\s", "", "".join(lines))


def fences(piece: str) -> list[str]:
    return re.findall(r"^\s*(`{3,}|~{3,})", piece, flags=re.MULTILINE)


@settings(max_examples=200)
@given(ANSWERS, st.integers(160, 700))
def test_no_piece_is_too_long_or_blank_and_nothing_is_lost(text: str, limit: int) -> None:
    pieces = split_message(text, limit)
    assert all(0 < len(piece) <= limit and piece.strip() for piece in pieces)
    assert without_fences_and_blanks("\n".join(pieces)) == without_fences_and_blanks(text)


@settings(max_examples=200)
@given(ANSWERS, st.integers(160, 700))
def test_every_piece_closes_the_code_blocks_that_it_opens(text: str, limit: int) -> None:
    for piece in split_message(text, limit):
        marks = fences(piece)
        assert len(marks) % 2 == 0
        assert all(opened == closed for opened, closed in zip(marks[::2], marks[1::2], strict=True))


@given(st.text(max_size=3000), st.integers(160, 400))
def test_any_text_at_all_is_cut_to_size(text: str, limit: int) -> None:
    assert all(0 < len(piece) <= limit for piece in split_message(text, limit))


def test_a_short_answer_stays_one_message() -> None:
    assert split_message("Hello.\n\nYes.", 2000) == ["Hello.\n\nYes."]
    assert split_message(" \n", 2000) == []


def test_a_code_block_that_fits_stays_whole() -> None:
    code = "```python\n" + "x = 1\n" * 150 + "```"
    assert split_message("word " * 300 + "\n\n" + code, 2000) == [("word " * 300), code]


def test_a_code_block_that_does_not_fit_is_closed_and_opened_again() -> None:
    lines = [f"line {number}" for number in range(400)]
    pieces = split_message("```python\n" + "\n".join(lines) + "\n```\nDone.", 2000)
    assert all(piece.startswith("```python\n") for piece in pieces)
    assert all(piece.endswith("\n```") for piece in pieces[:-1])
    assert [line for piece in pieces for line in piece.splitlines() if line.startswith("line")] == lines
    assert pieces[-1].endswith("Done.")


def test_a_limit_that_cannot_work_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        split_message("x", 10)
