"""Passages: verbatim, in order, nothing lost and nothing twice, each within the window."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge_base import chunk
from knowledge_base.passage import Document, Passage


class Words:
    """Measures in words and signs."""

    def __init__(self, max_tokens: int = 40) -> None:
        self.max_tokens = max_tokens

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def _document(text: str, title: str = "Fees", url: str | None = "https://help.example/fees") -> Document:
    return Document("fees.md", title, text, "fees.md", "0", url=url, topic="Payments", tags=("fees",))


def _split(text: str, max_tokens: int = 40, title: str = "Fees") -> list[Passage]:
    return chunk.split(_document(text, title), Words(max_tokens))


def _leftover(text: str, passages: list[Passage]) -> str:
    """What stands in no passage. Fails when a passage is not verbatim, out of order, or overlaps the one before."""
    rest, position = [], 0
    for passage in passages:
        start = text.index(passage.text, position)
        rest.append(text[position:start])
        position = start + len(passage.text)
    return "\n".join([*rest, text[position:]])


PARAGRAPH = "One short sentence about fees stands here. " * 2


def test_a_passage_knows_its_headings_its_place_and_what_its_document_says_about_itself():
    passages = _split(f"# Fees\n\n{PARAGRAPH * 2}\n\n## For clients\n\n### On Team\n\n{PARAGRAPH * 2}\n", 64)
    assert [passage.heading_path for passage in passages] == [(), ("For clients", "On Team")]
    assert [passage.url for passage in passages] == ["https://help.example/fees", "https://help.example/fees#on-team"]
    assert [passage.ordinal for passage in passages] == [0, 1]
    assert passages[0].heading == "Fees"
    assert (passages[1].heading, passages[1].topic, passages[1].tags) == ("On Team", "Payments", ("fees",))
    assert passages[1].text == (PARAGRAPH * 2).strip()


def test_what_is_embedded_holds_title_and_headings_once_and_in_bounds():
    passage = _split(f"## Fees\n\n### Late {'very ' * 30}late\n\n#### And {'even ' * 30}later\n\n{PARAGRAPH}", 254)[0]
    embedded = chunk.embedded_text(passage)
    assert embedded.startswith("Fees\nLate very")
    assert embedded.endswith(passage.text)
    assert len(embedded) <= chunk.MAX_PREFIX_CHARS + 1 + len(passage.text)


def test_fragments_are_github_s_and_explicit_ids_count():
    body = PARAGRAPH * 3
    headings = ["What's new, in 2.0?", "Fees", "Fees", "Über uns", "Pay `now`", "Named {#own-id}"]
    passages = _split("\n\n".join(f"## {heading}\n\n{body}" for heading in headings), 100, title="Guide")
    fragments = [(passage.url or "").partition("#")[2] for passage in passages]
    assert fragments == ["whats-new-in-20", "fees", "fees-1", "über-uns", "pay-now", "own-id"]
    assert passages[-1].heading == "Named"


def test_a_number_sign_in_code_is_no_heading():
    text = f"{PARAGRAPH}\n\n```sh\n# not a heading\nrun it\n```\n\n{PARAGRAPH}"
    passages = _split(text, 100)
    assert [passage.heading_path for passage in passages] == [()]
    assert "# not a heading" in passages[0].text


def test_stubs_join_their_neighbours_with_their_heading_in_the_text():
    text = "## Limits\n\n### Daily\n\nTen.\n\n### Weekly\n\nForty.\n"
    (passage,) = _split(text, 64)
    assert passage.heading_path == ("Limits",)
    assert passage.url == "https://help.example/fees#limits"
    assert passage.text == "### Daily\n\nTen.\n\n### Weekly\n\nForty."


def test_sections_that_say_something_stay_apart():
    body = PARAGRAPH * 5
    passages = _split(f"## One\n\n{body}\n\n## Two\n\n{body}\n", 254)
    assert [passage.heading for passage in passages] == ["One", "Two"]


def test_code_rows_and_items_stay_whole_where_they_fit():
    code = "```python\n" + "".join(f"value_{n} = {n}\n" for n in range(6)) + "```"
    rows = [f"| plan {n} | {n} euros |" for n in range(12)]
    items = [f"- step {n}: press the button and wait for it" for n in range(8)]
    table = "\n".join(["| Plan | Price |", "| --- | --- |", *rows])
    text = "\n\n".join([PARAGRAPH, code, table, "\n".join(items), PARAGRAPH])
    passages = _split(text, 40)
    for unit in [code, *rows, *items]:
        assert any(unit in passage.text for passage in passages), unit


def test_plain_text_is_cut_between_sentences():
    sentences = [f"Sentence number {n} says a little about the matter." for n in range(30)]
    passages = _split(" ".join(sentences), 64)
    assert len(passages) > 3
    assert all(passage.text.startswith("Sentence") and passage.text.endswith(".") for passage in passages)
    assert [s for passage in passages for s in re.findall(r"Sentence[^.]*\.", passage.text)] == sentences


def test_pieces_of_a_long_text_are_about_equally_long():
    passages = _split(" ".join(f"Sentence number {n} says a little." for n in range(40)), 101)
    sizes = [len(Words().token_spans(passage.text)) for passage in passages]
    assert max(sizes) < 1.5 * min(sizes)


def test_one_endless_word_is_cut():
    passages = _split("x" * 9_000, 64)
    assert "".join(passage.text for passage in passages) == "x" * 9_000
    assert max(len(passage.text) for passage in passages) <= 64 * chunk.CHARS_PER_TOKEN


def test_a_document_without_text_has_no_passages():
    assert _split("") == []
    assert _split("# Fees\n\n  \n") == []


def test_a_heading_with_nothing_under_it_is_not_lost():
    passages = _split(f"## Soon\n\n## Now\n\n{PARAGRAPH * 3}", 100)
    assert "## Soon" in passages[0].text


def test_ids_name_content_and_place():
    first = _split(f"## One\n\n{PARAGRAPH * 5}\n\n## Two\n\n{PARAGRAPH * 5}", 254)
    changed = _split(f"## One\n\n{PARAGRAPH * 5}\n\n## Two\n\n{PARAGRAPH * 5} More.", 254)
    assert first[0].id == changed[0].id
    assert first[1].id != changed[1].id
    assert len({passage.id for passage in first}) == 2


WORD = st.sampled_from(
    [
        "fee",
        "plan",
        "team",
        "€5",
        "refund",
        "`code`",
        "**bold**",
        "[link](x.md)",
        "a_b",
        "C++",
        "3.5",
        "don't",
        "—",
        "…",
    ]
)
SENTENCE = st.lists(WORD, min_size=1, max_size=14).map(lambda words: " ".join(words) + ".")
PROSE = st.lists(SENTENCE, min_size=1, max_size=8).map(" ".join)
HEADING = st.tuples(st.integers(1, 4), st.lists(st.sampled_from(["Fees", "Plans", "Team", "Refunds"]), min_size=1)).map(
    lambda given: "#" * given[0] + " " + " ".join(given[1][:5])
)
LIST = st.lists(PROSE, min_size=1, max_size=6).map(lambda items: "\n".join(f"- {item}" for item in items))
STEPS = st.lists(PROSE, min_size=1, max_size=6).map(
    lambda items: "\n".join(f"{n}. {item}\n   - inner {n}" for n, item in enumerate(items, 1))
)
CODE = st.lists(SENTENCE, min_size=1, max_size=8).map(lambda lines: "```\n" + "\n".join(lines) + "\n```")
TABLE = st.lists(SENTENCE, min_size=1, max_size=8).map(
    lambda rows: "| A | B |\n| --- | --- |\n" + "\n".join(f"| {row} | x |" for row in rows)
)
QUOTE = PROSE.map(lambda text: f"> {text}")
DEFINITION = st.just("[x]: https://help.example")
LONG_WORD = st.integers(1, 900).map(lambda length: "y" * length)
MARKDOWN = st.lists(
    st.one_of(HEADING, PROSE, LIST, STEPS, CODE, TABLE, QUOTE, DEFINITION, LONG_WORD), min_size=1, max_size=12
).map("\n\n".join)


@settings(max_examples=150, deadline=None)
@given(text=MARKDOWN, max_tokens=st.integers(40, 120))
def test_every_passage_fits_and_only_headings_are_left_over(text: str, max_tokens: int):
    passages = _split(text, max_tokens)
    named = {name for passage in passages for name in passage.heading_path} | {"Fees"}
    for line in filter(str.strip, _leftover(text, passages).splitlines()):
        assert line.startswith("#")
        assert line.lstrip("# ") in named
    for passage in passages:
        assert len(Words().token_spans(chunk.embedded_text(passage))) <= max_tokens
        assert passage.text.strip()
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert len({passage.id for passage in passages}) == len(passages)


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=600), max_tokens=st.integers(40, 80))
def test_any_text_is_split_without_loss(text: str, max_tokens: int):
    passages = _split(text, max_tokens)
    for passage in passages:
        assert len(Words().token_spans(chunk.embedded_text(passage))) <= max_tokens
    if not re.search(r"[#=\-]", text):  # no heading of either kind
        assert "".join(_leftover(text, passages).split()) == ""


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_kind(newline: str):
    text = newline.join(["## One", "", PARAGRAPH * 5, "", "## Two", "", PARAGRAPH * 5])
    assert [passage.heading for passage in _split(text, 254)] == ["One", "Two"]
