"""Markdown that others wrote becomes HTML that only shows."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ui.gradio_app.answer_markdown import answer_html, passage_html

# What Markdown and this page's own rules may produce; everything else would have come from the text itself.
ALLOWED = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "pre", "code", "em", "strong", "s", "a"),
    *("br", "hr", "table", "thead", "tbody", "tr", "th", "td", "div", "span", "button", "svg", "path", "mark"),
}
PIECES = st.sampled_from(
    [
        *(
            "[1]",
            "[2]",
            "[9]",
            "[1](",
            ")",
            "](javascript:x)",
            "![a](http://x/y.png)",
            "<img src=x onerror=x>",
            "<",
            ">",
        ),
        *('"', "&lt;", "`", "```\n", "| a | b |\n|--|--|\n", "**", "_", "# ", "- ", "1. ", "\n", "\n\n", "\\", "word "),
        *(
            "[1]: http://x\n",
            "<a href='javascript:x'>",
            "<http://x.y>",
            "<javascript:x>",
            "\ue000",
            "\ue001",
            "…",
            "${x}",
        ),
    ]
)
TEXT = st.lists(PIECES, max_size=25).map("".join)


class Tags(HTMLParser):
    """The elements of a piece of HTML, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def harmless(html: str) -> bool:
    for tag, attributes in Tags(html).tags:
        assert tag in ALLOWED, (tag, html)
        for name, value in attributes.items():
            assert not name.startswith("on"), html
            assert name not in ("src", "style", "srcdoc"), html
            if name == "href":
                assert value == "#" or re.match(r"(https?://|mailto:)", value or "", re.IGNORECASE), html
    return True


@given(TEXT, st.booleans())
@example("[x](JaVaScRiPt:alert(1)) [y](data:text/html,x) [z](//evil.example)", False)
def test_nothing_in_an_answer_can_run(text: str, streaming: bool) -> None:
    assert harmless(answer_html(text, {1: '<b>"A" & B', 2: "B"}, streaming=streaming))


@given(TEXT, TEXT)
def test_nothing_in_a_passage_can_run(text: str, quote: str) -> None:
    assert harmless(passage_html(text, quote))


@given(st.text("ab \n-*|#1.`_", max_size=60), st.data())
def test_marking_a_quote_changes_no_word(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : data.draw(st.integers(start, len(text)))]
    plain, marked = passage_html(text, ""), passage_html(text, quote)
    if "…" not in quote and quote.strip():
        letters = re.compile(r"[^ab1]+")
        assert letters.sub("", Tags(marked).text).endswith(letters.sub("", Tags(plain).text))


def test_a_marker_becomes_a_link_that_names_its_source() -> None:
    html = answer_html("Held in escrow [1].", {1: "Fees › When"})
    (link,) = [attributes for tag, attributes in Tags(html).tags if tag == "a"]
    assert link["data-cite"] == "1"
    assert link["aria-label"] == "Source 1: Fees › When"


@pytest.mark.parametrize("text", ["See [3].", "`[1]`", "```\n[1]\n```", "[[1]](https://x.example)", "\\[1\\]"])
def test_what_is_no_citation_stays_text(text: str) -> None:
    html = answer_html(text, {1: "A"})
    assert "data-cite" not in html
    assert re.search(r"\[[13]\]", Tags(html).text)


def test_a_document_cannot_say_where_a_marker_leads() -> None:
    html = answer_html("Yes [1].\n\n[1]: https://evil.example", {1: "A"})
    assert 'data-cite="1"' in html
    assert "evil.example" not in re.findall('href="(.*?)"', html)


@pytest.mark.parametrize(
    ("text", "shown"), [("Yes [", "Yes"), ("Yes [1", "Yes"), ("Yes [12", "Yes"), ("Yes [a", "Yes [a")]
)
def test_half_a_marker_is_held_back_while_streaming(text: str, shown: str) -> None:
    assert Tags(answer_html(text, {1: "A"}, streaming=True)).text.strip() == shown
    assert Tags(answer_html(text, {1: "A"})).text.strip() == text


def test_links_open_elsewhere_and_tell_nothing() -> None:
    (link,) = [
        attributes for tag, attributes in Tags(answer_html("[a](https://x.example/?q=1)", {})).tags if tag == "a"
    ]
    assert link == {"href": "https://x.example/?q=1", "target": "_blank", "rel": "noopener noreferrer nofollow"}


def test_an_image_is_its_alternative_text() -> None:
    assert Tags(answer_html("Press ![the gear](https://x.example/gear.png) twice", {})).text.strip() == (
        "Press the gear twice"
    )


def test_code_and_tables_scroll_by_themselves_and_can_be_reached() -> None:
    html = answer_html("```py\na < b\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |", {})
    focusable = [attributes for _, attributes in Tags(html).tags if attributes.get("tabindex") == "0"]
    assert len(focusable) == 2
    assert "a &lt; b" in html


def test_text_runs_in_its_own_direction() -> None:
    html = answer_html("نص\n\n- عنصر", {})
    assert '<p dir="auto">' in html
    assert '<ul dir="auto">' in html


@pytest.mark.parametrize(
    ("text", "quote", "marked"),
    [
        ("Before. The words. After.", "The words.", ["The words."]),
        ("Before. The\nwords. After.", "The words.", ["The", "words."]),
        ("Take **The words.** then", "**The words.**", ["The words."]),
        ("- one\n- The words.\n- two", "- The words.", ["The words."]),
        ("1. one\n2. The words.", "2. The words.", ["The words."]),
        ("## The words.\n\ntext", "## The words.", ["The words."]),
        ("| a | b |\n|---|---|\n| c | d |", "| c | d |", ["c", "d"]),
        ("One. Two. Three. Four.", "One. … Three.", ["One.", "Three."]),
        ("One. Two. Three.", "One. Tw…", ["One. Tw"]),
        ("A `code` word", "`code` word", [" word"]),
        ("Nothing of it", "", []),
    ],
)
def test_the_quoted_words_are_marked(text: str, quote: str, marked: list[str]) -> None:
    assert re.findall("<mark>(.*?)</mark>", passage_html(text, quote)) == marked


def test_a_quote_that_is_not_in_the_passage_stands_before_it() -> None:
    html = passage_html("The passage.", "Other <words>")
    assert html.startswith('<blockquote dir="auto">Other &lt;words&gt;</blockquote>')
    assert "<mark>" not in html
